import { parseEntityRef, stringifyEntityRef } from '@backstage/catalog-model';
import { InputError } from '@backstage/errors';
import {
  BOARD_SIGNALS,
  BOARD_WINDOWS,
  PATH_STATES,
  isEntityRef,
} from '@rocket/plugin-critical-paths-common';
import { z } from 'zod';

function list(values: readonly string[]): string {
  return `${values.slice(0, -1).join(', ')} or ${values[values.length - 1]}`;
}

const windowSchema = z
  .enum(BOARD_WINDOWS, { error: `must be ${list(BOARD_WINDOWS)}` })
  .default('24h');

const formatSchema = z
  .enum(['json', 'csv'], { error: 'must be json or csv' })
  .optional();

/** A parameter that may be given several times, or as a list with commas. */
const many = z
  .union([z.string(), z.array(z.string())], { error: 'must be a text' })
  .transform(value =>
    [value]
      .flat()
      .flatMap(v => v.split(','))
      .map(v => v.trim())
      .filter(v => v !== ''),
  );

const complete = (ref: string, defaultKind: string) =>
  stringifyEntityRef(
    parseEntityRef(ref, { defaultKind, defaultNamespace: 'default' }),
  );

function refs(defaultKind: string) {
  const error = `must be an entity ref, for example ${defaultKind}:default/payments`;
  return many
    .refine(values => values.every(isEntityRef), { error })
    .transform(values => values.map(value => complete(value, defaultKind)))
    .optional();
}

const pathRefError =
  'must be an entity ref of a CriticalPath, for example criticalpath:default/transaction-posting';
const pathRef = z
  .string({ error: pathRefError })
  .refine(isEntityRef, { error: pathRefError })
  .transform(value => complete(value, 'criticalpath'))
  .refine(value => value.startsWith('criticalpath:'), { error: pathRefError });

/** Query of the boards. */
export const boardQuery = z.strictObject({
  window: windowSchema,
  businessModel: refs('domain'),
  owner: refs('group'),
  state: many
    .pipe(
      z.array(z.enum(PATH_STATES, { error: `must be ${list(PATH_STATES)}` })),
    )
    .optional(),
  q: z
    .string({ error: 'must be a text of at most 100 characters' })
    .max(100, { error: 'must be a text of at most 100 characters' })
    .optional(),
  format: formatSchema,
});

/** Query of the page of a path. */
export const pathQuery = z.strictObject({
  window: windowSchema,
  format: formatSchema,
});

/** Query of the paths of a component. */
export const windowQuery = z.strictObject({ window: windowSchema });

const monthsError = 'must be a whole number from 1 to 13';
/** Query of the history of a path. */
export const historyQuery = z.strictObject({
  months: z.coerce
    .number({ error: monthsError })
    .refine(n => Number.isInteger(n) && n >= 1 && n <= 13, {
      error: monthsError,
    })
    .default(13),
});

const namePart = z
  .string()
  .regex(/^[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/, {
    error:
      'must be a name of letters, digits and -_. and at most 63 characters',
  });

/** Namespace and name of a path. */
export const pathParams = z.object({ namespace: namePart, name: namePart });

/** Ref of a component. */
export const componentParams = pathParams.extend({ kind: namePart });

/** Signal of a board. */
export const signalParams = z.object({
  signal: z.enum(BOARD_SIGNALS, { error: `must be ${list(BOARD_SIGNALS)}` }),
});

/** Query of the gate. */
export const gateQuery = z.strictObject({
  preview: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .transform(value => value === 'true')
    .default(false),
});

/** Query of the alerts. */
export const alertsQuery = z.strictObject({ pathRef: pathRef.optional() });

const reasonError = 'must be a reason of 5 to 500 characters';
const reason = z
  .string({ error: reasonError })
  .transform(value => value.trim())
  .refine(value => value.length >= 5 && value.length <= 500, {
    error: reasonError,
  });

const timeError =
  'must be a time with its zone, for example 2026-03-10T12:00:00Z';
const time = z.iso
  .datetime({ offset: true, error: timeError })
  .transform(value => new Date(value));

/** Body that declares planned downtime. */
export const maintenanceBody = z.strictObject({
  pathRef,
  from: time,
  to: time,
  reason,
});

/** Query of the list of planned downtime. */
export const maintenanceQuery = z.strictObject({ pathRef: pathRef.optional() });

const idError = 'must be the id of a planned downtime';
/** Id of a window of planned downtime. */
export const maintenanceParams = z.object({
  id: z.uuid({ error: idError }),
});

/** Query or body that gives a reason alone. */
export const reasonInput = z.strictObject({ reason });

/** Checks input; the error names the field, the value and what is allowed. */
export function parse<T extends z.ZodType>(
  schema: T,
  where: string,
  input: unknown,
): z.output<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) {
    return parsed.data;
  }
  const known =
    schema instanceof z.ZodObject
      ? `; known are ${Object.keys(schema.shape).join(', ')}`
      : '';
  throw new InputError(
    parsed.error.issues
      .map(issue => {
        if (issue.code === 'unrecognized_keys') {
          return `${where} ${issue.keys.join(', ')} is not known${known}`;
        }
        if (issue.path.length === 0) {
          return `${where} must be an object with ${Object.keys(
            (schema as unknown as z.ZodObject).shape,
          ).join(', ')}`;
        }
        const field = String(issue.path[0]);
        const value = (input as Record<string, unknown> | undefined)?.[field];
        return `${where} ${field} ${issue.message}, was ${
          value === undefined ? 'missing' : JSON.stringify(value)
        }`;
      })
      .join('; '),
  );
}

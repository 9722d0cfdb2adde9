import { z } from 'zod';
import {
  dashedName,
  isEntityRef,
  isName,
  oneOf,
  strictObject,
  text,
} from './schema';
import { isComponentTarget, WORKFLOW_METHODS } from './workflow';

const MAX_BODY_CHARACTERS = 20_000;
const COMPARISONS = [
  'equals',
  'notEquals',
  'contains',
  'startsWith',
  'atLeast',
  'atMost',
  'exists',
] as const;
/** Set by the HTTP client, or able to smuggle a second request. */
const FORBIDDEN_HEADERS = [
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'expect',
  'te',
  'trailer',
];

export const whole = (error: string, min: number, max: number) =>
  z.number({ error }).refine(v => Number.isInteger(v) && v >= min && v <= max, {
    error,
  });

export const VARIABLE = /^[a-zA-Z][a-zA-Z0-9_]{0,62}$/;
export const variableError =
  'must be named by letters, digits and _, at most 63 characters';

/** An object whose keys are checked as well; zod's own record would not say what is wrong with a key. */
export function named<T extends z.ZodType>(
  isKey: (key: string) => boolean,
  keyError: string,
  value: T,
  error: string,
) {
  return z
    .record(z.string(), value, { error })
    .superRefine((object, context) => {
      for (const key of Object.keys(object)) {
        if (!isKey(key)) {
          context.addIssue({ code: 'custom', path: [key], message: keyError });
        }
      }
    });
}

const HEADER = /^[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,100}$/;
const headerName = z
  .string({ error: 'must be the name of a header' })
  .regex(HEADER, { error: 'must be the name of a header' });

const pointerError =
  'must be a JSON pointer, for example /account/id, or empty for the whole body';
const pointer = z
  .string({ error: pointerError })
  .regex(/^(\/([^~]|~[01])*)?$/, { error: pointerError })
  .refine(v => v.length <= 500, { error: pointerError });

const targetError =
  'must be the name of a target of criticalPaths.workflows.targets or the ref of an application of the path, for example component:default/ledger';
export const target = z
  .string({ error: targetError })
  .refine(
    value =>
      isComponentTarget(value)
        ? isEntityRef(value) && value.toLowerCase().startsWith('component:')
        : isName(value),
    { error: targetError },
  );

const statusError = 'must be a status from 100 to 599, or 2xx, 3xx, 4xx or 5xx';
const statusCode = z.union(
  [
    z.number().refine(v => Number.isInteger(v) && v >= 100 && v <= 599),
    z.enum(['2xx', '3xx', '4xx', '5xx']),
  ],
  { error: statusError },
);
const number = z.union([z.number(), z.string().min(1)], {
  error: 'must be a number, or a text that holds one',
});

const checkSchema = strictObject({
  status: z
    .union([statusCode, z.array(statusCode).min(1).max(20)], {
      error: statusError,
    })
    .optional(),
  latencyMs: whole(
    'must be a whole number of milliseconds from 1 to 120000',
    1,
    120_000,
  ).optional(),
  header: headerName.optional(),
  json: pointer.optional(),
  equals: z.json().optional(),
  notEquals: z.json().optional(),
  contains: z.json().optional(),
  startsWith: z.string({ error: 'must be a text' }).optional(),
  atLeast: number.optional(),
  atMost: number.optional(),
  exists: z.boolean({ error: 'must be true or false' }).optional(),
}).superRefine((check, context) => {
  const subjects = (['status', 'latencyMs', 'header', 'json'] as const).filter(
    key => check[key] !== undefined,
  );
  const comparisons = COMPARISONS.filter(key => check[key] !== undefined);
  const complain = (message: string) =>
    context.addIssue({ code: 'custom', path: [], message });
  if (subjects.length !== 1) {
    complain('must have exactly one of status, latencyMs, header and json');
  } else if (subjects[0] === 'header' || subjects[0] === 'json') {
    if (comparisons.length !== 1) {
      complain(`must have exactly one of ${oneOf(COMPARISONS)}`);
    }
  } else if (comparisons.length > 0) {
    complain(`must not have ${comparisons.join(', ')} beside ${subjects[0]}`);
  }
});

const extractSchema = strictObject({
  json: pointer.optional(),
  header: headerName.optional(),
  after: text('a text of at most 200 characters', 200).optional(),
  sensitive: z.boolean({ error: 'must be true or false' }).optional(),
}).superRefine((extract, context) => {
  if ((extract.json === undefined) === (extract.header === undefined)) {
    context.addIssue({
      code: 'custom',
      path: [],
      message: 'must have either json or header',
    });
  } else if (extract.after !== undefined && extract.header === undefined) {
    context.addIssue({
      code: 'custom',
      path: ['after'],
      message: 'must be left out unless header is given',
    });
  }
});

const pathError =
  'must be a path that begins with one slash, without ? and #, at most 500 characters';

export const workflowStepSchema = strictObject({
  name: dashedName,
  title: text('a text of at most 100 characters', 100).optional(),
  target: target.optional(),
  method: z
    .enum(WORKFLOW_METHODS, { error: `must be ${oneOf(WORKFLOW_METHODS)}` })
    .optional(),
  path: z
    .string({ error: pathError })
    .regex(/^\/(?![/\\])[^?#\\\s]{0,499}$/, { error: pathError }),
  query: named(
    key => key.length > 0 && key.length <= 100,
    'must be the name of a parameter, at most 100 characters',
    z.string({ error: 'must be a text' }).max(1000, {
      error: 'must be a text of at most 1000 characters',
    }),
    'must be an object of texts',
  ).optional(),
  headers: named(
    key => HEADER.test(key) && !FORBIDDEN_HEADERS.includes(key.toLowerCase()),
    `must be the name of a header, and none of ${FORBIDDEN_HEADERS.join(', ')}`,
    z
      .string({ error: 'must be a text of one line' })
      .regex(/^[^\r\n\0]{0,1000}$/, { error: 'must be a text of one line' }),
    'must be an object of texts',
  ).optional(),
  body: z
    .json({ error: 'must be JSON' })
    .refine(v => JSON.stringify(v).length <= MAX_BODY_CHARACTERS, {
      error: `must be at most ${MAX_BODY_CHARACTERS} characters of JSON`,
    })
    .optional(),
  timeoutMs: whole(
    'must be a whole number of milliseconds from 1 to 120000',
    1,
    120_000,
  ).optional(),
  expect: z
    .array(checkSchema, { error: 'must be a list of checks' })
    .max(50, { error: 'must be a list of at most 50 checks' })
    .optional(),
  extract: named(
    key => VARIABLE.test(key),
    variableError,
    extractSchema,
    'must be an object of variables',
  ).optional(),
}).superRefine((step, context) => {
  if (
    step.body !== undefined &&
    ['GET', 'HEAD'].includes(step.method ?? 'GET')
  ) {
    context.addIssue({
      code: 'custom',
      path: ['body'],
      message: `must be left out of a ${step.method ?? 'GET'} request`,
    });
  }
});

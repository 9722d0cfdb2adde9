import { z } from 'zod';
import {
  dashedName,
  isEntityRef,
  isName,
  oneOf,
  strictObject,
  text,
} from './schema';
import {
  isComponentTarget,
  MAX_WORKFLOWS,
  RUN_VARIABLES,
  WORKFLOW_CRITICALITIES,
  WORKFLOW_METHODS,
  type Json,
  type ParsedWorkflow,
  type ParsedWorkflowStep,
  type Workflow,
  type WorkflowCheck,
} from './workflow';
import { isDecimal, variablesIn } from './workflowValues';

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

const whole = (error: string, min: number, max: number) =>
  z.number({ error }).refine(v => Number.isInteger(v) && v >= min && v <= max, {
    error,
  });

const VARIABLE = /^[a-zA-Z][a-zA-Z0-9_]{0,62}$/;
const variableError =
  'must be named by letters, digits and _, at most 63 characters';

/** An object whose keys are checked as well; zod's own record would not say what is wrong with a key. */
function named<T extends z.ZodType>(
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
const target = z
  .string({ error: targetError })
  .refine(
    value =>
      isComponentTarget(value)
        ? isEntityRef(value) && value.toLowerCase().startsWith('component:')
        : isName(value),
    { error: targetError },
  );

const decimalText = z
  .string({ error: 'must be a decimal number as text, for example "1.50"' })
  .refine(isDecimal, {
    error: 'must be a decimal number as text, for example "1.50"',
  });

const variableSchema = strictObject({
  value: z
    .union([z.string().max(1000), z.number(), z.boolean()], {
      error: 'must be a text of at most 1000 characters, a number or a boolean',
    })
    .optional(),
  generate: z
    .enum(['uuid', 'now', 'amount'], {
      error: 'must be uuid, now or amount',
    })
    .optional(),
  min: decimalText.optional(),
  max: decimalText.optional(),
}).superRefine((variable, context) => {
  const complain = (path: string[], message: string) =>
    context.addIssue({ code: 'custom', path, message });
  if ((variable.value === undefined) === (variable.generate === undefined)) {
    complain([], 'must have either value or generate');
    return;
  }
  for (const field of ['min', 'max'] as const) {
    const wanted = variable.generate === 'amount';
    if ((variable[field] !== undefined) !== wanted) {
      complain(
        [field],
        wanted
          ? 'must be given for an amount, as decimal text'
          : 'must be left out unless generate is amount',
      );
    }
  }
  if (
    variable.min !== undefined &&
    variable.max !== undefined &&
    Number(variable.min) > Number(variable.max)
  ) {
    complain(['max'], 'must not be below min');
  }
});

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

const workflowStepSchema = strictObject({
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

const workflowSchema = strictObject({
  name: dashedName,
  title: text('a text of at most 100 characters', 100).optional(),
  criticality: z
    .enum(WORKFLOW_CRITICALITIES, {
      error: `must be ${oneOf(WORKFLOW_CRITICALITIES)}`,
    })
    .optional(),
  target,
  everySeconds: whole(
    'must be a whole number of seconds from 30 to 86400',
    30,
    86_400,
  ).optional(),
  deadlineMs: whole(
    'must be a whole number of milliseconds from 1 to 120000',
    1,
    120_000,
  ).optional(),
  alertAfter: whole('must be a whole number from 1 to 10', 1, 10).optional(),
  variables: named(
    key => VARIABLE.test(key),
    variableError,
    variableSchema,
    'must be an object of variables',
  ).optional(),
  steps: z
    .array(workflowStepSchema, { error: 'must be a list of at least one step' })
    .min(1, { error: 'must be a list of at least one step' })
    .max(30, { error: 'must be a list of at most 30 steps' }),
}).superRefine((workflow, context) => {
  const complain = (path: PropertyKey[], message: string) =>
    context.addIssue({ code: 'custom', path, message });
  const names = new Map<string, number>();
  const known = new Set<string>([
    ...RUN_VARIABLES,
    ...Object.keys(workflow.variables ?? {}),
  ]);
  for (const name of RUN_VARIABLES) {
    if (workflow.variables?.[name]) {
      complain(['variables', name], 'must have another name; every run has it');
    }
  }
  workflow.steps.forEach((step, index) => {
    const first = names.get(step.name);
    if (first === undefined) {
      names.set(step.name, index);
    } else {
      complain(
        ['steps', index, 'name'],
        `must differ from the name of steps[${first}]`,
      );
    }
    const { path, query, headers, body, expect } = step;
    for (const [field, value] of Object.entries({
      path,
      query,
      headers,
      body,
      expect,
    })) {
      for (const used of variablesIn(value as Json | undefined)) {
        if (!known.has(used)) {
          complain(
            ['steps', index, field],
            `must use only variables of the workflow and of earlier steps; nothing gives {{${used}}}`,
          );
        }
      }
    }
    for (const name of Object.keys(step.extract ?? {})) {
      if ((RUN_VARIABLES as readonly string[]).includes(name)) {
        complain(
          ['steps', index, 'extract', name],
          'must have another name; every run has it',
        );
      }
      known.add(name);
    }
  });
});

/** `spec.workflows`. */
export const workflowsSchema = z
  .array(workflowSchema, { error: 'must be a list of workflows' })
  .max(MAX_WORKFLOWS, {
    error: `must be a list of at most ${MAX_WORKFLOWS} workflows`,
  })
  .superRefine((workflows, context) => {
    workflows.forEach(({ name }, index) => {
      const first = workflows.findIndex(other => other.name === name);
      if (first !== index) {
        context.addIssue({
          code: 'custom',
          path: [index, 'name'],
          message: `must differ from the name of spec.workflows[${first}]`,
        });
      }
    });
  });

function withStatus(checks: WorkflowCheck[]): WorkflowCheck[] {
  return checks.some(check => check.status !== undefined)
    ? checks
    : [{ status: '2xx' }, ...checks];
}

/**
 * Fills in the defaults of checked workflows.
 *
 * @param completeRef - makes the ref of a component full and lower case
 */
export function completeWorkflows(
  workflows: z.output<typeof workflowsSchema>,
  completeRef: (ref: string) => string,
): ParsedWorkflow[] {
  const complete = (value: string) =>
    isComponentTarget(value) ? completeRef(value) : value;
  return (workflows as Workflow[]).map(workflow => ({
    name: workflow.name,
    title: workflow.title ?? workflow.name,
    criticality: workflow.criticality ?? 'required',
    target: complete(workflow.target),
    everySeconds: workflow.everySeconds ?? 300,
    deadlineMs: workflow.deadlineMs ?? 60_000,
    alertAfter: workflow.alertAfter,
    variables: workflow.variables ?? {},
    steps: workflow.steps.map<ParsedWorkflowStep>(step => ({
      name: step.name,
      title: step.title ?? step.name,
      target: complete(step.target ?? workflow.target),
      method: step.method ?? 'GET',
      path: step.path,
      query: step.query ?? {},
      headers: step.headers ?? {},
      body: step.body,
      timeoutMs: step.timeoutMs ?? 10_000,
      expect: withStatus(step.expect ?? []),
      extract: step.extract ?? {},
    })),
  }));
}

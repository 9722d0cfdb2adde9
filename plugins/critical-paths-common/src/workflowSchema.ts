import { z } from 'zod';
import { dashedName, oneOf, strictObject, text } from './schema';
import {
  isComponentTarget,
  MAX_WORKFLOWS,
  RUN_VARIABLES,
  WORKFLOW_CRITICALITIES,
  type Json,
  type ParsedWorkflow,
  type ParsedWorkflowStep,
  type Workflow,
  type WorkflowCheck,
} from './workflow';
import {
  named,
  target,
  VARIABLE,
  variableError,
  whole,
  workflowStepSchema,
} from './workflowStepSchema';
import { isDecimal, variablesIn } from './workflowValues';

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

import {
  DEFAULT_NAMESPACE,
  parseEntityRef,
  stringifyEntityRef,
  type Entity,
} from '@backstage/catalog-model';
import { z } from 'zod';
import {
  AGGREGATIONS,
  CRITICAL_PATH_API_VERSION,
  CRITICAL_PATH_KIND,
  OBJECTIVE_WINDOW_DAYS,
  SLIS,
  type Aggregation,
  type CriticalPathObjective,
} from './kind';
import {
  dashedName,
  isName,
  oneOf,
  positive,
  refText,
  strictObject,
  text,
} from './schema';
import type { ParsedWorkflow } from './workflow';
import { completeWorkflows, workflowsSchema } from './workflowSchema';

export { isEntityRef } from './schema';

/** Id of the telemetry source that a step uses when it names none. */
export const DEFAULT_TELEMETRY_SOURCE = 'newrelic';

const LIFECYCLES = ['experimental', 'production', 'deprecated'];

const telemetrySchema = strictObject({
  source: text('the id of a telemetry source, for example newrelic').optional(),
  account: text('the alias of an account').optional(),
  appName: text('an application name').optional(),
  criticalPath: text('a value of the attribute criticalPath').optional(),
});

const stepSchema = strictObject({
  name: dashedName.optional(),
  title: text('a text of at most 100 characters', 100).optional(),
  component: refText('a Component, for example component:default/ledger', [
    'component',
  ]),
  operation: text(
    'the name of a transaction, at most 253 characters',
  ).optional(),
  weight: positive('must be a number above 0').optional(),
  telemetry: telemetrySchema.optional(),
});

const objectiveSchema = strictObject({
  sli: z.enum(SLIS, { error: `must be ${oneOf(SLIS)}` }),
  target: positive('must be a number above 0'),
  thresholdMs: positive('must be a number of milliseconds above 0').optional(),
  percentile: z
    .number({ error: 'must be a percentile above 0 and below 100' })
    .refine(v => v > 0 && v < 100, {
      error: 'must be a percentile above 0 and below 100',
    })
    .optional(),
  windowDays: z.union(
    OBJECTIVE_WINDOW_DAYS.map(d => z.literal(d)) as [
      z.ZodLiteral<1>,
      z.ZodLiteral<7>,
      z.ZodLiteral<28>,
      z.ZodLiteral<30>,
    ],
    { error: `must be ${oneOf(OBJECTIVE_WINDOW_DAYS)}` },
  ),
}).superRefine((objective, context) => {
  const complain = (field: string, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  if (objective.sli !== 'throughput' && objective.target > 100) {
    complain('target', 'must be a percentage above 0 and at most 100');
  }
  if (objective.sli === 'latency') {
    if (objective.thresholdMs === undefined) {
      complain(
        'thresholdMs',
        'must be a number of milliseconds above 0 for a latency objective',
      );
    }
  } else {
    for (const field of ['thresholdMs', 'percentile'] as const) {
      if (objective[field] !== undefined) {
        complain(
          field,
          `must be left out of an objective about ${objective.sli}; it belongs to latency`,
        );
      }
    }
  }
});

const entitySchema = z.looseObject({
  apiVersion: z.literal(CRITICAL_PATH_API_VERSION, {
    error: `must be ${CRITICAL_PATH_API_VERSION}`,
  }),
  kind: z.literal(CRITICAL_PATH_KIND, {
    error: `must be ${CRITICAL_PATH_KIND}`,
  }),
  metadata: z.looseObject(
    {
      name: z.string({ error: 'must be a name' }).refine(isName, {
        error:
          'must be letters and digits separated by any of -_. and at most 63 characters',
      }),
      namespace: z
        .string({ error: 'must be a namespace' })
        .refine(isName, { error: 'must be a namespace' })
        .optional(),
      title: z.string({ error: 'must be a text' }).optional(),
      description: z.string({ error: 'must be a text' }).optional(),
    },
    { error: 'must be an object' },
  ),
  spec: z.looseObject(
    {
      owner: refText('a Group or User, for example group:default/payments', [
        'group',
        'user',
      ]),
      businessModel: refText('a Domain, for example domain:default/payments', [
        'domain',
      ]),
      type: text('a kind of flow, for example transaction', 63),
      lifecycle: z.enum(LIFECYCLES, { error: `must be ${oneOf(LIFECYCLES)}` }),
      aggregation: z
        .enum(AGGREGATIONS, { error: `must be ${oneOf(AGGREGATIONS)}` })
        .optional(),
      steps: z
        .array(stepSchema, { error: 'must be a list of at least one step' })
        .min(1, { error: 'must be a list of at least one step' })
        .max(100, { error: 'must be a list of at most 100 steps' }),
      objectives: z
        .array(objectiveSchema, { error: 'must be a list of objectives' })
        .max(20, { error: 'must be a list of at most 20 objectives' })
        .optional(),
      workflows: workflowsSchema.optional(),
    },
    { error: 'must be an object' },
  ),
});

/** One step with its defaults filled in. */
export interface ParsedStep {
  name: string;
  title: string;
  /** Full entity ref of the component, lower case. */
  componentRef: string;
  operation?: string;
  /** Weight in the aggregation `weighted`. */
  weight: number;
  telemetry: {
    source: string;
    account?: string;
    appName?: string;
    criticalPath: string;
  };
}

/** A CriticalPath entity that was checked, with its defaults filled in and its refs complete. */
export interface ParsedCriticalPath {
  entityRef: string;
  namespace: string;
  name: string;
  title: string;
  description?: string;
  owner: string;
  businessModel: string;
  type: string;
  lifecycle: string;
  aggregation: Aggregation;
  steps: ParsedStep[];
  objectives: CriticalPathObjective[];
  /** Synthetic workflows. */
  workflows: ParsedWorkflow[];
}

/** One thing that is wrong with an entity. */
export interface CriticalPathIssue {
  /** Where, for example `spec.steps[2].component`. */
  field: string;
  /** The whole sentence, field included. */
  message: string;
}

/** Thrown by {@link parseCriticalPath}; named `InputError` so that APIs answer 400. */
export class CriticalPathInputError extends Error {
  readonly issues: CriticalPathIssue[];

  constructor(issues: CriticalPathIssue[]) {
    super(issues.map(issue => issue.message).join('; '));
    this.name = 'InputError';
    this.issues = issues;
  }
}

function fieldName(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') {
        return `[${part}]`;
      }
      return index === 0 ? String(part) : `.${String(part)}`;
    })
    .join('');
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const part of path) {
    if (value === null || typeof value !== 'object') {
      return undefined;
    }
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

function show(value: unknown): string {
  if (value === undefined) {
    return 'missing';
  }
  const json = JSON.stringify(value);
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}

/** The step name that a component gets when its step has none. */
function defaultStepName(componentName: string): string {
  return componentName.toLowerCase().replace(/[^a-z0-9-]/g, '-');
}

/**
 * Checks a CriticalPath entity and fills in its defaults.
 *
 * @throws CriticalPathInputError with one issue per fault; each names the
 * field, what is allowed and what was found, for example
 * `spec.objectives[0].windowDays must be 1, 7, 28 or 30, was 14`.
 */
export function parseCriticalPath(entity: Entity): ParsedCriticalPath {
  const parsed = entitySchema.safeParse(entity);
  if (!parsed.success) {
    throw new CriticalPathInputError(
      parsed.error.issues.map(issue => {
        const field = fieldName(issue.path);
        const found =
          issue.code === 'unrecognized_keys'
            ? ''
            : `, was ${show(valueAt(entity, issue.path))}`;
        return { field, message: `${field} ${issue.message}${found}` };
      }),
    );
  }
  const { metadata, spec } = parsed.data;
  const namespace = (metadata.namespace ?? DEFAULT_NAMESPACE).toLowerCase();
  const complete = (ref: string, defaultKind: string) =>
    stringifyEntityRef(
      parseEntityRef(ref, { defaultKind, defaultNamespace: namespace }),
    );

  const steps = spec.steps.map<ParsedStep>(step => {
    const componentRef = complete(step.component, 'component');
    const name =
      step.name ?? defaultStepName(parseEntityRef(componentRef).name);
    return {
      name,
      title: step.title ?? name,
      componentRef,
      operation: step.operation,
      weight: step.weight ?? 1,
      telemetry: {
        ...step.telemetry,
        source: step.telemetry?.source ?? DEFAULT_TELEMETRY_SOURCE,
        criticalPath: step.telemetry?.criticalPath ?? metadata.name,
      },
    };
  });
  const aggregation: Aggregation = spec.aggregation ?? 'measured';
  const issues: CriticalPathIssue[] = [];
  spec.steps.forEach((step, index) => {
    if (step.weight !== undefined && aggregation !== 'weighted') {
      const field = `spec.steps[${index}].weight`;
      issues.push({
        field,
        message: `${field} must be left out unless spec.aggregation is weighted, was ${step.weight}`,
      });
    }
  });
  const firstByName = new Map<string, number>();
  steps.forEach((step, index) => {
    const first = firstByName.get(step.name);
    if (first === undefined) {
      firstByName.set(step.name, index);
    } else {
      const field = `spec.steps[${index}].name`;
      issues.push({
        field,
        message: `${field} must differ from the name of spec.steps[${first}], was "${
          step.name
        }"${
          spec.steps[index].name === undefined
            ? ' (from its component); give the step a name'
            : ''
        }`,
      });
    }
  });
  if (issues.length > 0) {
    throw new CriticalPathInputError(issues);
  }
  return {
    entityRef: stringifyEntityRef({
      kind: CRITICAL_PATH_KIND,
      namespace,
      name: metadata.name,
    }),
    namespace,
    name: metadata.name,
    title: metadata.title ?? metadata.name,
    description: metadata.description,
    owner: complete(spec.owner, 'group'),
    businessModel: complete(spec.businessModel, 'domain'),
    type: spec.type,
    lifecycle: spec.lifecycle,
    aggregation,
    steps,
    objectives: (spec.objectives ?? []) as CriticalPathObjective[],
    workflows: completeWorkflows(spec.workflows ?? [], ref =>
      complete(ref, 'component'),
    ),
  };
}

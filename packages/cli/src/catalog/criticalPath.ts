import type { FieldPath } from './documents';
import { type Complain, type Relate, checkRef } from './fields';

const API_VERSION = 'rocket.internal/v1alpha1';
const LIFECYCLES = ['experimental', 'production', 'deprecated'];
const AGGREGATIONS = ['measured', 'serial', 'weighted', 'worst'];
const SLIS = ['availability', 'latency', 'throughput'];
const WINDOWS = [1, 7, 28, 30];
const STEP_NAME = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

const STEP_FIELDS = [
  'name',
  'title',
  'component',
  'operation',
  'weight',
  'telemetry',
];
const TELEMETRY_FIELDS = ['source', 'account', 'appName', 'criticalPath'];
const OBJECTIVE_FIELDS = [
  'sli',
  'target',
  'thresholdMs',
  'percentile',
  'windowDays',
];

function isObject(value: unknown): value is Record<string, unknown> {
  return Boolean(value) && typeof value === 'object' && !Array.isArray(value);
}

const isText = (value: unknown, max = 253) =>
  typeof value === 'string' && value.trim() !== '' && value.length <= max;
const isPositive = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0;

/** Names of the steps of a path that was found to be one; what is broken is left out. */
export function stepNames(entity: any): string[] {
  const steps = Array.isArray(entity?.spec?.steps) ? entity.spec.steps : [];
  return steps.flatMap((step: any) => {
    if (typeof step?.name === 'string') return [step.name];
    if (typeof step?.component !== 'string') return [];
    return [defaultName(step.component)];
  });
}

/** A step without a name is called after its component. */
function defaultName(component: string): string {
  return component
    .replace(/^.*[:/]/, '')
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-');
}

/** Checks a CriticalPath. Of its workflows only that they are a list; the portal checks the rest. */
export function checkCriticalPath(
  entity: Record<string, any>,
  kind: string,
  namespace: string,
  complain: Complain,
  relate: Relate,
): void {
  const wrong = (field: FieldPath, message: string) =>
    complain('schema', field, `${field.join('.')} ${message}`);
  if (kind !== 'CriticalPath') wrong(['kind'], 'must be written CriticalPath');
  if (entity.apiVersion !== API_VERSION)
    wrong(['apiVersion'], `of a CriticalPath must be ${API_VERSION}`);
  const { spec } = entity;
  if (!isObject(spec)) {
    wrong(['spec'], 'of a CriticalPath must be an object');
    return;
  }
  checkRef(
    spec.owner,
    ['spec', 'owner'],
    ['group', 'user'],
    namespace,
    complain,
    relate,
  );
  checkRef(
    spec.businessModel,
    ['spec', 'businessModel'],
    ['domain'],
    namespace,
    complain,
    relate,
  );
  if (!isText(spec.type, 63))
    wrong(['spec', 'type'], 'must be a kind of flow, for example transaction');
  if (!LIFECYCLES.includes(spec.lifecycle as string))
    wrong(['spec', 'lifecycle'], `must be one of ${LIFECYCLES.join(', ')}`);
  if (
    spec.aggregation !== undefined &&
    !AGGREGATIONS.includes(spec.aggregation as string)
  )
    wrong(['spec', 'aggregation'], `must be one of ${AGGREGATIONS.join(', ')}`);
  checkSteps(spec, namespace, wrong, complain, relate);
  checkObjectives(spec.objectives, wrong);
  if (spec.workflows !== undefined && !Array.isArray(spec.workflows))
    wrong(['spec', 'workflows'], 'must be a list of workflows');
}

type Wrong = (field: FieldPath, message: string) => void;

function unknownFields(
  object: Record<string, unknown>,
  allowed: string[],
  at: FieldPath,
  wrong: Wrong,
): void {
  for (const key of Object.keys(object))
    if (!allowed.includes(key))
      wrong([...at, key], `is no field here; those are ${allowed.join(', ')}`);
}

function checkSteps(
  spec: Record<string, unknown>,
  namespace: string,
  wrong: Wrong,
  complain: Complain,
  relate: Relate,
): void {
  const { steps } = spec;
  if (!Array.isArray(steps) || steps.length === 0 || steps.length > 100) {
    wrong(['spec', 'steps'], 'must be a list of 1 to 100 steps');
    return;
  }
  const first = new Map<string, number>();
  steps.forEach((step, index) => {
    const at: FieldPath = ['spec', 'steps', index];
    if (!isObject(step)) {
      wrong(at, 'must be an object');
      return;
    }
    unknownFields(step, STEP_FIELDS, at, wrong);
    const { name, title, operation, weight, telemetry } = step;
    checkRef(
      step.component,
      [...at, 'component'],
      ['component'],
      namespace,
      complain,
      relate,
    );
    if (
      name !== undefined &&
      (typeof name !== 'string' || name.length > 63 || !STEP_NAME.test(name))
    )
      wrong(
        [...at, 'name'],
        'must be lower-case letters, digits and dashes, at most 63 characters',
      );
    if (title !== undefined && !isText(title, 100))
      wrong([...at, 'title'], 'must be a text of at most 100 characters');
    if (operation !== undefined && !isText(operation))
      wrong([...at, 'operation'], 'must be the name of a transaction');
    if (weight !== undefined && !isPositive(weight))
      wrong([...at, 'weight'], 'must be a number above 0');
    else if (weight !== undefined && spec.aggregation !== 'weighted')
      wrong(
        [...at, 'weight'],
        'must be left out unless spec.aggregation is weighted',
      );
    if (telemetry !== undefined && !isObject(telemetry)) {
      wrong([...at, 'telemetry'], 'must be an object');
    } else if (telemetry) {
      unknownFields(telemetry, TELEMETRY_FIELDS, [...at, 'telemetry'], wrong);
      for (const field of TELEMETRY_FIELDS)
        if (telemetry[field] !== undefined && !isText(telemetry[field]))
          wrong([...at, 'telemetry', field], 'must be a text');
    }
    const called =
      typeof name === 'string'
        ? name
        : typeof step.component === 'string' && defaultName(step.component);
    if (!called) return;
    const earlier = first.get(called);
    if (earlier === undefined) first.set(called, index);
    else
      wrong(
        [...at, 'name'],
        `must differ from the name of spec.steps.${earlier}, was "${called}"`,
      );
  });
}

function checkObjectives(objectives: unknown, wrong: Wrong): void {
  if (objectives === undefined) return;
  if (!Array.isArray(objectives) || objectives.length > 20) {
    wrong(['spec', 'objectives'], 'must be a list of at most 20 objectives');
    return;
  }
  objectives.forEach((objective, index) => {
    const at: FieldPath = ['spec', 'objectives', index];
    if (!isObject(objective)) {
      wrong(at, 'must be an object');
      return;
    }
    unknownFields(objective, OBJECTIVE_FIELDS, at, wrong);
    const { sli, target, thresholdMs, percentile, windowDays } = objective;
    if (!SLIS.includes(sli as string))
      wrong([...at, 'sli'], `must be one of ${SLIS.join(', ')}`);
    if (!isPositive(target) || (sli !== 'throughput' && target > 100))
      wrong(
        [...at, 'target'],
        sli === 'throughput'
          ? 'must be a number above 0'
          : 'must be a percentage above 0 and at most 100',
      );
    if (!WINDOWS.includes(windowDays as number))
      wrong([...at, 'windowDays'], `must be one of ${WINDOWS.join(', ')}`);
    if (sli === 'latency') {
      if (!isPositive(thresholdMs))
        wrong(
          [...at, 'thresholdMs'],
          'must be a number of milliseconds above 0 for a latency objective',
        );
      if (
        percentile !== undefined &&
        !(isPositive(percentile) && percentile < 100)
      )
        wrong([...at, 'percentile'], 'must be above 0 and below 100');
    } else {
      for (const field of ['thresholdMs', 'percentile'])
        if (objective[field] !== undefined)
          wrong([...at, field], 'belongs to latency; leave it out');
    }
  });
}

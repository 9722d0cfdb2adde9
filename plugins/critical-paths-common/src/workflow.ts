/** Workflows of one path. */
export const MAX_WORKFLOWS = 10;

/** Whether a workflow decides about its path: an `informational` one is shown and never changes the path's state. */
export const WORKFLOW_CRITICALITIES = ['required', 'informational'] as const;
export type WorkflowCriticality = (typeof WORKFLOW_CRITICALITIES)[number];

export const WORKFLOW_METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
] as const;
export type WorkflowMethod = (typeof WORKFLOW_METHODS)[number];

/** Anything that JSON can hold. */
export type Json =
  | null
  | boolean
  | number
  | string
  | Json[]
  | { [key: string]: Json };

/**
 * What a variable holds at the start of a run. `uuid`: a random UUID, `now`: the
 * start of the run in ISO 8601 UTC, `amount`: a random decimal as text from `min`
 * to `max`, with as many decimals as the longer of the two.
 */
export type WorkflowVariable =
  | { value: string | number | boolean }
  | { generate: 'uuid' | 'now' }
  | { generate: 'amount'; min: string; max: string };

/** How a value of an answer is held against what is expected; exactly one field is set. */
export type WorkflowComparison = {
  equals?: Json;
  notEquals?: Json;
  /** Part of a text, or an element of a list. */
  contains?: Json;
  startsWith?: string;
  /** Numbers, also as decimal text, which is compared exactly. */
  atLeast?: number | string;
  atMost?: number | string;
  exists?: boolean;
};

/** A status code, or a whole class of them. */
export type WorkflowStatusCode = number | '2xx' | '3xx' | '4xx' | '5xx';

/** One assertion about an answer; exactly one of `status`, `latencyMs`, `header` and `json` is set. */
export type WorkflowCheck = WorkflowComparison & {
  /** The status is (one of) these. */
  status?: WorkflowStatusCode | WorkflowStatusCode[];
  /** The answer took at most this many milliseconds. */
  latencyMs?: number;
  /** Name of a header, compared as text. */
  header?: string;
  /** JSON pointer (RFC 6901) into the body; empty for all of it. */
  json?: string;
};

/** Where the value of a variable is found in an answer; exactly one of `json` and `header` is set. */
export type WorkflowExtract = {
  /** JSON pointer (RFC 6901) into the body. */
  json?: string;
  header?: string;
  /** header only: the value is what follows this text, for example `/v1/accounts/`. */
  after?: string;
  /** The value is never shown. Default: false. */
  sensitive?: boolean;
};

/** One HTTP request of a workflow and what is expected of its answer. */
export type WorkflowStep = {
  /** Unique in the workflow. */
  name: string;
  title?: string;
  /** Default: that of the workflow. */
  target?: string;
  /** Default: GET. */
  method?: WorkflowMethod;
  /** Path below the target's base URL; begins with a slash. */
  path: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: Json;
  /** Limit of this request in milliseconds. Default: 10000. */
  timeoutMs?: number;
  /** Default: the status is 2xx, also when no check speaks about the status. */
  expect?: WorkflowCheck[];
  /** Variables for later steps. */
  extract?: Record<string, WorkflowExtract>;
};

/**
 * A synthetic workflow: HTTP steps that walk the real flow on a schedule.
 * `{{name}}` in path, query, headers, body and expectations stands for a
 * variable; a text that is nothing but one variable becomes its value, whatever
 * its type. `runId` and `startedAt` are always there.
 */
export type Workflow = {
  /** Unique in the path. */
  name: string;
  title?: string;
  /** Default: required. */
  criticality?: WorkflowCriticality;
  /** Name in `criticalPaths.workflows.targets`, or the ref of an application of the path. */
  target: string;
  /** Seconds from one start to the next, 30 to 86400. Default: 300. */
  everySeconds?: number;
  /** Limit of a whole run in milliseconds, at most 120000. Default: 60000. */
  deadlineMs?: number;
  /** Failures in a row after which the owner is told. Default: `criticalPaths.workflows.alertAfter`. */
  alertAfter?: number;
  variables?: Record<string, WorkflowVariable>;
  steps: WorkflowStep[];
};

/** A step with its defaults filled in. */
export interface ParsedWorkflowStep
  extends Required<Omit<WorkflowStep, 'body'>> {
  body?: Json;
}

/** A workflow that was checked, with its defaults filled in and its refs complete. */
export interface ParsedWorkflow
  extends Required<Omit<Workflow, 'steps' | 'alertAfter'>> {
  alertAfter?: number;
  steps: ParsedWorkflowStep[];
}

/** Variables that every run has. */
export const RUN_VARIABLES = ['runId', 'startedAt'] as const;

/** True when a target is an application rather than a name of the configuration. */
export function isComponentTarget(target: string): boolean {
  return target.includes(':');
}

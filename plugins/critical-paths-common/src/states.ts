import type { ObjectiveResult, PathState, WorkflowSummary } from './api';
import type { BurnSeverity } from './api/budget';
import { describeObjective } from './slo';

/** The budget below which an objective is at risk, as New Relic draws it (25 %). */
export const AT_RISK_BUDGET = 0.25;

/** What is known about the feed of one application of a path. */
export interface ApplicationFeed {
  /** Name for people, used in reasons. */
  label: string;
  /** Steps that the application serves. */
  steps: string[];
  /** False when the catalog does not have it. */
  known: boolean;
  /** now - end of the newest minute that the source answered for, in seconds; undefined before the first answer. */
  ageSeconds?: number;
  /** now - newest minute with a request, in seconds; undefined when there is none in the kept data. */
  quietSeconds?: number;
  lastError?: string;
}

/** Limits for {@link evaluateState}. */
export interface StateLimits {
  /** A feed that the source has not answered for this long is stale. */
  staleAfterSeconds: number;
  /** A step without any request for this long is stale, though the source answers. */
  quietAfterSeconds: number;
}

export interface StateInput {
  /** Names of the steps that must be seen; the first is the entry step. */
  steps: string[];
  feeds: ApplicationFeed[];
  /** Requests in the window that is shown, at the place where the subject is measured. */
  validInWindow: number;
  objectives: ObjectiveResult[];
  limits: StateLimits;
  /** Burn rules that fire, for example `{severity: 'page', message: 'burning 20x …'}`. */
  alerts?: { severity: BurnSeverity; message: string }[];
  /** Planned downtime that goes on now. */
  maintenance?: { to: string; reason: string };
  /** Last result of the synthetic workflow, when there is one. */
  workflow?: WorkflowSummary;
  /** Further reasons why part of the subject cannot be seen. */
  problems?: string[];
}

/** The state and why, the worst reason first. */
export interface StateResult {
  state: PathState;
  reasons: string[];
}

function duration(seconds: number): string {
  if (seconds < 120) {
    return `${Math.round(seconds)} s`;
  }
  if (seconds < 7200) {
    return `${Math.round(seconds / 60)} min`;
  }
  return seconds < 172_800
    ? `${Math.round(seconds / 3600)} h`
    : `${Math.round(seconds / 86_400)} days`;
}

function days(count: number): string {
  return count === 1 ? 'day' : `${count} days`;
}

function percent(value: number): string {
  return `${Number(value.toFixed(3))} %`;
}

/**
 * The state of a path, or of one application of it, over its data. The first
 * rule that applies gives the state; the reasons of all others follow.
 *
 * 1. `exhausted`: an error budget is spent. Bad news is never hidden by a feed
 *    that went away since.
 * 2. `maintenance`: planned downtime goes on.
 * 3. `at-risk`: the last run of the synthetic workflow failed.
 * 4. `unknown`: the catalog does not have a component of the path, or an
 *    application was never answered for by its source.
 * 5. `no-data`: not one request in the window.
 * 6. `unknown`: none of the applications of a step has any data.
 * 7. `stale`: an application's feed is older than `staleAfter`, or a step has
 *    seen no request for `quietAfter`.
 * 8. `no-data`: an objective has no request in its own window.
 * 9. `at-risk`: a burn rule fires, less than a quarter of a budget is left, or
 *    throughput is below its target.
 * 10. `no-objective`: measured, but there is nothing to hold it against.
 * 11. `healthy`.
 *
 * An application that joined a step and has no requests yet does not change a
 * path whose other applications serve that step.
 */
export function evaluateState(input: StateInput): StateResult {
  const { feeds, limits } = input;
  const found: { state: PathState; reason: string }[] = [];
  const add = (state: PathState, reason: string) =>
    found.push({ state, reason });
  const judged = input.objectives.map(result => ({
    result,
    name: describeObjective(result.objective),
  }));

  for (const { result, name } of judged) {
    if (result.budgetRemaining !== null && result.budgetRemaining <= 0) {
      add(
        'exhausted',
        `error budget spent: ${name}, measured ${percent(result.actual ?? 0)}`,
      );
    }
  }
  if (input.maintenance) {
    add(
      'maintenance',
      `planned downtime until ${input.maintenance.to}: ${input.maintenance.reason}`,
    );
  }
  const { workflow } = input;
  if (workflow?.status === 'failed') {
    add(
      'at-risk',
      `workflow ${workflow.title} failed${
        workflow.failedStep ? ` at step ${workflow.failedStep}` : ''
      }${workflow.message ? `: ${workflow.message}` : ''}`,
    );
  } else if (workflow?.status === 'not-run') {
    add(
      'unknown',
      `workflow ${workflow.title} has not run${
        workflow.message ? `: ${workflow.message}` : ''
      }`,
    );
  }
  for (const feed of feeds) {
    if (!feed.known) {
      add('unknown', `the catalog has no ${feed.label}`);
    } else if (feed.ageSeconds === undefined) {
      add(
        'unknown',
        `${feed.label} was never measured${
          feed.lastError ? `: ${feed.lastError}` : ''
        }`,
      );
    }
  }
  for (const problem of input.problems ?? []) {
    add('unknown', problem);
  }
  if (feeds.length === 0) {
    add('unknown', 'no application serves it');
  }
  if (!(input.validInWindow > 0)) {
    add('no-data', 'no requests in the window');
  }
  for (const step of input.steps) {
    const serving = feeds.filter(f => f.known && f.steps.includes(step));
    if (
      serving.length > 0 &&
      serving.every(f => f.quietSeconds === undefined)
    ) {
      add('unknown', `step ${step} has no data`);
    }
  }
  for (const feed of feeds) {
    if (
      feed.known &&
      feed.ageSeconds !== undefined &&
      !(feed.ageSeconds <= limits.staleAfterSeconds)
    ) {
      add(
        'stale',
        `${feed.label} was last measured ${duration(feed.ageSeconds)} ago${
          feed.lastError ? `: ${feed.lastError}` : ''
        }`,
      );
    }
  }
  for (const step of input.steps) {
    const quiet = feeds
      .filter(f => f.steps.includes(step) && f.quietSeconds !== undefined)
      .map(f => f.quietSeconds!);
    if (quiet.length > 0 && !(Math.min(...quiet) <= limits.quietAfterSeconds)) {
      add(
        'stale',
        `no requests at step ${step} for ${duration(Math.min(...quiet))}`,
      );
    }
  }
  if (workflow?.status === 'stale') {
    add('stale', `workflow ${workflow.title} did not run when it was due`);
  }
  for (const { result, name } of judged) {
    if (result.missingSteps?.length) {
      add(
        'unknown',
        `no requests at step ${result.missingSteps.join(
          ', ',
        )} to judge ${name}`,
      );
    } else if (result.actual === null) {
      add(
        'no-data',
        `no requests in the last ${days(
          result.objective.windowDays,
        )} to judge ${name}`,
      );
    }
  }
  for (const severity of ['page', 'ticket'] as const) {
    for (const alert of input.alerts ?? []) {
      if (alert.severity === severity) {
        add('at-risk', alert.message);
      }
    }
  }
  for (const { result, name } of judged) {
    if (
      result.budgetRemaining !== null &&
      result.budgetRemaining > 0 &&
      result.budgetRemaining < AT_RISK_BUDGET
    ) {
      add(
        'at-risk',
        `${percent(
          result.budgetRemaining * 100,
        )} of the error budget left: ${name}`,
      );
    } else if (result.budgetRemaining === null && result.met === false) {
      add(
        'at-risk',
        `missed: ${name}, measured ${Number((result.actual ?? 0).toFixed(2))}`,
      );
    }
  }
  if (input.objectives.length === 0) {
    add('no-objective', 'no objective is set');
  }
  return {
    state: found[0]?.state ?? 'healthy',
    reasons: found.map(f => f.reason),
  };
}

import {
  evaluateState,
  type ApplicationFeed,
  type DataStatus,
  type ObjectiveResult,
  type ResolvedPath,
  type StateInput,
  type StateResult,
  type StepMember,
} from '@rocket/plugin-critical-paths-common';
import type { CriticalPathsSettings } from '../settings';
import { seriesKey } from '../store/seriesKey';
import type { Series } from '../store/SignalStore';
import { isoOfMinute } from './figures';

/** One application at one step, with its stored series when there is one yet. */
export interface StepFeed {
  step: string;
  entry: boolean;
  member: StepMember;
  series?: Series;
}

/** Every application of every step of a path. */
export function feedsOf(
  resolved: ResolvedPath,
  seriesByKey: ReadonlyMap<string, Series>,
): StepFeed[] {
  return resolved.steps.flatMap(step =>
    step.members.map(member => ({
      step: step.name,
      entry: step.entry,
      member,
      series: member.known
        ? seriesByKey.get(
            seriesKey({
              pathRef: resolved.path.entityRef,
              componentRef: member.entityRef,
              step: step.name,
              selection: member.selection,
            }),
          )
        : undefined,
    })),
  );
}

/**
 * The feeds whose sum counts every request once: an application that serves
 * several steps is counted by its widest selections, and one selection once.
 */
export function distinctFeeds(feeds: StepFeed[]): StepFeed[] {
  const place = ({ member }: StepFeed) => {
    const { source, account, appName, criticalPath } = member.selection;
    return JSON.stringify([source, account ?? null, appName, criticalPath]);
  };
  const whole = new Set(
    feeds.filter(f => !f.member.selection.operation).map(place),
  );
  const seen = new Set<string>();
  return feeds.filter(feed => {
    const at = place(feed);
    const { operation } = feed.member.selection;
    if (operation && whole.has(at)) {
      return false;
    }
    const key = `${at}|${operation ?? ''}`;
    if (seen.has(key)) {
      return false;
    }
    seen.add(key);
    return true;
  });
}

/** The feeds of each step, in the order of the steps, each request of a step counted once. */
export function feedsByStep(
  resolved: ResolvedPath,
  feeds: StepFeed[],
): StepFeed[][] {
  return resolved.steps.map(step =>
    distinctFeeds(feeds.filter(feed => feed.step === step.name)),
  );
}

/** The feeds that a path's own figures are made of: those of the entry step, or of all steps. */
export function measuredFeeds(
  resolved: ResolvedPath,
  feeds: StepFeed[],
): StepFeed[][] {
  const steps = feedsByStep(resolved, feeds);
  return resolved.path.aggregation === 'measured' ? steps.slice(0, 1) : steps;
}

/** Seconds since then, never negative: a clock that is ahead gives 0. */
function age(nowMs: number, minute: number | undefined): number | undefined {
  return minute === undefined
    ? undefined
    : Math.max(0, Math.round(nowMs / 1000 - minute * 60));
}

/** The last failure when it is newer than the last success. */
function currentError(series: Series | undefined) {
  if (
    series?.lastError === undefined ||
    series.lastErrorTime === undefined ||
    series.lastErrorTime < (series.lastSuccessTime ?? -Infinity)
  ) {
    return undefined;
  }
  return {
    message: series.lastError,
    at: new Date(series.lastErrorTime * 1000).toISOString(),
  };
}

/** Where the figures of the given feeds come from and how old the oldest of them is. */
export function dataStatus(feeds: StepFeed[], nowMs: number): DataStatus {
  const series = feeds.flatMap(feed => feed.series ?? []);
  const watermarks = series.flatMap(s => s.watermarkAt ?? []);
  const newest = series.flatMap(s => s.newestDataAt ?? []);
  const watermark = watermarks.length ? Math.min(...watermarks) : undefined;
  const errors = series.flatMap(s => currentError(s) ?? []);
  errors.sort((a, b) => (a.at < b.at ? 1 : -1));
  return {
    sources: [...new Set(feeds.map(f => f.member.selection.source))].sort(),
    watermark: watermark === undefined ? null : isoOfMinute(watermark),
    newestData: newest.length ? isoOfMinute(Math.max(...newest)) : null,
    ageSeconds: age(nowMs, watermark) ?? null,
    lastError: errors[0] ?? null,
  };
}

/** State of what the given feeds make up: a whole path or one application of it. */
export function stateOf(
  input: {
    feeds: StepFeed[];
    validInWindow: number;
    objectives: ObjectiveResult[];
    problems?: string[];
    alerts?: StateInput['alerts'];
    maintenance?: StateInput['maintenance'];
    workflow?: StateInput['workflow'];
  },
  settings: Pick<
    CriticalPathsSettings,
    'staleAfterSeconds' | 'quietAfterSeconds'
  >,
  nowMs: number,
): StateResult {
  const steps = [...new Set(input.feeds.map(feed => feed.step))];
  const applications = new Map<string, ApplicationFeed>();
  for (const { step, member, series } of input.feeds) {
    // The end of the newest minute with data: a minute just over is 0 s quiet.
    const quietSeconds =
      series?.newestDataAt === undefined
        ? undefined
        : age(nowMs, series.newestDataAt + 1);
    const ageSeconds = age(nowMs, series?.watermarkAt);
    applications.set(`${member.entityRef} ${step}`, {
      label: member.entityRef,
      steps: [step],
      known: member.known,
      ageSeconds,
      quietSeconds,
      lastError: currentError(series)?.message,
    });
  }
  const result = evaluateState({
    steps,
    feeds: [...applications.values()],
    validInWindow: input.validInWindow,
    objectives: input.objectives,
    problems: input.problems,
    alerts: input.alerts,
    maintenance: input.maintenance,
    workflow: input.workflow,
    limits: settings,
  });
  // An application at several steps would give the same reason several times.
  return { state: result.state, reasons: [...new Set(result.reasons)] };
}

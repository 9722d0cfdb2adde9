import { nrql, nrqlNumber, nrqlString } from '@rocket/newrelic-node';
import {
  BURN_RULES,
  BURN_WINDOW_MINUTES,
  burnThreshold,
  describeObjective,
  errorBudget,
  MINIMUM_BAD_EVENTS,
} from '@rocket/plugin-critical-paths-common';
import type { AlertPolicyIntent, Objective } from '../intents';

/** A static NRQL condition, as NerdGraph takes it; times in seconds. */
export interface Condition {
  name: string;
  description: string;
  enabled: boolean;
  nrql: { query: string };
  terms: {
    operator: 'ABOVE' | 'ABOVE_OR_EQUALS' | 'BELOW';
    priority: 'CRITICAL';
    threshold: number;
    thresholdDuration: number;
    thresholdOccurrences: 'ALL' | 'AT_LEAST_ONCE';
  }[];
  signal: {
    aggregationWindow: number;
    aggregationMethod: 'EVENT_FLOW';
    aggregationDelay: number;
    fillOption: 'NONE';
    slideBy: number | null;
  };
  expiration: {
    openViolationOnExpiration: boolean;
    closeViolationsOnExpiration: boolean;
    expirationDuration: number | null;
  };
  violationTimeLimitSeconds: number;
  runbookUrl: string | null;
}

/** Requests that count as good: no server error. As the critical paths count them. */
const GOOD_REQUEST =
  'numeric(http.statusCode) < 500 OR (http.statusCode IS NULL AND (error IS FALSE OR error IS NULL))';

/** Longest aggregation window of New Relic, in minutes; longer burn windows are watched by Rocket alone. */
const LONGEST_WINDOW_MINUTES = 360;
/** Seconds between two looks at a sliding window. */
const SLIDE_BY = { fast: 60, slow: 900 } as const;
const DELAY_SECONDS = 120;
const THREE_DAYS_SECONDS = 259_200;
const FIVE_MINUTES_SECONDS = 300;

/** NRQL condition of the requests that are good by an objective. */
export function goodWhere(objective: Objective): string {
  return objective.sli === 'latency'
    ? `duration <= ${nrqlNumber(objective.thresholdMs! / 1000)}`
    : GOOD_REQUEST;
}

export function appWhere(appName: string): string {
  return `appName = ${nrqlString(appName)}`;
}

/**
 * Percent of bad requests, counted over at least `minimum` requests: with
 * fewer, the missing ones count as good, so that one failure of a quiet service
 * is no error rate.
 */
function badPercent(appName: string, good: string, minimum: number): string {
  return `SELECT (count(*) - filter(count(*), WHERE ${good})) * 100 / clamp_min(count(*), ${nrqlNumber(
    minimum,
  )}) FROM Transaction WHERE ${appWhere(appName)}`;
}

/** Six decimals; 1.344 and not 1.3440000000000003. */
const round = (value: number) => Math.round(value * 1e6) / 1e6;

function condition(
  intent: AlertPolicyIntent,
  own: {
    name: string;
    text: string;
    query: string;
    term: Omit<Condition['terms'][0], 'priority'>;
    signal?: Partial<Condition['signal']>;
    expirationSeconds?: number;
  },
): Condition {
  return {
    name: own.name,
    description: own.text,
    enabled: true,
    nrql: { query: own.query },
    terms: [{ priority: 'CRITICAL', ...own.term }],
    signal: {
      aggregationWindow: 60,
      aggregationMethod: 'EVENT_FLOW',
      aggregationDelay: DELAY_SECONDS,
      fillOption: 'NONE',
      slideBy: null,
      ...own.signal,
    },
    expiration: {
      openViolationOnExpiration: own.expirationSeconds !== undefined,
      closeViolationsOnExpiration: false,
      expirationDuration: own.expirationSeconds ?? null,
    },
    violationTimeLimitSeconds: THREE_DAYS_SECONDS,
    runbookUrl: intent.runbookUrl ?? null,
  };
}

function standardConditions(intent: AlertPolicyIntent): Condition[] {
  const { appName, thresholds } = intent;
  const { errorRatePercent, latencyMs, noTrafficMinutes, minimumRequests } =
    thresholds;
  return [
    condition(intent, {
      name: 'Error rate',
      text: `More than ${errorRatePercent} % of the requests failed in each of five minutes.`,
      query: badPercent(appName, GOOD_REQUEST, minimumRequests),
      term: {
        operator: 'ABOVE',
        threshold: errorRatePercent,
        thresholdDuration: FIVE_MINUTES_SECONDS,
        thresholdOccurrences: 'ALL',
      },
    }),
    condition(intent, {
      name: 'Latency',
      text: `The 95th percentile was above ${latencyMs} ms in each of five minutes.`,
      query:
        nrql`SELECT percentile(duration, 95) FROM Transaction WHERE appName = ${appName}`.toString(),
      term: {
        operator: 'ABOVE',
        threshold: round(latencyMs / 1000),
        thresholdDuration: FIVE_MINUTES_SECONDS,
        thresholdOccurrences: 'ALL',
      },
    }),
    condition(intent, {
      name: 'No traffic',
      text: `There were requests, and then none for ${noTrafficMinutes} minutes.`,
      query:
        nrql`SELECT count(*) FROM Transaction WHERE appName = ${appName}`.toString(),
      // Minutes without events are not evaluated; the loss of the signal is what opens it.
      term: {
        operator: 'BELOW',
        threshold: 1,
        thresholdDuration: FIVE_MINUTES_SECONDS,
        thresholdOccurrences: 'ALL',
      },
      expirationSeconds: noTrafficMinutes * 60,
    }),
  ];
}

/**
 * Fast and slow burn of one objective: the long windows and thresholds of the
 * burn rules of the critical paths. A condition of New Relic knows one window
 * of at most six hours, so the short windows and the three-day rule are left to
 * Rocket.
 */
function burnConditions(
  intent: AlertPolicyIntent,
  objective: Objective,
): Condition[] {
  const { target, windowDays } = objective;
  return BURN_RULES.flatMap(rule => {
    const minutes = BURN_WINDOW_MINUTES[rule.longWindow];
    const rate = burnThreshold(rule, target, windowDays);
    if (rule.name === 'creeping' || minutes > LONGEST_WINDOW_MINUTES) return [];
    if (rate === null || minutes >= windowDays * 1440) return [];
    const badShare = rate * errorBudget(1, target);
    const minimum = Math.ceil(MINIMUM_BAD_EVENTS / badShare - 1e-9);
    const percent = round(badShare * 100);
    return [
      condition(intent, {
        name: `${
          rule.name === 'fast' ? 'Fast' : 'Slow'
        } burn: ${describeObjective(objective)}`,
        text: `The error budget burns ${round(
          rate,
        )} times as fast as it may: ${percent} % or more of the requests of ${
          rule.longWindow
        } were bad, and at least ${MINIMUM_BAD_EVENTS} of them.`,
        query: badPercent(intent.appName, goodWhere(objective), minimum),
        term: {
          operator: 'ABOVE_OR_EQUALS',
          threshold: percent,
          thresholdDuration: minutes * 60,
          thresholdOccurrences: 'AT_LEAST_ONCE',
        },
        signal: {
          aggregationWindow: minutes * 60,
          slideBy: SLIDE_BY[rule.name],
        },
      }),
    ];
  });
}

/** All conditions of a service's policy; their names differ. */
export function desiredConditions(
  intent: AlertPolicyIntent,
  mark: string,
): Condition[] {
  return [
    ...standardConditions(intent),
    ...intent.objectives.flatMap(objective =>
      burnConditions(intent, objective),
    ),
  ].map(made => ({ ...made, description: `${mark}${made.description}` }));
}

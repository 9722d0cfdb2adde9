import { Step, Time } from './ast';
import { WEEKDAYS } from './grammar';
import { NrqlError, syntaxError } from './parse';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** New Relic's limit of a TIMESERIES. */
export const MAX_BUCKETS = 366;
/** AUTO gives at most this many buckets: 30 minutes for a day, 6 hours for a week. */
const AUTO_BUCKETS = 60;
const AUTO_STEPS = [
  SECOND,
  5 * SECOND,
  10 * SECOND,
  30 * SECOND,
  MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  7 * DAY,
  30 * DAY,
];
const MAX_STEPS = [
  ...[1, 2, 5, 10, 15, 20, 30].map(n => n * SECOND),
  ...[1, 2, 3, 4, 5, 10, 15, 20, 30].map(n => n * MINUTE),
  ...[1, 2, 3, 4, 6, 12].map(n => n * HOUR),
  ...[1, 2, 7, 30].map(n => n * DAY),
];

/** What a query reads, epoch milliseconds. */
export interface Window {
  /** Inclusive. */
  begin: number;
  /** Exclusive. */
  end: number;
  /** Length of a bucket in milliseconds; undefined without TIMESERIES. */
  step?: number;
  /** Number of buckets; 1 without TIMESERIES. */
  buckets: number;
  /** As the query says it. */
  since: string;
  until: string;
}

/**
 * The window of a query. With TIMESERIES the buckets are counted back from the
 * end, and a first bucket that would be partial is left out. Throws `NrqlError`
 * for a window that New Relic refuses.
 */
export function resolveWindow(
  text: string,
  query: { since?: Time; until?: Time; step?: Step },
  now: number,
): Window {
  const end = query.until ? resolveTime(text, query.until, now) : now;
  const since = query.since ? resolveTime(text, query.since, now) : now - HOUR;
  const labels = {
    since: query.since?.text ?? '60 MINUTES AGO',
    until: query.until?.text ?? 'NOW',
  };
  if (since >= end) {
    throw badRequest("Your query's start time must be before its end time.");
  }
  if (!query.step) return { begin: since, end, buckets: 1, ...labels };

  const span = end - since;
  const step = resolveStep(text, query.step, span);
  const buckets = Math.floor(span / step);
  if (buckets === 0) {
    throw badRequest(
      'TIMESERIES step size is larger than the current time window.',
    );
  }
  if (buckets > MAX_BUCKETS) {
    throw badRequest(`TIMESERIES supports a maximum of ${MAX_BUCKETS} buckets`);
  }
  return { begin: end - buckets * step, end, step, buckets, ...labels };
}

function badRequest(cause: string): NrqlError {
  return new NrqlError(
    cause.startsWith('TIMESERIES supports')
      ? cause
      : `External Service 'NRDB' execution resulted in 400 - cause: ${cause}`,
  );
}

function resolveStep(text: string, step: Step, span: number): number {
  if (step.kind === 'step') {
    if (step.ms < SECOND) throw syntaxError(text, step.at);
    return step.ms;
  }
  const [steps, limit] =
    step.kind === 'auto'
      ? [AUTO_STEPS, AUTO_BUCKETS]
      : [MAX_STEPS, MAX_BUCKETS];
  const fits = steps.find(ms => Math.floor(span / ms) <= limit);
  return Math.min(fits ?? Math.ceil(span / limit / DAY) * DAY, span);
}

function resolveTime(text: string, time: Time, now: number): number {
  switch (time.kind) {
    case 'ago':
      return now - time.ms;
    case 'now':
      return now;
    case 'epoch':
      // Ten digits are seconds, thirteen are milliseconds.
      return time.epoch < 1e11 ? time.epoch * 1000 : time.epoch;
    case 'day':
      return resolveDay(time.day, now);
    default: {
      const parsed = parseDate(time.value);
      if (parsed === undefined) throw syntaxError(text, time.at);
      return parsed;
    }
  }
}

/** Midnight UTC of `today`, `yesterday` or the most recent such weekday. */
function resolveDay(day: string, now: number): number {
  const today = Math.floor(now / DAY) * DAY;
  if (day === 'today') return today;
  if (day === 'yesterday') return today - DAY;
  const back = (new Date(now).getUTCDay() - WEEKDAYS.indexOf(day) + 7) % 7;
  return today - back * DAY;
}

const DATE =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,3})?)?\s*(Z|[+-]\d{2}:?\d{2})?)?$/;

/** ISO 8601 date and time; UTC when it names no zone. */
function parseDate(value: string): number | undefined {
  const match = DATE.exec(value.trim());
  if (!match) return undefined;
  const [, day, minute = '00:00', second = ':00', zone = 'Z'] = match;
  const offset =
    zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone;
  const parsed = Date.parse(`${day}T${minute}${second}${offset}`);
  return Number.isNaN(parsed) ? undefined : parsed;
}

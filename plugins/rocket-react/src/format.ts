/** Shown where a figure does not exist. Never a zero, never a dash that could be read as one. */
export const NO_DATA = 'no data';

/** A figure split for display: the number and its unit are set in different weights. */
export interface Formatted {
  /** The number, or {@link NO_DATA}. */
  value: string;
  /** The unit, empty without data. */
  unit: string;
  /** Number and unit as one text, for tooltips and screen readers. */
  text: string;
  /** False when there is no figure. */
  hasData: boolean;
}

const EPSILON = 1e-9;

const integers = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

function formatted(value: string, unit: string): Formatted {
  return { value, unit, text: `${value} ${unit}`, hasData: true };
}

const noData: Formatted = {
  value: NO_DATA,
  unit: '',
  text: NO_DATA,
  hasData: false,
};

function isNumber(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/**
 * An availability, given as a ratio 0..1. Rounds down, so that `100 %` appears
 * only when every request was good; two digits, three above 99.99 %.
 */
export function formatAvailability(ratio: number | null | undefined) {
  if (!isNumber(ratio)) {
    return noData;
  }
  if (ratio >= 1) {
    return formatted('100', '%');
  }
  const digits = ratio >= 0.9999 ? 3 : 2;
  const scale = 10 ** digits;
  const floored = Math.floor(ratio * 100 * scale + EPSILON) / scale;
  return formatted(floored.toFixed(digits), '%');
}

/**
 * An error rate, given as a ratio 0..1. Rounds up, so that `0 %` appears only
 * when no request failed and the figure adds up with the availability.
 */
export function formatErrorRate(ratio: number | null | undefined) {
  if (!isNumber(ratio)) {
    return noData;
  }
  if (ratio <= 0) {
    return formatted('0', '%');
  }
  const digits = ratio <= 0.0001 + EPSILON ? 3 : 2;
  const scale = 10 ** digits;
  const raised = Math.min(
    100,
    Math.ceil(ratio * 100 * scale - EPSILON) / scale,
  );
  return formatted(raised.toFixed(digits), '%');
}

/** A share 0..1 without decimals, for budgets: `-12 %`, `84 %`. Rounds down. */
export function formatShare(ratio: number | null | undefined) {
  if (!isNumber(ratio)) {
    return noData;
  }
  const percent = Math.floor(ratio * 100 + EPSILON);
  if (percent < -999) {
    return formatted('< -999', '%');
  }
  return formatted(String(percent === 0 ? 0 : percent), '%');
}

/** A duration in milliseconds: `8.4 ms`, `243 ms`, `1.24 s`, `75 s`. */
export function formatDuration(ms: number | null | undefined) {
  if (!isNumber(ms)) {
    return noData;
  }
  if (ms === 0) {
    return formatted('0', 'ms');
  }
  if (ms < 1) {
    return formatted('< 1', 'ms');
  }
  if (ms < 9.95) {
    return formatted(ms.toFixed(1), 'ms');
  }
  if (ms < 999.5) {
    return formatted(String(Math.round(ms)), 'ms');
  }
  const seconds = ms / 1000;
  if (seconds < 9.995) {
    return formatted(seconds.toFixed(2), 's');
  }
  return formatted(seconds.toFixed(seconds < 59.95 ? 1 : 0), 's');
}

/** Requests per minute: `0 /min`, `4.2 /min`, `1,240 /min`, `124k /min`. */
export function formatThroughput(perMinute: number | null | undefined) {
  if (!isNumber(perMinute)) {
    return noData;
  }
  if (perMinute === 0) {
    return formatted('0', '/min');
  }
  if (perMinute < 0.05) {
    return formatted('< 0.1', '/min');
  }
  if (perMinute < 9.95) {
    return formatted(perMinute.toFixed(1), '/min');
  }
  if (perMinute < 99_950) {
    return formatted(integers.format(perMinute), '/min');
  }
  if (perMinute < 999_500) {
    return formatted(`${Math.round(perMinute / 1000)}k`, '/min');
  }
  return formatted(`${(perMinute / 1_000_000).toFixed(1)}M`, '/min');
}

/** A number of events: `1,204,311`. */
export function formatCount(count: number) {
  return integers.format(count);
}

/** An age in seconds as people say it: `just now`, `40 s ago`, `3 min ago`, `2 h ago`, `4 d ago`. */
export function formatAge(seconds: number): string {
  if (seconds < 5) {
    return 'just now';
  }
  if (seconds < 90) {
    return `${Math.floor(seconds)} s ago`;
  }
  if (seconds < 90 * 60) {
    return `${Math.floor(seconds / 60)} min ago`;
  }
  if (seconds < 36 * 3600) {
    return `${Math.floor(seconds / 3600)} h ago`;
  }
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** A stretch of time in seconds as people say it: `45 s`, `38.2 min`, `2.4 h`, `3.1 d`. */
export function formatSpan(seconds: number | null | undefined): Formatted {
  if (!isNumber(seconds)) {
    return noData;
  }
  const short = (value: number) => String(Number(value.toFixed(1)));
  if (seconds < 59.5) {
    return formatted(String(Math.round(seconds)), 's');
  }
  if (seconds < 99.95 * 60) {
    return formatted(short(seconds / 60), 'min');
  }
  return seconds < 47.95 * 3600
    ? formatted(short(seconds / 3600), 'h')
    : formatted(short(seconds / 86_400), 'd');
}

/** Date and time in the reader's zone with the zone's name: `21 Nov 2026, 14:05:00 UTC`. */
export function formatTimestamp(time: string | number | Date): string {
  return new Date(time).toLocaleString('en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  });
}

/** The time of a chart point, as long as the interval makes sensible. */
export function formatPointTime(time: number, stepSeconds: number): string {
  return new Date(time).toLocaleString('en-GB', {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    ...(stepSeconds < 86_400 ? { hour: '2-digit', minute: '2-digit' } : {}),
  });
}

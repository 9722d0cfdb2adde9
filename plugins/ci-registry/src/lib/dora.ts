import type {
  DoraFigure,
  DoraMetrics,
  DoraResponse,
  DoraRow,
} from '@rocket/plugin-ci-registry-common';
import { formatSpan, NO_DATA, type Formatted } from '@rocket/rocket-react';

/** The four metrics of DevOps Research and Assessment. */
export type Metric = keyof DoraMetrics;

/** Everything that differs between the metrics when they are shown. */
export interface MetricInfo {
  label: string;
  /** What the figure is, in a few words. */
  hint: string;
  /** What it stands on, singular and plural. */
  sample: [string, string];
  /** True when a larger figure is the better one. */
  more: boolean;
  format: (value: number | null) => Formatted;
}

const none: Formatted = {
  value: NO_DATA,
  unit: '',
  text: NO_DATA,
  hasData: false,
};

function formatted(value: number, unit: string): Formatted {
  const text = String(Number(value.toFixed(1)));
  return { value: text, unit, text: `${text} ${unit}`, hasData: true };
}

/** Deployments per day, in the unit that needs no fractions to be read: `2.3 /day`, `1.4 /week`, `0.5 /month`. */
export function formatFrequency(perDay: number | null): Formatted {
  if (perDay === null) {
    return none;
  }
  if (perDay >= 0.95 || perDay === 0) {
    return formatted(perDay, '/day');
  }
  return perDay * 7 >= 0.95
    ? formatted(perDay * 7, '/week')
    : formatted(perDay * 30, '/month');
}

/** The metrics in the order of the pages. */
export const METRICS: Record<Metric, MetricInfo> = {
  deploymentFrequency: {
    label: 'Deployment frequency',
    hint: 'deployments that ended well',
    sample: ['deployment', 'deployments'],
    more: true,
    format: formatFrequency,
  },
  leadTime: {
    label: 'Lead time for changes',
    hint: 'commit to running, median',
    sample: ['commit', 'commits'],
    more: false,
    format: formatSpan,
  },
  changeFailureRate: {
    label: 'Change failure rate',
    hint: 'failed ÷ finished deployments',
    sample: ['deployment', 'deployments'],
    more: false,
    format: value => (value === null ? none : formatted(value * 100, '%')),
  },
  timeToRecover: {
    label: 'Time to recover',
    hint: 'failure to remedy, median',
    sample: ['failure', 'failures'],
    more: false,
    format: formatSpan,
  },
};

export const METRIC_NAMES = Object.keys(METRICS) as Metric[];

/** On how much a figure stands: `12 commits`, or `2 of 5 commits` when that is too little. */
export function samplesText(metric: Metric, figure: DoraFigure): string {
  const [one, many] = METRICS[metric].sample;
  if (figure.value === null && figure.samples < figure.minimumSamples) {
    return `${figure.samples} of ${figure.minimumSamples} ${many}`;
  }
  return `${figure.samples} ${figure.samples === 1 ? one : many}`;
}

/** Monday 00:00 UTC of an ISO 8601 week such as `2026-W47`, in milliseconds since 1970; NaN for other texts. */
export function startOfWeek(week: string): number {
  const [, year, number] = /^(\d{4})-W(\d{2})$/.exec(week) ?? [];
  if (!number) {
    return NaN;
  }
  // The 4th of January is always in the first week; days count from Monday.
  const fourth = Date.UTC(Number(year), 0, 4);
  const weekday = (new Date(fourth).getUTCDay() + 6) % 7;
  return fourth + ((Number(number) - 1) * 7 - weekday) * 86_400_000;
}

/** A figure held against the one of the window before; undefined when either is missing. */
export function compareFigures(
  metric: Metric,
  current: DoraFigure,
  previous: DoraFigure,
): { verdict: 'better' | 'worse' | 'same'; was: string } | undefined {
  if (current.value === null || previous.value === null) {
    return undefined;
  }
  const { more, format } = METRICS[metric];
  const was = format(previous.value).text;
  // What reads the same is the same, whatever the digits behind it.
  if (was === format(current.value).text) {
    return { verdict: 'same', was };
  }
  const grew = current.value > previous.value;
  return { verdict: grew === more ? 'better' : 'worse', was };
}

/** Rows by name, or by a figure with the worst first; rows without the figure come last. */
export function sortDora(
  rows: DoraRow[],
  sort: { key: Metric | 'name'; descending: boolean },
): DoraRow[] {
  const sign = sort.descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const { key } = sort;
    if (key !== 'name') {
      const left = a.metrics[key].value;
      const right = b.metrics[key].value;
      if (left === null || right === null) {
        const order = Number(left === null) - Number(right === null);
        if (order) return order;
      } else if (left !== right) {
        return (left - right) * sign;
      }
      return a.title.localeCompare(b.title, 'en');
    }
    return a.title.localeCompare(b.title, 'en') * sign;
  });
}

/** A cell for spreadsheets; a text that they would run as a formula is kept a text. */
function cell(value: string | number | null): string {
  if (value === null) {
    return '';
  }
  if (typeof value === 'number') {
    return String(value);
  }
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

/** The board as CSV: one line per row, times in seconds, shares from 0 to 1, empty without enough data. */
export function doraCsv(response: DoraResponse, rows: DoraRow[]): string {
  const units: Record<Metric, string> = {
    deploymentFrequency: 'per day',
    leadTime: 'seconds',
    changeFailureRate: 'share',
    timeToRecover: 'seconds',
  };
  const head = [
    'entity',
    'name',
    'environment',
    'from',
    'to',
    ...METRIC_NAMES.flatMap(metric => [
      `${METRICS[metric].label} (${units[metric]})`,
      `${METRICS[metric].label}, samples`,
      `${METRICS[metric].label}, window before`,
    ]),
    'Lead time for changes, p95 (seconds)',
    'Lead time goal (seconds)',
  ];
  const lines = rows.map(row => [
    row.entityRef,
    row.title,
    response.environment,
    response.from,
    response.to,
    ...METRIC_NAMES.flatMap(metric => [
      row.metrics[metric].value,
      row.metrics[metric].samples,
      row.previous[metric].value,
    ]),
    row.metrics.leadTime.p95,
    response.leadTimeGoal,
  ]);
  return [head, ...lines].map(line => line.map(cell).join(',')).join('\r\n');
}

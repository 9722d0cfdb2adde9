import type {
  BoardSignal,
  SignalBoardRow,
} from '@rocket/plugin-critical-paths-common';
import {
  formatAvailability,
  formatDuration,
  formatErrorRate,
  formatThroughput,
  STATES,
  type Formatted,
} from '@rocket/rocket-react';
import type { Figure } from './figures';

/** How a signal's board shows its figures. */
export interface SignalInfo {
  /** Name of the tab and of the column. */
  label: string;
  figure: Figure;
  /** What a board's value (percent, per minute or ms) looks like. */
  format: (value: number | null) => Formatted;
  /** Whether more is better; undefined where neither direction is good by itself. */
  moreIsBetter?: boolean;
}

const share = (value: number | null) => (value === null ? null : value / 100);

/** The four boards, in the order of their tabs. */
export const SIGNALS: Record<BoardSignal, SignalInfo> = {
  uptime: {
    label: 'Uptime',
    figure: 'availability',
    format: value => formatAvailability(share(value)),
    moreIsBetter: true,
  },
  throughput: {
    label: 'Throughput',
    figure: 'throughput',
    format: formatThroughput,
  },
  'error-rate': {
    label: 'Error rate',
    figure: 'errorRate',
    format: value => formatErrorRate(share(value)),
    moreIsBetter: false,
  },
  latency: {
    label: 'Latency',
    figure: 'latency',
    format: formatDuration,
    moreIsBetter: false,
  },
};

/** The board of each figure. */
export const SIGNAL_OF: Record<Figure, BoardSignal> = {
  availability: 'uptime',
  throughput: 'throughput',
  errorRate: 'error-rate',
  latency: 'latency',
};

/** A figure against the one of the window before. */
export interface Change {
  direction: 'up' | 'down' | 'same';
  /** `better`, `worse` or `neutral`, in words because colour alone says nothing. */
  verdict: 'better' | 'worse' | 'neutral';
  /** For example `+0.02 points` or `-12 %`. */
  text: string;
}

/**
 * The change of a figure. Shares (percent) are compared in percentage points,
 * everything else in percent of the earlier figure. Null when one is missing.
 */
export function changeOf(
  signal: BoardSignal,
  value: number | null,
  previous: number | null,
): Change | null {
  if (value === null || previous === null) {
    return null;
  }
  const inPoints = signal === 'uptime' || signal === 'error-rate';
  if (!inPoints && previous === 0) {
    return null;
  }
  const amount = inPoints
    ? value - previous
    : ((value - previous) / previous) * 100;
  const rounded = Number(amount.toFixed(inPoints ? 3 : 0));
  const sign = rounded > 0 ? '+' : '';
  const text = `${sign}${rounded} ${inPoints ? 'points' : '%'}`;
  if (rounded === 0) {
    return { direction: 'same', verdict: 'neutral', text: 'unchanged' };
  }
  const { moreIsBetter } = SIGNALS[signal];
  const verdict = rounded > 0 === moreIsBetter ? 'better' : 'worse';
  return {
    direction: rounded > 0 ? 'up' : 'down',
    verdict: moreIsBetter === undefined ? 'neutral' : verdict,
    text,
  };
}

/** What a signal's board can be sorted by. */
export const SIGNAL_SORT_KEYS = ['worst', 'path', 'value', 'change'] as const;
export type SignalSortKey = (typeof SIGNAL_SORT_KEYS)[number];

function worse(signal: BoardSignal, a: SignalBoardRow, b: SignalBoardRow) {
  if (a.value === null || b.value === null) {
    return Number(a.value === null) - Number(b.value === null);
  }
  return SIGNALS[signal].moreIsBetter ? a.value - b.value : b.value - a.value;
}

/** Sorts a copy; rows without the figure stay at the end. `worst` goes by state, then by value. */
export function sortSignalRows(
  rows: SignalBoardRow[],
  signal: BoardSignal,
  sort: { key: SignalSortKey; descending: boolean },
): SignalBoardRow[] {
  const change = (row: SignalBoardRow) =>
    row.value === null || row.previous === null
      ? null
      : row.value - row.previous;
  return [...rows].sort((a, b) => {
    let order = 0;
    if (sort.key === 'worst') {
      order =
        (STATES[a.state].rank - STATES[b.state].rank || worse(signal, a, b)) *
        (sort.descending ? -1 : 1);
    } else if (sort.key !== 'path') {
      const [left, right] =
        sort.key === 'value' ? [a.value, b.value] : [change(a), change(b)];
      order =
        left === null || right === null
          ? Number(left === null) - Number(right === null)
          : (left - right) * (sort.descending ? -1 : 1);
    } else if (sort.descending) {
      return b.title.localeCompare(a.title, 'en');
    }
    return order || a.title.localeCompare(b.title, 'en');
  });
}

/** Rows by business model, the one with the worst path first. */
export function groupByModel(
  rows: SignalBoardRow[],
): { businessModel: string; rows: SignalBoardRow[] }[] {
  const groups = new Map<string, SignalBoardRow[]>();
  for (const row of rows) {
    const group = groups.get(row.businessModel);
    if (group) {
      group.push(row);
    } else {
      groups.set(row.businessModel, [row]);
    }
  }
  const worst = (group: SignalBoardRow[]) =>
    Math.min(...group.map(row => STATES[row.state].rank));
  return [...groups]
    .map(([businessModel, members]) => ({ businessModel, rows: members }))
    .sort(
      (a, b) =>
        worst(a.rows) - worst(b.rows) ||
        a.businessModel.localeCompare(b.businessModel, 'en'),
    );
}

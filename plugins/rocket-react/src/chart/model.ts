/** One interval of a line. */
export interface ChartPoint {
  /** Start of the interval, milliseconds since the epoch. */
  time: number;
  /** False when nobody looked: drawn as a gap in a hatched band. */
  observed: boolean;
  /** Null when there was nothing to measure: drawn as a plain gap. */
  value: number | null;
}

/** One line of a chart. */
export interface ChartSeries {
  id: string;
  label: string;
  /** The one line that the chart is about; drawn thick, with an area, on top. */
  emphasis?: boolean;
  /** CSS colour and dash; see `seriesColor` and `seriesDash`. */
  color?: string;
  dash?: string;
  points: ChartPoint[];
}

/** A horizontal line that figures are held against. */
export interface ChartThreshold {
  value: number;
  /** For example `objective 99.9 %`. */
  label: string;
}

/** A stretch of time, milliseconds, end exclusive. */
export interface TimeRange {
  from: number;
  to: number;
}

/** True when the point can be drawn. */
export function isDrawable(
  point: ChartPoint,
): point is ChartPoint & { value: number } {
  return point.observed && point.value !== null && Number.isFinite(point.value);
}

/** The stretches that were not observed, neighbours joined. */
export function unobservedRanges(
  points: ChartPoint[],
  stepMs: number,
): TimeRange[] {
  const ranges: TimeRange[] = [];
  for (const point of points) {
    if (point.observed) {
      continue;
    }
    const last = ranges[ranges.length - 1];
    if (last && point.time <= last.to) {
      last.to = point.time + stepMs;
    } else {
      ranges.push({ from: point.time, to: point.time + stepMs });
    }
  }
  return ranges;
}

/** All points in time of the series, ordered, each once. */
export function timesOf(series: ChartSeries[]): number[] {
  const times = new Set<number>();
  for (const { points } of series) {
    for (const point of points) {
      times.add(point.time);
    }
  }
  return Array.from(times).sort((a, b) => a - b);
}

/** Index of the time nearest to the wanted one; -1 for no times. */
export function nearestIndex(times: number[], wanted: number): number {
  let low = 0;
  let high = times.length - 1;
  if (high < 0) {
    return -1;
  }
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (times[middle] < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low > 0 && wanted - times[low - 1] <= times[low] - wanted) {
    return low - 1;
  }
  return low;
}

/** What a point says in words: the figure, or which kind of nothing it is. */
export function readPoint(
  point: ChartPoint | undefined,
  format: (value: number) => string,
): string {
  if (!point || !point.observed) {
    return 'not observed';
  }
  return isDrawable(point) ? format(point.value) : 'no requests';
}

/** The text alternative of a line: newest figure, smallest, largest and how much was not observed. */
export function describeSeries(
  series: ChartSeries,
  format: (value: number) => string,
): string {
  const drawable = series.points.filter(isDrawable);
  if (drawable.length === 0) {
    return `${series.label}: no data.`;
  }
  const values = drawable.map(point => point.value);
  const unobserved = series.points.filter(point => !point.observed).length;
  const gaps =
    unobserved > 0
      ? ` ${unobserved} of ${series.points.length} intervals not observed.`
      : '';
  return `${series.label}: latest ${format(
    values[values.length - 1],
  )}, lowest ${format(Math.min(...values))}, highest ${format(
    Math.max(...values),
  )}.${gaps}`;
}

/**
 * Range of the vertical axis over what is visible, thresholds included, with
 * some air. `floor` and `ceiling` are hard ends (0 for rates, 1 for shares).
 */
export function valueDomain(options: {
  series: ChartSeries[];
  thresholds: ChartThreshold[];
  floor?: number;
  ceiling?: number;
  /** Smallest height of the range, so that a flat line does not turn noise into mountains. */
  minSpan: number;
}): [number, number] {
  const { series, thresholds, floor, ceiling, minSpan } = options;
  let low = Infinity;
  let high = -Infinity;
  for (const { points } of series) {
    for (const point of points) {
      if (isDrawable(point)) {
        low = Math.min(low, point.value);
        high = Math.max(high, point.value);
      }
    }
  }
  for (const { value } of thresholds) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) {
    low = floor ?? (ceiling ?? 1) - minSpan;
    high = ceiling ?? low + minSpan;
  }
  const air = Math.max(high - low, minSpan) * 0.08;
  let from = low - air;
  let to = high + air;
  if (ceiling !== undefined) {
    to = ceiling;
    from = Math.min(from, ceiling - minSpan);
  }
  if (floor !== undefined) {
    from = ceiling === undefined ? floor : Math.max(floor, from);
    to = Math.max(to, floor + minSpan);
  }
  return [from, to];
}

/** What a marker stands for; each kind has a shape and a letter of its own, not only a colour. */
export type MarkerKind =
  | 'deployment'
  | 'chaos'
  | 'incident'
  | 'maintenance'
  | 'budget-reset';

/** Something that happened: a line at a time, or a band where it lasted. */
export interface ChartMarker {
  id: string;
  kind: MarkerKind;
  /** Milliseconds since the epoch. */
  time: number;
  /** End, milliseconds; left out for a moment, or when it still lasts (`open`). */
  until?: number;
  /** True when it has not ended: the band goes on to the end of the chart. */
  open?: boolean;
  /** Name for people. */
  label: string;
}

/** Letter of each kind of marker, as drawn on the chart. */
export const MARKER_LETTERS: Record<MarkerKind, string> = {
  deployment: 'D',
  chaos: 'C',
  incident: 'I',
  maintenance: 'M',
  'budget-reset': 'R',
};

/** The markers that touch the stretch of time, cut to it. */
export function markersWithin(
  markers: ChartMarker[],
  from: number,
  to: number,
): (ChartMarker & { start: number; end?: number })[] {
  return markers.flatMap(marker => {
    const end = marker.open ? to : marker.until;
    if (marker.time >= to || (end ?? marker.time) < from) {
      return [];
    }
    return [
      {
        ...marker,
        start: Math.max(from, marker.time),
        end: end === undefined ? undefined : Math.min(to, end),
      },
    ];
  });
}

import type {
  CriticalPathObjective,
  FigureExplanation,
  ObjectiveResult,
  Series,
  SeriesPoint,
  Signals,
} from '@rocket/plugin-critical-paths-common';
import {
  formatAvailability,
  formatDuration,
  formatErrorRate,
  formatThroughput,
  type ChartPoint,
  type Formatted,
} from '@rocket/rocket-react';

/** The four golden signals. */
export type Figure = 'availability' | 'throughput' | 'errorRate' | 'latency';

const BUDGET_FIGURES: Record<string, string> = {
  errorBudget: 'Error budget',
  burnRate: 'Burn rate',
  attribution: 'Attribution',
};

/** Everything that differs between the signals when they are shown. */
export interface FigureInfo {
  label: string;
  /** What the figure is, in a few words. */
  hint: string;
  format: (value: number | null) => Formatted;
  text: (value: number) => string;
  /** Ends and smallest height of the axis; see `valueDomain` of rocket-react. */
  floor?: number;
  ceiling?: number;
  minSpan: number;
}

/** The four signals in the order of the pages. */
export const FIGURES: Record<Figure, FigureInfo> = {
  availability: {
    label: 'Uptime',
    hint: 'availability: good ÷ valid requests',
    format: formatAvailability,
    text: value => formatAvailability(value).text,
    floor: 0,
    ceiling: 1,
    minSpan: 0.002,
  },
  throughput: {
    label: 'Throughput',
    hint: 'valid requests per minute',
    format: formatThroughput,
    text: value => formatThroughput(value).text,
    floor: 0,
    minSpan: 1,
  },
  errorRate: {
    label: 'Error rate',
    hint: 'failed ÷ valid requests',
    format: formatErrorRate,
    text: value => formatErrorRate(value).text,
    floor: 0,
    minSpan: 0.002,
  },
  latency: {
    label: 'Latency',
    hint: 'duration that 95 % or 99 % of requests stay within',
    format: formatDuration,
    text: value => formatDuration(value).text,
    floor: 0,
    minSpan: 10,
  },
};

/** Name of a figure that is explained. */
export function figureLabel(figure: FigureExplanation['figure']): string {
  return BUDGET_FIGURES[figure] ?? FIGURES[figure as Figure].label;
}

/** Percentiles that latency can be drawn for. */
export type Percentile = 'p95' | 'p99';

function valueOf(
  point: SeriesPoint,
  figure: Figure,
  percentile: Percentile,
): number | null {
  switch (figure) {
    case 'availability':
      return point.availability;
    case 'throughput':
      return point.throughputPerMinute;
    case 'errorRate':
      return point.errorRate;
    default:
      return percentile === 'p95' ? point.p95Ms : point.p99Ms;
  }
}

/** The points of one signal. What was not observed has no value, whatever the answer says. */
export function pointsOf(
  series: Series,
  figure: Figure,
  percentile: Percentile = 'p95',
): ChartPoint[] {
  return series.points.map(point => ({
    time: Date.parse(point.start),
    observed: point.observed,
    value: point.observed ? valueOf(point, figure, percentile) : null,
  }));
}

/** The figure of a window; latency by its percentile. */
export function figureOf(
  signals: Signals,
  figure: Figure,
  percentile: Percentile = 'p95',
): Formatted {
  switch (figure) {
    case 'availability':
      return formatAvailability(signals.availability);
    case 'throughput':
      return formatThroughput(signals.throughputPerMinute);
    case 'errorRate':
      return formatErrorRate(signals.errorRate);
    default:
      return formatDuration(
        percentile === 'p95' ? signals.latency.p95Ms : signals.latency.p99Ms,
      );
  }
}

/** The figure of a window in the unit of the boards: percent, requests per minute or ms. */
export function boardValue(
  signals: Signals,
  figure: Figure,
  percentile: Percentile = 'p95',
): number | null {
  const percent = (ratio: number | null) =>
    ratio === null ? null : ratio * 100;
  switch (figure) {
    case 'availability':
      return percent(signals.availability);
    case 'throughput':
      return signals.throughputPerMinute;
    case 'errorRate':
      return percent(signals.errorRate);
    default:
      return percentile === 'p95'
        ? signals.latency.p95Ms
        : signals.latency.p99Ms;
  }
}

/** The smallest error budget that is left; null when no objective has one. */
export function worstBudget(objectives: ObjectiveResult[]): number | null {
  const known = objectives
    .map(result => result.budgetRemaining)
    .filter((left): left is number => left !== null);
  return known.length === 0 ? null : Math.min(...known);
}

function percentText(percent: number): string {
  return `${Number(percent.toFixed(4))} %`;
}

/** Begins a reason of the backend like a sentence. */
export function sentence(reason: string): string {
  return reason.charAt(0).toLocaleUpperCase('en') + reason.slice(1);
}

/** What stands in for an error budget that does not exist. */
export function budgetText(objectives: ObjectiveResult[]): string {
  return objectives.some(({ objective }) => objective.sli !== 'throughput')
    ? 'no data'
    : 'no objective';
}

/** An objective in words: `99.9 % of requests good over 28 days`. */
export function describeObjective(objective: CriticalPathObjective): string {
  const days =
    objective.windowDays === 1 ? '1 day' : `${objective.windowDays} days`;
  switch (objective.sli) {
    case 'availability':
      return `${percentText(objective.target)} of requests good over ${days}`;
    case 'latency':
      return `${percentText(objective.target)} of requests within ${
        formatDuration(objective.thresholdMs ?? null).text
      } over ${days}`;
    default:
      return `At least ${formatThroughput(objective.target).text} over ${days}`;
  }
}

/** Where the objectives cross the chart of a signal. */
export function thresholdsOf(
  objectives: ObjectiveResult[],
  figure: Figure,
): { value: number; label: string }[] {
  return objectives.flatMap(({ objective }) => {
    if (objective.sli === 'availability' && figure === 'availability') {
      return [
        {
          value: objective.target / 100,
          label: `objective ${percentText(objective.target)}`,
        },
      ];
    }
    if (objective.sli === 'availability' && figure === 'errorRate') {
      return [
        {
          value: 1 - objective.target / 100,
          label: `budget ${percentText(100 - objective.target)}`,
        },
      ];
    }
    if (
      objective.sli === 'latency' &&
      figure === 'latency' &&
      objective.thresholdMs
    ) {
      return [
        {
          value: objective.thresholdMs,
          label: `objective ${percentText(objective.target)} within ${
            formatDuration(objective.thresholdMs).text
          }`,
        },
      ];
    }
    if (objective.sli === 'throughput' && figure === 'throughput') {
      return [
        {
          value: objective.target,
          label: `objective ${formatThroughput(objective.target).text}`,
        },
      ];
    }
    return [];
  });
}

/** Minutes as people say them: `40 s`, `12.4 min`, `3.2 h`. */
export function formatMinutes(minutes: number): string {
  const size = Math.abs(minutes);
  if (size < 1) {
    return `${Math.round(minutes * 60)} s`;
  }
  return size < 120
    ? `${minutes.toFixed(1)} min`
    : `${(minutes / 60).toFixed(1)} h`;
}

/** Telemetry sources as people call them, by id. */
export const SOURCES: Record<string, string> = { newrelic: 'New Relic' };

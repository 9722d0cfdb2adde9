import type {
  BoardRow,
  BoardSignal,
  SignalBoardResponse,
  SignalBoardRow,
  Signals,
  Sli,
} from '@rocket/plugin-critical-paths-common';

interface Definition {
  unit: SignalBoardResponse['unit'];
  formula: string;
  value: (signals: Signals) => number | null;
  /** The objectives that speak about it. */
  sli: Sli;
  /** Turns the target of such an objective into the board's unit. */
  target: (objective: BoardRow['objectives'][number]['objective']) => number;
}

function percent(ratio: number | null): number | null {
  return ratio === null ? null : Number((ratio * 100).toFixed(4));
}

const DEFINITIONS: Record<BoardSignal, Definition> = {
  uptime: {
    unit: 'percent',
    formula:
      'good / valid x 100 over the window, by the aggregation of the path (request-based availability from telemetry)',
    value: signals => percent(signals.availability),
    sli: 'availability',
    target: objective => objective.target,
  },
  throughput: {
    unit: 'perMinute',
    formula:
      'valid / minutes of the window that the source answered for, at the first step',
    value: signals => signals.throughputPerMinute,
    sli: 'throughput',
    target: objective => objective.target,
  },
  'error-rate': {
    unit: 'percent',
    formula: '(1 - good / valid) x 100, from the same counts as uptime',
    value: signals => percent(signals.errorRate),
    sli: 'availability',
    target: objective => Number((100 - objective.target).toFixed(6)),
  },
  latency: {
    unit: 'ms',
    formula:
      '95th percentile of the latency histograms of the first step, added up over the window; the target is the threshold of the latency objective, which may speak about another percentile',
    value: signals => signals.latency.p95Ms,
    sli: 'latency',
    target: objective => objective.thresholdMs ?? 0,
  },
};

/** The board of one signal, from the rows of the whole board. */
export function signalBoard(
  signal: BoardSignal,
  rows: BoardRow[],
): Pick<SignalBoardResponse, 'signal' | 'unit' | 'formula' | 'rows'> {
  const { unit, formula, value, sli, target } = DEFINITIONS[signal];
  return {
    signal,
    unit,
    formula,
    rows: rows.map<SignalBoardRow>(row => {
      const judged = row.objectives.find(o => o.objective.sli === sli);
      return {
        entityRef: row.entityRef,
        namespace: row.namespace,
        name: row.name,
        title: row.title,
        businessModel: row.businessModel,
        owner: row.owner,
        state: row.state,
        stateReasons: row.stateReasons,
        value: value(row.signals),
        previous: value(row.previous.signals),
        target: judged ? target(judged.objective) : null,
        met: judged ? judged.met : null,
        valid: row.signals.valid,
        ageSeconds: row.data.ageSeconds,
        sparkline: row.sparkline,
      };
    }),
  };
}

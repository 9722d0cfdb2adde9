import type {
  BoardResponse,
  BoardRow,
  BoardWindow,
  DataStatus,
  ObjectiveResult,
  PathState,
  Series,
  Signals,
} from '@rocket/plugin-critical-paths-common';

const WINDOW_SECONDS: Record<BoardWindow, number> = {
  '1h': 3600,
  '6h': 6 * 3600,
  '24h': 24 * 3600,
  '7d': 7 * 86_400,
  '28d': 28 * 86_400,
  '30d': 30 * 86_400,
};

const RELATIVE_ERROR = 0.0864;

/** The moment that all fixtures are made for. Tests pass a fixed one. */
export interface FixtureTime {
  now: number;
  window: BoardWindow;
}

/** How the traffic of a made-up application behaves. */
export interface Traffic {
  seed: number;
  perMinute: number;
  /** Share of failed requests in normal times. */
  failing: number;
  p95Ms: number;
  /** Share of the window, 0..1, in which `incidentFailing` holds. */
  incident?: [number, number];
  incidentFailing?: number;
  /** Share of the window that was not observed. */
  gap?: [number, number];
  /** Nothing was ever measured. */
  silent?: boolean;
}

function noise(seed: number, index: number): number {
  const wave = Math.sin(seed * 127.1 + index * 311.7) * 43_758.5453;
  return wave - Math.floor(wave);
}

/** A series of `count` points that ends now. */
export function makeSeries(
  time: FixtureTime,
  traffic: Traffic,
  count: number,
): Series {
  const stepSeconds = WINDOW_SECONDS[time.window] / count;
  const from = time.now - WINDOW_SECONDS[time.window] * 1000;
  const within = (range: [number, number] | undefined, at: number) =>
    range !== undefined && at >= range[0] && at < range[1];
  return {
    stepSeconds,
    points: Array.from({ length: count }, (_, index) => {
      const start = from + index * stepSeconds * 1000;
      const at = index / count;
      const observed = !traffic.silent && !within(traffic.gap, at);
      const day = Math.sin(((start % 86_400_000) / 86_400_000) * 2 * Math.PI);
      const rate =
        traffic.perMinute *
        (1 - 0.45 * day) *
        (0.94 + 0.12 * noise(traffic.seed, index));
      const failing = within(traffic.incident, at)
        ? traffic.incidentFailing ?? 0.08
        : traffic.failing * (0.4 + 1.2 * noise(traffic.seed + 1, index));
      const valid = observed ? Math.round((rate * stepSeconds) / 60) : 0;
      const good = valid - Math.round(valid * failing);
      const p95Ms =
        traffic.p95Ms *
        (0.92 + 0.16 * noise(traffic.seed + 2, index)) *
        (within(traffic.incident, at) ? 2.1 : 1);
      const measured = valid > 0;
      return {
        start: new Date(start).toISOString(),
        observed,
        valid,
        good,
        throughputPerMinute: observed ? (valid * 60) / stepSeconds : null,
        availability: measured ? good / valid : null,
        errorRate: measured ? 1 - good / valid : null,
        p95Ms: measured ? p95Ms : null,
        p99Ms: measured ? p95Ms * 1.7 : null,
      };
    }),
  };
}

/** Adds the points of a series up to the figures of its window. */
export function sumUp(series: Series): Signals {
  const observed = series.points.filter(point => point.observed);
  const valid = observed.reduce((sum, point) => sum + point.valid, 0);
  const good = observed.reduce((sum, point) => sum + point.good, 0);
  const minutes = (observed.length * series.stepSeconds) / 60;
  const slow = observed.map(point => point.p95Ms ?? 0);
  const p95Ms = slow.reduce((sum, ms) => sum + ms, 0) / (slow.length || 1);
  return {
    valid,
    good,
    availability: valid > 0 ? good / valid : null,
    errorRate: valid > 0 ? 1 - good / valid : null,
    throughputPerMinute: minutes > 0 ? valid / minutes : null,
    latency: {
      p50Ms: valid > 0 ? p95Ms * 0.4 : null,
      p95Ms: valid > 0 ? p95Ms : null,
      p99Ms: valid > 0 ? p95Ms * 1.7 : null,
      relativeError: RELATIVE_ERROR,
    },
  };
}

/** How far the data reaches. */
export function makeData(now: number, ageSeconds: number | null): DataStatus {
  const watermark =
    ageSeconds === null ? null : new Date(now - ageSeconds * 1000);
  return {
    sources: ['newrelic'],
    watermark: watermark?.toISOString() ?? null,
    newestData: watermark?.toISOString() ?? null,
    ageSeconds,
    lastError: null,
  };
}

/** An availability objective with the given budget. */
export function makeObjective(
  signals: Signals,
  target: number,
  budgetRemaining: number | null,
): ObjectiveResult {
  const bad = 1 - target / 100;
  const actual =
    budgetRemaining === null ? null : 100 * (1 - bad * (1 - budgetRemaining));
  const valid = actual === null ? 0 : signals.valid * 28;
  return {
    objective: { sli: 'availability', target, windowDays: 28 },
    actual,
    met: budgetRemaining === null ? null : budgetRemaining > 0,
    budgetRemaining,
    valid,
    good: Math.round((valid * (actual ?? 0)) / 100),
    coverage: actual === null ? 0 : 1,
  };
}

/** What a made-up path is. */
export interface RowSpec {
  name: string;
  title: string;
  description?: string;
  businessModel: string;
  owner: string;
  type: string;
  lifecycle?: string;
  state: PathState;
  reasons?: string[];
  traffic: Traffic;
  ageSeconds: number | null;
  target?: number;
  budget?: number | null;
  latency?: { thresholdMs: number; budget: number };
  throughput?: number;
  applications: number;
  unknownComponents?: string[];
}

/** A row of the board. */
export function makeRow(time: FixtureTime, spec: RowSpec): BoardRow {
  const sparkline = makeSeries(time, spec.traffic, 48);
  const signals = sumUp(sparkline);
  const objectives: ObjectiveResult[] = [];
  if (spec.target) {
    objectives.push(makeObjective(signals, spec.target, spec.budget ?? null));
  }
  if (spec.latency) {
    const { thresholdMs, budget } = spec.latency;
    objectives.push({
      ...makeObjective(signals, 99, budget),
      objective: { sli: 'latency', target: 99, thresholdMs, windowDays: 28 },
      estimated: true,
    });
  }
  if (spec.throughput) {
    objectives.push({
      objective: { sli: 'throughput', target: spec.throughput, windowDays: 7 },
      actual: signals.throughputPerMinute,
      met: (signals.throughputPerMinute ?? 0) >= spec.throughput,
      budgetRemaining: null,
      valid: signals.valid,
      good: signals.good,
      coverage: 0.64,
    });
  }
  return {
    entityRef: `criticalpath:default/${spec.name}`,
    namespace: 'default',
    name: spec.name,
    title: spec.title,
    description: spec.description,
    businessModel: `domain:default/${spec.businessModel}`,
    owner: `group:default/${spec.owner}`,
    type: spec.type,
    lifecycle: spec.lifecycle ?? 'production',
    state: spec.state,
    stateReasons: spec.reasons ?? [],
    signals,
    sparkline,
    aggregation: 'measured',
    objectives,
    budget: null,
    previous: {
      from: new Date(
        time.now - 2 * WINDOW_SECONDS[time.window] * 1000,
      ).toISOString(),
      to: new Date(time.now - WINDOW_SECONDS[time.window] * 1000).toISOString(),
      signals,
    },
    attribution: {
      badEvents: signals.valid - signals.good,
      top: [],
      unknownPercent: 0,
    },
    maintenance: null,
    workflow: null,
    data: makeData(time.now, spec.ageSeconds),
    applications: spec.applications,
    unknownComponents: spec.unknownComponents ?? [],
  };
}

/** Seven paths, one in each state. */
export const ROW_SPECS: RowSpec[] = [
  {
    name: 'card-authorization',
    title: 'Card authorization',
    description:
      'A card is used; the cardholder and the merchant wait for yes or no.',
    businessModel: 'issuing',
    owner: 'authorizations',
    type: 'authorization',
    state: 'healthy',
    traffic: { seed: 3, perMinute: 1240, failing: 0.0003, p95Ms: 182 },
    ageSeconds: 34,
    target: 99.9,
    budget: 0.71,
    latency: { thresholdMs: 400, budget: 0.58 },
    throughput: 40,
    applications: 4,
  },
  {
    name: 'transaction-posting',
    title: 'Transaction posting',
    description:
      'A transaction is posted to an account, booked in the ledger and confirmed to its holder.',
    businessModel: 'payments',
    owner: 'ledger',
    type: 'transaction',
    state: 'at-risk',
    reasons: [
      '14 % of the error budget left: availability 99.95 % over 28 days',
    ],
    traffic: {
      seed: 5,
      perMinute: 460,
      failing: 0.0006,
      p95Ms: 240,
      incident: [0.7, 0.76],
      incidentFailing: 0.02,
    },
    ageSeconds: 31,
    target: 99.95,
    budget: 0.14,
    latency: { thresholdMs: 500, budget: 0.44 },
    applications: 3,
  },
  {
    name: 'instant-transfer',
    title: 'Instant transfer',
    businessModel: 'payments',
    owner: 'payments',
    type: 'transaction',
    state: 'exhausted',
    reasons: [
      'error budget spent: availability 99.9 % over 28 days, measured 99.78 %',
      '9 % of the error budget left: latency 99 % within 800 ms over 28 days',
    ],
    traffic: {
      seed: 8,
      perMinute: 92,
      failing: 0.0014,
      p95Ms: 610,
      incident: [0.42, 0.53],
      incidentFailing: 0.11,
    },
    ageSeconds: 29,
    target: 99.9,
    budget: -1.2,
    latency: { thresholdMs: 800, budget: 0.09 },
    applications: 4,
  },
  {
    name: 'merchant-payment',
    title: 'Merchant payment',
    businessModel: 'acquiring',
    owner: 'merchants',
    type: 'authorization',
    state: 'no-objective',
    reasons: ['no objective is set'],
    traffic: { seed: 13, perMinute: 310, failing: 0.0008, p95Ms: 320 },
    ageSeconds: 33,
    applications: 3,
  },
  {
    name: 'merchant-settlement',
    title: 'Merchant settlement',
    businessModel: 'acquiring',
    owner: 'merchants',
    type: 'settlement',
    state: 'stale',
    reasons: [
      'settlement-service was last measured 47 min ago: New Relic did not answer in 20 s',
    ],
    traffic: {
      seed: 21,
      perMinute: 18,
      failing: 0,
      p95Ms: 1480,
      gap: [0.9, 1],
    },
    ageSeconds: 47 * 60,
    target: 99.5,
    budget: 1,
    applications: 3,
  },
  {
    name: 'wallet-top-up',
    title: 'Wallet top-up',
    businessModel: 'payments',
    owner: 'wallet',
    type: 'transaction',
    lifecycle: 'experimental',
    state: 'unknown',
    reasons: [
      'the catalog has no component:default/wallet-transactions',
      'no requests in the window',
    ],
    traffic: { seed: 1, perMinute: 0, failing: 0, p95Ms: 0, silent: true },
    ageSeconds: null,
    target: 99.9,
    budget: null,
    applications: 1,
    unknownComponents: ['component:default/wallet-transactions'],
  },
  {
    name: 'chargeback-intake',
    title: 'Chargeback intake',
    businessModel: 'acquiring',
    owner: 'merchants',
    type: 'dispute',
    state: 'no-data',
    reasons: ['no requests in the window'],
    traffic: { seed: 2, perMinute: 0, failing: 0, p95Ms: 0 },
    ageSeconds: 38,
    target: 99,
    budget: null,
    applications: 1,
  },
];

/** The board with all rows. */
export function makeBoard(
  time: FixtureTime,
  specs: RowSpec[] = ROW_SPECS,
): BoardResponse {
  return {
    window: time.window,
    from: new Date(time.now - WINDOW_SECONDS[time.window] * 1000).toISOString(),
    to: new Date(time.now).toISOString(),
    generatedAt: new Date(time.now).toISOString(),
    rows: specs.map(spec => makeRow(time, spec)),
  };
}

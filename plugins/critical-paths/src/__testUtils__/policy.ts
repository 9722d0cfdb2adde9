import type {
  Alert,
  Attribution,
  ChangeMarker,
  GateReason,
  GateResponse,
  HistoryResponse,
  ObjectiveBudget,
  ServiceLevelComparison,
} from '@rocket/plugin-critical-paths-common';
import type { CriticalPathsApi } from '../api/CriticalPathsApi';

/** A budget of 99.9 % over 28 days that burns fast. */
export function makeBudget(remaining = 0.58): ObjectiveBudget {
  const rule = (
    name: 'fast' | 'slow' | 'creeping',
    longWindow: '1h' | '6h' | '3d',
    shortWindow: '5m' | '30m' | '6h',
    threshold: number,
    status: 'firing' | 'quiet' | 'low-traffic',
  ) => ({
    name,
    severity: name === 'creeping' ? ('ticket' as const) : ('page' as const),
    budgetShare: 0.02,
    longWindow,
    shortWindow,
    threshold,
    badShareThreshold: threshold / 1000,
    minimumValid: 372,
    status,
  });
  const burn = (
    window: '5m' | '30m' | '1h' | '6h' | '3d',
    rate: number | null,
  ) => ({
    window,
    valid: rate === null ? 0 : 12_000,
    bad: rate === null ? 0 : Math.round(12 * rate),
    rate,
    coverage: 1,
  });
  return {
    objective: 0,
    label: 'availability 99.9 % over 28 days',
    budget: {
      allowedEvents: 3200,
      badEvents: 3200 * (1 - remaining),
      remainingEvents: 3200 * remaining,
      allowedMinutes: 40.32,
      spentMinutes: 40.32 * (1 - remaining),
      remainingMinutes: 40.32 * remaining,
      remaining,
    },
    burn: [
      burn('5m', null),
      burn('30m', 2.4),
      burn('1h', 15.2),
      burn('6h', 3.1),
      burn('3d', 0.4),
    ],
    rules: [
      rule('fast', '1h', '5m', 13.44, 'firing'),
      rule('slow', '6h', '30m', 5.6, 'quiet'),
      rule('creeping', '3d', '6h', 0.93, 'low-traffic'),
    ],
    alert: 'page',
  };
}

/** Two applications and a rest that nobody explains. */
export function makeAttribution(now: number): Attribution {
  return {
    from: new Date(now - 86_400_000).toISOString(),
    to: new Date(now).toISOString(),
    badEvents: 400,
    rows: [
      {
        entityRef: 'component:default/authorization-service',
        title: 'authorization-service',
        steps: ['authorize'],
        ownEvents: 300,
        sharePercent: 75,
        budgetPercent: 9.4,
        badEvents: 310,
        upstreamEvents: 10,
      },
      {
        entityRef: 'component:default/card-gateway',
        title: 'card-gateway',
        steps: ['receive'],
        ownEvents: 80,
        sharePercent: 20,
        budgetPercent: 2.5,
        badEvents: 400,
        upstreamEvents: 320,
      },
    ],
    unknownEvents: 20,
    unknownPercent: 5,
    resolutionMinutes: 1,
  };
}

/** A deployment that burned budget, the incident after it, and one that still goes on. */
export function makeChanges(now: number): ChangeMarker[] {
  const at = (minutes: number) =>
    new Date(now - minutes * 60_000).toISOString();
  return [
    {
      id: 'd1',
      kind: 'deployment',
      entityRef: 'component:default/authorization-service',
      title: 'authorization-service 1.4.2',
      at: at(300),
      detail: '1.4.2',
      source: 'newrelic',
      burn: {
        minutes: 60,
        complete: true,
        valid: 9000,
        badEvents: 300,
        excessEvents: 290,
        budgetPercent: 9.1,
      },
    },
    {
      id: 'i1',
      kind: 'incident',
      entityRef: 'component:default/authorization-service',
      title: 'Error rate above 2 %',
      at: at(290),
      until: at(250),
      detail: 'critical',
      url: 'https://one.newrelic.com/incident/1',
      source: 'newrelic',
    },
    {
      id: 'i2',
      kind: 'incident',
      entityRef: 'component:default/card-gateway',
      title: 'Latency above 300 ms',
      at: at(20),
      source: 'newrelic',
    },
  ];
}

const CARDS = 'criticalpath:default/card-authorization';
const CARD_RULE =
  'availability 99.9 % over 28 days: burning at 15× over 1h and 30× over 5m (limit 13.44×).';

/** A page that is open, the ticket of another path that nobody could be told of, and one that recovered. */
export function makeAlerts(now = Date.now()): Alert[] {
  const before = (minutes: number) =>
    new Date(now - minutes * 60_000).toISOString();
  return [
    {
      id: 'a1',
      pathRef: CARDS,
      pathTitle: 'Card authorization',
      owner: 'group:default/authorizations',
      severity: 'page',
      messages: [CARD_RULE],
      openedAt: before(30),
      lastFiringAt: before(1),
      notifiedAt: before(30),
      closedAt: null,
      closeReason: null,
    },
    {
      id: 'a2',
      pathRef: 'criticalpath:default/transaction-posting',
      pathTitle: 'Transaction posting',
      owner: 'group:default/ledger',
      severity: 'ticket',
      messages: [
        'availability 99.95 % over 30 days: burning at 1.2× over 3d and 1.4× over 6h (limit 1×).',
      ],
      openedAt: before(120),
      lastFiringAt: before(1),
      notifiedAt: null,
      closedAt: null,
      closeReason: null,
    },
    {
      id: 'a3',
      pathRef: CARDS,
      pathTitle: 'Card authorization',
      owner: 'group:default/authorizations',
      severity: 'page',
      messages: [CARD_RULE],
      openedAt: before(300),
      lastFiringAt: before(267),
      notifiedAt: before(262),
      closedAt: before(262),
      closeReason: 'recovered',
    },
    {
      id: 'a4',
      pathRef: CARDS,
      pathTitle: 'Card authorization',
      owner: 'group:default/authorizations',
      severity: 'ticket',
      messages: ['latency: burning.'],
      openedAt: before(12960),
      lastFiringAt: before(12927),
      notifiedAt: before(12960),
      closedAt: before(12840),
      closeReason: 'withdrawn',
    },
  ];
}

/** Stops deployments of one component, warns of the path itself, and lets everything else pass. */
export function makeGate(entityRef: string): GateResponse {
  const reasons: GateReason[] = [];
  if (entityRef === 'component:default/ledger-service') {
    reasons.push(
      {
        effect: 'block',
        rule: 'budget',
        message: 'Instant transfer: the error budget is spent: availability.',
        pathRef: 'criticalpath:default/instant-transfer',
      },
      {
        effect: 'warn',
        rule: 'telemetry',
        message: 'Wallet top-up: nobody can see how it is.',
        pathRef: 'criticalpath:default/wallet-top-up',
      },
    );
  } else if (entityRef === CARDS) {
    reasons.push({
      effect: 'block',
      rule: 'burn-rate',
      message: `Card authorization: ${CARD_RULE}`,
      pathRef: CARDS,
    });
  } else {
    reasons.push({
      effect: 'allow',
      rule: 'budget',
      message: 'Its error budget is in order.',
    });
  }
  return {
    entityRef,
    decision: reasons[0].effect,
    reasons,
    generatedAt: '2026-11-21T12:00:00Z',
  };
}

/** One that agrees with our figures, one that differs, and one that cannot be compared. */
export function makeServiceLevels(): ServiceLevelComparison[] {
  const counts = (valid: number, good: number) => ({
    valid,
    good,
    percent: (100 * good) / valid,
  });
  const level: ServiceLevelComparison = {
    id: 'sl1',
    entityRef: 'component:default/authorization-service',
    source: 'newrelic',
    name: 'Authorizations succeed',
    sli: 'availability',
    target: 99.9,
    windowDays: 7,
    from: '2026-11-14T11:00:00.000Z',
    to: '2026-11-21T11:00:00.000Z',
    theirs: counts(100_000, 99_950),
    ours: counts(100_000, 99_948),
    deltaPoints: -0.002,
    agrees: true,
    comparison: 'Availability over all critical paths of the application',
    query: 'SELECT sum(good) FROM ServiceLevel',
    url: 'https://one.newrelic.com/redirect/entity/sl1',
    readAt: '2026-11-21T11:45:00.000Z',
  };
  return [
    level,
    {
      ...level,
      id: 'sl2',
      name: 'Scores are fast',
      entityRef: 'component:default/fraud-scoring',
      sli: 'latency',
      thresholdMs: 250,
      ours: counts(100_000, 99_200),
      deltaPoints: -0.75,
      agrees: false,
      comparison: 'Requests within 250 ms over all critical paths',
    },
    {
      ...level,
      id: 'sl3',
      name: 'No retries',
      sli: 'other',
      ours: null,
      deltaPoints: null,
      agrees: null,
      comparison:
        'Its definition of a good event is none that Rocket counts by',
    },
  ];
}

/** The calls beside the boards, over made-up answers. */
export function policyApi(
  answer: <T>(value: T) => Promise<T>,
): Pick<
  CriticalPathsApi,
  | 'getHistory'
  | 'getServiceLevelsOfPath'
  | 'getGate'
  | 'getAlerts'
  | 'declareMaintenance'
  | 'withdrawMaintenance'
  | 'resetBudget'
> {
  return {
    getHistory: ({ namespace, name }) =>
      answer<HistoryResponse>({
        entityRef: `criticalpath:${namespace}/${name}`,
        generatedAt: '2026-11-21T12:00:00Z',
        months: [
          {
            month: '2026-10',
            from: '2026-10-01T00:00:00Z',
            to: '2026-11-01T00:00:00Z',
            observed: 0.998,
            signals: {
              valid: 4_100_000,
              good: 4_098_000,
              availability: 0.99951,
              errorRate: 0.00049,
              throughputPerMinute: 91.8,
              latency: {
                p50Ms: 40,
                p95Ms: 120,
                p99Ms: 240,
                relativeError: 0.086,
              },
            },
            objectives: [
              {
                objective: 0,
                actual: 99.951,
                met: true,
                budgetRemaining: 0.51,
              },
            ],
          },
        ],
      }),
    getServiceLevelsOfPath: () =>
      answer({
        generatedAt: '2026-11-21T12:00:00Z',
        rows: makeServiceLevels(),
      }),
    getGate: entityRef => answer(makeGate(entityRef)),
    getAlerts: ({ pathRef } = {}) =>
      answer({
        alerts: makeAlerts().filter(
          alert => pathRef === undefined || alert.pathRef === pathRef,
        ),
      }),
    declareMaintenance: request =>
      answer({
        ...request,
        id: 'm1',
        createdBy: 'user:default/guest',
        createdAt: request.from,
      }),
    withdrawMaintenance: id =>
      answer({
        id,
        pathRef: 'criticalpath:default/x',
        from: '2026-11-21T12:00:00Z',
        to: '2026-11-21T13:00:00Z',
        reason: 'x',
        createdBy: 'user:default/guest',
        createdAt: '2026-11-21T12:00:00Z',
      }),
    resetBudget: ({ namespace, name }, reason) =>
      answer({
        id: 'r1',
        pathRef: `criticalpath:${namespace}/${name}`,
        at: '2026-11-21T12:00:00Z',
        reason,
        createdBy: 'user:default/guest',
      }),
  };
}

import type {
  Attribution,
  ChangeMarker,
  HistoryResponse,
  ObjectiveBudget,
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

/** The calls beside the boards, over made-up answers. */
export function policyApi(
  answer: <T>(value: T) => Promise<T>,
): Pick<
  CriticalPathsApi,
  | 'getHistory'
  | 'getServiceLevels'
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
    getServiceLevels: () =>
      answer({ levels: [], generatedAt: '2026-11-21T12:00:00Z' } as never),
    getAlerts: () => answer({ alerts: [] }),
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

import type {
  ComponentPathsResponse,
  IncidentSummary,
  PathApplication,
  PathDetail,
} from '@rocket/plugin-critical-paths-common';
import { makeAttribution, makeBudget, makeChanges } from './policy';
import {
  makeBoard,
  makeData,
  makeSeries,
  sumUp,
  ROW_SPECS,
  type FixtureTime,
  type RowSpec,
} from './rows';

export * from './boards';
export * from './policy';
export * from './rows';

interface ApplicationSpec {
  name: string;
  owner: string;
  step: string;
  stepTitle: string;
  factor: number;
  known?: boolean;
  joined?: boolean;
  incidents?: IncidentSummary;
}

const APPLICATIONS: Record<string, ApplicationSpec[]> = {
  'card-authorization': [
    {
      name: 'card-gateway',
      owner: 'cards',
      step: 'receive',
      stepTitle: 'Receive from the network',
      factor: 1,
      incidents: { open: 1, closed: 0, timeToRecoverMinutes: null },
    },
    {
      name: 'authorization-service',
      owner: 'authorizations',
      step: 'authorize',
      stepTitle: 'Decide',
      factor: 0.72,
      incidents: { open: 0, closed: 3, timeToRecoverMinutes: 38.4 },
    },
    {
      name: 'fraud-scoring',
      owner: 'risk',
      step: 'score',
      stepTitle: 'Score for fraud',
      factor: 0.44,
    },
    {
      name: 'ledger-service',
      owner: 'ledger',
      step: 'hold',
      stepTitle: 'Hold the money',
      factor: 0.26,
    },
  ],
  'transaction-posting': [
    {
      name: 'transaction-service',
      owner: 'ledger',
      step: 'post',
      stepTitle: 'Post the transaction',
      factor: 0.8,
    },
    {
      name: 'payout-service',
      owner: 'ledger',
      step: 'post',
      stepTitle: 'Post the transaction',
      factor: 0.2,
      joined: true,
    },
    {
      name: 'ledger-service',
      owner: 'ledger',
      step: 'book',
      stepTitle: 'Book in the ledger',
      factor: 0.34,
    },
    {
      name: 'notification-service',
      owner: 'platform',
      step: 'notify',
      stepTitle: 'Tell the holder',
      factor: 0.22,
    },
  ],
  'wallet-top-up': [
    {
      name: 'wallet-transactions',
      owner: 'wallet',
      step: 'post',
      stepTitle: 'Post the top-up',
      factor: 1,
      known: false,
    },
  ],
};

function makeApplication(
  time: FixtureTime,
  row: RowSpec,
  spec: ApplicationSpec,
): PathApplication {
  const known = spec.known ?? true;
  const { traffic } = row;
  const series = makeSeries(
    time,
    {
      ...traffic,
      seed: traffic.seed + spec.name.length,
      perMinute: traffic.perMinute * (0.6 + spec.factor / 2),
      p95Ms: traffic.p95Ms * spec.factor,
      failing: traffic.failing * spec.factor,
      silent: traffic.silent || !known,
    },
    120,
  );
  return {
    entityRef: `component:default/${spec.name}`,
    title: spec.name,
    known,
    joined: spec.joined ?? false,
    owner: known ? `group:default/${spec.owner}` : undefined,
    steps: [spec.step],
    state: known ? row.state : 'unknown',
    stateReasons: known
      ? row.reasons ?? []
      : [`the catalog has no component:default/${spec.name}`],
    signals: sumUp(series),
    series,
    previous: sumUp(series),
    incidents: spec.incidents ?? null,
    data: makeData(time.now, known ? row.ageSeconds : null),
    sourceUrl: known
      ? `https://one.newrelic.com/nr1-core/apm/overview/${spec.name}`
      : undefined,
  };
}

const QUERY =
  "SELECT count(*) AS 'valid', filter(count(*), WHERE numeric(http.statusCode) < 500 OR (http.statusCode IS NULL AND error IS NOT TRUE)) AS 'good' FROM Transaction WHERE criticalPath IN ('card-authorization') AND appName IN ('card-gateway') FACET criticalPath, appName TIMESERIES 1 minute SINCE 1795240800000 UNTIL 1795241100000 LIMIT MAX EXTRAPOLATE";

/** The page of one path; undefined when there is no such path. */
export function makePath(
  time: FixtureTime,
  name: string,
): PathDetail | undefined {
  const spec = ROW_SPECS.find(row => row.name === name);
  if (!spec) {
    return undefined;
  }
  const applications = APPLICATIONS[name] ?? [
    {
      name: `${name}-service`,
      owner: spec.owner,
      step: 'serve',
      stepTitle: 'Serve',
      factor: 1,
    },
  ];
  const series = makeSeries(time, spec.traffic, 120);
  const steps = Array.from(new Set(applications.map(app => app.step)));
  const { rows, ...board } = makeBoard(time, [spec]);
  return {
    ...rows[0],
    ...board,
    series,
    budgets: spec.target ? [makeBudget(spec.budget ?? 0)] : [],
    attribution: makeAttribution(time.now),
    changes: makeChanges(time.now),
    maintenanceWindows: [],
    steps: steps.map((step, index) => {
      const serving = applications.filter(app => app.step === step);
      return {
        name: step,
        title: serving[0].stepTitle,
        operation: index === 0 ? 'POST /v1/transactions' : undefined,
        applications: serving.map(app => `component:default/${app.name}`),
        entry: index === 0,
      };
    }),
    applicationDetails: applications.map(app =>
      makeApplication(time, spec, app),
    ),
    explanations: [
      {
        figure: 'availability',
        formula:
          'good ÷ valid, added over every application of the entry step. Good: the HTTP status is below 500, or there is none and the transaction did not fail.',
        queries: [{ source: 'newrelic', account: 'demo', query: QUERY }],
      },
      {
        figure: 'throughput',
        formula: 'valid ÷ observed minutes of the window.',
        queries: [{ source: 'newrelic', account: 'demo', query: QUERY }],
      },
      {
        figure: 'errorRate',
        formula: '1 − availability.',
        queries: [],
      },
      {
        figure: 'latency',
        formula:
          'The percentile of the merged latency histogram of the entry step.',
        queries: [],
      },
    ],
  };
}

/** The paths of a component. */
export function makeComponentPaths(
  time: FixtureTime,
  component: string,
): ComponentPathsResponse {
  const { rows, ...board } = makeBoard(time);
  return {
    ...board,
    rows: rows.flatMap(path => {
      const application = makePath(time, path.name)?.applicationDetails.find(
        app => app.title === component,
      );
      return application ? [{ path, application }] : [];
    }),
  };
}

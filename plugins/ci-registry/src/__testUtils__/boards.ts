import {
  isoWeek,
  type DoraMetrics,
  type DoraResponse,
  type DoraRow,
  type Freshness,
  type FreshnessPage,
  type FreshnessState,
} from '@rocket/plugin-ci-registry-common';
import { COMPONENT, REPOSITORY, sha, type Moment } from './fixtures';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export function makeMetrics(part: {
  perDay?: number | null;
  lead?: number | null;
  p95?: number | null;
  failures?: number | null;
  recover?: number | null;
  samples?: number;
}): DoraMetrics {
  const samples = part.samples ?? 24;
  const figure = (value: number | null | undefined, of = samples) => ({
    value: value ?? null,
    samples: of,
    minimumSamples: 5,
    ...(of < 5
      ? { note: `${of} in the window; a figure takes at least 5` }
      : {}),
  });
  return {
    deploymentFrequency: figure(part.perDay),
    leadTime: { ...figure(part.lead), p95: part.p95 ?? null },
    changeFailureRate: figure(part.failures),
    timeToRecover: figure(part.recover, part.recover === undefined ? 1 : 6),
  };
}

function weeks({ now }: Moment, medians: (number | null)[]) {
  return medians.map((median, index) => ({
    week: isoWeek(now - (medians.length - 1 - index) * 7 * DAY),
    median,
    samples: median === null ? 0 : 6,
  }));
}

function makeRows(at: Moment, by: DoraResponse['by']): DoraRow[] {
  const [quick, slow, few] = {
    component: [
      COMPONENT,
      'component:default/card-gateway',
      'component:default/fx-rates',
    ],
    team: [
      'group:default/ledger',
      'group:default/cards',
      'group:default/treasury',
    ],
    path: [
      'criticalpath:default/transaction-posting',
      'criticalpath:default/card-authorization',
      'criticalpath:default/fx-conversion',
    ],
  }[by];
  const title = (ref: string) => ref.split('/')[1];
  return [
    {
      entityRef: quick,
      title: title(quick),
      metrics: makeMetrics({
        perDay: 1.7,
        lead: 2_280,
        p95: 4_500,
        failures: 0.083,
        recover: 1_320,
      }),
      previous: makeMetrics({
        perDay: 1.2,
        lead: 3_120,
        p95: 6_000,
        failures: 0.05,
        recover: 2_400,
      }),
      leadTimeByWeek: weeks(at, [3_400, 2_900, null, 2_500, 2_280]),
    },
    {
      entityRef: slow,
      title: title(slow),
      metrics: makeMetrics({
        perDay: 0.2,
        lead: 9_300,
        p95: 90_000,
        failures: 0.25,
        samples: 6,
      }),
      previous: makeMetrics({ samples: 2 }),
      leadTimeByWeek: weeks(at, [8_000, 12_000, 9_000, null, 9_300]),
    },
    {
      entityRef: few,
      title: title(few),
      metrics: makeMetrics({ samples: 2 }),
      previous: makeMetrics({ samples: 0 }),
      leadTimeByWeek: [],
    },
  ];
}

export function makeDora(
  at: Moment,
  request: {
    by: DoraResponse['by'];
    environment?: string;
    days?: number;
    ref?: string;
  },
): DoraResponse {
  const { by, environment = 'production', days = 28, ref } = request;
  return {
    by,
    environment,
    from: new Date(at.now - days * DAY).toISOString(),
    to: new Date(at.now).toISOString(),
    leadTimeGoal: 2_700,
    environments: ['production', 'staging', 'sandbox'],
    definitions: {
      deploymentFrequency: 'Deployments that ended well, per day.',
      leadTime:
        'From each commit to the end of its first successful deployment; the median.',
      changeFailureRate:
        'Deployments that failed or had to be made good, of all that ended.',
      timeToRecover:
        'From the end of a failed deployment to the one that made it good; the median.',
    },
    rows: makeRows(at, by).filter(
      row => ref === undefined || row.entityRef === ref,
    ),
  };
}

export function makeFreshness(at: Moment): Freshness[] {
  const time = (hours: number) => new Date(at.now - hours * HOUR).toISOString();
  const common = {
    owner: 'group:default/ledger',
    repository: REPOSITORY,
    lastPushedAt: time(2),
    lastChangedAt: time(50),
    lastChangedCommit: sha('bada55e0'),
    lastChangedPipeline:
      'https://github.com/meridian-pay/ledger-service/actions/runs/9087',
  };
  return [
    {
      ...common,
      entityRef: 'component:default/old-ledger',
      state: 'gone',
      reason:
        'Its repository no longer holds it. Push it again to keep it in the catalog.',
      removedAt: time(-20),
    },
    {
      entityRef: 'component:default/shadow-worker',
      state: 'running-unregistered',
      reason:
        'Telemetry of it arrives, but nobody pushed it. Let its pipeline call rocket-ci register.',
      lastSeenRunningAt: time(0.05),
      runningSource: 'New Relic',
    },
    {
      ...common,
      entityRef: 'component:default/statements',
      state: 'stale',
      reason: 'Not pushed for 41 days; 30 are allowed. Run its pipeline.',
      lastPushedAt: time(41 * 24),
      lastChangedPipeline: 'nightly 12',
    },
    {
      ...common,
      entityRef: COMPONENT,
      state: 'fresh',
      reason: 'Pushed 2 hours ago.',
      lastSeenRunningAt: time(0.02),
      runningSource: 'local runtime',
    },
  ];
}

export function makeFreshnessPage(
  at: Moment,
  filter: { state?: FreshnessState[]; entityRef?: string } = {},
): FreshnessPage {
  const { state = [], entityRef } = filter;
  const all = makeFreshness(at);
  const count = (wanted: FreshnessState) =>
    all.filter(item => item.state === wanted).length;
  return {
    items: all.filter(
      item =>
        (state.length === 0 || state.includes(item.state)) &&
        (entityRef === undefined || item.entityRef === entityRef),
    ),
    counts: {
      fresh: count('fresh'),
      stale: count('stale'),
      gone: count('gone'),
      'running-unregistered': count('running-unregistered'),
      'registered-not-running': count('registered-not-running'),
      unmanaged: count('unmanaged'),
    },
  };
}

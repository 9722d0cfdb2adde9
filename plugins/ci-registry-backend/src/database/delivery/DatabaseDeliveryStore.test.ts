import { resolvePackagePath } from '@backstage/backend-plugin-api';
import {
  TestDatabases,
  type TestDatabaseId,
} from '@backstage/backend-test-utils';
import type {
  BuildReport,
  DeploymentReport,
  PushSource,
} from '@rocket/plugin-ci-registry-common';
import { DatabaseDeliveryStore } from './DatabaseDeliveryStore';
import { DatabaseDeliveryWriter } from './DatabaseDeliveryWriter';

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const LEDGER = 'component:default/ledger';
const T0 = Date.parse('2026-11-20T08:00:00Z');
const at = (minutes: number) => new Date(T0 + minutes * 60_000).toISOString();
const sha = (digit: string) => digit.repeat(40);

async function create(id: TestDatabaseId) {
  const knex = await databases.init(id);
  await knex.migrate.latest({
    directory: resolvePackagePath(
      '@rocket/plugin-ci-registry-backend',
      'migrations',
    ),
  });
  const stored = jest.fn();
  const writer = new DatabaseDeliveryWriter({
    liveEnvironments: ['production'],
    stored,
  });
  const push = (
    reports: { builds?: BuildReport[]; deployments?: DeploymentReport[] },
    source: Partial<PushSource> = {},
  ) =>
    knex.transaction(tx =>
      writer.write(
        {
          tx,
          source: {
            repository: 'acme/ledger',
            commit: sha('a'),
            pipeline: 'run/1',
            time: at(0),
            ...source,
          },
          identity: { type: 'service', subject: 'plugin:test' },
          now: T0 + 60_000,
        },
        { builds: [], deployments: [], ...reports },
      ),
    );
  const clock = { now: T0 + 60_000 };
  const store = new DatabaseDeliveryStore(knex, {
    buildTimeoutMs: 6 * 3_600_000,
    now: () => clock.now,
  });
  return { knex, writer, push, stored, store, clock };
}

const started: DeploymentReport = {
  id: 'd1',
  component: LEDGER,
  environment: 'production',
  startedAt: at(0),
  outcome: 'in-progress',
};
const finished = (
  id: string,
  minute: number,
  extra: Partial<DeploymentReport> = {},
): DeploymentReport => ({
  ...started,
  id,
  startedAt: at(minute),
  finishedAt: at(minute + 1),
  outcome: 'succeeded',
  ...extra,
});

describe.each(databases.eachSupportedId())('delivery on %s', id => {
  it('merges the reports of one build and knows a repeated one', async () => {
    const { push, store } = await create(id);
    const first = await push({
      builds: [{ component: LEDGER, startedAt: at(0) }],
    });
    const coverage = { lines: { covered: 90, total: 100 } };
    const report = {
      component: LEDGER,
      coverage,
      outcome: 'succeeded' as const,
    };
    const second = await push({ builds: [report] }, { time: at(2) });
    expect([first.builds[0].outcome, second.builds[0].outcome]).toEqual([
      'created',
      'updated',
    ]);
    expect(second.builds[0].id).toBe(first.builds[0].id);
    const again = await push({ builds: [report] }, { time: at(2) });
    expect(again.builds[0].outcome).toBe('unchanged');
    expect(await store.getBuild(first.builds[0].id)).toMatchObject({
      component: LEDGER,
      repository: 'acme/ledger',
      commit: sha('a'),
      pipeline: 'run/1',
      startedAt: at(0),
      outcome: 'succeeded',
      coverage,
    });
    const other = await push(
      { builds: [{ component: LEDGER }] },
      { pipeline: 'run/2' },
    );
    expect(other.builds[0].outcome).toBe('created');
  });

  it('does not let a build run for ever whose pipeline broke off after its tests', async () => {
    const { push, store, clock } = await create(id);
    const tests = [{ name: 'unit', passed: 3, failed: 0, skipped: 0 }];
    const {
      builds: [broken],
    } = await push({ builds: [{ component: LEDGER, tests } as BuildReport] });
    const {
      builds: [done],
    } = await push(
      { builds: [{ component: LEDGER, outcome: 'failed' }] },
      { commit: sha('b') },
    );
    const outcomes = async () => {
      const { items } = await store.listBuilds({ limit: 10 });
      return new Map(items.map(build => [build.id, build.outcome]));
    };
    clock.now = T0 + 60_000 + 6 * 3_600_000;
    expect((await outcomes()).get(broken.id)).toBe('running');
    clock.now += 1;
    expect(await outcomes()).toEqual(
      new Map([
        [broken.id, 'unfinished'],
        [done.id, 'failed'],
      ]),
    );
    const key = { component: LEDGER, commit: sha('a') };
    expect([...(await store.buildsOf([key])).values()]).toMatchObject([
      { outcome: 'unfinished' },
    ]);
    // What comes late is still believed.
    await push({ builds: [{ component: LEDGER, outcome: 'succeeded' }] });
    expect((await outcomes()).get(broken.id)).toBe('succeeded');
  });

  it('keeps a finish that arrives before its start', async () => {
    const { push, store } = await create(id);
    const finish = finished('d1', 0, { version: '1.4.2' });
    await push({ deployments: [finish] }, { time: at(1) });
    const late = await push({ deployments: [started] }, { time: at(5) });
    expect(late.deployments[0].outcome).toBe('superseded');
    const { items } = await store.listDeployments({ limit: 10 });
    expect(items).toMatchObject([
      {
        id: 'd1',
        outcome: 'succeeded',
        finishedAt: at(1),
        version: '1.4.2',
        commit: sha('a'),
        reportedBy: 'plugin:test',
      },
    ]);
  });

  it('refuses reports of another repository and names the first', async () => {
    const { knex, push } = await create(id);
    await push({ deployments: [started] });
    await expect(
      push({ builds: [{ component: LEDGER }] }, { repository: 'evil/fork' }),
    ).rejects.toThrow(
      /component:default\/ledger belongs to acme\/ledger, but this push is from evil\/fork/,
    );
    expect(await knex('builds')).toEqual([]);
  });

  it('refuses an id that is used for another environment', async () => {
    const { push } = await create(id);
    await push({ deployments: [started] });
    await expect(
      push({ deployments: [{ ...started, environment: 'staging' }] }),
    ).rejects.toThrow(
      'deployments.0.environment: deployment d1 of component:default/ledger is one to production, not to staging',
    );
  });

  it('refuses an end before the start that was reported earlier', async () => {
    const { push } = await create(id);
    await push({ builds: [{ component: LEDGER, startedAt: at(5) }] });
    await expect(
      push({ builds: [{ component: LEDGER, finishedAt: at(3) }] }),
    ).rejects.toThrow(/^builds\.0\.finishedAt: .* is before the start/);
  });

  it('hands out pages, the newest first', async () => {
    const { push, store } = await create(id);
    for (const minute of [3, 1, 2]) {
      await push({ deployments: [finished(`d${minute}`, minute)] });
    }
    const first = await store.listDeployments({ component: LEDGER, limit: 2 });
    expect(first.items.map(item => item.id)).toEqual(['d3', 'd2']);
    const rest = await store.listDeployments({
      component: LEDGER,
      limit: 2,
      after: first.next,
    });
    expect(rest.items.map(item => item.id)).toEqual(['d1']);
    expect(rest.next).toBeUndefined();
    const staging = await store.listDeployments({
      environment: 'staging',
      limit: 2,
    });
    expect(staging.items).toEqual([]);
  });

  it('queues what the critical paths should hear, until they have heard the newest', async () => {
    const { push, store } = await create(id);
    await push({
      deployments: [started, { ...started, id: 's1', environment: 'staging' }],
    });
    const claim = (now: number) =>
      store.claimPending({ limit: 10, now, leaseMs: 1_000 });
    const now = T0 + 60_000;
    const [pending, ...others] = await claim(now);
    expect(others).toEqual([]);
    expect(pending).toMatchObject({
      deployment: { id: 'd1', outcome: 'in-progress' },
      attempts: 0,
    });
    // Handed out once; back when the one who took it does not answer for it.
    expect(await claim(now + 999)).toEqual([]);
    expect(await claim(now + 1_000)).toHaveLength(1);
    // The finish comes while the start is being told: it stays in the queue.
    await push({ deployments: [finished('d1', 0)] }, { time: at(1) });
    await store.settlePending(pending);
    const [again] = await claim(now + 5_000);
    expect(again.deployment.outcome).toBe('succeeded');
    await store.postponePending(again, {
      nextAttemptAt: now + 90_000,
      error: 'away',
    });
    expect(await claim(now + 89_999)).toEqual([]);
    const [last] = await claim(now + 90_000);
    expect(last.attempts).toBe(1);
    await store.settlePending(last);
    expect(await claim(now + 900_000)).toEqual([]);
    // The same report again is nothing to tell.
    await push({ deployments: [finished('d1', 0)] }, { time: at(1) });
    expect(await claim(now + 900_000)).toEqual([]);
  });

  it('knows which commits a build contains, down to one that it knows already', async () => {
    const { push, store } = await create(id);
    const commit = (digit: string, minute: number) => ({
      sha: sha(digit),
      time: at(minute),
      subject: `change ${digit}`,
    });
    await push(
      { builds: [{ component: LEDGER, commits: [commit('a', -9)] }] },
      { ancestors: [sha('0')] },
    );
    await push(
      { builds: [{ component: LEDGER, commits: [commit('b', -5)] }] },
      {
        commit: sha('b'),
        ancestors: [sha('c'), sha('a'), sha('0')],
        time: at(1),
      },
    );
    const { contents, commits } = await store.commitsOf(LEDGER);
    expect(contents.get(sha('a'))).toEqual([sha('0')]);
    expect(contents.get(sha('b'))).toEqual([sha('c'), sha('a')]);
    expect(commits.get(sha('b'))).toEqual({
      sha: sha('b'),
      time: at(-5),
      subject: 'change b',
      author: undefined,
    });
  });

  it('forgets what is old, and never what runs', async () => {
    const { knex, push, store } = await create(id);
    await push({ deployments: [finished('old', 0)] });
    await push(
      {
        builds: [{ component: LEDGER, startedAt: at(1) }],
        deployments: [
          finished('runs', 2),
          finished('failed', 3, { outcome: 'failed' }),
        ],
      },
      { time: at(4) },
    );
    await push(
      { builds: [{ component: LEDGER, startedAt: at(1) }] },
      { commit: sha('f') },
    );
    await store.prune(T0 + 3_600_000);
    const { items } = await store.listDeployments({ limit: 10 });
    expect(items.map(item => item.id)).toEqual(['runs']);
    expect(await knex('builds').pluck('commit')).toEqual([sha('a')]);
  });
});

it('checks times, kinds and repetitions, and names the field', async () => {
  const writer = new DatabaseDeliveryWriter({ liveEnvironments: [] });
  const problems = await writer.check(
    {
      builds: [
        { component: LEDGER, startedAt: at(60) },
        { component: LEDGER, commits: [{ sha: sha('a'), time: at(60) }] },
        { component: 'api:default/ledger' },
      ],
      deployments: [started, { ...started, remediates: ['d1'] }],
    },
    {
      source: { repository: 'acme/ledger', commit: sha('a'), time: at(0) },
      identity: { type: 'service', subject: 'plugin:test' },
      now: T0,
    },
  );
  expect(problems.map(({ field, severity }) => `${severity} ${field}`)).toEqual(
    [
      'error builds.0.startedAt',
      'warning builds.1.commits.0.time',
      'error builds.1.component',
      'error builds.2.component',
      'error deployments.1.id',
      'error deployments.1.remediates',
    ],
  );
});

import { TestDatabases, mockServices } from '@backstage/backend-test-utils';
import type { Knex } from 'knex';
import { DatabaseSignalStore } from '../store/DatabaseSignalStore';
import { DatabaseWorkflowStore } from './DatabaseWorkflowStore';
import type { RunVerdict } from './WorkflowStore';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });

const T = Date.parse('2026-11-01T10:00:00Z');
const KEY = { pathRef: 'criticalpath:default/posting', workflow: 'walk' };
const EVERY = 60_000;
const LEASE = 15_000;

const passed: RunVerdict = { status: 'passed', durationMs: 120.6, steps: [] };
const failed: RunVerdict = {
  status: 'failed',
  durationMs: 50,
  failedStep: 'post',
  message: 'the connection was refused',
  steps: [
    {
      name: 'post',
      title: 'Post',
      status: 'failed',
      target: 'ledger',
      startedAfterMs: 0,
      durationMs: 50,
      checks: [],
      extracted: {},
      error: 'the connection was refused',
    },
  ],
};

describe.each(databases.eachSupportedId())('on %p', databaseId => {
  let knex: Knex;
  let store: DatabaseWorkflowStore;
  let other: DatabaseWorkflowStore;

  beforeEach(async () => {
    knex = await databases.init(databaseId);
    const database = mockServices.database({ knex });
    await DatabaseSignalStore.create({ database });
    store = await DatabaseWorkflowStore.create({ database });
    other = await DatabaseWorkflowStore.create({ database });
  });

  const claim = (
    id: string,
    now: number,
    over: { onlyDue?: boolean; by?: DatabaseWorkflowStore } = {},
  ) =>
    (over.by ?? store).claim(
      {
        ...KEY,
        id,
        trigger: 'schedule',
        onlyDue: over.onlyDue ?? true,
        everyMs: EVERY,
        leaseMs: LEASE,
      },
      now,
    );
  const statuses = async () =>
    (await store.listRuns(KEY, { limit: 100 })).map(r => [r.id, r.status]);

  it('lets one replica run what is due, however many try', async () => {
    const tries = await Promise.all(
      [...Array(10).keys()].map(i =>
        claim(`run-${i}`, T, { by: i % 2 ? store : other }),
      ),
    );
    expect(tries.filter(t => t === 'claimed')).toHaveLength(1);
    expect(tries.filter(t => t === 'busy')).toHaveLength(9);
    const winner = `run-${tries.indexOf('claimed')}`;
    expect(await statuses()).toEqual([[winner, 'running']]);
    const byHand = await Promise.all(
      [...Array(10).keys()].map(i =>
        claim(`hand-${i}`, T + 100, {
          by: i % 2 ? store : other,
          onlyDue: false,
        }),
      ),
    );
    expect(new Set(byHand)).toEqual(new Set(['busy']));
    await store.finish(KEY, winner, passed, T + 200);
    await expect(claim('again', T + 300)).resolves.toBe('not-due');
    await expect(claim('by hand', T + 300, { onlyDue: false })).resolves.toBe(
      'claimed',
    );
  });

  it('keeps verdict, evidence, failures in a row and counts', async () => {
    for (const [index, verdict] of [passed, failed, failed].entries()) {
      const at = T + index * EVERY;
      await claim(`run-${index}`, at);
      await store.finish(KEY, `run-${index}`, verdict, at + 1000);
    }
    const [state] = await other.states(T + 3 * EVERY);
    expect(state).toEqual({
      ...KEY,
      nextDue: T + 3 * EVERY,
      running: false,
      failures: 2,
      notified: false,
      last: {
        status: 'failed',
        started: T + 2 * EVERY,
        ended: T + 2 * EVERY + 1000,
        durationMs: 50,
        failedStep: 'post',
        message: 'the connection was refused',
      },
    });
    expect(await store.readRun(KEY, 'run-1')).toEqual({
      ...KEY,
      id: 'run-1',
      status: 'failed',
      trigger: 'schedule',
      started: T + EVERY,
      ended: T + EVERY + 1000,
      durationMs: 50,
      failedStep: 'post',
      message: 'the connection was refused',
      steps: failed.steps,
    });
    expect(
      await store.readRun({ ...KEY, workflow: 'another' }, 'run-1'),
    ).toBeUndefined();
    const page = await store.listRuns(KEY, { limit: 2 });
    expect(page.map(r => r.id)).toEqual(['run-2', 'run-1']);
    expect(
      (await store.listRuns(KEY, { limit: 2, before: page[1].started })).map(
        r => r.id,
      ),
    ).toEqual(['run-0']);
    expect(await store.countRuns(T + EVERY)).toEqual([
      { ...KEY, passed: 0, failed: 2 },
    ]);
    expect(await store.countRuns(T + EVERY, { hourly: true })).toEqual([
      { ...KEY, passed: 1, failed: 2 },
    ]);
    expect(await store.countRuns(T, { pathRef: 'criticalpath:a/b' })).toEqual(
      [],
    );

    await claim('run-3', T + 3 * EVERY);
    const after = await store.finish(KEY, 'run-3', passed, T + 3 * EVERY + 1);
    expect(after).toMatchObject({ failures: 0, last: { status: 'passed' } });
    expect(after?.last).not.toHaveProperty('failedStep', 'post');
  });

  it('marks the run of a backend that is gone as aborted, and runs again', async () => {
    await claim('lost', T);
    expect(await other.abortLost(T + LEASE - 1, LEASE)).toBe(0);
    expect(await store.renew(KEY, 'lost', T + 2 * LEASE)).toBe(true);
    expect(await other.abortLost(T + LEASE + 1, LEASE)).toBe(0);
    expect(await other.abortLost(T + 2 * LEASE, LEASE)).toBe(1);
    expect(await statuses()).toEqual([['lost', 'aborted']]);
    expect(await store.readRun(KEY, 'lost')).toMatchObject({
      ended: T + 2 * LEASE,
      message: 'the backend ended during the run',
    });
    // Should it only have slept, its verdict comes too late.
    expect(await store.renew(KEY, 'lost', T + 9 * LEASE)).toBe(false);
    expect(
      await store.finish(KEY, 'lost', failed, T + 3 * LEASE),
    ).toBeUndefined();
    expect(await statuses()).toEqual([['lost', 'aborted']]);
    expect((await store.states(T))[0]).toMatchObject({ failures: 0 });
    expect(await store.countRuns(0)).toEqual([]);

    await expect(claim('next', T + EVERY)).resolves.toBe('claimed');
  });

  it('takes a lease that ran out over, without a look in between', async () => {
    await claim('lost', T);
    await expect(claim('next', T + EVERY)).resolves.toBe('claimed');
    expect(await statuses()).toEqual([
      ['next', 'running'],
      ['lost', 'aborted'],
    ]);
  });

  it('goes on after the clock went back', async () => {
    await claim('late', T);
    const back = T - 3_600_000;
    expect(await store.abortLost(back, LEASE)).toBe(1);
    await expect(claim('now', back)).resolves.toBe('claimed');
    await store.finish(KEY, 'now', passed, back + 10);
    await expect(claim('soon', back + 20)).resolves.toBe('not-due');
  });

  it('bears replicas whose clocks differ by seconds', async () => {
    await claim('ahead', T + 2000);
    expect(await other.abortLost(T, LEASE)).toBe(0);
    await expect(claim('behind', T, { by: other })).resolves.toBe('busy');
    await store.finish(KEY, 'ahead', passed, T + 2100);
    await expect(claim('behind', T + 200, { by: other })).resolves.toBe(
      'not-due',
    );
  });

  it('notes why there was no run, until there is one', async () => {
    await store.skip({ ...KEY, everyMs: EVERY }, 'no target', T);
    expect(await store.states(T)).toEqual([
      {
        ...KEY,
        nextDue: T + EVERY,
        running: false,
        failures: 0,
        notified: false,
        skipped: 'no target',
      },
    ]);
    await claim('run', T + EVERY);
    expect((await store.states(T + EVERY))[0]).toMatchObject({ running: true });
    expect((await store.states(T + EVERY))[0].skipped).toBeUndefined();
  });

  it('keeps counts longer than runs, and drops both in time', async () => {
    await claim('old', T);
    await store.finish(KEY, 'old', failed, T + 10);
    await claim('new', T + 10 * EVERY);
    await store.finish(KEY, 'new', passed, T + 10 * EVERY + 10);
    await claim('running', T + 20 * EVERY);
    expect(
      await store.prune({ runsBefore: T + EVERY, hoursBefore: T - 1 }),
    ).toBe(1);
    expect((await statuses()).map(([id]) => id)).toEqual(['running', 'new']);
    expect(await store.countRuns(T, { hourly: true })).toEqual([
      { ...KEY, passed: 1, failed: 1 },
    ]);
    await store.prune({ runsBefore: T + 99 * EVERY, hoursBefore: T * 2 });
    expect((await statuses()).map(([id]) => id)).toEqual(['running']);
    expect(await store.countRuns(0, { hourly: true })).toEqual([]);
  });

  it('tells boards when a workflow begins or ends to fail, not at every run', async () => {
    const changes = async () =>
      Number((await knex('cp_changes').count({ n: '*' }))[0].n);
    const after = [];
    for (const [index, verdict] of [failed, failed, passed].entries()) {
      const at = T + index * EVERY;
      await claim(`run-${index}`, at);
      await store.finish(KEY, `run-${index}`, verdict, at + 1000);
      after.push(await changes());
    }
    expect(after).toEqual([1, 1, 2]);
  });
});

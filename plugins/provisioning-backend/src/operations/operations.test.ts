import { resolvePackagePath } from '@backstage/backend-plugin-api';
import {
  mockServices,
  TestDatabases,
  type TestDatabaseId,
} from '@backstage/backend-test-utils';
import type { Effect } from '@rocket/plugin-provisioning-common';
import type { Knex } from 'knex';
import { FakeLedger } from '../__testUtils__/fakeLedger';
import {
  createHarness,
  retire,
  START,
  SUBJECT,
  undo,
  user,
} from './__testUtils__/harness';
import { LEASE_MS } from './OperationEngine';
import { RetentionSweeper } from './RetentionSweeper';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });

async function open(id: TestDatabaseId): Promise<Knex> {
  const knex = await databases.init(id);
  await knex.migrate.latest({
    directory: resolvePackagePath(
      '@rocket/plugin-provisioning-backend',
      'migrations',
    ),
  });
  return knex;
}

const TYPES = [
  'git.repository',
  'postgres.database',
  'local.service',
  'newrelic.alert-policy',
  'catalog.entity',
];

function ledgerOfRun() {
  const ledger = new FakeLedger();
  for (const type of TYPES) ledger.add(type);
  return ledger;
}

const states = (ledger: FakeLedger) =>
  [...ledger.effects.values()].map(({ state }) => state);

describe.each(databases.eachSupportedId())('operations on %s', id => {
  it('undoes a run backwards, and once more changes nothing', async () => {
    const h = createHarness(await open(id), { ledger: ledgerOfRun() });
    h.ledger.add('git.repository', { run: 'task:2', reference: 'other-api' });
    const plan = await h.operations.plan(undo(), user('alice'));
    expect(plan.steps.map(({ change }) => change)).toEqual(
      TYPES.map(() => 'remove'),
    );
    expect(h.ledger.removals).toEqual([]);

    const asked = await h.ask(undo());
    expect(asked).toMatchObject({
      state: 'running',
      requestedBy: 'user:default/alice',
      owner: 'group:default/ledger',
    });
    await h.engine.idle();
    expect(h.ledger.removals).toEqual(
      [...TYPES].reverse().map(type => `undo ${type} pay-api`),
    );
    const done = await h.operations.get(asked.id);
    expect(done).toMatchObject({
      state: 'done',
      finishedAt: expect.any(String),
    });
    expect(done).not.toHaveProperty('digest');

    const again = await h.ask(undo());
    await h.engine.idle();
    expect((await h.operations.get(again.id)).state).toBe('done');
    expect(h.ledger.removals).toHaveLength(TYPES.length);
    expect(states(h.ledger).filter(s => s === 'live')).toHaveLength(1);
    expect(await h.operations.events(asked.id)).toMatchObject([
      { actor: 'user:default/alice', to: 'running' },
      { actor: 'rocket', from: 'running', to: 'done' },
    ]);
  });

  it('retires in the safe order, keeps data for its time and drops it then', async () => {
    const h = createHarness(await open(id));
    for (const type of TYPES) h.ledger.add(type);
    h.ledger.add('traffic.route', { run: 'operation:9' });
    const until = new Date(START + 3_600_000);
    const database = [...h.ledger.effects.values()].find(
      ({ type }) => type === 'postgres.database',
    )!;
    database.reference = 'pay-db';
    h.ledger.answers.set('pay-db', [
      { outcome: 'retained', until, message: 'Kept' },
    ]);
    // The plan says what retirement does with it, not what undo would.
    const { steps } = await h.operations.plan(retire(), user('alice'));
    expect(
      steps.find(({ effectId }) => effectId === database.id),
    ).toMatchObject({
      change: 'change',
      detail: 'Its data is kept for 30 days',
    });
    const { id: operation } = await h.ask(retire());
    await h.engine.idle();
    expect(h.ledger.removals).toEqual([
      'retire traffic.route pay-api',
      'retire newrelic.alert-policy pay-api',
      'retire local.service pay-api',
      'retire postgres.database pay-db',
      'retire git.repository pay-api',
      'retire catalog.entity pay-api',
    ]);
    expect((await h.operations.get(operation)).state).toBe('done');
    expect(states(h.ledger)).not.toContain('live');

    // A second plan leaves it alone.
    const plan = await h.operations.plan(retire(), user('alice'));
    expect(plan.steps).toMatchObject([{ change: 'keep' }]);
    const sweeper = new RetentionSweeper({
      ledger: h.ledger,
      logger: h.logger,
      now: () => h.clock.time,
    });
    await sweeper.sweep();
    expect(database.state).toBe('retained');
    h.clock.time = until.getTime();
    await sweeper.sweep();
    expect(database.state).toBe('undone');
  });

  it('refuses a digest of what has changed, foreign owners, unknown runs and two at once', async () => {
    const h = createHarness(await open(id), { ledger: ledgerOfRun() });
    const plan = await h.operations.plan(undo(), user('alice'));
    h.ledger.add('local.service', { reference: 'pay-worker' });
    await expect(
      h.operations.request({ ...undo(), digest: plan.digest }, user('alice')),
    ).rejects.toThrow(/has changed meanwhile/);
    await expect(h.ask(undo(), 'bob')).rejects.toThrow(
      /Only group:default\/ledger/,
    );
    await expect(h.ask(undo('task:nothing'))).rejects.toThrow(/knows nothing/);
    await expect(h.ask({ ...undo(), input: { run: 'DROP' } })).rejects.toThrow(
      /input\.run: must be task:<id>/,
    );
    await expect(
      h.ask({ ...undo(), subject: 'component:default/other' }),
    ).rejects.toThrow(
      /subject: task:1 made things for component:default\/pay-api/,
    );
    expect(await h.operations.list({})).toEqual([]);

    const settled = await Promise.allSettled([h.ask(undo()), h.ask(retire())]);
    expect(settled.map(({ status }) => status).sort()).toEqual([
      'fulfilled',
      'rejected',
    ]);
    expect(
      (settled.find(s => s.status === 'rejected') as PromiseRejectedResult)
        .reason.message,
    ).toMatch(/Another operation of component:default\/pay-api is running/);
  });

  it('tries again with growing pauses, waits when told to, and leaves the rest to a person', async () => {
    const h = createHarness(await open(id));
    h.ledger.add('git.repository', { reference: 'broken' });
    h.ledger.add('local.service', { reference: 'flaky' });
    h.ledger.add('postgres.database', { reference: 'person' });
    h.ledger.add('newrelic.alert-policy', { reference: 'slow' });
    h.ledger.answers.set('slow', [
      { outcome: 'retry', afterMs: 5_000, message: 'still there' },
    ]);
    h.ledger.answers.set('person', [
      { outcome: 'manual', instruction: 'Ask the DBA to drop it' },
    ]);
    h.ledger.answers.set('flaky', [new Error('away'), new Error('away')]);
    h.ledger.answers.set('broken', Array(20).fill(new Error('no disk left')));
    const { id: operation } = await h.ask(undo());

    await h.engine.idle();
    expect(h.ledger.removals).toEqual(['undo newrelic.alert-policy slow']);
    expect((await h.operations.get(operation)).steps[0]).toMatchObject({
      status: 'running',
      message: 'still there',
    });
    h.clock.time += 4_999;
    await h.engine.idle();
    expect(h.ledger.removals).toHaveLength(1);
    h.clock.time += 1;
    await h.engine.idle();
    // Two more for the flaky one: after one second, and after two.
    for (const pause of [1_000, 2_000]) {
      h.clock.time += pause - 1;
      await h.engine.idle();
      const before = h.ledger.removals.length;
      h.clock.time += 1;
      await h.engine.idle();
      expect(h.ledger.removals.length).toBeGreaterThan(before);
    }
    for (let i = 0; i < 20; i++) {
      h.clock.time += 60_000;
      await h.engine.idle();
    }
    const ended = await h.operations.get(operation);
    expect(ended.state).toBe('partial');
    expect(ended.steps.map(({ status }) => status)).toEqual([
      'done',
      'manual',
      'done',
      'failed',
    ]);
    expect(ended.message).toMatch(/Ask the DBA to drop it.*no disk left/);
    expect(
      h.ledger.removals.filter(r => r.endsWith('broken')).length,
    ).toBeLessThanOrEqual(8);

    // A person saw to it; what is done stays done.
    h.ledger.answers.clear();
    h.ledger.removals.length = 0;
    await h.operations.retry(operation, user('alice'));
    await h.engine.idle();
    expect((await h.operations.get(operation)).state).toBe('done');
    expect(h.ledger.removals).toEqual([
      'undo postgres.database person',
      'undo git.repository broken',
    ]);
    await expect(h.operations.retry(operation, user('alice'))).rejects.toThrow(
      /It is done/,
    );
  });

  it('goes on where a killed backend was, at every step, with one executor at a time', async () => {
    const knex = await open(id);
    for (let kill = 0; kill < TYPES.length; kill++) {
      const ledger = ledgerOfRun();
      const clock = { time: START };
      const h = createHarness(knex, { ledger, clock });
      const dead = h.createEngine();
      let reached: () => void;
      const atKill = new Promise<void>(resolve => {
        reached = resolve;
      });
      ledger.beforeRemove = async () => {
        if (ledger.removals.length !== kill) return;
        reached();
        // A killed process writes nothing any more.
        await new Promise(() => {});
      };
      const { id: operation } = await h.ask(undo());
      await dead.look();
      await atKill;
      ledger.beforeRemove = undefined;

      // Its lease still holds: nobody else touches it.
      await h.engine.idle();
      expect(ledger.removals).toHaveLength(kill);
      clock.time += LEASE_MS + 1;
      const other = h.createEngine();
      await Promise.all([h.engine.idle(), other.idle()]);
      expect((await h.operations.get(operation)).state).toBe('done');
      expect(ledger.removals).toEqual(
        [...TYPES].reverse().map(type => `undo ${type} pay-api`),
      );
      // The dead one's timer must not outlive the test.
      void dead.stop();
    }
  });

  it('lets go at once when the backend stops', async () => {
    const h = createHarness(await open(id), { ledger: ledgerOfRun() });
    let reached: () => void;
    const inStep = new Promise<void>(resolve => {
      reached = resolve;
    });
    h.ledger.beforeRemove = (_, signal) =>
      new Promise((_resolve, reject) => {
        signal!.addEventListener('abort', () => reject(signal!.reason));
        reached();
      });
    const { id: operation } = await h.ask(undo());
    await h.engine.look();
    await inStep;
    await h.engine.stop();
    expect((await h.operations.get(operation)).state).toBe('running');
    h.ledger.beforeRemove = undefined;
    await h.createEngine().idle();
    expect((await h.operations.get(operation)).state).toBe('done');
  });

  it('ends a running operation after the step that is under way, and can go on later', async () => {
    const h = createHarness(await open(id), { ledger: ledgerOfRun() });
    h.ledger.beforeRemove = async ({ type }: Effect) => {
      if (type === 'local.service') {
        await h.operations.cancel(
          (
            await h.operations.list({})
          )[0].id,
          user('dave'),
        );
        h.ledger.beforeRemove = undefined;
        throw new Error('away');
      }
    };
    const { id: operation } = await h.ask(undo());
    await h.engine.idle();
    const ended = await h.operations.get(operation);
    expect(ended.state).toBe('cancelled');
    expect(ended.message).toMatch(/Ended by user:default\/dave; 3 of 5/);
    expect(ended.steps.map(({ status }) => status)).toEqual([
      'done',
      'done',
      'skipped',
      'skipped',
      'skipped',
    ]);
    await expect(h.operations.cancel(operation, user('dave'))).rejects.toThrow(
      /cancelled already/,
    );
    await h.operations.retry(operation, user('alice'));
    await h.engine.idle();
    expect((await h.operations.get(operation)).state).toBe('done');
  });

  it('filters the list', async () => {
    const h = createHarness(await open(id), { ledger: ledgerOfRun() });
    await h.ask(undo());
    await h.engine.idle();
    const one = (filter: object) => h.operations.list(filter);
    expect(await one({ subject: SUBJECT, states: ['done'] })).toHaveLength(1);
    expect(await one({ owner: 'group:default/ledger' })).toHaveLength(1);
    expect(await one({ states: ['failed'] })).toEqual([]);
    expect(await one({ environment: 'local' })).toEqual([]);
  });
});

it('sweeps no more than ten at once, and goes past what fails', async () => {
  const ledger = new FakeLedger();
  for (let i = 0; i < 12; i++) {
    ledger.add('postgres.database', {
      reference: `db-${i}`,
      state: 'retained',
      retainedUntil: new Date(START - 1000 + i).toISOString(),
    });
  }
  ledger.answers.set('db-0', [new Error('away')]);
  const sweeper = new RetentionSweeper({
    ledger,
    logger: mockServices.logger.mock(),
    now: () => START,
  });
  await sweeper.sweep();
  expect(ledger.removals).toHaveLength(10);
  expect(states(ledger).filter(s => s === 'undone')).toHaveLength(9);
});

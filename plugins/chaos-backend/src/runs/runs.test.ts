import { resolvePackagePath } from '@backstage/backend-plugin-api';
import {
  TestDatabases,
  type TestDatabaseId,
} from '@backstage/backend-test-utils';
import { PATH, START, World } from '../__testUtils__/world';
import { DatabaseRunStore } from './DatabaseRunStore';
import {
  INJECTION_DEADLINE_MS,
  LEASE_MS,
  REMOVAL_DEADLINE_MS,
} from './RunExecutor';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });

async function open(id: TestDatabaseId) {
  const knex = await databases.init(id);
  await knex.migrate.latest({
    directory: resolvePackagePath('@rocket/plugin-chaos-backend', 'migrations'),
  });
  return new DatabaseRunStore(knex);
}

describe.each(databases.eachSupportedId())('chaos runs on %s', id => {
  let store: DatabaseRunStore;
  let world: World;

  beforeEach(async () => {
    store = await open(id);
    world = new World();
  });

  async function carryOut(change: object = {}) {
    const keeper = world.keeper(store);
    await keeper.begin(world.run('r1', change), [PATH]);
    await keeper.idle();
    return (await store.get('r1'))!;
  }

  it('injects, watches, takes away and judges; everything is kept', async () => {
    const run = await carryOut();
    expect(run).toMatchObject({
      state: 'ended',
      verdict: 'passed',
      injectedAt: new Date(START).toISOString(),
      targets: [{ name: 'ledger-1', state: 'injected' }],
      engineRecord: { phase: 'Injected' },
    });
    // It lasted what it should have, to the second.
    expect(world.history).toEqual([
      { run: 'r1', from: START, to: START + 120_000 },
    ]);
    expect(world.faults.size).toBe(0);
    expect(world.told).toEqual([
      'active',
      'removing',
      'observing',
      'ended passed',
    ]);
    const messages = (await store.events('r1')).map(({ message }) => message);
    expect(messages).toEqual([
      'Started; the engine is asked for the fault',
      'The fault is in place on 1 of the planned targets',
      'The time of the fault is over',
      'The fault is gone',
      expect.stringMatching(/^Verdict: passed/),
    ]);
    expect((await store.list({ team: 'group:default/ledger' }))[0]).toEqual(
      run,
    );
    expect(await store.list({ states: ['active'] })).toEqual([]);
  });

  it('fails what does not hold, and says how long it took to come back', async () => {
    world.damage = 40;
    world.slowness = 90_000;
    const run = await carryOut();
    expect(run.verdict).toBe('failed');
    // The fault ended at 10:02:00, the damage at 10:03:30; good from 10:04:00.
    expect(run.evaluation?.recoverySeconds).toBe(120);
  });

  it('ends what takes longer than its recovery objective as failed', async () => {
    world.damage = 40;
    world.slowness = 3_600_000;
    const run = await carryOut();
    expect(run.verdict).toBe('failed');
    expect(run.evaluation?.reasons.join()).toContain('was not back');
  });

  it('has one run per critical path, whoever presses first', async () => {
    const keepers = [world.keeper(store), world.keeper(store)];
    const begun = await Promise.allSettled(
      keepers.map((keeper, n) =>
        keeper.begin(world.run(`r${n}`), [PATH, `criticalpath:default/p${n}`]),
      ),
    );
    const refused = begun.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(1);
    expect(String((refused[0] as PromiseRejectedResult).reason)).toMatch(
      /The run r[01] is under way/,
    );
    await Promise.all(keepers.map(keeper => keeper.idle()));
    expect(world.history).toHaveLength(1);
    // The path is free again.
    await keepers[0].begin(world.run('r9'), [PATH]);
    await keepers[0].idle();
    expect((await store.get('r9'))?.verdict).toBe('passed');
  });

  it('takes the fault away at once when a person wants that', async () => {
    const asked: boolean[] = [];
    world.onTick = async time => {
      if (time !== START + 20_000) return;
      asked.push(
        await store.requestAbort('r1', {
          by: 'user:default/bob',
          at: new Date(time).toISOString(),
          reason: 'customers call',
        }),
      );
    };
    const run = await carryOut();
    expect(run).toMatchObject({
      verdict: 'aborted',
      abort: { by: 'user:default/bob', reason: 'customers call' },
    });
    expect(asked).toEqual([true]);
    expect(world.history[0].to).toBe(START + 20_000);
    expect(await store.requestAbort('r1', run.abort!)).toBe(false);
  });

  it('takes it away when a budget begins to burn fast', async () => {
    world.onTick = time => {
      if (time >= START + 30_000) world.burning = [PATH];
    };
    const run = await carryOut();
    expect(run.verdict).toBe('aborted');
    expect(run.abort?.reason).toContain('burns fast');
    // Looked at every 15 seconds.
    expect(world.history[0].to! - START).toBeLessThanOrEqual(46_000);
  });

  it('takes it away after as many breached minutes as are allowed', async () => {
    world.damage = 50;
    const run = await carryOut({
      durationSeconds: 600,
      abort: { breachedMinutes: 2 },
    });
    expect(run.verdict).toBe('aborted');
    expect(run.abort?.reason).toContain('breached for 2 minutes');
    expect(world.history[0].to! - START).toBeLessThanOrEqual(136_000);
  });

  it('takes it away when the source goes blind; that is never a pass', async () => {
    world.blindFrom = START;
    const run = await carryOut({ durationSeconds: 600 });
    expect(run.verdict).toBe('aborted');
    expect(run.abort?.reason).toContain('telemetry has stopped');
    expect(world.faults.size).toBe(0);
  });

  it('is inconclusive when figures stop too late to abort', async () => {
    world.blindFrom = START + 60_000;
    const run = await carryOut();
    expect(run.verdict).toBe('inconclusive');
  });

  it.each<[string, World['engineSays'], string]>([
    [
      'throws',
      { inject: async () => Promise.reject(new Error('the webhook refuses')) },
      'the webhook refuses',
    ],
    [
      'finds no target',
      {
        observe: async () => ({
          state: 'failed',
          targets: [],
          message: 'no target',
        }),
      },
      'no target',
    ],
    [
      'reaches only a part',
      { observe: async () => ({ state: 'partial', targets: [] }) },
      'only a part',
    ],
    [
      'never gets there',
      { observe: async () => ({ state: 'pending', targets: [] }) },
      `not in place after ${INJECTION_DEADLINE_MS / 1000} s`,
    ],
  ])(
    'learns nothing and cleans up when the engine %s',
    async (_, says, why) => {
      world.engineSays = says;
      const run = await carryOut();
      expect(run.verdict).toBe('inconclusive');
      expect(run.evaluation?.reasons[0]).toContain(why);
      expect(world.faults.size).toBe(0);
    },
  );

  it('aborts when the engine goes away in the middle', async () => {
    world.onTick = time => {
      if (time === START + 10_000) {
        world.engineSays.observe = async () =>
          Promise.reject(new Error('connection refused'));
      }
    };
    const run = await carryOut({ durationSeconds: 600 });
    expect(run.verdict).toBe('aborted');
    expect(run.abort?.reason).toContain('does not answer');
  });

  it('aborts when the target vanishes', async () => {
    world.onTick = time => {
      if (time === START + 10_000) world.faults.clear();
    };
    const run = await carryOut();
    expect(run.verdict).toBe('aborted');
    expect(run.abort?.reason).toContain('gone before its time');
  });

  it('goes on taking away what does not go, and tells so', async () => {
    let attempts = 0;
    world.engineSays.remove = async run => {
      attempts += 1;
      if (world.time < START + 120_000 + REMOVAL_DEADLINE_MS + 60_000) {
        return {
          outcome: 'pending',
          afterMs: 1000,
          message: 'finalizer waits',
        };
      }
      world.faults.delete(run.id);
      return { outcome: 'gone' };
    };
    const run = await carryOut();
    expect(attempts).toBeGreaterThan(100);
    expect(run.faultLeft).toBeUndefined();
    expect(
      (await store.events('r1')).some(({ message }) =>
        message.includes('could not be taken away so far'),
      ),
    ).toBe(true);
    // The end of the fault is when it was gone, not when it should have been.
    expect(Date.parse(run.faultEndedAt!)).toBeGreaterThan(
      START + 120_000 + REMOVAL_DEADLINE_MS,
    );
  });

  it('keeps saying that a fault may be left when only a person can tell', async () => {
    world.engineSays.remove = async () => ({
      outcome: 'unknown',
      message: 'the pod is gone and its record stays',
    });
    const run = await carryOut();
    expect(run).toMatchObject({ state: 'ended', faultLeft: true });
  });

  it('counts what happens once from that moment', async () => {
    const run = await carryOut({
      fault: { type: 'kill' },
      durationSeconds: undefined,
    });
    expect(run).toMatchObject({
      verdict: 'passed',
      faultEndedAt: run.injectedAt,
    });
  });

  it('takes away what a killed backend left in place, and calls it aborted', async () => {
    // Killed: it never lets go, and time passes without it.
    const killed = world.keeper(store);
    let stuck: () => void = () => {};
    const blocked = new Promise<void>(resolve => {
      stuck = resolve;
    });
    world.onTick = time => (time === START + 5_000 ? blocked : undefined);
    await killed.begin(world.run('r1', { durationSeconds: 600 }), [PATH]);
    while (world.time < START + 5_000) await new Promise(setImmediate);

    world.onTick = undefined;
    const next = world.keeper(store);
    await next.takeUp();
    await next.idle();
    // Its lease still holds.
    expect(world.faults.size).toBe(1);

    world.time += LEASE_MS;
    await next.takeUp();
    await next.idle();
    expect(world.faults.size).toBe(0);
    const run = (await store.get('r1'))!;
    expect(run.verdict).toBe('aborted');
    expect(run.abort?.reason).toContain('went away');

    // What the dead one still tries changes nothing.
    const told = (await store.events('r1')).length;
    stuck();
    await killed.idle();
    expect((await store.events('r1')).length).toBe(told);
    expect((await store.get('r1'))?.verdict).toBe('aborted');
  });

  it('goes on with what another backend had only to observe', async () => {
    const first = world.keeper(store);
    world.onTick = async time => {
      if (time > START + 121_000) {
        world.onTick = undefined;
        void first.stop();
      }
    };
    await first.begin(world.run('r1'), [PATH]);
    await first.idle();
    expect((await store.get('r1'))?.state).toBe('observing');
    const next = world.keeper(store);
    await next.takeUp();
    await next.idle();
    expect((await store.get('r1'))?.verdict).toBe('passed');
  });

  it('keeps a result from elsewhere once', async () => {
    const run = { ...world.run('gremlin-1'), state: 'ended' as const };
    expect(await store.add(run)).toBe(true);
    expect(await store.add(run)).toBe(false);
    expect(await store.claim('h', new Date(), new Date())).toBeUndefined();
  });
});

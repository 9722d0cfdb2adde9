import { resolvePackagePath } from '@backstage/backend-plugin-api';
import {
  mockServices,
  TestDatabases,
  type TestDatabaseId,
} from '@backstage/backend-test-utils';
import type { Knex } from 'knex';
import { databaseReference } from '../effects/handlers/PostgresDatabaseHandler';
import { FakeLedger } from '../__testUtils__/fakeLedger';
import {
  createHarness,
  START,
  SUBJECT,
  user,
} from '../operations/__testUtils__/harness';
import { LEASE_MS } from '../operations/OperationEngine';
import { ServiceTargets } from '../operations/ServiceTargets';
import { Access } from '../service/Access';
import { DatabaseEnvironmentStore } from './DatabaseEnvironmentStore';
import { DeleteEnvironmentHandler } from './DeleteEnvironmentHandler';
import { CreateEnvironmentHandler } from './environmentKinds';
import { EnvironmentService } from './EnvironmentService';
import { EnvironmentSweeper } from './EnvironmentSweeper';
import { readEnvironmentSettings } from './settings';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const HOUR = 3_600_000;
const COMMIT = 'c'.repeat(40);
const NAME = 'pr-31-limits';
const SERVICE = 'pay-api-pr-31-limits';
const MANIFEST = JSON.stringify({
  apiVersion: 'rocket.internal/v1alpha1',
  kind: 'Runtime',
  spec: {
    language: 'nodejs',
    start: ['node', 'server.js'],
    health: { live: '/healthz', ready: '/readyz' },
    database: 'postgresql',
    migrate: ['node', 'migrate.js'],
    seed: ['node', 'seed.js'],
  },
});

function start(
  knex: Knex,
  world: {
    ledger?: FakeLedger;
    clock?: { time: number };
    manifest?: string;
  } = {},
) {
  const ledger = world.ledger ?? new FakeLedger();
  const clock = world.clock ?? { time: START };
  const now = () => clock.time;
  const settings = readEnvironmentSettings(
    mockServices.rootConfig({
      data: {
        provisioning: {
          onDemand: { quotaPerOwner: 2, costPerDay: 3, currency: 'EUR' },
        },
      },
    }),
  );
  const store = new DatabaseEnvironmentStore(knex, now);
  const environments = new EnvironmentService({
    settings,
    store,
    now,
    access: new Access({
      auth: mockServices.auth(),
      permissions: mockServices.permissions(),
      userInfo: mockServices.userInfo({
        userEntityRef: 'user:default/alice',
        ownershipEntityRefs: ['user:default/alice', 'group:default/ledger'],
      }),
    }),
  });
  const deps = {
    store,
    settings,
    ledger: ledger as never,
    host: {
      resolve: async () => COMMIT,
      readFile: async () => world.manifest ?? MANIFEST,
    },
    images: { find: async () => 'none' },
    services: {
      find: async (name: string) => ({ url: `http://${name}` }),
    } as never,
    targets: new ServiceTargets({
      environments,
      ledger: ledger as never,
      services: {
        list: async () => [
          {
            name: 'pay-api',
            entityRef: SUBJECT,
            owner: 'group:default/ledger',
            repository: 'pay-api',
          } as never,
        ],
      },
    }),
    now,
  };
  const h = createHarness(knex, {
    ledger,
    clock,
    handlers: [
      new CreateEnvironmentHandler(deps),
      new DeleteEnvironmentHandler(deps),
    ],
  });
  const sweeper = new EnvironmentSweeper({
    store,
    settings,
    ledger: ledger as never,
    operations: h.operations,
    notifications: h.notifications as never,
    logger: h.logger,
    now,
  });
  return {
    ...h,
    store,
    environments,
    sweeper,
    create: (name = NAME, input: object = {}) =>
      h.ask({
        kind: 'environment-create',
        subject: SUBJECT,
        input: { branch: 'limits', name, ...input },
      }),
    delete: (name = NAME) =>
      h.ask({ kind: 'environment-delete', subject: SUBJECT, input: { name } }),
    /** Lets all pauses of operations pass. */
    async settle(turns = 15) {
      for (let i = 0; i < turns; i++) {
        await h.engine.idle();
        clock.time += 60_000;
      }
      await h.engine.idle();
    },
  };
}

describe.each(databases.eachSupportedId())('environments on %s', id => {
  async function open(database: TestDatabaseId = id): Promise<Knex> {
    const knex = await databases.init(database);
    await knex.migrate.latest({
      directory: resolvePackagePath(
        '@rocket/plugin-provisioning-backend',
        'migrations',
      ),
    });
    return knex;
  }
  const stateOf = async (h: ReturnType<typeof start>, name = NAME) =>
    (await h.store.get(name))?.state;
  const live = ({ ledger }: { ledger: FakeLedger }) =>
    [...ledger.effects.values()].filter(({ state }) => state !== 'undone');

  it('makes one with its own database, lists it, and leaves nothing behind', async () => {
    const h = start(await open());
    const plan = await h.operations.plan(
      {
        kind: 'environment-create',
        subject: SUBJECT,
        input: { branch: 'pull/31/limits' },
      },
      user('alice'),
    );
    expect(plan.environment).toBe(NAME);
    expect(plan.steps).toMatchObject([
      { id: 'database', change: 'create' },
      {
        id: `version/${COMMIT}`,
        detail: expect.stringMatching(/seed command.*72 hours.*3 EUR/),
      },
    ]);
    expect(h.ledger.performed).toEqual([]);
    expect(await h.store.list()).toEqual([]);

    await h.create();
    expect(await stateOf(h)).toBe('requested');
    await h.engine.idle();
    expect(h.ledger.performed).toEqual([
      `postgres.database ${databaseReference(SERVICE)}`,
      `local.service ${SERVICE}`,
    ]);
    expect((await h.environments.list())[1]).toMatchObject({
      name: NAME,
      tier: 'development',
      onDemand: {
        state: 'ready',
        branch: 'limits',
        commit: COMMIT,
        url: `http://${SERVICE}`,
        expiresAt: new Date(START + 72 * HOUR).toISOString(),
        extensionsLeft: 2,
        cost: { perDay: 3, currency: 'EUR' },
      },
    });
    expect(await h.environments.find(NAME)).toMatchObject({
      runtime: 'local',
      onDemand: true,
    });

    await h.delete();
    expect(await stateOf(h)).toBe('deleting');
    await h.engine.idle();
    expect(live(h)).toEqual([]);
    expect(h.ledger.removals).toEqual([
      `undo local.service ${SERVICE}`,
      `undo postgres.database ${databaseReference(SERVICE)}`,
    ]);
    expect(await stateOf(h)).toBe('deleted');
    expect(await h.environments.find(NAME)).toBeUndefined();
    // Its name is free again.
    await h.create();
    await h.engine.idle();
    expect(await stateOf(h)).toBe('ready');
  });

  it('refuses bad input and a full quota before anything is written', async () => {
    const h = start(await open());
    const refused = (input: object, message: RegExp) =>
      expect(h.create('one-more', input)).rejects.toThrow(message);
    await refused({ ttlHours: 24 * 15 }, /input\.ttlHours: at most 336 hours/);
    await refused({ ttlHours: -1 }, /input\.ttlHours/);
    await refused({ name: 'A_B' }, /input\.name: must be a DNS label/);
    await refused({ name: 'local' }, /environment of the configuration/);
    await h.create('first');
    await h.engine.idle();
    h.clock.time += 26 * HOUR;
    await h.create('second');
    await h.engine.idle();
    await expect(h.create('second')).rejects.toThrow(/already.*ready/);
    const before = h.ledger.performed.length;
    await expect(h.create('third')).rejects.toThrow(
      /group:default\/ledger has 2 of 2 environments; the oldest is first \(ready\), unchanged for 1 days: delete it\?/,
    );
    expect(h.ledger.performed).toHaveLength(before);
    expect(
      (await h.store.list()).map((record: { name: string }) => record.name),
    ).toEqual(['first', 'second']);
    const without = start(await open(), { manifest: '' });
    await expect(without.create('broken')).rejects.toThrow(/rocket\.yaml/);
  });

  it('lets one of two for the last place win', async () => {
    const knex = await open();
    const h = start(knex);
    const other = start(knex, h);
    await h.create('first');
    const settled = await Promise.allSettled([
      h.create('second'),
      other.create('third'),
    ]);
    expect(settled.map(({ status }) => status).sort()).toEqual([
      'fulfilled',
      'rejected',
    ]);
    expect(await h.store.list()).toHaveLength(2);
  });

  it('names what is stuck, goes on with the rest, counts it, comes back and finishes', async () => {
    const h = start(await open());
    await h.create();
    await h.engine.idle();
    h.ledger.answers.set(
      SERVICE,
      Array(500).fill({
        outcome: 'retry',
        afterMs: 30_000,
        message: 'finalizer example.com/hold is still there',
      }),
    );
    await h.delete();
    await h.settle();
    const stuck = (await h.store.get(NAME))!;
    expect(stuck.state).toBe('delete-failed');
    expect(stuck.message).toMatch(
      /local\.service pay-api-pr-31-limits \(finalizer example\.com\/hold is still there\)/,
    );
    expect(live(h).map(({ type }) => type)).toEqual(['local.service']);
    // It holds its place in the quota.
    await h.create('second');
    await expect(h.create('third')).rejects.toThrow(/2 of 2/);

    // Still stuck: tried again, said loudly, not forgotten.
    h.clock.time = Date.parse(stuck.retryAt!);
    await h.sweeper.sweep();
    expect(await stateOf(h)).toBe('deleting');
    expect(h.notifications.send).toHaveBeenCalledWith(
      expect.objectContaining({
        recipients: { type: 'entity', entityRef: 'group:default/ledger' },
        payload: expect.objectContaining({
          title: expect.stringMatching(/could not be deleted, 1 times/),
        }),
      }),
    );
    await h.settle();
    const again = (await h.store.get(NAME))!;
    expect(again).toMatchObject({ state: 'delete-failed', removals: 2 });
    expect(Date.parse(again.retryAt!) - Date.parse(again.changedAt)).toBe(
      2 * 5 * 60_000,
    );

    h.ledger.answers.clear();
    h.clock.time = Date.parse(again.retryAt!);
    await h.sweeper.sweep();
    await h.settle(1);
    expect(await stateOf(h)).toBe('deleted');
  });

  it.each([0, 1, 2, 3])(
    'survives a kill at step %d of making and deleting, and makes nothing twice',
    async kill => {
      const h = start(await open());
      const dead = h.createEngine();
      let count = 0;
      let reached: (killed: boolean) => void;
      const killed = new Promise<boolean>(resolve => {
        reached = resolve;
      });
      const die = async () => {
        if (count++ !== kill) return;
        reached(true);
        // A killed process writes nothing any more.
        await new Promise(() => {});
      };
      h.ledger.beforePerform = die;
      h.ledger.beforeRemove = die;
      for (const act of [() => h.create(), () => h.delete()]) {
        await act();
        const ended = dead.idle().then(() => false);
        if (await Promise.race([killed, ended])) break;
      }
      // The next backend, when the lease is over.
      h.clock.time += LEASE_MS + 1;
      await h.engine.idle();
      void dead.stop();
      expect(await stateOf(h)).toBe(kill < 2 ? 'ready' : 'deleted');
      if (kill < 2) {
        await h.delete();
        await h.engine.idle();
      }
      expect(await stateOf(h)).toBe('deleted');
      expect(live(h)).toEqual([]);
      expect(h.ledger.effects.size).toBe(2);
    },
  );

  it('gets through storms with a bounded number of calls', async () => {
    const h = start(await open());
    h.ledger.failures.set(SERVICE, [
      new Error('429 Too Many Requests'),
      new Error('500'),
      new Error('409'),
    ]);
    await h.create();
    await h.settle();
    expect(await stateOf(h)).toBe('ready');
    expect(h.ledger.performed).toHaveLength(5);
    h.ledger.answers.set(SERVICE, Array(5).fill(new Error('500')));
    await h.delete();
    await h.settle();
    expect(await stateOf(h)).toBe('deleted');
    expect(h.ledger.removals).toHaveLength(7);
  });

  it('fails without losing track of what it made, and can be deleted then', async () => {
    const h = start(await open());
    h.ledger.failures.set(SERVICE, Array(50).fill(new Error('no port left')));
    await h.create();
    await h.settle(30);
    expect(await h.store.get(NAME)).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/no port left/),
    });
    await h.delete();
    await h.settle(1);
    expect(await stateOf(h)).toBe('deleted');
    expect(live(h)).toEqual([]);
  });

  it('has one winner between two deletions, and between making and deleting', async () => {
    const h = start(await open());
    let go = () => {};
    const held = new Promise<void>(resolve => {
      go = resolve;
    });
    const inStep = new Promise<void>(resolve => {
      h.ledger.beforePerform = () => {
        resolve();
        return held;
      };
    });
    await h.create();
    await h.engine.look();
    await inStep;
    await expect(h.delete()).rejects.toThrow(/environment-create .*cancel it/);
    go();
    await h.engine.idle();
    const settled = await Promise.allSettled([h.delete(), h.delete()]);
    expect(settled.map(({ status }) => status).sort()).toEqual([
      'fulfilled',
      'rejected',
    ]);
    await h.engine.idle();
    expect(await stateOf(h)).toBe('deleted');
    expect(h.ledger.removals).toHaveLength(2);
  });

  it('says that the end is near once, extends as often as allowed, and ends', async () => {
    const h = start(await open());
    await h.create();
    await h.engine.idle();
    await h.sweeper.sweep();
    expect(h.notifications.send).not.toHaveBeenCalled();
    h.clock.time = START + 48 * HOUR;
    await h.sweeper.sweep();
    await h.sweeper.sweep();
    expect(h.notifications.send).toHaveBeenCalledTimes(1);
    expect(await stateOf(h)).toBe('expiring');

    const extend = () => h.environments.extend(NAME, user('alice'));
    expect((await extend()).onDemand).toMatchObject({
      state: 'ready',
      expiresAt: new Date(START + 144 * HOUR).toISOString(),
      extensionsLeft: 1,
    });
    const both = await Promise.allSettled([extend(), extend()]);
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(extend()).rejects.toThrow(/as often as allowed/);

    h.clock.time = START + 216 * HOUR - 1;
    await h.sweeper.sweep();
    expect(await stateOf(h)).toBe('expiring');
    h.clock.time += 1;
    // Another backend after a restart.
    await h.sweeper.sweep();
    await h.engine.idle();
    expect(await stateOf(h)).toBe('deleted');
    await expect(extend()).rejects.toThrow(/is deleted/);
    expect((await h.operations.list({}))[0]).toMatchObject({
      kind: 'environment-delete',
      requestedBy: 'rocket',
      reason: 'Its time is over',
    });
  });

  it('begins no more than ten deletions in one sweep', async () => {
    const h = start(await open());
    for (let i = 0; i < 12; i++) {
      const time = new Date(START).toISOString();
      await h.store.insert(
        {
          name: `env-${i}`,
          subject: `component:default/app-${i}`,
          owner: 'group:default/ledger',
          branch: 'b',
          service: `app-${i}-env`,
          runtime: 'local',
          state: 'ready',
          requestedBy: 'user:default/alice',
          createdAt: time,
          changedAt: time,
          expiresAt: time,
          extensionsLeft: 0,
          noticed: true,
          removals: 0,
        },
        100,
      );
    }
    await h.sweeper.sweep();
    expect(await h.store.list({ states: ['deleting'] })).toHaveLength(10);
    await h.engine.idle();
    await h.sweeper.sweep();
    await h.engine.idle();
    expect(await h.store.list()).toEqual([]);
  });

  it('leaves alone what it did not make, and finds what was forgotten', async () => {
    const h = start(await open());
    const foreign = h.ledger.add('local.service', {
      reference: 'look-alike',
      environment: 'pr-99-foreign',
    });
    await h.create();
    await h.engine.idle();
    await h.delete();
    await h.engine.idle();
    // Something of it shows up after it was deleted.
    const late = h.ledger.add('local.service', {
      reference: 'late',
      environment: NAME,
    });
    await h.sweeper.sweep();
    await h.engine.idle();
    expect(late.state).toBe('undone');
    expect(await stateOf(h)).toBe('deleted');
    expect(foreign.state).toBe('live');
    await h.sweeper.sweep();
    expect(foreign.state).toBe('live');
  });
});

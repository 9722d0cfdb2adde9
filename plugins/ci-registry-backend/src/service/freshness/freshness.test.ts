import { resolvePackagePath } from '@backstage/backend-plugin-api';
import {
  TestDatabases,
  mockCredentials,
  mockErrorHandler,
  mockServices,
  type TestDatabaseId,
} from '@backstage/backend-test-utils';
import { stringifyEntityRef, type Entity } from '@backstage/catalog-model';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type { FreshnessState } from '@rocket/plugin-ci-registry-common';
import type { RunningComponent } from '@rocket/plugin-ci-registry-node';
import express from 'express';
import request from 'supertest';
import type { StoredEntity } from '../../database/EntityStore';
import { DatabaseFreshnessStore } from '../../database/freshness/DatabaseFreshnessStore';
import { FreshnessService } from './FreshnessService';
import { LocalRuntimeProvider } from './LocalRuntimeProvider';
import { sendNotices } from './notices';
import { createFreshnessRouter } from './router';

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-11-20T12:00:00Z');

function component(name: string, annotations = {}): Entity {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: { name, namespace: 'default', annotations },
    spec: { type: 'service', lifecycle: 'production', owner: 'money' },
  };
}

function pushed(
  name: string,
  ageMs: number,
  extra: Partial<StoredEntity> = {},
): StoredEntity {
  const entity = component(name);
  const source = {
    repository: `acme/${name}`,
    commit: 'a'.repeat(40),
    pipeline: 'run/7',
    time: new Date(NOW - ageMs).toISOString(),
  };
  return {
    entityRef: stringifyEntityRef(entity),
    entity,
    hash: '',
    repository: source.repository,
    source,
    changedBy: source,
    state: 'active',
    derived: false,
    changedAt: NOW - ageMs - DAY,
    firstPushedAt: NOW - 90 * DAY,
    lastPushedAt: NOW - ageMs,
    version: 1,
    appliedVersion: 1,
    ...extra,
  };
}

async function setUp(id: TestDatabaseId) {
  const knex = await databases.init(id);
  await knex.migrate.latest({
    directory: resolvePackagePath(
      '@rocket/plugin-ci-registry-backend',
      'migrations',
    ),
  });
  const store = new DatabaseFreshnessStore(knex);
  const world = {
    now: NOW,
    entities: [] as StoredEntity[],
    /** What the catalog has from elsewhere. */
    unmanaged: [component('from-file')] as Entity[],
    catalogEmpty: false,
    running: [] as RunningComponent[],
  };
  const list = jest.fn(async () => world.running);
  const queryEntities = jest.fn(async (ask: { limit?: number }) => {
    const found = ask.limit === 1 ? [component('any')] : world.unmanaged;
    return {
      items: world.catalogEmpty ? [] : found,
      totalItems: 0,
      pageInfo: {},
    };
  });
  const logger = mockServices.logger.mock();
  const service = new FreshnessService({
    store,
    entities: {
      list: async ({ after, limit }) =>
        world.entities
          .filter(one => one.state !== 'removed')
          .sort((a, b) => (a.entityRef < b.entityRef ? -1 : 1))
          .filter(one => after === undefined || one.entityRef > after)
          .slice(0, limit),
      get: async ref => world.entities.find(one => one.entityRef === ref),
    },
    catalog: { queryEntities } as unknown as CatalogService,
    auth: mockServices.auth(),
    providers: new Map([
      [
        'newrelic',
        {
          id: 'newrelic',
          title: 'New Relic',
          annotation: 'rocket.internal/newrelic-app',
          list,
        },
      ],
    ]),
    settings: {
      schedule: { frequency: { minutes: 2 }, timeout: { minutes: 2 } },
      maxAgeMs: 30 * DAY,
      notRunningAfterMs: DAY,
      unregisteredAfterMs: 15 * 60_000,
      recipients: ['group:default/platform'],
    },
    graceMs: DAY,
    logger,
    now: () => world.now,
  });
  const notifications = { send: jest.fn(async () => {}) };
  const tell = () =>
    sendNotices({
      store,
      notifications,
      recipients: ['group:default/platform'],
      logger,
    });
  const refresh = () => service.refresh(new AbortController().signal);
  const stateOf = async (name: string) =>
    (await store.get(`component:default/${name}`))?.freshness;
  return {
    list,
    logger,
    notifications,
    queryEntities,
    refresh,
    service,
    stateOf,
    store,
    tell,
    world,
  };
}

describe.each(databases.eachSupportedId())('freshness on %s', id => {
  it('tells fresh, stale and gone by the last push, with the commit that changed it', async () => {
    const { refresh, stateOf, store, world } = await setUp(id);
    world.entities = [
      pushed('young', HOUR),
      pushed('old', 31 * DAY),
      pushed('left', 2 * DAY, { state: 'gone', goneAt: NOW - HOUR }),
    ];
    await refresh();
    expect(await stateOf('young')).toEqual({
      entityRef: 'component:default/young',
      state: 'fresh',
      reason: 'A pipeline of acme/young confirmed it within the last 30 days.',
      owner: 'group:default/money',
      repository: 'acme/young',
      lastPushedAt: '2026-11-20T11:00:00.000Z',
      lastChangedAt: '2026-11-19T11:00:00.000Z',
      lastChangedCommit: 'a'.repeat(40),
      lastChangedPipeline: 'run/7',
    });
    expect(await stateOf('old')).toMatchObject({
      state: 'stale',
      reason:
        'No pipeline of acme/old confirmed it for 31 days; 30 days are allowed. Run its pipeline, or remove it from its repository.',
    });
    expect(await stateOf('left')).toMatchObject({
      state: 'gone',
      removedAt: '2026-11-21T11:00:00.000Z',
      reason:
        'acme/left gave it up at 2026-11-20T11:00:00.000Z. Push it again to keep it; else it leaves the catalog at 2026-11-21T11:00:00.000Z.',
    });
    // Nothing is written of what stays as it is.
    const save = jest.spyOn(store, 'save');
    world.now += 5 * 60_000;
    await refresh();
    expect(save.mock.calls).toEqual([[[], []]]);
    // After the grace time the registry removes it, and nothing is said of it any more.
    world.entities[2].state = 'removed';
    await refresh();
    expect(await stateOf('left')).toBeUndefined();
  });

  it('tells what runs unregistered, by name and by annotation', async () => {
    const { refresh, stateOf, world } = await setUp(id);
    world.unmanaged = [
      component('known', { 'rocket.internal/newrelic-app': 'Known (prod)' }),
      component('by-name'),
    ];
    const lastSeenAt = new Date(NOW - 60_000);
    world.running = [
      { name: 'Known (prod)', running: true, lastSeenAt },
      { name: 'By-Name', running: true, lastSeenAt },
      { name: 'Shadow IT', running: true, lastSeenAt },
      { name: 'ended', running: false },
      { name: 'silent', running: true, lastSeenAt: new Date(NOW - 2 * DAY) },
    ];
    await refresh();
    // The catalog may just be read, or the service just be made.
    expect(await stateOf('shadow-it')).toBeUndefined();
    world.now += 14 * 60_000;
    await refresh();
    expect(await stateOf('shadow-it')).toBeUndefined();
    world.now += 60_000;
    await refresh();
    expect(await stateOf('shadow-it')).toEqual({
      entityRef: 'component:default/shadow-it',
      state: 'running-unregistered',
      reason:
        'New Relic sees "Shadow IT" running, but the catalog has no component of that name. Register it by its pipeline, or stop it.',
      lastSeenRunningAt: '2026-11-20T11:59:00.000Z',
      runningSource: 'New Relic',
    });
    for (const name of ['known', 'by-name']) {
      expect(await stateOf(name)).toMatchObject({
        state: 'unmanaged',
        lastSeenRunningAt: '2026-11-20T11:59:00.000Z',
      });
    }
    expect(await stateOf('ended')).toBeUndefined();
    expect(await stateOf('silent')).toBeUndefined();
    // Registered, it is not unregistered any more.
    world.entities = [pushed('shadow-it', 0)];
    world.entities[0].entity.metadata.annotations = {
      'rocket.internal/newrelic-app': 'Shadow IT',
    };
    await refresh();
    expect(await stateOf('shadow-it')).toMatchObject({ state: 'fresh' });
  });

  it('begins to count anew when the name was known in between', async () => {
    const { refresh, stateOf, world } = await setUp(id);
    const minutes = async (count: number, known: boolean) => {
      world.now += count * 60_000;
      world.unmanaged = [component(known ? 'shadow' : 'other')];
      world.running = [{ name: 'shadow', running: true }];
      await refresh();
      return (await stateOf('shadow'))?.state;
    };
    expect(await minutes(0, false)).toBeUndefined();
    expect(await minutes(14, true)).toBe('unmanaged');
    expect(await minutes(1, false)).toBeUndefined();
    expect(await minutes(14, false)).toBeUndefined();
    expect(await minutes(1, false)).toBe('running-unregistered');
  });

  it('tells what is registered and does not run: silent for long, or stopped', async () => {
    const { refresh, stateOf, world } = await setUp(id);
    world.entities = ['a', 'b', 'never'].map(name => pushed(name, HOUR));
    const lastSeenAt = new Date(NOW);
    world.running = ['a', 'b'].map(name => ({
      name,
      running: true,
      lastSeenAt,
    }));
    await refresh();
    expect((await stateOf('a'))?.state).toBe('fresh');

    // Not heard of for a while is not yet ended; a stop that is known is.
    world.running = [{ name: 'b', running: false, detail: 'stopped' }];
    world.now += 23 * HOUR;
    await refresh();
    expect((await stateOf('a'))?.state).toBe('fresh');
    expect(await stateOf('b')).toMatchObject({
      state: 'registered-not-running',
      reason:
        'It is registered, but nothing runs: New Relic saw it last 23 hours ago (stopped). Start or deploy it, or give it up if it was retired.',
    });
    world.now += 2 * HOUR;
    await refresh();
    expect((await stateOf('a'))?.state).toBe('registered-not-running');
    // Of what was never seen nothing can be said.
    expect((await stateOf('never'))?.state).toBe('fresh');
  });

  it('takes nothing for stopped because a provider fails, however long', async () => {
    const { list, logger, refresh, stateOf, world } = await setUp(id);
    world.entities = [pushed('a', HOUR)];
    world.running = [{ name: 'a', running: true }];
    await refresh();
    list.mockRejectedValue(new Error('NerdGraph is away'));
    world.now += 10 * DAY;
    await refresh();
    await refresh();
    expect((await stateOf('a'))?.state).toBe('fresh');
    expect(logger.warn).toHaveBeenCalledTimes(1);
    // Back again it tells the truth.
    list.mockResolvedValue([]);
    await refresh();
    expect((await stateOf('a'))?.state).toBe('registered-not-running');
  });

  it('does not take one empty answer for the end of everything', async () => {
    const { list, refresh, stateOf, world } = await setUp(id);
    world.entities = [pushed('a', HOUR)];
    world.running = [{ name: 'a', running: true }];
    await refresh();
    list.mockResolvedValue([]);
    world.now += 23 * HOUR;
    await refresh();
    expect((await stateOf('a'))?.state).toBe('fresh');
  });

  it('changes nothing while the catalog is away or empty', async () => {
    const { queryEntities, refresh, stateOf, world } = await setUp(id);
    world.running = [{ name: 'from-file', running: true }];
    await refresh();
    world.catalogEmpty = true;
    await expect(refresh()).rejects.toThrow('has no entities at all');
    queryEntities.mockRejectedValueOnce(new Error('away'));
    await expect(refresh()).rejects.toThrow('away');
    expect((await stateOf('from-file'))?.state).toBe('unmanaged');
  });

  it('explains orphans', async () => {
    const { refresh, stateOf, world } = await setUp(id);
    world.unmanaged = [
      component('lost', {
        'backstage.io/orphan': 'true',
        'backstage.io/managed-by-location': 'url:https://git.example/lost.yaml',
      }),
    ];
    await refresh();
    expect((await stateOf('lost'))?.reason).toBe(
      'Orphan: nothing in the catalog points to url:https://git.example/lost.yaml any more. Register it by a pipeline, or its location again; else delete it.',
    );
  });

  it('names a file of the server without saying where it lies', async () => {
    const { refresh, stateOf, world } = await setUp(id);
    world.unmanaged = [
      component('demo', {
        'backstage.io/managed-by-location':
          'file:/srv/rocket/examples/all.yaml',
      }),
    ];
    await refresh();
    expect((await stateOf('demo'))?.reason).toBe(
      'The catalog has it from the file all.yaml of the portal; no pipeline confirms it. Let the pipeline of its repository push it.',
    );
  });

  it('tells owners once per change of state, and again when it is over', async () => {
    const { notifications, refresh, tell, world } = await setUp(id);
    world.entities = [pushed('a', 31 * DAY), pushed('b', HOUR)];
    world.running = [{ name: 'shadow', running: true }];
    await refresh();
    world.now += 15 * 60_000;
    await refresh();
    expect(await tell()).toBe(2);
    await refresh();
    expect(await tell()).toBe(0);
    expect(notifications.send.mock.calls.map(([call]: any) => call)).toEqual([
      {
        // It has no owner: the recipients of the configuration hear of it.
        recipients: { type: 'entity', entityRef: ['group:default/platform'] },
        payload: expect.objectContaining({
          title: 'shadow runs but is not registered',
          scope: 'ci-registry/freshness/component:default/shadow',
        }),
      },
      {
        recipients: { type: 'entity', entityRef: ['group:default/money'] },
        payload: {
          title: 'a has not been confirmed for long',
          description: expect.stringContaining('No pipeline of acme/a'),
          link: '/catalog/default/component/a',
          severity: 'normal',
          topic: 'catalog-freshness',
          scope: 'ci-registry/freshness/component:default/a',
        },
      },
    ]);
    world.entities = [pushed('a', HOUR), pushed('b', HOUR)];
    await refresh();
    expect(await tell()).toBe(1);
    expect(notifications.send).toHaveBeenLastCalledWith(
      expect.objectContaining({
        payload: expect.objectContaining({
          title: 'a is true to its source again',
        }),
      }),
    );
    await refresh();
    expect(await tell()).toBe(0);
  });

  it('tells later what could not be told, and nothing of what is over by then', async () => {
    const { notifications, refresh, tell, world } = await setUp(id);
    world.entities = [pushed('a', 31 * DAY)];
    await refresh();
    notifications.send.mockRejectedValueOnce(new Error('away'));
    expect(await tell()).toBe(0);
    expect(await tell()).toBe(1);
    world.entities = [pushed('a', 31 * DAY), pushed('b', 31 * DAY)];
    await refresh();
    world.entities[1] = pushed('b', 0);
    await refresh();
    expect(await tell()).toBe(0);
    // Well for a moment and stale again: its owner knows it as stale.
    world.entities[0] = pushed('a', 0);
    await refresh();
    world.entities[0] = pushed('a', 31 * DAY);
    await refresh();
    expect(await tell()).toBe(0);
  });

  it('answers by owner and state in pages, the most pressing first', async () => {
    const { service, refresh, store, world } = await setUp(id);
    world.entities = [
      pushed('c', HOUR),
      pushed('b', 40 * DAY),
      pushed('a', 40 * DAY),
      pushed('d', HOUR, { state: 'gone', goneAt: NOW }),
    ];
    await refresh();
    const permissions = mockServices.permissions.mock();
    permissions.authorize.mockResolvedValue([
      { result: AuthorizeResult.ALLOW },
    ]);
    const app = express();
    app.use(
      createFreshnessRouter({
        service,
        store,
        permissions,
        httpAuth: mockServices.httpAuth(),
      }),
    );
    app.use(mockErrorHandler());
    const get = async (query: string) =>
      (await request(app).get(`/freshness?${query}`).expect(200)).body;
    const states = (body: any): [string, FreshnessState][] =>
      body.items.map((item: any) => [item.entityRef.split('/')[1], item.state]);

    const first = await get('owner=money&limit=2');
    expect(states(first)).toEqual([
      ['d', 'gone'],
      ['a', 'stale'],
    ]);
    expect(first.counts).toEqual({
      fresh: 1,
      stale: 2,
      gone: 1,
      'running-unregistered': 0,
      'registered-not-running': 0,
      unmanaged: 1,
    });
    expect(states(await get(`limit=2&cursor=${first.nextCursor}`))).toEqual([
      ['b', 'stale'],
      ['from-file', 'unmanaged'],
    ]);
    expect(states(await get('state=gone&state=fresh'))).toEqual([
      ['d', 'gone'],
      ['c', 'fresh'],
    ]);
    expect(states(await get('owner=nobody'))).toEqual([]);

    // A push shows at once, before the next round.
    world.entities[1] = pushed('b', 0);
    expect(states(await get('entityRef=b'))).toEqual([['b', 'fresh']]);
    expect(states(await get('entityRef=from-file'))).toEqual([
      ['from-file', 'unmanaged'],
    ]);
    world.entities.pop();
    expect(states(await get('entityRef=d'))).toEqual([]);

    const bad = await request(app).get('/freshness?state=rotten').expect(400);
    expect(bad.body.error.message).toContain('state.0: must be one of gone');
    await request(app).get('/freshness?cursor=abcd').expect(400);
    await request(app)
      .get('/freshness')
      .set('Authorization', mockCredentials.none.header())
      .expect(401);
    permissions.authorize.mockResolvedValue([{ result: AuthorizeResult.DENY }]);
    await request(app).get('/freshness').expect(403);
  });
});

it("knows Rocket's own services and which of them are stopped", async () => {
  const listServices = jest.fn(async () => [
    { name: 'a', entityRef: 'Component:default/a', state: 'healthy' },
    { name: 'b', entityRef: 'component:default/b', state: 'restarting' },
    {
      name: 'c',
      entityRef: 'component:default/c',
      state: 'failed',
      message: 'exit code 1',
    },
    { name: 'd', entityRef: 'component:default/d', state: 'stopped' },
  ]);
  const provider = new LocalRuntimeProvider({
    provisioning: { listServices: listServices as never },
    auth: mockServices.auth(),
  });
  expect(
    (await provider.list()).map(one => [
      one.entityRef,
      one.running,
      one.detail,
    ]),
  ).toEqual([
    ['component:default/a', true, 'healthy'],
    ['component:default/b', true, 'restarting'],
    ['component:default/c', false, 'failed: exit code 1'],
    ['component:default/d', false, 'stopped'],
  ]);
});

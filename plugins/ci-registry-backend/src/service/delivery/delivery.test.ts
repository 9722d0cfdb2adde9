import { resolvePackagePath } from '@backstage/backend-plugin-api';
import {
  TestDatabases,
  mockCredentials,
  mockErrorHandler,
  mockServices,
} from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import { ServiceUnavailableError, InputError } from '@backstage/errors';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type {
  BuildReport,
  DeploymentReport,
  PushSource,
} from '@rocket/plugin-ci-registry-common';
import type {
  IncidentsRequest,
  IncidentsResponse,
} from '@rocket/plugin-critical-paths-node';
import express from 'express';
import request from 'supertest';
import { DatabaseDeliveryStore } from '../../database/delivery/DatabaseDeliveryStore';
import { DatabaseDeliveryWriter } from '../../database/delivery/DatabaseDeliveryWriter';
import { ChangeReporter } from './ChangeReporter';
import { DoraService } from './DoraService';
import { IncidentReader } from './IncidentReader';
import { createDeliveryRouter } from './router';
import { VersionService } from './VersionService';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3'] });
const DAY = 86_400_000;
const NOW = Date.parse('2026-11-20T12:00:00Z');
const iso = (time: number) => new Date(time).toISOString();
const sha = (n: number) => n.toString(16).padStart(40, '0');

function component(name: string, owner: string, annotations = {}): Entity {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: { name, namespace: 'default', annotations },
    spec: { type: 'service', lifecycle: 'production', owner, system: 'core' },
    relations: [
      { type: 'ownedBy', targetRef: `group:default/${owner}` },
      { type: 'partOf', targetRef: 'system:default/core' },
    ],
  };
}

const entities: Entity[] = [
  component('ledger', 'money'),
  component('api', 'edge', {
    'rocket.internal/critical-path': 'criticalpath:default/posting',
    'rocket.internal/critical-path-step': 'book',
  }),
  component('other', 'edge'),
  {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Group',
    metadata: { name: 'edge', namespace: 'default' },
    spec: { type: 'team', children: [], profile: { displayName: 'Edge team' } },
  },
  {
    apiVersion: 'rocket.internal/v1alpha1',
    kind: 'CriticalPath',
    metadata: { name: 'posting', namespace: 'default', title: 'Posting' },
    spec: {
      owner: 'group:default/money',
      businessModel: 'domain:default/payments',
      type: 'transaction',
      lifecycle: 'production',
      steps: [{ name: 'book', component: 'component:default/ledger' }],
    },
  },
];

async function setUp() {
  const knex = await databases.init('SQLITE_3');
  await knex.migrate.latest({
    directory: resolvePackagePath(
      '@rocket/plugin-ci-registry-backend',
      'migrations',
    ),
  });
  const store = new DatabaseDeliveryStore(knex, {
    buildTimeoutMs: 6 * 3_600_000,
  });
  const recordChange = jest.fn(async () => {});
  const readIncidents = jest.fn(
    async (_: IncidentsRequest): Promise<IncidentsResponse> => ({
      incidents: [],
    }),
  );
  const clock = { now: NOW };
  const logger = mockServices.logger.mock();
  const reporter = new ChangeReporter({
    store,
    criticalPaths: { recordChange },
    auth: mockServices.auth(),
    logger,
    now: () => clock.now,
  });
  const writer = new DatabaseDeliveryWriter({
    liveEnvironments: ['production'],
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
            repository: 'acme/mono',
            commit: sha(1),
            time: iso(NOW - DAY),
            ...source,
          },
          identity: { type: 'static', subject: 'token:ci' },
          now: clock.now,
        },
        { builds: [], deployments: [], ...reports },
      ),
    );
  const permissions = mockServices.permissions.mock();
  permissions.authorize.mockResolvedValue([{ result: AuthorizeResult.ALLOW }]);
  const catalog = catalogServiceMock({ entities });
  const options = { store, catalog, now: () => NOW };
  const app = express();
  app.use(
    createDeliveryRouter({
      store,
      versions: new VersionService(options),
      dora: new DoraService({
        ...options,
        incidents: new IncidentReader({
          criticalPaths: { readIncidents },
          auth: mockServices.auth(),
          logger,
        }),
        settings: {
          liveEnvironments: ['production'],
          buildTimeoutMs: 6 * 3_600_000,
          retentionMs: 400 * DAY,
          doraEnvironment: 'production',
          leadTimeGoalMs: 2_700_000,
        },
      }),
      httpAuth: mockServices.httpAuth(),
      permissions,
    }),
  );
  app.use(mockErrorHandler());
  return {
    app,
    clock,
    knex,
    logger,
    permissions,
    push,
    readIncidents,
    recordChange,
    reporter,
    store,
  };
}

/** One deployment a day, the newest a day ago; each brings one commit that is `leadMinutes` old at its end. */
async function seed(
  push: Awaited<ReturnType<typeof setUp>>['push'],
  name: string,
  leadMinutes: number[],
) {
  for (const [index, minutes] of leadMinutes.entries()) {
    const end = NOW - (leadMinutes.length - index) * DAY;
    await push(
      {
        deployments: [
          {
            id: `d${index + 1}`,
            component: `component:default/${name}`,
            environment: 'production',
            version: `1.${index + 1}`,
            startedAt: iso(end - 60_000),
            finishedAt: iso(end),
            outcome: 'succeeded',
            commits: [
              { sha: sha(index + 1), time: iso(end - minutes * 60_000) },
            ],
          },
        ],
      },
      { commit: sha(index + 1), time: iso(end) },
    );
  }
}

describe('the routes', () => {
  it('answer builds and deployments in pages, the newest first', async () => {
    const { app, push } = await setUp();
    await seed(push, 'ledger', [10, 20, 30]);
    const { builds } = await push({
      builds: [{ component: 'component:default/ledger', version: '1.1' }],
    });
    const build = await request(app).get(`/builds/${builds[0].id}`).expect(200);
    expect(build.body).toMatchObject({ version: '1.1', commit: sha(1) });
    const listed = await request(app)
      .get('/builds?component=ledger')
      .expect(200);
    expect(listed.body.items).toEqual([build.body]);
    await request(app).get('/builds/none').expect(404);

    const first = await request(app)
      .get('/deployments?component=component:default/ledger&limit=2')
      .expect(200);
    expect(first.body.items.map((d: { id: string }) => d.id)).toEqual([
      'd3',
      'd2',
    ]);
    const rest = await request(app)
      .get(
        `/deployments?component=ledger&limit=2&cursor=${first.body.nextCursor}`,
      )
      .expect(200);
    expect(rest.body.items.map((d: { id: string }) => d.id)).toEqual(['d1']);
    expect(rest.body.nextCursor).toBeUndefined();
  });

  it.each([
    ['/builds?limit=0', 'limit: must be at least 1'],
    ['/builds?commit=abc', 'commit: must be a full commit id'],
    ['/builds?colour=red', 'colour: there is no such parameter'],
    ['/deployments?cursor=WzFd', 'cursor: must be a nextCursor'],
    ['/versions', 'component: exactly one of component and system'],
    ['/versions?component=a&system=b', 'component: exactly one of'],
    ['/dora?by=planet', 'by: must be component, team or path'],
    ['/dora?days=1.5', 'days: must be a whole number of days'],
    ['/dora?ref=:', 'ref: must be an entity reference'],
  ])('%s is a bad request', async (path, message) => {
    const { app } = await setUp();
    const { body } = await request(app).get(path).expect(400);
    expect(body.error.message).toContain(message);
  });

  it.each(['/builds', '/builds/x', '/deployments', '/versions', '/dora'])(
    '%s needs credentials and the permission to read',
    async path => {
      const { app, permissions } = await setUp();
      await request(app)
        .get(path)
        .set('Authorization', mockCredentials.none.header())
        .expect(401);
      permissions.authorize.mockResolvedValue([
        { result: AuthorizeResult.DENY },
      ]);
      const { body } = await request(app).get(path).expect(403);
      expect(body.error.message).toContain('ci-registry.entity.read');
    },
  );

  it('say what runs, of a component and of a system', async () => {
    const { app, push } = await setUp();
    await seed(push, 'ledger', [10, 20]);
    await seed(push, 'api', [5]);
    for (const query of ['component=ledger', 'system=core']) {
      const { body } = await request(app).get(`/versions?${query}`).expect(200);
      const ledger = body.items.find(
        (item: { component: string }) =>
          item.component === 'component:default/ledger',
      );
      expect(ledger).toMatchObject({
        environment: 'production',
        deployment: { id: 'd2', version: '1.2' },
        previous: { version: '1.1' },
        commits: [{ sha: sha(2) }],
      });
      expect(body.items).toHaveLength(query === 'system=core' ? 2 : 1);
    }
  });

  it('count DORA by component, team and path', async () => {
    const { app, push } = await setUp();
    await seed(push, 'ledger', [10, 20, 30, 40]);
    await seed(push, 'api', [100, 200, 300]);
    await seed(push, 'hidden', [1, 2, 3]);
    const get = async (query: string) =>
      (await request(app).get(`/dora?days=10&${query}`).expect(200)).body;

    const components = await get('by=component');
    expect(components).toMatchObject({
      environment: 'production',
      leadTimeGoal: 2700,
      to: iso(NOW),
      from: iso(NOW - 10 * DAY),
    });
    expect(components.environments).toContain('production');
    expect(components.definitions.leadTime).toMatch(/^Time from each commit/);
    // What is not in the catalog, or hidden from the caller, is not shown.
    expect(
      components.rows.map((row: any) => [
        row.entityRef,
        row.metrics.leadTime.value,
        row.metrics.deploymentFrequency.value,
        row.previous.deploymentFrequency.value,
      ]),
    ).toEqual([
      ['component:default/api', 200 * 60, 0.3, null],
      ['component:default/ledger', 25 * 60, 0.4, null],
    ]);
    const teams = await get('by=team');
    expect(
      teams.rows.map((row: any) => [row.title, row.metrics.leadTime.samples]),
    ).toEqual([
      ['Edge team', 3],
      ['money', 4],
    ]);
    const paths = await get('by=path&ref=posting');
    expect(paths.rows).toHaveLength(1);
    expect(paths.rows[0]).toMatchObject({
      entityRef: 'criticalpath:default/posting',
      title: 'Posting',
      // ledger by the step, api by its annotation: 10 20 30 40 100 200 300
      metrics: { leadTime: { value: 40 * 60, samples: 7 } },
    });
    const empty = await get('by=component&ref=other');
    expect(empty.rows[0].metrics.leadTime).toMatchObject({
      value: null,
      samples: 0,
    });
    await request(app).get('/dora?ref=hidden').expect(404);
  });
});

it('tells the time to recover from incidents, or why it does not', async () => {
  const { app, logger, push, readIncidents } = await setUp();
  await seed(push, 'ledger', [10]);
  const get = async (query = '') =>
    (await request(app).get(`/dora?ref=ledger&days=10${query}`).expect(200))
      .body;
  readIncidents.mockResolvedValueOnce({
    incidents: [1, 2, 3, 12].map(days => ({
      entityRef: 'component:default/ledger',
      title: 'Errors',
      openedAt: iso(NOW - days * DAY - 600_000),
      closedAt: iso(NOW - days * DAY),
      secondsToRecover: days * 100,
    })),
  });
  const told = await get();
  expect(told.rows[0].incidents).toMatchObject({
    timeToRecover: { value: 200, samples: 3 },
    previous: { value: null, samples: 1 },
  });
  expect(told.incidentNote).toMatch(/^Time from the signal getting bad/);
  expect(readIncidents.mock.calls[0][0]).toEqual({
    entityRefs: ['component:default/ledger'],
    from: iso(NOW - 20 * DAY),
    to: iso(NOW),
  });

  readIncidents.mockRejectedValueOnce(new ServiceUnavailableError('away'));
  const away = await get();
  expect(away.rows[0]).not.toHaveProperty('incidents');
  expect(away.rows[0].metrics.leadTime.samples).toBe(1);
  expect(away.incidentNote).toMatch(/do not answer/);
  expect(logger.warn).toHaveBeenCalledTimes(1);

  const staging = await get('&environment=staging');
  expect(staging.incidentNote).toMatch(/not about this environment/);
  expect(readIncidents).toHaveBeenCalledTimes(2);
});

it('counts anew when something was reported, and only then', async () => {
  const { app, clock, push, store } = await setUp();
  const history = jest.spyOn(store, 'history');
  const asked = () => history.mock.calls.map(([components]) => components);
  const median = async () => {
    const { body } = await request(app).get('/dora?days=10').expect(200);
    return body.rows.map((row: any) => row.metrics.leadTime.value / 60);
  };
  await seed(push, 'ledger', [10, 20, 30, 40]);
  await seed(push, 'api', [100, 200, 300]);
  expect(await median()).toEqual([200, 25]);
  expect(await median()).toEqual([200, 25]);
  expect(asked()).toEqual([
    ['component:default/api', 'component:default/ledger'],
    [],
  ]);
  // A build that comes late says which commits the first deployment held besides.
  clock.now += 1;
  await push({
    builds: [
      {
        component: 'component:default/ledger',
        commits: [{ sha: sha(99), time: iso(NOW - 4 * DAY - 50 * 60_000) }],
      },
    ],
  });
  // Of the first deployment only what it says itself counts, so the figure stays; it was counted, though.
  expect(await median()).toEqual([200, 25]);
  expect(asked()[2]).toEqual(['component:default/ledger']);
  clock.now += 1;
  await push(
    {
      builds: [
        {
          component: 'component:default/ledger',
          commits: [{ sha: sha(98), time: iso(NOW - DAY - 50 * 60_000) }],
        },
      ],
    },
    { commit: sha(4) },
  );
  expect(await median()).toEqual([200, 30]);
});

describe('ChangeReporter', () => {
  const deployment: DeploymentReport = {
    id: 'd1',
    component: 'component:default/ledger',
    environment: 'production',
    version: '1.4.2',
    startedAt: iso(NOW - 60_000),
    outcome: 'in-progress',
  };

  it('tells the start, and the end of it', async () => {
    const { push, recordChange, reporter } = await setUp();
    await push({ deployments: [deployment] });
    expect(await reporter.tell()).toBe(1);
    expect(recordChange).toHaveBeenLastCalledWith(
      {
        source: 'ci-registry',
        id: 'default/ledger/d1',
        kind: 'deployment',
        entityRef: 'component:default/ledger',
        at: deployment.startedAt,
        title: 'ledger 1.4.2',
        version: '1.4.2',
        detail: `in progress in production, commit ${sha(1).slice(0, 12)}`,
      },
      { credentials: expect.anything() },
    );
    await push({
      deployments: [
        {
          ...deployment,
          finishedAt: iso(NOW),
          outcome: 'rolled-back',
          reason: 'error rate',
        },
      ],
    });
    await reporter.tell();
    expect(recordChange).toHaveBeenCalledTimes(2);
    expect(recordChange).toHaveBeenLastCalledWith(
      expect.objectContaining({
        id: 'default/ledger/d1',
        until: iso(NOW),
        detail: expect.stringMatching(/^rolled back in production, error rate/),
      }),
      expect.anything(),
    );
    expect(await reporter.tell()).toBe(0);
  });

  it('loses nothing while the critical paths are away', async () => {
    const { clock, knex, push, recordChange, reporter } = await setUp();
    recordChange.mockRejectedValue(new ServiceUnavailableError('away'));
    for (const id of ['d1', 'd2', 'd3']) {
      await push({ deployments: [{ ...deployment, id }] });
    }
    expect(await reporter.tell()).toBe(0);
    // One call finds out; the others are not tried against the same outage.
    expect(recordChange).toHaveBeenCalledTimes(1);
    expect(await knex('delivery_outbox').pluck('last_error')).toEqual([
      'away',
      'away',
      'away',
    ]);
    await reporter.tell();
    expect(recordChange).toHaveBeenCalledTimes(1);
    recordChange.mockReset();
    clock.now += 5_000;
    expect(await reporter.tell()).toBe(3);
    expect(await knex('delivery_outbox')).toEqual([]);
  });

  it('gives up what would always be refused, and says so', async () => {
    const { logger, push, recordChange, reporter } = await setUp();
    recordChange.mockRejectedValueOnce(new InputError('title: too long'));
    await push({ deployments: [deployment, { ...deployment, id: 'd2' }] });
    expect(await reporter.tell()).toBe(1);
    expect(logger.error).toHaveBeenCalledWith(
      expect.stringContaining('title: too long'),
    );
    expect(await reporter.tell()).toBe(0);
  });

  it('is woken without being waited for, and survives the database', async () => {
    const { knex, logger, push, recordChange, reporter } = await setUp();
    await push({ deployments: [deployment] });
    await Promise.all([reporter.wake(), reporter.wake()]);
    expect(recordChange).toHaveBeenCalledTimes(1);
    await knex.schema.dropTable('delivery_outbox');
    await reporter.wake();
    expect(logger.warn).toHaveBeenCalled();
  });
});

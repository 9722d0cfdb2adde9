import {
  TestDatabases,
  mockCredentials,
  mockErrorHandler,
  mockServices,
} from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import express from 'express';
import request from 'supertest';
import { PathDirectory } from '../service/PathDirectory';
import { DatabaseSignalStore } from '../store/DatabaseSignalStore';
import type { SignalCell } from '../store/SignalStore';
import { componentEntity, pathEntity } from '../testing/entities';
import { DatabaseChangeStore } from './DatabaseChangeStore';
import { createChangesRouter } from './router';
import { SignalReader } from './SignalReader';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3'] });
const NOW = Date.parse('2026-03-10T12:00:30Z');
const MINUTE = Math.floor(NOW / 60_000);
const PATH = 'criticalpath:default/posting';
const LEDGER = 'component:default/ledger';
const asPlugin = mockCredentials.service.header();
const asUser = mockCredentials.user.header();

describe('routes of changes', () => {
  let app: express.Express;
  let store: DatabaseChangeStore;
  let signals: DatabaseSignalStore;
  let allowed: boolean;
  const iso = (minute: number) => new Date(minute * 60_000).toISOString();

  beforeEach(async () => {
    const database = mockServices.database({
      knex: await databases.init('SQLITE_3'),
    });
    signals = await DatabaseSignalStore.create({ database });
    store = new DatabaseChangeStore(await database.getClient());
    allowed = true;
    const directory = new PathDirectory({
      catalog: catalogServiceMock({
        entities: [
          pathEntity('posting', ['ledger', 'notify']),
          componentEntity('ledger'),
          componentEntity('notify'),
        ],
      }),
      auth: mockServices.auth(),
      logger: mockServices.logger.mock(),
    });
    app = express()
      .use(
        createChangesRouter({
          store,
          signals: new SignalReader({ store: signals, directory }),
          directory,
          httpAuth: mockServices.httpAuth(),
          permissions: mockServices.permissions.mock({
            authorize: async requests =>
              requests.map(() => ({
                result: allowed ? AuthorizeResult.ALLOW : AuthorizeResult.DENY,
              })),
          }),
          now: () => NOW,
        }),
      )
      .use(mockErrorHandler());
  });

  const post = (route: string, body: object, auth = asPlugin) =>
    request(app).post(route).set('Authorization', auth).send(body);
  const run = {
    source: 'chaos',
    id: 'run-1',
    kind: 'chaos',
    entityRef: 'Component:default/Ledger',
    at: '2026-03-10T11:00:00Z',
    title: '200 ms of latency',
  };

  it('records a change of a plugin, and its end when it is told again', async () => {
    expect((await post('/service/changes', run)).status).toBe(204);
    await post('/service/changes', {
      ...run,
      until: '2026-03-10T13:10:00+02:00',
      detail: 'weakness found',
      url: 'https://rocket.example/chaos/run-1',
    });
    const changes = await store.listChanges({
      entityRefs: [LEDGER],
      from: 0,
      to: NOW / 1000,
    });
    expect(changes).toEqual([
      expect.objectContaining({
        kind: 'chaos',
        externalId: 'run-1',
        entityRef: LEDGER,
        startTime: Date.parse('2026-03-10T11:00:00Z') / 1000,
        endTime: Date.parse('2026-03-10T11:10:00Z') / 1000,
        detail: 'weakness found',
      }),
    ]);
  });

  it.each([
    [{ source: 'A B' }, /source must be/],
    [{ kind: 'incident' }, /kind must be deployment or chaos/],
    [{ entityRef: 'group:default/a' }, /entityRef must be/],
    [{ entityRef: 'ledger' }, /entityRef must be/],
    [{ at: 'yesterday' }, /at must be a time/],
    [{ until: '2026-03-10T10:00:00Z' }, /until must not be before/],
    [{ title: '' }, /title must be a text/],
    [{ url: 'ftp://x.example' }, /url must be an http/],
    [{ more: 1 }, /more/],
  ])('refuses %j', async (over, message) => {
    const { status, body } = await post('/service/changes', {
      ...run,
      ...over,
    });
    expect([status, body.error.message]).toEqual([
      400,
      expect.stringMatching(message),
    ]);
  });

  it('lets no person in, and nobody without credentials', async () => {
    for (const route of [
      '/service/changes',
      '/service/signals',
      '/service/incidents',
    ]) {
      expect((await post(route, run, asUser)).status).toBe(403);
      expect(
        (await post(route, run, mockCredentials.none.header())).status,
      ).toBe(401);
    }
    const levels = '/components/component/default/ledger/service-levels';
    expect(
      (
        await request(app)
          .get(levels)
          .set('Authorization', mockCredentials.none.header())
      ).status,
    ).toBe(401);
    allowed = false;
    expect(
      (await request(app).get(levels).set('Authorization', asUser)).status,
    ).toBe(403);
  });

  it('reads incidents with the time that recovery took', async () => {
    const at = (minute: number) => (MINUTE + minute) * 60;
    const incident = { priority: 'critical' as const, muted: false };
    const one = (externalId: string, from: number, to?: number) => ({
      kind: 'incident' as const,
      source: 'newrelic',
      externalId,
      entityRef: LEDGER,
      startTime: at(from),
      endTime: to === undefined ? undefined : at(to),
      title: externalId,
      incident,
    });
    await store.saveChanges(
      [
        {
          ...one('told', -300, -240),
          incident: {
            ...incident,
            degradedTime: at(-303),
            recoveredTime: at(-265),
          },
        },
        one('plain', -200, -170),
        {
          ...one('expired', -100, -90),
          incident: { ...incident, notCounted: 'it expired' },
        },
        one('open', -20),
        { ...one('other', -20, -10), entityRef: 'component:default/notify' },
        one('before', -900, -800),
      ],
      at(0),
    );
    const ask = {
      entityRefs: ['Component:default/Ledger'],
      from: iso(MINUTE - 600),
      to: iso(MINUTE),
    };
    const { body } = await post('/service/incidents', ask);
    expect(
      body.incidents.map((found: any) => [
        found.title,
        found.closedAt !== null,
        found.secondsToRecover,
      ]),
    ).toEqual([
      ['told', true, 38 * 60],
      ['plain', true, 30 * 60],
      ['expired', true, null],
      ['open', false, null],
    ]);
    for (const [bad, message] of [
      [{ ...ask, to: ask.from }, "'to'"],
      [{ ...ask, entityRefs: ['group:default/x'] }, 'entityRefs'],
    ] as const) {
      const refused = await post('/service/incidents', bad);
      expect(refused.status).toBe(400);
      expect(refused.body.error.message).toContain(message.replace(/'/g, ''));
    }
  });

  async function collect(name: string, step: string) {
    const [series] = await signals.registerSeries(
      [
        {
          pathRef: PATH,
          componentRef: `component:default/${name}`,
          step,
          selection: {
            source: 'newrelic',
            appName: name,
            criticalPath: 'posting',
          },
        },
      ],
      NOW / 1000,
    );
    const cell = (valid: number): SignalCell => ({
      valid,
      good: valid - 1,
      histogram: [12, valid],
      thresholds: [{ threshold: 250, within: valid - 2, of: valid }],
    });
    await signals.replaceWindow({
      level: 'minute',
      from: MINUTE - 10,
      to: MINUTE - 2,
      time: NOW / 1000,
      entries: [
        {
          seriesId: series.id,
          cells: [
            { at: MINUTE - 5, ...cell(30) },
            { at: MINUTE - 3, ...cell(20) },
          ],
        },
      ],
    });
  }

  it('reads the minutes of a path at its entry step, and says which were observed', async () => {
    await collect('ledger', 'ledger');
    const { status, body } = await post('/service/signals', {
      pathRef: 'CriticalPath:default/posting',
      from: iso(MINUTE - 5),
      to: new Date((MINUTE - 1) * 60_000 - 1).toISOString(),
    });
    expect(status).toBe(200);
    const none = { valid: 0, good: 0, histogram: {}, withinThreshold: {} };
    expect(body).toEqual({
      watermark: iso(MINUTE - 2),
      minutes: [
        {
          start: iso(MINUTE - 5),
          observed: true,
          valid: 30,
          good: 29,
          histogram: { 12: 30 },
          withinThreshold: { 250: 28 },
        },
        { start: iso(MINUTE - 4), observed: true, ...none },
        {
          start: iso(MINUTE - 3),
          observed: true,
          valid: 20,
          good: 19,
          histogram: { 12: 20 },
          withinThreshold: { 250: 18 },
        },
        { start: iso(MINUTE - 2), observed: false, ...none },
      ],
    });
  });

  it('reads one application, and takes none that was not collected for observed', async () => {
    await collect('notify', 'notify');
    const ask = (componentRef: string) =>
      post('/service/signals', {
        pathRef: PATH,
        componentRef,
        from: iso(MINUTE - 5),
        to: iso(MINUTE - 3),
      });
    const notify = await ask('component:default/notify');
    expect(notify.body.minutes.map((m: any) => [m.observed, m.valid])).toEqual([
      [true, 30],
      [true, 0],
    ]);
    const ledger = await ask(LEDGER);
    expect(ledger.body.watermark).toBeNull();
    expect(ledger.body.minutes.map((m: any) => m.observed)).toEqual([
      false,
      false,
    ]);
    expect((await ask('component:default/other')).status).toBe(404);
  });

  it.each([
    [{ pathRef: 'criticalpath:default/none' }, 404, /No critical path/],
    [{ to: iso(MINUTE - 9) }, 400, /'to' must be after 'from'/],
    [{ to: iso(MINUTE + 2000) }, 400, /at most 24 hours/],
    [{ pathRef: 'component:default/ledger' }, 400, /pathRef must be/],
  ])('refuses to read %j', async (over, status, message) => {
    const answer = await post('/service/signals', {
      pathRef: PATH,
      from: iso(MINUTE - 5),
      to: iso(MINUTE),
      ...over,
    });
    expect([answer.status, answer.body.error.message]).toEqual([
      status,
      expect.stringMatching(message),
    ]);
  });

  it('shows service levels with the difference, and whether that is agreement', async () => {
    const level = {
      source: 'newrelic',
      externalId: 'a',
      entityRef: LEDGER,
      name: 'Ledger',
      sli: 'availability' as const,
      target: 99.9,
      windowDays: 7,
      fromTime: NOW / 1000 - 3600,
      toTime: NOW / 1000,
      valid: 1000,
      good: 999,
      ourValid: 1000,
      ourGood: 998,
      comparison: 'Availability',
      query: 'SELECT 1',
      readTime: NOW / 1000,
    };
    await store.replaceServiceLevels(
      'newrelic',
      [LEDGER],
      [
        level,
        { ...level, externalId: 'b', ourGood: 997 },
        { ...level, externalId: 'c', ourValid: 900, ourGood: 899 },
        { ...level, externalId: 'd', ourValid: null, ourGood: null },
        { ...level, externalId: 'e', valid: 0, good: 0 },
      ],
    );
    const { body } = await request(app)
      .get('/components/Component/default/ledger/service-levels')
      .set('Authorization', asUser);
    expect(
      body.rows.map((row: any) => [
        row.id,
        row.deltaPoints === null ? null : Number(row.deltaPoints.toFixed(6)),
        row.agrees,
      ]),
    ).toEqual([
      ['a', -0.1, true],
      ['b', -0.2, false],
      ['c', -0.011111, false],
      ['d', null, null],
      ['e', null, null],
    ]);
    expect(body.rows[0]).toMatchObject({
      theirs: { valid: 1000, good: 999, percent: 99.9 },
      ours: { valid: 1000, good: 998, percent: 99.8 },
      from: '2026-03-10T11:00:30.000Z',
    });
    const { status } = await request(app)
      .get('/components/component/default/nothing/service-levels')
      .set('Authorization', asUser);
    expect(status).toBe(404);
  });

  it('shows those of all applications of a path, but not those of another path', async () => {
    const level = {
      source: 'newrelic',
      entityRef: LEDGER,
      name: 'Ledger',
      sli: 'availability' as const,
      target: 99.9,
      windowDays: 7,
      fromTime: NOW / 1000 - 3600,
      toTime: NOW / 1000,
      valid: 1000,
      good: 999,
      ourValid: 1000,
      ourGood: 999,
      comparison: 'Availability',
      query: 'SELECT 1',
      readTime: NOW / 1000,
    };
    const OTHER = 'component:default/elsewhere';
    await store.replaceServiceLevels(
      'newrelic',
      [LEDGER, OTHER],
      [
        { ...level, externalId: 'all' },
        { ...level, externalId: 'this', criticalPath: 'posting' },
        { ...level, externalId: 'that', criticalPath: 'refunds' },
        { ...level, externalId: 'elsewhere', entityRef: OTHER },
      ],
    );
    const ask = (name: string, auth = asUser) =>
      request(app)
        .get(`/paths/default/${name}/service-levels`)
        .set('Authorization', auth);
    const { body } = await ask('posting');
    expect(
      body.rows.map((row: any) => [row.entityRef, row.id, row.agrees]),
    ).toEqual([
      [LEDGER, 'all', true],
      [LEDGER, 'this', true],
    ]);
    expect((await ask('none')).status).toBe(404);
    expect((await ask('posting', mockCredentials.none.header())).status).toBe(
      401,
    );
    allowed = false;
    expect((await ask('posting')).status).toBe(403);
  });
});

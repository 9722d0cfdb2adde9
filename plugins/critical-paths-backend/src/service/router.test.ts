import { TestDatabases, mockCredentials } from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type {
  BoardResponse,
  BoardRow,
  PathDetail,
} from '@rocket/plugin-critical-paths-common';
import type { Knex } from 'knex';
import request from 'supertest';
import { componentEntity, pathEntity } from '../testing/entities';
import { FakeSource } from '../testing/FakeSource';
import { startStack } from '../__testUtils__/stack';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const START = Date.parse('2026-03-10T12:00:30Z');
const never = new AbortController().signal;

describe.each(databases.eachSupportedId())('API on %p', databaseId => {
  let now: number;
  let knex: Knex;
  let source: FakeSource;
  let entities: Entity[];
  let decide: (name: string) => AuthorizeResult.ALLOW | AuthorizeResult.DENY;
  let visible: (entity: Entity) => boolean;
  let triggered: number;
  let running: boolean;

  beforeEach(async () => {
    now = START;
    knex = await databases.init(databaseId);
    source = new FakeSource();
    decide = () => AuthorizeResult.ALLOW;
    visible = () => true;
    triggered = 0;
    running = false;
    entities = [
      pathEntity('posting', ['ledger', 'notify']),
      pathEntity('settlement', ['settle'], {
        owner: 'group:default/merchants',
        businessModel: 'acquiring',
        objectives: [],
      }),
      pathEntity('top-up', ['ghost']),
      ...['ledger', 'notify', 'settle'].map(name => componentEntity(name)),
    ];
  });

  async function start() {
    const { app, collector, freshBoard } = await startStack({
      knex,
      source,
      entities,
      now: () => now,
      decide: name => decide(name),
      visible: entity => visible(entity),
      collect: async () => {
        triggered += 1;
        return !running;
      },
    });
    /** The rows of a board of the newest figures. */
    const board = async (query = 'window=1h'): Promise<BoardRow[]> => {
      now += 6001;
      await freshBoard('1h');
      const { body } = await request(app).get(`/paths?${query}`);
      return (body as BoardResponse).rows;
    };
    return { app, collector, board };
  }

  const byName = (rows: BoardRow[], name: string) =>
    rows.find(row => row.name === name)!;

  it('answers the board, the path and the component from stored rows', async () => {
    const { app, collector, board } = await start();
    await collector.runCycle(never);
    const asked = source.requests.length;
    const rows = await board();
    expect(rows.map(r => [r.name, r.state])).toEqual([
      ['posting', 'healthy'],
      ['settlement', 'no-objective'],
      ['top-up', 'unknown'],
    ]);
    expect(byName(rows, 'posting')).toMatchObject({
      businessModel: 'domain:default/payments',
      signals: {
        valid: 600,
        good: 600,
        availability: 1,
        errorRate: 0,
        throughputPerMinute: 10,
      },
      objectives: [{ actual: 100, met: true, budgetRemaining: 1, coverage: 1 }],
      data: {
        sources: ['newrelic'],
        watermark: '2026-03-10T12:00:00.000Z',
        newestData: '2026-03-10T11:59:00.000Z',
        lastError: null,
      },
    });
    expect(byName(rows, 'posting').sparkline.points).toHaveLength(60);
    expect(byName(rows, 'top-up')).toMatchObject({
      unknownComponents: ['component:default/ghost'],
      data: { watermark: null, ageSeconds: null },
    });
    for (const window of ['1h', '6h', '24h', '7d', '28d', '30d']) {
      const { body } = await request(app).get(`/paths?window=${window}`);
      const points = body.rows[0].sparkline.points.length;
      expect(points).toBeGreaterThanOrEqual(30);
      expect(points).toBeLessThanOrEqual(61);
      const detail: PathDetail = (
        await request(app).get(`/paths/default/posting?window=${window}`)
      ).body;
      const total = detail.series.points.reduce((sum, p) => sum + p.valid, 0);
      expect(total).toBe(detail.signals.valid);
      expect(total).toBe(body.rows[0].signals.valid);
      expect(detail.applicationDetails[0].signals).toEqual(detail.signals);
    }
    expect(source.requests).toHaveLength(asked);
  });

  it('shows what was not observed as a gap, not as zero', async () => {
    const { collector, board } = await start();
    await collector.runCycle(never);
    // Nothing is read for ten minutes, then one cycle that does not look back far enough.
    source.failing = () => 'timeout';
    now += 600_000;
    await collector.runCycle(never);
    const posting = byName(await board(), 'posting');
    const gaps = posting.sparkline.points.filter(p => !p.observed);
    expect(gaps).toHaveLength(10);
    expect(gaps[0]).toMatchObject({
      throughputPerMinute: null,
      availability: null,
      p95Ms: null,
    });
    // 50 observed minutes with 10 requests each: the gap does not thin the rate out.
    expect(posting.signals).toMatchObject({
      valid: 500,
      throughputPerMinute: 10,
    });
    expect(posting.state).toBe('stale');
    expect(posting.stateReasons[0]).toMatch(
      /component:default\/ledger was last measured 11 min ago: timeout/,
    );
    expect(posting.data.lastError).toMatchObject({ message: 'timeout' });
  });

  it('follows new rows, late corrections and the clock', async () => {
    // 14,410 requests a day: 14 may fail.
    entities[0] = pathEntity('posting', ['ledger', 'notify'], {
      objectives: [{ sli: 'availability', target: 99.9, windowDays: 1 }],
    });
    const { collector, board } = await start();
    await collector.runCycle(never);
    expect(byName(await board(), 'posting').signals.errorRate).toBe(0);
    source.traffic = () => ({ valid: 10, good: 5, durationMs: 700 });
    now += 60_000;
    await collector.runCycle(never);
    // Six minutes, five of them read before, now have 50 % errors.
    const after = byName(await board(), 'posting');
    expect(after.signals.good).toBe(after.signals.valid - 30);
    expect(after.state).toBe('exhausted');
    // The source goes on, but nobody calls the application any more.
    source.traffic = () => undefined;
    for (let i = 0; i < 5; i++) {
      now += 300_000;
      await collector.runCycle(never);
    }
    const quiet = byName(await board(), 'posting');
    expect(quiet.stateReasons.join('\n')).toMatch(
      /no requests at step ledger for/,
    );
    expect(quiet.data.ageSeconds).toBeLessThan(120);
    // A clock that goes back never makes an age negative.
    now -= 3_600_000;
    expect(byName(await board(), 'posting').data.ageSeconds).toBe(0);
  });

  it('filters', async () => {
    const { app, collector } = await start();
    await collector.runCycle(never);
    const names = async (query: string) =>
      (await request(app).get(`/paths?window=1h&${query}`)).body.rows.map(
        (r: BoardRow) => r.name,
      );
    expect(await names('businessModel=acquiring')).toEqual(['settlement']);
    expect(
      await names('businessModel=domain:default/payments,acquiring'),
    ).toEqual(['posting', 'settlement', 'top-up']);
    expect(await names('owner=group:default/ledger')).toEqual([
      'posting',
      'top-up',
    ]);
    expect(await names('state=healthy&state=unknown')).toEqual([
      'posting',
      'top-up',
    ]);
    expect(await names('state=exhausted')).toEqual([]);
    expect(await names('q=NOTIFY')).toEqual(['posting']);
    expect(await names('q=')).toEqual(['posting', 'settlement', 'top-up']);
  });

  it.each([
    [
      '/paths?window=14d',
      'query parameter window must be 1h, 6h, 24h, 7d, 28d or 30d, was "14d"',
    ],
    [
      '/paths?state=green',
      'query parameter state must be healthy, at-risk, exhausted, no-data, stale, no-objective, unknown or maintenance, was "green"',
    ],
    ['/paths?owner=a%20b', 'query parameter owner must be an entity ref'],
    [
      `/paths?q=${'x'.repeat(101)}`,
      'query parameter q must be a text of at most 100 characters',
    ],
    [
      '/paths?windw=1h',
      'query parameter windw is not known; known are window, businessModel, owner, state, q, format',
    ],
    [
      '/paths/default/posting?window=now',
      'query parameter window must be 1h, 6h, 24h, 7d, 28d or 30d, was "now"',
    ],
    [
      '/paths/default/a%20b',
      'path parameter name must be a name of letters, digits',
    ],
    [
      `/components/component/default/${'a'.repeat(64)}/paths`,
      'path parameter name must be a name',
    ],
  ])('answers 400 to %s', async (url, message) => {
    const { app } = await start();
    const response = await request(app).get(url);
    expect(response.status).toBe(400);
    expect(response.body.error.message).toContain(message);
  });

  it('answers 401, 403 and 404', async () => {
    const { app } = await start();
    for (const [method, url] of [
      ['get', '/paths'],
      ['get', '/paths/default/posting'],
      ['get', '/components/component/default/ledger/paths'],
      ['get', '/openapi.json'],
      ['post', '/collect'],
    ] as const) {
      const response = await request(app)
        [method](url)
        .set('authorization', mockCredentials.none.header());
      expect([url, response.status]).toEqual([url, 401]);
    }
    decide = name =>
      name === 'critical-paths.collect'
        ? AuthorizeResult.DENY
        : AuthorizeResult.ALLOW;
    expect((await request(app).post('/collect')).status).toBe(403);
    expect(triggered).toBe(0);
    expect((await request(app).get('/paths')).status).toBe(200);
    decide = () => AuthorizeResult.DENY;
    for (const url of [
      '/paths',
      '/paths/default/posting',
      '/components/component/default/ledger/paths',
    ]) {
      expect((await request(app).get(url)).status).toBe(403);
    }
    decide = () => AuthorizeResult.ALLOW;
    const missing = await request(app).get('/paths/default/nothing');
    expect(missing.status).toBe(404);
    expect(missing.body.error.message).toBe(
      'No critical path criticalpath:default/nothing in the catalog',
    );
    const nowhere = await request(app).get(
      '/components/component/default/nobody/paths',
    );
    expect(nowhere.status).toBe(200);
    expect(nowhere.body.rows).toEqual([]);
  });

  it('leaves out what the caller may not read in the catalog', async () => {
    visible = entity => entity.metadata.name !== 'posting';
    const { app, collector } = await start();
    await collector.runCycle(never);
    const { body } = await request(app).get('/paths?window=1h');
    expect(body.rows.map((r: BoardRow) => r.name)).toEqual([
      'settlement',
      'top-up',
    ]);
    expect((await request(app).get('/paths/default/posting')).status).toBe(404);
    const component = await request(app).get(
      '/components/component/default/ledger/paths',
    );
    expect(component.body.rows).toEqual([]);
    // A service sees all of them.
    const service = await request(app)
      .get('/paths?window=1h')
      .set('authorization', mockCredentials.service.header());
    expect(service.body.rows).toHaveLength(3);
  });

  it('answers 304 while nothing changed', async () => {
    const { app, collector } = await start();
    await collector.runCycle(never);
    const first = await request(app).get('/paths?window=1h');
    expect(first.headers.etag).toMatch(/^W\/"/);
    const second = await request(app)
      .get('/paths?window=1h')
      .set('if-none-match', first.headers.etag);
    expect(second.status).toBe(304);
    const other = await request(app)
      .get('/paths?window=6h')
      .set('if-none-match', first.headers.etag);
    expect(other.status).toBe(200);
  });

  it('starts a collection, or says that one is running', async () => {
    const { app } = await start();
    const first = await request(app).post('/collect');
    expect([first.status, first.body]).toEqual([202, { status: 'triggered' }]);
    running = true;
    expect((await request(app).post('/collect')).body).toEqual({
      status: 'already-running',
    });
  });

  it('answers 503 while the database is away', async () => {
    const { app, collector } = await start();
    await collector.runCycle(never);
    expect((await request(app).get('/paths?window=1h')).status).toBe(200);
    await knex.destroy();
    // Known a moment ago: the first reader to come is not made to wait.
    now += 2000;
    expect((await request(app).get('/paths?window=1h')).status).toBe(200);
    const response = await request(app).get('/paths?window=1h');
    expect(response.status).toBe(503);
    expect(response.body.error.message).toContain(
      'The database of the critical paths cannot be reached; try again in a moment',
    );
  });
});

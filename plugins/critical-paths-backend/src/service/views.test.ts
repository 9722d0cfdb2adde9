import { TestDatabases } from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import type {
  HistoryResponse,
  SignalBoardResponse,
  TeamsResponse,
} from '@rocket/plugin-critical-paths-common';
import type { Knex } from 'knex';
import request from 'supertest';
import { NOON, PostingWorld } from '../__testUtils__/postingWorld';
import { componentEntity, pathEntity } from '../testing/entities';

const group = (name: string, spec: object = {}): Entity => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Group',
  metadata: { namespace: 'default', name },
  spec: { type: 'team', children: [], ...spec },
});

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });

describe.each(databases.eachSupportedId())('views on %p', databaseId => {
  let knex: Knex;
  let world: PostingWorld;

  beforeEach(async () => {
    knex = await databases.init(databaseId);
    world = new PostingWorld();
  });

  it('compares with the window before', async () => {
    world.outage(minute => minute >= NOON - 100 && minute < NOON - 90, 60);
    const { cycle, page, row } = await world.start(knex);
    await cycle();
    expect(await row()).toMatchObject({
      signals: { valid: 6000, good: 6000 },
      previous: {
        from: '2026-03-10T10:00:00.000Z',
        to: '2026-03-10T11:00:00.000Z',
        signals: { valid: 6000, good: 5400, availability: 0.9 },
      },
    });
    const { applicationDetails } = await page('1h');
    expect(applicationDetails[2].previous).toMatchObject({ good: 5400 });
    for (const window of ['24h', '7d'] as const) {
      const { previous, signals } = await row('posting', window);
      expect(Date.parse(previous.to) - Date.parse(previous.from)).toBe(
        (window === '7d' ? 7 : 1) * 86_400_000,
      );
      expect(signals.valid - signals.good).toBe(600);
      expect(previous.signals.valid).toBe(window === '7d' ? 0 : 144_000);
    }
  });

  it.each([
    ['measured', 100, 0],
    ['serial', 0, 81],
    ['worst', 0, 90],
    ['weighted', 0, 97.5],
  ] as const)('aggregates: %s', async (aggregation, good, percent) => {
    world.entities[0] = pathEntity('posting', [], {
      aggregation,
      steps: ['gateway', 'payments', 'ledger'].map((component, index) => ({
        component,
        ...(aggregation === 'weighted' ? { weight: index === 0 ? 6 : 1 } : {}),
      })),
      objectives: [{ sli: 'availability', target: 99, windowDays: 1 }],
    });
    world.outage(() => true, 10, ['payments', 'ledger']);
    const { cycle, page, row } = await world.start(knex);
    await cycle();
    const found = await row();
    const share = percent || good;
    expect(found.signals.valid).toBe(6000);
    expect(found.signals.availability).toBeCloseTo(share / 100, 6);
    expect(found.objectives[0].actual).toBeCloseTo(share, 6);
    expect(found.budget!.burn['1h']).toBeCloseTo(100 - share, 4);
    const detail = await page('1h');
    expect(detail.series.points[0].availability).toBeCloseTo(share / 100, 6);
    expect(detail.explanations[0].formula).toMatch(
      {
        measured: /of the first step/,
        serial: /product/,
        weighted: /weight/,
        worst: /lowest/,
      }[aggregation],
    );
    // Payments fails exactly as often as the ledger, in the same minutes. By the
    // entry step alone nothing was burned.
    const { rows, unknownPercent, badEvents } = detail.attribution;
    expect(badEvents > 0).toBe(aggregation !== 'measured');
    expect(rows.filter(r => r.ownEvents > 0).map(r => r.entityRef)).toEqual(
      aggregation === 'measured' ? [] : ['component:default/ledger'],
    );
    expect(
      rows.reduce((sum, r) => sum + r.sharePercent, 0) + unknownPercent,
    ).toBeCloseTo(aggregation === 'measured' ? 0 : 100, 1);
  });

  it('cannot judge an aggregated path while a step has no requests', async () => {
    world.entities[0] = pathEntity('posting', ['gateway', 'payments'], {
      aggregation: 'serial',
    });
    world.source.traffic = ({ appName }) =>
      appName === 'payments'
        ? undefined
        : { valid: 100, good: 100, durationMs: 50 };
    const { cycle, row } = await world.start(knex);
    await cycle();
    expect(await row()).toMatchObject({
      state: 'unknown',
      objectives: [{ actual: null, missingSteps: ['payments'] }],
      budget: { budget: null },
    });
  });

  it('answers a board per signal', async () => {
    world.entities[0] = pathEntity('posting', ['gateway'], {
      objectives: [
        { sli: 'availability', target: 99, windowDays: 1 },
        { sli: 'latency', target: 95, thresholdMs: 40, windowDays: 1 },
        { sli: 'throughput', target: 20, windowDays: 1 },
      ],
    });
    world.outage(minute => minute >= NOON - 60 && minute < NOON - 30, 2);
    const { app, cycle, freshBoard } = await world.start(knex);
    await cycle();
    await freshBoard('1h');
    const board = async (signal: string): Promise<SignalBoardResponse> =>
      (await request(app).get(`/boards/${signal}?window=1h`)).body;
    expect(await board('uptime')).toMatchObject({
      unit: 'percent',
      rows: [{ value: 99, previous: 100, target: 99, met: true, valid: 6000 }],
    });
    expect(await board('error-rate')).toMatchObject({
      unit: 'percent',
      rows: [{ value: 1, previous: 0, target: 1, met: true }],
    });
    expect(await board('throughput')).toMatchObject({
      unit: 'perMinute',
      rows: [{ value: 100, previous: 100, target: 20, met: true }],
    });
    const latency = await board('latency');
    expect(latency).toMatchObject({
      unit: 'ms',
      rows: [{ target: 40, met: false }],
    });
    expect(Math.abs(latency.rows[0].value! - 50) / 50).toBeLessThan(0.087);
    expect(latency.formula).toMatch(/95th percentile/);
    const wrong = await request(app).get('/boards/speed');
    expect(wrong.status).toBe(400);
    expect(wrong.body.error.message).toContain(
      'path parameter signal must be uptime, throughput, error-rate or latency, was "speed"',
    );
  });

  it('adds paths up by team, through groups five deep', async () => {
    world.entities = [
      pathEntity('posting', ['gateway'], { owner: 'group:default/e' }),
      pathEntity('settlement', ['settle'], { owner: 'group:default/c' }),
      pathEntity('lonely', ['settle'], { owner: 'user:default/ann' }),
      pathEntity('lost', ['ghost'], { owner: 'group:default/f' }),
      ...['gateway', 'settle'].map(name => componentEntity(name)),
      // Some name what is above them, one names what is below.
      group('a', { profile: { displayName: 'The bank' } }),
      group('b', { parent: 'a', children: ['c'] }),
      group('c'),
      group('d', { parent: 'group:default/c' }),
      group('e', { parent: 'd' }),
      // A circle must not hang anybody.
      group('f', { parent: 'g' }),
      group('g', { parent: 'f' }),
    ];
    world.outage(minute => minute === NOON - 10, 100, ['settle']);
    const { app, cycle, freshBoard } = await world.start(knex);
    await cycle();
    await freshBoard('1h');
    const answer = await request(app).get('/teams?window=1h');
    const { rows } = answer.body as TeamsResponse;
    expect(
      rows.map(row => [
        row.entityRef,
        row.parent,
        row.ownPaths,
        row.paths.length,
        row.state,
        row.signals.good,
      ]),
    ).toEqual([
      ['group:default/a', undefined, 0, 2, 'healthy', 11_900],
      ['group:default/b', 'group:default/a', 0, 2, 'healthy', 11_900],
      ['group:default/c', 'group:default/b', 1, 2, 'healthy', 11_900],
      ['group:default/d', 'group:default/c', 0, 1, 'healthy', 6000],
      ['group:default/e', 'group:default/d', 1, 1, 'healthy', 6000],
      ['group:default/f', 'group:default/g', 1, 1, 'unknown', 0],
      ['group:default/g', 'group:default/f', 0, 1, 'unknown', 0],
      ['user:default/ann', undefined, 1, 1, 'healthy', 5900],
    ]);
    expect(rows[0]).toMatchObject({
      title: 'The bank',
      states: { healthy: 2 },
      signals: { valid: 12_000, throughputPerMinute: 200 },
    });
    expect(rows[0].budgetRemaining).toBeCloseTo(1 - 100 / 1440, 2);
  });

  it('writes every board as CSV that no spreadsheet runs', async () => {
    world.entities[0] = {
      ...pathEntity('posting', ['gateway']),
      metadata: {
        namespace: 'default',
        name: 'posting',
        title: '=HYPERLINK("http://x","a, b")',
      },
    };
    const { app, cycle, freshBoard } = await world.start(knex);
    await cycle();
    await freshBoard('1h');
    for (const url of [
      '/paths?window=1h&format=csv',
      '/boards/uptime?window=1h&format=csv',
    ]) {
      const answer = await request(app).get(url);
      expect(answer.headers['content-type']).toMatch(/^text\/csv/);
      expect(answer.headers['content-disposition']).toMatch(
        /^attachment; filename="[a-z-]+1h.csv"$/,
      );
      const [heading, line, end] = answer.text.split('\r\n');
      expect(heading).toMatch(/^path,title,business model,owner,state,/);
      expect(line).toMatch(
        /^criticalpath:default\/posting,"'=HYPERLINK\(""http:\/\/x"",""a, b""\)",domain:default\/payments,/,
      );
      expect(end).toBe('');
    }
    const byHeader = await request(app)
      .get('/paths/default/posting?window=1h')
      .set('accept', 'text/csv');
    expect(byHeader.text).toMatch(
      /\r\ncriticalpath:default\/posting,component:default\/gateway,group:default\/a,gateway,healthy,/,
    );
    const teams = await request(app).get('/teams?format=csv&window=1h');
    expect(teams.text).toMatch(/^team,title,parent,state,paths,/);
    // The same address without it stays JSON.
    const json = await request(app).get('/paths/default/posting?window=1h');
    expect(json.headers['content-type']).toMatch(/json/);
  });

  it('remembers thirteen months by days', async () => {
    const { app, cycle, store } = await world.start(knex);
    await cycle();
    const [series] = (await store.listSeries()).filter(
      s => s.selection.appName === 'gateway',
    );
    const day = (text: string) => Date.parse(`${text}T00:00:00Z`) / 60_000;
    // 24 h of an hour each: 1,000 requests, of which 10 fail in January.
    for (const [date, good] of [
      ['2025-02-20', 1000],
      ['2025-03-20', 1000],
      ['2026-01-31', 990],
      ['2026-02-01', 1000],
    ] as const) {
      await store.replaceWindow({
        level: 'hour',
        from: day(date),
        to: day(date) + 1440,
        time: 1,
        entries: [
          {
            seriesId: series.id,
            cells: [
              {
                at: day(date) + 600,
                valid: 1000,
                good,
                histogram: [20, 1000],
                thresholds: [],
              },
            ],
          },
        ],
      });
    }
    world.now += 6001;
    const answer = await request(app).get('/paths/default/posting/history');
    const { months } = answer.body as HistoryResponse;
    expect(months.map(m => [m.month, m.signals.valid, m.signals.good])).toEqual(
      [
        ['2026-03', months[0].signals.valid, months[0].signals.valid],
        ['2026-02', 1000, 1000],
        ['2026-01', 1000, 990],
        ['2025-03', 1000, 1000],
      ],
    );
    expect(months[2]).toMatchObject({
      from: '2026-01-01T00:00:00.000Z',
      to: '2026-02-01T00:00:00.000Z',
      objectives: [{ objective: 0, actual: 99, met: true, budgetRemaining: 0 }],
    });
    expect(months[2].observed).toBeCloseTo(1 / 31, 6);
    const few = await request(app).get(
      '/paths/default/posting/history?months=2',
    );
    expect(few.body.months).toHaveLength(2);
    const many = await request(app).get(
      '/paths/default/posting/history?months=14',
    );
    expect(many.status).toBe(400);
    expect(many.body.error.message).toContain(
      'query parameter months must be a whole number from 1 to 13',
    );
    const nowhere = await request(app).get('/paths/default/none/history');
    expect(nowhere.status).toBe(404);
  });
});

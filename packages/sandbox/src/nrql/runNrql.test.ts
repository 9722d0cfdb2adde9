import { EventStore, StoredEvent } from '../store/EventStore';
import { runNrql } from './runNrql';

const NOW = Date.parse('2026-03-02T12:00:00Z'); // a Monday
const MINUTE = 60_000;
const ACCOUNT = 7;

interface Spec {
  /** Minutes before NOW. */
  ago: number;
  app?: string;
  duration?: number;
  status?: string | number;
  error?: boolean;
  weight?: number;
  [attribute: string]: unknown;
}

function event({ ago, app, status, weight, ...rest }: Spec): StoredEvent {
  const attributes: StoredEvent['attributes'] = {};
  if (app !== undefined) attributes.appName = app;
  if (status !== undefined) attributes['http.statusCode'] = status;
  for (const [name, value] of Object.entries(rest)) {
    attributes[name] = value as string | number | boolean;
  }
  return {
    eventType: 'Transaction',
    timestamp: NOW - ago * MINUTE,
    attributes,
    weight,
  };
}

function storeOf(events: StoredEvent[]) {
  const store = new EventStore({
    accounts: [{ id: ACCOUNT, name: 'demo', apiKey: 'k', licenseKey: 'l' }],
    now: () => NOW,
  });
  store.append(ACCOUNT, events);
  return store;
}

/** Out of order on purpose. */
const EVENTS = [
  { ago: 5, app: 'a', duration: 0.4, status: '200', error: false, name: 'Get' },
  {
    ago: 59,
    app: 'a',
    duration: 0.1,
    status: '200',
    error: false,
    name: 'Get',
  },
  {
    ago: 40,
    app: 'a',
    duration: 0.2,
    status: '500',
    error: true,
    name: 'Post',
  },
  { ago: 30, app: 'b', duration: 1, status: '200', error: false, name: 'Get' },
  { ago: 20, app: 'b', duration: 2, status: '404', error: true, name: 'Post' },
  { ago: 10, app: 'a', duration: 0.3, name: 'cron', weight: 3 },
  { ago: 1, duration: 5, status: 503, error: true, 'odd name': 'x' },
  { ago: 90, app: 'a', duration: 9, status: '200', error: false, name: 'old' },
].map(event);

async function run(nrql: string, events = EVENTS) {
  return runNrql(storeOf(events), [ACCOUNT], nrql, NOW);
}

/** The value of the only column of the only row. */
async function value(select: string, rest = '') {
  const { results } = await run(
    `SELECT ${select} AS v FROM Transaction ${rest}`,
  );
  expect(results).toHaveLength(1);
  return results[0].v;
}

describe('aggregates', () => {
  it.each<{ select: string; expected: unknown; rest: string }>(
    (
      [
        ['count(*)', 7],
        ['count(1)', 7],
        ['count(*)', 8, 'SINCE 2 hours ago'],
        ['count(*)', 0, "WHERE appName = 'none'"],
        ['count(appName)', 6],
        ['count(error)', 6],
        ['count(nothing)', 0],
        ['sum(duration)', 9],
        ['sum(nothing)', 0],
        ['sum(appName)', 0],
        ['average(duration)', 9 / 7],
        ['average(nothing)', null],
        ['average(duration * 1000)', 9000 / 7],
        ['min(duration)', 0.1],
        ['max(duration)', 5],
        ['max(nothing)', null],
        ['latest(appName)', 'a'],
        ['latest(duration)', 5],
        ['earliest(appName)', 'a'],
        ['earliest(name)', 'Get'],
        ['latest(error)', true],
        ['latest(nothing)', null],
        ['uniqueCount(appName)', 2],
        ['uniqueCount(nothing)', 0],
        ['uniques(appName)', ['a', 'b']],
        ['uniques(name, 1)', ['Get']],
        ['percentile(duration, 50)', { 50: 0.4 }],
        ['percentile(duration, 50, 99.9)', { 50: 0.4, 99.9: 5 }],
        ['percentile(duration)', { 95: 5 }],
        ['percentile(nothing, 95)', { 95: null }],
        ['median(duration)', { 50: 0.4 }],
        ['stddev(duration)', 0.5, "WHERE appName = 'b'"],
        ['stddev(nothing)', null],
        // 0.1 0.2 0.3 0.4 | 1 | 2 | 5, with everything above the range in the last bin
        ['histogram(duration, 4, 4)', [4, 1, 1, 1]],
        ['histogram(duration, ceiling: 4, buckets: 4)', [4, 1, 1, 1]],
        ['histogram(duration, width: 3, buckets: 3, start: 1)', [5, 1, 1]],
        ['histogram(duration, 2, 2, start: -1)', [0, 7]],
        ['percentage(count(*), WHERE error IS TRUE)', (3 / 7) * 100],
        ['percentage(sum(duration), WHERE duration >= 2)', (7 / 9) * 100],
        [
          'percentage(count(*), WHERE error IS TRUE)',
          null,
          'WHERE duration > 99',
        ],
        ['rate(count(*), 1 minute)', 7 / 60],
        ['rate(count(*), 30 seconds)', 7 / 120],
        ['rate(sum(duration), 1 hour)', 9],
        ['filter(count(*), WHERE duration <= 0.4)', 4],
        ['filter(count(*), WHERE duration < 0.4)', 3],
        ["filter(average(duration), WHERE appName = 'b')", 1.5],
        ["filter(rate(count(*), 1 hour), WHERE appName = 'b')", 2],
        [
          'percentage(filter(count(*), WHERE error IS FALSE), WHERE duration < 1)',
          (2 / 3) * 100,
        ],
        [
          'apdex(duration, t: 0.3)',
          { score: 4 / 7, count: 7, s: 3, t: 2, f: 2 },
        ],
        ['apdex(duration)', { score: 5 / 7, count: 7, s: 4, t: 2, f: 1 }],
        ['count(*) / 2 + 1', 4.5],
        ['2 * (count(*) - 1)', 12],
        ['-count(*)', -7],
        ['sum(duration) / count(*)', 9 / 7],
        ['count(*) / sum(nothing)', null],
        ['clamp_max(count(*), 5)', 5],
        ['clamp_min(count(*), 50)', 50],
        ['sum(numeric(http.statusCode))', 200 + 200 + 500 + 200 + 404 + 503],
        ['1', 1],
      ] as [string, unknown, string?][]
    ).map(([select, expected, rest = '']) => ({ select, expected, rest })),
  )('$select is $expected $rest', async ({ select, expected, rest }) => {
    const actual = await value(select, rest);
    if (typeof expected === 'number') expect(actual).toBeCloseTo(expected, 9);
    else expect(actual).toEqual(expected);
  });

  it.each<[string, string, number]>([
    ['count(*)', 'counts with EXTRAPOLATE what an event stands for', 9],
    ['sum(duration)', 'sum', 9.6],
    ['average(duration)', 'average', 9.6 / 9],
    ['rate(count(*), 1 minute)', 'rate', 9 / 60],
    ["percentage(count(*), WHERE name = 'cron')", 'percentage', (3 / 9) * 100],
    ['filter(count(*), WHERE duration <= 0.3)', 'ladder', 5],
    ['max(duration)', 'not max', 5],
    ['uniqueCount(appName)', 'not uniqueCount', 2],
  ])('%s (%s)', async (select, _, expected) => {
    expect(await value(select, 'EXTRAPOLATE')).toBeCloseTo(expected, 9);
  });
});

describe('WHERE', () => {
  it.each<[string, number]>([
    ["appName = 'a'", 4],
    ["appName != 'a'", 2],
    ["appName <> 'a'", 2],
    ["NOT appName = 'a'", 3],
    ["'a' = appName", 4],
    ['duration = 1', 1],
    ['duration < 1', 4],
    ['duration <= 1', 5],
    ['duration > 1', 2],
    ['duration >= 1', 3],
    ['duration != 1', 6],
    ['1 < duration', 2],
    ['duration * 10 + 1 > 11', 2],
    ['duration - 1 = 1', 1],
    ['-duration < -1', 2],
    ['duration / 0 > 1', 0],
    ["duration = '1'", 0],
    ["appName IN ('a', 'b')", 6],
    ["appName NOT IN ('a')", 2],
    ['duration IN (1, 2, 77)', 2],
    ["appName LIKE 'A'", 4],
    ["name LIKE '%o%'", 3],
    ["name LIKE 'p%t'", 2],
    ["name LIKE '%os'", 0],
    ["name NOT LIKE 'p%'", 4],
    ["name LIKE '%'", 6],
    ['appName IS NULL', 1],
    ['appName IS NOT NULL', 6],
    ['nothing IS NULL', 7],
    ['error IS TRUE', 3],
    ['error IS FALSE', 3],
    ['error IS NOT TRUE', 4],
    ['nothing > 1', 0],
    ['NOT nothing > 1', 7],
    ["nothing != 'x'", 0],
    ["nothing NOT IN ('x')", 0],
    ['http.statusCode < 500', 0],
    ['http.statusCode >= 500', 1],
    ['numeric(http.statusCode) < 500', 4],
    ['numeric(http.statusCode) >= 500', 2],
    ['numeric(appName) > 0', 0],
    ['numeric(http.statusCode) < 500 OR http.statusCode IS NULL', 5],
    ["appName = 'a' AND duration > 0.1 OR appName = 'b'", 5],
    ["appName = 'a' AND (duration > 0.1 OR appName = 'b')", 3],
    ['appName = name OR duration = 5', 1],
    ["`odd name` = 'x'", 1],
    ["name = 'Get' -- the rest is a comment", 3],
    ["name /* so is this */ = 'Get'", 3],
    [`timestamp >= ${NOW - 10 * MINUTE}`, 3],
  ])('%s meets %i events', async (where, expected) => {
    const { results } = await run(
      `SELECT count(*) FROM Transaction WHERE ${where}`,
    );
    expect(results).toEqual([{ count: expected }]);
  });

  it('reads quotes and backslashes that are escaped', async () => {
    const events = [event({ ago: 1, name: "it's \\ here" })];
    const { results } = await run(
      String.raw`SELECT count(*) FROM Transaction WHERE name = 'it\'s \\ here'`,
      events,
    );
    expect(results).toEqual([{ count: 1 }]);
  });
});

describe('windows', () => {
  it.each<[string, number, string, string]>([
    ['', 7, '2026-03-02T11:00:00.000Z', '2026-03-02T12:00:00.000Z'],
    // SINCE is inclusive, UNTIL exclusive.
    [
      'SINCE 59 minutes ago',
      7,
      '2026-03-02T11:01:00.000Z',
      '2026-03-02T12:00:00.000Z',
    ],
    [
      'SINCE 90 minutes ago UNTIL 59 minutes ago',
      1,
      '2026-03-02T10:30:00.000Z',
      '2026-03-02T11:01:00.000Z',
    ],
    [
      'until now since today',
      8,
      '2026-03-02T00:00:00.000Z',
      '2026-03-02T12:00:00.000Z',
    ],
    [
      'SINCE yesterday UNTIL today',
      0,
      '2026-03-01T00:00:00.000Z',
      '2026-03-02T00:00:00.000Z',
    ],
    ['SINCE monday', 8, '2026-03-02T00:00:00.000Z', '2026-03-02T12:00:00.000Z'],
    [
      'SINCE tuesday',
      8,
      '2026-02-24T00:00:00.000Z',
      '2026-03-02T12:00:00.000Z',
    ],
    [
      'SINCE 1 month ago',
      8,
      '2026-01-31T12:00:00.000Z',
      '2026-03-02T12:00:00.000Z',
    ],
    [
      'SINCE 1 quarter ago',
      8,
      '2025-12-01T12:00:00.000Z',
      '2026-03-02T12:00:00.000Z',
    ],
    [
      `SINCE ${NOW - 30 * MINUTE} UNTIL ${NOW - 10 * MINUTE}`,
      2,
      '2026-03-02T11:30:00.000Z',
      '2026-03-02T11:50:00.000Z',
    ],
    [
      `SINCE ${NOW / 1000 - 1800}`,
      5,
      '2026-03-02T11:30:00.000Z',
      '2026-03-02T12:00:00.000Z',
    ],
    [
      "SINCE '2026-03-02T11:30:00Z'",
      5,
      '2026-03-02T11:30:00.000Z',
      '2026-03-02T12:00:00.000Z',
    ],
    [
      "SINCE '2026-03-02 11:30:00'",
      5,
      '2026-03-02T11:30:00.000Z',
      '2026-03-02T12:00:00.000Z',
    ],
    [
      "SINCE '2026-03-02T12:30:00+0100'",
      5,
      '2026-03-02T11:30:00.000Z',
      '2026-03-02T12:00:00.000Z',
    ],
    [
      "SINCE '2026-03-02'",
      8,
      '2026-03-02T00:00:00.000Z',
      '2026-03-02T12:00:00.000Z',
    ],
  ])('%s counts %i', async (clauses, expected, begin, end) => {
    const answer = await run(`SELECT count(*) FROM Transaction ${clauses}`);
    const { timeWindow } = answer.metadata;
    expect(new Date(timeWindow.begin).toISOString()).toBe(begin);
    expect(new Date(timeWindow.end).toISOString()).toBe(end);
    expect(answer.results).toEqual([{ count: expected }]);
  });

  it('sees events ahead of the clock when the window reaches there', async () => {
    const events = [event({ ago: -7 }), event({ ago: 1 })];
    const until = NOW + 10 * MINUTE;
    const { results } = await run(
      `SELECT count(*) FROM Transaction SINCE 1 hour ago UNTIL ${until}`,
      events,
    );
    expect(results).toEqual([{ count: 2 }]);
  });

  it('keeps whole buckets only, counted back from the end', async () => {
    const { metadata, results } = await run(
      "SELECT count(*) FROM Foo TIMESERIES 5 minutes SINCE '2023-12-20T00:04:59Z' UNTIL '2023-12-21T00:03:12Z'",
    );
    const begin = Date.parse('2023-12-20T00:08:12Z');
    expect(metadata.timeWindow).toMatchObject({
      begin,
      end: Date.parse('2023-12-21T00:03:12Z'),
    });
    expect(results).toHaveLength(287);
    expect(results[0]).toEqual({
      beginTimeSeconds: begin / 1000,
      endTimeSeconds: begin / 1000 + 300,
      count: 0,
    });
  });

  it.each<[string, number]>([
    ['TIMESERIES SINCE 1 day ago', 48],
    ['TIMESERIES AUTO SINCE 1 day ago', 48],
    ['TIMESERIES AUTO SINCE 1 week ago', 28],
    ['TIMESERIES AUTO', 60],
    ['TIMESERIES MAX SINCE 1 day ago', 360],
    ['TIMESERIES 1 day SINCE 1 year ago', 365],
    ['TIMESERIES 366 minutes SINCE 1 week ago', 27],
    ['TIMESERIES MAX SINCE 10 years ago', 121],
    ['TIMESERIES AUTO SINCE 500 milliseconds ago', 1],
  ])('%s has %i buckets', async (clauses, expected) => {
    const { results } = await run(
      `SELECT count(*) FROM Transaction ${clauses}`,
    );
    expect(results).toHaveLength(expected);
  });
});

describe('shapes', () => {
  it('has one row and no totals without FACET', async () => {
    const answer = await run(
      'SELECT count(*) FROM Transaction SINCE 1 day ago',
    );
    expect(answer).toMatchObject({
      results: [{ count: 8 }],
      totalResult: null,
      otherResult: null,
      currentResults: null,
      previousResults: null,
      nrql: 'SELECT count(*) FROM Transaction SINCE 1 day ago',
      metadata: {
        eventTypes: ['Transaction'],
        facets: null,
        messages: [],
        timeWindow: { compareWith: null, since: '1 day AGO', until: 'NOW' },
      },
    });
  });

  it('names columns after their function', async () => {
    const { results } = await run(
      'SELECT count(*), count(error), average(duration), uniqueCount(appName), percentile(duration, 50), rate(count(*), 1 hour), count(*) * 2, 1 FROM Transaction',
    );
    expect(Object.keys(results[0])).toEqual([
      'average.duration',
      'constant',
      'count',
      'count.error',
      'percentile.duration',
      'rate',
      'result',
      'uniqueCount.appName',
    ]);
  });

  it('shows a single facet twice and totals as objects', async () => {
    const answer = await run(
      "SELECT count(*), average(duration) AS 'Zed' FROM Transaction FACET appName LIMIT 1",
    );
    expect(answer.metadata.facets).toEqual(['appName']);
    expect(answer.results).toEqual([
      { facet: 'a', appName: 'a', count: 4, Zed: 0.25 },
    ]);
    expect(Object.keys(answer.results[0])).toEqual([
      'facet',
      'Zed',
      'appName',
      'count',
    ]);
    expect(answer.totalResult).toEqual({
      count: 7,
      Zed: expect.closeTo(9 / 7),
    });
    // b's two events and the one without an appName
    expect(answer.otherResult).toEqual({
      count: 3,
      Zed: expect.closeTo(8 / 3),
    });
  });

  it('shows several facets as an array only', async () => {
    const answer = await run(
      'SELECT count(*) FROM Transaction FACET appName, name',
    );
    expect(answer.metadata.facets).toEqual(['appName', 'name']);
    expect(answer.results).toEqual([
      { facet: ['a', 'Get'], count: 2 },
      { facet: ['a', 'Post'], count: 1 },
      { facet: ['a', 'cron'], count: 1 },
      { facet: ['b', 'Get'], count: 1 },
      { facet: ['b', 'Post'], count: 1 },
    ]);
    expect(answer.totalResult).toEqual({ count: 7 });
    expect(answer.otherResult).toEqual({ count: 1 });
  });

  it('shows numbers and booleans as facets by their text', async () => {
    const { results } = await run(
      'SELECT count(*) FROM Transaction FACET error',
    );
    expect(results).toEqual([
      { facet: 'false', error: 'false', count: 3 },
      { facet: 'true', error: 'true', count: 3 },
    ]);
    const byDuration = await run(
      'SELECT count(*) FROM Transaction WHERE duration >= 1 FACET duration',
    );
    expect(byDuration.results.map(row => row.facet)).toEqual(['1', '2', '5']);
  });

  it('renames a facet with AS', async () => {
    const answer = await run(
      "SELECT count(*) FROM Transaction FACET appName AS 'service' LIMIT 1",
    );
    expect(answer.results).toEqual([{ facet: 'a', service: 'a', count: 4 }]);
    expect(answer.metadata.facets).toEqual(['service']);
  });

  it('puts each event in the first of its FACET CASES', async () => {
    const answer = await run(
      "SELECT count(*) FROM Transaction FACET CASES (WHERE duration < 0.3 AS 'fast', WHERE duration < 2, WHERE appName = 'zzz')",
    );
    expect(answer.results).toEqual([
      { facet: 'duration < 2', count: 3 },
      { facet: 'fast', count: 2 },
    ]);
    expect(answer.otherResult).toEqual({ count: 2 });
  });

  it('has every bucket of a TIMESERIES, also the empty ones', async () => {
    const answer = await run(
      'SELECT count(*), percentile(duration, 95) AS p, average(duration) AS mean, sum(duration) AS s, percentage(count(*), WHERE error IS TRUE) AS e FROM Transaction TIMESERIES 30 minutes SINCE 90 minutes ago',
    );
    const end = NOW / 1000;
    expect(answer.results).toEqual([
      {
        beginTimeSeconds: end - 5400,
        endTimeSeconds: end - 3600,
        count: 1,
        p: { 95: 9 },
        mean: 9,
        s: 9,
        e: 0,
      },
      {
        beginTimeSeconds: end - 3600,
        endTimeSeconds: end - 1800,
        count: 2,
        p: { 95: 0.2 },
        mean: expect.closeTo(0.15),
        s: expect.closeTo(0.3),
        e: 50,
      },
      {
        beginTimeSeconds: end - 1800,
        endTimeSeconds: end,
        count: 5,
        p: { 95: 5 },
        mean: expect.closeTo(1.74),
        s: expect.closeTo(8.7),
        e: 40,
      },
    ]);
    expect(answer.totalResult).toBeNull();
    const empty = await run(
      'SELECT count(*), percentile(duration, 95) AS p, average(duration) AS mean, percentage(count(*), WHERE error IS TRUE) AS e FROM Nothing TIMESERIES 30 minutes',
    );
    expect(empty.results).toHaveLength(2);
    expect(empty.results[1]).toEqual({
      beginTimeSeconds: end - 1800,
      endTimeSeconds: end,
      count: 0,
      p: { 95: 0 },
      mean: null,
      e: null,
    });
  });

  it('lists FACET with TIMESERIES facet by facet, totals as arrays', async () => {
    const answer = await run(
      'SELECT count(*), rate(count(*), 1 minute) AS rpm FROM Transaction FACET appName TIMESERIES 30 minutes LIMIT 1',
    );
    const [first, second] = [
      {
        beginTimeSeconds: NOW / 1000 - 3600,
        endTimeSeconds: NOW / 1000 - 1800,
      },
      { beginTimeSeconds: NOW / 1000 - 1800, endTimeSeconds: NOW / 1000 },
    ];
    expect(answer.results).toEqual([
      { facet: 'a', appName: 'a', ...first, count: 2, rpm: 2 / 30 },
      { facet: 'a', appName: 'a', ...second, count: 2, rpm: 2 / 30 },
    ]);
    expect(answer.totalResult).toEqual([
      { ...first, count: 2, rpm: 2 / 30 },
      { ...second, count: 5, rpm: 5 / 30 },
    ]);
    expect(answer.otherResult).toEqual([
      { ...first, count: 0, rpm: 0 },
      { ...second, count: 3, rpm: 3 / 30 },
    ]);
  });

  it('limits facets, not facets times buckets', async () => {
    const { results } = await run(
      'SELECT count(*) FROM Transaction FACET name TIMESERIES 10 minutes LIMIT 3',
    );
    expect(results).toHaveLength(18);
    expect([...new Set(results.map(row => row.facet))]).toEqual([
      'Get',
      'Post',
      'cron',
    ]);
  });

  it.each<[string, string[]]>([
    ['count(*)', ['a', 'b']],
    ['average(duration)', ['b', 'a']],
    ['max(duration) AS m', ['b', 'a']],
    ['percentile(duration, 50)', ['b', 'a']],
    // Anything else goes by how often the value occurs.
    ['sum(duration)', ['a', 'b']],
    ['rate(sum(duration), 1 minute)', ['a', 'b']],
    ["filter(count(*), WHERE appName = 'b')", ['a', 'b']],
    // Facets without a value of the first column are not shown.
    ['count(error)', ['b', 'a']],
    ['max(nothing)', []],
  ])('orders facets of %s as %j', async (select, expected) => {
    const events = [
      ...EVENTS,
      event({ ago: 2, app: 'b', error: true }),
      event({ ago: 2, app: 'a' }),
      event({ ago: 2, app: 'b', error: true }),
      event({ ago: 2, app: 'a' }),
    ];
    for (const series of ['', 'TIMESERIES 30 minutes']) {
      const { results } = await run(
        `SELECT ${select} FROM Transaction FACET appName ${series}`,
        events,
      );
      expect([...new Set(results.map(row => row.facet))]).toEqual(expected);
    }
  });

  it('shows ten facets unless it is told otherwise', async () => {
    const events = Array.from({ length: 30 }, (_, i) =>
      event({ ago: 1, app: `app-${i}` }),
    );
    const query = 'SELECT count(*) FROM Transaction FACET appName';
    expect((await run(query, events)).results).toHaveLength(10);
    expect((await run(`${query} LIMIT 12`, events)).results).toHaveLength(12);
    expect((await run(`${query} LIMIT MAX`, events)).results).toHaveLength(30);
    expect((await run(query, events)).otherResult).toEqual({ count: 20 });
  });

  it('has no rows but totals when no facet has events', async () => {
    const answer = await run('SELECT count(*) FROM Nothing FACET appName');
    expect(answer).toMatchObject({
      results: [],
      totalResult: { count: 0 },
      otherResult: { count: 0 },
    });
  });

  it('lists events, newest first', async () => {
    const answer = await run('SELECT * FROM Transaction LIMIT 2');
    expect(answer.results).toEqual([
      {
        duration: 5,
        error: true,
        'http.statusCode': 503,
        'odd name': 'x',
        timestamp: NOW - MINUTE,
      },
      {
        appName: 'a',
        duration: 0.4,
        error: false,
        'http.statusCode': '200',
        name: 'Get',
        timestamp: NOW - 5 * MINUTE,
      },
    ]);
    const columns = await run(
      "SELECT appName, duration AS 'd' FROM Transaction WHERE duration > 1",
    );
    expect(columns.results).toEqual([
      { appName: null, d: 5, timestamp: NOW - MINUTE },
      { appName: 'b', d: 2, timestamp: NOW - 20 * MINUTE },
    ]);
  });

  it('reads several event types together', async () => {
    const store = storeOf(EVENTS);
    store.append(ACCOUNT, [
      { eventType: 'Other', timestamp: NOW - 1, attributes: { duration: 7 } },
    ]);
    const { results } = await runNrql(
      store,
      [ACCOUNT],
      'FROM Transaction, Other SELECT count(*), max(duration), latest(duration)',
      NOW,
    );
    expect(results).toEqual([
      { count: 8, 'max.duration': 7, 'latest.duration': 7 },
    ]);
  });

  it('gives the raw form with what was looked at', async () => {
    const answer = await run(
      "SELECT count(*) FROM Transaction WHERE appName = 'a'",
    );
    expect(answer.rawResponse()).toMatchObject({
      results: [{ count: 4 }],
      metadata: {
        accounts: [ACCOUNT],
        eventType: 'Transaction',
        beginTimeMillis: NOW - 60 * MINUTE,
        openEnded: true,
        rawSince: '60 MINUTES AGO',
      },
      performanceStats: { inspectedCount: 7, matchCount: 4, omittedCount: 0 },
    });
  });
});

describe('refusals', () => {
  it.each<[string, string]>([
    [
      'SELECT count(*) FORM Transaction',
      "line 1 position 17, unexpected 'FORM'",
    ],
    ['SELECT count(*)', 'line 1 position 16, unexpected end of query'],
    ['FROM Transaction', 'line 1 position 17, unexpected end of query'],
    ['SELECT count(* FROM T', "line 1 position 16, unexpected 'FROM'"],
    [
      'SELECT count(*)\nFROM T\n  LIMIT 6000',
      "line 3 position 9, unexpected '6000'",
    ],
    [
      'SELECT count(*) FROM T LIMIT 1 LIMIT 2',
      "line 1 position 32, unexpected 'LIMIT'",
    ],
    ['SELECT count(*) FROM T COMPARE WITH 1 week ago', "unexpected 'COMPARE'"],
    ["SELECT count(*) FROM T WITH TIMEZONE 'UTC'", "unexpected 'WITH'"],
    ['SELECT count(*) FROM T ORDER BY a', "unexpected 'ORDER'"],
    ['SELECT a FROM T LIMIT 1 OFFSET 2', "unexpected 'OFFSET'"],
    [
      'SELECT count(*) FROM T TIMESERIES 5 minutes SLIDE BY 1 minute',
      "unexpected 'SLIDE'",
    ],
    ['SELECT count(*) FROM (SELECT count(*) FROM T)', "unexpected '('"],
    ['SELECT funnel(a, WHERE b = 1) FROM T', "position 8, unexpected 'funnel'"],
    ['SELECT cdfPercentage(a, 1) FROM T', "unexpected 'cdfPercentage'"],
    ['SELECT average(round(a)) FROM T', "unexpected 'round'"],
    ['SELECT keyset() FROM T', "unexpected 'keyset'"],
    ['SELECT average() FROM T', "unexpected 'average'"],
    ['SELECT average(a, b) FROM T', "position 19, unexpected 'b'"],
    ['SELECT average(*) FROM T', "unexpected '*'"],
    ['SELECT average(count(*)) FROM T', "unexpected 'count'"],
    ['SELECT percentile(a, 101) FROM T', "unexpected '101'"],
    ['SELECT percentile(a, b) FROM T', "unexpected 'b'"],
    ['SELECT percentage(count(*)) FROM T', "unexpected 'percentage'"],
    ['SELECT percentage(a, WHERE b = 1) FROM T', "unexpected 'a'"],
    [
      'SELECT percentage(uniques(a), WHERE b = 1) FROM T',
      "unexpected 'uniques'",
    ],
    ['SELECT filter(count(*), b = 1) FROM T', "unexpected '='"],
    ['SELECT rate(count(*)) FROM T', "unexpected 'rate'"],
    ['SELECT rate(count(*), 0 minutes) FROM T', "unexpected '0'"],
    ['SELECT rate(count(*), 1 fortnight) FROM T', "unexpected 'fortnight'"],
    ['SELECT percentile(a, 95) * 2 FROM T', "unexpected 'percentile'"],
    ['SELECT histogram(a, 10, 0) FROM T', "unexpected '0'"],
    ['SELECT histogram(a, 10, 501) FROM T', "unexpected '501'"],
    ['SELECT histogram(a, size: 3) FROM T', "unexpected 'size'"],
    ['SELECT histogram(a, 10, width: 3) FROM T', "unexpected 'width'"],
    ['SELECT uniques(a, 0) FROM T', "unexpected '0'"],
    ['SELECT apdex(a, t: b) FROM T', "unexpected 'b'"],
    ['SELECT count(*), a FROM T', "unexpected 'count'"],
    ['SELECT *, a FROM T', "unexpected 'a'"],
    ['SELECT a * 2 FROM T', "unexpected 'a'"],
    ["SELECT 'text' FROM T", "unexpected 'text'"],
    [
      'SELECT filter(count(*), WHERE a = 1), filter(count(*), WHERE a = 2) FROM T',
      "position 39, unexpected 'filter'",
    ],
    ['SELECT count(*) FROM T WHERE', 'unexpected end of query'],
    ['SELECT count(*) FROM T WHERE error', 'unexpected end of query'],
    ['SELECT count(*) FROM T WHERE error = true', "unexpected 'true'"],
    ["SELECT count(*) FROM T WHERE a > '1'", "unexpected '1'"],
    ['SELECT count(*) FROM T WHERE a = "x"', "unexpected '\"'"],
    ["SELECT count(*) FROM T WHERE a = 'x", 'unexpected end of query'],
    ['SELECT count(*) FROM T WHERE 1 = 1', "unexpected '1'"],
    ['SELECT count(*) FROM T WHERE a IN ()', "unexpected ')'"],
    [
      'SELECT count(*) FROM T WHERE a IN (SELECT b FROM U)',
      "unexpected 'SELECT'",
    ],
    ['SELECT count(*) FROM T WHERE a LIKE 5', "unexpected '5'"],
    ["SELECT count(*) FROM T WHERE a RLIKE r'x.*'", "unexpected 'RLIKE'"],
    ["SELECT count(*) FROM T WHERE lower(a) = 'x'", "unexpected 'lower'"],
    ['SELECT count(*) FROM T WHERE (a = 1', 'unexpected end of query'],
    ['SELECT count(*) FROM T WHERE count(*) > 1', "unexpected 'count'"],
    ['SELECT count(*) FROM T FACET a, b, c, d, e, f', "unexpected 'f'"],
    ['SELECT count(*) FROM T FACET hourOf(timestamp)', "unexpected 'hourOf'"],
    ['SELECT count(*) FROM T FACET a + 1', "unexpected 'a'"],
    ['SELECT count(*) FROM T FACET a ORDER BY max(b)', "unexpected 'ORDER'"],
    [
      'SELECT count(*) FROM T SINCE 5 fortnights ago',
      "unexpected 'fortnights'",
    ],
    ["SELECT count(*) FROM T SINCE 'soon'", "unexpected 'soon'"],
    ["SELECT count(*) FROM T SINCE '2026-13-45'", "unexpected '2026-13-45'"],
    ['SELECT count(*) FROM T SINCE this week', "unexpected 'this'"],
    ['SELECT count(*) FROM T TIMESERIES 100 milliseconds', "unexpected '100'"],
    ['SELECT count(*) FROM T LIMIT -1', "unexpected '-'"],
    ['SELECT count(*) FROM T; SELECT 1 FROM T', "unexpected ';'"],
    ['DELETE FROM T', "line 1 position 1, unexpected 'DELETE'"],
  ])('%s', async (nrql, message) => {
    await expect(run(nrql)).rejects.toThrow(message);
    await expect(run(nrql)).rejects.toThrow('NRQL Syntax Error: Error at line');
  });

  it.each<[string, string]>([
    ['', "Validation error on 'nrql': a query must be specified"],
    [
      'SELECT count(*) FROM T TIMESERIES 1 minute SINCE 1 day ago',
      'TIMESERIES supports a maximum of 366 buckets',
    ],
    [
      'SELECT count(*) FROM T TIMESERIES 2 hours SINCE 1 hour ago',
      "External Service 'NRDB' execution resulted in 400 - cause: TIMESERIES step size is larger than the current time window.",
    ],
    [
      'SELECT count(*) FROM T SINCE 1 hour ago UNTIL 2 hours ago',
      "External Service 'NRDB' execution resulted in 400 - cause: Your query's start time must be before its end time.",
    ],
    [
      'SELECT * FROM T FACET a',
      'FACET and TIMESERIES are not supported on events.',
    ],
    [
      'SELECT a FROM T TIMESERIES',
      'FACET and TIMESERIES are not supported on events.',
    ],
    [
      `SELECT count(*) FROM T WHERE a = '${'x'.repeat(5000)}'`,
      'at most 4096 are allowed',
    ],
  ])('%s is answered %s', async (nrql, message) => {
    await expect(run(nrql)).rejects.toThrow(message);
  });

  it('gives up at the deadline', async () => {
    // Hours of many segments, and a deadline that has passed already.
    const store = storeOf([]);
    const writer = store.writer(ACCOUNT, 'Transaction', ['n']);
    for (let i = 0; i < 400_000; i += 1) writer.row(NOW - i * 6000, [i]);
    await expect(
      runNrql(
        store,
        [ACCOUNT],
        'SELECT uniqueCount(n) FROM Transaction SINCE 30 days ago',
        NOW,
        { deadline: 0 },
      ),
    ).rejects.toMatchObject({ errorClass: 'TIMEOUT' });
  });
});

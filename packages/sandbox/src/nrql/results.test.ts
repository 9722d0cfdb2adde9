import {
  ACCOUNT,
  EVENTS,
  MINUTE,
  NOW,
  event,
  run,
  storeOf,
} from './__testUtils__/events';
import { runNrql } from './runNrql';

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

import { run } from './__testUtils__/events';

/** Equal but for the last digits of a number. */
function roughly(expected: unknown): unknown {
  return typeof expected === 'number' ? expect.closeTo(expected, 9) : expected;
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
    expect(actual).toEqual(roughly(expected));
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

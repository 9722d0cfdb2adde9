import { MINUTE, NOW, event, run } from './__testUtils__/events';

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

import { ACCOUNT, NOW, run, storeOf } from './__testUtils__/events';
import { runNrql } from './runNrql';

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

import { MINUTE, NOW, event, run } from './__testUtils__/events';

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

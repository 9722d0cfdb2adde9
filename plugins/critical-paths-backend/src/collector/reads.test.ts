import { TestDatabases } from '@backstage/backend-test-utils';
import type { BoardRow } from '@rocket/plugin-critical-paths-common';
import request from 'supertest';
import { startStack } from '../__testUtils__/stack';
import { componentEntity, pathEntity } from '../testing/entities';
import { FakeSource } from '../testing/FakeSource';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const START = Date.parse('2026-03-10T12:00:30Z');
const never = new AbortController().signal;
const ROUTES = [
  '/paths?window=1h',
  '/paths?window=28d',
  '/paths/default/posting?window=1h',
  '/paths/default/posting/history',
  '/boards/uptime?window=1h',
  '/components/component/default/ledger/paths?window=1h',
  '/teams?window=1h',
];

describe.each(databases.eachSupportedId())('reads on %p', databaseId => {
  it.each([
    ['does not answer', () => new Promise<void>(() => {})],
    [
      'is away',
      () => {
        throw new Error('New Relic cannot be reached');
      },
    ],
  ] as const)('use stored rows only while the source %s', async (_, before) => {
    let now = START;
    const source = new FakeSource();
    const { app, collector } = await startStack({
      knex: await databases.init(databaseId),
      source,
      now: () => now,
      entities: [
        pathEntity('posting', ['ledger', 'notify']),
        componentEntity('ledger'),
        componentEntity('notify'),
      ],
    });
    await collector.runCycle(never);
    const fetched = jest.spyOn(source, 'fetch');
    const linked = jest.spyOn(source, 'applicationUrl');

    // A cycle that is under way, with a question that nobody answers.
    source.before = before;
    now += 360_000;
    const stopped = new AbortController();
    const cycle = collector.runCycle(stopped.signal).catch(error => error);
    while (fetched.mock.calls.length === 0) {
      await new Promise(resolve => setImmediate(resolve));
    }
    const asked = fetched.mock.calls.length;
    const read = async (route: string) => {
      const { status, body } = await request(app).get(route);
      expect([route, status]).toEqual([route, 200]);
      return body;
    };
    for (const route of ROUTES) await read(route);
    // What was handed out before is made again from rows, with the age of now.
    now += 60_000;
    for (const route of ROUTES) await read(route);
    await new Promise(resolve => setImmediate(resolve));
    now += 10_000;
    await read(ROUTES[0]);
    await new Promise(resolve => setImmediate(resolve));
    const [row]: BoardRow[] = (await read(ROUTES[0])).rows;
    expect(row.state).toBe('stale');
    expect(row.stateReasons.join('; ')).toMatch(/was last measured .* ago/);
    expect(row.data.ageSeconds).toBeGreaterThan(360);
    expect(row.data.watermark).toBe('2026-03-10T12:00:00.000Z');
    // The figures are still those of what was measured.
    expect(row.signals.valid).toBeGreaterThan(500);
    expect(fetched).toHaveBeenCalledTimes(asked);
    expect(linked).not.toHaveBeenCalled();
    stopped.abort();
    await cycle;
  });
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStore } from '../store/EventStore';
import type { RunningTraffic } from './Player';
import { startTraffic } from './startTraffic';

const ACCOUNT = 7;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOON = Date.UTC(2026, 2, 11, 12, 0, 30);

const SCENARIO = `
seed: test
timeZone: UTC
historyDays: 2
applications:
  shop: { language: nodejs, weight: 4, team: shop }
shapes:
  flat: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]
paths:
  buy:
    requestsPerMinute: 20
    shape: flat
    steps:
      - step: order
        application: shop
        transaction: POST /orders
        latency: { medianMs: 20, p99Ms: 90 }
events:
  deployments:
    - { application: shop, when: { weekday: wednesday, at: '12:05' } }
    - { application: shop, when: { weekday: tuesday, at: '08:00' } }
  incidents:
    - application: shop
      when: { daysAgo: 1, at: '06:00', repeatEveryDays: 14 }
      durationMinutes: 30
      errorRate: 0.5
      condition: Errors
      policy: Shop
`;

function rows(store: EventStore, type: string) {
  return store
    .segments(ACCOUNT, type, 0, Number.MAX_SAFE_INTEGER)
    .flatMap(s => {
      const [from, to] = s.range(0, Number.MAX_SAFE_INTEGER);
      return Array.from({ length: to - from }, (_, i) => ({
        timestamp: s.timestamps[from + i],
        weight: s.weights?.[from + i] ?? 1,
        ...s.attributes(from + i),
      }));
    }) as Record<string, unknown>[];
}

describe('startTraffic', () => {
  let dataDir: string;
  let scenarioFile: string;
  let clock: number;
  const running: RunningTraffic[] = [];

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'rocket-traffic-'));
    scenarioFile = join(dataDir, 'traffic.yaml');
    await writeFile(scenarioFile, SCENARIO);
    clock = NOON;
  });

  afterEach(async () => {
    await Promise.all(running.splice(0).map(traffic => traffic.stop()));
    await rm(dataDir, { recursive: true, force: true });
  });

  const newStore = () =>
    new EventStore({
      accounts: [{ id: ACCOUNT, name: 'a', apiKey: 'x', licenseKey: 'y' }],
      now: () => clock,
    });

  async function start(store: EventStore, tickMs = 5) {
    const traffic = await startTraffic({
      store,
      accountId: ACCOUNT,
      scenarioFile,
      dataDir,
      tickMs,
      now: () => clock,
    });
    running.push(traffic);
    await traffic.ready;
    return traffic;
  }

  async function until(condition: () => boolean) {
    const end = Date.now() + 20_000;
    while (!condition()) {
      if (Date.now() > end) throw new Error('The condition was never met');
      await new Promise(resolve => setTimeout(resolve, 5));
    }
  }

  it('fills the history up to now and never goes beyond', async () => {
    const store = newStore();
    const traffic = await start(store);
    await traffic.stop();
    const transactions = rows(store, 'Transaction');
    const times = transactions.map(t => Number(t.timestamp));
    expect(Math.max(...times)).toBeLessThanOrEqual(NOON);
    expect(Math.max(...times)).toBeGreaterThan(NOON - 2 * 60_000);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(NOON - 2 * DAY - 60_000);
    expect(Math.min(...times)).toBeLessThan(NOON - 2 * DAY + 2 * 60_000);
    // 20 requests per minute over two days, four by event.
    const requests = transactions.length * 4;
    expect(requests / (2 * 1440)).toBeGreaterThan(18);
    expect(requests / (2 * 1440)).toBeLessThan(22);
    expect(transactions[0]).toMatchObject({
      appName: 'shop',
      name: 'POST /orders',
      criticalPath: 'buy',
      transactionType: 'Web',
      'http.statusCode': '200',
      error: false,
      weight: 4,
      entityGuid: store.applications.get(ACCOUNT, 'shop')!.guid,
      'tags.Team': 'shop',
    });
  });

  it('goes on with the time that went by; history and live agree', async () => {
    const live = newStore();
    await start(live);
    // In uneven steps, some of them within one minute.
    for (const step of [700, 20_000, 45_000, 5 * 60_000, 1, 61_000]) {
      clock += step;
      const expected = clock - 20_000;
      await until(() =>
        rows(live, 'Transaction').some(t => Number(t.timestamp) > expected),
      );
    }
    await Promise.all(running.splice(0).map(traffic => traffic.stop()));
    // A start at the later time, in another process with the same data directory.
    const later = newStore();
    await start(later);
    const from = NOON - HOUR;
    const recent = (store: EventStore) =>
      rows(store, 'Transaction').filter(t => Number(t.timestamp) > from);
    // The last tick may not have come yet when the clock stopped.
    const last = Math.max(...recent(live).map(t => Number(t.timestamp)));
    expect(recent(live).length).toBeGreaterThan(300);
    expect(recent(live)).toEqual(
      recent(later).filter(t => Number(t.timestamp) <= last),
    );
    expect(
      Math.max(...recent(live).map(t => Number(t.timestamp))),
    ).toBeLessThanOrEqual(clock);
  });

  it('records a deployment when its time has come, once', async () => {
    const store = newStore();
    await start(store);
    const deployments = () => rows(store, 'Deployment');
    expect(deployments().map(d => d.timestamp)).toEqual([
      Date.UTC(2026, 2, 10, 8),
    ]);
    clock += 4 * 60_000;
    await until(() =>
      rows(store, 'Transaction').some(
        t => Number(t.timestamp) > NOON + 200_000,
      ),
    );
    expect(deployments()).toHaveLength(1);
    clock += 4 * 60_000;
    await until(() => deployments().length > 1);
    expect(deployments().map(d => d.timestamp)).toEqual([
      Date.UTC(2026, 2, 10, 8),
      Date.UTC(2026, 2, 11, 12, 5),
    ]);
    expect(deployments()[1]).toMatchObject({
      version: '2026.11.3',
      'entity.name': 'shop',
    });
  });

  it('keeps the past where it was when started on a later day', async () => {
    await start(newStore());
    clock += 16 * HOUR;
    const store = newStore();
    await start(store);
    const [open] = rows(store, 'NrAiIncident');
    // One day before the first start, two before this one.
    expect(open).toMatchObject({
      event: 'open',
      degradationTime: Date.UTC(2026, 2, 10, 6),
    });
    expect(
      JSON.parse(
        await readFile(join(dataDir, 'sandbox', 'traffic.json'), 'utf8'),
      ),
    ).toEqual({ anchorDay: '2026-03-11' });
  });

  it('makes no more than the history after a long sleep, and nothing when the clock goes back', async () => {
    const store = newStore();
    await start(store);
    const before = rows(store, 'Transaction').length;
    clock -= HOUR;
    await new Promise(resolve => setTimeout(resolve, 30));
    expect(rows(store, 'Transaction')).toHaveLength(before);
    clock = NOON + 20 * DAY;
    await until(() =>
      rows(store, 'Transaction').some(
        t => Number(t.timestamp) > clock - 60_000,
      ),
    );
    const between = rows(store, 'Transaction').filter(
      t =>
        Number(t.timestamp) > NOON + 60_000 &&
        Number(t.timestamp) < clock - 2 * DAY - 60_000,
    );
    expect(between).toEqual([]);
  });

  it('says what is wrong with a scenario', async () => {
    await writeFile(scenarioFile, SCENARIO.replace('UTC', 'Nowhere'));
    await expect(start(newStore())).rejects.toThrow(
      /traffic\.yaml is not valid:\s+timeZone/,
    );
  });
});

import { TestDatabases, mockServices } from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { PathDirectory } from '../service/PathDirectory';
import { readSettings } from '../settings';
import { DatabaseSignalStore } from '../store/DatabaseSignalStore';
import type { SignalStore } from '../store/SignalStore';
import { coveredMinutes } from '../store/ranges';
import { componentEntity, pathEntity } from '../testing/entities';
import { FakeSource } from '../testing/FakeSource';
import { Collector } from './Collector';

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });

const START = Date.parse('2026-03-10T12:00:30Z');
const DAY = 1440;
const never = new AbortController().signal;

describe.each(databases.eachSupportedId())('Collector on %p', databaseId => {
  let store: DatabaseSignalStore;
  let now: number;
  let entities: Entity[];
  let source: FakeSource;

  beforeEach(async () => {
    store = await DatabaseSignalStore.create({
      database: mockServices.database({
        knex: await databases.init(databaseId),
      }),
    });
    now = START;
    source = new FakeSource();
    entities = [
      pathEntity('posting', ['ledger', 'notify']),
      componentEntity('ledger'),
      componentEntity('notify'),
    ];
  });

  /** A new process: nothing is remembered but what is stored. */
  function start(
    options: {
      sources?: FakeSource[];
      collector?: object;
      store?: SignalStore;
    } = {},
  ) {
    const catalog = catalogServiceMock({ entities });
    return new Collector({
      store: options.store ?? store,
      directory: new PathDirectory({
        catalog,
        auth: mockServices.auth(),
        logger: mockServices.logger.mock(),
      }),
      sources: new Map((options.sources ?? [source]).map(one => [one.id, one])),
      settings: readSettings(
        mockServices.rootConfig({
          data: {
            criticalPaths: {
              collector: { backfill: { days: 2 }, ...options.collector },
            },
          },
        }),
      ),
      logger: mockServices.logger.mock(),
      now: () => now,
    });
  }

  const minuteOf = (ms: number) => Math.floor(ms / 60_000);
  /** End of the newest minute that is over and had its 15 seconds. */
  const until = () => minuteOf(now - 15_000);
  const series = async (name: string) =>
    (await store.listSeries()).find(
      s => s.componentRef === `component:default/${name}`,
    )!;
  const sum = async (name: string, level: 'minute' | 'hour', from: number) => {
    const { id } = await series(name);
    return (await store.readRows(level, [id], from, until() + DAY)).reduce(
      (total, row) => total + row.valid,
      0,
    );
  };

  it('reads the newest minutes first, then everything back to the end of the back-fill', async () => {
    const report = await start().runCycle(never);
    expect(report).toMatchObject({ paths: 1, targets: 2, complete: true });
    expect(source.requests[0].to).toEqual(new Date('2026-03-10T12:00:00Z'));
    expect(source.requests[0].from).toEqual(new Date('2026-03-10T06:00:00Z'));
    const starts = source.requests.map(r => r.from.getTime());
    expect(starts).toEqual([...starts].sort((a, b) => b - a));
    for (const { from, to, stepSeconds } of source.requests) {
      expect(
        (to.getTime() - from.getTime()) / 1000 / stepSeconds,
      ).toBeLessThanOrEqual(366);
    }
    const ledger = await series('ledger');
    expect(ledger.covered).toEqual([[until() - 2 * DAY, until()]]);
    expect(ledger).toMatchObject({
      watermarkAt: until(),
      newestDataAt: until() - 1,
      sourceUrl: 'https://apm.example.com/ledger',
    });
    expect(await sum('ledger', 'minute', 0)).toBe(2 * DAY * 10);
    expect(await sum('ledger', 'hour', 0)).toBe(2 * DAY * 10);
    expect(await store.listQueries('criticalpath:default/posting')).toEqual([
      {
        source: 'newrelic',
        account: undefined,
        query: 'SELECT count(*) FROM 2 applications',
      },
    ]);
  });

  it('asks nothing while no new minute is over, then the new one with the correction before it', async () => {
    const collector = start();
    await collector.runCycle(never);
    source.requests.length = 0;
    now += 15_000;
    expect((await collector.runCycle(never)).requests).toBe(0);
    now += 45_000;
    await collector.runCycle(never);
    expect(source.requests).toHaveLength(1);
    expect(source.requests[0].from).toEqual(new Date('2026-03-10T11:55:00Z'));
    expect(source.requests[0].to).toEqual(new Date('2026-03-10T12:01:00Z'));
  });

  it('takes over data that came late', async () => {
    const late = minuteOf(START) - 2;
    source.traffic = (_, minute) =>
      minute === late ? undefined : { valid: 10, good: 10, durationMs: 50 };
    const collector = start();
    await collector.runCycle(never);
    const before = await sum('ledger', 'hour', late - 60);
    source.traffic = () => ({ valid: 10, good: 9, durationMs: 50 });
    now += 60_000;
    await collector.runCycle(never);
    expect(await sum('ledger', 'hour', late - 60)).toBe(before + 20);
    const { id } = await series('ledger');
    const [row] = await store.readRows('minute', [id], late, late + 1);
    expect(row).toMatchObject({ valid: 10, good: 9 });
  });

  it('reads hours where minutes are no longer kept', async () => {
    const report = await start({
      collector: { backfill: { days: 30 } },
    }).runCycle(never);
    expect(report.complete).toBe(true);
    const levels = new Set(source.requests.map(r => r.stepSeconds));
    expect(levels).toEqual(new Set([60, 3600]));
    const ledger = await series('ledger');
    expect(ledger.covered).toEqual([[until() - 30 * DAY, until()]]);
    expect(await sum('ledger', 'hour', 0)).toBe(30 * DAY * 10);
    expect(await sum('ledger', 'minute', 0)).toBeLessThanOrEqual(3 * DAY * 10);
  });

  it('goes on after being killed at any point, and ends with the same rows', async () => {
    let cycles = 0;
    for (let allowed = 1; cycles < 100; allowed++) {
      cycles += 1;
      // Killed after storing `allowed` answers: what follows is never stored.
      let left = 1 + (allowed % 3);
      const dying: SignalStore = new Proxy(store, {
        get(target, property) {
          const value = Reflect.get(target, property);
          if (property === 'replaceWindow') {
            return async (
              write: Parameters<SignalStore['replaceWindow']>[0],
            ) => {
              if (left === 0) {
                throw new Error('killed');
              }
              left -= 1;
              return target.replaceWindow(write);
            };
          }
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      const outcome = await start({ store: dying })
        .runCycle(never)
        .then(
          r => r.complete,
          () => false,
        );
      if (outcome) {
        break;
      }
    }
    expect(cycles).toBeGreaterThan(2);
    expect((await series('ledger')).covered).toEqual([
      [until() - 2 * DAY, until()],
    ]);
    expect(await sum('ledger', 'minute', 0)).toBe(2 * DAY * 10);
    expect(await sum('ledger', 'hour', 0)).toBe(2 * DAY * 10);
  });

  it('fills the gap that an outage left, after the newest minutes', async () => {
    await start().runCycle(never);
    now += 9 * 3_600_000;
    source.requests.length = 0;
    // One request: only the live part gets through.
    await start({
      collector: { maxRequests: 1, budget: { seconds: 1 } },
    }).runCycle(never);
    const halfway = await series('ledger');
    expect(halfway.watermarkAt).toBe(until());
    await start().runCycle(never);
    const ledger = await series('ledger');
    expect(ledger.covered).toHaveLength(1);
    expect(ledger.covered[0][1]).toBe(until());
    expect(coveredMinutes(ledger.covered, until() - 2 * DAY, until())).toBe(
      2 * DAY,
    );
  });

  it('back-fills an application that joins later', async () => {
    const collector = start();
    await collector.runCycle(never);
    entities.push(
      componentEntity('new-service', {
        joins: { path: 'criticalpath:default/posting', step: 'ledger' },
      }),
    );
    now += 60_000;
    source.requests.length = 0;
    await start().runCycle(never);
    const added = await series('new-service');
    expect(added.step).toBe('ledger');
    expect(coveredMinutes(added.covered, until() - 2 * DAY, until())).toBe(
      2 * DAY,
    );
    // The others were asked for their newest minutes only.
    const ledger = await series('ledger');
    for (const request of source.requests.slice(2)) {
      expect(request.targets.map(t => t.key)).not.toContain(String(ledger.id));
    }
  });

  it('keeps a failing target from the others and says why', async () => {
    source.failing = target =>
      target.appName === 'notify'
        ? 'account eu: the key was refused'
        : undefined;
    const collector = start();
    const report = await collector.runCycle(never);
    expect(report.complete).toBe(false);
    expect([...report.failures]).toEqual([
      ['account eu: the key was refused', 1],
    ]);
    expect((await series('ledger')).covered).toEqual([
      [until() - 2 * DAY, until()],
    ]);
    const notify = await series('notify');
    expect(notify.covered).toEqual([]);
    expect(notify.watermarkAt).toBeUndefined();
    expect(notify.lastError).toBe('account eu: the key was refused');
    // Put right: its whole history comes.
    source.failing = () => undefined;
    now += 60_000;
    await collector.runCycle(never);
    const after = await series('notify');
    expect(coveredMinutes(after.covered, until() - 2 * DAY, until())).toBe(
      2 * DAY,
    );
    expect(after.lastSuccessTime).toBeGreaterThan(after.lastErrorTime!);
  });

  it('does not advance the watermark of what was not answered', async () => {
    const collector = start();
    await collector.runCycle(never);
    const before = await series('notify');
    source.failing = target =>
      target.appName === 'notify' ? 'timeout' : undefined;
    now += 600_000;
    await collector.runCycle(never);
    expect((await series('notify')).watermarkAt).toBe(before.watermarkAt);
    expect((await series('ledger')).watermarkAt).toBe(until());
    expect(await sum('notify', 'minute', 0)).toBe(2 * DAY * 10);
  });

  it('keeps a source that throws from another one, and names one that is missing', async () => {
    const other = new FakeSource(undefined, 'prometheus');
    entities[0] = pathEntity('posting', [], {
      steps: [
        { component: 'ledger' },
        { component: 'notify', telemetry: { source: 'prometheus' } },
        {
          component: 'ledger',
          name: 'else',
          telemetry: { source: 'datadog' },
        },
      ],
    });
    source.before = () => {
      throw new Error('socket hang up');
    };
    await start({ sources: [source, other] }).runCycle(never);
    const all = await store.listSeries();
    const message = (step: string) => all.find(s => s.step === step)!.lastError;
    expect(message('ledger')).toBe('socket hang up');
    expect(message('else')).toBe(
      'no telemetry source "datadog" is installed; there is newrelic, prometheus',
    );
    expect(message('notify')).toBeUndefined();
    expect((await series('notify')).watermarkAt).toBe(until());
  });

  it('reads again what it asked for before it happened', async () => {
    // The clock is ten minutes ahead, so the last ten minutes are empty.
    const real = minuteOf(START);
    source.traffic = (_, minute) =>
      minute < real ? { valid: 10, good: 10, durationMs: 50 } : undefined;
    now = START + 600_000;
    const collector = start();
    await collector.runCycle(never);
    // It is put right, and the minutes happen.
    now = START;
    await collector.runCycle(never);
    expect((await series('ledger')).watermarkAt).toBe(until());
    source.traffic = () => ({ valid: 10, good: 10, durationMs: 50 });
    now = START + 600_000;
    await collector.runCycle(never);
    const { id } = await series('ledger');
    const rows = await store.readRows('minute', [id], real, until());
    expect(rows).toHaveLength(10);
  });

  it('drops what a source says about minutes it was not asked for', async () => {
    const fetch = source.fetch.bind(source);
    source.fetch = async request => {
      const response = await fetch(request);
      const ahead = request.to.getTime() / 1000 + 300;
      for (const result of response.results) {
        result.buckets.push({
          start: ahead,
          valid: 99,
          good: 99,
          histogram: {},
          withinThreshold: {},
        });
      }
      response.results.push({ key: '99999', buckets: [] });
      return response;
    };
    await start().runCycle(never);
    const { id, newestDataAt } = await series('ledger');
    expect(newestDataAt).toBe(until() - 1);
    expect(
      await store.readRows('minute', [id], until(), until() + DAY),
    ).toEqual([]);
  });

  it('stops when it is told to and keeps what it has', async () => {
    const controller = new AbortController();
    source.before = () => {
      if (source.requests.length === 3) {
        controller.abort();
        return new Promise(() => {}); // never answers
      }
      return undefined;
    };
    await expect(start().runCycle(controller.signal)).rejects.toThrow();
    const ledger = await series('ledger');
    expect(ledger.watermarkAt).toBe(until());
    expect(ledger.lastError).toBeUndefined();
    expect(source.requests).toHaveLength(3);
  });

  it('bounds the requests of a cycle', async () => {
    const report = await start({ collector: { maxRequests: 3 } }).runCycle(
      never,
    );
    expect(report.requests).toBe(3);
    expect(report.complete).toBe(false);
  });

  it('collects 1,000 applications with a handful of questions', async () => {
    entities = [];
    for (let p = 0; p < 100; p++) {
      const names = Array.from({ length: 10 }, (_, i) => `app-${p}-${i}`);
      entities.push(
        pathEntity(`path-${p}`, names),
        ...names.map(name => componentEntity(name)),
      );
    }
    source.traffic = (_, minute) =>
      minute % 10 === 0 ? { valid: 7, good: 7, durationMs: 20 } : undefined;
    const collector = start({ collector: { backfill: { hours: 6 } } });
    const report = await collector.runCycle(never);
    expect(report).toMatchObject({
      targets: 1000,
      complete: true,
      requests: 1,
    });
    now += 60_000;
    expect((await collector.runCycle(never)).requests).toBe(1);
    const all = await store.listSeries();
    expect(all).toHaveLength(1000);
    expect(new Set(all.map(s => s.watermarkAt))).toEqual(new Set([until()]));
    const rows = await store.readRows(
      'hour',
      all.map(s => s.id),
      until() - DAY,
      until(),
    );
    expect(rows.reduce((total, row) => total + row.valid, 0)).toBe(
      1000 * 37 * 7,
    );
  });

  it('leaves out a component that the catalog does not have, until it has it', async () => {
    entities = [pathEntity('top-up', ['ghost'])];
    expect((await start().runCycle(never)).targets).toBe(0);
    entities.push(componentEntity('ghost'));
    expect((await start().runCycle(never)).targets).toBe(1);
    expect((await series('ghost')).watermarkAt).toBe(until());
  });
});

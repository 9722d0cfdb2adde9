import { TestDatabases, mockServices } from '@backstage/backend-test-utils';
import fc from 'fast-check';
import type { Knex } from 'knex';
import { CellSum } from './cells';
import { DatabaseSignalStore } from './DatabaseSignalStore';
import type { SignalCell, SignalStore } from './SignalStore';

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const DAY = 1440;
/** A midnight (UTC), in minutes since the epoch. */
const MIDNIGHT = 20_140 * DAY;
const MIGRATIONS = `${__dirname}/../../migrations`;

const cell = (valid: number, good = valid, bucket = 10): SignalCell => ({
  valid,
  good,
  histogram: [bucket, valid],
  thresholds: [{ threshold: 300, within: good, of: valid }],
});

describe.each(databases.eachSupportedId())('day rows on %p', databaseId => {
  let knex: Knex;
  let store: SignalStore;

  beforeEach(async () => {
    knex = await databases.init(databaseId);
    store = await DatabaseSignalStore.create({
      database: mockServices.database({ knex }),
    });
  });

  const register = async (...names: string[]) =>
    store.registerSeries(
      names.map(name => ({
        pathRef: 'criticalpath:default/posting',
        componentRef: `component:default/${name}`,
        step: 'post',
        selection: {
          source: 'newrelic',
          appName: name,
          criticalPath: 'posting',
        },
      })),
      1000,
    );
  const write = (
    level: 'minute' | 'hour',
    seriesId: number,
    from: number,
    to: number,
    cells: (SignalCell & { at: number })[],
  ) =>
    store.replaceWindow({
      level,
      from,
      to,
      time: to * 60,
      entries: [{ seriesId, cells }],
    });
  const all = (level: 'hour' | 'day', ids: number[]) =>
    store.readRows(level, ids, MIDNIGHT - 400 * DAY, MIDNIGHT + 400 * DAY);

  it('sums a day up to midnight UTC, and again when a window of it is corrected', async () => {
    const [a, b] = await register('a', 'b');
    await write('minute', a.id, MIDNIGHT - 2, MIDNIGHT + 2, [
      { at: MIDNIGHT - 2, ...cell(5, 4, 3) },
      { at: MIDNIGHT - 1, ...cell(7, 7, 9) },
      { at: MIDNIGHT, ...cell(11, 9) },
    ]);
    await write('hour', a.id, MIDNIGHT + 600, MIDNIGHT + 660, [
      { at: MIDNIGHT + 600, ...cell(100, 90) },
    ]);
    expect(await all('day', [a.id, b.id])).toEqual([
      {
        seriesId: a.id,
        at: MIDNIGHT - DAY,
        valid: 12,
        good: 11,
        histogram: [3, 5, 9, 7],
        thresholds: [{ threshold: 300, within: 11, of: 12 }],
      },
      {
        seriesId: a.id,
        at: MIDNIGHT,
        valid: 111,
        good: 99,
        histogram: [10, 111],
        thresholds: [{ threshold: 300, within: 99, of: 111 }],
      },
    ]);
    await write('minute', a.id, MIDNIGHT - 1, MIDNIGHT + 1, []);
    expect((await all('day', [a.id])).map(r => [r.at, r.valid])).toEqual([
      [MIDNIGHT - DAY, 5],
      [MIDNIGHT, 100],
    ]);
  });

  it('are the sums of their hours after any writes', async () => {
    const [a, b] = await register('a', 'b');
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            series: fc.constantFrom(a.id, b.id),
            from: fc.integer({ min: -300, max: 300 }),
            length: fc.integer({ min: 1, max: 200 }),
            valid: fc.integer({ min: 0, max: 50 }),
          }),
          { minLength: 1, maxLength: 6 },
        ),
        async writes => {
          for (const { series, from, length, valid } of writes) {
            const start = MIDNIGHT + from;
            await write(
              'minute',
              series,
              start,
              start + length,
              Array.from({ length }, (_, i) => ({
                at: start + i,
                ...cell(valid, Math.floor(valid / 2), i % 20),
              })),
            );
          }
          const sums = new Map<string, CellSum>();
          for (const hour of await all('hour', [a.id, b.id])) {
            const key = `${hour.seriesId} ${Math.floor(hour.at / DAY) * DAY}`;
            sums.set(key, sums.get(key) ?? new CellSum());
            sums.get(key)!.add(hour);
          }
          const days = (await all('day', [a.id, b.id])).map(
            ({ seriesId, at, ...counts }) => [`${seriesId} ${at}`, counts],
          );
          expect(Object.fromEntries(days)).toEqual(
            Object.fromEntries(
              [...sums].map(([key, sum]) => [key, sum.toCell()]),
            ),
          );
        },
      ),
      { numRuns: 15 },
    );
  });

  it('outlive their hours', async () => {
    const [a] = await register('a');
    await write('hour', a.id, MIDNIGHT - DAY, MIDNIGHT, [
      { at: MIDNIGHT - DAY, ...cell(5) },
      { at: MIDNIGHT - 60, ...cell(6) },
    ]);
    await store.registerSeries([a], MIDNIGHT * 60);
    const limits = {
      minutesBefore: MIDNIGHT,
      hoursBefore: MIDNIGHT,
      changesBefore: 0,
    };
    await store.prune({ ...limits, daysBefore: MIDNIGHT - DAY });
    expect(await all('hour', [a.id])).toEqual([]);
    expect((await all('day', [a.id])).map(r => r.valid)).toEqual([11]);
    await store.prune({ ...limits, daysBefore: MIDNIGHT });
    expect(await all('day', [a.id])).toEqual([]);
  });

  it('are made of the hours that an older release stored', async () => {
    const [a, b] = await register('a', 'b');
    for (const { id } of [a, b]) {
      await write('hour', id, MIDNIGHT - DAY, MIDNIGHT + DAY, [
        { at: MIDNIGHT - 120, ...cell(5, 4, 12) },
        { at: MIDNIGHT - 60, ...cell(6, 6, 3) },
        { at: MIDNIGHT, ...cell(id) },
      ]);
    }
    const days = await all('day', [a.id, b.id]);
    expect(days).toHaveLength(4);
    while (await knex.schema.hasTable('cp_days')) {
      await knex.migrate.down({ directory: MIGRATIONS });
    }
    await knex.migrate.latest({ directory: MIGRATIONS });
    expect(await all('day', [a.id, b.id])).toEqual(days);
  });
});

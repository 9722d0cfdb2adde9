import { TestDatabases, mockServices } from '@backstage/backend-test-utils';
import type { Knex } from 'knex';
import { CellSum } from './cells';
import { DatabaseSignalStore } from './DatabaseSignalStore';
import type { SeriesDescriptor, SignalCell } from './SignalStore';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });

/** A full hour, in minutes since the epoch. */
const T = 29_000_040;

function descriptor(
  name: string,
  over: Partial<SeriesDescriptor> = {},
): SeriesDescriptor {
  return {
    pathRef: 'criticalpath:default/posting',
    componentRef: `component:default/${name}`,
    step: 'post',
    selection: {
      source: 'newrelic',
      appName: name,
      criticalPath: 'posting',
    },
    ...over,
  };
}

function cell(valid: number, good = valid, bucket = 10): SignalCell {
  return {
    valid,
    good,
    histogram: [bucket, valid],
    thresholds: [{ threshold: 300, within: good, of: valid }],
  };
}

describe.each(databases.eachSupportedId())('on %p', databaseId => {
  let knex: Knex;
  let store: DatabaseSignalStore;

  beforeEach(async () => {
    knex = await databases.init(databaseId);
    store = await DatabaseSignalStore.create({
      database: mockServices.database({ knex }),
    });
  });

  const register = async (...names: string[]) =>
    store.registerSeries(
      names.map(n => descriptor(n)),
      1000,
    );

  const minutes = async (id: number, from = T - 1e6, to = T + 1e6) =>
    (await store.readRows('minute', [id], from, to)).map(r => [r.at, r.valid]);
  const hours = async (id: number, from = T - 1e6, to = T + 1e6) =>
    (await store.readRows('hour', [id], from, to)).map(r => [r.at, r.valid]);

  it('registers a series once and a changed selection as another one', async () => {
    const [a, b] = await register('a', 'b');
    const again = await store.registerSeries(
      [
        descriptor('b'),
        descriptor('a'),
        descriptor('a', {
          selection: { ...descriptor('a').selection, operation: 'POST /x' },
        }),
      ],
      2000,
    );
    expect(again.map(s => s.id).slice(0, 2)).toEqual([b.id, a.id]);
    expect(again[2].id).not.toBe(a.id);
    expect(again[2].selection.operation).toBe('POST /x');
    expect(await store.listSeries()).toHaveLength(3);
    // Both databases would otherwise run out of numbers, one per series and cycle.
    expect(again[2].id).toBe(b.id + 1);
    expect(a).toEqual({
      ...descriptor('a'),
      id: a.id,
      covered: [],
      selection: {
        ...descriptor('a').selection,
        account: undefined,
        operation: undefined,
      },
    });
  });

  it('stores a window, its coverage and the sums of its hours', async () => {
    const [a, b] = await register('a', 'b');
    await store.replaceWindow({
      level: 'minute',
      from: T + 30,
      to: T + 90,
      time: 5000,
      entries: [
        {
          seriesId: a.id,
          cells: [
            { at: T + 30, ...cell(5, 4, 3) },
            { at: T + 59, ...cell(7, 7, 9) },
            { at: T + 60, ...cell(11) },
            { at: T + 90, ...cell(1000) }, // outside of the window
            { at: T + 40, ...cell(0) }, // nothing
          ],
        },
        { seriesId: b.id, cells: [] },
      ],
    });
    expect(await minutes(a.id)).toEqual([
      [T + 30, 5],
      [T + 59, 7],
      [T + 60, 11],
    ]);
    const [first, second] = await store.readRows('hour', [a.id], T, T + 120);
    expect(first).toEqual({
      seriesId: a.id,
      at: T,
      valid: 12,
      good: 11,
      histogram: [3, 5, 9, 7],
      thresholds: [{ threshold: 300, within: 11, of: 12 }],
    });
    expect(second).toMatchObject({ at: T + 60, valid: 11 });
    const [seriesA, seriesB] = await store.listSeries();
    expect(seriesA).toMatchObject({
      covered: [[T + 30, T + 90]],
      watermarkAt: T + 90,
      newestDataAt: T + 60,
      lastSuccessTime: 5000,
    });
    // Answered without a request is not the same as not answered.
    expect(seriesB).toMatchObject({
      covered: [[T + 30, T + 90]],
      watermarkAt: T + 90,
    });
    expect(seriesB.newestDataAt).toBeUndefined();
  });

  it('replaces a window whole, however often', async () => {
    const [a] = await register('a');
    const write = (cells: { at: number; valid: number }[]) =>
      store.replaceWindow({
        level: 'minute',
        from: T,
        to: T + 5,
        time: 5000,
        entries: [
          {
            seriesId: a.id,
            cells: cells.map(c => ({ at: c.at, ...cell(c.valid) })),
          },
        ],
      });
    await write([
      { at: T, valid: 1 },
      { at: T + 4, valid: 2 },
    ]);
    await write([{ at: T + 1, valid: 10 }]);
    await write([{ at: T + 1, valid: 10 }]);
    expect(await minutes(a.id)).toEqual([[T + 1, 10]]);
    expect(await hours(a.id)).toEqual([[T, 10]]);
    // The newest minute with data was corrected away.
    expect((await store.listSeries())[0].newestDataAt).toBe(T + 1);
    await write([]);
    expect(await minutes(a.id)).toEqual([]);
    expect(await hours(a.id)).toEqual([]);
    const [series] = await store.listSeries();
    expect(series.newestDataAt).toBeUndefined();
    expect(series.covered).toEqual([[T, T + 5]]);
  });

  it('leaves the other minutes of the hour and other series alone', async () => {
    const [a, b] = await register('a', 'b');
    const write = (id: number, at: number, valid: number) =>
      store.replaceWindow({
        level: 'minute',
        from: at,
        to: at + 1,
        time: 1,
        entries: [{ seriesId: id, cells: [{ at, ...cell(valid) }] }],
      });
    await write(a.id, T, 1);
    await write(a.id, T + 59, 2);
    await write(b.id, T, 50);
    await write(a.id, T, 3);
    expect(await hours(a.id)).toEqual([[T, 5]]);
    expect(await hours(b.id)).toEqual([[T, 50]]);
    expect((await store.listSeries())[0].covered).toEqual([
      [T, T + 1],
      [T + 59, T + 60],
    ]);
  });

  it('takes hours from the source as they are, and refuses crooked ones', async () => {
    const [a] = await register('a');
    await store.replaceWindow({
      level: 'hour',
      from: T - 120,
      to: T,
      time: 1,
      entries: [{ seriesId: a.id, cells: [{ at: T - 60, ...cell(600) }] }],
    });
    expect(await minutes(a.id)).toEqual([]);
    expect(await hours(a.id)).toEqual([[T - 60, 600]]);
    await expect(
      store.replaceWindow({
        level: 'hour',
        from: T - 30,
        to: T,
        time: 1,
        entries: [],
      }),
    ).rejects.toThrow('cannot replace hours');
  });

  it('rolls an hour up to what its minutes add up to', async () => {
    const [a] = await register('a');
    const cells = Array.from({ length: 60 }, (_, i) => ({
      at: T + i,
      ...cell(i + 1, i, i % 57),
    }));
    await store.replaceWindow({
      level: 'minute',
      from: T,
      to: T + 60,
      time: 1,
      entries: [{ seriesId: a.id, cells }],
    });
    const sum = new CellSum();
    cells.forEach(c => sum.add(c));
    const [hour] = await store.readRows('hour', [a.id], T, T + 60);
    expect(hour).toEqual({ seriesId: a.id, at: T, ...sum.toCell() });
  });

  it('keeps many series apart, in slices', async () => {
    const series = await register(
      ...Array.from({ length: 130 }, (_, i) => `app-${i}`),
    );
    await store.replaceWindow({
      level: 'minute',
      from: T,
      to: T + 10,
      time: 1,
      entries: series.map((s, i) => ({
        seriesId: s.id,
        cells: Array.from({ length: 10 }, (_, m) => ({
          at: T + m,
          ...cell(i + 1),
        })),
      })),
    });
    const rows = await store.readRows(
      'hour',
      series.map(s => s.id),
      T,
      T + 60,
    );
    expect(rows.map(r => r.valid)).toEqual(series.map((_, i) => 10 * (i + 1)));
    const { changes } = await store.changesSince(0);
    expect(changes).toHaveLength(6);
    expect(changes.flatMap(c => c.seriesIds)).toEqual(series.map(s => s.id));
    expect(changes[0]).toMatchObject({ from: T, to: T + 10 });
    expect(
      (await store.changesSince(changes[4].seq)).changes.map(c => c.seq),
    ).toEqual([changes[5].seq]);
  });

  it('records failures beside what is stored', async () => {
    const [a, b] = await register('a', 'b');
    await store.replaceWindow({
      level: 'minute',
      from: T,
      to: T + 1,
      time: 100,
      entries: [{ seriesId: a.id, cells: [{ at: T, ...cell(1) }] }],
    });
    await store.recordFailures(
      [
        { seriesIds: [a.id], message: 'timeout' },
        { seriesIds: [b.id], message: 'bad key' },
      ],
      200,
    );
    expect(await store.listSeries()).toMatchObject([
      {
        lastError: 'timeout',
        lastErrorTime: 200,
        lastSuccessTime: 100,
        watermarkAt: T + 1,
      },
      { lastError: 'bad key', covered: [] },
    ]);
    expect(await minutes(a.id)).toEqual([[T, 1]]);
    // A change of status alone is a change too.
    expect((await store.changesSince(0)).changes).toHaveLength(2);
  });

  it('forgets answers about the future', async () => {
    const [a, b] = await register('a', 'b');
    for (const [from, to] of [
      [T, T + 10],
      [T + 20, T + 30],
    ]) {
      await store.replaceWindow({
        level: 'minute',
        from,
        to,
        time: 1,
        entries: [
          { seriesId: a.id, cells: [] },
          { seriesId: b.id, cells: [] },
        ],
      });
    }
    await store.truncateCoverage([a.id], T + 5);
    await store.truncateCoverage([b.id], T - 5);
    const [seriesA, seriesB] = await store.listSeries();
    expect(seriesA).toMatchObject({
      covered: [[T, T + 5]],
      watermarkAt: T + 5,
    });
    expect(seriesB.covered).toEqual([]);
    expect(seriesB.watermarkAt).toBeUndefined();
  });

  it('keeps the queries of a path and the links of its applications', async () => {
    const [a] = await register('a');
    const queries = new Map([
      [
        'criticalpath:default/posting',
        [
          { source: 'newrelic', account: 'eu', query: 'SELECT 1' },
          { source: 'newrelic', account: undefined, query: 'SELECT 2' },
        ],
      ],
      ['criticalpath:default/other', [{ source: 'prometheus', query: 'up' }]],
    ]);
    await store.saveQueries(queries, 1);
    await store.saveQueries(
      new Map([
        ['criticalpath:default/other', [{ source: 'prometheus', query: 'x' }]],
      ]),
      2,
    );
    expect(await store.listQueries('criticalpath:default/posting')).toEqual(
      queries.get('criticalpath:default/posting'),
    );
    expect(await store.listQueries('criticalpath:default/other')).toEqual([
      { source: 'prometheus', account: undefined, query: 'x' },
    ]);
    await store.setSourceUrls([{ seriesId: a.id, url: 'https://x' }]);
    expect((await store.listSeries())[0].sourceUrl).toBe('https://x');
  });

  it('prunes what is old and nothing else', async () => {
    const [a] = await store.registerSeries([descriptor('a')], T * 60);
    const [gone] = await store.registerSeries([descriptor('gone')], 1000);
    for (const { id } of [a, gone]) {
      for (const at of [T - 120, T]) {
        await store.replaceWindow({
          level: 'minute',
          from: at,
          to: at + 1,
          time: 10,
          entries: [{ seriesId: id, cells: [{ at, ...cell(1) }] }],
        });
      }
    }
    const stopped = new AbortController();
    stopped.abort();
    const limits = {
      minutesBefore: T,
      hoursBefore: T - 60,
      daysBefore: T - 60,
      changesBefore: 20,
    };
    expect(await store.prune({ ...limits, signal: stopped.signal })).toBe(0);
    // Seen again after a long time: kept from now on.
    const [back] = await store.registerSeries([descriptor('back')], 1000);
    await store.registerSeries([descriptor('back')], T * 60);
    await store.prune(limits);
    expect(await minutes(a.id)).toEqual([[T, 1]]);
    expect(await hours(a.id)).toEqual([[T, 1]]);
    expect((await store.changesSince(0)).changes).toEqual([]);
    expect((await store.listSeries()).map(s => s.id)).toEqual([a.id, back.id]);
  });

  it('rolls back a window that cannot be stored', async () => {
    const [a] = await register('a');
    const write = (cells: (SignalCell & { at: number })[]) =>
      store.replaceWindow({
        level: 'minute',
        from: T,
        to: T + 10,
        time: 1,
        entries: [{ seriesId: a.id, cells }],
      });
    await write([{ at: T, ...cell(5) }]);
    // Two cells for one minute break the key, after the delete.
    await expect(
      write([
        { at: T + 1, ...cell(1) },
        { at: T + 1, ...cell(2) },
      ]),
    ).rejects.toThrow();
    expect(await minutes(a.id)).toEqual([[T, 5]]);
    expect(await hours(a.id)).toEqual([[T, 5]]);
  });

  it('says that it is unavailable when the database is away', async () => {
    await knex.destroy();
    await expect(store.listSeries()).rejects.toMatchObject({
      name: 'ServiceUnavailableError',
    });
  });

  it('goes down and up again', async () => {
    const directory = `${__dirname}/../../migrations`;
    await knex.migrate.rollback({ directory }, true);
    expect(await knex.schema.hasTable('cp_series')).toBe(false);
    await knex.migrate.latest({ directory });
    expect(await knex.schema.hasTable('cp_hours')).toBe(true);
  });
});

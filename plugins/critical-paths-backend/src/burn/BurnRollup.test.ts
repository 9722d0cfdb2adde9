import { TestDatabases } from '@backstage/backend-test-utils';
import type { Knex } from 'knex';
import { NOON, PostingWorld, START } from '../__testUtils__/postingWorld';

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const never = new AbortController().signal;

describe.each(databases.eachSupportedId())('BurnRollup on %p', databaseId => {
  let knex: Knex;
  let world: PostingWorld;

  beforeEach(async () => {
    knex = await databases.init(databaseId);
    world = new PostingWorld();
  });

  const stored = async (table: 'cp_burn_hours' | 'cp_burn_days') => {
    const rows: { at: number; data: string }[] = await knex(table).orderBy(
      'at',
    );
    return rows.map(({ at, data }) => {
      const [resolution, steps] = JSON.parse(data);
      return { at, resolution, steps };
    });
  };
  const GATEWAY = 'component:default/gateway';

  it('sums up hours and days, and a second run finds nothing to do', async () => {
    world.outage(
      minute => [NOON - 70, NOON - 10, NOON - 1000].includes(minute),
      20,
      ['gateway'],
    );
    const { collector, rollup } = await world.start(knex);
    await collector.runCycle(never);
    expect((await rollup.run(never)).hours).toBeGreaterThan(40);
    const day = Math.floor(NOON / 1440) * 1440;
    expect(await stored('cp_burn_hours')).toEqual(
      [NOON - 1020, NOON - 120, NOON - 60].map(at => ({
        at,
        resolution: 1,
        steps: [[0, 0, [[GATEWAY, 20]]]],
      })),
    );
    expect(await stored('cp_burn_days')).toEqual([
      { at: day - 1440, resolution: 1, steps: [[0, 0, [[GATEWAY, 20]]]] },
      { at: day, resolution: 1, steps: [[0, 0, [[GATEWAY, 40]]]] },
    ]);
    expect(await rollup.run(never)).toEqual({ hours: 0, deployments: 0 });
  });

  it('follows late data: what was no fault after all is taken back', async () => {
    world.outage(minute => minute === NOON - 3, 20, ['gateway']);
    const { cycle, burns } = await world.start(knex);
    await cycle();
    const before = await burns.listBurns('hour', { writtenSince: 0, from: 0 });
    expect(before).toHaveLength(1);
    world.outage(() => false);
    world.now += 60_000;
    await cycle();
    // Whoever has the hour in memory must hear of it.
    const after = await burns.listBurns('hour', {
      writtenSince: world.now - 1,
      from: 0,
    });
    expect(after.map(row => [row.at, row.totals.faults.size])).toEqual([
      [NOON - 60, 0],
    ]);
    const days = await burns.listBurns('day', { writtenSince: 0, from: 0 });
    expect(days.map(row => row.totals.faults.size)).toEqual([0]);
  });

  it('makes good what a killed run has left', async () => {
    world.outage(minute => minute === NOON - 3, 20, ['gateway']);
    const { burns, collector, rollup } = await world.start(knex);
    await collector.runCycle(never);
    const save = burns.saveProgress.bind(burns);
    burns.saveProgress = async () => {
      throw new Error('killed');
    };
    await expect(rollup.run(never)).rejects.toThrow('killed');
    await knex('cp_burn_hours').delete();
    burns.saveProgress = save;
    expect((await rollup.run(never)).hours).toBeGreaterThan(40);
    expect(await stored('cp_burn_hours')).toHaveLength(1);
    const aborted = new AbortController();
    aborted.abort();
    world.now = START + 120_000;
    await collector.runCycle(never);
    expect(await rollup.run(aborted.signal)).toEqual({
      hours: 0,
      deployments: 0,
    });
    expect((await rollup.run(never)).hours).toBeGreaterThan(0);
  });

  it('judges hours that were back-filled as hours as a whole, and says so', async () => {
    const { collector, page, rollup, store } = await world.start(knex);
    await collector.runCycle(never);
    const series = await store.listSeries();
    const at = NOON - 6 * 1440;
    await store.replaceWindow({
      level: 'hour',
      from: at,
      to: at + 60,
      time: START / 1000,
      entries: series.map(({ id, selection }) => ({
        seriesId: id,
        cells: [
          {
            at,
            valid: 6000,
            good: selection.appName === 'gateway' ? 5970 : 5980,
            histogram: [20, 6000],
            thresholds: [],
          },
        ],
      })),
    });
    await rollup.run(never);
    expect((await stored('cp_burn_hours'))[0]).toEqual({
      at,
      resolution: 60,
      steps: [
        [
          0,
          0,
          [
            ['component:default/ledger', 20],
            [GATEWAY, 10],
          ],
        ],
      ],
    });
    expect((await page('7d')).attribution).toMatchObject({
      badEvents: 30,
      resolutionMinutes: 60,
    });
    expect((await page('24h')).attribution).toMatchObject({
      badEvents: 0,
      resolutionMinutes: 1,
    });
  });
});

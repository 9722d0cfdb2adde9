import { mockServices } from '@backstage/backend-test-utils';
import knexFactory, { type Knex } from 'knex';
import { isDeepStrictEqual } from 'util';
import { MAX_MINUTES } from '../../src/collector/plan';
import { DatabaseSignalStore } from '../../src/store/DatabaseSignalStore';
import type { RowLevel } from '../../src/store/SignalStore';
import { seedSeries, seedSpan, type SeedSize } from './seed';
import { minutesOf } from './traffic';

const LEVELS: RowLevel[] = ['minute', 'quarter', 'hour', 'day'];
const FAR = 2 ** 31 - 1;

/**
 * Checks that a seeded database holds what the plugin would have stored: a few
 * series go, with all of their minutes, through the store itself, question by
 * question as the collector writes them, and through its retention; every row
 * of them must be the same as the seeded one.
 *
 * @param now - the time that the database was seeded with
 * @returns how many rows were compared
 * @throws when a row differs or is missing
 */
export async function verifySeed(
  db: Knex,
  size: SeedSize,
  now: number,
  sample: number[],
): Promise<number> {
  const span = seedSpan(size.days, now);
  const knex = knexFactory({
    client: 'better-sqlite3',
    connection: { filename: ':memory:' },
    useNullAsDefault: true,
  });
  try {
    const written = await DatabaseSignalStore.create({
      database: mockServices.database({ knex }),
    });
    const seeded = await DatabaseSignalStore.create({
      database: mockServices.database({ knex: db }),
    });
    const all = seedSeries(size);
    const descriptors = sample.map(index => all[index]);
    const time = span.until * 60;
    const series = await written.registerSeries(descriptors, time);
    for (let from = span.from; from < span.until; from += MAX_MINUTES) {
      const to = Math.min(from + MAX_MINUTES, span.until);
      await written.replaceWindow({
        level: 'minute',
        from,
        to,
        time,
        entries: series.map(({ id }, i) => ({
          seriesId: id,
          cells: minutesOf(sample[i], from, to),
        })),
      });
    }
    await written.prune(span);
    const stored = await seeded.registerSeries(descriptors, time);
    let compared = 0;
    for (const [i, { id, ...rest }] of (
      await written.registerSeries(descriptors, time)
    ).entries()) {
      const { id: seededId, ...seededRest } = stored[i];
      if (!isDeepStrictEqual(seededRest, rest)) {
        throw new Error(
          `Series ${sample[i]} was seeded as ${JSON.stringify(seededRest)}, ` +
            `the store has ${JSON.stringify(rest)}`,
        );
      }
      for (const level of LEVELS) {
        const expected = await written.readRows(level, [id], 0, FAR);
        const found = await seeded.readRows(level, [seededId], 0, FAR);
        if (found.length !== expected.length || found.length === 0) {
          throw new Error(
            `Series ${sample[i]} has ${found.length} seeded ${level} rows, the store keeps ${expected.length}`,
          );
        }
        expected.forEach((row, at) => {
          if (!isDeepStrictEqual(found[at], { ...row, seriesId: seededId })) {
            throw new Error(
              `The ${level} ${row.at} of series ${
                sample[i]
              } was seeded as ${JSON.stringify(
                found[at],
              )}, the store sums up ${JSON.stringify(row)}`,
            );
          }
        });
        compared += found.length;
      }
    }
    return compared;
  } finally {
    await knex.destroy();
  }
}

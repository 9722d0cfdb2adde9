import type { DatabaseService } from '@backstage/backend-plugin-api';
import { AttributionTotals } from '@rocket/plugin-critical-paths-common';
import type { Knex } from 'knex';
import { breathe, guarded, slices } from './rows';
import { INSERT_ROWS } from './windowRows';

/** Whose fault the bad events of a path were in one hour or UTC day. */
export interface BurnRow {
  pathRef: string;
  /** Start, minutes since the epoch. */
  at: number;
  totals: AttributionTotals;
  /** Longest interval that coincidence was judged over, in minutes: 1 or 60. */
  resolution: number;
}

/** What a path lost in the minutes after a deployment. */
export interface StoredChangeBurn {
  pathRef: string;
  /** Unique for the path. */
  changeId: string;
  /** Minute of the change. */
  at: number;
  minutes: number;
  complete: boolean;
  valid: number;
  bad: number;
  excess: number;
}

/** The hours of a path in `[from, to)` (full hours). Hours without a bad event may be left out. */
export interface BurnWrite {
  pathRef: string;
  from: number;
  to: number;
  rows: Omit<BurnRow, 'pathRef'>[];
}

/**
 * Keeps sums of attribution. All methods throw `ServiceUnavailableError` while
 * the database cannot be reached.
 */
export interface BurnStore {
  /** Replaces hours of some paths and sums up their days again, in one transaction. */
  replaceBurns(writes: BurnWrite[], written: number): Promise<void>;
  /** Rows that were written since (milliseconds) and start at or after `from`, by level. */
  listBurns(
    level: 'hour' | 'day',
    query: { writtenSince: number; from: number },
  ): Promise<BurnRow[]>;
  saveChangeBurns(burns: StoredChangeBurn[]): Promise<void>;
  /** Those of a path for changes at or after the given minute. */
  listChangeBurns(pathRef: string, from: number): Promise<StoredChangeBurn[]>;
  /** How far a job got; undefined before its first run. */
  progress(name: string): Promise<number | undefined>;
  saveProgress(name: string, value: number): Promise<void>;
  /** Deletes hours, and days with the burns of changes, that start before the given minutes. */
  pruneBurns(hoursBefore: number, daysBefore: number): Promise<number>;
}

type Encoded = [
  resolution: number,
  steps: [step: number, unknown: number, own: [string, number][]][],
  faults: [ref: string, bad: number, upstream: number][],
];

function encode(row: Omit<BurnRow, 'pathRef' | 'at'>): string {
  const data: Encoded = [
    row.resolution,
    [...row.totals.steps].map(([step, { unknown, own }]) => [
      step,
      unknown,
      [...own],
    ]),
    [...row.totals.faults].map(([ref, { bad, upstream }]) => [
      ref,
      bad,
      upstream,
    ]),
  ];
  return JSON.stringify(data);
}

function decode(data: string): Omit<BurnRow, 'pathRef' | 'at'> {
  const [resolution, steps, faults] = JSON.parse(data) as Encoded;
  const totals = new AttributionTotals();
  for (const [step, unknown, own] of steps) {
    own.forEach(([ref, count]) => totals.addCharge(step, ref, count));
    if (unknown > 0) {
      totals.addUnknown(step, unknown);
    }
  }
  faults.forEach(([ref, bad, upstream]) => totals.addFault(ref, bad, upstream));
  return { resolution, totals };
}

const TABLES = { hour: 'cp_burn_hours', day: 'cp_burn_days' } as const;
const DAY = 1440;

/** {@link BurnStore} on SQLite and PostgreSQL; the tables are made by `DatabaseSignalStore.create`. */
export class DatabaseBurnStore implements BurnStore {
  readonly #db: Knex;

  static async create(options: {
    database: DatabaseService;
  }): Promise<DatabaseBurnStore> {
    return new DatabaseBurnStore(await options.database.getClient());
  }

  private constructor(db: Knex) {
    this.#db = db;
  }

  async replaceBurns(writes: BurnWrite[], written: number): Promise<void> {
    await guarded(() =>
      this.#db.transaction(async tx => {
        for (const write of writes) {
          await replacePath(tx, write, written);
        }
      }),
    );
  }

  async listBurns(
    level: 'hour' | 'day',
    query: { writtenSince: number; from: number },
  ): Promise<BurnRow[]> {
    return guarded(async () => {
      const rows: { path_ref: string; at: number; data: string }[] =
        await this.#db(TABLES[level])
          .select('path_ref', 'at', 'data')
          .where('written', '>=', query.writtenSince)
          .andWhere('at', '>=', query.from);
      const result: BurnRow[] = [];
      for (const slice of slices(rows, 2000)) {
        for (const { path_ref, at, data } of slice) {
          result.push({ pathRef: path_ref, at, ...decode(data) });
        }
        await breathe();
      }
      return result;
    });
  }

  async saveChangeBurns(burns: StoredChangeBurn[]): Promise<void> {
    await guarded(async () => {
      for (const slice of slices(burns, 100)) {
        await this.#db('cp_change_burns')
          .insert(
            slice.map(burn => ({
              path_ref: burn.pathRef,
              change_id: burn.changeId,
              at: burn.at,
              minutes: burn.minutes,
              complete: burn.complete,
              valid: burn.valid,
              bad: burn.bad,
              excess: burn.excess,
            })),
          )
          .onConflict(['path_ref', 'change_id'])
          .merge();
      }
    });
  }

  async listChangeBurns(
    pathRef: string,
    from: number,
  ): Promise<StoredChangeBurn[]> {
    return guarded(async () => {
      const rows: {
        path_ref: string;
        change_id: string;
        at: number;
        minutes: number;
        complete: boolean | number;
        valid: number;
        bad: number;
        excess: number;
      }[] = await this.#db('cp_change_burns')
        .where('path_ref', pathRef)
        .andWhere('at', '>=', from);
      return rows.map(row => ({
        pathRef: row.path_ref,
        changeId: row.change_id,
        at: row.at,
        minutes: row.minutes,
        complete: Boolean(row.complete),
        valid: row.valid,
        bad: row.bad,
        excess: row.excess,
      }));
    });
  }

  async progress(name: string): Promise<number | undefined> {
    return guarded(async () => {
      const row = await this.#db('cp_progress').where('name', name).first();
      return row === undefined ? undefined : Number(row.value);
    });
  }

  async saveProgress(name: string, value: number): Promise<void> {
    await guarded(() =>
      this.#db('cp_progress')
        .insert({ name, value })
        .onConflict('name')
        .merge(),
    );
  }

  async pruneBurns(hoursBefore: number, daysBefore: number): Promise<number> {
    return guarded(
      async () =>
        (await this.#db('cp_burn_hours')
          .where('at', '<', hoursBefore)
          .delete()) +
        (await this.#db('cp_burn_days').where('at', '<', daysBefore).delete()) +
        (await this.#db('cp_change_burns')
          .where('at', '<', daysBefore)
          .delete()),
    );
  }
}

async function replacePath(
  tx: Knex.Transaction,
  { pathRef, from, to, rows }: BurnWrite,
  written: number,
): Promise<void> {
  const dayFrom = Math.floor(from / DAY) * DAY;
  const dayTo = Math.ceil(to / DAY) * DAY;
  const stored: { at: number; data: string }[] = await tx('cp_burn_hours')
    .where('path_ref', pathRef)
    .andWhere('at', '>=', dayFrom)
    .andWhere('at', '<', dayTo)
    .orderBy('at');
  const now = new Map(rows.map(row => [row.at, encode(row)]));
  const before = new Map(stored.map(row => [row.at, row.data]));
  // An hour that is clean after a correction stays, empty: a replica that
  // has it in memory must hear of it.
  const empty = encode({
    resolution: 1,
    totals: new AttributionTotals(),
  });
  const changed: { at: number; data: string }[] = [];
  for (const { at } of stored) {
    if (at >= from && at < to && !now.has(at)) {
      now.set(at, empty);
    }
  }
  for (const [at, data] of now) {
    if (before.get(at) !== data) {
      changed.push({ at, data });
      before.set(at, data);
    }
  }
  if (changed.length === 0) {
    return;
  }
  await save(tx, 'cp_burn_hours', pathRef, changed, written);
  const days = new Map<number, Omit<BurnRow, 'pathRef' | 'at'>>();
  const touched = new Set(changed.map(({ at }) => Math.floor(at / DAY) * DAY));
  for (const [at, data] of [...before].sort((a, b) => a[0] - b[0])) {
    const day = Math.floor(at / DAY) * DAY;
    if (touched.has(day)) {
      const sum = days.get(day) ?? {
        resolution: 1,
        totals: new AttributionTotals(),
      };
      const hour = decode(data);
      sum.totals.addTotals(hour.totals);
      sum.resolution = Math.max(sum.resolution, hour.resolution);
      days.set(day, sum);
    }
  }
  await save(
    tx,
    'cp_burn_days',
    pathRef,
    [...days].map(([at, sum]) => ({ at, data: encode(sum) })),
    written,
  );
}

async function save(
  tx: Knex.Transaction,
  table: string,
  pathRef: string,
  rows: { at: number; data: string }[],
  written: number,
): Promise<void> {
  for (const slice of slices(rows, INSERT_ROWS)) {
    await tx(table)
      .insert(slice.map(row => ({ path_ref: pathRef, ...row, written })))
      .onConflict(['path_ref', 'at'])
      .merge();
  }
}

import { stringifyEntityRef, type Entity } from '@backstage/catalog-model';
import type { Knex } from 'knex';
import { dayStart } from '../../src/collector/plan';
import { encodeCell } from '../../src/store/cells';
import { rollUp } from '../../src/store/rows';
import { seriesKey } from '../../src/store/seriesKey';
import type {
  PruneLimits,
  SeriesDescriptor,
  SignalRow,
} from '../../src/store/SignalStore';
import { componentEntity, pathEntity } from '../../src/testing/entities';
import { openRowWriter, type StoredRow } from './rows';
import { MINUTES, minuteOf, THRESHOLD_MS } from './traffic';

/** Size of a made-up organisation. */
export interface SeedSize {
  paths: number;
  applicationsPerPath: number;
  /** Days of traffic. */
  days: number;
}

/** What retention keeps, in minutes; the plugin's defaults. */
export const RETENTION = {
  minutes: 3 * 1440,
  hours: 100 * 1440,
  days: 400 * 1440,
};

/** What {@link seed} made and stored. */
export interface SeedResult {
  series: number;
  /** Minutes of applications that were made and summed up. */
  minutes: number;
  minuteRows: number;
  quarterRows: number;
  hourRows: number;
  dayRows: number;
  seconds: number;
}

/** The stretch of time that a database is filled with, and what retention has left of it; minutes since the epoch. */
export interface SeedSpan extends PruneLimits {
  from: number;
  until: number;
}

/**
 * The catalog entities of the made-up organisation: paths `bench-path-<n>`, each
 * with applications of its own, one per step, and three objectives.
 */
export function seedEntities(size: SeedSize): Entity[] {
  const entities: Entity[] = [];
  for (let p = 0; p < size.paths; p++) {
    const names = Array.from(
      { length: size.applicationsPerPath },
      (_, a) => `bench-app-${p}-${a}`,
    );
    entities.push(
      pathEntity(`bench-path-${p}`, names, {
        objectives: [
          { sli: 'availability', target: 99.5, windowDays: 28 },
          {
            sli: 'latency',
            target: 60,
            thresholdMs: THRESHOLD_MS,
            windowDays: 28,
          },
          { sli: 'availability', target: 99, windowDays: 1 },
        ],
      }),
      ...names.map(name => componentEntity(name)),
    );
  }
  return entities;
}

/** Applications of the paths, in the order in which their series are stored. */
export function seedSeries(size: SeedSize): SeriesDescriptor[] {
  const descriptors: SeriesDescriptor[] = [];
  for (let p = 0; p < size.paths; p++) {
    for (let a = 0; a < size.applicationsPerPath; a++) {
      const name = `bench-app-${p}-${a}`;
      descriptors.push({
        pathRef: stringifyEntityRef({
          kind: 'criticalpath',
          name: `bench-path-${p}`,
        }),
        componentRef: stringifyEntityRef({ kind: 'component', name }),
        step: name,
        selection: {
          source: 'newrelic',
          appName: name,
          criticalPath: `bench-path-${p}`,
        },
      });
    }
  }
  return descriptors;
}

/** The last `days` before `now` (milliseconds), and the limits that the retention task works with at that time. */
export function seedSpan(days: number, now: number): SeedSpan {
  const until = Math.floor(now / 60_000);
  const hour = Math.floor(until / 60) * 60;
  return {
    from: hour - days * 1440,
    until,
    minutesBefore: hour - RETENTION.minutes,
    hoursBefore: dayStart(hour - RETENTION.hours),
    daysBefore: dayStart(hour - RETENTION.days),
    changesBefore: 0,
  };
}

/**
 * Fills the tables of the plugin with an organisation of the given size, as if
 * it had been collected minute by minute up to `now`: every minute of every
 * application is made and summed up by the code that the store itself sums up
 * with, and what retention would have deleted is left out. For benchmarks; the
 * tables must have been made by `DatabaseSignalStore.create` and be empty.
 */
export async function seed(
  db: Knex,
  size: SeedSize,
  now = Date.now(),
): Promise<SeedResult> {
  const started = Date.now();
  const span = seedSpan(size.days, now);
  const ids = await addSeries(db, seedSeries(size), span);
  const result: SeedResult = {
    series: ids.length,
    minutes: ids.length * (span.until - span.from),
    minuteRows: 0,
    quarterRows: 0,
    hourRows: 0,
    dayRows: 0,
    seconds: 0,
  };
  const writer = await openRowWriter(db);
  try {
    for (const [index, id] of ids.entries()) {
      const rows = rowsOf(index, id, span);
      await writer.write('cp_minutes', rows.minutes);
      await writer.write('cp_quarters', rows.quarters);
      await writer.write('cp_hours', rows.hours);
      await writer.write('cp_days', rows.days);
      result.minuteRows += rows.minutes.length;
      result.quarterRows += rows.quarters.length;
      result.hourRows += rows.hours.length;
      result.dayRows += rows.days.length;
    }
  } finally {
    await writer.close();
  }
  result.seconds = (Date.now() - started) / 1000;
  return result;
}

async function addSeries(
  db: Knex,
  descriptors: SeriesDescriptor[],
  { from, until }: SeedSpan,
): Promise<number[]> {
  const rows = descriptors.map(d => ({
    series_key: seriesKey(d),
    path_ref: d.pathRef,
    component_ref: d.componentRef,
    step: d.step,
    source: d.selection.source,
    app_name: d.selection.appName,
    critical_path: d.selection.criticalPath,
    last_seen_time: until * 60,
    covered: JSON.stringify([[from, until]]),
    watermark_at: until,
    newest_data_at: until - 1,
    last_success_time: until * 60,
  }));
  for (let i = 0; i < rows.length; i += 200) {
    await db('cp_series').insert(rows.slice(i, i + 200));
  }
  const idOf = new Map<string, number>(
    (await db('cp_series').select('id', 'series_key')).map(row => [
      row.series_key,
      row.id,
    ]),
  );
  return rows.map(row => idOf.get(row.series_key)!);
}

const encodedMinutes = MINUTES.map(encodeCell);

/** The rows of one series that are left of its traffic. */
function rowsOf(
  index: number,
  seriesId: number,
  span: SeedSpan,
): Record<'minutes' | 'quarters' | 'hours' | 'days', StoredRow[]> {
  const minutes: StoredRow[] = [];
  const quarters: SignalRow[] = [];
  const hours: SignalRow[] = [];
  for (let day = dayStart(span.from); day < span.until; day += 1440) {
    const rows: SignalRow[] = [];
    const end = Math.min(day + 1440, span.until);
    for (let at = Math.max(day, span.from); at < end; at++) {
      const k = minuteOf(index, at);
      const { valid, good, histogram, thresholds } = MINUTES[k];
      rows.push({ seriesId, at, valid, good, histogram, thresholds });
      if (at >= span.minutesBefore) {
        minutes.push({ seriesId, at, valid, good, data: encodedMinutes[k] });
      }
    }
    hours.push(...rollUp(rows, 60));
    quarters.push(
      ...rollUp(
        rows.filter(row => row.at >= span.minutesBefore),
        15,
      ),
    );
  }
  // Days are sums of all of their hours, those included that retention deletes.
  const days = rollUp(hours, 1440).filter(row => row.at >= span.daysBefore);
  return {
    minutes,
    quarters: quarters.map(stored),
    hours: hours.filter(row => row.at >= span.hoursBefore).map(stored),
    days: days.map(stored),
  };
}

function stored(row: SignalRow): StoredRow {
  const { seriesId, at, valid, good } = row;
  return { seriesId, at, valid, good, data: encodeCell(row) };
}

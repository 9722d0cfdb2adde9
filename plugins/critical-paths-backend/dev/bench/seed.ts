import { stringifyEntityRef, type Entity } from '@backstage/catalog-model';
import { histogramOf } from '@rocket/plugin-critical-paths-common';
import type { Knex } from 'knex';
import { encodeCell } from '../../src/store/cells';
import { componentEntity, pathEntity } from '../../src/testing/entities';
import { seriesKey } from '../../src/store/seriesKey';
import type { SeriesDescriptor } from '../../src/store/SignalStore';

/** Size of a made-up organisation. */
export interface SeedSize {
  paths: number;
  applicationsPerPath: number;
  /** Days of hour rows. */
  days: number;
  /** Hours of minute rows before now. Default: 25, enough for the longest window that reads minutes. */
  minuteHours?: number;
}

/** What {@link seed} stored. */
export interface SeedResult {
  series: number;
  hourRows: number;
  minuteRows: number;
  seconds: number;
}

/** Distinct rows that the made-up traffic is drawn from. */
const VARIANTS = 97;

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
          { sli: 'latency', target: 95, thresholdMs: 500, windowDays: 28 },
          { sli: 'availability', target: 99, windowDays: 1 },
        ],
      }),
      ...names.map(name => componentEntity(name)),
    );
  }
  return entities;
}

function cellOf(
  variant: number,
  minutes: number,
): {
  valid: number;
  good: number;
  data: string;
} {
  const valid = minutes * (20 + (variant % 40));
  const good = valid - (variant % 9 === 0 ? Math.ceil(valid / 400) : 0);
  const durations = Array.from(
    { length: valid },
    (_, i) => 8 + ((i * 37 + variant * 11) % 400) * ((i % 19) / 6),
  );
  const histogram = histogramOf(durations);
  return {
    valid,
    good,
    data: encodeCell({
      valid,
      good,
      histogram: Object.entries(histogram).flatMap(([index, count]) => [
        Number(index),
        count,
      ]),
      thresholds: [
        {
          threshold: 500,
          within: durations.filter(d => d <= 500).length,
          of: valid,
        },
      ],
    }),
  };
}

/**
 * Fills the tables of the plugin with an organisation of the given size, as if
 * it had been collected up to `now`. The rows are made inside the database, so
 * that a month of 2,000 applications takes seconds. For benchmarks and tests;
 * the tables must have been made by `DatabaseSignalStore.create`.
 */
export async function seed(
  db: Knex,
  size: SeedSize,
  now = Date.now(),
): Promise<SeedResult> {
  const started = Date.now();
  const until = Math.floor(now / 60_000);
  const hour = Math.floor(until / 60) * 60;
  const hoursFrom = hour - size.days * 1440;
  const minutesFrom = until - (size.minuteHours ?? 25) * 60;
  const covered = JSON.stringify([[hoursFrom, until]]);

  const descriptors: SeriesDescriptor[] = [];
  for (let p = 0; p < size.paths; p++) {
    const pathRef = stringifyEntityRef({
      kind: 'criticalpath',
      name: `bench-path-${p}`,
    });
    for (let a = 0; a < size.applicationsPerPath; a++) {
      const name = `bench-app-${p}-${a}`;
      descriptors.push({
        pathRef,
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
  const rows = descriptors.map(d => ({
    series_key: seriesKey(d),
    path_ref: d.pathRef,
    component_ref: d.componentRef,
    step: d.step,
    source: d.selection.source,
    app_name: d.selection.appName,
    critical_path: d.selection.criticalPath,
    last_seen_time: until * 60,
    covered,
    watermark_at: until,
    newest_data_at: until - 1,
    last_success_time: until * 60,
  }));
  for (let i = 0; i < rows.length; i += 200) {
    await db('cp_series').insert(rows.slice(i, i + 200));
  }

  const isSqlite = String(db.client.config.client).includes('sqlite');
  const series = (length: string) =>
    isSqlite
      ? `(WITH RECURSIVE g(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM g WHERE n + 1 < ${length}) SELECT n FROM g)`
      : `(SELECT generate_series(0, ${length} - 1) AS n)`;
  const fill = async (
    table: string,
    from: number,
    count: number,
    step: number,
  ) => {
    await db.schema.createTable('cp_bench_cells', t => {
      t.integer('k').primary();
      t.bigInteger('valid');
      t.bigInteger('good');
      t.text('data');
    });
    for (let k = 0; k < VARIANTS; k++) {
      await db('cp_bench_cells').insert({ k, ...cellOf(k, step) });
    }
    await db.raw(
      `INSERT INTO ${table} (series_id, at, valid, good, data)
       SELECT s.id, ${from} + g.n * ${step}, c.valid, c.good, c.data
       FROM cp_series s
       CROSS JOIN ${series(String(count))} g
       JOIN cp_bench_cells c ON c.k = (s.id * 7 + g.n) % ${VARIANTS}
       WHERE s.path_ref LIKE 'criticalpath:default/bench-path-%'
       ORDER BY s.id, g.n`,
    );
    await db.schema.dropTable('cp_bench_cells');
  };
  const hours = size.days * 24 + 1;
  await fill('cp_hours', hoursFrom, hours, 60);
  await fill('cp_minutes', minutesFrom, until - minutesFrom, 1);
  const quarter = Math.floor(minutesFrom / 15) * 15;
  await fill('cp_quarters', quarter, Math.ceil((until - quarter) / 15), 15);
  const day = Math.floor(hoursFrom / 1440) * 1440;
  await fill('cp_days', day, Math.ceil((until - day) / 1440), 1440);
  await db('cp_changes').insert({
    from_at: hoursFrom,
    to_at: until,
    series: null,
    change_time: until * 60,
  });
  if (!isSqlite) {
    await db.raw('ANALYZE cp_hours');
    await db.raw('ANALYZE cp_minutes');
  }
  return {
    series: descriptors.length,
    hourRows: descriptors.length * hours,
    minuteRows: descriptors.length * (until - minutesFrom),
    seconds: (Date.now() - started) / 1000,
  };
}

// @ts-check

/**
 * Sums hour rows of one series, in order of time, into day rows. Written out
 * here because a migration must not change with the code.
 *
 * @param {{at: number, valid: number | string, good: number | string, data: string}[]} hours
 */
function sumDays(hours) {
  const days = new Map();
  for (const row of hours) {
    const at = Math.floor(row.at / 1440) * 1440;
    const day = days.get(at) ?? {
      valid: 0,
      good: 0,
      histogram: new Map(),
      thresholds: new Map(),
    };
    days.set(at, day);
    day.valid += Number(row.valid);
    day.good += Number(row.good);
    const [histogram, thresholds] = JSON.parse(row.data);
    for (let i = 0; i < histogram.length; i += 2) {
      day.histogram.set(
        histogram[i],
        (day.histogram.get(histogram[i]) ?? 0) + histogram[i + 1],
      );
    }
    for (let i = 0; i < thresholds.length; i += 3) {
      const sum = day.thresholds.get(thresholds[i]) ?? [0, 0];
      day.thresholds.set(thresholds[i], [
        sum[0] + thresholds[i + 1],
        sum[1] + thresholds[i + 2],
      ]);
    }
  }
  return [...days].map(([at, day]) => ({
    at,
    valid: day.valid,
    good: day.good,
    data: JSON.stringify([
      [...day.histogram].sort((a, b) => a[0] - b[0]).flat(),
      [...day.thresholds].flatMap(([threshold, sum]) => [threshold, ...sum]),
    ]),
  }));
}

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  const isSqlite = knex.client.config.client.includes('sqlite');
  // As cp_minutes and cp_hours: `at` is the start of the UTC day in minutes
  // since the epoch, and the key is the only access path.
  await knex.raw(
    `CREATE TABLE cp_days (
      series_id integer NOT NULL,
      at integer NOT NULL,
      valid bigint NOT NULL,
      good bigint NOT NULL,
      data text NOT NULL,
      PRIMARY KEY (series_id, at)
    )${isSqlite ? ' WITHOUT ROWID' : ''}`,
  );
  await knex.schema.alterTable('cp_series', table => {
    table
      .double('latency_error')
      .comment(
        'Bound of the relative error of percentiles where the source has wider buckets; a ratio',
      );
  });
  for (const id of await knex('cp_series').orderBy('id').pluck('id')) {
    const days = sumDays(
      await knex('cp_hours').where('series_id', id).orderBy('at'),
    );
    for (let i = 0; i < days.length; i += 100) {
      await knex('cp_days').insert(
        days.slice(i, i + 100).map(day => ({ series_id: id, ...day })),
      );
    }
  }
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.alterTable('cp_series', table => {
    table.dropColumn('latency_error');
  });
  await knex.schema.dropTable('cp_days');
};

// @ts-check

/**
 * Sums minute rows of one series, in order of time, into rows of a quarter of an
 * hour. Written out here because a migration must not change with the code.
 *
 * @param {{at: number, valid: number | string, good: number | string, data: string}[]} minutes
 */
function sumQuarters(minutes) {
  const quarters = new Map();
  for (const row of minutes) {
    const at = Math.floor(row.at / 15) * 15;
    const sum = quarters.get(at) ?? {
      valid: 0,
      good: 0,
      histogram: new Map(),
      thresholds: new Map(),
    };
    quarters.set(at, sum);
    sum.valid += Number(row.valid);
    sum.good += Number(row.good);
    const [histogram, thresholds] = JSON.parse(row.data);
    for (let i = 0; i < histogram.length; i += 2) {
      sum.histogram.set(
        histogram[i],
        (sum.histogram.get(histogram[i]) ?? 0) + histogram[i + 1],
      );
    }
    for (let i = 0; i < thresholds.length; i += 3) {
      const known = sum.thresholds.get(thresholds[i]) ?? [0, 0];
      sum.thresholds.set(thresholds[i], [
        known[0] + thresholds[i + 1],
        known[1] + thresholds[i + 2],
      ]);
    }
  }
  return [...quarters].map(([at, sum]) => ({
    at,
    valid: sum.valid,
    good: sum.good,
    data: JSON.stringify([
      [...sum.histogram].sort((a, b) => a[0] - b[0]).flat(),
      [...sum.thresholds].flatMap(([threshold, n]) => [threshold, ...n]),
    ]),
  }));
}

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  const isSqlite = knex.client.config.client.includes('sqlite');
  // As cp_minutes: `at` is the start of the quarter in minutes since the epoch.
  await knex.raw(
    `CREATE TABLE cp_quarters (
      series_id integer NOT NULL,
      at integer NOT NULL,
      valid bigint NOT NULL,
      good bigint NOT NULL,
      data text NOT NULL,
      PRIMARY KEY (series_id, at)
    )${isSqlite ? ' WITHOUT ROWID' : ''}`,
  );
  for (const id of await knex('cp_series').orderBy('id').pluck('id')) {
    const quarters = sumQuarters(
      await knex('cp_minutes').where('series_id', id).orderBy('at'),
    );
    for (let i = 0; i < quarters.length; i += 100) {
      await knex('cp_quarters').insert(
        quarters.slice(i, i + 100).map(row => ({ series_id: id, ...row })),
      );
    }
  }
  for (const table of ['cp_burn_hours', 'cp_burn_days']) {
    await knex.schema.createTable(table, t => {
      t.comment('Whose fault the bad events of a path are, by hour or UTC day');
      t.string('path_ref', 255).notNullable();
      t.integer('at').notNullable().comment('Start, minutes since the epoch');
      t.text('data').notNullable();
      t.bigInteger('written')
        .notNullable()
        .comment('Milliseconds since the epoch');
      t.primary(['path_ref', 'at']);
      t.index(['written'], `${table}_written_idx`);
    });
  }
  await knex.schema.createTable('cp_change_burns', t => {
    t.comment('What a path lost in the minutes after a deployment');
    t.string('path_ref', 255).notNullable();
    t.string('change_id', 400).notNullable();
    t.integer('at').notNullable().comment('Minutes since the epoch');
    t.integer('minutes').notNullable();
    t.boolean('complete').notNullable();
    t.double('valid').notNullable();
    t.double('bad').notNullable();
    t.double('excess').notNullable();
    t.primary(['path_ref', 'change_id']);
    t.index(['at'], 'cp_change_burns_at_idx');
  });
  await knex.schema.createTable('cp_progress', t => {
    t.string('name', 63).primary();
    t.bigInteger('value').notNullable();
  });
  await knex.schema.createTable('cp_maintenance', t => {
    t.comment('Planned downtime of a path');
    t.string('id', 36).primary();
    t.string('path_ref', 255).notNullable();
    t.integer('from_at').notNullable().comment('Minutes since the epoch');
    t.integer('to_at').notNullable().comment('Exclusive');
    t.text('reason').notNullable();
    t.string('created_by', 255).notNullable();
    t.bigInteger('created_time').notNullable().comment('Seconds');
    t.index(['path_ref', 'from_at'], 'cp_maintenance_path_idx');
  });
  await knex.schema.createTable('cp_budget_resets', t => {
    t.comment('Decisions that the budgets of a path start anew');
    t.string('id', 36).primary();
    t.string('path_ref', 255).notNullable();
    t.integer('at').notNullable().comment('Minutes since the epoch');
    t.text('reason').notNullable();
    t.string('created_by', 255).notNullable();
    t.index(['path_ref', 'at'], 'cp_budget_resets_path_idx');
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  for (const table of [
    'cp_budget_resets',
    'cp_maintenance',
    'cp_progress',
    'cp_change_burns',
    'cp_burn_days',
    'cp_burn_hours',
    'cp_quarters',
  ]) {
    await knex.schema.dropTable(table);
  }
};

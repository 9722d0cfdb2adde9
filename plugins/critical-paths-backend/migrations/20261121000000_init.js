// @ts-check

/**
 * Columns named `*_at` or `at` in the row tables are minutes since the epoch;
 * columns ending in `_time` are seconds since the epoch.
 *
 * @param {import('knex').Knex} knex
 * @param {string} table
 */
async function createRowTable(knex, table) {
  const isSqlite = knex.client.config.client.includes('sqlite');
  // The key is the only access path: rows of a series by time. On SQLite the
  // table is clustered on it.
  await knex.raw(
    `CREATE TABLE ?? (
      series_id integer NOT NULL,
      at integer NOT NULL,
      valid bigint NOT NULL,
      good bigint NOT NULL,
      data text NOT NULL,
      PRIMARY KEY (series_id, at)
    )${isSqlite ? ' WITHOUT ROWID' : ''}`,
    [table],
  );
}

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('cp_series', table => {
    table.comment(
      'One application at one step of one path, with the way its telemetry is selected',
    );
    table.increments('id');
    table.string('series_key', 64).notNullable();
    table.string('path_ref', 255).notNullable();
    table.string('component_ref', 255).notNullable();
    table.string('step', 63).notNullable();
    table.string('source', 255).notNullable();
    table.string('account', 255);
    table.string('app_name', 255).notNullable();
    table.string('critical_path', 255).notNullable();
    table.string('operation', 255);
    table.bigInteger('last_seen_time').notNullable();
    table
      .text('covered')
      .notNullable()
      .comment(
        'JSON list of [from, to) in minutes that the source answered for',
      );
    table.integer('watermark_at');
    table.integer('newest_data_at');
    table.bigInteger('last_success_time');
    table.bigInteger('last_error_time');
    table.text('last_error');
    table.text('source_url');
    table.unique(['series_key'], { indexName: 'cp_series_key_uniq' });
    table.index(['path_ref'], 'cp_series_path_idx');
    table.index(['component_ref'], 'cp_series_component_idx');
  });
  await createRowTable(knex, 'cp_minutes');
  await createRowTable(knex, 'cp_hours');
  await knex.schema.createTable('cp_queries', table => {
    table.comment('The last queries behind the figures of a path');
    table.string('path_ref', 255).notNullable();
    table.integer('ordinal').notNullable();
    table.string('source', 255).notNullable();
    table.string('account', 255);
    table.text('query').notNullable();
    table.bigInteger('sent_time').notNullable();
    table.primary(['path_ref', 'ordinal']);
  });
  await knex.schema.createTable('cp_changes', table => {
    table.comment(
      'What was written, so that every replica drops what it cached',
    );
    table.increments('seq');
    table.integer('from_at').notNullable();
    table.integer('to_at').notNullable();
    table.text('series').comment('JSON list of series ids; all when null');
    table.bigInteger('change_time').notNullable();
    table.index(['change_time'], 'cp_changes_time_idx');
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  for (const table of [
    'cp_changes',
    'cp_queries',
    'cp_hours',
    'cp_minutes',
    'cp_series',
  ]) {
    await knex.schema.dropTable(table);
  }
};

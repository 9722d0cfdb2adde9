/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('cp_alerts', table => {
    table.comment('Burns of error budget that people were told about');
    table.string('id', 36).primary();
    table.string('path_ref', 400).notNullable();
    table
      .string('open_key', 400)
      .nullable()
      .unique()
      .comment('The path while it is open: one open alert per path');
    table.string('severity', 10).notNullable();
    table
      .text('rules')
      .notNullable()
      .comment('JSON: keys of the rules that fired');
    table.text('messages').notNullable().comment('JSON: sentences for people');
    table
      .bigInteger('opened_time')
      .notNullable()
      .comment('Seconds since the epoch');
    table.bigInteger('last_firing_time').notNullable();
    table.bigInteger('notified_time').nullable();
    table
      .string('pending', 20)
      .nullable()
      .comment('What people still have to be told');
    table.bigInteger('closed_time').nullable();
    table.string('close_reason', 20).nullable();
    table.index(['closed_time'], 'cp_alerts_closed_time_idx');
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('cp_alerts');
};

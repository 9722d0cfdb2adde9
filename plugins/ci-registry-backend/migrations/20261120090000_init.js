// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('entities', table => {
    table.comment('What pipelines pushed, one row per entity');
    table.string('entity_ref', 512).primary();
    table.text('entity', 'longtext').notNullable().comment('JSON as pushed');
    table.string('content_hash', 64).notNullable();
    table
      .string('repository', 500)
      .notNullable()
      .comment('The repository that pushed it first; no other may change it');
    table
      .text('source')
      .notNullable()
      .comment('JSON, the newest push that held this content');
    table
      .bigInteger('source_time')
      .notNullable()
      .comment('Time of that push, ms since 1970');
    table
      .text('changed_by')
      .notNullable()
      .comment('JSON, the push that brought this content');
    table
      .string('pushed_by', 512)
      .notNullable()
      .comment('Who called: a user or service');
    table
      .bigInteger('changed_at')
      .notNullable()
      .comment('ms since 1970, when this content was accepted');
    table.bigInteger('first_pushed_at').notNullable().comment('ms since 1970');
    table.bigInteger('last_pushed_at').notNullable().comment('ms since 1970');
    table.integer('version').notNullable().comment('Counts the changes');
    table
      .integer('applied_version')
      .notNullable()
      .comment('The last version that the catalog stored');
    table.index(['repository', 'entity_ref'], 'entities_repository_idx');
  });

  await knex.schema.createTable('outbox', table => {
    table.comment('Changes that the catalog has yet to store');
    table.string('entity_ref', 512).primary();
    table.integer('version').notNullable();
    table
      .integer('priority')
      .notNullable()
      .comment('0 = new change, 1 = repeated after a restart');
    table.bigInteger('enqueued_at').notNullable().comment('ms since 1970');
    table.string('claim_id', 36).nullable();
    table
      .bigInteger('claimed_until')
      .notNullable()
      .comment('ms since 1970; 0 = free');
    table.index(['priority', 'enqueued_at', 'entity_ref'], 'outbox_order_idx');
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('outbox');
  await knex.schema.dropTable('entities');
};

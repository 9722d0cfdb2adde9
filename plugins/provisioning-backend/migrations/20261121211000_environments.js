// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.alterTable('services', table => {
    table.string('environment', 63);
    table
      .text('image')
      .comment('By digest; of the version of the last deployment');
    table.integer('replicas').comment('As last asked for');
  });
  await knex.schema.createTable('service_versions', table => {
    table.comment('Versions of services that became healthy');
    table.string('service', 63).notNullable();
    table.string('commit_sha', 64).notNullable();
    table.text('image');
    table.string('healthy_at', 30).notNullable().comment('ISO 8601, UTC; last');
    table.primary(['service', 'commit_sha']);
  });
  await knex.schema.createTable('environments', table => {
    table.comment('Environments that were made on demand');
    table.string('name', 63).primary();
    table.string('subject').notNullable().comment('Entity ref');
    table.string('owner').notNullable().comment('Entity ref');
    table.string('branch').notNullable();
    table.string('commit_sha', 64);
    table.string('service', 63).notNullable().comment('Its service record');
    table.string('runtime').notNullable();
    table.string('state', 20).notNullable();
    table.text('message');
    table.string('url');
    table.string('requested_by').notNullable();
    table.string('created_at', 30).notNullable();
    table.string('changed_at', 30).notNullable();
    table.string('expires_at', 30).notNullable();
    table.integer('extensions_left').notNullable();
    table.boolean('noticed').notNullable().defaultTo(false);
    table
      .integer('removals')
      .notNullable()
      .defaultTo(0)
      .comment('Attempts to delete it that did not succeed');
    table.string('retry_at', 30);
    table.index(['state']);
    table.index(['owner']);
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('environments');
  await knex.schema.dropTable('service_versions');
  await knex.schema.alterTable('services', table => {
    table.dropColumns('environment', 'image', 'replicas');
  });
};

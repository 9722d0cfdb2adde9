// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('repositories', table => {
    table.comment('Bare repositories on the local Git host');
    table.string('name', 63).primary();
    table.string('owner').notNullable().comment('Entity ref');
    table.text('description');
    table.string('default_branch').notNullable();
    table.string('created_by').notNullable().comment('Entity ref or service');
    table.string('created_at', 30).notNullable().comment('ISO 8601, UTC');
    table
      .string('request_id')
      .comment('Tells a repeated request from another one for the same name');
  });

  await knex.schema.createTable('git_tokens', table => {
    table.comment('Short-lived passwords for Git over HTTP');
    table.string('hash', 64).primary().comment('SHA-256 of the token, hex');
    table.string('repository', 63).notNullable();
    table.string('access', 10).notNullable().comment('read or write');
    table.string('created_by').notNullable();
    table.string('expires_at', 30).notNullable().comment('ISO 8601, UTC');
    table.index(['expires_at']);
  });

  await knex.schema.createTable('services', table => {
    table.comment('Services and what should run of them');
    table.string('name', 63).primary();
    table.string('entity_ref').notNullable();
    table.string('owner').notNullable();
    table.string('repository', 63).notNullable();
    table.string('critical_path');
    table.string('runtime').notNullable().comment('Id of the runtime');
    table.string('desired', 10).notNullable().comment('running or stopped');
    table
      .string('running_commit', 64)
      .comment('The last version that became healthy');
    table.string('deploy_commit', 64).comment('Version of the last deployment');
    table
      .string('deploy_status', 10)
      .comment('running, done or failed; running after a kill is resumed');
    table.text('deploy_message');
    table.text('phases').notNullable().comment('JSON, PhaseStatus[]');
    table.string('state', 20).notNullable();
    table.text('message');
    table.string('url');
    table.string('docs_url');
    table.string('database_name');
    table.integer('port').unique().comment('Stays with the service');
    table.integer('restarts').notNullable().defaultTo(0);
    table.string('started_at', 30);
    table.string('created_by').notNullable();
    table.string('updated_at', 30).notNullable();
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('services');
  await knex.schema.dropTable('git_tokens');
  await knex.schema.dropTable('repositories');
};

// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('decisions', table => {
    table.comment('Who was let in and who was not, and why');
    table.string('id', 36).primary();
    table.bigInteger('time').notNullable().comment('ms since 1970');
    table.boolean('allowed').notNullable();
    table
      .boolean('known')
      .notNullable()
      .comment('False when nobody could make sure who called');
    table.string('code', 64).notNullable();
    table.text('reason').notNullable();
    table.string('subject', 1000).nullable();
    table.string('repository', 500).nullable();
    table.string('rule', 255).nullable();
    table.text('identity').notNullable().comment('JSON');
    table.text('request').notNullable().comment('JSON, no content');
    table.index(['time', 'id'], 'decisions_time_idx');
    table.index(['repository', 'time', 'id'], 'decisions_repository_idx');
    table.index(['known', 'time'], 'decisions_known_idx');
  });

  await knex.schema.createTable('identity_bindings', table => {
    table.comment(
      'Names and the ids they stood for when they were first seen: a name that is taken over has another id',
    );
    table.string('issuer', 500).notNullable();
    table.string('kind', 10).notNullable().comment('repository or owner');
    table.string('name', 500).notNullable();
    table.string('bound_id', 255).notNullable();
    table.bigInteger('bound_at').notNullable().comment('ms since 1970');
    table.primary(['issuer', 'kind', 'name']);
  });

  await knex.schema.createTable('pipeline_tokens', table => {
    table.comment('Tokens that were used, while they live; never the tokens');
    table.string('id', 64).primary().comment('SHA-256 of issuer and token id');
    table.string('hash', 64).notNullable().comment('SHA-256 of the token');
    table.bigInteger('first_used_at').notNullable().comment('ms since 1970');
    table.bigInteger('expires_at').notNullable().comment('ms since 1970');
    table.index(['expires_at'], 'pipeline_tokens_expires_idx');
  });

  await knex.schema.createTable('pipeline_runs', table => {
    table.comment('Runs and jobs that ended or were repeated');
    table
      .string('id', 64)
      .primary()
      .comment('SHA-256 of issuer, repository and run or job');
    table.integer('attempt').notNullable().comment('The newest one seen');
    table
      .bigInteger('ended_at')
      .nullable()
      .comment('ms since 1970; tokens issued before are refused');
    table
      .string('ended_by', 64)
      .nullable()
      .comment('SHA-256 of the token of the push that ended it');
    table
      .string('push_hash', 64)
      .nullable()
      .comment('SHA-256 of that push, which may be repeated');
    table.bigInteger('expires_at').notNullable().comment('ms since 1970');
    table.index(['expires_at'], 'pipeline_runs_expires_idx');
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('pipeline_runs');
  await knex.schema.dropTable('pipeline_tokens');
  await knex.schema.dropTable('identity_bindings');
  await knex.schema.dropTable('decisions');
};

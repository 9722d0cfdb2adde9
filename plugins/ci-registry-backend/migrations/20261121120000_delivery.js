// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('delivery_components', table => {
    table.comment('Components of which builds or deployments were reported');
    table.string('component', 300).primary();
    table
      .string('repository', 500)
      .notNullable()
      .comment('The only one that may report on it');
    table
      .bigInteger('first_reported_at')
      .notNullable()
      .comment('ms since 1970');
  });

  await knex.schema.createTable('builds', table => {
    table.comment('What pipelines built; several reports of one are merged');
    table.string('id', 32).primary();
    table.string('component', 300).notNullable();
    table.string('commit', 64).notNullable();
    table.string('repository', 500).notNullable();
    table.string('branch', 255).nullable();
    table.string('pipeline', 500).nullable();
    table.bigInteger('time').notNullable().comment('Start, ms since 1970');
    table
      .text('fields', 'longtext')
      .notNullable()
      .comment('JSON: each field with the time of the report that gave it');
    table
      .bigInteger('first_reported_at')
      .notNullable()
      .comment('ms since 1970');
    table.bigInteger('last_reported_at').notNullable().comment('ms since 1970');
    table.index(['component', 'time', 'id'], 'builds_component_idx');
    table.index(['component', 'commit'], 'builds_commit_idx');
    table.index(['time', 'id'], 'builds_time_idx');
  });

  await knex.schema.createTable('deployments', table => {
    table.comment('What pipelines deployed; several reports of one are merged');
    table.string('component', 300).notNullable();
    table.string('id', 200).notNullable();
    table.string('environment', 63).notNullable();
    table.string('commit', 64).notNullable();
    table.string('outcome', 16).notNullable();
    table.bigInteger('started_at').notNullable().comment('ms since 1970');
    table.bigInteger('finished_at').nullable().comment('ms since 1970');
    table.string('repository', 500).notNullable();
    table.string('branch', 255).nullable();
    table.string('pipeline', 500).nullable();
    table.string('reported_by', 512).notNullable();
    table
      .text('fields', 'longtext')
      .notNullable()
      .comment('JSON: each field with the time of the report that gave it');
    table
      .bigInteger('first_reported_at')
      .notNullable()
      .comment('ms since 1970');
    table.bigInteger('last_reported_at').notNullable().comment('ms since 1970');
    table.primary(['component', 'id']);
    table.index(['component', 'started_at', 'id'], 'deployments_component_idx');
    table.index(['environment', 'finished_at'], 'deployments_finished_idx');
    table.index(['started_at', 'component', 'id'], 'deployments_time_idx');
  });

  await knex.schema.createTable('delivery_commits', table => {
    table.comment('Commits that builds and deployments brought');
    table.string('component', 300).notNullable();
    table.string('sha', 64).notNullable();
    table.bigInteger('time').notNullable().comment('Committed, ms since 1970');
    table.text('subject').nullable();
    table.text('author').nullable();
    table.primary(['component', 'sha']);
  });

  await knex.schema.createTable('delivery_contents', table => {
    table.comment('Which commits a built or deployed commit contains');
    table.string('component', 300).notNullable();
    table.string('head', 64).notNullable();
    table
      .text('commits', 'longtext')
      .notNullable()
      .comment('JSON: ancestors of head, the newest first');
    table.bigInteger('reported_at').notNullable().comment('ms since 1970');
    table.primary(['component', 'head']);
    table.index(['component', 'reported_at'], 'delivery_contents_stamp_idx');
  });

  await knex.schema.createTable('delivery_outbox', table => {
    table.comment('Deployments that the critical paths have yet to hear of');
    table.string('component', 300).notNullable();
    table.string('id', 200).notNullable();
    table
      .integer('revision')
      .notNullable()
      .comment('Counts what is to be told');
    table.integer('attempts').notNullable();
    table.bigInteger('next_attempt_at').notNullable().comment('ms since 1970');
    table.text('last_error').nullable();
    table.primary(['component', 'id']);
    table.index(['next_attempt_at'], 'delivery_outbox_next_idx');
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('delivery_outbox');
  await knex.schema.dropTable('delivery_contents');
  await knex.schema.dropTable('delivery_commits');
  await knex.schema.dropTable('deployments');
  await knex.schema.dropTable('builds');
  await knex.schema.dropTable('delivery_components');
};

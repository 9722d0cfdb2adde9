// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('chaos_runs', table => {
    table.comment('Runs of experiments, and results read from elsewhere');
    table.string('id', 40).primary();
    table
      .string('experiment_id', 40)
      .comment('Null for results from elsewhere');
    table
      .text('experiment')
      .notNullable()
      .comment('JSON, as it was at the start');
    table.string('team').notNullable().comment('Entity ref');
    table.string('engine', 63).notNullable();
    table.string('environment', 63).notNullable();
    table.string('critical_path').notNullable().comment('Entity ref');
    table.string('step', 63).notNullable();
    table.string('component').notNullable().comment('Entity ref');
    table.string('kind', 30).notNullable().comment('Kind of fault');
    table.string('state', 20).notNullable();
    table.string('verdict', 20);
    table.text('evaluation').comment('JSON');
    table.text('targets').notNullable().comment('JSON, FaultTarget[]');
    table.string('started_at', 30).notNullable().comment('ISO 8601, UTC');
    table.string('injected_at', 30);
    table.string('fault_ended_at', 30);
    table.string('ended_at', 30);
    table.string('started_by').notNullable().comment('Entity ref or service');
    table.string('slot', 200).comment('Turn of the rotation');
    table.text('abort').comment('JSON: by, at, reason');
    table.boolean('fault_left').notNullable().defaultTo(false);
    table.text('engine_record').comment('JSON, as the engine kept it');
    table.string('lease_holder', 40);
    table.string('lease_until', 30);
    table.index(['state', 'lease_until']);
    table.index(['team', 'ended_at']);
    table.index(['critical_path', 'started_at']);
  });

  await knex.schema.createTable('chaos_run_locks', table => {
    table.comment('One run per environment and critical path');
    table.string('environment', 63).notNullable();
    table.string('critical_path').notNullable();
    table.string('run_id', 40).notNullable();
    table.primary(['environment', 'critical_path']);
    table.index(['run_id']);
  });

  await knex.schema.createTable('chaos_run_events', table => {
    table.comment('What happened in runs; append-only');
    table.increments('sequence');
    table.string('run_id', 40).notNullable();
    table.string('at', 30).notNullable();
    table.string('by').notNullable();
    table.text('message').notNullable();
    table.index(['run_id', 'sequence']);
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('chaos_run_events');
  await knex.schema.dropTable('chaos_run_locks');
  await knex.schema.dropTable('chaos_runs');
};

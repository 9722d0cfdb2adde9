// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('cp_workflows', table => {
    table.comment(
      'Synthetic workflows: when they are due, who runs them, how they are. Times in milliseconds since the epoch',
    );
    table.string('path_ref', 255).notNullable();
    table.string('workflow', 63).notNullable();
    table.bigInteger('next_due').notNullable();
    table.string('lease_token', 36);
    table.bigInteger('lease_until');
    table.string('last_status', 16);
    table.bigInteger('last_started');
    table.bigInteger('last_ended');
    table.integer('last_duration');
    table.string('last_failed_step', 63);
    table.text('last_message');
    table.integer('failures').notNullable().defaultTo(0);
    table.boolean('notified').notNullable().defaultTo(false);
    table.text('skipped').comment('Why it was not run when it was last due');
    table.bigInteger('updated').notNullable();
    table.primary(['path_ref', 'workflow']);
  });
  await knex.schema.createTable('cp_workflow_runs', table => {
    table.comment('Runs of synthetic workflows with their evidence');
    table.string('id', 36).primary();
    table.string('path_ref', 255).notNullable();
    table.string('workflow', 63).notNullable();
    table.string('status', 16).notNullable();
    table.string('trigger', 16).notNullable();
    table.string('started_by', 255);
    table.bigInteger('started').notNullable();
    table.bigInteger('ended');
    table.integer('duration');
    table.string('failed_step', 63);
    table.text('message');
    table.text('evidence').comment('JSON list of steps');
    table.index(
      ['path_ref', 'workflow', 'started'],
      'cp_workflow_runs_workflow_idx',
    );
    table.index(['started'], 'cp_workflow_runs_started_idx');
  });
  await knex.schema.createTable('cp_workflow_hours', table => {
    table.comment(
      'Runs by hour since the epoch; outlives the runs. Aborted ones do not count',
    );
    table.string('path_ref', 255).notNullable();
    table.string('workflow', 63).notNullable();
    table.integer('hour').notNullable();
    table.integer('passed').notNullable();
    table.integer('failed').notNullable();
    table.primary(['path_ref', 'workflow', 'hour']);
    table.index(['hour'], 'cp_workflow_hours_hour_idx');
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('cp_workflow_hours');
  await knex.schema.dropTable('cp_workflow_runs');
  await knex.schema.dropTable('cp_workflows');
};

// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('operations', table => {
    table.comment('What people asked for, its plan and how far it is');
    table.string('id', 36).primary();
    table.string('kind', 30).notNullable();
    table.string('subject').notNullable().comment('Entity ref');
    table.string('owner').notNullable().comment('Entity ref');
    table.string('environment', 63);
    table.text('input').notNullable().comment('JSON');
    table.string('digest', 64).notNullable().comment('SHA-256, hex');
    table.text('steps').notNullable().comment('JSON, OperationStep[]');
    table
      .text('attempts')
      .notNullable()
      .comment('JSON: step id to number of attempts and time of the first');
    table.string('state', 20).notNullable();
    table.text('message');
    table.text('reason');
    table.string('requested_by').notNullable();
    table.string('requested_at', 30).notNullable().comment('ISO 8601, UTC');
    table.text('decision').comment('JSON');
    table
      .text('approval_groups')
      .comment('JSON: one list of groups per environment that wants a yes');
    table.string('expires_at', 30).comment('ISO 8601, UTC; while it waits');
    table.string('finished_at', 30);
    table.string('cancel_by').comment('Who wants it to end');
    table.string('notified', 20).comment('State that people were told of');
    table.string('lease_token', 36).comment('Of the executor that runs it');
    table.string('lease_until', 30);
    table.string('next_attempt_at', 30).notNullable();
    table.index(['state', 'next_attempt_at']);
    table.index(['subject']);
  });
  await knex.schema.createTable('operation_events', table => {
    table.comment('Changes of operations, append-only');
    table.increments('id');
    table
      .string('operation_id', 36)
      .notNullable()
      .references('id')
      .inTable('operations')
      .onDelete('CASCADE');
    table.string('at', 30).notNullable();
    table.string('actor').notNullable();
    table.string('from_state', 20);
    table.string('to_state', 20).notNullable();
    table.text('message');
    table.index(['operation_id']);
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('operation_events');
  await knex.schema.dropTable('operations');
};

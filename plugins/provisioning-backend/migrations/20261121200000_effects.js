// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('effects', table => {
    table.comment('What Rocket made in outside systems, and how to undo it');
    table.increments('sequence').comment('Order in which they were begun');
    table.string('id', 36).notNullable().unique();
    table.string('type', 63).notNullable();
    table.string('reference', 255).notNullable();
    table.string('subject').notNullable().comment('Entity ref');
    table.string('owner').notNullable().comment('Entity ref');
    table.string('environment', 63);
    table.string('run').notNullable().comment('task:<id> or operation:<id>');
    table.string('step').notNullable();
    table.text('intent').notNullable().comment('JSON, without secrets');
    table.text('details').notNullable().comment('JSON, without secrets');
    table.string('state', 20).notNullable();
    table.text('message');
    table.text('instruction').comment('What a person has to do');
    table.text('undo').notNullable();
    table.string('removal', 10).comment('undo or retire, once it was asked');
    table.string('retained_until', 30).comment('ISO 8601, UTC');
    table.text('observation').comment('JSON, Observation');
    table.string('observed_at', 30).comment('ISO 8601, UTC');
    table.string('actor').notNullable();
    table.string('created_at', 30).notNullable();
    table.string('updated_at', 30).notNullable();
    table
      .string('lease_holder', 36)
      .comment('Whoever works on it; nobody else writes meanwhile');
    table
      .string('attend_at', 30)
      .comment('End of the lease; unfinished work is taken up then');
    table.index(['subject']);
    table.index(['run']);
    table.index(['state', 'attend_at']);
    table.index(['owner', 'type']);
  });
  await knex.schema.raw(
    `create unique index effects_type_reference on effects (type, reference) where state <> 'undone'`,
  );

  await knex.schema.createTable('effect_events', table => {
    table.comment('Every change of an effect; nothing is changed or deleted');
    table.increments('id');
    table.string('effect_id', 36).notNullable();
    table.string('at', 30).notNullable().comment('ISO 8601, UTC');
    table.string('actor').notNullable();
    table.string('from_state', 20);
    table.string('to_state', 20).notNullable();
    table.text('message');
    table.index(['effect_id', 'id']);
  });
  if (knex.client.config.client === 'pg') {
    await knex.schema.raw(`
      create function effect_events_refuse() returns trigger as $$
      begin raise exception 'effect_events is append-only'; end;
      $$ language plpgsql`);
    await knex.schema.raw(`
      create trigger effect_events_append_only before update or delete
      on effect_events for each row execute function effect_events_refuse()`);
  } else {
    for (const change of ['update', 'delete']) {
      await knex.schema.raw(`
        create trigger effect_events_no_${change} before ${change} on effect_events
        begin select raise(abort, 'effect_events is append-only'); end`);
    }
  }

  await knex.schema.alterTable('repositories', table => {
    table.string('archived_at', 30).comment('Read-only since; ISO 8601, UTC');
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.alterTable('repositories', table => {
    table.dropColumn('archived_at');
  });
  await knex.schema.dropTable('effect_events');
  if (knex.client.config.client === 'pg') {
    await knex.schema.raw('drop function effect_events_refuse()');
  }
  await knex.schema.dropTable('effects');
};

// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('cp_events', table => {
    table.comment(
      'What happened to an application or a path: deployments, chaos runs, incidents. Times in seconds since the epoch',
    );
    table.increments('id');
    table.string('kind', 16).notNullable();
    table.string('source', 63).notNullable();
    table.string('external_id', 255).notNullable();
    table.string('entity_ref', 255).notNullable();
    table.bigInteger('start_time').notNullable();
    table.bigInteger('end_time');
    table.string('title', 255).notNullable();
    table.string('version', 255);
    table.text('detail');
    table.text('url');
    table.text('incident').comment('JSON, of incidents only');
    table.unique(['entity_ref', 'kind', 'source', 'external_id'], {
      indexName: 'cp_events_uniq',
    });
    table.index(['entity_ref', 'start_time'], 'cp_events_entity_idx');
    table.index(['start_time'], 'cp_events_start_idx');
  });
  await knex.schema.createTable('cp_event_feeds', table => {
    table.comment('How far the events of an application were read');
    table.string('source', 63).notNullable();
    table.string('account', 255).notNullable();
    table.string('app_name', 255).notNullable();
    table.bigInteger('read_until_time');
    table.bigInteger('last_success_time');
    table.bigInteger('last_error_time');
    table.text('last_error');
    table.bigInteger('last_seen_time').notNullable();
    table.primary(['source', 'account', 'app_name']);
  });
  await knex.schema.createTable('cp_service_levels', table => {
    table.comment(
      'Service levels kept at a source, with what the source and we measured over the same time',
    );
    table.string('source', 63).notNullable();
    table.string('external_id', 255).notNullable();
    table.string('entity_ref', 255).notNullable();
    table.bigInteger('read_time').notNullable();
    table.text('data').notNullable();
    table.primary(['source', 'external_id', 'entity_ref']);
    table.index(['entity_ref'], 'cp_service_levels_entity_idx');
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('cp_service_levels');
  await knex.schema.dropTable('cp_event_feeds');
  await knex.schema.dropTable('cp_events');
};

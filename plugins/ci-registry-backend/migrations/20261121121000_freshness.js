// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('freshness', table => {
    table.comment('How far each entity is known to be true');
    table.string('entity_ref', 512).primary();
    table.string('state', 32).notNullable();
    table.integer('severity').notNullable().comment('0 is the worst');
    table.string('owner', 512).nullable();
    table.text('data').notNullable().comment('JSON, as it is shown');
    table.bigInteger('since').notNullable().comment('ms since 1970');
    table
      .string('told_state', 32)
      .nullable()
      .comment('The state that its owner was told of last, unless it is over');
    table
      .string('pending', 32)
      .nullable()
      .comment('What its owner has yet to be told');
    table.index(['severity', 'entity_ref'], 'freshness_order_idx');
    table.index(['owner'], 'freshness_owner_idx');
    table.index(['pending'], 'freshness_pending_idx');
  });

  await knex.schema.createTable('running_components', table => {
    table.comment('What telemetry and runtimes said of what runs');
    table.string('provider', 63).notNullable();
    table.string('name', 255).notNullable();
    table.string('entity_ref', 512).nullable();
    table
      .boolean('stopped')
      .notNullable()
      .comment('The provider knows that it does not run');
    table
      .bigInteger('last_seen_at')
      .nullable()
      .comment('Last sign of life, ms since 1970');
    table.text('detail').nullable();
    table
      .bigInteger('told_at')
      .notNullable()
      .comment('When the provider named it last, ms since 1970');
    table
      .bigInteger('unmatched_since')
      .nullable()
      .comment('Since when no component has this name, ms since 1970');
    table.primary(['provider', 'name']);
    table.index(['entity_ref'], 'running_components_entity_idx');
  });

  await knex.schema.createTable('running_providers', table => {
    table.comment('When telemetry and runtimes answered');
    table.string('provider', 63).primary();
    table.bigInteger('answered_at').notNullable().comment('ms since 1970');
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('running_providers');
  await knex.schema.dropTable('running_components');
  await knex.schema.dropTable('freshness');
};

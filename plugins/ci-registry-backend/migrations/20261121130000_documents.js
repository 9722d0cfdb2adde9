// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('api_document_versions', table => {
    table.comment('API documents as they were pushed, version by version');
    table.string('api', 300).notNullable().comment('Entity ref');
    table.integer('version').notNullable().comment('Counts from 1');
    table.string('format', 16).notNullable();
    table.string('hash', 64).notNullable().comment('SHA-256 of definition');
    table.text('definition', 'longtext').notNullable();
    table
      .string('commit', 64)
      .notNullable()
      .comment('The first commit that had it');
    table.string('pipeline', 500).nullable();
    table.bigInteger('pushed_at').notNullable().comment('ms since 1970');
    table
      .string('seen_commit', 64)
      .notNullable()
      .comment('The newest commit that had it');
    table
      .bigInteger('seen_time')
      .notNullable()
      .comment('Time of its pipeline, ms since 1970');
    table
      .text('changes', 'longtext')
      .nullable()
      .comment('JSON: differences from the version before');
    table.text('not_compared').nullable().comment('Why there are none');
    table.primary(['api', 'version']);
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('api_document_versions');
};

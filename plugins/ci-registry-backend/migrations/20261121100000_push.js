// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.alterTable('entities', table => {
    table
      .string('state', 10)
      .notNullable()
      .defaultTo('active')
      .comment('active, gone (its repository gave it up) or removed');
    table
      .bigInteger('gone_at')
      .nullable()
      .comment('ms since 1970, when the repository gave it up');
    table
      .boolean('derived')
      .notNullable()
      .defaultTo(false)
      .comment('Made by the registry for an API document');
    table.index(['state', 'gone_at'], 'entities_state_idx');
  });

  await knex.schema.createTable('repositories', table => {
    table.comment(
      'Repositories that pushed; locking a row puts the pushes of one repository in a row',
    );
    table.string('repository', 500).primary();
    table
      .string('complete_commit', 64)
      .nullable()
      .comment('The newest push that named all entities of the repository');
    table
      .bigInteger('complete_time')
      .nullable()
      .comment('Time of that push, ms since 1970');
    table.bigInteger('last_pushed_at').notNullable().comment('ms since 1970');
  });

  await knex.schema.createTable('removals', table => {
    table.comment(
      'Entities that a repository gave up, so that an older push that comes late does not bring them',
    );
    table.string('repository', 500).notNullable();
    table.string('entity_ref', 512).notNullable();
    table.string('commit_sha', 64).notNullable();
    table
      .bigInteger('source_time')
      .notNullable()
      .comment('Time of the push, ms since 1970');
    table.bigInteger('noted_at').notNullable().comment('ms since 1970');
    table.primary(['entity_ref', 'repository']);
    table.index(['noted_at'], 'removals_noted_idx');
  });

  await knex.schema.createTable('commits', table => {
    table.comment('What pipelines said of the ancestors of a commit');
    table.string('repository', 500).notNullable();
    table.string('commit_sha', 64).notNullable();
    table
      .text('ancestors', 'longtext')
      .notNullable()
      .comment('Commit ids, the newest first, a space between them');
    table.bigInteger('noted_at').notNullable().comment('ms since 1970');
    table.primary(['repository', 'commit_sha']);
    table.index(['noted_at'], 'commits_noted_idx');
  });

  await knex.schema.createTable('entity_changes', table => {
    table.comment('Every change of an entity; replayed, they give the entity');
    table.string('entity_ref', 512).notNullable();
    table
      .integer('version')
      .notNullable()
      .comment('Counts from 1 without gaps');
    table
      .string('kind', 10)
      .notNullable()
      .comment('created, updated, gone, restored or removed');
    table.bigInteger('time').notNullable().comment('ms since 1970');
    table.string('actor', 512).notNullable();
    table.text('source').notNullable().comment('JSON, the push');
    table
      .text('changes', 'longtext')
      .notNullable()
      .comment('JSON, field changes against the version before');
    table
      .string('hash', 64)
      .notNullable()
      .comment('SHA-256 of the canonical JSON of the entity after the change');
    table
      .text('base', 'longtext')
      .nullable()
      .comment('JSON, the entity after the change; where a replay can begin');
    table.primary(['entity_ref', 'version']);
    table.index(['time'], 'entity_changes_time_idx');
  });

  // What was pushed before there was a history begins one.
  await knex.raw(
    `insert into entity_changes (entity_ref, version, kind, time, actor, source, changes, hash, base)
     select entity_ref, version, 'created', changed_at, pushed_by, changed_by, '[]', content_hash, entity
     from entities`,
  );
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('entity_changes');
  await knex.schema.dropTable('commits');
  await knex.schema.dropTable('removals');
  await knex.schema.dropTable('repositories');
  await knex('entities').where('state', 'removed').delete();
  await knex.schema.alterTable('entities', table => {
    table.dropIndex(['state', 'gone_at'], 'entities_state_idx');
    table.dropColumn('derived');
    table.dropColumn('gone_at');
    table.dropColumn('state');
  });
};

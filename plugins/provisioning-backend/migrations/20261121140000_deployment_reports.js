// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('deployment_reports', table => {
    table.comment(
      'Deployments that the CI registry has yet to hear of, in order',
    );
    table.increments('id');
    table.string('service', 63).notNullable();
    table.text('body').notNullable().comment('JSON, the push');
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('deployment_reports');
};

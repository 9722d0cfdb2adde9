import { migrate, roleOf } from '../src/platform/db/migrate.ts';
import { definition } from '../src/service.ts';

const { MIGRATION_DATABASE_URL, DATABASE_URL } = process.env;
const url = MIGRATION_DATABASE_URL ?? DATABASE_URL;

if (!url) {
  console.error(
    'Set MIGRATION_DATABASE_URL to the role that owns the schema, and DATABASE_URL to the role of the service.',
  );
  process.exit(1);
}
try {
  const applied = await migrate({
    url,
    applicationRole: roleOf(DATABASE_URL),
    grants: definition.grants,
    log: message => console.log(message),
  });
  console.log(applied.length === 0 ? 'The schema is up to date.' : `${applied.length} migrations applied.`);
} catch (error) {
  console.error(`Migration failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

/**
 * Prepares a portal with a large organisation, without collecting: fills the plugin's SQLite file of a data folder and writes the same
 * organisation as a catalog file.
 *
 * node --require @backstage/cli/config/nodeTransform.cjs portalData.ts DATA_DIR CATALOG_FILE
 */
import { mockServices } from '@backstage/backend-test-utils';
import knexFactory from 'knex';
import { mkdir, writeFile } from 'fs/promises';
import { join } from 'path';
import { stringify } from 'yaml';
import { DatabaseSignalStore } from '../../src/store/DatabaseSignalStore';
import { seed, seedEntities } from './seed';

/** 200 paths over 2,000 components, 28 days. */
const SIZE = { paths: 200, applicationsPerPath: 10, days: 28 };

async function main([dataDir, catalogFile]: string[]) {
  const folder = join(dataDir, 'sqlite');
  await mkdir(folder, { recursive: true });
  const knex = knexFactory({
    client: 'better-sqlite3',
    connection: { filename: join(folder, 'critical-paths.sqlite') },
    useNullAsDefault: true,
  });
  try {
    await DatabaseSignalStore.create({
      database: mockServices.database({ knex }),
    });
    const seeded = await seed(knex, SIZE);
    const entities = seedEntities(SIZE);
    await writeFile(
      catalogFile,
      entities.map(entity => stringify(entity)).join('---\n'),
    );
    process.stdout.write(
      `${JSON.stringify({ ...seeded, entities: entities.length })}\n`,
    );
  } finally {
    await knex.destroy();
  }
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  error => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);

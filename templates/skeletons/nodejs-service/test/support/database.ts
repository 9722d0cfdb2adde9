import pg from 'pg';
import { createDatabase, dropDatabase, type DatabaseUrls } from '../../scripts/embedded.ts';
import { migrate, roleOf } from '../../src/platform/db/migrate.ts';
import { definition } from '../../src/service.ts';

/** A database of one test file's own, for what other files would feel. */
export type OwnDatabase = DatabaseUrls & {
  name: string;
  /** The role that owns the schema. */
  owner: pg.Client;
  /** The administrator of the server, for whom no trigger and no right holds. */
  admin: pg.Client;
  drop(): Promise<void>;
};

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  // The server may end it when the database is dropped.
  client.on('error', () => {});
  await client.connect();
  return client;
}

export async function ownDatabase(purpose: string): Promise<OwnDatabase> {
  const name = `${definition.kind}_${purpose}_${process.pid}_${Date.now().toString(36)}`;
  const adminUrl = process.env.SERVICE_ADMIN_URL!;
  const urls = await createDatabase(adminUrl, name);
  await migrate({ url: urls.migrationUrl, applicationRole: roleOf(urls.url), grants: definition.grants });
  const inside = new URL(adminUrl);
  inside.pathname = `/${name}`;
  const [owner, admin] = await Promise.all([connect(urls.migrationUrl), connect(inside.href)]);
  return {
    ...urls,
    name,
    owner,
    admin,
    async drop() {
      await Promise.all([owner.end(), admin.end()]);
      await dropDatabase(adminUrl, name);
    },
  };
}

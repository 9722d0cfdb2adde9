import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, dropDatabase, startCluster } from '../../scripts/embedded.ts';
import { migrate, roleOf } from '../../src/platform/db/migrate.ts';
import { definition } from '../../src/service.ts';

export type TestDatabase = { adminUrl: string; name: string; cleanUp(): Promise<void> };

declare global {
  var testDatabase: TestDatabase | undefined;
}

/** One database for all test files; they share it the way clients share a service. */
export default async function setup(): Promise<void> {
  const given = process.env.TEST_DATABASE_URL ?? process.env.DATABASE_URL;
  const name = `${definition.kind}_test_${process.pid}_${Date.now().toString(36)}`;
  let adminUrl = given;
  let stop = async () => {};
  if (!adminUrl) {
    const folder = await mkdtemp(join(tmpdir(), 'service-test-'));
    const cluster = await startCluster(folder, false).catch(async error => {
      await rm(folder, { recursive: true, force: true });
      throw error;
    });
    adminUrl = cluster.adminUrl;
    stop = async () => {
      await cluster.stop();
      await rm(folder, { recursive: true, force: true });
    };
  }
  const admin = adminUrl;
  const urls = await createDatabase(admin, name);
  await migrate({ url: urls.migrationUrl, applicationRole: roleOf(urls.url), grants: definition.grants });
  process.env.SERVICE_APP_URL = urls.url;
  process.env.SERVICE_OWNER_URL = urls.migrationUrl;
  process.env.SERVICE_ADMIN_URL = admin;
  globalThis.testDatabase = {
    adminUrl: admin,
    name,
    async cleanUp() {
      await dropDatabase(admin, name);
      await stop();
    },
  };
}

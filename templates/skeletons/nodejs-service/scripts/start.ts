/** `npm start`: a database when none is given, the schema, then the service as it runs in production. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { migrate, roleOf } from '../src/platform/db/migrate.ts';
import { definition } from '../src/service.ts';
import type { Cluster } from './embedded.ts';

const root = join(import.meta.dirname, '..');
const env: NodeJS.ProcessEnv = { ...process.env };
let cluster: Cluster | undefined;

if (!env.DATABASE_URL) {
  const { createDatabase, startCluster } = await import('./embedded.ts');
  const folder = join(root, '.data', 'postgres');
  console.log(`No DATABASE_URL: PostgreSQL is started in ${folder}`);
  cluster = await startCluster(folder, true, existsSync(join(folder, 'PG_VERSION')));
  // The package stops PostgreSQL at the first signal; here the service has to finish before.
  for (const signal of ['SIGTERM', 'SIGINT']) process.removeAllListeners(signal);
  const urls = await createDatabase(cluster.adminUrl, `${definition.kind}s`);
  env.DATABASE_URL = urls.url;
  env.MIGRATION_DATABASE_URL = urls.migrationUrl;
}

await migrate({
  url: env.MIGRATION_DATABASE_URL ?? env.DATABASE_URL,
  applicationRole: roleOf(env.DATABASE_URL),
  grants: definition.grants,
  log: message => console.log(message),
});

const child = spawn(process.execPath, ['--import', './src/platform/telemetry.ts', 'src/platform/main.ts'], {
  cwd: root,
  env,
  stdio: 'inherit',
});
const forward = (signal: NodeJS.Signals) => child.kill(signal);
process.on('SIGTERM', forward);
process.on('SIGINT', forward);
const code = await new Promise<number>(resolve => child.on('exit', status => resolve(status ?? 1)));
await cluster?.stop();
process.exit(code);

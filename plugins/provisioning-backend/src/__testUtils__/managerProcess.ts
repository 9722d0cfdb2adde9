/**
 * A process that can be killed: the service manager with the local runtime,
 * without the rest of a backend. Started by kill.test.ts through Backstage's
 * own transpiler; prints a line of JSON whenever something changes.
 */
import { join } from 'node:path';
import createKnex from 'knex';
import { GitHost } from '../git/GitHost';
import { LocalRuntime } from '../local/LocalRuntime';
import { ExternalPostgres } from '../local/PostgresServer';
import { ServiceDatabases } from '../local/ServiceDatabases';
import { Access } from '../service/Access';
import { DatabaseRepositoryStore } from '../service/DatabaseRepositoryStore';
import { DatabaseServiceStore } from '../service/DatabaseServiceStore';
import { ServiceManager } from '../service/ServiceManager';

const [dataDir, portText, ...toDeploy] = process.argv.slice(2);
const port = Number(portText);

async function main() {
  const db = createKnex({
    client: 'better-sqlite3',
    connection: join(dataDir, 'test.sqlite'),
    useNullAsDefault: true,
  });
  await db.migrate.latest({
    directory: join(__dirname, '..', '..', 'migrations'),
  });
  const services = new DatabaseServiceStore(db);
  const repositories = new DatabaseRepositoryStore(db);
  const host = new GitHost(join(dataDir, 'git'));
  await host.prepare();
  const write = (message: string) => process.stderr.write(`${message}\n`);
  const logger: any = { info: write, warn: write, error: write };
  const auth: any = { isPrincipal: () => false };
  const access = new Access({
    auth,
    permissions: {} as any,
    userInfo: {} as any,
  });
  const manager = new ServiceManager({
    store: services,
    repositories,
    host,
    access,
    logger,
    runtimes: new Map([
      [
        'local',
        new LocalRuntime({
          directory: join(dataDir, 'services'),
          ports: { from: port, to: port + 5 },
          registry: services,
          databases: new ServiceDatabases(
            new ExternalPostgres('postgresql://nobody@127.0.0.1:1/x'),
            name => join(dataDir, 'services', name, 'database.json'),
          ),
          policy: {
            readyTimeoutMs: 10_000,
            healthIntervalMs: 100,
            maxRestarts: 2,
            restartDelayMs: 20,
            maxRestartDelayMs: 100,
            stableAfterMs: 60_000,
            stopGraceMs: 1_000,
          },
          handOver: {
            watchMs: Number(process.env.WATCH_MS ?? 200),
            drainMs: 2_000,
            maxFailureShare: 0.5,
          },
          requestIdleMs: 10_000,
          maxInstances: 2,
          commandTimeoutMs: 60_000,
          logger,
        }),
      ],
    ]),
  });
  await manager.resume();
  for (const name of toDeploy) {
    const deploy = () =>
      manager.deploy(
        {
          name,
          entityRef: `component:default/${name}`,
          owner: 'group:default/ledger',
          repository: name,
        },
        {} as any,
      );
    for (;;) {
      try {
        await deploy();
        break;
      } catch (error) {
        // What ran before comes back first.
        if ((error as Error).name !== 'ConflictError') throw error;
        await new Promise(resolve => setTimeout(resolve, 50));
      }
    }
  }
  let last = '';
  setInterval(async () => {
    const text = JSON.stringify(await manager.list());
    if (text !== last) process.stdout.write(`${text}\n`);
    last = text;
  }, 20);
  process.on('SIGTERM', async () => {
    await manager.shutdown();
    process.exit(0);
  });
}

main().catch(error => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});

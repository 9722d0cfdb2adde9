/** Rocket as production runs it, on PostgreSQL, with everything installed and no Git host, no New Relic and no cluster to talk to. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { LOGS, ROOT, STATE } from '../../lib/paths.mts';
import {
  needFreePort,
  NODE_TRANSFORM,
  startProcess,
  stopProcess,
  waitFor,
  type Running,
} from '../../lib/processes.mts';

export interface RocketOptions {
  /** A PostgreSQL on 127.0.0.1; the role may create databases. One is made, with a schema for each plugin. */
  database: { port: number; user: string; name: string };
  port: number;
  /** A YAML file of catalog entities that are there from the start. */
  entities: string;
  config?: object;
  /** Arguments of Node.js, for a profile. */
  nodeArgs?: string[];
}

/** A side of the comparison that runs. */
export interface Backend {
  url: string;
  headers: { authorization: string };
  backend: Running;
  startSeconds: number;
  stop(): Promise<void>;
}

export interface Rocket extends Backend {
  /** As a crash: no signal handler runs. */
  kill(): Promise<void>;
  /** After a kill or a stop, with the same database and configuration. */
  start(): Promise<void>;
}

interface Production {
  backend: { database: object };
  catalog: { processingInterval: Record<string, number> };
  search: object;
}

/** What production sets on top of app-config.yaml. */
function production(): Production {
  return parse(
    readFileSync(join(ROOT, 'app-config.production.yaml'), 'utf8'),
  ) as Production;
}

/** Mean seconds between two looks of Rocket's catalog at an entity: from the interval to one and a half times that. */
export function rocketInterval(): number {
  const {
    hours = 0,
    minutes = 0,
    seconds = 0,
  } = production().catalog.processingInterval;
  return (hours * 3600 + minutes * 60 + seconds) * 1.25;
}

/** Starts it and waits until it is ready. */
export async function startRocket(options: RocketOptions): Promise<Rocket> {
  const url = `http://127.0.0.1:${options.port}`;
  const token = randomBytes(24).toString('hex');
  const folder = join(STATE, 'bench', `rocket-${options.port}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'app-config.bench.yaml');
  writeFileSync(
    config,
    stringify({
      backend: {
        auth: {
          externalAccess: [
            { type: 'static', options: { token, subject: 'bench' } },
          ],
        },
        database: {
          ...production().backend.database,
          connection: {
            host: '127.0.0.1',
            port: options.database.port,
            user: options.database.user,
            password: '',
            database: options.database.name,
          },
        },
      },
      search: production().search,
      catalog: {
        processingInterval: production().catalog.processingInterval,
        locations: [{ type: 'file', target: options.entities }],
      },
    }),
    { mode: 0o600 },
  );
  const more = join(folder, 'app-config.more.yaml');
  writeFileSync(more, stringify(options.config ?? {}));

  const rocket: Rocket = {
    url,
    headers: { authorization: `Bearer ${token}` },
    backend: undefined as unknown as Running,
    startSeconds: NaN,
    async start() {
      await needFreePort(options.port, 'Rocket', 'End that program.');
      const started = performance.now();
      rocket.backend = startProcess(
        'Rocket',
        [
          ...(options.nodeArgs ?? []),
          ...NODE_TRANSFORM,
          join(ROOT, 'packages/backend/src/index.ts'),
          ...[join(ROOT, 'app-config.yaml'), config, more].flatMap(file => [
            '--config',
            file,
          ]),
        ],
        {
          cwd: join(ROOT, 'packages/backend'),
          logFile: join(LOGS, 'bench-rocket.log'),
          service: true,
          env: {
            ...process.env,
            NODE_ENV: 'production',
            ROCKET_URL: url,
            ROCKET_PORT: String(options.port),
            ROCKET_DATA_DIR: join(folder, 'data'),
            BACKSTAGE_CLI_DISABLE_UPDATE_CHECK: 'true',
          },
        },
      );
      await waitFor(
        `${url}/.backstage/health/v1/readiness`,
        rocket.backend,
        180_000,
      );
      rocket.startSeconds = (performance.now() - started) / 1000;
    },
    async kill() {
      rocket.backend.child.kill('SIGKILL');
      await rocket.backend.ended;
    },
    async stop() {
      await stopProcess(rocket.backend, 30_000);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await rocket.start();
  } catch (error) {
    if (rocket.backend) await rocket.stop();
    throw error;
  }
  return rocket;
}

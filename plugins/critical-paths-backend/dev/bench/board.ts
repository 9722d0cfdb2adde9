import { databaseServiceFactory } from '@backstage/backend-defaults/database';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { telemetrySourcesExtensionPoint } from '@rocket/plugin-critical-paths-node';
import knexFactory from 'knex';
import { mkdtemp, rm } from 'fs/promises';
import { tmpdir } from 'os';
import { join } from 'path';
import { Worker } from 'worker_threads';
import plugin from '../../src';
import { DatabaseSignalStore } from '../../src/store/DatabaseSignalStore';
import { FakeSource } from '../../src/testing/FakeSource';
import { seed, seedEntities, type SeedResult, type SeedSize } from './seed';

/** What to measure. */
export interface BoardBenchOptions {
  size: SeedSize;
  connections: number;
  seconds: number;
  windows: string[];
  /** A PostgreSQL connection string to an empty database; SQLite on disk when left out. */
  postgres?: string;
}

/** Times to answer in milliseconds. */
export interface LatencyFigures {
  requests: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

export interface BoardBenchResult {
  database: 'sqlite' | 'postgresql';
  seeded: SeedResult;
  /** First answer of a process that has nothing in memory, by window. */
  coldMs: Record<string, number>;
  warm: Record<string, LatencyFigures>;
  /** The pages of all paths in turn, by window. */
  path: Record<string, LatencyFigures>;
  /** Bytes of a board as sent (gzip). */
  bytes: number;
}

// The client runs in a thread of its own: its work must not count as the server's.
const CLIENT = `
const { parentPort, workerData } = require('worker_threads');
const http = require('http');
const { urls, connections, seconds } = workerData;
let next = 0;
const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
const times = []; let bytes = 0;
const once = () => new Promise((resolve, reject) => {
  const started = process.hrtime.bigint();
  http.get(urls[next++ % urls.length], { agent, headers: { 'accept-encoding': 'gzip' } }, res => {
    let size = 0;
    res.on('data', chunk => { size += chunk.length; });
    res.on('end', () => {
      if (res.statusCode !== 200) { reject(new Error('status ' + res.statusCode)); return; }
      bytes = size; times.push(Number(process.hrtime.bigint() - started) / 1e6); resolve();
    });
  }).on('error', reject);
});
const end = Date.now() + seconds * 1000;
Promise.all(Array.from({ length: connections }, async () => { do { await once(); } while (Date.now() < end); }))
  .then(() => { agent.destroy(); parentPort.postMessage({ times, bytes }); });
`;

async function load(
  urls: string[],
  connections: number,
  seconds: number,
): Promise<{ figures: LatencyFigures; bytes: number }> {
  const worker = new Worker(CLIENT, {
    eval: true,
    workerData: { urls, connections, seconds },
  });
  const { times, bytes } = await new Promise<{
    times: number[];
    bytes: number;
  }>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  times.sort((a, b) => a - b);
  const at = (q: number) =>
    Number(
      times[Math.min(times.length - 1, Math.floor(times.length * q))].toFixed(
        2,
      ),
    );
  return {
    bytes,
    figures: {
      requests: times.length,
      p50: at(0.5),
      p95: at(0.95),
      p99: at(0.99),
      max: at(1),
    },
  };
}

/** Seeds a database, starts the plugin over it and measures the board and the path page while collection goes on. */
export async function benchBoard(
  options: BoardBenchOptions,
): Promise<BoardBenchResult> {
  const directory = await mkdtemp(join(tmpdir(), 'rocket-bench-'));
  const connection =
    options.postgres ?? join(directory, 'critical-paths.sqlite');
  const knex = knexFactory({
    client: options.postgres ? 'pg' : 'better-sqlite3',
    connection: options.postgres ? connection : { filename: connection },
    useNullAsDefault: true,
  });
  let backend: Awaited<ReturnType<typeof startTestBackend>> | undefined;
  try {
    await DatabaseSignalStore.create({
      database: mockServices.database({ knex }),
    });
    const seeded = await seed(knex, options.size);
    await knex.destroy();
    backend = await startTestBackend({
      features: [
        plugin,
        options.postgres
          ? mockServices.database.factory({
              knex: knexFactory({
                client: 'pg',
                connection,
                pool: { max: 10 },
              }),
            })
          : databaseServiceFactory,
        mockServices.rootConfig.factory({
          data: {
            backend: {
              database: {
                client: 'better-sqlite3',
                connection: { directory },
              },
            },
            criticalPaths: {
              collector: { backfill: { days: options.size.days } },
            },
          },
        }),
        catalogServiceMock.factory({ entities: seedEntities(options.size) }),
        createBackendModule({
          pluginId: 'critical-paths',
          moduleId: 'bench-source',
          register(reg) {
            reg.registerInit({
              deps: {
                sources: telemetrySourcesExtensionPoint,
                logger: coreServices.logger,
              },
              async init({ sources }) {
                sources.addSource(new FakeSource());
              },
            });
          },
        }),
      ],
    });
    const address = backend.server.address() as { port: number };
    const base = `http://127.0.0.1:${address.port}/api/critical-paths`;
    const result: BoardBenchResult = {
      database: options.postgres ? 'postgresql' : 'sqlite',
      seeded,
      coldMs: {},
      warm: {},
      path: {},
      bytes: 0,
    };
    for (const window of options.windows) {
      const started = Date.now();
      const response = await fetch(`${base}/paths?window=${window}`);
      await response.arrayBuffer();
      result.coldMs[window] = Date.now() - started;
    }
    const collecting = setInterval(
      () => fetch(`${base}/collect`, { method: 'POST' }).catch(() => {}),
      5000,
    );
    for (const window of options.windows) {
      const board = await load(
        [`${base}/paths?window=${window}`],
        options.connections,
        options.seconds,
      );
      result.warm[window] = board.figures;
      result.bytes = Math.max(result.bytes, board.bytes);
      result.path[window] = (
        await load(
          Array.from(
            { length: options.size.paths },
            (_, p) => `${base}/paths/default/bench-path-${p}?window=${window}`,
          ),
          options.connections,
          options.seconds,
        )
      ).figures;
    }
    clearInterval(collecting);
    return result;
  } finally {
    await backend?.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function main() {
  const result = await benchBoard({
    size: {
      paths: Number(process.env.BENCH_PATHS ?? 200),
      applicationsPerPath: Number(process.env.BENCH_APPLICATIONS ?? 10),
      days: Number(process.env.BENCH_DAYS ?? 28),
    },
    connections: Number(process.env.BENCH_CONNECTIONS ?? 10),
    seconds: Number(process.env.BENCH_SECONDS ?? 10),
    windows: (process.env.BENCH_WINDOWS ?? '24h,28d').split(','),
    postgres: process.env.BENCH_POSTGRES,
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

if (require.main === module) {
  main().then(
    () => process.exit(0),
    error => {
      process.stderr.write(`${error.stack}\n`);
      process.exit(1);
    },
  );
}

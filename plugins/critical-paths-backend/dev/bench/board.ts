/**
 * Measures the API of the boards over a database of a large organisation, and
 * what one collection of it takes. Prints one JSON line.
 *
 * node --require @backstage/cli/config/nodeTransform.cjs board.ts
 */
import { mockServices } from '@backstage/backend-test-utils';
import knexFactory from 'knex';
import { mkdtemp, rm } from 'fs/promises';
import { tmpdir } from 'os';
import { join } from 'path';
import { DatabaseSignalStore } from '../../src/store/DatabaseSignalStore';
import { FakeSource } from '../../src/testing/FakeSource';
import { benchBackend } from './backend';
import { load, median, round, type LatencyFigures } from './load';
import {
  seed,
  seedEntities,
  seedSeries,
  type SeedResult,
  type SeedSize,
} from './seed';
import { storageOf, type StorageFigures } from './storage';
import { sourceTraffic } from './traffic';
import { verifySeed } from './verify';

const SIGNALS = ['uptime', 'throughput', 'error-rate', 'latency'];
/** Collections that are timed without readers. */
const CYCLES = 5;

/** What to measure. */
export interface BoardBenchOptions {
  size: SeedSize;
  connections: number;
  /** Of each load. */
  seconds: number;
  windows: string[];
  /** A PostgreSQL connection string to an empty database; SQLite on disk when left out. */
  postgres?: string;
}

/** Time of one collection of the newest minute, with the five before it again, of all applications. */
export interface CycleFigures {
  applications: number;
  /** Medians, in seconds, without readers; the source answers at once. */
  seconds: number;
  cpuSeconds: number;
  /** Attribution of what the collection wrote, in seconds. */
  attributionSeconds: number;
}

export interface BoardBenchResult {
  database: 'sqlite' | 'postgresql';
  seeded: SeedResult;
  /** Seeded rows that were compared with what the store itself makes of the same minutes. */
  comparedRows: number;
  storage: StorageFigures;
  cycle: CycleFigures;
  /** First answer of a process that has nothing in memory, in milliseconds, by window. */
  coldMs: Record<string, number>;
  /** Times to answer while a collection goes on, by page and window. */
  answers: Record<
    'board' | 'signal boards' | 'teams' | 'path page',
    Record<string, LatencyFigures>
  >;
  /** Collections that were going on during the loads. */
  collections: number;
  /** Bytes of a board as sent (gzip). */
  bytes: number;
}

/** Seeds a database, starts the plugin over it and measures. */
export async function benchBoard(
  options: BoardBenchOptions,
): Promise<BoardBenchResult> {
  const { size, postgres, connections, seconds } = options;
  const directory = await mkdtemp(join(tmpdir(), 'rocket-bench-'));
  const knex = knexFactory({
    client: postgres ? 'pg' : 'better-sqlite3',
    connection: postgres ?? {
      filename: join(directory, 'critical-paths.sqlite'),
    },
    useNullAsDefault: true,
    ...(postgres ? { pool: { max: 10 } } : {}),
  });
  let backend: Awaited<ReturnType<typeof benchBackend>> | undefined;
  try {
    await DatabaseSignalStore.create({
      database: mockServices.database({ knex }),
    });
    const now = Date.now();
    const seeded = await seed(knex, size, now);
    const last = seeded.series - 1;
    const comparedRows = await verifySeed(knex, size, now, [
      ...new Set([0, Math.floor(last / 2), last]),
    ]);
    const source = new FakeSource(sourceTraffic(seedSeries(size)));
    backend = await benchBackend({
      knex,
      entities: seedEntities(size),
      source,
      criticalPaths: { collector: { backfill: { days: size.days } } },
    });
    const { base, attribute, collectAgain } = backend;
    // The month was attributed hour by hour in its time.
    await attribute();
    const storage = await storageOf(knex, size.paths);
    const coldMs: Record<string, number> = {};
    for (const window of options.windows) {
      const started = Date.now();
      const response = await fetch(`${base}/paths?window=${window}`);
      await response.arrayBuffer();
      coldMs[window] = Date.now() - started;
    }
    await collectAgain(); // the time that the seeding took
    const cycle = await timeCycles(backend, seeded.series);
    const answers: BoardBenchResult['answers'] = {
      board: {},
      'signal boards': {},
      teams: {},
      'path page': {},
    };
    let bytes = 0;
    const before = source.requests.length;
    for (const window of options.windows) {
      const urls: Record<keyof typeof answers, string[]> = {
        board: [`${base}/paths?window=${window}`],
        'signal boards': SIGNALS.map(
          signal => `${base}/boards/${signal}?window=${window}`,
        ),
        teams: [`${base}/teams?window=${window}`],
        'path page': Array.from(
          { length: size.paths },
          (_, p) => `${base}/paths/default/bench-path-${p}?window=${window}`,
        ),
      };
      for (const page of Object.keys(urls) as (keyof typeof answers)[]) {
        await backend.forgetNewest();
        const [answered] = await Promise.all([
          load(urls[page], connections, seconds),
          backend.collect().then(attribute),
        ]);
        answers[page][window] = answered.figures;
        if (page === 'board') {
          bytes = Math.max(bytes, answered.bytes);
        }
      }
    }
    return {
      database: postgres ? 'postgresql' : 'sqlite',
      seeded,
      comparedRows,
      storage,
      cycle,
      coldMs,
      answers,
      collections: source.requests.length - before,
      bytes,
    };
  } finally {
    await backend?.stop();
    await knex.destroy();
    await rm(directory, { recursive: true, force: true });
  }
}

async function timeCycles(
  backend: Awaited<ReturnType<typeof benchBackend>>,
  applications: number,
): Promise<CycleFigures> {
  const samples: Record<
    'seconds' | 'cpuSeconds' | 'attributionSeconds',
    number
  >[] = [];
  for (let i = 0; i < CYCLES; i++) {
    await backend.forgetNewest();
    const cpu = process.threadCpuUsage();
    const started = performance.now();
    await backend.collect();
    const ended = performance.now();
    const { user, system } = process.threadCpuUsage(cpu);
    await backend.attribute();
    samples.push({
      seconds: (ended - started) / 1000,
      cpuSeconds: (user + system) / 1e6,
      attributionSeconds: (performance.now() - ended) / 1000,
    });
  }
  const of = (field: keyof (typeof samples)[number]) =>
    round(median(samples.map(sample => sample[field])));
  return {
    applications,
    seconds: of('seconds'),
    cpuSeconds: of('cpuSeconds'),
    attributionSeconds: of('attributionSeconds'),
  };
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

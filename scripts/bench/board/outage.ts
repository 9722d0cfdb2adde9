/**
 * What readers of the boards notice of a New Relic that is down or 10 s slow:
 * the plugin with its New Relic module over a database of a large organisation,
 * the offline New Relic in a process of its own. Healthy and failing times
 * alternate, and each failing one is held against the healthy ones around it.
 * Prints one JSON line.
 *
 * BENCH_POSTGRES: a seeded database, or an empty one. Default: SQLite on disk.
 */
import newRelicModule from '@rocket/plugin-critical-paths-backend-module-newrelic';
import knexFactory from 'knex';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mockServices } from '@backstage/backend-test-utils';
import { benchBackend } from '../../../plugins/critical-paths-backend/dev/bench/backend';
import {
  load,
  median,
  round,
} from '../../../plugins/critical-paths-backend/dev/bench/load';
import {
  seed,
  seedEntities,
} from '../../../plugins/critical-paths-backend/dev/bench/seed';
import { DatabaseSignalStore } from '../../../plugins/critical-paths-backend/src/store/DatabaseSignalStore';
import { startSandboxProcess } from './sandboxProcess';

const SIZE = {
  paths: Number(process.env.BENCH_PATHS ?? 200),
  applicationsPerPath: Number(process.env.BENCH_APPLICATIONS ?? 10),
  days: Number(process.env.BENCH_DAYS ?? 28),
};
const ROUNDS = Number(process.env.BENCH_OUTAGE_ROUNDS ?? 3);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 10);
const CONNECTIONS = Number(process.env.BENCH_CONNECTIONS ?? 10);
const SLOW_MS = 10_000;
/** Longer than any failing time; it is taken back at its end. */
const FAILING_MS = 3_600_000;
/** A collection is due every minute, and tells about the minute before: less would mark healthy figures. */
const STALE_AFTER_SECONDS = 120;
const STALE_DEADLINE_MS = (STALE_AFTER_SECONDS + 90) * 1000;

type Failure = 'slow' | 'down';

interface BoardAnswer {
  rows: {
    state: string;
    stateReasons: string[];
    data: { ageSeconds: number | null };
  }[];
}

async function openDatabase(directory: string) {
  const postgres = process.env.BENCH_POSTGRES;
  const knex = knexFactory({
    client: postgres ? 'pg' : 'better-sqlite3',
    connection: postgres ?? {
      filename: join(directory, 'critical-paths.sqlite'),
    },
    useNullAsDefault: true,
    ...(postgres ? { pool: { max: 10 } } : {}),
  });
  const store = await DatabaseSignalStore.create({
    database: mockServices.database({ knex }),
  });
  if ((await store.listSeries()).length === 0) {
    await seed(knex, SIZE);
  }
  return knex;
}

/** Paths whose figures are older than they may be without being called so. */
function unmarked({ rows }: BoardAnswer): number {
  return rows.filter(
    row =>
      (row.data.ageSeconds ?? Infinity) > STALE_AFTER_SECONDS && !isMarked(row),
  ).length;
}

/** `stale`, or worse, with the age among its reasons. */
function isMarked(row: BoardAnswer['rows'][number]): boolean {
  return (
    row.state === 'stale' ||
    row.stateReasons.some(reason => reason.includes('was last measured'))
  );
}

async function main() {
  const directory = await mkdtemp(join(tmpdir(), 'rocket-bench-outage-'));
  const apiKey = `bench-${randomBytes(12).toString('hex')}`;
  const knex = await openDatabase(directory);
  const newRelic = await startSandboxProcess(SIZE, apiKey);
  const backend = await benchBackend({
    knex,
    entities: seedEntities(SIZE),
    source: [newRelicModule],
    config: {
      newrelic: {
        accounts: [
          {
            id: newRelic.account,
            name: 'bench',
            apiKey,
            region: 'US',
            endpoint: `${newRelic.url}/graphql`,
          },
        ],
      },
    },
    criticalPaths: {
      collector: { backfill: { days: SIZE.days } },
      staleAfter: { seconds: STALE_AFTER_SECONDS },
    },
  });
  try {
    const boards = ['24h', '28d'].map(
      window => `${backend.base}/paths?window=${window}`,
    );
    const ask = async () =>
      (await (await fetch(boards[0])).json()) as BoardAnswer;

    // The minutes since the database was seeded, and the boards in memory.
    await backend.collect();
    await load(boards, CONNECTIONS, 2);

    const requests = await newRelic.requests();
    const started = performance.now();
    await backend.collectAgain();
    const cycle = {
      applications: SIZE.paths * SIZE.applicationsPerPath,
      seconds: round((performance.now() - started) / 1000),
      requests: (await newRelic.requests()) - requests,
    };

    let unmarkedPaths = 0;
    /** p95 of the boards while a collection asks the New Relic as it is. */
    const measure = async () => {
      await backend.forgetNewest();
      const collected = backend.collect();
      const { figures } = await load(boards, CONNECTIONS, SECONDS);
      unmarkedPaths = Math.max(unmarkedPaths, unmarked(await ask()));
      return { p95: figures.p95, collected };
    };
    const healthy = async () => {
      const { p95, collected } = await measure();
      await collected;
      return p95;
    };
    const failing = async (kind: Failure) => {
      await newRelic.misbehave({
        kind,
        durationMs: FAILING_MS,
        ...(kind === 'slow' ? { delayMs: SLOW_MS } : {}),
      });
      const { p95, collected } = await measure();
      await newRelic.behave();
      // What was asked in the meantime has been answered or given up.
      await collected;
      await backend.collect();
      return p95;
    };

    const healthyP95 = [await healthy()];
    const failingP95: Record<Failure, number[]> = { slow: [], down: [] };
    const ratios: Record<Failure, number[]> = { slow: [], down: [] };
    for (let i = 0; i < ROUNDS; i++) {
      for (const kind of ['slow', 'down'] as const) {
        const before = healthyP95[healthyP95.length - 1];
        const during = await failing(kind);
        const after = await healthy();
        healthyP95.push(after);
        failingP95[kind].push(during);
        ratios[kind].push(during / ((before + after) / 2));
      }
    }

    await newRelic.misbehave({ kind: 'down', durationMs: FAILING_MS });
    const downSince = Date.now();
    let answer = await ask();
    while (
      !answer.rows.every(isMarked) &&
      Date.now() - downSince < STALE_DEADLINE_MS
    ) {
      await backend.collect();
      unmarkedPaths = Math.max(unmarkedPaths, unmarked(answer));
      await sleep(1000);
      answer = await ask();
    }
    const staleP95 = (await load(boards, CONNECTIONS, SECONDS)).figures.p95;
    process.stdout.write(
      `${JSON.stringify({
        database: process.env.BENCH_POSTGRES ? 'postgresql' : 'sqlite',
        cycle,
        rounds: ROUNDS,
        p95Ms: {
          healthy: round(median(healthyP95)),
          slow: round(median(failingP95.slow)),
          down: round(median(failingP95.down)),
          stale: staleP95,
        },
        ratio: {
          slow: round(median(ratios.slow)),
          down: round(median(ratios.down)),
        },
        samples: { healthy: healthyP95, ...failingP95 },
        staleAfterSeconds: STALE_AFTER_SECONDS,
        paths: answer.rows.length,
        markedStale: answer.rows.filter(isMarked).length,
        markedAfterSeconds: Math.round((Date.now() - downSince) / 1000),
        // The most that were ever seen at a time.
        olderAndNotMarked: unmarkedPaths,
      })}\n`,
    );
  } catch (error) {
    // Said before anything is ended: what is broken may not end either.
    process.stderr.write(`${(error as Error).stack}\n`);
    process.exitCode = 1;
    throw error;
  } finally {
    await newRelic.behave().catch(() => {});
    await backend.stop();
    newRelic.stop();
    await knex.destroy();
    await rm(directory, { recursive: true, force: true });
  }
}

main().then(
  () => process.exit(0),
  () => process.exit(1),
);

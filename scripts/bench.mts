/**
 * `./rocket bench [NAME]`: prints a table and, as its last line, one JSON
 * object with the figures; exits with 1 when a stated bound is missed.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Failure, printFailure, say } from './lib/console.mts';
import { ROOT } from './lib/paths.mts';
import { NODE_TRANSFORM } from './lib/processes.mts';
import { startTestPostgres } from './lib/testPostgres.mts';

/** Runs a TypeScript file that prints one JSON line at its end. */
async function json<T>(file: string, env: NodeJS.ProcessEnv = {}): Promise<T> {
  return await new Promise<T>((done, fail) => {
    const child = spawn(
      process.execPath,
      [...NODE_TRANSFORM, join(ROOT, file)],
      {
        cwd: ROOT,
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, NODE_ENV: 'production', ...env },
      },
    );
    let output = '';
    child.stdout.on('data', chunk => {
      output += chunk;
    });
    child.once('error', fail);
    child.once('close', code => {
      const last = output.trim().split('\n').pop() ?? '';
      if (code !== 0)
        fail(new Failure(`${file} ended with exit code ${code}.`));
      else done(JSON.parse(last) as T);
    });
  });
}

interface Latency {
  requests: number;
  p50: number;
  p95: number;
  p99: number;
}

interface Board {
  database: string;
  warm: Record<string, Latency>;
  path: Record<string, Latency>;
  coldMs: Record<string, number>;
  bytes: number;
}

interface Collection {
  applications: number;
  accounts: number;
  requestsFirstCycle: number;
  requestsPerCycle: number;
  pathsMeasured: number;
  paths: number;
}

/** NerdGraph requests that one collection cycle may need for 300 applications in 3 accounts. */
const MAX_REQUESTS = 40;

async function board() {
  say(
    'board: 200 paths × 10 applications × 28 days, 10 connections, on SQLite',
  );
  const file = 'plugins/critical-paths-backend/dev/bench/board.ts';
  const results = [await json<Board>(file)];
  say('the same on PostgreSQL');
  const postgres = await startTestPostgres();
  try {
    results.push(await json<Board>(file, { BENCH_POSTGRES: postgres.url }));
  } finally {
    await postgres.stop();
  }
  say('collection: 300 applications in 3 accounts, against the sandbox');
  const collection = await json<Collection>('scripts/bench/collection.ts');

  const ms = (value: number) => value.toFixed(1).padStart(8);
  console.log(
    '\ndatabase    what        window       p50      p95      p99 ms   requests',
  );
  for (const result of results) {
    for (const what of ['warm', 'path'] as const) {
      for (const [window, figures] of Object.entries(result[what])) {
        console.log(
          `${result.database.padEnd(11)} ${(what === 'warm'
            ? 'board'
            : 'path page'
          ).padEnd(11)} ${window.padEnd(8)}` +
            `${ms(figures.p50)} ${ms(figures.p95)} ${ms(figures.p99)} ${String(
              figures.requests,
            ).padStart(13)}`,
        );
      }
    }
    console.log(
      `${result.database.padEnd(
        11,
      )} first board of a fresh process, ms: ${JSON.stringify(result.coldMs)}`,
    );
  }
  console.log(
    `\nNerdGraph requests per cycle: ${collection.requestsPerCycle} (first cycle, with back-fill: ` +
      `${collection.requestsFirstCycle}); bound ${MAX_REQUESTS}\n`,
  );
  const measured = collection.pathsMeasured === collection.paths;
  return {
    bench: 'board',
    boards: results,
    collection,
    ok:
      measured &&
      collection.requestsPerCycle <= MAX_REQUESTS &&
      collection.requestsFirstCycle <= MAX_REQUESTS,
  };
}

const BENCHES: Record<string, () => Promise<{ ok: boolean }>> = { board };

async function main() {
  const asked = process.argv.slice(2);
  const unknown = asked.find(name => !(name in BENCHES));
  if (unknown)
    throw new Failure(
      `There is no benchmark '${unknown}'.`,
      `There are: ${Object.keys(BENCHES).join(', ')}.`,
    );
  let ok = true;
  for (const name of asked.length ? asked : Object.keys(BENCHES)) {
    const result = await BENCHES[name]();
    console.log(JSON.stringify(result));
    ok &&= result.ok;
  }
  process.exit(ok ? 0 : 1);
}

main().catch(error => {
  printFailure(error);
  process.exit(1);
});

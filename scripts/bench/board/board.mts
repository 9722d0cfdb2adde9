/** `./rocket bench board`: the boards' API under load on both databases, and what one collection cycle asks of New Relic. */
import { join } from 'node:path';
import { say } from '../../lib/console.mts';
import { ROOT } from '../../lib/paths.mts';
import { NODE_TRANSFORM } from '../../lib/processes.mts';
import { startTestPostgres } from '../../lib/testPostgres.mts';
import { json } from './json.mts';
import { benchPages } from './page.mts';

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
/** The wallet company's dashboards: the slowest of a hundred answers, 10 connections. */
const MAX_P99_MS = 112;
/** Time to the board's table over time to the stock catalog's, for a browser that was never here and one that was. */
const MAX_COLD = 0.7;
const MAX_WARM = 0.5;

export async function board() {
  say(
    'board: 200 paths × 10 applications × 28 days, 10 connections, on SQLite',
  );
  const file = 'plugins/critical-paths-backend/dev/bench/board.ts';
  const results = [await json<Board>(NODE_TRANSFORM, join(ROOT, file))];
  say('the same on PostgreSQL');
  const postgres = await startTestPostgres();
  try {
    results.push(
      await json<Board>(NODE_TRANSFORM, join(ROOT, file), [], {
        BENCH_POSTGRES: postgres.url,
      }),
    );
  } finally {
    await postgres.stop();
  }
  say('collection: 300 applications in 3 accounts, against the sandbox');
  const collection = await json<Collection>(
    NODE_TRANSFORM,
    'scripts/bench/board/collection.ts',
  );

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
  say('the board and the stock catalog page in Chromium, in turn');
  const pages = await benchPages();
  for (const state of ['cold', 'warm'] as const) {
    for (const [page, sample] of Object.entries(pages[state])) {
      console.log(
        `${state} ${page.padEnd(8)} first paint ${String(sample.paint).padStart(
          5,
        )} ms, table ${String(sample.table).padStart(5)} ms, ${
          sample.requests
        } requests, ${Math.round(sample.bytes / 1024)} KiB`,
      );
    }
  }
  const p99 = Math.max(
    ...results.flatMap(({ warm, path }) =>
      [...Object.values(warm), ...Object.values(path)].map(l => l.p99),
    ),
  );
  const bounds = {
    [`board and path page API p99 < ${MAX_P99_MS} ms`]: p99 < MAX_P99_MS,
    [`NerdGraph requests per cycle <= ${MAX_REQUESTS}`]:
      collection.pathsMeasured === collection.paths &&
      collection.requestsPerCycle <= MAX_REQUESTS &&
      collection.requestsFirstCycle <= MAX_REQUESTS,
    [`board / catalog page, cold <= ${MAX_COLD}`]: pages.ratio.cold <= MAX_COLD,
    [`board / catalog page, warm <= ${MAX_WARM}`]: pages.ratio.warm <= MAX_WARM,
  };
  console.log();
  for (const [bound, met] of Object.entries(bounds))
    console.log(`${met ? 'met   ' : 'MISSED'} ${bound}`);
  console.log();
  return {
    bench: 'board',
    boards: results,
    collection,
    pages,
    bounds,
    ok: Object.values(bounds).every(Boolean),
  };
}

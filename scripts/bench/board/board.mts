/**
 * `./rocket bench board`: the boards' API under load on both databases, one
 * collection cycle, storage, New Relic failing, and the board in a browser.
 * Which of them: `BENCH_PARTS`, a list of `api`, `collection`, `outage` and
 * `pages`; all by default.
 */
import { join } from 'node:path';
import { Failure, say } from '../../lib/console.mts';
import { ROOT } from '../../lib/paths.mts';
import { NODE_TRANSFORM } from '../../lib/processes.mts';
import { startTestPostgres } from '../../lib/testPostgres.mts';
import {
  printBoard,
  printCollection,
  printOutage,
  type Board,
  type Collection,
  type Outage,
} from './figures.mts';
import { json } from './json.mts';
import { benchPages, type PageFigures } from './page.mts';

/** NerdGraph requests that one collection cycle may need for 300 applications in 3 accounts. */
const MAX_REQUESTS = 40;
/** The wallet company's dashboards: the slowest of a hundred answers, 10 connections. */
const MAX_P99_MS = 112;
/** The boards' p95 while New Relic fails over its healthy value in the same run. */
const MAX_OUTAGE = 1.1;
/** Time to the board's table over time to that of plain Backstage's catalog, for a browser that was never here and one that was. */
const MAX_COLD = 0.7;
const MAX_WARM = 0.5;

const PARTS = ['api', 'collection', 'outage', 'pages'] as const;
type Part = (typeof PARTS)[number];

/** A bound in words, and whether it is met. */
type Bounds = Record<string, boolean>;

function wantedParts(): Set<Part> {
  const asked = process.env.BENCH_PARTS?.split(',') ?? [...PARTS];
  const unknown = asked.find(part => !PARTS.includes(part as Part));
  if (unknown !== undefined)
    throw new Failure(
      `BENCH_PARTS names '${unknown}'.`,
      `There are: ${PARTS.join(', ')}.`,
    );
  return new Set(asked as Part[]);
}

async function measureApi(postgres?: string): Promise<Board> {
  say(
    `board: 200 paths × 10 applications × 28 days of minutes, 10 connections, on ${
      postgres ? 'PostgreSQL' : 'SQLite'
    }`,
  );
  return await json<Board>(
    NODE_TRANSFORM,
    join(ROOT, 'plugins/critical-paths-backend/dev/bench/board.ts'),
    [],
    postgres ? { BENCH_POSTGRES: postgres } : {},
  );
}

async function measureCollection(): Promise<Collection> {
  say('collection: 300 applications in 3 accounts, against the sandbox');
  return await json<Collection>(
    NODE_TRANSFORM,
    'scripts/bench/board/collection.ts',
  );
}

async function measureOutage(postgres: string): Promise<Outage> {
  say('the boards while New Relic is healthy, 10 s slow and down, in turn');
  return await json<Outage>(
    NODE_TRANSFORM,
    'scripts/bench/board/outage.ts',
    [],
    { BENCH_POSTGRES: postgres },
  );
}

export async function board() {
  const parts = wantedParts();
  const bounds: Bounds = {};
  const boards: Board[] = [];
  let collection: Collection | undefined;
  let outage: Outage | undefined;
  let pages: PageFigures | undefined;

  // Each part's figures as soon as they are there: what breaks later takes none away.
  const judgeApi = (result: Board) => {
    boards.push(result);
    printBoard(result);
    for (const [page, windows] of Object.entries(result.answers))
      bounds[
        `${page} API p99 < ${MAX_P99_MS} ms at 10 connections on ${result.database}`
      ] = Object.values(windows).every(({ p99 }) => p99 < MAX_P99_MS);
  };

  if (parts.has('api')) judgeApi(await measureApi());
  if (parts.has('api') || parts.has('outage')) {
    const postgres = await startTestPostgres();
    try {
      if (parts.has('api')) judgeApi(await measureApi(postgres.url));
      // Over the database that is there now; an empty one is filled first.
      if (parts.has('outage')) {
        outage = await measureOutage(postgres.url);
        printOutage(outage);
        bounds[`boards' p95, New Relic 10 s slow / healthy <= ${MAX_OUTAGE}`] =
          outage.ratio.slow <= MAX_OUTAGE;
        bounds[`boards' p95, New Relic down / healthy <= ${MAX_OUTAGE}`] =
          outage.ratio.down <= MAX_OUTAGE;
        bounds['figures that are not read any more are called stale'] =
          outage.paths > 0 &&
          outage.markedStale === outage.paths &&
          outage.olderAndNotMarked === 0;
      }
    } finally {
      await postgres.stop();
    }
  }
  if (parts.has('collection')) {
    collection = await measureCollection();
    printCollection(collection, MAX_REQUESTS);
    bounds[`NerdGraph requests per cycle <= ${MAX_REQUESTS}`] =
      collection.pathsMeasured === collection.paths &&
      [collection.requestsPerCycle, collection.requestsFirstCycle].every(
        requests => requests > 0 && requests <= MAX_REQUESTS,
      );
  }
  if (parts.has('pages')) {
    say(
      'the board and the catalog page of plain Backstage in Chromium, in turn',
    );
    pages = await benchPages();
    printPages(pages);
    bounds[`board / catalog page of plain Backstage, cold <= ${MAX_COLD}`] =
      pages.ratio.cold <= MAX_COLD;
    bounds[`board / catalog page of plain Backstage, warm <= ${MAX_WARM}`] =
      pages.ratio.warm <= MAX_WARM;
  }
  console.log();
  for (const [bound, met] of Object.entries(bounds))
    console.log(`${met ? 'met   ' : 'MISSED'} ${bound}`);
  console.log();
  return {
    bench: 'board',
    boards,
    collection,
    outage,
    pages,
    bounds,
    ok: Object.values(bounds).every(Boolean),
  };
}

function printPages(pages: PageFigures): void {
  console.log();
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
  const { ratio, ownCatalogRatio } = pages;
  console.log(
    `board / catalog page of plain Backstage: cold ${ratio.cold.toFixed(
      2,
    )}, warm ${ratio.warm.toFixed(2)}; ` +
      `board / our own catalog page: cold ${ownCatalogRatio.cold.toFixed(
        2,
      )}, warm ${ownCatalogRatio.warm.toFixed(2)}`,
  );
}

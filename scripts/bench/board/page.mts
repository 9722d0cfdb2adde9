/**
 * The board as a person sees it: Chromium opens it and the catalog page of plain Backstage in turn, in one run. Both installations are
 * production builds and have 2,000 components; ours has 200 critical paths as well. Cold is a browser that has never been here, warm one
 * that has just been. Our own catalog page is opened beside them, to tell what the board brings and what the portal around it.
 */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext } from '@playwright/test';
import { parseAllDocuments, stringify } from 'yaml';
import { findChromium } from '../../lib/chromium.mts';
import { Failure, say } from '../../lib/console.mts';
import { ROOT } from '../../lib/paths.mts';
import { startPortal } from '../../lib/portal.mts';
import { buildPortal } from '../../lib/portalBuild.mts';
import { NODE_TRANSFORM } from '../../lib/processes.mts';
import { startTestPostgres } from '../../lib/testPostgres.mts';
import { startStock } from '../stock/stock.mts';
import { json } from './json.mts';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);
const PORT = Number(process.env.BENCH_PORT ?? 7607);
const COMPONENTS = 2_000;
const PATHS = 200;

/** Milliseconds from the start of the navigation, and what it took. */
interface Sample {
  /** First contentful paint. */
  paint: number;
  /** The table has its rows. */
  table: number;
  requests: number;
  /** Bytes over the wire, headers included. */
  bytes: number;
}

const CATALOG_FILTERS = 'filters%5Bkind%5D=component&filters%5Buser%5D=all';
const CATALOG_ROWS = 'tbody a[href*="/default/component/"]';

/** Every page is shown when five of its rows have a link to what they are about. */
const PAGES = {
  board: {
    site: 'rocket',
    path: '/critical-paths',
    rows: 'tbody a[href^="/critical-paths/default/"]',
  },
  catalog: {
    site: 'rocket',
    path: `/catalog?${CATALOG_FILTERS}`,
    rows: CATALOG_ROWS,
  },
  // Plain Backstage has its catalog as the first page.
  stock: { site: 'stock', path: `/?${CATALOG_FILTERS}`, rows: CATALOG_ROWS },
} as const;

type Page = keyof typeof PAGES;
const NAMES = Object.keys(PAGES) as Page[];

/** Addresses of the installations. */
export type Sites = Record<(typeof PAGES)[Page]['site'], string>;

async function visit(
  context: BrowserContext,
  sites: Sites,
  page: Page,
): Promise<Sample> {
  const tab = await context.newPage();
  await tab.addInitScript((selector: string) => {
    // The guest has entered here before, as far as Rocket and plain Backstage remember that; both ask for the session by themselves then.
    sessionStorage.setItem('rocket.guest', 'entered');
    localStorage.setItem('@backstage/core:SignInPage:provider', 'guest');
    const seen = () => {
      const rows = document.querySelectorAll(selector);
      if (rows.length >= 5 && (rows[0] as HTMLElement).offsetHeight > 0) {
        // After the frame that shows them.
        requestAnimationFrame(() =>
          setTimeout(() =>
            Object.assign(window, { rocketTableAt: performance.now() }),
          ),
        );
        observer.disconnect();
      }
    };
    const observer = new MutationObserver(seen);
    observer.observe(document, { childList: true, subtree: true });
  }, PAGES[page].rows);
  const session = await context.newCDPSession(tab);
  await session.send('Network.enable');
  let bytes = 0;
  let requests = 0;
  session.on('Network.requestWillBeSent', () => (requests += 1));
  session.on(
    'Network.loadingFinished',
    event => (bytes += event.encodedDataLength),
  );
  await tab.goto(sites[PAGES[page].site] + PAGES[page].path);
  await tab.waitForFunction(() => 'rocketTableAt' in window, undefined, {
    timeout: 60_000,
  });
  const at = await tab.evaluate(() => ({
    table: (window as unknown as { rocketTableAt: number }).rocketTableAt,
    paint:
      performance.getEntriesByName('first-contentful-paint')[0]?.startTime ??
      NaN,
  }));
  const sample = { ...at, requests, bytes };
  await tab.close();
  return sample;
}

const median = (values: number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

function medians(samples: Sample[]): Sample {
  const of = (field: keyof Sample) =>
    Math.round(median(samples.map(sample => sample[field])));
  return {
    paint: of('paint'),
    table: of('table'),
    requests: of('requests'),
    bytes: of('bytes'),
  };
}

export interface PageFigures {
  cold: Record<Page, Sample>;
  warm: Record<Page, Sample>;
  /** Board over the catalog page of plain Backstage, time to the table. */
  ratio: { cold: number; warm: number };
  /** Board over our own catalog page. */
  ownCatalogRatio: { cold: number; warm: number };
}

export async function benchPages(): Promise<PageFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'rocket-bench-pages-'));
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir, { recursive: true });
  const catalog = join(folder, 'organisation.yaml');
  const config = join(folder, 'app-config.bench.yaml');
  await json(
    NODE_TRANSFORM,
    join(ROOT, 'plugins/critical-paths-backend/dev/bench/portalData.ts'),
    [dataDir, catalog],
  );
  writeFileSync(
    config,
    stringify({
      // A list replaces the one of app-config.yaml; the guest comes from the demo organisation.
      catalog: {
        locations: [
          { type: 'file', target: join(ROOT, 'examples/all.yaml') },
          { type: 'file', target: catalog },
        ],
      },
      // The stored rows are what is shown; nothing is asked for.
      criticalPaths: {
        collector: {
          schedule: {
            frequency: { trigger: 'manual' },
            timeout: { minutes: 1 },
          },
        },
      },
    }),
  );
  const components = join(folder, 'components.yaml');
  writeFileSync(components, componentsOf(catalog));
  await buildPortal({});
  const stops: (() => Promise<void>)[] = [];
  try {
    const postgres = await startTestPostgres();
    stops.push(() => postgres.stop());
    const { port, username, password } = new URL(postgres.url);
    const stock = await startStock({
      database: { port: Number(port), user: username, password },
      port: PORT + 200,
      entities: components,
    });
    stops.push(() => stock.stop());
    say(`waiting until plain Backstage has ${COMPONENTS} components`);
    // Before the portal starts: two catalogs that fill at once keep each other waiting.
    await untilCatalogued('plain Backstage', () =>
      countComponents(stock.url, stock.headers),
    );
    const portal = await startPortal({
      port: PORT,
      dataDir,
      traffic: false,
      configs: [config],
    });
    stops.push(() => portal.stop());
    say(`waiting until the portal has ${COMPONENTS} components`);
    const headers = await guestOf(portal.url);
    await untilCatalogued('the portal', async () =>
      Math.min(
        await countComponents(portal.url, headers),
        (await countPaths(portal.url, headers)) * (COMPONENTS / PATHS),
      ),
    );
    return await measure({ rocket: portal.url, stock: stock.url });
  } finally {
    for (const stop of stops.reverse()) await stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The components alone: the kinds that plain Backstage knows. */
function componentsOf(catalogFile: string): string {
  return parseAllDocuments(readFileSync(catalogFile, 'utf8'))
    .map(document => document.toJS() as { kind: string })
    .filter(({ kind }) => kind === 'Component')
    .map(entity => stringify(entity))
    .join('---\n');
}

/** Opens all pages of running installations in turn. */
export async function measure(sites: Sites): Promise<PageFigures> {
  const browser = await chromium.launch({
    executablePath: findChromium(),
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  try {
    const empty = () =>
      Object.fromEntries(NAMES.map(page => [page, []])) as unknown as Record<
        Page,
        Sample[]
      >;
    const samples = { cold: empty(), warm: empty() };
    const viewport = { width: 1440, height: 900 };
    for (let round = -1; round < ROUNDS; round++) {
      // Another one goes first each time.
      const first = (round + 1) % NAMES.length;
      for (const page of [...NAMES.slice(first), ...NAMES.slice(0, first)]) {
        const context = await browser.newContext({ viewport });
        const cold = await visit(context, sites, page);
        const warm = await visit(context, sites, page);
        await context.close();
        // The first round warms up the backend and counts for nothing.
        if (round < 0) continue;
        samples.cold[page].push(cold);
        samples.warm[page].push(warm);
      }
    }
    const all = (of: Record<Page, Sample[]>) =>
      Object.fromEntries(
        NAMES.map(page => [page, medians(of[page])]),
      ) as Record<Page, Sample>;
    const cold = all(samples.cold);
    const warm = all(samples.warm);
    const over = (peer: Page) => ({
      cold: cold.board.table / cold[peer].table,
      warm: warm.board.table / warm[peer].table,
    });
    return {
      cold,
      warm,
      ratio: over('stock'),
      ownCatalogRatio: over('catalog'),
    };
  } finally {
    await browser.close();
  }
}

type Headers = Record<string, string>;

async function guestOf(base: string): Promise<Headers> {
  const session = await fetch(`${base}/api/auth/guest/refresh`, {
    headers: { 'x-requested-with': 'XMLHttpRequest' },
  });
  const { backstageIdentity } = (await session.json()) as {
    backstageIdentity: { token: string };
  };
  return { authorization: `Bearer ${backstageIdentity.token}` };
}

async function countComponents(
  base: string,
  headers: Headers,
): Promise<number> {
  const answer = await fetch(
    `${base}/api/catalog/entities/by-query?filter=kind=component&limit=1`,
    { headers },
  );
  return ((await answer.json()) as { totalItems: number }).totalItems;
}

async function countPaths(base: string, headers: Headers): Promise<number> {
  const board = await fetch(`${base}/api/critical-paths/paths?window=24h`, {
    headers,
  });
  return ((await board.json()) as { rows: unknown[] }).rows.length;
}

/** The catalog processes what it reads for a while; measured is the time after. */
async function untilCatalogued(
  who: string,
  count: () => Promise<number>,
): Promise<void> {
  const deadline = Date.now() + 300_000;
  for (;;) {
    const counted = await count();
    if (counted >= COMPONENTS) return;
    if (Date.now() > deadline)
      throw new Failure(
        `After five minutes, ${who} has ${counted} of ${COMPONENTS} components.`,
      );
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
}

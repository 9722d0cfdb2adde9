/**
 * The board as a person sees it: Chromium opens it and the stock catalog page in turn, in one run, over one portal with 2,000 components
 * and 200 critical paths. Cold is a browser that has never been here, warm one that has just been.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext } from '@playwright/test';
import { stringify } from 'yaml';
import { findChromium } from '../../lib/chromium.mts';
import { Failure, say } from '../../lib/console.mts';
import { ROOT } from '../../lib/paths.mts';
import { startPortal } from '../../lib/portal.mts';
import { buildPortal } from '../../lib/portalBuild.mts';
import { NODE_TRANSFORM } from '../../lib/processes.mts';
import { json } from './json.mts';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);
const PORT = Number(process.env.BENCH_PORT ?? 7607);
const COMPONENTS = 2_000;

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

const PAGES = {
  board: {
    path: '/critical-paths',
    rows: 'tbody a[href^="/critical-paths/default/"]',
  },
  catalog: {
    path: '/catalog?filters%5Bkind%5D=component&filters%5Buser%5D=all',
    rows: 'tbody a[href^="/catalog/default/component/"]',
  },
} as const;

type Page = keyof typeof PAGES;

async function visit(
  context: BrowserContext,
  base: string,
  page: Page,
): Promise<Sample> {
  const tab = await context.newPage();
  await tab.addInitScript((selector: string) => {
    // The guest of this machine has entered already; signing in is the same for both pages.
    sessionStorage.setItem('rocket.guest', 'entered');
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
  await tab.goto(base + PAGES[page].path);
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
  /** Board over catalog, time to the table. */
  ratio: { cold: number; warm: number };
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
  await buildPortal({});
  const portal = await startPortal({
    port: PORT,
    dataDir,
    traffic: false,
    configs: [config],
  });
  try {
    await untilCatalogued(portal.url);
    return await measure(portal.url);
  } finally {
    await portal.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Opens both pages of a running portal in turn. */
export async function measure(base: string): Promise<PageFigures> {
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
    const samples = {
      cold: { board: [], catalog: [] },
      warm: { board: [], catalog: [] },
    } as Record<'cold' | 'warm', Record<Page, Sample[]>>;
    const viewport = { width: 1440, height: 900 };
    for (let round = -1; round < ROUNDS; round++) {
      const pages: Page[] =
        round % 2 ? ['catalog', 'board'] : ['board', 'catalog'];
      for (const page of pages) {
        const context = await browser.newContext({ viewport });
        const cold = await visit(context, base, page);
        const warm = await visit(context, base, page);
        await context.close();
        // The first round warms up the backend and counts for nothing.
        if (round < 0) continue;
        samples.cold[page].push(cold);
        samples.warm[page].push(warm);
      }
    }
    const cold = {
      board: medians(samples.cold.board),
      catalog: medians(samples.cold.catalog),
    };
    const warm = {
      board: medians(samples.warm.board),
      catalog: medians(samples.warm.catalog),
    };
    return {
      cold,
      warm,
      ratio: {
        cold: cold.board.table / cold.catalog.table,
        warm: warm.board.table / warm.catalog.table,
      },
    };
  } finally {
    await browser.close();
  }
}

/** The catalog processes what it reads for a while; measured is the time after. */
async function untilCatalogued(base: string): Promise<void> {
  const session = await fetch(`${base}/api/auth/guest/refresh`, {
    headers: { 'x-requested-with': 'XMLHttpRequest' },
  });
  const { backstageIdentity } = (await session.json()) as {
    backstageIdentity: { token: string };
  };
  const headers = { authorization: `Bearer ${backstageIdentity.token}` };
  const deadline = Date.now() + 300_000;
  say(`waiting until the catalog has ${COMPONENTS} components`);
  for (;;) {
    const answer = await fetch(
      `${base}/api/catalog/entities/by-query?filter=kind=component&limit=1`,
      { headers },
    );
    const { totalItems } = (await answer.json()) as { totalItems: number };
    const board = await fetch(`${base}/api/critical-paths/paths?window=24h`, {
      headers,
    });
    const { rows } = (await board.json()) as { rows: unknown[] };
    if (totalItems >= COMPONENTS && rows.length >= 200) return;
    if (Date.now() > deadline)
      throw new Failure(
        `The catalog has ${totalItems} components and ${rows.length} paths after five minutes.`,
      );
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
}

/** Deployments of a golden service under load: a good version, one that does not start, and one that turns out broken. */
import { randomUUID } from 'node:crypto';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import {
  openLoop,
  type LoadResult,
  type Request,
} from '../ledger/HttpLoad.mts';
import type { PortalApi, Service } from './portalApi.mts';
import { OWNER } from './runs.mts';

/** Requests per second; the bound is for 500. */
export const RATE = Number(process.env.BENCH_RATE ?? 500);
/** Longest time of one load; it ends with the deployment. */
const MAX_SECONDS = 900;
const AFTER_MS = 2_000;

export interface Switch {
  load: LoadResult;
  requests: number;
  failed: number;
  /** From the call that deploys until its end is told. */
  deploySeconds: number;
  service: Service;
}

export interface RollBack extends Switch {
  /** From the first answer of the broken version until the last one. */
  brokenSeconds: number;
  /** Answers of the broken version. */
  broken: number;
  /** Failed answers after the last one of the broken version. */
  failedAfter: number;
}

async function accounts(url: string, count: number): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const answer = await fetch(`${url}/v1/accounts`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': randomUUID(),
        },
        body: JSON.stringify({
          name: `bench ${i}`,
          kind: 'liability',
          currency: 'USD',
        }),
      });
      if (answer.status !== 201) {
        throw new Error(`opening an account: ${await answer.text()}`);
      }
      return ((await answer.json()) as { id: string }).id;
    }),
  );
}

/** Postings of 1 minor unit between two accounts, each with a key of its own. */
async function postings(url: string): Promise<() => Request> {
  const ids = await accounts(url, 50);
  let next = 0;
  return () => {
    next += 1;
    const [from, to] = [ids[next % 50], ids[(next * 7 + 1) % 50]];
    const amount = '"amount":{"value":"1","currency":"USD"}';
    return {
      path: '/v1/transactions',
      headers: { 'idempotency-key': randomUUID() },
      body: `{"legs":[{"accountId":"${from}","direction":"debit",${amount}},{"accountId":"${
        to === from ? ids[(next + 1) % 50] : to
      }","direction":"credit",${amount}}]}`,
    };
  };
}

async function underLoad(
  api: PortalApi,
  name: string,
  commit: string,
  onAnswer: (status: number, body: string) => void = () => {},
): Promise<Switch> {
  const { url } = await api.service(name);
  const next = await postings(url!);
  let over = false;
  const running = openLoop({
    url: url!,
    seconds: MAX_SECONDS,
    rate: RATE,
    next,
    over: () => over,
    onAnswer: (_, { status, body }) => onAnswer(status, body),
  });
  try {
    await new Promise(resolve => setTimeout(resolve, AFTER_MS));
    const started = performance.now();
    const service = await api.deploy(name, OWNER, commit);
    const deploySeconds = (performance.now() - started) / 1000;
    await new Promise(resolve => setTimeout(resolve, AFTER_MS));
    over = true;
    const load = await running;
    const requests = Object.values(load.statuses).reduce((a, b) => a + b, 0);
    return {
      load,
      requests,
      failed: requests - (load.statuses[201] ?? 0),
      deploySeconds,
      service,
    };
  } finally {
    over = true;
    await running;
  }
}

/** A new version of the same service; everything is installed anew. */
export async function goodVersion(
  api: PortalApi,
  name: string,
): Promise<Switch> {
  const commit = await api.push(name, 'A line more', folder =>
    appendFileSync(join(folder, 'README.md'), '\nDeployed under load.\n'),
  );
  return underLoad(api, name, commit);
}

/** Replaces what the repository starts; the program says `broken` in every answer. */
function breakIt(folder: string, program: string) {
  const file = join(folder, 'rocket.yaml');
  const manifest = parse(readFileSync(file, 'utf8')) as {
    spec: { start: string[]; install?: string[]; migrate?: string[] };
  };
  manifest.spec.start = ['node', 'broken.cjs'];
  delete manifest.spec.install;
  delete manifest.spec.migrate;
  writeFileSync(file, stringify(manifest));
  writeFileSync(join(folder, 'broken.cjs'), program);
}

/** It never gets ready, so it must never get a request. */
export async function neverReady(
  api: PortalApi,
  name: string,
): Promise<Switch> {
  const commit = await api.push(name, 'Break the start', folder =>
    breakIt(folder, `console.error('cannot go on'); process.exit(3);\n`),
  );
  return underLoad(api, name, commit);
}

/** It is ready, and from its first request on it fails everything and is not ready any more. */
export async function breaksLater(
  api: PortalApi,
  name: string,
): Promise<RollBack> {
  const commit = await api.push(name, 'Break the requests', folder =>
    breakIt(
      folder,
      `let served = 0;
require('node:http').createServer((req, res) => {
  const probe = req.url === '/readyz' || req.url === '/healthz';
  if (!probe) served += 1;
  res.statusCode = served ? 500 : 200;
  const body = 'broken';
  res.setHeader('content-length', body.length);
  res.end(body);
}).listen(Number(process.env.PORT), process.env.HOST);
process.on('SIGTERM', () => process.exit(0));
`,
    ),
  );
  let first = NaN;
  let last = NaN;
  let broken = 0;
  let failedAfter = 0;
  const result = await underLoad(api, name, commit, (status, body) => {
    if (body === 'broken') {
      broken += 1;
      last = performance.now();
      if (broken === 1) first = last;
      failedAfter = 0;
    } else if (status !== 201) {
      failedAfter += 1;
    }
  });
  return {
    ...result,
    broken,
    failedAfter,
    brokenSeconds: broken ? (last - first) / 1000 : NaN,
  };
}

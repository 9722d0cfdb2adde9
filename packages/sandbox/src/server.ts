import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { startCollector } from './collector';
import { createIngestHandler, type SandboxLogger } from './ingest';
import { discardRest, HttpError, parseJson, readBody, sendJson } from './http';
import { Misbehaviour, misbehaviourSchema } from './misbehaviour/Misbehaviour';
import { createNerdGraphHandler } from './nerdgraph/createNerdGraphHandler';
import { EventStore, type SandboxAccount } from './store/EventStore';
import { Journal } from './store/Journal';
import { ManagedObjects } from './store/ManagedObjects';
import { ServiceLevelMeter } from './store/ServiceLevelMeter';
import { startPipelines, type PipelineOptions } from './pipelines';
import { startTraffic } from './traffic';

const HOST = '127.0.0.1';
const PRUNE_EVERY_MS = 3_600_000;
const MEASURE_EVERY_MS = 60_000;
const LIMITS = {
  maxBytes: 100_000,
  maxInflatedBytes: 100_000,
  timeoutMs: 10_000,
};

export interface SandboxOptions {
  /** Port of NerdGraph and the ingest APIs; 0 takes any free one. */
  port: number;
  /** Port of the agent collector; 0 takes any free one. */
  collectorPort: number;
  /** Absolute folder; the sandbox keeps its files in `sandbox/` in it. */
  dataDir: string;
  /** The first one gets the generated traffic. */
  accounts: SandboxAccount[];
  /** Traffic scenario; undefined for no generated traffic. */
  scenarioFile?: string;
  /** Days of history instead of the scenario's. */
  historyDays?: number;
  /** The portal that the scenario's pipelines push to; undefined for none. */
  pipelines?: Pick<PipelineOptions, 'portalUrl' | 'token'>;
  /** Lets `POST /sandbox/misbehave` in; without one there is no such route. */
  adminToken?: string;
  logger?: SandboxLogger;
  now?: () => number;
}

export interface RunningSandbox {
  /** For example `http://127.0.0.1:7010`; NerdGraph is at `/graphql`. */
  url: string;
  /** For example `https://127.0.0.1:7011`. */
  collectorUrl: string;
  /** For `NODE_EXTRA_CA_CERTS` of processes whose agents report here. */
  caFile: string;
  store: EventStore;
  misbehaviour: Misbehaviour;
  /** Resolves when the history is there; rejects when it could not be made. */
  ready: Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts the offline New Relic: NerdGraph, Event API and Metric API over HTTP,
 * the agent collector over HTTPS, one event store behind all of them, and the
 * traffic generator. Listens on the loopback address only.
 */
export async function startSandbox(
  options: SandboxOptions,
): Promise<RunningSandbox> {
  const { dataDir, logger, now = Date.now } = options;
  const [account] = options.accounts;
  if (!account) throw new Error('The sandbox needs at least one account');
  const store = new EventStore({
    accounts: options.accounts,
    journal: new Journal(path.join(dataDir, 'sandbox', 'events'), now, error =>
      logger?.warn(`Events could not be written to disk: ${error.message}`),
    ),
    now,
  });
  const restored = await store.restore();
  if (restored.events > 0 || restored.skippedLines > 0) {
    logger?.info(
      `Read ${restored.events} events that agents sent earlier, skipped ${restored.skippedLines} damaged lines`,
    );
  }

  const managed = new ManagedObjects(
    path.join(dataDir, 'sandbox', 'managed.json'),
  );
  await managed.restore();

  const misbehaviour = new Misbehaviour(now);
  let isReady = false;
  let failure: Error | undefined;
  const nerdGraph = createNerdGraphHandler({
    store,
    managed,
    misbehaviour,
    isReady: () => isReady,
    logger,
    now,
  });
  const ingest = createIngestHandler({ store, logger, now });

  async function handle(req: IncomingMessage, res: ServerResponse) {
    const [route] = (req.url ?? '').split('?', 1);
    if (route === '/graphql') {
      await nerdGraph.handle(req, res);
    } else if (route === '/healthz') {
      sendHealth(res);
    } else if (route === '/sandbox/status' && req.method === 'GET') {
      sendJson(res, 200, {
        ready: isReady,
        ...store.stats(),
        ...nerdGraph.stats,
        misbehaviour: misbehaviour.pending(),
      });
    } else if (route === '/sandbox/misbehave' && options.adminToken) {
      await handleMisbehave(req, res, misbehaviour, options.adminToken);
    } else if (!(await ingest(req, res))) {
      sendJson(res, 404, { error: 'There is nothing at this address' });
    }
  }

  function sendHealth(res: ServerResponse) {
    if (isReady) sendJson(res, 200, { status: 'ok' });
    else if (failure) sendJson(res, 500, { status: 'failed' });
    else sendJson(res, 503, { status: 'starting' });
  }

  const server = http.createServer((req, res) => {
    handle(req, res).catch(error => {
      logger?.warn(`${req.method} ${req.url?.split('?', 1)[0]}: ${error}`);
      sendJson(res, 500, { error: 'Internal error' });
    });
  });
  server.headersTimeout = 15_000;
  server.requestTimeout = 60_000;

  const closers: (() => Promise<unknown>)[] = [
    () => store.close(),
    () => managed.close(),
  ];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const { port } = await listen(server, options.port);
    closers.push(() => closeServer(server));
    const collector = await startCollector({
      store,
      dataDir,
      port: options.collectorPort,
      host: HOST,
      logger,
      now,
    });
    closers.push(() => collector.stop());
    const pruning = setInterval(
      () =>
        void store
          .prune()
          .catch(error => logger?.warn(`Old events stay on disk: ${error}`)),
      PRUNE_EVERY_MS,
    );
    pruning.unref();
    closers.push(async () => clearInterval(pruning));
    const meter = new ServiceLevelMeter(store, managed, now);
    let measured: Promise<void> = Promise.resolve();
    const measuring = setInterval(() => {
      if (!isReady) return;
      measured = measured
        .then(() => meter.measure())
        .catch(error =>
          logger?.warn(`Service levels could not be counted: ${error}`),
        );
    }, MEASURE_EVERY_MS);
    measuring.unref();
    closers.push(async () => {
      clearInterval(measuring);
      await measured;
    });

    let history: Promise<unknown> = Promise.resolve();
    if (options.scenarioFile !== undefined) {
      const traffic = await startTraffic({
        store,
        accountId: account.id,
        scenarioFile: options.scenarioFile,
        dataDir,
        historyDays: options.historyDays,
        logger,
        now,
      });
      closers.push(() => traffic.stop());
      if (options.pipelines) {
        const { historyDays, markersBetween } = traffic;
        const pipelines = startPipelines({
          ...options.pipelines,
          historyDays,
          markersBetween,
          logger,
          now,
        });
        closers.push(() => pipelines.stop());
      }
      history = traffic.ready;
    }
    const ready = history.then(
      () => {
        isReady = true;
      },
      error => {
        failure = error;
        throw error;
      },
    );
    // Who does not wait for it is told by /healthz.
    ready.catch(() => {});
    return {
      url: `http://${HOST}:${port}`,
      collectorUrl: `https://${collector.host}:${collector.port}`,
      caFile: collector.caFile,
      store,
      misbehaviour,
      ready,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** `POST` adds rules, `DELETE` takes all away; with the admin token only. */
async function handleMisbehave(
  req: IncomingMessage,
  res: ServerResponse,
  misbehaviour: Misbehaviour,
  adminToken: string,
) {
  try {
    const given = Buffer.from(req.headers.authorization ?? '');
    const wanted = Buffer.from(`Bearer ${adminToken}`);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      throw new HttpError(401, 'The admin token is missing or wrong');
    }
    if (req.method === 'DELETE') {
      misbehaviour.clear();
    } else if (req.method === 'POST') {
      const body = parseJson(await readBody(req, LIMITS));
      const rules = z
        .object({ rules: z.array(misbehaviourSchema) })
        .or(misbehaviourSchema.transform(rule => ({ rules: [rule] })))
        .safeParse(body);
      if (!rules.success) {
        throw new HttpError(400, z.prettifyError(rules.error));
      }
      rules.data.rules.forEach(rule => misbehaviour.add(rule));
    } else {
      throw new HttpError(405, 'Use POST or DELETE');
    }
    sendJson(res, 200, { rules: misbehaviour.pending() });
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    sendJson(res, error.status, { error: error.message });
  } finally {
    discardRest(req);
  }
}

function listen(server: http.Server, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => {
      server.off('error', reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

function closeServer(server: http.Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve());
    server.closeIdleConnections();
    // Who is still being answered gets a moment.
    setTimeout(() => server.closeAllConnections(), 3000).unref();
  });
}

/** The two sides of the comparison behind one face: how a pipeline registers a service there, and what it costs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { Failure } from '../../lib/console.mts';
import { HttpLoad } from '../ledger/HttpLoad.mts';
import type { BenchPostgres } from '../ledger/postgres.mts';
import { startStock } from '../stock/stock.mts';
import { countCpu, type Cpu } from './cpu.mts';
import { startRocket, type Backend, type Rocket } from './rocket.mts';
import {
  component,
  organisation,
  ORGANISATION_SIZE,
  type GitHost,
} from './services.mts';

export interface Registration {
  path: string;
  body: string;
}

export interface Side extends Backend {
  name: 'stock' | 'rocket';
  /** What a pipeline sends when its service is new or has changed. */
  registration(index: number, revision: number): Registration;
  /** Rows of the catalog's own tables. */
  sql(text: string): Promise<Record<string, unknown>[]>;
  cpu(): () => Cpu;
  rocket?: Rocket;
}

export interface World {
  postgres: BenchPostgres;
  git: GitHost;
  folder: string;
  port: number;
}

/** Statuses of an accepted registration. */
const ACCEPTED = [200, 201];

let pushes = 0;

/** Body of the push of one repository's pipeline; each later one is a newer run. */
export function push(index: number, revision: number): object {
  pushes += 1;
  return {
    source: {
      repository: `https://git.example.com/bank/repo-${index}`,
      commit: (revision * 1_000_000 + index).toString(16).padStart(40, '0'),
      branch: 'main',
      pipeline: `https://git.example.com/bank/repo-${index}/runs/${pushes}`,
      time: new Date(Date.now() - 1).toISOString(),
    },
    entities: [component(index, revision)],
  };
}

/** Starts one side on an empty catalog. `round` keeps the databases of several rounds apart. */
export async function startSide(
  name: Side['name'],
  world: World,
  round: string,
  config?: object,
  nodeArgs?: string[],
): Promise<Side> {
  const { postgres, git, port } = world;
  const entities = join(world.folder, 'organisation.yaml');
  writeFileSync(entities, organisation());
  const prefix = `bench_${round}_`;
  const database = name === 'stock' ? `${prefix}catalog` : `bench_${round}`;
  let backend: Backend;
  let rocket: Rocket | undefined;
  if (name === 'stock') {
    backend = await startStock({
      database: { port: postgres.port, user: 'postgres', prefix },
      port,
      entities,
      readingFrom: [git.host],
      config,
    });
  } else {
    rocket = await startRocket({
      database: { port: postgres.port, user: 'postgres', name: database },
      port,
      entities,
      config,
      nodeArgs,
    });
    backend = rocket;
  }
  const client = new Client({
    connectionString: postgres.url.replace(/\/postgres$/, `/${database}`),
  });
  client.on('error', () => {});
  await client.connect();
  if (rocket) await client.query('SET search_path = catalog, public');
  const side: Side = {
    ...backend,
    name,
    rocket,
    registration: (index, revision) =>
      name === 'stock'
        ? {
            path: '/api/catalog/locations',
            body: JSON.stringify({ type: 'url', target: git.fileOf(index) }),
          }
        : {
            path: '/api/ci-registry/pushes',
            body: JSON.stringify(push(index, revision)),
          },
    sql: async text => (await client.query(text)).rows,
    cpu: () => countCpu((rocket ?? backend).backend.child.pid!, postgres.pid),
    async stop() {
      await client.end().catch(() => {});
      await backend.stop();
    },
  };
  try {
    await untilQuiet(side, ORGANISATION_SIZE, 120_000);
  } catch (error) {
    await side.stop();
    throw error;
  }
  return side;
}

/** Components, groups and systems that a query finds. */
export async function found(side: Side, filter: string): Promise<number> {
  const response = await fetch(
    `${side.url}/api/catalog/entities/by-query?filter=${encodeURIComponent(
      filter,
    )}&limit=1&fields=kind`,
    { headers: side.headers, signal: AbortSignal.timeout(30_000) },
  );
  if (!response.ok) return -1;
  return ((await response.json()) as { totalItems: number }).totalItems;
}

/** Waits until the catalog has at least this many entities and nothing of them is left to process or to stitch. */
export async function untilQuiet(
  side: Side,
  entities: number,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const [row] = await side.sql(
      `SELECT (SELECT count(*) FROM final_entities WHERE final_entity IS NOT NULL)::int AS there,
              (SELECT count(*) FROM refresh_state WHERE next_update_at <= now())::int
              + (SELECT count(*) FROM stitch_queue)::int AS waiting`,
    );
    if (Number(row.there) >= entities && Number(row.waiting) === 0) return;
    if (Date.now() > deadline)
      throw new Failure(
        `The catalog of ${side.name} has ${
          row.there
        } of ${entities} entities and ${row.waiting} in its queues after ${
          timeoutMs / 1000
        } s.`,
      );
    await new Promise(again => setTimeout(again, 250));
  }
}

export interface Registered {
  entities: number;
  /** Until the last was acknowledged, and until all were found by a query. */
  acceptedSeconds: number;
  queryableSeconds: number;
  acceptedPerSecond: number;
  queryablePerSecond: number;
  /** Milliseconds until one was acknowledged. */
  acceptP50: number;
  acceptP95: number;
  /** CPU milliseconds for each entity until the catalog's queues were empty again. */
  cpuPerEntity: { node: number; postgres: number; total: number };
}

export const percentile = (values: number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return (
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ??
    NaN
  );
};

/** As many pipelines as entities push, `connections` of them at a time, until all of it is found and the catalog has nothing left to do. */
export async function registerMany(
  side: Side,
  options: {
    from: number;
    count: number;
    revision: number;
    connections: number;
    /** Total that the query must find; nothing is waited for without it. */
    expect?: { filter: string; count: number };
  },
): Promise<Registered> {
  const { from, count, revision } = options;
  const load = new HttpLoad(side.url, options.connections);
  const took: number[] = [];
  const used = side.cpu();
  const refused: string[] = [];
  const requests = Array.from({ length: count }, (_, offset) =>
    side.registration(from + offset, revision),
  );
  const started = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: options.connections }, async () => {
      while (next < count) {
        const request = requests[next++];
        const answer = await load.post({ ...request, headers: side.headers });
        took.push(answer.took);
        if (!ACCEPTED.includes(answer.status))
          refused.push(`${answer.status} ${answer.body.slice(0, 300)}`);
      }
    }),
  );
  const acceptedAt = performance.now();
  load.close();
  if (refused.length)
    throw new Failure(
      `${side.name} refused ${refused.length} of ${count} registrations.`,
      refused[0],
    );
  let queryableAt = acceptedAt;
  if (options.expect) {
    const deadline = Date.now() + 600_000;
    while ((await found(side, options.expect.filter)) < options.expect.count) {
      if (Date.now() > deadline)
        throw new Failure(
          `${side.name} did not show all ${options.expect.count} entities within ten minutes.`,
        );
      await new Promise(again => setTimeout(again, 200));
    }
    queryableAt = performance.now();
    await untilQuiet(side, options.expect.count + ORGANISATION_SIZE, 300_000);
  }
  const cpu = used();
  const seconds = (until: number) => (until - started) / 1000;
  return {
    entities: count,
    acceptedSeconds: seconds(acceptedAt),
    queryableSeconds: seconds(queryableAt),
    acceptedPerSecond: count / seconds(acceptedAt),
    queryablePerSecond: count / seconds(queryableAt),
    acceptP50: percentile(took, 0.5),
    acceptP95: percentile(took, 0.95),
    cpuPerEntity: {
      node: cpu.node / count,
      postgres: cpu.postgres / count,
      total: (cpu.node + cpu.postgres) / count,
    },
  };
}

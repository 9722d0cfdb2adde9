/** What one pipeline, one reader and nobody at all cost on a side that already has its services. */
import { request, Agent } from 'node:http';
import { HttpLoad } from '../ledger/HttpLoad.mts';
import { percentile, type Side, type World } from './sides.mts';

const pause = (ms: number) => new Promise(done => setTimeout(done, ms));

async function get(side: Side, path: string): Promise<number> {
  const response = await fetch(side.url + path, {
    headers: side.headers,
    signal: AbortSignal.timeout(30_000),
  });
  await response.arrayBuffer();
  return response.status;
}

export interface Freshness {
  samples: number;
  /** Milliseconds from sending the registration until the catalog answers with the entity. */
  p50: number;
  p95: number;
  /** Of those that were accepted, how many the registry itself showed with its first answer. */
  shownAtOnce?: number;
}

/** New services, one at a time on a side that does nothing else, at moments that no polling interval divides. */
export async function freshness(
  side: Side,
  from: number,
  samples: number,
): Promise<Freshness> {
  const load = new HttpLoad(side.url, 1);
  const took: number[] = [];
  let shown = 0;
  for (let sample = 0; sample < samples; sample++) {
    await pause(400 + Math.random() * 1000);
    const index = from + sample;
    const started = performance.now();
    await load.post({ ...side.registration(index, 0), headers: side.headers });
    const name = `component/default/service-${index}`;
    if (
      side.rocket &&
      (await get(side, `/api/ci-registry/entities/${name}`)) === 200
    )
      shown += 1;
    while (
      (await get(side, `/api/catalog/entities/by-name/${name}`)) !== 200 &&
      performance.now() - started < 60_000
    )
      await pause(20);
    took.push(performance.now() - started);
  }
  load.close();
  return {
    samples,
    p50: percentile(took, 0.5),
    p95: percentile(took, 0.95),
    ...(side.rocket ? { shownAtOnce: shown } : {}),
  };
}

/** What the portal of plain Backstage asks, as performance.md names them. */
export const QUERIES = {
  list: '/api/catalog/entities/by-query?limit=50',
  ordered:
    '/api/catalog/entities/by-query?limit=50&filter=kind=component&orderField=metadata.name,asc',
  facets: '/api/catalog/entity-facets?facet=spec.owner&facet=metadata.tags',
} as const;

export type Query = keyof typeof QUERIES;

export interface Answers {
  perSecond: number;
  p50: number;
  p95: number;
  /** CPU milliseconds of a request, backend and PostgreSQL. */
  cpuMs: number;
}

/** A query over and over on ten connections. */
export async function ask(
  side: Side,
  query: Query,
  seconds: number,
): Promise<Answers> {
  const agent = new Agent({ keepAlive: true, maxSockets: 10 });
  const once = () =>
    new Promise<void>((done, fail) => {
      request(
        side.url + QUERIES[query],
        { agent, headers: side.headers },
        response => {
          response.resume();
          response.once('end', () =>
            response.statusCode === 200
              ? done()
              : fail(new Error(`${query}: ${response.statusCode}`)),
          );
        },
      )
        .once('error', fail)
        .end();
    });
  for (let warm = 0; warm < 20; warm++) await once();
  const took: number[] = [];
  const used = side.cpu();
  const started = performance.now();
  const end = started + seconds * 1000;
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      while (performance.now() < end) {
        const since = performance.now();
        await once();
        took.push(performance.now() - since);
      }
    }),
  );
  const cpu = used();
  const elapsed = (performance.now() - started) / 1000;
  agent.destroy();
  return {
    perSecond: took.length / elapsed,
    p50: percentile(took, 0.5),
    p95: percentile(took, 0.95),
    cpuMs: (cpu.node + cpu.postgres) / took.length,
  };
}

/**
 * All queries of the sides in turn, several times, so that all of them meet the same machine. Nothing is processed meanwhile. Medians of
 * the turns, in the order of the sides.
 */
export async function askInTurn(
  sides: Side[],
  turns: number,
  seconds: number,
): Promise<Record<Query, Answers>[]> {
  for (const side of sides)
    await side.sql(
      `UPDATE refresh_state SET next_update_at = now() + interval '1 day'`,
    );
  const names = Object.keys(QUERIES) as Query[];
  const all = sides.map(
    () =>
      Object.fromEntries(
        names.map(name => [name, [] as Answers[]]),
      ) as unknown as Record<Query, Answers[]>,
  );
  for (let turn = 0; turn < turns; turn++) {
    const order = sides.map((_, index) => index);
    if (turn % 2) order.reverse();
    for (const name of names)
      for (const index of order)
        all[index][name].push(await ask(sides[index], name, seconds));
  }
  return all.map(
    answers =>
      Object.fromEntries(
        names.map(name => [name, medianOf(answers[name])]),
      ) as unknown as Record<Query, Answers>,
  );
}

function medianOf(answers: Answers[]): Answers {
  const of = (figure: keyof Answers) =>
    percentile(
      answers.map(answer => answer[figure]),
      0.5,
    );
  return {
    perSecond: of('perSecond'),
    p50: of('p50'),
    p95: of('p95'),
    cpuMs: of('cpuMs'),
  };
}

export interface AtRest {
  seconds: number;
  /** Percent of one core. */
  node: number;
  postgres: number;
  total: number;
  gitReadsPerHour: number;
}

/**
 * What it costs when nothing happens. Just registered, all entities are due again at about the same time; after days that is spread, so
 * it is spread here before the window.
 *
 * @param intervalSeconds - mean time between two looks of the catalog at one entity, as configured
 */
export async function atRest(
  side: Side,
  world: World,
  seconds: number,
  intervalSeconds: number,
): Promise<AtRest> {
  await side.sql(
    `UPDATE refresh_state SET next_update_at = now() + random() * interval '${intervalSeconds} seconds'`,
  );
  await pause(3_000);
  const reads = world.git.reads();
  const used = side.cpu();
  await pause(seconds * 1000);
  const cpu = used();
  const percent = (ms: number) => ms / seconds / 10;
  return {
    seconds,
    node: percent(cpu.node),
    postgres: percent(cpu.postgres),
    total: percent(cpu.node + cpu.postgres),
    gitReadsPerHour: ((world.git.reads() - reads) / seconds) * 3600,
  };
}

/** Milliseconds of one accepted registration after the other, on one connection. */
export async function acceptOneByOne(
  side: Side,
  from: number,
  samples: number,
): Promise<number[]> {
  const load = new HttpLoad(side.url, 1);
  const took: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const answer = await load.post({
      ...side.registration(from + sample, 0),
      headers: side.headers,
    });
    if (![200, 201].includes(answer.status))
      throw new Error(`${answer.status} ${answer.body.slice(0, 300)}`);
    took.push(answer.took);
    // Arrivals, not a burst: what is measured is one call, not the catalog's work on those before it.
    await pause(60);
  }
  load.close();
  return took;
}

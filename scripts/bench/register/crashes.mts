/** What we promise and plain Backstage does not: nothing that was acknowledged is lost or late, whatever is killed. */
import { HttpLoad } from '../ledger/HttpLoad.mts';
import { push, type Side, type World } from './sides.mts';
import { component } from './services.mts';

const pause = (ms: number) => new Promise(done => setTimeout(done, ms));

/** After a restart is ready, an acknowledged push is in the catalog within this time. */
export const VISIBLE_WITHIN_MS = 15_000;
/** How much longer is waited to tell what is late from what is lost. */
const LOST_AFTER_MS = 60_000;

export interface Kills {
  kills: number;
  acknowledged: number;
  /** Not in the catalog with its content 15 s, and a minute, after the restart was ready. */
  late: number;
  lost: number;
  /** The slowest of each kill, milliseconds after ready; the worst first. */
  visibleAfterMs: number[];
  restartSeconds: number;
}

/** Refs whose content in the catalog is older than what was acknowledged. */
async function missing(
  side: Side,
  acknowledged: Map<number, number>,
): Promise<number[]> {
  const indexes = [...acknowledged.keys()];
  const response = await fetch(`${side.url}/api/catalog/entities/by-refs`, {
    method: 'POST',
    headers: { ...side.headers, 'content-type': 'application/json' },
    body: JSON.stringify({
      entityRefs: indexes.map(index => `component:default/service-${index}`),
      fields: ['metadata.description'],
    }),
    signal: AbortSignal.timeout(10_000),
  }).catch(() => undefined);
  if (!response?.ok) return indexes;
  const { items } = (await response.json()) as {
    items: ({ metadata: { description: string } } | null)[];
  };
  return indexes.filter((index, at) => {
    const revision = Number(
      /revision (\d+)$/.exec(items[at]?.metadata.description ?? '')?.[1] ?? -1,
    );
    return revision < (acknowledged.get(index) ?? 0);
  });
}

/**
 * Pipelines push new services and changes on four connections; at a random moment the backend is killed (-9) and started again. What was
 * answered 200 must be in the catalog with its content.
 */
export async function killAgainAndAgain(
  side: Side,
  kills: number,
): Promise<Kills> {
  const rocket = side.rocket!;
  const result: Kills = {
    kills,
    acknowledged: 0,
    late: 0,
    lost: 0,
    visibleAfterMs: [],
    restartSeconds: 0,
  };
  let revision = 1;
  for (let kill = 0; kill < kills; kill++) {
    revision += 1;
    const acknowledged = new Map<number, number>();
    const load = new HttpLoad(side.url, 4);
    let over = false;
    const killAt = 200 + Math.random() * 2_500;
    let next = 0;
    const pipelines = Array.from({ length: 4 }, async () => {
      while (!over) {
        // Half of them are services that the catalog knows.
        const index = next % 2 ? next : 900_000 + kill * 1_000 + next;
        next += 1;
        const answer = await load.post({
          path: '/api/ci-registry/pushes',
          body: JSON.stringify(push(index, revision)),
          headers: side.headers,
        });
        if (answer.status === 200) acknowledged.set(index, revision);
        await pause(10);
      }
    });
    await pause(killAt);
    await rocket.kill();
    over = true;
    load.close();
    await Promise.all(pipelines);
    await rocket.start();
    const ready = performance.now();
    result.restartSeconds = Math.max(
      result.restartSeconds,
      rocket.startSeconds,
    );
    result.acknowledged += acknowledged.size;
    let open = await missing(side, acknowledged);
    let late: number[] | undefined;
    while (open.length && performance.now() - ready < LOST_AFTER_MS) {
      await pause(100);
      open = await missing(side, acknowledged);
      if (performance.now() - ready > VISIBLE_WITHIN_MS) late ??= open;
    }
    result.visibleAfterMs.push(performance.now() - ready);
    result.late += late?.length ?? 0;
    result.lost += open.length;
  }
  result.visibleAfterMs.sort((a, b) => b - a);
  return result;
}

export interface Gone {
  /** Seconds from the call that gives the service up until the catalog marks it or no longer has it. */
  seconds: number;
  /** 'marked' with the time since when it is gone, or 'removed'. */
  how: string;
}

/** A pipeline says that its service is no more. */
export async function giveUp(side: Side, index: number): Promise<Gone> {
  const load = new HttpLoad(side.url, 1);
  const { source } = push(index, 900_000) as { source: object };
  const started = performance.now();
  await load.post({
    path: '/api/ci-registry/pushes',
    body: JSON.stringify({
      source,
      removed: [`component:default/service-${index}`],
    }),
    headers: side.headers,
  });
  load.close();
  let how = 'still there';
  while (performance.now() - started < 120_000) {
    const response = await fetch(
      `${side.url}/api/catalog/entities/by-name/component/default/service-${index}`,
      { headers: side.headers },
    );
    const body = (await response.json()) as {
      metadata?: { annotations?: Record<string, string> };
    };
    if (response.status === 404) how = 'removed';
    else if (body.metadata?.annotations?.['rocket.internal/gone-at'])
      how = 'marked';
    if (how !== 'still there') break;
    await pause(50);
  }
  return { seconds: (performance.now() - started) / 1000, how };
}

export interface Outage {
  /** Of the first push after the database is gone. */
  status: number;
  retryAfter: string | null;
  /** Seconds until readiness says no, and after the database is back until it says yes. */
  unreadySeconds: number;
  readySeconds: number;
  /** Answer to the same push, sent again then. */
  statusAfterwards: number;
}

/** The database is killed (-9) and comes back. */
export async function databaseAway(side: Side, world: World): Promise<Outage> {
  const body = JSON.stringify({
    ...push(800_000, 1),
    entities: [component(800_000, 1)],
  });
  const send = async () => {
    const response = await fetch(`${side.url}/api/ci-registry/pushes`, {
      method: 'POST',
      headers: { ...side.headers, 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(60_000),
    });
    await response.arrayBuffer();
    return response;
  };
  const readiness = () =>
    fetch(`${side.url}/.backstage/health/v1/readiness`, {
      signal: AbortSignal.timeout(5_000),
    }).then(
      async response => {
        await response.arrayBuffer();
        return response.ok;
      },
      () => false,
    );
  const until = async (wanted: boolean) => {
    const since = performance.now();
    while ((await readiness()) !== wanted) {
      if (performance.now() - since > 60_000) return NaN;
      await pause(50);
    }
    return (performance.now() - since) / 1000;
  };
  world.postgres.kill();
  const [answer, unreadySeconds] = await Promise.all([send(), until(false)]);
  await world.postgres.start();
  const readySeconds = await until(true);
  let afterwards = await send();
  for (let again = 0; again < 10 && afterwards.status === 503; again++) {
    await pause(500);
    afterwards = await send();
  }
  return {
    status: answer.status,
    retryAfter: answer.headers.get('retry-after'),
    unreadySeconds,
    readySeconds,
    statusAfterwards: afterwards.status,
  };
}

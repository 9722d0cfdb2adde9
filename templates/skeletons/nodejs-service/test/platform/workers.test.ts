import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fastify from 'fastify';
import pg from 'pg';
import { Registry } from 'prom-client';
import { limitRate } from '../../src/platform/http/rate-limit.ts';
import { createRuntime, type Runtime } from '../../src/platform/runtime.ts';
import { startServer } from '../../src/platform/server.ts';
import type { Worker } from '../../src/platform/service.ts';
import { noTelemetry } from '../../src/platform/telemetry-api.ts';
import { pause, workerCommands, Workers } from '../../src/platform/workers.ts';
import { sample, sampleDatabase, until, type SampleDatabase } from '../support/sample.ts';

let database: SampleDatabase;
let runtime: Runtime;
const log: string[] = [];
beforeAll(async () => {
  database = await sampleDatabase();
  runtime = createRuntime(sample(), { DATABASE_URL: database.url }, { log: { write: line => log.push(line) } });
});
afterAll(async () => {
  await runtime.close();
  await database.drop();
});

const pools: Workers[] = [];
afterEach(async () => {
  for (const workers of pools.splice(0)) await workers.stop();
});

/** A process of its own, as far as the workers go. */
function replica(run: Worker['run'], { name = 'work', interval = 1 } = {}) {
  const registry = new Registry();
  const workers = new Workers([{ name, interval, run }], { ...runtime, registry });
  pools.push(workers);
  const figure = async (metric: string) =>
    Number(new RegExp(`^${metric}\\{worker="${name}"\\} (\\S+)$`, 'm').exec(await registry.metrics())?.[1]);
  return { workers, figure };
}

describe('workers', () => {
  it('are led by one process; another one takes over when it stops', async () => {
    const ran: string[] = [];
    const a = replica(async () => void ran.push('a'), { name: 'one' });
    a.workers.start();
    await until(() => ran.includes('a'));
    let looked = 0;
    const b = replica(async () => void ran.push('b'), { name: 'one' });
    const timer = setInterval(() => (looked += 1), 5);
    b.workers.start();
    const count = ran.length;
    await until(() => ran.length > count + 5 && looked > 3);
    expect(new Set(ran)).toEqual(new Set(['a']));
    expect([await a.figure('worker_leader'), await b.figure('worker_leader')]).toEqual([1, 0]);
    await a.workers.stop();
    await until(() => ran.includes('b'));
    clearInterval(timer);
    expect(await b.figure('worker_leader')).toBe(1);
  });

  it('lose the work with their connection, stop, and get it back', async () => {
    const ends: boolean[] = [];
    let runs = 0;
    const { workers, figure } = replica(
      async signal => {
        runs += 1;
        if (runs === 1) {
          await pause(600_000, signal);
          ends.push(signal.aborted);
        }
      },
      { name: 'cut' },
    );
    workers.start();
    await until(() => runs === 1);
    // A role may end its own sessions: the service's connection cuts that of its workers.
    const text = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name LIKE '% workers'`;
    await runtime.database.run({ name: 'cut', text }, []);
    await until(() => runs > 1);
    expect(ends).toEqual([true]);
    expect(await figure('worker_leader')).toBe(1);
  });

  it('that share a connection ask it one thing at a time', async () => {
    const ask = pg.Client.prototype.query as (...args: unknown[]) => Promise<unknown>;
    const asked: string[] = [];
    let running = 0;
    let most = 0;
    pg.Client.prototype.query = async function query(this: pg.Client, ...args: unknown[]) {
      asked.push(String(args[0]));
      running += 1;
      most = Math.max(most, running);
      try {
        return await ask.apply(this, args);
      } finally {
        running -= 1;
      }
    } as never;
    try {
      const names = ['left', 'middle', 'right'];
      const runs = new Map<string, number>();
      const run = (name: string) => async () => void runs.set(name, (runs.get(name) ?? 0) + 1);
      const all = names.map(name => ({ name, interval: 1, run: run(name) }));
      const workers = new Workers(all, { ...runtime, registry: new Registry() });
      pools.push(workers);
      workers.start();
      await until(() => names.every(name => (runs.get(name) ?? 0) > 5));
      await workers.stop();
    } finally {
      pg.Client.prototype.query = ask as never;
    }
    expect(asked.filter(text => text.includes('pg_try_advisory_lock'))).toHaveLength(3);
    expect(most).toBe(1);
  });

  it('go on after a failure, and count it', async () => {
    let runs = 0;
    const { workers, figure } = replica(
      async () => {
        runs += 1;
        if (runs === 1) throw new Error('not today');
      },
      { name: 'failing' },
    );
    workers.start();
    await until(() => runs > 1);
    expect(await figure('worker_failures_total')).toBe(1);
    await until(async () => (await figure('worker_last_success_timestamp_seconds')) > 0);
    expect(log.join('')).toContain('not today');
  });

  it('run again at once while there is more', async () => {
    let left = 5;
    const { workers } = replica(async () => (left -= 1) > 0, { name: 'more', interval: 600_000 });
    workers.start();
    await until(() => left === 0);
  });

  it('stop in the middle of a run that listens', async () => {
    let ended = false;
    let begun = false;
    const { workers } = replica(
      async signal => {
        begun = true;
        await pause(600_000, signal);
        ended = true;
      },
      { name: 'long' },
    );
    workers.start();
    await until(() => begun);
    await workers.stop();
    expect(ended).toBe(true);
  });

  it('wait for a database that is away', async () => {
    const away = createRuntime(sample(), { DATABASE_URL: 'postgresql://x@127.0.0.1:1/x', LOG_LEVEL: 'silent' });
    const workers = new Workers([{ name: 'x', interval: 1, run: async () => {} }], {
      ...away,
      registry: new Registry(),
    });
    workers.start();
    await expect(workers.runOnce('x')).rejects.toThrow();
    await workers.stop();
    await away.close();
  });
});

describe('as commands', () => {
  it('do what there is to do now, unless another process does it', async () => {
    let left = 3;
    const worker: Worker = { name: 'once', interval: 1, run: async () => (left -= 1) > 0 };
    const command = workerCommands({ ...runtime, workers: [worker] }).once!;
    const out: string[] = [];
    expect(await command.run([], line => out.push(line))).toBe(0);
    expect([left, out]).toEqual([0, ['once: done']]);
    const { workers } = replica(signal => pause(600_000, signal), { name: 'once' });
    workers.start();
    const busy = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    await until(async () => (await database.owner.query(busy)).rows.length > 0);
    expect(await command.run([], line => out.push(line))).toBe(0);
    expect(out.at(-1)).toBe('once: another process does it');
    await expect(new Workers([], { ...runtime, registry: new Registry() }).runOnce('x')).rejects.toThrow('no worker x');
  });

  it('purge-keys forgets old keys and events that came long ago', async () => {
    await database.owner.query(`
      INSERT INTO idempotency VALUES ('a', 'old', now() - interval '73 hours'), ('a', 'new', now() - interval '71 hours');
      INSERT INTO inbox VALUES ('s', 'old', 't', now() - interval '31 days'), ('s', 'new', 't', now() - interval '29 days')`);
    const out: string[] = [];
    await workerCommands(runtime)['purge-keys']!.run([], line => out.push(line));
    expect(out).toEqual(['purge-keys: done']);
    expect((await database.owner.query('SELECT key FROM idempotency')).rows).toEqual([{ key: 'new' }]);
    expect((await database.owner.query('SELECT event_id FROM inbox')).rows).toEqual([{ event_id: 'new' }]);
  });
});

describe('in a server', () => {
  const start = (env: Record<string, string>, worker: Worker) =>
    startServer(
      createRuntime(
        sample({ workers: [worker] }),
        { DATABASE_URL: database.url, PORT: '0', LOG_LEVEL: 'silent', DRAIN_DELAY_MS: '0', ...env },
        { telemetry: noTelemetry },
      ),
    );

  it('they begin with it and end with its drain', async () => {
    let aborted = false;
    let begun = false;
    const server = await start(
      {},
      {
        name: 'served',
        interval: 1,
        run: async signal => {
          begun = true;
          await pause(600_000, signal);
          aborted = signal.aborted;
        },
      },
    );
    await until(() => begun);
    expect(await server.drain()).toBe(true);
    expect(aborted).toBe(true);
  });

  it('they are left to others with WORKERS=off', async () => {
    let runs = 0;
    const server = await start({ WORKERS: 'off' }, { name: 'off', interval: 1, run: async () => void (runs += 1) });
    for (let i = 0; i < 10; i++) await fetch(`${server.url}/readyz`);
    expect(await server.drain()).toBe(true);
    expect(runs).toBe(0);
  });
});

it("the rate limit fills up steadily, up to a minute's worth", async () => {
  let now = 0;
  const app = fastify();
  app.decorateRequest('clientId', null);
  app.addHook('onRequest', async request => {
    request.clientId = 'a';
  });
  limitRate(app, 60, () => now);
  app.get('/', async () => 'ok');
  const ask = async () => (await app.inject('/')).statusCode;
  for (let i = 0; i < 60; i++) expect(await ask()).toBe(200);
  expect(await ask()).toBe(429);
  now = 999;
  expect(await ask()).toBe(429);
  now = 1_000;
  expect([await ask(), await ask()]).toEqual([200, 429]);
  now = 3_600_000;
  const answers = [];
  for (let i = 0; i < 61; i++) answers.push(await ask());
  expect(answers.filter(status => status === 200)).toHaveLength(60);
  await app.close();
});

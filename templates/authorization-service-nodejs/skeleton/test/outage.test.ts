import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Batcher } from '../src/authorization/batcher.ts';
import { ProblemError } from '../src/platform/problems.ts';
import { ref, SHOP, startHarness, usd, type Harness } from './support/harness.ts';
import { Wire } from './support/wire.ts';

let service: Harness;
let wire: Wire;
beforeAll(async () => {
  const found = await Wire.to(process.env.SERVICE_APP_URL!);
  wire = found.wire;
  service = await startHarness({
    DATABASE_URL: found.url,
    DATABASE_POOL_SIZE: '4',
    DATABASE_LOCK_TIMEOUT_MS: '400',
    DECISION_BATCH_SIZE: '4',
    DECISION_CONCURRENCY: '2',
    DECISION_MAX_WAITING: '5',
  });
});
afterAll(async () => {
  await service.close();
  await wire.close();
});

/** Holds something in a transaction of its own until `work` is done. */
async function holding<T>(sql: string, values: unknown[], work: (owner: pg.Client) => Promise<T>): Promise<T> {
  const owner = new pg.Client({ connectionString: process.env.SERVICE_OWNER_URL });
  await owner.connect();
  await owner.query('BEGIN');
  await owner.query(sql, values);
  try {
    return await work(owner);
  } finally {
    await owner.query('ROLLBACK');
    await owner.end();
  }
}
const LOCK = 'SELECT 1 FROM spend_account WHERE id = $1 FOR UPDATE';

it('says so while the database is away, and recovers by itself with nothing lost or doubled', async () => {
  const { account, token } = await service.funded('100');
  const id = await service.approved(token, '10');
  const message = { networkRef: ref(), cardToken: token, amount: usd('5'), merchant: SHOP };
  const keys = [randomUUID(), randomUUID()].map(key => ({ 'idempotency-key': key }));
  wire.break();
  expect(await service.get('/readyz')).toMatchObject({ status: 503, body: { reason: 'database' } });
  expect((await service.get('/healthz')).status).toBe(200);
  for (const answer of [
    await service.post('/v1/authorizations', message, keys[0]),
    await service.act(id, 'captures', { amount: usd('3') }, keys[1]),
    await service.get(`/v1/authorizations/${id}`),
  ]) {
    expect(answer).toMatchObject({ status: 503, body: { code: 'database-unavailable' } });
    expect(answer.headers['retry-after']).toBe('2');
    expect(JSON.stringify(answer.body)).not.toMatch(/127\.0\.0\.1|ECONN|postgres/);
  }
  const { body: metrics } = await service.get('/metrics');
  expect(metrics).not.toMatch(/^holds_overdue_age_seconds /m);
  wire.mend();
  for (const status of [201, 200]) {
    expect((await service.post('/v1/authorizations', message, keys[0])).status).toBe(status);
    expect((await service.act(id, 'captures', { amount: usd('3') }, keys[1])).status).toBe(status);
  }
  expect(await service.account(account)).toMatchObject({ held: '12', unposted: '3' });
});

it('a connection that breaks in the middle leaves each decision whole or not there', async () => {
  const { account, token } = await service.funded('1000');
  const messages = Array.from({ length: 20 }, () => ({
    networkRef: ref(),
    cardToken: token,
    amount: usd('1'),
    merchant: SHOP,
  }));
  const first = Promise.all(messages.slice(0, 5).map(message => service.post('/v1/authorizations', message)));
  setImmediate(() => wire.break());
  for (const { status } of await first) expect([201, 503]).toContain(status);
  wire.mend();
  for (const message of messages)
    expect([200, 201]).toContain((await service.post('/v1/authorizations', message)).status);
  expect((await service.account(account)).held).toBe('20');
});

it('gives up on a lock, keeps nothing, and lets others through', async () => {
  const busy = await service.funded('100');
  const free = await service.funded('100');
  const networkRef = ref();
  await holding(LOCK, [busy.account], async () => {
    const waiting = service.authorize(busy.token, '1', { networkRef });
    await new Promise(resolve => setImmediate(resolve));
    expect((await service.authorize(free.token, '1')).body.decision).toBe('APPROVED');
    expect(await waiting).toMatchObject({ status: 503, body: { code: 'overloaded' } });
  });
  expect((await service.authorize(busy.token, '1', { networkRef })).status).toBe(201);
});

it('declines what waited for a lock beyond its deadline, and records it', async () => {
  const { account, token } = await service.funded('100');
  const networkRef = ref();
  const late = await holding(LOCK, [account], async owner => {
    const waiting = service.authorize(token, '1', { networkRef }, { 'x-deadline-ms': '50' });
    // Until it waits for us, and its time is over by the clock of the database.
    const blocked =
      'SELECT clock_timestamp() AS now FROM pg_stat_activity a WHERE pg_backend_pid() = ANY (pg_blocking_pids(a.pid))';
    let since: Date | undefined;
    for (let over = false; !over;) {
      const [row] = (await owner.query<{ now: Date }>(blocked)).rows;
      since ??= row?.now;
      over = since !== undefined && row !== undefined && row.now.getTime() - since.getTime() > 60;
    }
    await owner.query('ROLLBACK');
    return waiting;
  });
  expect(late).toMatchObject({
    status: 201,
    body: { decision: 'DECLINED', reasonCode: '91', detail: 'deadline-exceeded' },
  });
  expect((await service.authorize(token, '1', { networkRef })).body).toEqual(late.body);
});

it('answers 409 when the first request with a key is not decided in time', async () => {
  const { token } = await service.funded('100');
  const key = randomUUID();
  const message = { networkRef: ref(), cardToken: token, amount: usd('5'), merchant: SHOP };
  // Another process that has taken the key and is not decided yet.
  const sql = `INSERT INTO idempotency (client_id, key, fingerprint, status) VALUES ('anonymous', $1, '\\x00', 201)`;
  await holding(sql, [key], async () => {
    const answer = await service.post('/v1/authorizations', message, { 'idempotency-key': key });
    expect(answer).toMatchObject({ status: 409, body: { code: 'idempotency-conflict' } });
    expect(answer.headers['retry-after']).toBe('1');
  });
  expect((await service.post('/v1/authorizations', message, { 'idempotency-key': key })).status).toBe(201);
});

it('turns decisions away when too many wait', async () => {
  const { account, token } = await service.funded('100');
  await holding(LOCK, [account], async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => service.authorize(token, '1')));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.code}`))).toEqual(new Set(['503 overloaded']));
    expect((await service.get('/healthz')).status).toBe(200);
  });
  expect((await service.authorize(token, '1')).status).toBe(201);
});

describe('a batch', () => {
  it('takes what has come while the last one ran, in order, and no more than its size', async () => {
    const batches: number[][] = [];
    let release = () => {};
    const batcher = new Batcher<number, number>({
      size: 3,
      concurrency: 1,
      maxWaiting: 10,
      async work(items) {
        batches.push(items);
        if (batches.length === 1) await new Promise<void>(resolve => (release = resolve));
        return items.map(item => item * 10);
      },
    });
    const first = batcher.add(1);
    while (batches.length === 0) await new Promise(resolve => setImmediate(resolve));
    const rest = [2, 3, 4, 5].map(item => batcher.add(item));
    expect(batcher.waiting).toBe(4);
    release();
    expect(await Promise.all([first, ...rest])).toEqual([10, 20, 30, 40, 50]);
    expect(batches).toEqual([[1], [2, 3, 4], [5]]);
  });

  it('that one item spoils is made one by one; what concerns all is told to all', async () => {
    const made: number[][] = [];
    const batcher = new Batcher<number, string>({
      size: 10,
      concurrency: 1,
      maxWaiting: 10,
      async work(items) {
        made.push(items);
        if (items.includes(99)) throw new ProblemError('overloaded', 'busy');
        if (items.includes(2)) throw new Error('two is bad');
        return items.map(String);
      },
    });
    const results = await Promise.allSettled([1, 2, 3].map(item => batcher.add(item)));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(made).toEqual([[1, 2, 3], [1], [2], [3]]);
    made.length = 0;
    const busy = await Promise.allSettled([98, 99].map(item => batcher.add(item)));
    expect(busy.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(made).toEqual([[98, 99]]);
  });
});

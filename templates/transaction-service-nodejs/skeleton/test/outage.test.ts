import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { startHarness, type Harness } from './support/harness.ts';

/** A wire to the database that can be cut, whatever database it is. */
class Wire {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  cut = false;

  constructor(target: URL) {
    this.#server = createServer(client => {
      if (this.cut) {
        client.destroy();
        return;
      }
      const upstream = connect(Number(target.port || 5432), target.hostname);
      for (const socket of [client, upstream]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          client.destroy();
          upstream.destroy();
          this.#sockets.delete(socket);
        });
      }
      client.pipe(upstream).pipe(client);
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  break(): void {
    this.cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.break();
    await new Promise(resolve => this.#server.close(resolve));
  }
}

let service: Harness;
let wire: Wire;
beforeAll(async () => {
  const url = new URL(process.env.SERVICE_APP_URL!);
  wire = new Wire(new URL(url));
  url.port = String(await wire.listen());
  url.hostname = '127.0.0.1';
  service = await startHarness({
    DATABASE_URL: url.href,
    DATABASE_POOL_SIZE: '3',
    DATABASE_MAX_WAITING: '5',
    DATABASE_LOCK_TIMEOUT_MS: '400',
  });
});
afterAll(async () => {
  await service.close();
  await wire.close();
});

/** Holds what a posting on this account needs, until released. */
async function holdLock(account: string): Promise<() => Promise<void>> {
  const owner = new pg.Client({ connectionString: process.env.SERVICE_OWNER_URL });
  await owner.connect();
  await owner.query('BEGIN');
  await owner.query(
    'SELECT 1 FROM account_balance WHERE account_no = (SELECT no FROM account WHERE id = $1) FOR UPDATE',
    [account],
  );
  return async () => {
    await owner.query('ROLLBACK');
    await owner.end();
  };
}

it('says so while the database is away, and recovers by itself with nothing lost or doubled', async () => {
  const { account, bank } = await service.funded('100');
  const key = randomUUID();
  wire.break();
  expect(await service.get('/readyz')).toMatchObject({ status: 503, body: { reason: 'database' } });
  expect((await service.get('/healthz')).status).toBe(200);
  for (const answer of [
    await service.transfer(account, bank, '1', key),
    await service.get(`/v1/accounts/${account}`),
  ]) {
    expect(answer).toMatchObject({ status: 503, body: { code: 'database-unavailable' } });
    expect(answer.headers['retry-after']).toBe('2');
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(JSON.stringify(answer.body)).not.toMatch(/127\.0\.0\.1|ECONN|postgres/);
  }
  wire.cut = false;
  expect(await service.get('/readyz')).toMatchObject({ status: 200 });
  // The 503 was not kept: the same key is carried out now, once.
  expect((await service.transfer(account, bank, '1', key)).status).toBe(201);
  expect((await service.transfer(account, bank, '1', key)).status).toBe(200);
  expect(await service.balance(account)).toBe('99');
});

it('a connection that breaks in the middle of a posting leaves it whole or not there', async () => {
  const { account, bank } = await service.funded('100');
  const keys = Array.from({ length: 30 }, () => randomUUID());
  const first = Promise.all(keys.slice(0, 5).map(key => service.transfer(account, bank, '1', key)));
  setImmediate(() => wire.break());
  const statuses = new Set((await first).map(answer => answer.status));
  for (const status of statuses) expect([201, 503]).toContain(status);
  wire.cut = false;
  for (const key of keys) expect([200, 201]).toContain((await service.transfer(account, bank, '1', key)).status);
  expect(await service.balance(account)).toBe('70');
});

it('gives up on a lock, keeps nothing, and lets others through', async () => {
  const { account, bank } = await service.funded('100');
  const other = await service.funded('100');
  const release = await holdLock(account);
  const key = randomUUID();
  try {
    const waiting = service.transfer(account, bank, '1', key);
    expect((await service.transfer(other.account, other.bank, '1')).status).toBe(201);
    const late = await waiting;
    expect(late).toMatchObject({ status: 503, body: { code: 'overloaded' } });
    expect(late.headers['retry-after']).toBe('1');
  } finally {
    await release();
  }
  expect((await service.transfer(account, bank, '1', key)).status).toBe(201);
});

it('answers 409 when the first request with a key is not decided in time', async () => {
  const { account, bank } = await service.funded('100');
  const key = randomUUID();
  const owner = new pg.Client({ connectionString: process.env.SERVICE_OWNER_URL });
  await owner.connect();
  // Another process that has taken the key and is not decided yet.
  await owner.query('BEGIN');
  await owner.query(
    `INSERT INTO idempotency (client_id, key, fingerprint, status) VALUES ('anonymous', $1, '\\x00', 201)`,
    [key],
  );
  try {
    const answer = await service.transfer(account, bank, '1', key);
    expect(answer).toMatchObject({ status: 409, body: { code: 'idempotency-conflict' } });
    expect(answer.headers['retry-after']).toBe('1');
  } finally {
    await owner.query('ROLLBACK');
    await owner.end();
  }
  expect((await service.transfer(account, bank, '1', key)).status).toBe(201);
});

it('turns requests away when too many wait', async () => {
  const { account, bank } = await service.funded('100');
  const release = await holdLock(account);
  try {
    // 3 have a connection, 5 wait, the rest is told at once.
    const answers = Promise.all(Array.from({ length: 20 }, () => service.transfer(account, bank, '1')));
    const codes = (await answers).map(answer => `${answer.status} ${answer.body.code}`);
    expect(new Set(codes)).toEqual(new Set(['503 overloaded']));
    expect((await service.get('/healthz')).status).toBe(200);
  } finally {
    await release();
  }
  expect((await service.transfer(account, bank, '1')).status).toBe(201);
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { legs, startHarness, type Harness } from './support/harness.ts';
import { findViolations } from './support/invariants.ts';

let service: Harness;
beforeAll(async () => {
  service = await startHarness({ DATABASE_LOCK_TIMEOUT_MS: '1500', LEDGER_BATCH_LOCK_TIMEOUT_MS: '100' });
});
afterAll(() => service.close());

describe('amounts', () => {
  it.each([
    '0',
    '00',
    '-1',
    '+1',
    '1.0',
    '0.5',
    '1e3',
    '0x10',
    '9223372036854775808',
    '1'.repeat(40),
    ' 1',
    '1 ',
    '١',
    '',
  ])('refuses "%s"', async value => {
    const { account, bank } = await service.funded('10');
    const answer = await service.transfer(account, bank, value);
    expect(answer).toMatchObject({ status: 400, body: { code: 'validation-failed' } });
    expect(answer.body.errors.map((error: any) => error.pointer)).toContain('/legs/0/amount/value');
    expect(await service.balance(account)).toBe('10');
  });

  it.each([1, 0, 2 ** 53 + 2, null, true, ['1'], { value: '1' }])('refuses %j, which is no text', async value => {
    const { account, bank } = await service.funded('10');
    const answer = await service.transfer(account, bank, value as never);
    expect(answer.body.errors[0]).toMatchObject({ pointer: '/legs/0/amount/value', code: 'type' });
  });

  it('keeps every digit above 2^53', async () => {
    const { account } = await service.funded('9007199254740993');
    expect(await service.balance(account)).toBe('9007199254740993');
    const { items } = (await service.get(`/v1/accounts/${account}/entries`)).body;
    expect(items[0]).toMatchObject({ amount: { value: '9007199254740993' }, balanceAfter: '9007199254740993' });
  });

  it('stops at the end of 64 bits: one item is refused, its neighbours are not', async () => {
    const [a, b] = [await service.openAccount(), await service.openAccount()];
    const most = '9'.repeat(18);
    for (let i = 0; i < 9; i++) expect((await service.transfer(a, b, most)).status).toBe(201);
    const pending = { expiresAt: new Date(Date.now() + 60_000).toISOString() };
    const answer = await service.post('/v1/transactions:batch', {
      items: [
        { legs: legs(a, b, '5') },
        { legs: legs(a, b, most) },
        { legs: legs(a, b, most), pending },
        { legs: legs(a, b, '6') },
      ],
    });
    expect(answer.body.items.map((item: any) => item.problem?.code ?? item.status)).toEqual([
      201,
      'limit-exceeded',
      'limit-exceeded',
      201,
    ]);
    expect(answer.body.items[1].problem.errors[0].pointer).toBe('/items/1/legs/0');
    const { items } = (await service.get(`/v1/accounts/${b}/entries?limit=1`)).body;
    expect(items[0].balanceAfter).toBe(String(9n * BigInt(most) + 11n));
  });
});

describe('accounts', () => {
  it('an account on both sides stays as it is, and both legs are there', async () => {
    const { account } = await service.funded('10');
    const posted = await service.transfer(account, account, '25');
    expect(posted.status).toBe(201);
    expect(posted.body.legs.map((leg: any) => leg.balanceAfter)).toEqual(['-15', '10']);
    expect(await service.balance(account)).toBe('10');
    const held = await service.post('/v1/transactions', {
      legs: legs(account, account, '10'),
      pending: { expiresAt: new Date(Date.now() + 60_000).toISOString() },
    });
    expect((await service.post(`/v1/transactions/${held.body.id}/post`, {})).status).toBe(201);
    expect((await service.get(`/v1/accounts/${account}/balance`)).body).toMatchObject({ posted: '10', pending: '0' });
  });

  it.each(['frozen', 'closed'])('a %s one takes neither side', async status => {
    const account = await service.openAccount();
    const other = await service.openAccount();
    await service.post(`/v1/accounts/${account}/status`, { status, reason: 'test' });
    for (const parts of [legs(account, other, '1'), legs(other, account, '1')]) {
      const answer = await service.post('/v1/transactions', { legs: parts });
      expect(answer).toMatchObject({ status: 409, body: { code: `account-${status}` } });
    }
  });
});

describe('texts that mean something to SQL, JSON, shells, browsers or templates', () => {
  const texts = [
    `'; DROP TABLE entry; --`,
    `$1 $$ \\' \\" {NULL,"a"} \\\\`,
    '{"a":[1,"b"]}',
    '${{ secrets.KEY }} {{7*7}} ${7*7} #{7*7} <%= 7*7 %>',
    '<script>alert(1)</script>',
    '%s %d %I %L',
    '\u202e\u{1F4B8} ‘’ é ﷽',
    '../../etc/passwd',
  ];

  it.each(texts)('%s is kept as it is, everywhere', async text => {
    const opened = await service.post('/v1/accounts', {
      name: text,
      kind: 'liability',
      currency: 'USD',
      metadata: { text },
    });
    expect(opened).toMatchObject({ status: 201, body: { name: text, metadata: { text } } });
    const account = opened.body.id as string;
    const bank = await service.openAccount();
    const body = { legs: legs(bank, account, '1'), externalRef: text, metadata: { text } };
    const key = randomUUID();
    const posted = await service.post('/v1/transactions', body, { 'idempotency-key': key });
    expect(posted).toMatchObject({ status: 201, body: { externalRef: text, metadata: { text } } });
    expect((await service.post('/v1/transactions', body, { 'idempotency-key': key })).body).toEqual(posted.body);
    const found = await service.get(`/v1/transactions?externalRef=${encodeURIComponent(text)}&limit=1`);
    expect(found.body.items).toEqual([posted.body]);
    const reversed = await service.post(`/v1/transactions/${posted.body.id}/reversal`, {
      externalRef: text,
      metadata: { text },
    });
    expect(reversed).toMatchObject({ status: 201, body: { externalRef: text, metadata: { text } } });
    const frozen = await service.post(`/v1/accounts/${account}/status`, { status: 'frozen', reason: text });
    expect(frozen.status).toBe(201);
  });

  it.each(['a\u0000b', 'a\nb', '\u001b[31m', '\u007f'])('control characters are refused: %j', async text => {
    const { account, bank } = await service.funded('1');
    const answer = await service.post('/v1/transactions', { legs: legs(account, bank, '1'), externalRef: text });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer: '/externalRef' }] } });
  });

  it.each(['', 'a b', 'ä', 'x'.repeat(65), '$where', 'a/b'])('a member "%s" of metadata is refused', async name => {
    const { account, bank } = await service.funded('1');
    const answer = await service.post('/v1/transactions', {
      legs: legs(account, bank, '1'),
      metadata: { [name]: 'x' },
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'validation-failed' } });
    expect(answer.body.errors[0].pointer).toMatch(/^\/metadata/);
  });

  it('odd keys and clients are told apart', async () => {
    const { account, bank } = await service.funded('10');
    const keys = [`';--`, `{NULL}`, `"a","b"`, `\\x00`, `NULL`, `${'k'.repeat(255)}`];
    for (const key of keys) expect((await service.transfer(account, bank, '1', key)).status).toBe(201);
    for (const key of keys) expect((await service.transfer(account, bank, '1', key)).status).toBe(200);
    expect(await service.balance(account)).toBe(String(10 - keys.length));
  });

  it.each(['__proto__', 'constructor', 'toString'])(
    'a member %s in metadata is data or refused, nothing else',
    async name => {
      const { account, bank } = await service.funded('1');
      const answer = await service.post(
        '/v1/transactions',
        `{"legs":${JSON.stringify(legs(account, bank, '1'))},"metadata":{${JSON.stringify(name)}:"x"}}`,
      );
      if (answer.status === 201) expect(Object.entries(answer.body.metadata)).toEqual([[name, 'x']]);
      else expect(answer.status).toBe(400);
    },
  );
});

describe('somebody holds an account', () => {
  async function hold(account: string): Promise<() => Promise<void>> {
    const owner = new pg.Client({ connectionString: process.env.SERVICE_OWNER_URL });
    await owner.connect();
    await owner.query('BEGIN');
    await owner.query('SELECT 1 FROM account_balance WHERE account_id = $1 FOR UPDATE', [account]);
    return async () => {
      await owner.query('ROLLBACK');
      await owner.end();
    };
  }

  it('those that came with it go on; it goes on when the account is free', async () => {
    const held = await service.funded('100');
    const free = await service.funded('100');
    const release = await hold(held.account);
    const key = randomUUID();
    let late: Promise<unknown[]>;
    try {
      const all = Array.from({ length: 20 }, (_, i) =>
        i % 5 === 0
          ? service.transfer(held.account, held.bank, '1', i === 0 ? key : randomUUID())
          : service.transfer(free.account, free.bank, '1'),
      );
      late = Promise.all(all.filter((_, i) => i % 5 === 0));
      const others = await Promise.all(all.filter((_, i) => i % 5 !== 0));
      expect(others.every(({ status }) => status === 201)).toBe(true);
      expect(await service.balance(free.account)).toBe('84');
    } finally {
      await release();
    }
    expect((await late).every(answer => (answer as { status: number }).status === 201)).toBe(true);
    expect((await service.transfer(held.account, held.bank, '1', key)).status).toBe(200);
    expect(await service.balance(held.account)).toBe('96');
  });

  it('a repetition needs no account, so it is answered meanwhile', async () => {
    const { account, bank } = await service.funded('100');
    const other = await service.funded('100');
    const key = randomUUID();
    await service.transfer(account, bank, '1', key);
    const release = await hold(account);
    try {
      const [again, fresh] = await Promise.all([
        service.transfer(account, bank, '1', key),
        service.transfer(other.account, other.bank, '1'),
      ]);
      expect([again.status, fresh.status]).toEqual([200, 201]);
    } finally {
      await release();
    }
  });
});

it('an overfull queue is told when to come back, and what was taken is done', async () => {
  const small = await startHarness({ LEDGER_QUEUE_LIMIT: '20', LEDGER_FLUSHERS: '1' });
  try {
    const { account, bank } = await small.funded('1000');
    const answers = await Promise.all(Array.from({ length: 60 }, () => small.transfer(account, bank, '1')));
    const done = answers.filter(({ status }) => status === 201).length;
    const refused = answers.filter(({ status }) => status === 503);
    expect(done + refused.length).toBe(60);
    expect(refused.length).toBeGreaterThan(0);
    for (const { body, headers } of refused) {
      expect(body.code).toBe('overloaded');
      expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(await small.balance(account)).toBe(String(1000 - done));
  } finally {
    await small.close();
  }
});

it('leaves the ledger in order', async () => {
  expect(await findViolations(process.env.SERVICE_OWNER_URL!)).toEqual([]);
});

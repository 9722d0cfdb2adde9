import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { blockHash, canonicalJson, leafHash, rootOfPath } from '../src/audit/merkle.ts';
import { expectSound, seal, sealAll } from './support/chain.ts';
import { ownDatabase, type OwnDatabase } from './support/database.ts';
import { legs, startHarness, type Harness } from './support/harness.ts';

let database: OwnDatabase;
let service: Harness;
let account: string;
let bank: string;
beforeAll(async () => {
  database = await ownDatabase('audit');
  service = await startHarness({ DATABASE_URL: database.url, AUDIT_BLOCK_LIMIT: '5' });
  ({ account, bank } = await service.funded('1000'));
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

const head = async () => (await service.get('/v1/audit/head')).body;
const proofOf = (id: string) => service.get(`/v1/audit/proof/${id}`);

/** What an auditor does who has only the API: the steps of audit.md. */
async function checkProof(id: string): Promise<any> {
  const { status, body: proof } = await proofOf(id);
  expect([id, status]).toEqual([id, 200]);
  const {
    reversal: _reversal,
    resolution: _resolution,
    ...document
  } = (await service.get(`/v1/transactions/${id}`)).body;
  expect(proof.document).toEqual(document);
  expect(leafHash(canonicalJson(proof.document)).toString('hex')).toBe(proof.leafHash);
  const { merkleRoot, prevHash, hash, ...header } = proof.block;
  const path = proof.path.map((sibling: string) => Buffer.from(sibling, 'hex'));
  const root = rootOfPath(Buffer.from(proof.leafHash, 'hex'), proof.leafIndex, header.count, path);
  expect(root?.toString('hex')).toBe(merkleRoot);
  expect(blockHash(header, Buffer.from(prevHash, 'hex'), Buffer.from(merkleRoot, 'hex')).toString('hex')).toBe(hash);
  return proof;
}

/** All blocks, two per page. */
async function chain(): Promise<any[]> {
  const blocks: any[] = [];
  let cursor = '';
  do {
    const { body } = await service.get(`/v1/audit/blocks?limit=2${cursor}`);
    blocks.push(...body.items);
    cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
  } while (cursor);
  return blocks;
}

async function lag(): Promise<number> {
  const text = (await service.get('/metrics')).body as string;
  return Number(/^audit_lag_seconds (.+)$/m.exec(text)![1]);
}

it('says what waits before the first block', async () => {
  expect(await head()).toEqual({ block: null, unsealed: 1, lagSeconds: expect.any(Number) });
  expect((await service.get('/v1/audit/blocks')).body).toEqual({ items: [], nextCursor: null });
});

it('a transaction that is not sealed yet is a 409 with Retry-After, and soon has a proof', async () => {
  const { id } = (await service.transfer(account, bank, '1')).body;
  const early = await proofOf(id);
  expect(early).toMatchObject({ status: 409, body: { code: 'audit-not-sealed' } });
  expect(early.headers['retry-after']).toMatch(/^[1-9]$/);
  expect(await lag()).toBeGreaterThan(0);
  await sealAll(service);
  const proof = await checkProof(id);
  expect(proof.block).toEqual((await head()).block);
  expect(await head()).toMatchObject({ unsealed: 0, lagSeconds: 0 });
  expect(await lag()).toBe(0);
});

it('seals every kind of transaction as the API answers it', async () => {
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const usd = (value: string) => ({ amount: { value, currency: 'USD' } });
  const post = async (url: string, body: object) => (await service.post(url, body)).body.id as string;
  const plain = await post('/v1/transactions', {
    legs: legs(account, bank, '30'),
    externalRef: 'order "42" \\ Zoë \u2028 \u{1f4b3}',
    effectiveAt: '2026-01-31T10:05:00.123456+01:00',
    metadata: { b: '2', a: '\t', 'A.1': '' },
  });
  const reversal = await post(`/v1/transactions/${plain}/reversal`, usd('10'));
  const held = { legs: legs(account, bank, '20'), pending: { expiresAt } };
  const [one, two] = [await post('/v1/transactions', held), await post('/v1/transactions', held)];
  const posted = await post(`/v1/transactions/${one}/post`, usd('5'));
  const voided = await post(`/v1/transactions/${two}/void`, {});
  const [euro, euroBank] = [
    await service.openAccount({ currency: 'EUR' }),
    await service.openAccount({ currency: 'EUR' }),
  ];
  const fx = await post('/v1/transactions', {
    legs: [...legs(account, bank, '7'), ...legs(euro, euroBank, '6', 'EUR')],
  });
  await sealAll(service);
  for (const id of [plain, reversal, one, two, posted, voided, fx]) await checkProof(id);
  await expectSound(service);
});

it('blocks are bounded, linked and counted; what was written together stays together', async () => {
  const items = Array.from({ length: 12 }, () => ({ legs: legs(account, bank, '1') }));
  const batch = await service.post('/v1/transactions:batch', { items });
  for (let i = 0; i < 7; i++) await service.transfer(account, bank, '1');
  await sealAll(service);
  const blocks = await chain();
  expect(blocks.map(({ seq }) => seq)).toEqual(blocks.map((_, i) => i + 1));
  blocks.forEach((block, i) => expect(block.prevHash).toBe(i === 0 ? '0'.repeat(64) : blocks[i - 1].hash));
  const together = await Promise.all(batch.body.items.map((item: any) => checkProof(item.transaction.id)));
  expect(new Set(together.map(({ block }) => block.seq)).size).toBe(1);
  const large = together[0].block.seq;
  for (const { seq, count } of blocks) {
    if (seq !== large) expect(count).toBeLessThanOrEqual(5);
    else expect(count).toBeLessThan(12 + 5);
  }
  const total = blocks.reduce((sum, { count }) => sum + count, 0);
  const { rows } = await database.owner.query('SELECT count(*)::int AS n FROM txn');
  expect(total).toBe(rows[0].n);
});

it('leaves out what is still running, and what comes after it, until it is over', async () => {
  const slow = new pg.Client({ connectionString: database.migrationUrl });
  await slow.connect();
  try {
    await slow.query('BEGIN');
    await slow.query('SELECT pg_current_xact_id()');
    const { id } = (await service.transfer(account, bank, '1')).body;
    await seal(service);
    expect((await proofOf(id)).body.code).toBe('audit-not-sealed');
    await slow.query('COMMIT');
    await sealAll(service);
    const before = await checkProof(id);
    expect(before.block.seq).toBe((await head()).block.seq);
  } finally {
    await slow.end();
  }
});

it('what is posted while blocks are sealed comes into exactly one of them', async () => {
  let posting = true;
  const sealing = (async () => {
    while (posting) await seal(service);
  })();
  for (let i = 0; i < 8; i++) {
    await Promise.all(Array.from({ length: 25 }, () => service.transfer(bank, account, '1')));
  }
  posting = false;
  await sealing;
  await sealAll(service);
  await expectSound(service);
  const { rows } = await database.owner.query(
    `SELECT count(*)::int AS n, count(DISTINCT id)::int AS ids, (SELECT count(*)::int FROM txn) AS written
       FROM audit_leaf, unnest(ids) AS id`,
  );
  expect(rows[0]).toMatchObject({ n: rows[0].written, ids: rows[0].written });
});

it('two sealers at once make one chain', async () => {
  const other = await startHarness({ DATABASE_URL: database.url, AUDIT_BLOCK_LIMIT: '3' });
  for (let i = 0; i < 20; i++) await service.transfer(account, bank, '1');
  const results = await Promise.allSettled([seal(service), seal(other), seal(service), seal(other)]);
  for (const result of results) {
    if (result.status === 'rejected')
      expect(String(result.reason)).toMatch(/does not continue the chain|duplicate key/);
  }
  await sealAll(service);
  await other.close();
  await expectSound(service);
});

describe('the database refuses', () => {
  const SEAL = `SELECT audit_seal($1, $2, $3::xid8, $4::xid8, $5, $6, $7::uuid[], $8, $9, $10, $11, $12::timestamptz)`;
  const hash = Buffer.alloc(32, 7);

  async function block(change: Record<number, unknown> = {}): Promise<unknown[]> {
    // Others of the same server may hold the horizon up for a moment.
    let rows: any[] = [];
    while (rows.length === 0)
      ({ rows } = await database.owner.query(
        `SELECT c.seq::int + 1 AS seq, c.to_xact::text AS from, pg_snapshot_xmin(pg_current_snapshot())::text AS to, c.hash AS prev,
              t.id, t.seq::text AS txn FROM audit_chain c, txn t WHERE t.xact >= c.to_xact AND c.seq = (SELECT max(seq) FROM audit_chain)
          AND t.xact < pg_snapshot_xmin(pg_current_snapshot())`,
      ));
    const { seq, from, to, prev, id, txn } = rows[0];
    const values = [0, seq, from, to, txn, txn, [id], hash, hash, prev, hash, '2026-01-31T09:05:01Z'];
    return values.map((value, i) => (i in change ? change[i] : value));
  }
  const asService = async (values: unknown[]) => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    return client.query(SEAL, values).finally(() => client.end());
  };

  beforeAll(async () => {
    await sealAll(service);
    await service.transfer(account, bank, '1');
  });

  it('a block with a hash that is not its own', async () => {
    await expect(asService(await block())).rejects.toThrow(/the hash of block \d+ is not that of/);
  });

  it.each([
    ['another place', { 1: 99 }],
    ['another predecessor', { 9: hash }],
    ['another beginning', { 2: '3' }],
    ['an empty range', { 3: '1' }],
  ])('a block with %s', async (_name, change) => {
    await expect(asService(await block(change))).rejects.toThrow(/does not continue the chain/);
  });

  it('a block that leaves a transaction of its range out, or ends where more may come', async () => {
    await expect(asService(await block({ 6: [], 7: Buffer.alloc(0) }))).rejects.toThrow(/its range has 1/);
    await expect(asService(await block({ 3: '999999999999' }))).rejects.toThrow(/that may still come into it/);
  });

  it('to change what was sealed, receipts and dropped days', async () => {
    const denied = { code: '42501', message: expect.stringContaining('append-only') };
    for (const table of ['audit_leaf', 'audit_anchor', 'audit_dropped_day']) {
      const { rows } = await database.owner.query(
        'SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum = 1',
        [table],
      );
      const column = rows[0].attname;
      await expect(database.owner.query(`UPDATE ${table} SET ${column} = ${column}`)).rejects.toMatchObject(denied);
      await expect(database.owner.query(`TRUNCATE ${table} CASCADE`)).rejects.toMatchObject(denied);
    }
    await expect(database.owner.query('DELETE FROM audit_leaf WHERE seq = 2')).rejects.toThrow(
      /the leaves of block 2 are needed/,
    );
    expect((await database.owner.query('SELECT audit_forget_leaves(100) AS n')).rows).toEqual([{ n: 0 }]);
  });
});

it('answers bad questions with their problem', async () => {
  expect((await proofOf('0199d5d0-0000-7000-8000-000000000000')).body.code).toBe('not-found');
  expect((await proofOf('x')).body.code).toBe('validation-failed');
  for (const query of ['limit=0', 'cursor=%21', 'page=2']) {
    expect((await service.get(`/v1/audit/blocks?${query}`)).body.code).toBe('validation-failed');
  }
});

it('has no proof for what is not what was sealed', async () => {
  await sealAll(service);
  const { id } = (await service.transfer(account, bank, '1')).body;
  await sealAll(service);
  await database.admin.query('SET session_replication_role = replica');
  await database.admin.query(`UPDATE txn SET actor = 'somebody' WHERE id = $1`, [id]);
  expect(await proofOf(id)).toMatchObject({ status: 500, body: { code: 'internal' } });
  expect(service.log.some(line => line.includes(`transaction ${id} is not what was sealed`))).toBe(true);
  await database.admin.query(`UPDATE txn SET actor = 'anonymous' WHERE id = $1`, [id]);
  expect((await proofOf(id)).status).toBe(200);
});

it('says so when the database was filled from a dump, instead of sealing nothing for ever', async () => {
  await database.admin.query('SET session_replication_role = replica');
  const shift = (by: string) =>
    database.admin.query(
      `UPDATE audit_chain SET to_xact = (to_xact::text::bigint ${by})::text::xid8 WHERE seq = (SELECT max(seq) FROM audit_chain)`,
    );
  await shift('+ 1000000000');
  await expect(seal(service)).rejects.toThrow(/filled from a dump/);
  expect((await service.get('/metrics')).body).not.toMatch(/^audit_lag_seconds /m);
  await shift('- 1000000000');
  await seal(service);
});

it('random transactions: each has a proof, and no other document fits it', async () => {
  const transaction = fc.record({
    value: fc.integer({ min: 1, max: 3 }),
    externalRef: fc.option(fc.stringMatching(/^[^\u0000-\u001f\u007f\ud800-\udfff]{1,40}$/u), { nil: undefined }),
    metadata: fc.dictionary(
      fc.stringMatching(/^[A-Za-z0-9_.-]{1,10}$/),
      fc.string({ maxLength: 30, unit: 'grapheme' }),
      {
        maxKeys: 4,
      },
    ),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(transaction, { minLength: 1, maxLength: 14 }), fc.string(), async (some, other) => {
      const ids: string[] = [];
      for (const { value, ...rest } of some) {
        const answer = await service.post('/v1/transactions', { legs: legs(bank, account, String(value)), ...rest });
        expect([answer.status, answer.body.detail]).toEqual([201, undefined]);
        ids.push(answer.body.id);
      }
      await sealAll(service);
      for (const id of ids) {
        const { document, leafHash: leaf } = await checkProof(id);
        const changed = { ...document, actor: `${document.actor}${other}` };
        if (canonicalJson(changed) !== canonicalJson(document))
          expect(leafHash(canonicalJson(changed)).toString('hex')).not.toBe(leaf);
      }
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 15) },
  );
  await expectSound(service);
}, 120_000);

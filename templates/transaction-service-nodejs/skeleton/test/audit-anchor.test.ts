import { createHmac } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AnchorConflict, createAnchor, fileAnchor, type AnchorRecord } from '../src/audit/anchors.ts';
import { httpAnchor } from '../src/audit/http-anchor.ts';
import { readAuditSettings } from '../src/audit/settings.ts';
import { EnvironmentReader } from '../src/platform/config.ts';
import { MockedAnchorPartner, type Fault } from './support/anchor-partner.ts';
import { named, sealAll, verified } from './support/chain.ts';
import { ownDatabase, type OwnDatabase } from './support/database.ts';
import { startHarness, type Harness } from './support/harness.ts';

let folder: string;
let partner: MockedAnchorPartner;
let tokenFile: string;
let secretFile: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'anchors-'));
  [tokenFile, secretFile] = [join(folder, 'token'), join(folder, 'secret')];
  await writeFile(tokenFile, 'token-of-the-partner\n');
  await writeFile(secretFile, 'key-of-the-partner\n');
  partner = await new MockedAnchorPartner().listen();
});
afterAll(async () => {
  await partner.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  partner.fail('none');
  partner.kept.length = 0;
});

const { signal } = new AbortController();
const head = { chain: 'ledger', shard: 0, seq: 7, hash: 'ab'.repeat(32), sealedAt: '2026-11-21T10:00:00.000000Z' };
const client = (timeout = 5_000) => {
  const now = () => 1_795_255_200_999;
  return httpAnchor({ kind: 'http', url: partner.url, tokenFile, secretFile, timeout, attempts: 3, backoff: 1, now });
};
async function records(of: AsyncIterable<AnchorRecord>): Promise<AnchorRecord[]> {
  const all: AnchorRecord[] = [];
  for await (const record of of) all.push(record);
  return all;
}

describe('the partner over HTTP', () => {
  it('gets the head once, signed and with its token, and gives a receipt', async () => {
    expect(await client().publish(head, signal)).toEqual({ id: 'a-1', anchoredAt: '2026-11-21T10:00:00Z' });
    expect(partner.asked).toHaveLength(1);
    const [{ url, headers, text }] = partner.asked as [any];
    expect(url).toBe('/base/v1/anchors');
    expect(JSON.parse(text)).toEqual(head);
    const signature = createHmac('sha256', 'key-of-the-partner').update(`1795255200.${text}`).digest('hex');
    expect(headers).toMatchObject({
      authorization: 'Bearer token-of-the-partner',
      'x-signature': `t=1795255200,v1=${signature}`,
      'idempotency-key': 'ledger:0:7',
      'content-type': 'application/json',
    });
    // The same head again is the same receipt.
    expect(await client().publish(head, signal)).toMatchObject({ id: 'a-1' });
    expect(await records(client().records('ledger', 0))).toEqual([{ seq: 7, hash: head.hash }]);
    expect(await records(client().records('another', 0))).toEqual([]);
  });

  it.each<Fault>(['error', 'busy', 'reset', 'malformed', 'huge', 'duplicate', 'redirect'])(
    '%s: is asked again, and the receipt counts that comes then',
    async fault => {
      partner.fail(fault, 2);
      expect(await client().publish(head, signal)).toMatchObject({ id: 'a-1' });
      expect(partner.asked).toHaveLength(3);
    },
  );

  it.each<[Fault, RegExp]>([
    ['timeout', /did not answer: TimeoutError/],
    ['slow', /did not answer: TimeoutError/],
    ['error', /answered 500/],
    ['malformed', /something else than a receipt/],
    ['duplicate', /something else than a receipt/],
    ['reset', /did not answer: TypeError/],
  ])('%s for good: three attempts, then an error', async (fault, message) => {
    partner.fail(fault);
    await expect(client(100).publish(head, signal)).rejects.toThrow(message);
    expect(partner.asked).toHaveLength(3);
    await expect(records(client(100).records('ledger', 0))).rejects.toThrow(/partner/);
  });

  it('a refusal is not repeated', async () => {
    partner.fail('forbidden');
    await expect(client().publish(head, signal)).rejects.toThrow('the partner answered 403');
    expect(partner.asked).toHaveLength(1);
    await expect(records(client().records('ledger', 0))).rejects.toThrow('answered 403 without a record');
  });

  it('another hash for the same block is a conflict, at once', async () => {
    await client().publish(head, signal);
    partner.asked.length = 0;
    await expect(client().publish({ ...head, hash: 'cd'.repeat(32) }, signal)).rejects.toBeInstanceOf(AnchorConflict);
    expect(partner.asked).toHaveLength(1);
  });

  it('is not asked again when the service stops', async () => {
    partner.fail('timeout');
    const stopping = new AbortController();
    const publishing = client().publish(head, stopping.signal);
    while (partner.asked.length === 0) await new Promise(resolve => setImmediate(resolve));
    stopping.abort();
    await expect(publishing).rejects.toThrow(/AbortError/);
    expect(partner.asked).toHaveLength(1);
  });

  it('gets no signature without a key, no token without one', async () => {
    const open = httpAnchor({ kind: 'http', url: `${partner.url}/`, tokenFile, timeout: 5_000, attempts: 1 });
    await open.publish(head, signal);
    expect(partner.asked[0]!.headers['x-signature']).toBeUndefined();
    const signed = httpAnchor({ kind: 'http', url: partner.url, secretFile, timeout: 5_000, attempts: 1 });
    await signed.publish(head, signal);
    expect(partner.asked[1]!.headers.authorization).toBeUndefined();
    const missing = httpAnchor({ kind: 'http', url: partner.url, secretFile: '/nowhere', timeout: 5_000, attempts: 1 });
    await expect(missing.publish(head, signal)).rejects.toThrow(/ENOENT/);
  });
});

describe('a file', () => {
  it('gets a line for each head, of which only those of the chain count', async () => {
    const path = join(folder, 'heads.jsonl');
    const anchor = fileAnchor(path);
    await anchor.publish(head, signal);
    await anchor.publish({ ...head, chain: 'another', seq: 1 }, signal);
    await anchor.publish({ ...head, seq: 8 }, signal);
    expect((await readFile(path, 'utf8')).trim().split('\n')).toHaveLength(3);
    expect(await records(anchor.records('ledger', 0))).toEqual([
      { seq: 7, hash: head.hash },
      { seq: 8, hash: head.hash },
    ]);
    await writeFile(path, `${JSON.stringify(head)}\n\n{"seq":`);
    await expect(records(anchor.records('ledger', 0))).rejects.toThrow('line 3 of the anchor file');
  });
});

describe('settings', () => {
  const read = (env: Record<string, string>) => {
    const reader = new EnvironmentReader(env);
    return { settings: readAuditSettings(reader), wrong: reader.wrong };
  };

  it('name what is missing', () => {
    expect(read({ AUDIT_ANCHOR: 'ftp' }).wrong).toEqual(['AUDIT_ANCHOR must be one of none, file, http']);
    expect(read({ AUDIT_ANCHOR: 'file' }).wrong).toEqual([
      'AUDIT_ANCHOR_FILE must be a file when AUDIT_ANCHOR is file',
    ]);
    expect(read({ AUDIT_ANCHOR: 'http', AUDIT_ANCHOR_URL: 'x' }).wrong).toEqual([
      'AUDIT_ANCHOR_TOKEN_FILE or AUDIT_ANCHOR_SECRET_FILE must be set when AUDIT_ANCHOR is http',
      'AUDIT_ANCHOR_URL must be the URL of the partner when AUDIT_ANCHOR is http',
    ]);
  });

  it('make the place that is chosen', () => {
    expect(createAnchor(read({}).settings.anchor)).toBeUndefined();
    expect(createAnchor(read({ AUDIT_ANCHOR: 'file', AUDIT_ANCHOR_FILE: 'x' }).settings.anchor)?.kind).toBe('file');
  });
});

describe('the worker', () => {
  let database: OwnDatabase;
  let service: Harness;
  let account: string;
  let bank: string;
  beforeAll(async () => {
    database = await ownDatabase('anchor');
    service = await startHarness({
      DATABASE_URL: database.url,
      AUDIT_ANCHOR: 'http',
      AUDIT_ANCHOR_URL: partner.url,
      AUDIT_ANCHOR_SECRET_FILE: secretFile,
      AUDIT_ANCHOR_ATTEMPTS: '1',
      AUDIT_ANCHOR_TIMEOUT_MS: '200',
    });
    ({ account, bank } = await service.funded('100'));
  });
  afterAll(async () => {
    await service.close();
    await database.drop();
  });

  const worker = () => service.runtime.workers.find(({ name }) => name === 'anchor')!;
  const metric = async (name: string) =>
    Number(new RegExp(`^${name} (.+)$`, 'm').exec((await service.get('/metrics')).body as string)?.[1]);
  const block = async () => (await service.get('/v1/audit/head')).body.block;
  const more = async () => {
    await service.transfer(account, bank, '1');
    await sealAll(service);
  };

  it('publishes each head once, and keeps the receipt', async () => {
    await worker().run(signal);
    expect(partner.asked).toEqual([]);
    await more();
    await worker().run(signal);
    await worker().run(signal);
    const { seq, hash } = await block();
    expect(partner.asked).toHaveLength(1);
    expect(partner.kept).toMatchObject([{ chain: 'service-under-test', shard: 0, seq, hash }]);
    const { rows } = await database.owner.query(
      `SELECT kind, seq::int, encode(hash, 'hex') AS hash, receipt->>'id' AS id FROM audit_anchor`,
    );
    expect(rows).toEqual([{ kind: 'http', seq, hash, id: 'a-1' }]);
    expect(await metric('audit_anchored_block')).toBe(seq);
  });

  it.each<Fault>(['timeout', 'error', 'reset'])(
    '%s: the ledger is sealed all the same, and the next head covers it',
    async fault => {
      partner.fail(fault);
      const failures = await metric('audit_anchor_failures_total{reason="away"}');
      await more();
      await expect(worker().run(signal)).rejects.toThrow(/the partner/);
      expect(await metric('audit_anchor_failures_total{reason="away"}')).toBe(failures + 1);
      await more();
      expect((await service.get('/v1/audit/head')).body).toMatchObject({ unsealed: 0 });
      partner.fail('none');
      await worker().run(signal);
      expect(await metric('audit_anchored_block')).toBe((await block()).seq);
    },
  );

  it('a conflict is counted and logged, and verify names the block', async () => {
    await more();
    const { seq } = await block();
    const other = { id: 'x', chain: 'service-under-test', shard: 0, seq, hash: 'ee'.repeat(32), anchoredAt: 'then' };
    partner.kept.push(other);
    await expect(worker().run(signal)).rejects.toThrow(`the partner has another hash for block ${seq}`);
    expect(await metric('audit_anchor_failures_total{reason="conflict"}')).toBe(1);
    expect(service.log.some(line => line.includes('not the one that was published'))).toBe(true);
    const result = await verified(service, client());
    expect(named(result)).toEqual([`anchor ${seq}`]);
    expect(result.anchors).toEqual({ kind: 'http', checked: true, records: 1, newest: seq });
    partner.kept.length = 0;
    expect(await verified(service, client())).toMatchObject({
      ok: true,
      anchors: { checked: true, records: 0, newest: null },
    });
  });

  it('a receipt of another hash is a breach as well', async () => {
    await database.admin.query('SET session_replication_role = replica');
    const { rows } = await database.admin.query(
      `UPDATE audit_anchor SET hash = decode(repeat('00', 32), 'hex') WHERE seq = (SELECT min(seq) FROM audit_anchor) RETURNING seq`,
    );
    expect(named(await verified(service))).toEqual([`anchor ${rows[0].seq}`]);
  });

  it('no secret is logged', () => {
    expect(service.log.filter(line => /key-of-the-partner|token-of-the-partner/.test(line))).toEqual([]);
  });
});

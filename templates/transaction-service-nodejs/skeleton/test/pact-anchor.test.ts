import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MatchersV3, PactV3 } from '@pact-foundation/pact';
import { ROOT } from '../scripts/contract.ts';
import { AnchorConflict } from '../src/audit/anchors.ts';
import { httpAnchor } from '../src/audit/http-anchor.ts';

/** What this service expects of the partner who keeps heads of its audit chain. The file in test/pacts is for the partner. */
const { integer, regex, string } = MatchersV3;
const FILE = 'transaction-service-anchor-partner.json';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pacts-'));
  await writeFile(join(folder, 'token'), 'token');
  await writeFile(join(folder, 'secret'), 'key');
});
afterAll(() => rm(folder, { recursive: true }));

const HASH = 'ab'.repeat(32);
const SEALED = '2026-11-21T10:00:00.000000Z';
const head = { chain: 'wallet-transactions', shard: 0, seq: 7, hash: HASH, sealedAt: SEALED };
const { signal } = new AbortController();

function partner() {
  return new PactV3({ consumer: 'transaction-service', provider: 'anchor-partner', dir: folder, logLevel: 'error' });
}

const client = (url: string) => {
  const [tokenFile, secretFile] = [join(folder, 'token'), join(folder, 'secret')];
  return httpAnchor({ kind: 'http', url, tokenFile, secretFile, timeout: 5_000, attempts: 1 });
};

const who = {
  authorization: regex('^Bearer .+$', 'Bearer token'),
  'x-signature': regex('^t=[0-9]+,v1=[0-9a-f]{64}$', `t=1795255200,v1=${HASH}`),
};
const request = {
  method: 'POST',
  path: '/v1/anchors',
  headers: {
    ...who,
    'content-type': 'application/json',
    'idempotency-key': regex('^[^ ]+:[0-9]+:[0-9]+$', 'wallet-transactions:0:7'),
  },
  body: {
    chain: string('wallet-transactions'),
    shard: integer(0),
    seq: integer(7),
    hash: regex('^[0-9a-f]{64}$', HASH),
    sealedAt: regex('^[0-9T:.-]+Z$', SEALED),
  },
} as const;
const kept = { chain: 'wallet-transactions', shard: 0, seq: 7, hash: HASH };
const json = { 'content-type': 'application/json' };

it('a head is kept, and the receipt names it', async () => {
  await partner()
    .uponReceiving('a new head')
    .withRequest(request)
    .willRespondWith({
      status: 201,
      headers: json,
      body: { ...kept, id: string('a-1'), anchoredAt: string('2026-11-21T10:00:01Z') },
    })
    .executeTest(async ({ url }) => {
      expect(await client(url).publish(head, signal)).toEqual({ id: 'a-1', anchoredAt: '2026-11-21T10:00:01Z' });
    });
});

it('a head that it has is the same receipt', async () => {
  await partner()
    .given('the head is known')
    .uponReceiving('a head once more')
    .withRequest(request)
    .willRespondWith({ status: 200, headers: json, body: { ...kept, id: string('a-1') } })
    .executeTest(async ({ url }) => {
      expect(await client(url).publish(head, signal)).toEqual({ id: 'a-1' });
    });
});

it('another hash for a block that it has is a conflict', async () => {
  await partner()
    .given('the block is known with another hash')
    .uponReceiving('another hash')
    .withRequest(request)
    .willRespondWith({ status: 409 })
    .executeTest(async ({ url }) => {
      await expect(client(url).publish(head, signal)).rejects.toBeInstanceOf(AnchorConflict);
    });
});

it('an error is told by its status', async () => {
  await partner()
    .given('the partner is out of order')
    .uponReceiving('a head while it is out of order')
    .withRequest(request)
    .willRespondWith({ status: 503 })
    .executeTest(async ({ url }) => {
      await expect(client(url).publish(head, signal)).rejects.toThrow('the partner answered 503');
    });
});

it('its newest head can be asked for', async () => {
  await partner()
    .given('the head is known')
    .uponReceiving('the question for the newest head')
    .withRequest({
      method: 'GET',
      path: '/v1/anchors/latest',
      query: { chain: 'wallet-transactions', shard: '0' },
      headers: who,
    })
    .willRespondWith({ status: 200, headers: json, body: { ...kept, hash: regex('^[0-9a-f]{64}$', HASH) } })
    .executeTest(async ({ url }) => {
      const records = [];
      for await (const record of client(url).records('wallet-transactions', 0)) records.push(record);
      expect(records).toEqual([{ seq: 7, hash: HASH }]);
    });
});

it('the file in test/pacts says the same', async () => {
  const interactions = async (path: string) => {
    const pact = JSON.parse(await readFile(path, 'utf8'));
    return pact.interactions.sort((a: any, b: any) => (a.description < b.description ? -1 : 1));
  };
  expect(await interactions(join(ROOT, 'test/pacts', FILE))).toEqual(await interactions(join(folder, FILE)));
});

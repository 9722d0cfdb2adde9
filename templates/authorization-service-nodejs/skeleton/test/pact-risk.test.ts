import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MatchersV3, PactV3 } from '@pact-foundation/pact';
import { Registry } from 'prom-client';
import { ROOT } from '../scripts/contract.ts';
import { RiskPartner } from '../src/authorization/risk.ts';

/** What this service expects of the risk partner. The file in test/pacts is for the partner. */
const { integer, string, regex, uuid } = MatchersV3;
const FILE = 'authorization-service-risk-partner.json';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pacts-'));
});
afterAll(() => rm(folder, { recursive: true }));

const REQUEST_ID = '0199d5d0-0000-7000-8000-0000000000f1';

function ask(url: string, requestId = REQUEST_ID) {
  const risk = new RiskPartner({ url, timeout: 5_000, threshold: 5, pause: 1_000, registry: new Registry() });
  return risk.score({
    requestId,
    cardId: randomUUID(),
    amount: { value: '4250', currency: 'USD' },
    mcc: '5812',
    country: 'MX',
    channel: 'chip',
  });
}

function partner() {
  return new PactV3({ consumer: 'authorization-service', provider: 'risk-partner', dir: folder, logLevel: 'error' });
}

const request = {
  method: 'POST',
  path: '/v1/scores',
  headers: { 'content-type': 'application/json' },
  body: {
    requestId: uuid(REQUEST_ID),
    cardId: uuid(),
    amount: { value: regex('^[1-9][0-9]{0,17}$', '4250'), currency: regex('^[A-Z]{3}$', 'USD') },
    mcc: regex('^[0-9]{4}$', '5812'),
    country: regex('^[A-Z]{2}$', 'MX'),
    channel: string('chip'),
  },
} as const;

it('a score comes with the id of the request', async () => {
  await partner()
    .uponReceiving('a request for a score')
    .withRequest(request)
    .willRespondWith({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: { requestId: REQUEST_ID, score: integer(12) },
    })
    .executeTest(async ({ url }) => {
      expect(await ask(url)).toEqual({ score: 12, source: 'partner' });
    });
});

it('an error is told by its status', async () => {
  await partner()
    .given('the partner is out of order')
    .uponReceiving('a request for a score while it is out of order')
    .withRequest(request)
    .willRespondWith({ status: 503 })
    .executeTest(async ({ url }) => {
      expect(await ask(url)).toEqual({ score: null, source: 'fallback' });
    });
});

it('the file in test/pacts says the same', async () => {
  const interactions = async (path: string) => {
    const pact = JSON.parse(await readFile(path, 'utf8'));
    return pact.interactions.sort((a: any, b: any) => (a.description < b.description ? -1 : 1));
  };
  const made = join(folder, FILE);
  const kept = join(ROOT, 'test/pacts', FILE);
  // Matchers that make up an example make up another one each time.
  const still = (value: unknown) => JSON.stringify(value).replace(/"cardId":"[0-9a-f-]{36}"/g, '"cardId":""');
  expect(still(await interactions(kept))).toBe(still(await interactions(made)));
});

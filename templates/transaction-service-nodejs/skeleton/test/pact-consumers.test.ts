import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Verifier } from '@pact-foundation/pact';
import { ROOT } from '../scripts/contract.ts';
import { sealAll } from './support/chain.ts';
import { ownDatabase, type OwnDatabase } from './support/database.ts';
import { legs, startHarness, type Harness } from './support/harness.ts';

/** What callers expect of this service: their files in contracts/pacts, held against the running application. */

let database: OwnDatabase;
let service: Harness;
let providerBaseUrl: string;
beforeAll(async () => {
  database = await ownDatabase('pact');
  service = await startHarness({ DATABASE_URL: database.url, LOG_LEVEL: 'silent' });
  await service.app.listen({ host: '127.0.0.1', port: 0 });
  providerBaseUrl = `http://127.0.0.1:${(service.app.server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

/** What a state tells the requests of the file: a new key, and whom they are about. */
async function wallet(value: string) {
  const { account } = await service.funded(value);
  const shop = await service.openAccount();
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  return { wallet: account, shop, key: randomUUID(), expiresAt };
}

async function payment(key = randomUUID()) {
  const state = await wallet('10000');
  const ref = `order-${randomUUID()}`;
  const body = { externalRef: ref, legs: legs(state.wallet, state.shop, '4250') };
  const { id } = (await service.post('/v1/transactions', body, { 'idempotency-key': key })).body;
  return { ...state, id, ref };
}

it('payments-portal', async () => {
  const output = await new Verifier({
    provider: 'transaction-service',
    providerBaseUrl,
    pactUrls: [join(ROOT, 'contracts/pacts/payments-portal-transaction-service.json')],
    logLevel: 'error',
    stateHandlers: {
      'a wallet with funds of 10000 and a shop': () => wallet('10000'),
      'a wallet without funds and a shop': () => wallet('0'),
      'a frozen wallet and a shop': async () => {
        const state = await wallet('10000');
        await service.post(`/v1/accounts/${state.wallet}/status`, { status: 'frozen', reason: 'lost' });
        return state;
      },
      'no such account': async () => ({ wallet: randomUUID() }),
      'the same payment was made with this key': async () => {
        const state = await wallet('10000');
        const body = { externalRef: 'order-42', legs: legs(state.wallet, state.shop, '4250') };
        const { id } = (await service.post('/v1/transactions', body, { 'idempotency-key': state.key })).body;
        return { ...state, id };
      },
      'a payment of 4250 that was made': () => payment(),
      'a payment of 4250 that is sealed': async () => {
        const state = await payment();
        await sealAll(service);
        return state;
      },
    },
  }).verifyProvider();
  expect(output).not.toMatch(/failed/i);
});

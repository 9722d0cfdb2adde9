import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { CryptoKey } from 'jose';
import { Issuer, signToken } from './support/issuer.ts';
import { startHarness, usd, type Harness } from './support/harness.ts';

/** With AUTH_MODE=jwt every route of the API asks for a token, and for the scope of what it does. */

const issuer = new Issuer();
let key: CryptoKey;
let service: Harness;
beforeAll(async () => {
  key = await issuer.key('RS256', 'rsa');
  service = await startHarness(await issuer.start());
});
afterAll(async () => {
  await service.close();
  await issuer.close();
});

const NOBODY = '0199d5d0-0000-7000-8000-000000000000';
const bearer = async (scope: string, changes = {}) => ({
  authorization: `Bearer ${await signToken(key, { scope, ...changes })}`,
});

/** Every operation of the API, with an address of nothing that there is. */
function operations(): { method: string; url: string }[] {
  const { paths } = service.app.swagger() as { paths: Record<string, Record<string, unknown>> };
  return Object.entries(paths)
    .filter(([path]) => path.startsWith('/v1/'))
    .flatMap(([path, methods]) =>
      Object.keys(methods).map(method => ({
        method: method.toUpperCase(),
        url: path.replaceAll('{version}', '1').replaceAll(/\{[^}]+\}/g, NOBODY),
      })),
    );
}

async function status(method: string, url: string, headers: Record<string, string>): Promise<number> {
  const answer = await service.app.inject({ method: method as 'GET', url, headers });
  return answer.statusCode;
}

it('asks on every route for a token, then for its scope', async () => {
  const all = operations();
  expect(all.length).toBeGreaterThan(15);
  const [reader, writer, stranger] = await Promise.all([
    bearer('authorizations:read'),
    bearer('authorizations:write'),
    // Scopes of the ledger are worth nothing here.
    bearer('transactions:read transactions:write'),
  ]);
  for (const { method, url } of all) {
    const what = `${method} ${url}`;
    expect([what, await status(method, url, { 'x-client-id': 'gateway' })]).toEqual([what, 401]);
    expect([what, await status(method, url, stranger)]).toEqual([what, 403]);
    const [right, wrong] = method === 'GET' ? [reader, writer] : [writer, reader];
    expect([what, await status(method, url, wrong!)]).toEqual([what, 403]);
    expect([401, 403]).not.toContain(await status(method, url, right!));
  }
});

it('takes the client from the token: its keys are its own', async () => {
  const one = await bearer('authorizations:write');
  const two = await bearer('authorizations:write', { client_id: 'somebody-else' });
  const body = { currency: 'USD', creditLimit: '1000' };
  const open = (headers: Record<string, string>) =>
    service.post('/v1/spend-accounts', body, { ...headers, 'idempotency-key': 'the-same-key-of-two' });
  const first = await open(one);
  expect(first.status).toBe(201);
  // A header of a gateway does not make it another client.
  expect(await open({ ...one, 'x-client-id': 'another' })).toMatchObject({ status: 200, body: { id: first.body.id } });
  const second = await open(two);
  expect(second.status).toBe(201);
  expect(second.body.id).not.toBe(first.body.id);
});

it('decides as ever for who may ask', async () => {
  const writer = await bearer('authorizations:write');
  const { body: account } = await service.post('/v1/spend-accounts', { currency: 'USD', creditLimit: '1000' }, writer);
  const card = {
    token: `tok_${account.id}`,
    spendAccountId: account.id,
    expiresOn: '2099-12-31',
    ruleSetId: 'default',
    limits: {},
  };
  expect((await service.post('/v1/cards', card, writer)).status).toBe(201);
  const ask = (value: string) => service.authorize(card.token, value, { amount: usd(value) }, writer);
  expect(await ask('600')).toMatchObject({ status: 201, body: { decision: 'APPROVED' } });
  expect(await ask('600')).toMatchObject({ status: 201, body: { decision: 'DECLINED', reasonCode: '51' } });
  expect((await service.authorize(card.token, '1', {}, await bearer('authorizations:read'))).status).toBe(403);
});

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Verifier } from '@pact-foundation/pact';
import type { AddressInfo } from 'node:net';
import { ROOT } from '../scripts/contract.ts';
import { startHarness, type Harness } from './support/harness.ts';

/** What consumers expect of this service: their files in contracts/pacts, held against the running application. */

let service: Harness;
let baseUrl: string;
beforeAll(async () => {
  service = await startHarness({ LOG_LEVEL: 'silent' });
  await service.app.listen({ host: '127.0.0.1', port: 0 });
  baseUrl = `http://127.0.0.1:${(service.app.server.address() as AddressInfo).port}`;
});
afterAll(() => service.close());

const values = (token: string, id = '') => ({ token, id, networkRef: `gw-${randomUUID()}`, key: randomUUID() });

it('card-gateway', async () => {
  const output = await new Verifier({
    provider: 'authorization-service',
    providerBaseUrl: baseUrl,
    pactUrls: [join(ROOT, 'contracts/pacts/card-gateway-authorization-service.json')],
    logLevel: 'error',
    stateHandlers: {
      'a card with funds of 10000': async () => values((await service.funded('10000')).token),
      'a card without funds': async () => values((await service.funded('0')).token),
      'an authorization of 5000 that is open': async () => {
        const { token } = await service.funded('10000');
        return values(token, await service.approved(token, '5000'));
      },
      'no authorization for the reference': async () => values('tok_not_there'),
    },
  }).verifyProvider();
  expect(output).not.toMatch(/failed/i);
});

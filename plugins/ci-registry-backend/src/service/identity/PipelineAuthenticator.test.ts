import { mockCredentials, mockServices } from '@backstage/backend-test-utils';
import type { PushRequest } from '@rocket/plugin-ci-registry-common';
import type express from 'express';
import type { IdentityStore } from './IdentityStore';
import { PipelineAuthenticator } from './PipelineAuthenticator';

const SETTINGS = {
  issuers: [],
  staticTokens: [],
  rules: [],
  clockSkewMs: 0,
  keys: { timeoutMs: 1000, maxAgeMs: 1000, cooldownMs: 1000 },
  decisions: { retentionMs: 1000, maxUnknown: 1000 },
};

function setUp() {
  let now = 1_000_000;
  const addDecisions = jest.fn<Promise<void>, [unknown, boolean]>(
    async () => {},
  );
  const authenticator = new PipelineAuthenticator({
    settings: SETTINGS,
    store: { addDecisions } as unknown as IdentityStore,
    httpAuth: mockServices.httpAuth(),
    permissions: mockServices.permissions.mock({
      authorize: async () => [{ result: 'ALLOW' as never }],
    }),
    auditor: mockServices.auditor.mock({
      createEvent: async () => ({
        success: async () => {},
        fail: async () => {},
      }),
    }),
    logger: mockServices.logger.mock(),
    now: () => now,
  });
  const request = (ip: string, authorization: string) =>
    ({
      ip,
      method: 'POST',
      originalUrl: '/pushes?token=secret',
      headers: { authorization },
    } as unknown as express.Request);
  return {
    addDecisions,
    authenticator,
    request,
    knock: (ip: string) =>
      authenticator
        .authenticate(request(ip, 'Bearer nonsense'))
        .catch((error: Error) => error.name),
    sleep: (ms: number) => {
      now += ms;
    },
  };
}

it('keeps no row for those who knock too often, and goes on looking at the others', async () => {
  const { knock, sleep, addDecisions, authenticator, request } = setUp();
  const names = await Promise.all(
    Array.from({ length: 700 }, () => knock('10.0.0.1')),
  );
  expect(names.filter(name => name === 'AuthenticationError')).toHaveLength(
    600,
  );
  expect(names.filter(name => name === 'TooManyRequests')).toHaveLength(100);
  expect(addDecisions).toHaveBeenCalledTimes(600);
  expect(await knock('10.0.0.2')).toBe('AuthenticationError');
  const known = await authenticator.authenticate(
    request('10.0.0.1', mockCredentials.user.header()),
  );
  expect(known.type).toBe('user');
  // A tenth of a second refills one.
  sleep(100);
  expect(await knock('10.0.0.1')).toBe('AuthenticationError');
  expect(await knock('10.0.0.1')).toBe('TooManyRequests');
});

it('keeps the path without what stands behind it', async () => {
  const { knock, addDecisions } = setUp();
  await knock('10.0.0.1');
  expect(addDecisions.mock.calls[0]).toEqual([
    [
      expect.objectContaining({
        time: '1970-01-01T00:16:40.000Z',
        code: 'unknown-token',
        request: { method: 'POST', path: '/pushes' },
      }),
    ],
    false,
  ]);
});

it('lets nobody make up who they are', async () => {
  const { authenticator } = setUp();
  const made = { type: 'service' as const, subject: 'plugin:catalog' };
  const push: PushRequest = {
    source: { repository: 'x', commit: 'y', time: 'z' },
  };
  await expect(authenticator.authorizePush(made, push)).rejects.toThrow(
    /not made by authenticate/,
  );
  await expect(authenticator.authorizeRead(made)).rejects.toThrow(
    /not made by authenticate/,
  );
});

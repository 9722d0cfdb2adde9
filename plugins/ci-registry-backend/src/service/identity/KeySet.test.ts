import { setImmediate } from 'node:timers/promises';
import { githubClaims, TestIssuer } from './__testUtils__/TestIssuer';
import { KeySet } from './KeySet';
import { startHarness } from './__testUtils__/harness';
import { identityConfig } from './__testUtils__/identityConfig';

jest.setTimeout(60_000);

const MINUTE = 60_000;
const header = (kid: string) => ({ alg: 'RS256', kid });

let issuer: TestIssuer;
let now: number;
let keys: KeySet;

beforeEach(async () => {
  issuer = await TestIssuer.start();
  now = 1_000_000;
  keys = new KeySet({
    url: `${issuer.url}/jwks`,
    timeoutMs: 200,
    maxAgeMs: 60 * MINUTE,
    cooldownMs: 30_000,
    now: () => now,
  });
});

afterEach(() => issuer.stop());

it('asks once for many callers, and again when the keys are ten minutes old', async () => {
  await Promise.all(
    Array.from({ length: 20 }, () => keys.get(header('key-1'))),
  );
  expect(issuer.requests).toBe(1);
  now += 9 * MINUTE;
  await keys.get(header('key-1'));
  expect(issuer.requests).toBe(1);
  // Beside the call, which has a key already.
  now += 2 * MINUTE;
  await keys.get(header('key-1'));
  await keys.get(header('key-1'));
  while (issuer.requests < 2) await setImmediate();
  await keys.get(header('key-1'));
  expect(issuer.requests).toBe(2);
});

it('finds a new key at once, and asks for made-up ones only so often', async () => {
  await keys.get(header('key-1'));
  for (let i = 0; i < 50; i++) {
    await expect(keys.get(header(`made-up-${i}`))).rejects.toMatchObject({
      code: 'unknown-key',
    });
  }
  expect(issuer.requests).toBe(1);
  await issuer.rotate('key-2');
  now += 31_000;
  await keys.get(header('key-2'));
  expect(issuer.requests).toBe(2);
  await expect(keys.get(header('key-1'))).rejects.toMatchObject({
    code: 'unknown-key',
  });
});

it.each(['hangs', 'away', 'fails', 'garbage', 'huge', 'redirects'] as const)(
  'lets nobody in while the key server %s, and goes on when it is back',
  async mode => {
    issuer.mode = mode;
    await expect(keys.get(header('key-1'))).rejects.toMatchObject({
      name: 'ServiceUnavailableError',
      code: 'keys-unavailable',
    });
    const asked = issuer.requests;
    // A redirect is not followed, an answer too large not read to its end: twice is all.
    expect(asked).toBe(2);
    await expect(keys.get(header('key-1'))).rejects.toMatchObject({
      code: 'keys-unavailable',
    });
    expect(issuer.requests).toBe(asked);
    issuer.mode = 'ok';
    now += 6_000;
    await keys.get(header('key-1'));
  },
);

it('goes on with the keys it has for a bounded time', async () => {
  await keys.get(header('key-1'));
  issuer.mode = 'fails';
  now += 30 * MINUTE;
  await keys.get(header('key-1'));
  // Nobody knows whether the issuer has this one.
  now += MINUTE;
  await expect(keys.get(header('key-2'))).rejects.toMatchObject({
    code: 'keys-unavailable',
  });
  now += 30 * MINUTE;
  await expect(keys.get(header('key-1'))).rejects.toMatchObject({
    code: 'keys-unavailable',
  });
});

it('takes no shared secret for a key', async () => {
  issuer.extra = [
    { kty: 'oct', kid: 'secret', k: 'c2VjcmV0', alg: 'HS256' },
    { ...issuer.key.jwk, kid: 'for-encryption', use: 'enc' },
  ];
  await keys.get(header('key-1'));
  for (const kid of ['secret', 'for-encryption']) {
    await expect(keys.get(header(kid))).rejects.toMatchObject({
      code: 'unknown-key',
    });
  }
});

it('answers 503 with Retry-After over HTTP, keeps the decision, and takes a rotated key', async () => {
  const harness = await startHarness({
    identity: identityConfig({
      github: issuer,
      gitlab: { url: 'http://127.0.0.1:1' } as TestIssuer,
      other: { url: 'http://127.0.0.1:2' } as TestIssuer,
    }),
  });
  const token = await issuer.sign(githubClaims());
  issuer.mode = 'fails';
  const away = await harness.push(token).expect(503, /keys/);
  expect(away.headers['retry-after']).toBe('5');
  expect((await harness.decisions())[0]).toMatchObject({
    allowed: false,
    code: 'keys-unavailable',
  });
  issuer.mode = 'ok';
  await harness.push(token).expect(200);
  await issuer.rotate('key-2');
  await harness.push(await issuer.sign(githubClaims())).expect(200);
  await harness.push(token).expect(401, /key-1/);
});

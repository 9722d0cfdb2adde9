import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { base64url, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey } from 'jose';
import { startApp, type TestApp } from '../support/app.ts';
import { Issuer, signToken, tokenClaims as claims } from '../support/issuer.ts';
import { sample } from '../support/sample.ts';

const issuer = new Issuer();
let app: TestApp;
let rsa: CryptoKey;
let strange: CryptoKey;
let env: Record<string, string>;
beforeAll(async () => {
  rsa = await issuer.key('RS256', 'rsa');
  // The issuer has it, the service does not allow it.
  strange = await issuer.key('RS512', 'strange');
  env = await issuer.start();
  app = await startApp(sample(), env);
});
afterAll(async () => {
  await app.close();
  await issuer.close();
});

const now = () => Math.floor(Date.now() / 1_000);
const sign = (changes = {}, key = rsa, header?: { alg: string; kid: string }) => signToken(key, changes, header);

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const read = (token: string) => app.get('/v1/things', bearer(token));

describe('a bearer token', () => {
  it('names the client; the header of a gateway does not count', async () => {
    const token = await sign();
    expect(await app.get('/v1/things', { ...bearer(token), 'x-client-id': 'somebody-else' })).toMatchObject({
      status: 200,
      body: { client: 'wallet' },
    });
    expect(await read(await sign({ client_id: undefined }))).toMatchObject({ body: { client: 'user-1' } });
    expect((await app.post('/v1/things', { name: 'x' }, bearer(token))).body).toMatchObject({ client: 'wallet' });
  });

  it.each<[string, () => Promise<string> | string]>([
    ['expired', () => sign({ exp: now() - 120 })],
    ['not valid yet', () => sign({ nbf: now() + 120 })],
    ['without an end', () => sign({ exp: undefined })],
    ['of another issuer', () => sign({ iss: 'https://evil.example/' })],
    ['for another service', () => sign({ aud: 'cards' })],
    ['that names no client', () => sign({ client_id: '\u0000', sub: undefined })],
    ['without a signature', () => new UnsecuredJWT(claims()).encode()],
    [
      'with a changed body',
      async () => {
        const [head, , signature] = (await sign()).split('.');
        return [head, base64url.encode(JSON.stringify(claims({ client_id: 'admin' }))), signature].join('.');
      },
    ],
    [
      'signed by a key of somebody else with the same id',
      async () => {
        const { privateKey } = await generateKeyPair('RS256');
        return sign({}, privateKey);
      },
    ],
    [
      'signed with the public key as a shared secret',
      async () => {
        const secret = new TextEncoder().encode(JSON.stringify(issuer.keys[0]).padEnd(64));
        return new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: 'rsa' }).sign(secret);
      },
    ],
    ['signed by an algorithm that is not allowed', () => sign({}, strange, { alg: 'RS512', kid: 'strange' })],
    ['that is no token', () => 'abc.def.ghi'],
  ])('%s is answered 401', async (_what, make) => {
    const answer = await read(await make());
    expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(answer.headers['content-type']).toBe('application/problem+json');
  });

  it('is needed, and nothing else will do', async () => {
    for (const headers of [{}, { authorization: 'Basic abc' }, { authorization: 'Bearer ' }, { 'x-client-id': 'x' }]) {
      expect((await app.get('/v1/things', headers as Record<string, string>)).status).toBe(401);
    }
    expect((await app.post('/v1/things', '{', { 'content-type': 'application/json' })).status).toBe(401);
  });

  it('is tolerated for clocks that differ by 30 seconds', async () => {
    expect((await read(await sign({ exp: now() - 20, nbf: now() + 20 }))).status).toBe(200);
  });

  it('must have the scope of the operation', async () => {
    const reader = bearer(await sign({ scope: 'transactions:read other' }));
    expect((await app.get('/v1/things', reader)).status).toBe(200);
    expect(await app.post('/v1/things', { name: 'x' }, reader)).toMatchObject({
      status: 403,
      body: { code: 'forbidden', detail: expect.stringContaining('transactions:write') },
    });
    expect((await app.get('/v1/special', reader)).status).toBe(403);
    expect((await read(await sign({ scope: undefined, scp: ['transactions:read'] }))).status).toBe(200);
    expect((await read(await sign({ scope: undefined, scp: 'special transactions:read' }))).status).toBe(200);
    expect((await read(await sign({ scope: undefined }))).status).toBe(403);
  });

  it('is not asked for by probes and pages', async () => {
    for (const url of ['/healthz', '/metrics', '/openapi.json', '/docs/'])
      expect((await app.get(url)).status).toBe(200);
  });
});

describe('the keys of the issuer', () => {
  it('are read once, and stay when the issuer goes away; without any the answer is 503', async () => {
    const other = await startApp(sample(), env);
    const token = await sign();
    const before = issuer.reads;
    for (let i = 0; i < 5; i++) expect((await other.get('/v1/things', bearer(token))).status).toBe(200);
    expect(issuer.reads).toBe(before + 1);
    issuer.broken = true;
    try {
      expect((await other.get('/v1/things', bearer(token))).status).toBe(200);
      const blind = await startApp(sample(), env);
      const answer = await blind.get('/v1/things', bearer(token));
      expect(answer).toMatchObject({ status: 503, body: { code: 'overloaded' } });
      expect(answer.headers['retry-after']).toBe('5');
      issuer.broken = false;
      await blind.close();
    } finally {
      issuer.broken = false;
      await other.close();
    }
  });
});

describe('behind a gateway', () => {
  it('believes its header, and says what is wrong with it', async () => {
    const open = await startApp(sample());
    expect((await open.get('/v1/things', { 'x-client-id': 'wallet' })).body).toEqual({ client: 'wallet' });
    expect((await open.get('/v1/things')).body).toEqual({ client: 'anonymous' });
    expect(await open.get('/v1/things', { 'x-client-id': 'a b' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '#/header/X-Client-Id' }] },
    });
    await open.close();
  });
});

describe('the configuration', () => {
  it('names what is missing, and takes no shared secrets', async () => {
    await expect(startApp(sample(), { AUTH_MODE: 'jwt' })).rejects.toThrow(
      /AUTH_ISSUER.*AUTH_AUDIENCE.*AUTH_JWKS_URL/s,
    );
    await expect(startApp(sample(), { ...env, AUTH_ALGORITHMS: 'RS256,HS256' })).rejects.toThrow(/AUTH_ALGORITHMS/);
    await expect(startApp(sample(), { AUTH_MODE: 'none' })).rejects.toThrow(/AUTH_MODE must be one of gateway, jwt/);
  });
});

describe('the rate limit', () => {
  it('is per client, told in headers, and off by default', async () => {
    const limited = await startApp(sample(), { RATE_LIMIT_PER_MINUTE: '3' });
    const ask = (client: string) => limited.get('/v1/things', { 'x-client-id': client });
    const first = await ask('a');
    expect(first.headers['ratelimit-policy']).toBe('"default";q=3;w=60');
    expect(first.headers.ratelimit).toMatch(/^"default";r=2;t=20$/);
    expect([(await ask('a')).status, (await ask('a')).status]).toEqual([200, 200]);
    const refused = await ask('a');
    expect(refused).toMatchObject({ status: 429, body: { code: 'rate-limited' } });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(20);
    expect((await ask('b')).status).toBe(200);
    expect((await limited.get('/healthz')).status).toBe(200);
    await limited.close();
    const open = await startApp(sample());
    expect((await open.get('/v1/things')).headers).not.toHaveProperty('ratelimit');
    await open.close();
  });
});

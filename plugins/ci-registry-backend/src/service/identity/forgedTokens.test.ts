/* eslint jest/expect-expect: ["warn", { "assertFunctionNames": ["expect", "expectRefused", "harness.expectRefused", "push.expect", "**.push.**.expect", "push.**.expect"] }] */
import { createHmac, randomUUID } from 'node:crypto';
import { exportJWK } from 'jose';
import { startHarness, type RefusedCase } from './__testUtils__/harness';
import { identityConfig, OLD_TOKEN } from './__testUtils__/identityConfig';
import {
  AUDIENCE,
  COMMIT,
  githubClaims,
  TestIssuer,
} from './__testUtils__/TestIssuer';

jest.setTimeout(60_000);

const now = () => Math.floor(Date.now() / 1000);
const encode = (value: unknown) =>
  Buffer.from(
    typeof value === 'string' ? value : JSON.stringify(value),
  ).toString('base64url');

let github: TestIssuer;
let gitlab: TestIssuer;
let other: TestIssuer;
let stranger: TestIssuer;
let harness: Awaited<ReturnType<typeof startHarness>>;

beforeAll(async () => {
  [github, gitlab, other, stranger] = await Promise.all([
    TestIssuer.start(),
    TestIssuer.start(),
    TestIssuer.start('ES256'),
    TestIssuer.start(),
  ]);
  harness = await startHarness({
    identity: identityConfig({ github, gitlab, other }),
  });
});

afterAll(async () => {
  await Promise.all([github, gitlab, other, stranger].map(i => i.stop()));
});

/** Claims that `sign` would fill in, without a signature of its own. */
const timed = (claims: object) => ({
  iss: github.url,
  jti: randomUUID(),
  iat: now(),
  exp: now() + 300,
  ...claims,
});

const hub = (claims: object = {}, header: Record<string, unknown> = {}) =>
  github.sign(githubClaims({ ...claims }), { header });

const forgedTokens: RefusedCase[] = [
  [
    'of an issuer that is not configured',
    401,
    'unknown-issuer',
    () => stranger.sign(githubClaims()),
    undefined,
    /No issuer "http:.*issuers/,
  ],
  [
    'that names our issuer but has another one’s key of the same id',
    401,
    'bad-signature',
    () => github.sign(githubClaims(), { key: stranger.key }),
  ],
  [
    'of another issuer of ours, in the name of the first',
    401,
    'bad-signature',
    () => gitlab.sign(githubClaims({ iss: github.url })),
  ],
  [
    'for another audience',
    401,
    'wrong-audience',
    () => hub({ aud: 'https://vault.example.com' }),
    undefined,
    /aud.*rocket\.example\.com/,
  ],
  [
    'for an audience that begins as ours',
    401,
    'wrong-audience',
    () => hub({ aud: `${AUDIENCE}.evil.com` }),
  ],
  [
    'without an audience',
    401,
    'missing-audience',
    () => hub({ aud: undefined }),
  ],
  ['for an empty audience', 401, 'wrong-audience', () => hub({ aud: '' })],
  [
    'for several audiences, ours among them',
    401,
    'several-audiences',
    () => hub({ aud: [AUDIENCE, 'https://vault.example.com'] }),
  ],
  [
    'with an object for an audience',
    401,
    'wrong-audience',
    () => hub({ aud: { 0: AUDIENCE } }),
  ],
  [
    'with alg none and no signature',
    401,
    'forbidden-algorithm',
    () =>
      `${encode({ alg: 'none', kid: 'key-1' })}.${encode(
        timed(githubClaims()),
      )}.`,
    undefined,
    /alg.*"none".*RS256/,
  ],
  [
    'with alg NONE and a signature',
    401,
    'forbidden-algorithm',
    async () => {
      const [, payload, signature] = (await hub()).split('.');
      return `${encode({ alg: 'NONE', kid: 'key-1' })}.${payload}.${signature}`;
    },
  ],
  [
    'with HS256 and our public key as the secret',
    401,
    'forbidden-algorithm',
    async () => {
      const text = `${encode({
        alg: 'HS256',
        kid: 'key-1',
        typ: 'JWT',
      })}.${encode(timed(githubClaims()))}`;
      return `${text}.${createHmac('sha256', await github.publicPem())
        .update(text)
        .digest('base64url')}`;
    },
  ],
  [
    'with an algorithm that is not allowed here',
    401,
    'forbidden-algorithm',
    () => github.sign(githubClaims(), { key: other.key }),
  ],
  [
    'without an algorithm',
    401,
    'forbidden-algorithm',
    () => `${encode({ kid: 'key-1' })}.${encode(timed(githubClaims()))}.AAAA`,
  ],
  [
    'that expired',
    401,
    'expired',
    () => hub({ iat: now() - 600, exp: now() - 60 }),
  ],
  [
    'without an expiry',
    401,
    'missing-claim',
    () => hub({ exp: undefined }),
    undefined,
    /exp/,
  ],
  [
    'with a text for an expiry',
    401,
    'malformed-claim',
    () => hub({ exp: String(now() + 300) }),
    undefined,
    /exp/,
  ],
  [
    'that is valid only later',
    401,
    'not-yet-valid',
    () => hub({ nbf: now() + 120 }),
  ],
  [
    'issued in the future',
    401,
    'issued-in-future',
    () => hub({ iat: now() + 120, exp: now() + 600 }),
  ],
  [
    'issued too long ago, however long it lives',
    401,
    'too-old',
    () => hub({ iat: now() - 3600, exp: now() + 3600 }),
  ],
  [
    'without the time of its issue',
    401,
    'missing-claim',
    () => hub({ iat: undefined }),
    undefined,
    /iat/,
  ],
  [
    'with a key id that nobody has',
    401,
    'unknown-key',
    () => hub({}, { kid: 'key-9' }),
    undefined,
    /key-9/,
  ],
  [
    'without a key id',
    401,
    'missing-key-id',
    () => hub({}, { kid: undefined }),
  ],
  [
    'with an embedded key',
    401,
    'forbidden-header',
    async () =>
      github.sign(githubClaims(), {
        key: stranger.key,
        header: { jwk: await exportJWK(stranger.key.publicKey) },
      }),
    undefined,
    /jwk/,
  ],
  [
    'with the address of a key set',
    401,
    'forbidden-header',
    () =>
      github.sign(githubClaims(), {
        key: stranger.key,
        header: { jku: `${stranger.url}/jwks` },
      }),
    undefined,
    /jku/,
  ],
  [
    'with the address of a certificate',
    401,
    'forbidden-header',
    () => hub({}, { x5u: `${stranger.url}/cert.pem` }),
    undefined,
    /x5u/,
  ],
  [
    'with a certificate',
    401,
    'forbidden-header',
    () => hub({}, { x5c: ['AAAA'] }),
    undefined,
    /x5c/,
  ],
  [
    'whose payload was changed',
    401,
    'bad-signature',
    async () => {
      const [header, , signature] = (await hub()).split('.');
      return `${header}.${encode(
        timed(githubClaims({ repository: 'acme/other' })),
      )}.${signature}`;
    },
  ],
  [
    'whose signature was cut',
    401,
    'bad-signature',
    async () => (await hub()).slice(0, -20),
  ],
  [
    'that is too large',
    401,
    'token-too-large',
    () => hub({ padding: 'x'.repeat(10_000) }),
  ],
  ['that is no token', 401, 'unknown-token', () => 'let-me-in'],
  [
    'of three parts that are nothing',
    401,
    'malformed-token',
    () => 'aaaa.bbbb.cccc',
  ],
  [
    'with a header that is nothing',
    401,
    'malformed-token',
    () => `AAAA.${encode(timed(githubClaims()))}.AAAA`,
  ],
  [
    'with a payload that is a list',
    401,
    'malformed-token',
    () => `${encode({ alg: 'RS256', kid: 'key-1' })}.${encode('[1]')}.AAAA`,
  ],
  [
    'that names its repository twice',
    401,
    'duplicate-claim',
    () =>
      github.signText(
        JSON.stringify(timed(githubClaims())).replace(
          '{',
          '{"repository":"acme/other",',
        ),
      ),
  ],
  [
    'that names its repository twice, once in disguise',
    401,
    'duplicate-claim',
    () =>
      github.signText(
        JSON.stringify(
          timed(githubClaims({ note: ['{"a":"\\"', { b: ':' }] })),
        ).replace('{', '{"\\u0072epository":"acme/other",'),
      ),
  ],
  [
    'whose claims are no JSON',
    401,
    'malformed-token',
    () => github.signText('repository=acme/ledger'),
  ],
  [
    'with a repository that is a number',
    401,
    'malformed-claim',
    () => hub({ repository: 7 }),
    undefined,
    /repository/,
  ],
  [
    'with a list for the commit',
    401,
    'malformed-claim',
    () => hub({ sha: [COMMIT] }),
    undefined,
    /sha/,
  ],
  [
    'with a repository that climbs',
    401,
    'malformed-claim',
    () => hub({ repository: 'evil/../acme/ledger' }),
    undefined,
    /repository/,
  ],
  [
    'without a repository',
    401,
    'missing-claim',
    () => hub({ repository: undefined }),
    undefined,
    /repository/,
  ],
  [
    'without a token id',
    401,
    'missing-claim',
    () => hub({ jti: undefined }),
    undefined,
    /jti/,
  ],
  [
    'with a protected flag that is neither',
    401,
    'malformed-claim',
    () => hub({ ref_protected: 'yes' }),
    undefined,
    /ref_protected/,
  ],
  [
    'of a static kind that expired',
    401,
    'expired',
    () => OLD_TOKEN,
    undefined,
    /"old" expired/,
  ],
];

it.each(forgedTokens.map(([name, ...rest]) => ({ name, rest })))(
  'refuses a token $name',
  async ({ rest: [status, code, make, body, names] }) => {
    const token = await make();
    await harness.expectRefused(token, body, { status, code, names });
  },
);

it('has a row for each of them and asked no address of a token', async () => {
  const refused = await harness.decisions('allowed=false&limit=500');
  expect(refused).toHaveLength(forgedTokens.length);
  expect(await harness.decisions('allowed=true')).toEqual([]);
  expect(stranger.requests).toBe(0);
});

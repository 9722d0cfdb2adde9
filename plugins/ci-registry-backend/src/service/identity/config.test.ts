import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigReader } from '@backstage/config';
import { parse } from 'yaml';
import { readIdentityConfig } from './config';

const rule = {
  name: 'r',
  from: 'github',
  repositories: 'https://github.com/acme/*',
  namespaces: 'default',
};
const github = { name: 'github', type: 'github' };
const base = { audience: 'rocket', issuers: [github], rules: [rule] };

const read = (identity?: object) =>
  readIdentityConfig(
    new ConfigReader(identity ? { ciRegistry: { identity } } : {}),
  );

it('takes Backstage’s own credentials only, unless told', () => {
  expect(read()).toEqual({
    issuers: [],
    staticTokens: [],
    rules: [],
    clockSkewMs: 30_000,
    keys: { timeoutMs: 5_000, maxAgeMs: 3_600_000, cooldownMs: 30_000 },
    decisions: { retentionMs: 400 * 86_400_000, maxUnknown: 100_000 },
  });
});

it.each([
  [
    { type: 'github' },
    'https://token.actions.githubusercontent.com',
    'https://token.actions.githubusercontent.com/.well-known/jwks',
    'https://github.com',
  ],
  [
    { type: 'github', host: 'https://ghe.example.com/' },
    'https://ghe.example.com/_services/token',
    'https://ghe.example.com/_services/token/.well-known/jwks',
    'https://ghe.example.com',
  ],
  [
    { type: 'gitlab' },
    'https://gitlab.com',
    'https://gitlab.com/oauth/discovery/keys',
    'https://gitlab.com',
  ],
  [
    { type: 'gitlab', host: 'https://git.example.com' },
    'https://git.example.com',
    'https://git.example.com/oauth/discovery/keys',
    'https://git.example.com',
  ],
])('knows where %j has its keys', (extra, issuer, jwksUrl, host) => {
  const { issuers } = read({
    ...base,
    issuers: [{ name: 'github', ...extra }],
  });
  expect(issuers[0]).toMatchObject({
    issuer,
    jwksUrl,
    host,
    audiences: ['rocket'],
    algorithms: ['RS256'],
  });
});

const token = {
  name: 'jenkins',
  sha256: 'a'.repeat(64),
  expires: '2027-06-30',
  repositories: 'https://git.example.com/*',
};
const other = {
  name: 'ci',
  type: 'oidc',
  issuer: 'https://ci.example.com',
  jwksUrl: 'https://ci.example.com/keys',
  claims: { repository: 'https://git.example.com/{project}' },
};
const withIssuer = (issuer: object) => ({
  ...base,
  issuers: [issuer],
  rules: [{ ...rule, from: (issuer as { name: string }).name }],
});
const withToken = (extra: object) => ({
  staticTokens: [{ ...token, ...extra }],
  rules: [{ ...rule, from: 'jenkins' }],
});
const withRule = (extra: object) => ({
  ...base,
  rules: [{ ...rule, ...extra }],
});

it('takes the example for companies', () => {
  const file = join(__dirname, '../../../../../app-config.production.yaml');
  const text = readFileSync(file, 'utf8');
  const environment: Record<string, string> = {
    ROCKET_URL: 'https://rocket.example.com',
    GITLAB_HOST: 'git.example.com',
  };
  const { ciRegistry } = parse(
    text.replace(/\$\{(\w+)\}/g, (_, name) => environment[name] ?? 'acme'),
  );
  const settings = readIdentityConfig(new ConfigReader({ ciRegistry }));
  expect(settings.issuers.map(({ issuer }) => issuer)).toEqual([
    'https://token.actions.githubusercontent.com',
    'https://git.example.com',
  ]);
  expect(settings.rules.map(({ environments }) => environments.length)).toEqual(
    [3, 3],
  );
});

it('reads rules, static tokens and other issuers', () => {
  expect(read(withIssuer(other)).issuers[0].algorithms).toEqual([
    'RS256',
    'ES256',
  ]);
  expect(read(withToken({})).staticTokens[0].expiresAt).toBe(
    Date.UTC(2027, 5, 30),
  );
  const { rules } = read(withRule({ claims: { repository_owner_id: 7 } }));
  expect(rules[0].claims[0].patterns[0].matches('7')).toBe(true);
});

it.each([
  [{ ...base, audience: undefined }, /issuers\.0 needs audience/],
  [{ ...base, rules: [] }, /no rule from "github"/],
  [{ ...base, issuers: [github, github] }, /"github" twice/],
  [
    {
      ...base,
      issuers: [github, { ...github, name: 'b' }],
      rules: [{ ...rule, from: ['github', 'b'] }],
    },
    /names "https:\/\/token.*twice/,
  ],
  [
    { ...base, clockSkew: { hours: 1 } },
    /clockSkew must lie between 0 and 300 seconds, is 3600/,
  ],
  [{ ...base, keys: { maxAge: { days: 30 } } }, /keys\.maxAge/],
  [
    { ...base, decisions: { retention: { seconds: 1 } } },
    /decisions\.retention/,
  ],
  [{ ...base, decisions: { maxUnknown: 1 } }, /decisions\.maxUnknown/],
  [
    withIssuer({ ...github, type: 'svn' }),
    /type must be github, gitlab or oidc/,
  ],
  [
    withIssuer({ ...github, jwksUrl: 'http://keys.example.com' }),
    /jwksUrl must begin with https/,
  ],
  [
    withIssuer({ ...github, issuer: 'https://u:p@x.example.com' }),
    /credentials/,
  ],
  [
    withIssuer({ ...github, algorithms: ['HS256'] }),
    /algorithms .*"HS256" is not possible/,
  ],
  [withIssuer({ ...github, algorithms: ['none'] }), /algorithms/],
  [withIssuer({ ...github, maxTokenAge: { days: 2 } }), /maxTokenAge/],
  [withIssuer({ ...other, issuer: undefined }), /needs issuer/],
  [
    withIssuer({ ...other, jwksUrl: undefined }),
    /jwks_uri in https:\/\/ci\.example\.com/,
  ],
  [
    withIssuer({ ...other, claims: { repository: 'https://x' } }),
    /claim in braces/,
  ],
  [withToken({ secret: 'x'.repeat(40) }), /either sha256 or secret/],
  [withToken({ sha256: undefined, secret: 'short' }), /at least 32/],
  [withToken({ sha256: 'xyz' }), /64 hexadecimal/],
  [withToken({ expires: 'never' }), /expires must be an ISO 8601/],
  [withToken({ expires: undefined }), /needs expires; it must be an ISO 8601/],
  [withToken({ repositories: [] }), /needs repositories/],
  [withRule({ from: 'gitlab' }), /from must name issuers.*"gitlab" is none/],
  [withRule({ namespaces: [] }), /needs namespaces/],
  [withRule({ repositories: undefined }), /needs claims or repositories/],
  [withRule({ repositories: undefined, claims: {} }), /needs claims or rep/],
  [withRule({ claims: { repository_owner_id: '' } }), /repository_owner_id/],
  [withRule({ namespaces: ['{'] }), /namespaces "\{" "\{" is not a claim/],
  [
    withRule({ events: ['push', 'pull_request'] }),
    /must not hold pull_request/,
  ],
  [
    withRule({ environments: [{ branches: ['main'] }] }),
    /environments\.0 needs name/,
  ],
])('says what is wrong with %j', (identity, message) => {
  expect(() => read(identity)).toThrow(message);
});

it.each(['too-short-to-be-true', 'x'.repeat(40)])(
  'does not tell the secret %s',
  secret => {
    const sha256 = secret.length < 32 ? undefined : 'a';
    let message = '';
    try {
      read(withToken({ secret, sha256 }));
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(/staticTokens\.0/);
    expect(message).not.toContain(secret);
  },
);

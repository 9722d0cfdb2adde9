import { createHash } from 'node:crypto';
import { AUDIENCE, type TestIssuer } from './TestIssuer';

export const STATIC_TOKEN = 'jenkins-0123456789abcdef0123456789abcdef';
export const OLD_TOKEN = 'expired-0123456789abcdef0123456789abcdef';

const sha256 = (text: string) =>
  createHash('sha256').update(text).digest('hex');

/** One issuer of each type, two static tokens, and rules for all. */
export function identityConfig(issuers: {
  github: TestIssuer;
  gitlab: TestIssuer;
  other: TestIssuer;
}) {
  return {
    audience: AUDIENCE,
    keys: { cooldown: { milliseconds: 0 }, timeout: { milliseconds: 300 } },
    issuers: [
      {
        name: 'github',
        type: 'github',
        issuer: issuers.github.url,
        jwksUrl: `${issuers.github.url}/jwks`,
      },
      {
        name: 'gitlab',
        type: 'gitlab',
        host: 'https://gitlab.example.com',
        issuer: issuers.gitlab.url,
        jwksUrl: `${issuers.gitlab.url}/jwks`,
      },
      {
        name: 'other',
        type: 'oidc',
        issuer: issuers.other.url,
        jwksUrl: `${issuers.other.url}/jwks`,
        claims: {
          repository: 'https://{ci.example.com/origin}',
          ref: 'ci.example.com/ref',
          commit: 'ci.example.com/sha',
          run: 'build',
        },
        refuse: { 'pull-request': '*' },
      },
    ],
    staticTokens: [
      {
        name: 'jenkins',
        sha256: sha256(STATIC_TOKEN),
        expires: '2099-01-01',
        repositories: ['https://git.example.com/acme/*'],
      },
      {
        name: 'old',
        secret: OLD_TOKEN,
        expires: '2026-01-01T00:00:00Z',
        repositories: ['**'],
      },
    ],
    rules: [
      {
        name: 'acme-on-github',
        from: 'github',
        claims: { repository_owner: 'acme', repository_owner_id: 2001 },
        namespaces: ['default', '{repository_owner}'],
        owners: ['group:default/*'],
        kinds: ['Component', 'API'],
        environments: [
          {
            name: 'production',
            branches: ['main'],
            tags: ['v*'],
            protected: true,
          },
          { name: 'preview-*' },
          { name: 'sealed', branches: ['main'], claimed: true },
        ],
      },
      {
        name: 'others',
        from: ['gitlab', 'other', 'jenkins', 'old'],
        repositories: '**',
        namespaces: ['default'],
        environments: [
          { name: 'production', branches: ['main'] },
          { name: 'staging' },
        ],
      },
    ],
  };
}

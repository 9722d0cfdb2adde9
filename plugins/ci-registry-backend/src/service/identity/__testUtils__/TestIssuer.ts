import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import {
  CompactSign,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  SignJWT,
  type JWK,
  type JWTPayload,
  type KeyLike,
} from 'jose';

interface Key {
  kid: string;
  alg: string;
  privateKey: KeyLike;
  publicKey: KeyLike;
  jwk: JWK;
}

async function makeKey(kid: string, alg: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
  return { kid, alg, privateKey, publicKey, jwk };
}

/** An issuer of tokens on this machine, as a Git host has one. */
export class TestIssuer {
  static async start(alg = 'RS256', kid = 'key-1'): Promise<TestIssuer> {
    const issuer = new TestIssuer(await makeKey(kid, alg));
    await new Promise<void>(resolve => {
      issuer.#server.listen(0, '127.0.0.1', resolve);
    });
    return issuer;
  }

  /** How the key server behaves. */
  mode: 'ok' | 'hangs' | 'fails' | 'garbage' | 'huge' | 'redirects' | 'away' =
    'ok';
  /** How often keys were asked for. */
  requests = 0;
  key: Key;
  /** Listed beside the key. */
  extra: JWK[] = [];
  readonly #server: Server;

  private constructor(key: Key) {
    this.key = key;
    this.#server = createServer((_req, res) => {
      this.requests++;
      if (this.mode === 'hangs') return;
      if (this.mode === 'away') {
        res.destroy();
      } else if (this.mode === 'fails') {
        res.writeHead(503).end();
      } else if (this.mode === 'redirects') {
        res.writeHead(302, { location: '/elsewhere' }).end();
      } else if (this.mode === 'garbage') {
        res.end('<html>Sign in</html>');
      } else if (this.mode === 'huge') {
        res.end(JSON.stringify({ keys: [], padding: 'x'.repeat(1_000_000) }));
      } else {
        res.end(JSON.stringify({ keys: [this.key.jwk, ...this.extra] }));
      }
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async rotate(kid: string): Promise<void> {
    this.key = await makeKey(kid, this.key.alg);
  }

  publicPem(): Promise<string> {
    return exportSPKI(this.key.publicKey);
  }

  /** A token with these claims; times in seconds from now unless the claims have them. */
  async sign(
    claims: Record<string, unknown>,
    options: { header?: Record<string, unknown>; key?: Key } = {},
  ): Promise<string> {
    const key = options.key ?? this.key;
    const now = Math.floor(Date.now() / 1000);
    const all = {
      iss: this.url,
      jti: randomUUID(),
      iat: now,
      nbf: now,
      exp: now + 300,
      ...claims,
    };
    return new SignJWT(JSON.parse(JSON.stringify(all)) as JWTPayload)
      .setProtectedHeader({
        alg: key.alg,
        kid: key.kid,
        typ: 'JWT',
        ...options.header,
      })
      .sign(key.privateKey);
  }

  /** A token with just this text as its claims. */
  signText(text: string): Promise<string> {
    return new CompactSign(new TextEncoder().encode(text))
      .setProtectedHeader({ alg: this.key.alg, kid: this.key.kid })
      .sign(this.key.privateKey);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}

export const COMMIT = 'a'.repeat(40);
export const AUDIENCE = 'https://rocket.example.com';

/** As GitHub Actions signs them. */
export function githubClaims(extra: Record<string, unknown> = {}) {
  return {
    aud: AUDIENCE,
    sub: 'repo:acme/ledger:ref:refs/heads/main',
    repository: 'acme/ledger',
    repository_id: '1001',
    repository_owner: 'acme',
    repository_owner_id: '2001',
    ref: 'refs/heads/main',
    ref_type: 'branch',
    ref_protected: 'true',
    sha: COMMIT,
    event_name: 'push',
    head_ref: '',
    base_ref: '',
    run_id: '42',
    run_attempt: '1',
    check_run_id: '4242',
    ...extra,
  };
}

/** As GitLab CI signs them. */
export function gitlabClaims(extra: Record<string, unknown> = {}) {
  return {
    aud: AUDIENCE,
    sub: 'project_path:acme/payments/cards:ref_type:branch:ref:main',
    namespace_id: '72',
    namespace_path: 'acme/payments',
    project_id: '20',
    project_path: 'acme/payments/cards',
    job_project_id: '20',
    job_project_path: 'acme/payments/cards',
    pipeline_id: '574',
    pipeline_source: 'push',
    job_id: '302',
    ref: 'main',
    ref_type: 'branch',
    ref_path: 'refs/heads/main',
    ref_protected: 'true',
    sha: COMMIT,
    ...extra,
  };
}

/** As some other CI system signs them. */
export function otherClaims(extra: Record<string, unknown> = {}) {
  return {
    aud: AUDIENCE,
    sub: 'org/1/project/2',
    'ci.example.com/origin': 'git.example.com/acme/fees',
    'ci.example.com/ref': 'refs/heads/main',
    'ci.example.com/sha': COMMIT,
    build: 77,
    ...extra,
  };
}

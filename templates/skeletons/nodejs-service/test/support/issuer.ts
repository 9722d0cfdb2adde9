import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

export const ISSUER = 'https://issuer.example/';
export const AUDIENCE = 'ledger';

/** An issuer of tokens of our own, with the keys that it publishes. */
export class Issuer {
  readonly keys: JWK[] = [];
  readonly #server: Server;
  reads = 0;
  broken = false;

  constructor() {
    this.#server = createServer((_request, response) => {
      this.reads += 1;
      if (this.broken) return response.writeHead(500).end();
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify({ keys: this.keys }));
    });
  }

  /** Begins to answer; the settings with which a service believes it. */
  async start(): Promise<Record<string, string>> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/keys`;
    return { AUTH_MODE: 'jwt', AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE, AUTH_JWKS_URL: url };
  }

  async key(alg: string, kid: string): Promise<CryptoKey> {
    const { privateKey, publicKey } = await generateKeyPair(alg);
    this.keys.push({ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' });
    return privateKey;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise(resolve => this.#server.close(() => resolve()));
  }
}

/** A token of the client `wallet` for a minute, with these claims changed; undefined leaves one out. */
export function signToken(
  key: CryptoKey,
  changes: Record<string, unknown> = {},
  header = { alg: 'RS256', kid: 'rsa' },
): Promise<string> {
  return new SignJWT(tokenClaims(changes)).setProtectedHeader(header).sign(key);
}

export function tokenClaims(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const scope = 'transactions:read transactions:write';
  const exp = Math.floor(Date.now() / 1_000) + 60;
  return { iss: ISSUER, aud: AUDIENCE, sub: 'user-1', client_id: 'wallet', scope, exp, ...changes };
}

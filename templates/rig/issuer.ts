/** An issuer of bearer tokens on the loopback, so that services can be run as behind a real one. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const ISSUER = 'https://issuer.example/';
const AUDIENCE = 'rig';
const encode = (value: object) =>
  Buffer.from(JSON.stringify(value)).toString('base64url');

export class Issuer {
  readonly #pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  readonly #server: Server = createServer((_request, response) => {
    const key = this.#pair.publicKey.export({ format: 'jwk' });
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        keys: [{ ...key, kid: 'rig', alg: 'RS256', use: 'sig' }],
      }),
    );
  });

  async start(): Promise<void> {
    await new Promise<void>(resolve =>
      this.#server.listen(0, '127.0.0.1', resolve),
    );
  }

  /** What a service has to be told to believe this issuer. */
  get settings() {
    const { port } = this.#server.address() as AddressInfo;
    return {
      AUTH_MODE: 'jwt',
      AUTH_ISSUER: ISSUER,
      AUTH_AUDIENCE: AUDIENCE,
      AUTH_JWKS_URL: `http://127.0.0.1:${port}/keys`,
    };
  }

  /** A token of a client that is good for an hour. */
  token(client: string, scopes: string[]): string {
    const now = Math.floor(Date.now() / 1000);
    const signed = [
      encode({ alg: 'RS256', kid: 'rig', typ: 'JWT' }),
      encode({
        iss: ISSUER,
        aud: AUDIENCE,
        sub: client,
        client_id: client,
        scope: scopes.join(' '),
        iat: now,
        exp: now + 3600,
      }),
    ].join('.');
    const signature = sign(
      'sha256',
      Buffer.from(signed),
      this.#pair.privateKey,
    );
    return `${signed}.${signature.toString('base64url')}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}

import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  jwtVerify,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose';
import type { AuthConfig } from '../config.ts';
import { invalid, ProblemError } from '../problems.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; null on addresses that ask nobody. */
    clientId: string | null;
  }
  interface FastifyContextConfig {
    /** Needed in a token, instead of `<service>:read` or `<service>:write`. */
    scope?: string;
  }
}

const CLIENT = /^[A-Za-z0-9._:@/|-]{1,128}$/;
/** How long keys that were read once are used while the issuer does not answer. */
const STALE_KEYS_MS = 24 * 3_600_000;

/** The client that was authenticated before the route began. */
export function clientOf(request: FastifyRequest): string {
  if (request.clientId === null) throw new Error(`${request.url} is not behind the authentication`);
  return request.clientId;
}

/**
 * Authenticates every request below this instance. `service` begins the scopes: `<service>:read` for GET and HEAD,
 * `<service>:write` for the rest.
 */
export function authenticate(app: FastifyInstance, config: AuthConfig, service: string): void {
  app.decorateRequest('clientId', null);
  const identify = config.mode === 'gateway' ? byGateway : byToken(config, service);
  app.addHook('onRequest', async (request, reply) => {
    try {
      request.clientId = await identify(request);
    } catch (error) {
      if (error instanceof ProblemError && error.status === 401) reply.header('www-authenticate', 'Bearer');
      throw error;
    }
  });
}

/** The gateway in front has authenticated the caller; the service must not be reachable around it. */
async function byGateway(request: FastifyRequest): Promise<string> {
  const client = request.headers['x-client-id'] ?? 'anonymous';
  if (typeof client !== 'string' || !CLIENT.test(client)) {
    throw invalid('#/header/X-Client-Id', 'pattern', 'must be 1 to 128 letters, digits or any of . _ : @ / | -');
  }
  return client;
}

function unauthenticated(detail: string, cause?: unknown): ProblemError {
  return new ProblemError('unauthenticated', detail, { cause });
}

function byToken(config: Extract<AuthConfig, { mode: 'jwt' }>, service: string) {
  const keys = keysOf(new URL(config.jwksUrl));
  return async (request: FastifyRequest): Promise<string> => {
    const token = /^Bearer ([\w.~+/-]+=*)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) throw unauthenticated('Send a header Authorization with a bearer token.');
    const claims = await verify(token, keys, config);
    const client = claims.client_id ?? claims.azp ?? claims.sub;
    if (typeof client !== 'string' || !CLIENT.test(client)) {
      throw unauthenticated('The token names no client that this service can work with.');
    }
    const reads = request.method === 'GET' || request.method === 'HEAD';
    const needed = request.routeOptions.config.scope ?? `${service}:${reads ? 'read' : 'write'}`;
    if (!scopesOf(claims).includes(needed)) {
      throw new ProblemError('forbidden', `The token lacks the scope ${needed}.`);
    }
    return client;
  };
}

async function verify(
  token: string,
  keys: JWTVerifyGetKey,
  config: Extract<AuthConfig, { mode: 'jwt' }>,
): Promise<JWTPayload> {
  const { issuer, audience, algorithms, clockTolerance } = config;
  try {
    const options = { issuer, audience, algorithms, clockTolerance, requiredClaims: ['exp'] };
    return (await jwtVerify(token, keys, options)).payload;
  } catch (error) {
    // What the caller can do something about; a key set that cannot be had is not among it.
    if (error instanceof KeysUnavailable) {
      throw new ProblemError('overloaded', 'The keys of the issuer of tokens cannot be read.', {
        retryAfterSeconds: 5,
        cause: error.cause,
      });
    }
    if (error instanceof errors.JWTExpired) throw unauthenticated('The token is expired.', error);
    throw unauthenticated('The token is not one of the issuer for this service.', error);
  }
}

class KeysUnavailable extends Error {}

/** The keys of the issuer: read when a key is not known, at most every 30 seconds, and anew after ten minutes. */
function keysOf(url: URL): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(url, { timeoutDuration: 3_000, cooldownDuration: 30_000, cacheMaxAge: 600_000 });
  let known: { set: JSONWebKeySet; keys: ReturnType<typeof createLocalJWKSet>; readAt: number } | undefined;
  return async (header, token) => {
    try {
      const key = await remote(header, token);
      const set = remote.jwks();
      if (set !== undefined && set === known?.set) known.readAt = Date.now();
      else if (set !== undefined) known = { set, keys: createLocalJWKSet(set), readAt: Date.now() };
      return key;
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      if (known !== undefined && Date.now() - known.readAt < STALE_KEYS_MS) return known.keys(header, token);
      throw new KeysUnavailable('no keys', { cause: error });
    }
  };
}

function scopesOf(claims: JWTPayload): string[] {
  const { scope, scp } = claims as { scope?: unknown; scp?: unknown };
  if (typeof scope === 'string') return scope.split(' ');
  if (typeof scp === 'string') return scp.split(' ');
  return Array.isArray(scp) ? scp.map(String) : [];
}

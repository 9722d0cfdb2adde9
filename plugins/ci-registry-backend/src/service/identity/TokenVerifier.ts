import { hash } from 'node:crypto';
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose';
import { KeySet } from './KeySet';
import { NotAuthenticated, quote } from './refusal';
import type { IdentitySettings, IssuerSettings } from './settings';

/** GitLab lists up to 200 groups in a token; more than this is no token. */
const MAX_TOKEN_BYTES = 12 * 1024;
/** Keys that a token brings along, or extensions that nobody here knows. */
const FORBIDDEN_HEADERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit'];

export interface VerifiedToken {
  settings: IssuerSettings;
  claims: JWTPayload;
  /** ms since 1970. */
  issuedAt: number;
  expiresAt: number;
  /** Of the issuer and its token id; of the token itself when it has no id. Hexadecimal. */
  id: string;
  /** SHA-256 of the token, hexadecimal. */
  hash: string;
}

export function sha256(text: string): string {
  return hash('sha256', text);
}

/** Whether a bearer token has the shape of a signed JSON Web Token. */
export function looksSigned(token: string): boolean {
  return /^[\w-]*\.[\w-]*\.[\w-]*$/.test(token);
}

/** How many names the object of this JSON text has, doubles included. */
function countNames(json: string): number {
  let depth = 0;
  let names = 0;
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === '"') {
      for (i++; json[i] !== '"'; i++) if (json[i] === '\\') i++;
    } else if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') depth--;
    else if (c === ':' && depth === 1) names++;
  }
  return names;
}

/** Checks tokens of the configured issuers. No address in a token is ever read. */
export class TokenVerifier {
  readonly #settings: IdentitySettings;
  readonly #now: () => number;
  readonly #issuers = new Map<
    string,
    { settings: IssuerSettings; keys: KeySet }
  >();

  constructor(settings: IdentitySettings, now: () => number = Date.now) {
    this.#settings = settings;
    this.#now = now;
    for (const issuer of settings.issuers) {
      this.#issuers.set(issuer.issuer, {
        settings: issuer,
        keys: new KeySet({ url: issuer.jwksUrl, ...settings.keys, now }),
      });
    }
  }

  /** The issuer that an unverified token names, when it is ours to check. */
  claimedIssuer(token: string): string | undefined {
    if (token.length > MAX_TOKEN_BYTES) return undefined;
    try {
      const { iss } = decodeJwt(token);
      return typeof iss === 'string' ? iss : undefined;
    } catch {
      return undefined;
    }
  }

  knows(issuer: string | undefined): boolean {
    return issuer !== undefined && this.#issuers.has(issuer);
  }

  /** Throws `NotAuthenticated`, or `KeysUnavailable` when the issuer's keys cannot be had. */
  async verify(token: string): Promise<VerifiedToken> {
    if (token.length > MAX_TOKEN_BYTES) {
      throw new NotAuthenticated(
        'token-too-large',
        `The token has more than ${MAX_TOKEN_BYTES} characters`,
      );
    }
    const iss = this.claimedIssuer(token);
    if (iss === undefined) {
      throw new NotAuthenticated(
        'malformed-token',
        'The token is not a JSON Web Token that names its issuer (iss)',
      );
    }
    const issuer = this.#issuers.get(iss);
    if (!issuer) {
      throw new NotAuthenticated(
        'unknown-issuer',
        `No issuer ${quote(iss)} is configured in ciRegistry.identity.issuers`,
      );
    }
    const { settings } = issuer;
    this.#checkHeader(token, settings);
    let claims: JWTPayload;
    try {
      const keys: JWTVerifyGetKey = header => issuer.keys.get(header);
      ({ payload: claims } = await jwtVerify(token, keys, {
        issuer: settings.issuer,
        audience: settings.audiences,
        algorithms: settings.algorithms,
        clockTolerance: this.#settings.clockSkewMs / 1000,
        maxTokenAge: settings.maxTokenAgeMs / 1000,
        requiredClaims: ['iss', 'aud', 'exp', 'iat', 'sub'],
        currentDate: new Date(this.#now()),
      }));
    } catch (error) {
      throw explain(error, settings);
    }
    const json = Buffer.from(token.split('.')[1], 'base64url').toString('utf8');
    if (countNames(json) !== Object.keys(claims).length) {
      throw new NotAuthenticated(
        'duplicate-claim',
        'The token holds a claim twice',
      );
    }
    if (Array.isArray(claims.aud) && claims.aud.length !== 1) {
      throw new NotAuthenticated(
        'several-audiences',
        `The token's audience (aud) names several services, each of which could use it here; ask for one with ${quote(
          settings.audiences[0],
        )} alone`,
      );
    }
    const tokenHash = sha256(token);
    return {
      settings,
      claims,
      issuedAt: claims.iat! * 1000,
      expiresAt: claims.exp! * 1000,
      id: sha256(`${settings.issuer}\n${claims.jti ?? tokenHash}`),
      hash: tokenHash,
    };
  }

  #checkHeader(token: string, settings: IssuerSettings): void {
    let header: Record<string, unknown>;
    try {
      header = decodeProtectedHeader(token);
    } catch {
      throw new NotAuthenticated(
        'malformed-token',
        'The token is not a JSON Web Token',
      );
    }
    if (!settings.algorithms.includes(header.alg as string)) {
      throw new NotAuthenticated(
        'forbidden-algorithm',
        `The token's algorithm (alg) ${quote(
          header.alg,
        )} is not taken; allowed: ${settings.algorithms.join(', ')}`,
      );
    }
    const forbidden = FORBIDDEN_HEADERS.find(name => name in header);
    if (forbidden) {
      throw new NotAuthenticated(
        'forbidden-header',
        `The token's header must not hold ${forbidden}: only the keys of the configured issuer count`,
      );
    }
    if (typeof header.kid !== 'string' || !header.kid) {
      throw new NotAuthenticated(
        'missing-key-id',
        "The token's header lacks the id of its key (kid)",
      );
    }
  }
}

/** jose's error in our words. */
function explain(error: unknown, settings: IssuerSettings): unknown {
  const { claim, reason, code } = error as {
    claim?: string;
    reason?: string;
    code?: string;
  };
  if (error instanceof errors.JWTExpired) {
    return claim === 'exp'
      ? new NotAuthenticated(
          'expired',
          'The token expired (exp); ask the CI system for a new one',
        )
      : new NotAuthenticated(
          'too-old',
          `The token was issued (iat) more than ${
            settings.maxTokenAgeMs / 60_000
          } minutes ago; ask the CI system for a new one`,
        );
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (reason === 'missing') {
      return new NotAuthenticated(
        claim === 'aud' ? 'missing-audience' : 'missing-claim',
        `The token lacks the claim ${claim}`,
      );
    }
    if (reason === 'invalid') {
      return new NotAuthenticated(
        'malformed-claim',
        `The claim ${claim} of the token has the wrong type`,
      );
    }
    if (claim === 'aud') {
      return new NotAuthenticated(
        'wrong-audience',
        `The token is meant for another service: its audience (aud) must be ${quote(
          settings.audiences[0],
        )}`,
      );
    }
    if (claim === 'nbf') {
      return new NotAuthenticated(
        'not-yet-valid',
        'The token is not valid yet (nbf)',
      );
    }
    if (claim === 'iat') {
      return new NotAuthenticated(
        'issued-in-future',
        'The token was issued in the future (iat)',
      );
    }
    return new NotAuthenticated(
      'malformed-claim',
      `The claim ${claim} of the token is not valid`,
    );
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return new NotAuthenticated(
      'bad-signature',
      "The token's signature does not fit the issuer's key",
    );
  }
  if (typeof code === 'string' && code.startsWith('ERR_J')) {
    return new NotAuthenticated(
      'malformed-token',
      'The token is not a JSON Web Token that the keys of its issuer can check',
    );
  }
  return error;
}

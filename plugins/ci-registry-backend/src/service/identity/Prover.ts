import { hash as digest, timingSafeEqual } from 'node:crypto';
import type {
  BackstageCredentials,
  HttpAuthService,
} from '@backstage/backend-plugin-api';
import type { PusherIdentity } from '@rocket/plugin-ci-registry-common';
import type express from 'express';
import { readFacts, type TokenFacts } from './claims';
import { NotAuthenticated, NotPermitted, quote } from './refusal';
import type { IdentitySettings } from './settings';
import {
  looksSigned,
  TokenVerifier,
  type VerifiedToken,
} from './TokenVerifier';

/** How sure we are of a caller; never leaves this folder. */
export type Proof =
  | { type: 'backstage'; credentials: BackstageCredentials }
  | {
      type: 'token' | 'static';
      /** Name of the issuer or static token. */
      from: string;
      facts: TokenFacts;
      token?: VerifiedToken;
    };

function bearer(req: express.Request): string | undefined {
  return req.headers.authorization?.match(/^Bearer +(\S+)$/i)?.[1];
}

/** Makes sure who calls. */
export class Prover {
  readonly #settings: IdentitySettings;
  readonly #httpAuth: HttpAuthService;
  readonly #verifier: TokenVerifier;
  readonly #now: () => number;

  constructor(options: {
    settings: IdentitySettings;
    httpAuth: HttpAuthService;
    now: () => number;
  }) {
    this.#settings = options.settings;
    this.#httpAuth = options.httpAuth;
    this.#now = options.now;
    this.#verifier = new TokenVerifier(options.settings, options.now);
  }

  /** Throws `NotAuthenticated`, or `KeysUnavailable`. */
  async prove(
    req: express.Request,
  ): Promise<{ identity: PusherIdentity; proof: Proof }> {
    const token = bearer(req);
    if (token !== undefined) {
      if (
        looksSigned(token) &&
        this.#verifier.knows(this.#verifier.claimedIssuer(token))
      ) {
        const verified = await this.#verifier.verify(token);
        const facts = readFacts(verified.claims, verified.settings);
        return {
          identity: facts.identity,
          proof: {
            type: 'token',
            from: verified.settings.name,
            facts,
            token: verified,
          },
        };
      }
      const from = this.#matchStatic(token);
      if (from !== undefined) {
        const identity: PusherIdentity = {
          type: 'static',
          subject: `token:${from}`,
        };
        return {
          identity,
          proof: { type: 'static', from, facts: { identity, claims: {} } },
        };
      }
    }
    return this.#proveBackstage(req, token);
  }

  async #proveBackstage(
    req: express.Request,
    token: string | undefined,
  ): Promise<{ identity: PusherIdentity; proof: Proof }> {
    let credentials;
    try {
      credentials = await this.#httpAuth.credentials(req, {
        allow: ['user', 'service'],
      });
    } catch (error) {
      const { name } = error as Error;
      if (name === 'NotAllowedError') {
        throw new NotPermitted('wrong-caller', (error as Error).message);
      }
      if (name !== 'AuthenticationError') throw error;
      if (token === undefined) {
        throw new NotAuthenticated(
          'missing-credentials',
          'Send a token: Authorization: Bearer …',
        );
      }
      if (looksSigned(token)) {
        // Says what is wrong with it, and never succeeds: its issuer is not ours.
        await this.#verifier.verify(token);
      }
      throw new NotAuthenticated(
        'unknown-token',
        'The token is neither one of Backstage, nor of a configured issuer, nor a static token that is valid',
      );
    }
    const { principal } = credentials;
    return {
      identity:
        principal.type === 'user'
          ? { type: 'user', subject: principal.userEntityRef }
          : { type: 'service', subject: principal.subject },
      proof: { type: 'backstage', credentials },
    };
  }

  /** Name of the static token; takes as long whichever it is. */
  #matchStatic(token: string): string | undefined {
    const hash = digest('sha256', token, 'buffer');
    const found = this.#settings.staticTokens.filter(known =>
      timingSafeEqual(known.hash, hash),
    )[0];
    if (found && found.expiresAt <= this.#now()) {
      throw new NotAuthenticated(
        'expired',
        `The static token ${quote(
          found.name,
        )} expired; configure a new one in ciRegistry.identity.staticTokens`,
      );
    }
    return found?.name;
  }
}

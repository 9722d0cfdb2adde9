import type {
  AuditorService,
  BackstageCredentials,
  HttpAuthService,
  LoggerService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import {
  AuthorizeResult,
  type BasicPermission,
} from '@backstage/plugin-permission-common';
import {
  ciRegistryRegisterPermission,
  type IdentityDecision,
  type PushRequest,
  type PusherIdentity,
} from '@rocket/plugin-ci-registry-common';
import type express from 'express';
import { RateLimiter, TooManyRequests } from '../RateLimiter';
import type { TokenFacts } from './claims';
import { DecisionLog, describeRequest, pathOf } from './DecisionLog';
import type { IdentityStore } from './IdentityStore';
import {
  checkHolders,
  checkRule,
  checkSource,
  heldEntities,
  selectRules,
} from './judge';
import { readNamed, type Named } from './named';
import { PushPermit } from './Permit';
import { Prover, type Proof } from './Prover';
import { isRefusal, NotAuthenticated, NotPermitted, quote } from './refusal';
import { bindingsOf, checkSeen, type Seen, toNote } from './seen';
import type { IdentityRule, IdentitySettings } from './settings';

/** Refusals of callers whom nobody knows, from one address; those beyond are answered with 429 and not kept. */
const MAX_KNOCKS_PER_MINUTE = 600;

interface Session {
  req: express.Request;
  proof: Proof;
}

/** Makes sure who calls, decides what they may, and keeps every decision. */
export class PipelineAuthenticator {
  readonly #settings: IdentitySettings;
  readonly #store: IdentityStore;
  readonly #permissions: PermissionsService;
  readonly #logger: LoggerService;
  readonly #prover: Prover;
  readonly #log: DecisionLog;
  readonly #now: () => number;
  readonly #knocks: RateLimiter;
  readonly #sessions = new WeakMap<PusherIdentity, Session>();

  constructor(options: {
    settings: IdentitySettings;
    store: IdentityStore;
    httpAuth: HttpAuthService;
    permissions: PermissionsService;
    auditor: AuditorService;
    logger: LoggerService;
    /** ms since 1970, for tests. */
    now?: () => number;
  }) {
    this.#settings = options.settings;
    this.#store = options.store;
    this.#permissions = options.permissions;
    this.#logger = options.logger;
    this.#now = options.now ?? Date.now;
    this.#knocks = new RateLimiter({
      perMinute: MAX_KNOCKS_PER_MINUTE,
      now: this.#now,
    });
    this.#prover = new Prover({ ...options, now: this.#now });
    this.#log = new DecisionLog({ ...options, now: this.#now });
  }

  /**
   * Who calls: a pipeline by the token of its CI system or a static token, or a Backstage user or service, who needs the
   * permission. Pass what it answers, itself, to the other methods. Throws 401, 403, or 503 when an issuer's keys cannot be had.
   */
  async authenticate(
    req: express.Request,
    permission: BasicPermission = ciRegistryRegisterPermission,
  ): Promise<PusherIdentity> {
    let known: PusherIdentity | undefined;
    try {
      const { identity, proof } = await this.#prover.prove(req);
      known = identity;
      this.#sessions.set(identity, { req, proof });
      if (proof.type === 'backstage') {
        await this.#requirePermission(proof.credentials, permission);
      }
      return identity;
    } catch (error) {
      if (error instanceof NotAuthenticated) {
        this.#countKnock(req);
      }
      await this.#log.refused(error, { req, identity: known ?? {} });
      throw error;
    }
  }

  /**
   * Whether the caller may push this; the request has the shape of `pushRequestSchema`, its repository normalized. Throws 403,
   * or 401 for a token whose job ended. `validate` is for what stores nothing.
   */
  async authorizePush(
    identity: PusherIdentity,
    request: PushRequest,
    options: { validate?: boolean } = {},
  ): Promise<PushPermit> {
    const session = this.#session(identity);
    let asked: IdentityDecision['request'] | undefined;
    try {
      const wanted = readNamed(request);
      asked = describeRequest(session.req, request, wanted);
      const { rule, seen } = await this.#decide(
        session.proof,
        request,
        wanted,
        Boolean(options.validate),
      );
      const context = { ...session, identity, asked, rule: rule?.name };
      const decision = this.#log.decide(context, {
        allowed: true,
        code: 'allowed',
        reason: rule
          ? `Allowed by rule ${quote(rule.name)}`
          : 'Allowed by permission',
      });
      await this.#log.audit(decision, context);
      if (options.validate) await this.#log.store(decision);
      return new PushPermit({
        store: this.#store,
        decision,
        seen,
        now: this.#now,
      });
    } catch (error) {
      await this.#log.refused(error, { ...session, identity, asked });
      throw error;
    }
  }

  /** Does the work with the permit; when the work fails, that is kept with the decision. */
  async withPermit<T>(
    identity: PusherIdentity,
    request: PushRequest,
    work: (permit: PushPermit) => Promise<T>,
  ): Promise<T> {
    const permit = await this.authorizePush(identity, request);
    try {
      return await work(permit);
    } catch (error) {
      const session = this.#session(identity);
      const asked = describeRequest(session.req, request, readNamed(request));
      await this.#log
        .keep(
          { ...session, identity, asked, rule: permit.rule },
          isRefusal(error)
            ? { allowed: false, code: error.code, reason: error.message }
            : {
                allowed: true,
                code: 'not-stored',
                reason: `Allowed, but the push was refused: ${
                  (error as Error).message
                }`.slice(0, 1000),
              },
        )
        .catch(failure =>
          this.#logger.error('A decision could not be kept', failure as Error),
        );
      throw error;
    }
  }

  /** Whether the caller may read; for a pipeline, that a rule covers it. */
  async authorizeRead(identity: PusherIdentity): Promise<void> {
    const session = this.#session(identity);
    const { proof, req } = session;
    if (proof.type === 'backstage') return;
    const asked = { method: req.method, path: pathOf(req) };
    try {
      const { facts } = proof;
      if (facts.foreign) throw foreign(facts.foreign);
      const rules = this.#settings.rules.filter(({ from }) =>
        from.includes(proof.from),
      );
      const selected = selectRules(
        rules,
        proof.from,
        facts,
        facts.identity.repository,
      );
      if (!Array.isArray(selected)) throw selected;
      await this.#checkSeen(proof, undefined, []);
      await this.#log.keep(
        { ...session, identity, asked, rule: selected[0].name },
        { allowed: true, code: 'allowed', reason: 'Reads what is registered' },
      );
    } catch (error) {
      await this.#log.refused(error, { ...session, identity, asked });
      throw error;
    }
  }

  /** Drops what need not be kept any longer. */
  async prune(): Promise<void> {
    const now = this.#now();
    const { retentionMs, maxUnknown } = this.#settings.decisions;
    await this.#store.prune({ now, before: now - retentionMs, maxUnknown });
  }

  /** Rows are for people to read; nobody can fill the table by knocking. */
  #countKnock(req: express.Request): void {
    try {
      this.#knocks.take(String(req.ip), '');
    } catch (error) {
      if (!(error instanceof TooManyRequests)) throw error;
      throw new TooManyRequests(
        error.retryAfter,
        `Too many calls of callers whom nobody knows came from this address; the next one is looked at in ${error.retryAfter} s`,
      );
    }
  }

  async #requirePermission(
    credentials: BackstageCredentials,
    permission: BasicPermission,
  ): Promise<void> {
    const [decision] = await this.#permissions.authorize([{ permission }], {
      credentials,
    });
    if (decision.result !== AuthorizeResult.ALLOW) {
      throw new NotPermitted(
        'missing-permission',
        `You need the permission ${permission.name}`,
      );
    }
  }

  #session(identity: PusherIdentity): Session {
    const session = this.#sessions.get(identity);
    if (!session) {
      throw new Error('This identity was not made by authenticate()');
    }
    return session;
  }

  async #decide(
    proof: Proof,
    request: PushRequest,
    wanted: Named,
    validate: boolean,
  ): Promise<{ rule?: IdentityRule; seen?: Seen }> {
    if (proof.type === 'backstage') return {};
    const { facts, from } = proof;
    const { repository } = request.source;
    if (facts.foreign) throw foreign(facts.foreign);
    const misplaced =
      proof.type === 'static'
        ? this.#checkStaticScope(from, repository)
        : checkSource(facts, request.source);
    if (misplaced) throw misplaced;
    const rules = selectRules(this.#settings.rules, from, facts, repository);
    if (!Array.isArray(rules)) throw rules;
    const seen = await this.#checkSeen(
      proof,
      validate ? undefined : request,
      heldEntities(wanted).map(({ ref }) => ref),
    );
    const refusals: NotPermitted[] = [];
    for (const rule of rules) {
      const refused =
        checkRule(rule, facts, wanted) ??
        checkHolders(rule, repository, wanted, seen.holders);
      if (!refused) return { rule, seen };
      refusals.push(refused);
    }
    const [first] = refusals;
    throw first;
  }

  #checkStaticScope(
    from: string,
    repository: string,
  ): NotPermitted | undefined {
    const { repositories } = this.#settings.staticTokens.find(
      ({ name }) => name === from,
    )!;
    return repositories.some(pattern => pattern.matches(repository, {}, true))
      ? undefined
      : new NotPermitted(
          'wrong-repository',
          `source.repository is ${quote(
            repository,
          )}, which the static token ${quote(from)} is not for`,
        );
  }

  /** What is known of the token, its run and its repository; throws when that speaks against it. */
  async #checkSeen(
    proof: Extract<Proof, { facts: TokenFacts }>,
    request: PushRequest | undefined,
    entityRefs: string[],
  ): Promise<Seen> {
    const bindings = proof.token ? bindingsOf(proof.facts) : [];
    const seen: Seen = {
      facts: proof.facts,
      token: proof.token,
      request,
      bindings,
      clockSkewMs: this.#settings.clockSkewMs,
      holders: new Map(),
      runs: [],
      bound: [],
    };
    Object.assign(
      seen,
      await this.#store.lookUp({
        token: proof.token?.id,
        runs: proof.token ? toNote.runIds(seen) : [],
        bindings,
        entityRefs: [...new Set(entityRefs)],
      }),
    );
    const refused = proof.token && checkSeen(seen);
    if (refused) throw refused;
    return seen;
  }
}

function foreign(reason: string): NotPermitted {
  return new NotPermitted(
    'pull-request',
    `The run may be of code that is not the repository's own (${reason}); register from a run for a branch or tag`,
  );
}

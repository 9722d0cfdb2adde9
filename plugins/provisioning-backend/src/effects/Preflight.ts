import type { AuthService } from '@backstage/backend-plugin-api';
import { parseEntityRef, RELATION_OWNED_BY } from '@backstage/catalog-model';
import { InputError } from '@backstage/errors';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import type {
  EffectRequest,
  PreflightFinding,
  PreflightReport,
} from '@rocket/plugin-provisioning-common';
import type { EffectContext } from '@rocket/plugin-provisioning-node';
import type { Access } from '../service/Access';
import type { EffectHandlers } from './EffectHandlers';
import type { Actor } from './EffectLedger';
import type { EffectStore } from './EffectStore';
import { redactText, refuseSecrets } from './secrets';

const TIMEOUT_MS = 15_000;

/** How many effects of a type an owner may have. */
export interface EffectQuota {
  type: string;
  /** Entity ref; absent: every owner without a rule of its own. */
  owner?: string;
  max: number;
}

/** Looks whether a run could do what it wants. Only reads, here and in the handlers. */
export class Preflight {
  readonly #handlers: EffectHandlers;
  readonly #store: EffectStore;
  readonly #catalog: CatalogService;
  readonly #access: Access;
  readonly #auth: AuthService;
  readonly #quotas: EffectQuota[];
  readonly #timeoutMs: number;

  constructor(deps: {
    handlers: EffectHandlers;
    store: EffectStore;
    catalog: CatalogService;
    access: Access;
    auth: AuthService;
    quotas: EffectQuota[];
    /** For each handler. Default: 15 s. */
    timeoutMs?: number;
  }) {
    this.#handlers = deps.handlers;
    this.#store = deps.store;
    this.#catalog = deps.catalog;
    this.#access = deps.access;
    this.#auth = deps.auth;
    this.#quotas = deps.quotas;
    this.#timeoutMs = deps.timeoutMs ?? TIMEOUT_MS;
  }

  async run(requests: EffectRequest[], actor: Actor): Promise<PreflightReport> {
    const credentials =
      actor.credentials ?? (await this.#auth.getOwnServiceCredentials());
    const known = { ...actor, credentials };
    const owners = [...new Set(requests.map(({ owner }) => owner))];
    const subjects = new Map(
      requests.map(request => [`${request.subject} ${request.owner}`, request]),
    );
    const found = await Promise.all([
      ...owners.map(owner => this.#checkOwner(owner, known)),
      ...[...subjects.values()].map(request =>
        this.checkSubject(request, known),
      ),
      this.#checkQuotas(requests),
      ...requests.map((request, index) =>
        this.#checkEffect(request, requests.slice(0, index), known),
      ),
    ]);
    const findings = found.flat();
    return {
      passed: findings.every(({ level }) => level !== 'error'),
      findings,
    };
  }

  /** Whether the subject, if the catalog has it, belongs to the owner that is named. */
  async checkSubject(
    { subject, owner }: Pick<EffectRequest, 'subject' | 'owner'>,
    actor: Actor,
  ): Promise<PreflightFinding[]> {
    return this.#ask(subject, 'the catalog', async () => {
      const entity = await this.#catalog.getEntityByRef(subject, {
        credentials:
          actor.credentials ?? (await this.#auth.getOwnServiceCredentials()),
      });
      const holders = (entity?.relations ?? [])
        .filter(({ type }) => type === RELATION_OWNED_BY)
        .map(({ targetRef }) => targetRef.toLowerCase());
      if (!holders.length || holders.includes(owner.toLowerCase())) return [];
      return [
        error(
          'subject-foreign',
          subject,
          `${subject} belongs to ${holders.join(
            ', ',
          )} and not to ${owner}; name its owner, or choose another name`,
        ),
      ];
    });
  }

  async #checkOwner(owner: string, actor: Actor): Promise<PreflightFinding[]> {
    const { kind } = parseEntityRef(owner);
    if (!['group', 'user'].includes(kind.toLowerCase())) {
      return [
        error(
          'owner-unknown',
          owner,
          `${owner} can own nothing; name a group or a user`,
        ),
      ];
    }
    const exists = await this.#ask(owner, 'the catalog', async () =>
      (await this.#catalog.getEntityByRef(owner, {
        credentials: actor.credentials!,
      }))
        ? [ok('owner-known', owner, 'The owner is in the catalog')]
        : [
            error(
              'owner-unknown',
              owner,
              `The catalog has no ${owner}; choose an owner that it has`,
            ),
          ],
    );
    try {
      await this.#access.requireOwner(actor.credentials!, owner);
    } catch (problem) {
      if ((problem as Error).name !== 'NotAllowedError') throw problem;
      exists.push(
        error(
          'owner-foreign',
          owner,
          `${(problem as Error).message}; choose a group of yours`,
        ),
      );
    }
    return exists;
  }

  async #checkQuotas(requests: EffectRequest[]): Promise<PreflightFinding[]> {
    const findings: PreflightFinding[] = [];
    const seen = new Set<string>();
    for (const { owner, type } of requests) {
      if (seen.has(`${owner} ${type}`)) continue;
      seen.add(`${owner} ${type}`);
      const rules = this.#quotas.filter(rule => rule.type === type);
      const rule =
        rules.find(
          candidate => candidate.owner?.toLowerCase() === owner.toLowerCase(),
        ) ?? rules.find(candidate => candidate.owner === undefined);
      if (!rule) continue;
      const has = await this.#store.count(owner, type);
      const wanted = await Promise.all(
        requests
          .filter(request => request.owner === owner && request.type === type)
          .map(request => this.#store.findActive(type, request.reference)),
      );
      const added = wanted.filter(existing => !existing).length;
      findings.push(
        has + added > rule.max
          ? error(
              'quota-exceeded',
              owner,
              `${owner} has ${has} of ${rule.max} ${type} and this run needs ${added} more; retire what is not used, or ask for a larger quota (provisioning.quota)`,
            )
          : ok('quota', owner, `${has + added} of ${rule.max} ${type}`),
      );
    }
    return findings;
  }

  async #checkEffect(
    request: EffectRequest,
    before: EffectRequest[],
    actor: Actor,
  ): Promise<PreflightFinding[]> {
    const { type, reference, subject, run } = request;
    const about = `${type} ${reference}`;
    if (
      before.some(other => other.type === type && other.reference === reference)
    ) {
      return [
        error(
          'duplicate',
          about,
          `${about} is asked for twice; once is enough`,
        ),
      ];
    }
    let intent;
    try {
      const handler = this.#handlers.get(type);
      handler.checkReference?.(reference);
      intent = handler.parseIntent(request.intent);
      refuseSecrets('intent', intent);
    } catch (problem) {
      if (!(problem instanceof InputError)) throw problem;
      return [error('input-invalid', about, problem.message)];
    }
    const row = await this.#store.findActive(type, reference);
    if (row && (row.subject !== subject || row.run !== run)) {
      return [
        error(
          'name-taken',
          about,
          `${about} exists for ${row.subject} (${row.state}, made by ${row.run}); choose another name, or undo that run`,
        ),
      ];
    }
    if (row?.state === 'undoing' || row?.state === 'retained') {
      return [
        error(
          'name-taken',
          about,
          `${about} of this run is ${row.state}; choose another name, or wait until it is gone`,
        ),
      ];
    }
    // What this very run made before it was interrupted is in nobody's way.
    if (row) {
      return [
        ok('made', about, `This run has begun it already (${row.state})`),
      ];
    }
    return this.#ask(about, about, async signal => {
      const context: EffectContext = {
        signal,
        credentials: actor.credentials,
        progress: async () => {},
      };
      const found = await this.#handlers
        .get(type)
        .preflight({ ...request, intent }, context);
      return found.length
        ? found.map(finding => ({
            ...finding,
            message: redactText(finding.message),
          }))
        : [ok('ready', about, 'It can be made')];
    });
  }

  /** A system that does not answer stops the run: nothing is known then. */
  async #ask(
    subject: string,
    who: string,
    question: (signal: AbortSignal) => Promise<PreflightFinding[]>,
  ): Promise<PreflightFinding[]> {
    const signal = AbortSignal.timeout(this.#timeoutMs);
    try {
      return await Promise.race([
        question(signal),
        new Promise<never>((_resolve, reject) => {
          signal.addEventListener(
            'abort',
            () => reject(new Error(`no answer in ${this.#timeoutMs} ms`)),
            { once: true },
          );
        }),
      ]);
    } catch (problem) {
      return [
        error(
          'unavailable',
          subject,
          `Could not ask ${who}: ${redactText(
            (problem as Error).message,
          )}; try again when it answers`,
        ),
      ];
    }
  }
}

function ok(reason: string, subject: string, message: string) {
  return { reason, level: 'ok' as const, subject, message };
}

function error(reason: string, subject: string, message: string) {
  return { reason, level: 'error' as const, subject, message };
}

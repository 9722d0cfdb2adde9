import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Entity } from '@backstage/catalog-model';
import { ConflictError, InputError } from '@backstage/errors';
import type { EventsService } from '@backstage/plugin-events-node';
import {
  CI_REGISTRY_CHANGED_TOPIC,
  type ApiDocumentReport,
  type BuildReport,
  type DeploymentReport,
  type PushProblem,
  type PushResponse,
  type PushSource,
  type PusherIdentity,
  type ValidateResponse,
} from '@rocket/plugin-ci-registry-common';
import type {
  EntityStore,
  PushToStore,
  StoredEntity,
} from '../database/EntityStore';
import type { PushCheckContext, PushParts } from '../database/PushPart';
import type { CatalogChecks, FoundProblem } from './CatalogChecks';
import type { PushPermit } from './identity/PipelineAuthenticator';
import type { CheckedEntity, EntityValidator } from './EntityValidator';

/** Clocks of build machines run ahead a little; more than this is a mistake. */
const MAX_CLOCK_AHEAD_MS = 5 * 60_000;
/** Problems in one message; the answer holds them all. */
const MAX_NAMED = 10;

/** `PushRequest` as `pushRequestSchema` lets it through: entities are not looked at yet. */
export interface ParsedPush {
  source: PushSource;
  entities?: unknown[];
  complete?: boolean;
  removed?: string[];
  builds?: BuildReport[];
  deployments?: DeploymentReport[];
  documents?: ApiDocumentReport[];
}

/** A push that cannot be stored; `problems` holds all that is wrong with it. */
export class PushRefused extends InputError {
  constructor(readonly problems: PushProblem[]) {
    const named = problems
      .slice(0, MAX_NAMED)
      .map(({ field, message }) => `${field}: ${message}`);
    const more = problems.length - named.length;
    super(
      `${named.join('; ')}${
        more > 0 ? `; and ${more} more` : ''
      }; nothing was stored`,
    );
  }
}

/** A push after all checks that need no transaction. */
interface PreparedPush {
  context: PushCheckContext;
  entities: CheckedEntity[];
  stored: Map<string, StoredEntity>;
  problems: FoundProblem[];
}

/** Takes what pipelines push. */
export class PushService {
  readonly #store: EntityStore;
  readonly #validator: EntityValidator;
  readonly #checks: CatalogChecks;
  readonly #parts: PushParts;
  readonly #events: EventsService;
  readonly #logger: LoggerService;
  readonly #now: () => number;

  constructor(options: {
    store: EntityStore;
    validator: EntityValidator;
    checks: CatalogChecks;
    parts: PushParts;
    events: EventsService;
    logger: LoggerService;
    /** ms since 1970, for tests. */
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#validator = options.validator;
    this.#checks = options.checks;
    this.#parts = options.parts;
    this.#events = options.events;
    this.#logger = options.logger;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Stored when it returns; all of it or, when it throws, nothing. `PushRefused` says what is wrong, `ConflictError` who holds
   * an entity.
   */
  async push(
    request: ParsedPush,
    identity: PusherIdentity,
    permit: PushPermit,
  ): Promise<PushResponse> {
    const prepared = await this.#prepare(request, identity);
    const errors = prepared.problems.filter(p => p.severity === 'error');
    const wrong = errors.filter(problem => !problem.conflict);
    if (wrong.length) {
      throw new PushRefused(
        wrong.map(({ field, message, severity }) => ({
          field,
          message,
          severity,
        })),
      );
    }
    if (errors.length) {
      throw new ConflictError(
        `${errors
          .slice(0, MAX_NAMED)
          .map(({ field, message }) => `${field}: ${message}`)
          .join('; ')}; nothing was stored`,
      );
    }
    const warnings = prepared.problems.map(
      ({ field, message }) => `${field}: ${message}`,
    );
    return this.#write(request, prepared, permit, warnings);
  }

  /** What `push` would say; stores nothing. */
  async validate(
    request: ParsedPush,
    identity: PusherIdentity,
  ): Promise<ValidateResponse> {
    const { problems } = await this.#prepare(request, identity);
    return {
      valid: problems.every(({ severity }) => severity !== 'error'),
      problems: problems.map(({ field, message, severity }) => ({
        field,
        message,
        severity,
      })),
    };
  }

  async #prepare(
    request: ParsedPush,
    identity: PusherIdentity,
  ): Promise<PreparedPush> {
    const now = this.#now();
    const problems: FoundProblem[] = [];
    const context = {
      source: this.#checkTime(request.source, now, problems),
      identity,
      now,
    };
    const { repository } = context.source;
    const checked = await this.#validator.check(request.entities ?? []);
    problems.push(...checked.problems);
    const entities = await this.#withDocuments(
      request,
      checked.items,
      context,
      problems,
    );
    const present = new Set(entities.map(item => item.entityRef));
    const removed = request.removed ?? [];
    const stored = await this.#store.getMany([...present, ...removed]);
    problems.push(
      ...(await this.#checkRemovals(request, present, stored, repository)),
    );

    const holder = (ref: string) => {
      const row = stored.get(ref);
      return row?.state === 'removed' ? undefined : row?.repository;
    };
    const foreign = (ref: string, field: string) => {
      const held = holder(ref);
      if (held !== undefined && held !== repository) {
        problems.push({
          field,
          message: `${ref} belongs to ${held}; rename it, or push it from the repository that holds it`,
          severity: 'error',
          conflict: true,
        });
      }
    };
    entities.forEach(({ entityRef, at }) => foreign(entityRef, at));
    removed.forEach((ref, index) => foreign(ref, `removed.${index}`));

    const changed = entities.filter(({ entityRef, hash }) => {
      const row = stored.get(entityRef);
      return row?.state !== 'active' || row.hash !== hash;
    });
    const unknown = new Set(
      changed
        .map(item => item.entityRef)
        .filter(ref => holder(ref) === undefined),
    );
    problems.push(
      ...(await this.#checks.check({
        repository,
        changed,
        unknown,
        present,
        isRegistered: async refs =>
          new Set(
            [...(await this.#store.getMany(refs)).values()]
              .filter(row => row.state === 'active')
              .map(row => row.entityRef),
          ),
      })),
    );
    const { delivery, documents } = this.#parts;
    const { builds = [], deployments = [], documents: reports = [] } = request;
    for (const [field, reported, part] of [
      ['builds', builds, delivery],
      ['deployments', deployments, delivery],
      ['documents', reports, documents],
    ] as const) {
      if (reported.length && !part) {
        problems.push({
          field,
          message: 'are not taken by this server; leave them out',
          severity: 'error',
        });
      }
    }
    if (builds.length + deployments.length > 0) {
      problems.push(
        ...((await delivery?.check?.({ builds, deployments }, context)) ?? []),
      );
    }
    if (reports.length) {
      problems.push(...((await documents?.check?.(reports, context)) ?? []));
    }
    return { context, entities, stored, problems };
  }

  /** A push from the future would shut out every later one. */
  #checkTime(
    source: PushSource,
    now: number,
    problems: FoundProblem[],
  ): PushSource {
    const time = Date.parse(source.time);
    if (time > now + MAX_CLOCK_AHEAD_MS) {
      problems.push({
        field: 'source.time',
        message: `${source.time} is ${Math.round(
          (time - now) / 60_000,
        )} minutes ahead of this server; set the clock of the pipeline's machine`,
        severity: 'error',
      });
    }
    return { ...source, time: new Date(Math.min(time, now)).toISOString() };
  }

  /** The entities of the push, and those that its documents make. */
  async #withDocuments(
    request: ParsedPush,
    items: CheckedEntity[],
    context: PushCheckContext,
    problems: FoundProblem[],
  ): Promise<CheckedEntity[]> {
    const reports = request.documents ?? [];
    const { documents } = this.#parts;
    if (!reports.length || !documents) return items;
    const refs = reports.map(report => report.api);
    const stored = await this.#store.getMany(refs);
    const made = await documents.entities(
      reports,
      {
        pushed: new Map(items.map(item => [item.entityRef, item.entity])),
        stored: new Map(
          [...stored].map(([ref, row]): [string, Entity] => [ref, row.entity]),
        ),
      },
      context,
    );
    const checked = await this.#validator.check(made, 'documents');
    problems.push(...checked.problems);
    const byRef = new Map(checked.items.map(item => [item.entityRef, item]));
    const replaced = items.map(item => {
      const better = byRef.get(item.entityRef);
      byRef.delete(item.entityRef);
      return better ? { ...better, at: item.at } : item;
    });
    const derived = [...byRef.values()].map(item => {
      const row = stored.get(item.entityRef);
      // An API that its repository pushed itself stays one of those.
      return { ...item, derived: row?.state === 'active' ? row.derived : true };
    });
    return [...replaced, ...derived];
  }

  /** An upstream error that looks like "nothing is left" must not empty the catalog. */
  async #checkRemovals(
    request: ParsedPush,
    present: ReadonlySet<string>,
    stored: Map<string, StoredEntity>,
    repository: string,
  ): Promise<FoundProblem[]> {
    const removed = request.removed ?? [];
    const problems = removed.flatMap((ref, index): FoundProblem[] => {
      const field = `removed.${index}`;
      if (present.has(ref)) {
        return [
          {
            field,
            message: `${ref} is pushed and removed at once; leave out one of the two`,
            severity: 'error',
          },
        ];
      }
      return stored.has(ref)
        ? []
        : [{ field, message: `${ref} was never pushed`, severity: 'warning' }];
    });
    if (request.complete && !request.entities?.length) {
      const named = new Set(removed);
      const left = (await this.#store.heldBy(repository)).filter(
        ref => !named.has(ref),
      );
      if (left.length) {
        problems.push({
          field: 'entities',
          message: `is empty and complete, which would remove ${left
            .slice(0, MAX_NAMED)
            .join(', ')}${
            left.length > MAX_NAMED
              ? ` and ${left.length - MAX_NAMED} more`
              : ''
          }; name them in removed if that is meant`,
          severity: 'error',
        });
      }
    }
    return problems;
  }

  async #write(
    request: ParsedPush,
    { context, entities, stored }: PreparedPush,
    permit: PushPermit,
    warnings: string[],
  ): Promise<PushResponse> {
    const { builds = [], deployments = [], documents = [] } = request;
    const push: PushToStore = {
      source: context.source,
      pushedBy: context.identity.subject,
      now: context.now,
      entities,
      complete: request.complete,
      removed: request.removed,
    };
    const reportsNothing =
      builds.length + deployments.length + documents.length === 0;
    const isPlain = !push.complete && !push.removed?.length && reportsNothing;
    if (isPlain && (await this.#store.confirm(push, stored))) {
      await permit.record();
      return {
        entities: entities.map(({ entityRef }) => ({
          entityRef,
          outcome: 'unchanged',
        })),
        gone: [],
        builds: [],
        deployments: [],
        documents: [],
        warnings,
      };
    }

    const written = await this.#store.transaction(async tx => ({
      permit: await permit.record(tx),
      entities: await this.#store.write(tx, push),
      delivery:
        builds.length + deployments.length > 0
          ? await this.#parts.delivery?.write(
              { tx, ...context },
              { builds, deployments },
            )
          : undefined,
      documents: documents.length
        ? await this.#parts.documents?.write({ tx, ...context }, documents)
        : undefined,
    }));
    if (written.entities.changed) {
      await this.#wakeCatalog();
    }
    if (written.delivery) {
      this.#afterwards(
        this.#parts.delivery?.committed?.(context, written.delivery),
      );
    }
    if (written.documents) {
      this.#afterwards(
        this.#parts.documents?.committed?.(context, written.documents),
      );
    }
    return {
      entities: entities.map(({ entityRef }, index) => ({
        entityRef,
        outcome: written.entities.outcomes[index],
      })),
      gone: written.entities.gone,
      builds: written.delivery?.builds ?? [],
      deployments: written.delivery?.deployments ?? [],
      documents: written.documents ?? [],
      warnings: [
        ...warnings,
        ...written.entities.kept.map(
          ({ entityRef, reason }) =>
            `removed: ${entityRef} stays as it is, it ${reason}`,
        ),
      ],
    };
  }

  #afterwards(work: Promise<void> | undefined): void {
    work?.catch(error =>
      this.#logger.warn('Something after a push failed; the push is stored', {
        error: String(error),
      }),
    );
  }

  async #wakeCatalog(): Promise<void> {
    try {
      await this.#events.publish({
        topic: CI_REGISTRY_CHANGED_TOPIC,
        eventPayload: {},
      });
    } catch (error) {
      // The push is stored; the catalog looks by itself every few seconds.
      this.#logger.warn('Could not wake the catalog after a push', {
        error: String(error),
      });
    }
  }
}

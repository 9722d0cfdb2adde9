import type { Entity } from '@backstage/catalog-model';
import type {
  ApiDocumentReport,
  BuildReport,
  DeploymentReport,
  PushSource,
  PusherIdentity,
} from '@rocket/plugin-ci-registry-common';
import type { EntityStore, StoredEntity } from '../database/EntityStore';
import type { PushCheckContext, PushParts } from '../database/PushPart';
import type { CatalogChecks, FoundProblem } from './CatalogChecks';
import type { CheckedEntity, EntityValidator } from './EntityValidator';

/** Clocks of build machines run ahead a little; more than this is a mistake. */
const MAX_CLOCK_AHEAD_MS = 5 * 60_000;
/** Entities named in one message. */
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

/** A push after all checks that need no transaction. */
export interface PreparedPush {
  context: PushCheckContext;
  entities: CheckedEntity[];
  stored: Map<string, StoredEntity>;
  problems: FoundProblem[];
}

/** Checks a push, as far as that needs no transaction. */
export class PushPreparer {
  readonly #store: EntityStore;
  readonly #validator: EntityValidator;
  readonly #checks: CatalogChecks;
  readonly #parts: PushParts;
  readonly #now: () => number;

  constructor(options: {
    store: EntityStore;
    validator: EntityValidator;
    checks: CatalogChecks;
    parts: PushParts;
    /** ms since 1970, for tests. */
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#validator = options.validator;
    this.#checks = options.checks;
    this.#parts = options.parts;
    this.#now = options.now ?? Date.now;
  }

  /** Stores nothing; `problems` holds all that was found. */
  async prepare(
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
}

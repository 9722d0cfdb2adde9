import {
  ANNOTATION_LOCATION,
  ANNOTATION_ORIGIN_LOCATION,
  type Entity,
  stringifyEntityRef,
} from '@backstage/catalog-model';
import type { AuthService, LoggerService } from '@backstage/backend-plugin-api';
import {
  ConflictError,
  ForwardedError,
  InputError,
  ServiceUnavailableError,
} from '@backstage/errors';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import type { EventsService } from '@backstage/plugin-events-node';
import {
  ANNOTATION_PUSHED_AT,
  ANNOTATION_SOURCE_COMMIT,
  ANNOTATION_SOURCE_PIPELINE,
  ANNOTATION_SOURCE_REPOSITORY,
  CI_REGISTRY_CHANGED_TOPIC,
  CI_REGISTRY_LOCATION_TYPE,
  LOCAL_GIT_SCHEME,
  type AcknowledgeRequest,
  type ClaimedChanges,
  type PushSource,
  type RegisterResponse,
  type RegisteredEntity,
  type RegisteredEntityPage,
} from '@rocket/plugin-ci-registry-common';
import type { EntityStore, StoredEntity } from '../database/EntityStore';
import type { EntityValidator } from './EntityValidator';

const ANNOTATION_DOCS = 'backstage.io/techdocs-ref';

/** Clocks of build machines run ahead a little; more than this is a mistake. */
const MAX_CLOCK_AHEAD_MS = 5 * 60_000;

/** Long enough for a batch, short enough that a crash delays nobody for long. */
const CLAIM_LEASE_MS = 8_000;

function toIso(ms: number): string {
  return new Date(ms).toISOString();
}

/**
 * `dir:` docs lie beside the file that was pushed. The catalog cannot read that
 * place, the repository can: a URL, or a name on Rocket's own Git host.
 */
function docsInRepository(stored: StoredEntity): Record<string, string> {
  const path =
    stored.entity.metadata.annotations?.[ANNOTATION_DOCS]?.match(
      /^dir:(.*)$/,
    )?.[1];
  if (path === undefined) return {};
  const root = /^https?:\/\//.test(stored.repository)
    ? stored.repository.replace(/(\.git)?\/*$/, '')
    : `${LOCAL_GIT_SCHEME}//${stored.repository}`;
  const folder = path.replace(/^(\.\/|\/)+/, '').replace(/^\.$/, '');
  return { [ANNOTATION_DOCS]: `url:${root}/tree/HEAD/${folder}` };
}

/** The entity as the catalog gets it. */
function toCatalogEntity(stored: StoredEntity): Entity {
  const location = `${CI_REGISTRY_LOCATION_TYPE}:${stored.repository}`;
  const { changedBy } = stored;
  return {
    ...stored.entity,
    metadata: {
      ...stored.entity.metadata,
      annotations: {
        ...stored.entity.metadata.annotations,
        ...docsInRepository(stored),
        [ANNOTATION_LOCATION]: location,
        [ANNOTATION_ORIGIN_LOCATION]: location,
        [ANNOTATION_SOURCE_REPOSITORY]: stored.repository,
        [ANNOTATION_SOURCE_COMMIT]: changedBy.commit,
        ...(changedBy.pipeline
          ? { [ANNOTATION_SOURCE_PIPELINE]: changedBy.pipeline }
          : {}),
        [ANNOTATION_PUSHED_AT]: toIso(stored.changedAt),
      },
    },
  };
}

function toRegistered(stored: StoredEntity): RegisteredEntity {
  return {
    entityRef: stored.entityRef,
    entity: toCatalogEntity(stored),
    source: stored.source,
    changedBy: stored.changedBy,
    firstPushedAt: toIso(stored.firstPushedAt),
    lastPushedAt: toIso(stored.lastPushedAt),
    applied: stored.appliedVersion >= stored.version,
  };
}

/** Takes what pipelines push and hands it to the catalog. */
export class CiRegistry {
  readonly #store: EntityStore;
  readonly #validator: EntityValidator;
  readonly #catalog: CatalogService;
  readonly #auth: AuthService;
  readonly #events: EventsService;
  readonly #logger: LoggerService;
  readonly #now: () => number;

  constructor(options: {
    store: EntityStore;
    validator: EntityValidator;
    catalog: CatalogService;
    auth: AuthService;
    events: EventsService;
    logger: LoggerService;
    /** ms since 1970, for tests. */
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#validator = options.validator;
    this.#catalog = options.catalog;
    this.#auth = options.auth;
    this.#events = options.events;
    this.#logger = options.logger;
    this.#now = options.now ?? Date.now;
  }

  /** Stored when it returns; all of it or, when it throws, nothing. */
  async register(
    request: { source: PushSource; entities: unknown[] },
    pushedBy: string,
  ): Promise<RegisterResponse> {
    const now = this.#now();
    const source = this.#checkTime(request.source, now);
    const entities = await this.#validator.validate(request.entities);
    await this.#checkOrigins(
      source.repository,
      entities.map(entity => entity.entityRef),
    );
    const outcomes = await this.#store.push({
      source,
      pushedBy,
      now,
      entities,
    });
    if (outcomes.some(o => o === 'created' || o === 'updated')) {
      await this.#wakeCatalog();
    }
    return {
      results: entities.map(({ entityRef }, index) => ({
        entityRef,
        outcome: outcomes[index],
      })),
    };
  }

  async get(entityRef: string): Promise<RegisteredEntity | undefined> {
    const stored = await this.#store.get(entityRef);
    return stored && toRegistered(stored);
  }

  async list(options: {
    cursor?: string;
    limit: number;
    repository?: string;
  }): Promise<RegisteredEntityPage> {
    const rows = await this.#store.list({
      after:
        options.cursor &&
        Buffer.from(options.cursor, 'base64url').toString('utf8'),
      limit: options.limit + 1,
      repository: options.repository,
    });
    const page = rows.slice(0, options.limit);
    return {
      items: page.map(toRegistered),
      ...(rows.length > page.length
        ? {
            nextCursor: Buffer.from(page[page.length - 1].entityRef).toString(
              'base64url',
            ),
          }
        : {}),
    };
  }

  async claim(limit: number): Promise<ClaimedChanges> {
    const { claimId, changes } = await this.#store.claim({
      limit,
      now: this.#now(),
      leaseMs: CLAIM_LEASE_MS,
    });
    return {
      claimId,
      changes: changes.map(({ stored, repeated }) => ({
        entityRef: stored.entityRef,
        version: stored.version,
        entity: toCatalogEntity(stored),
        repeated,
      })),
    };
  }

  async acknowledge(request: AcknowledgeRequest): Promise<void> {
    await this.#store.acknowledge(
      request.claimId,
      request.changes,
      this.#now(),
    );
  }

  async repeatAll(): Promise<number> {
    return this.#store.repeatAll(this.#now());
  }

  /** A push from the future would shut out every later one. */
  #checkTime(source: PushSource, now: number): PushSource {
    const time = Date.parse(source.time);
    if (time > now + MAX_CLOCK_AHEAD_MS) {
      throw new InputError(
        `source.time: ${source.time} is ${Math.round(
          (time - now) / 60_000,
        )} minutes ahead of this server; set the clock of the pipeline's machine`,
      );
    }
    return { ...source, time: toIso(Math.min(time, now)) };
  }

  /** The catalog would ignore an entity that it has from elsewhere, without telling anybody. */
  async #checkOrigins(repository: string, refs: string[]): Promise<void> {
    const known = await this.#store.known(refs);
    const entityRefs = refs.filter(ref => !known.has(ref));
    if (!entityRefs.length) {
      return;
    }
    let found: (Entity | undefined)[];
    try {
      const answer = await this.#catalog.getEntitiesByRefs(
        {
          entityRefs,
          fields: [
            'kind',
            'metadata.namespace',
            'metadata.name',
            'metadata.annotations',
          ],
        },
        { credentials: await this.#auth.getOwnServiceCredentials() },
      );
      found = answer.items;
    } catch (error) {
      throw new ServiceUnavailableError(
        'The catalog does not answer, so it is not known whether these entities exist there; nothing was stored, push again in a moment',
        error instanceof Error
          ? new ForwardedError('Catalog request failed', error)
          : undefined,
      );
    }
    const own = `${CI_REGISTRY_LOCATION_TYPE}:${repository}`;
    const foreign = found.flatMap(entity => {
      const origin =
        entity?.metadata.annotations?.[ANNOTATION_ORIGIN_LOCATION] ??
        'an unknown location';
      return entity && origin !== own
        ? [`${stringifyEntityRef(entity)} from ${origin}`]
        : [];
    });
    if (foreign.length) {
      throw new ConflictError(
        `The catalog already has ${foreign.join(
          ', ',
        )}. Remove it there or rename the entity; nothing was stored`,
      );
    }
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

import {
  ANNOTATION_LOCATION,
  ANNOTATION_ORIGIN_LOCATION,
  type Entity,
} from '@backstage/catalog-model';
import type { LoggerService } from '@backstage/backend-plugin-api';
import type { EventsService } from '@backstage/plugin-events-node';
import {
  ANNOTATION_GONE_AT,
  ANNOTATION_PUSHED_AT,
  ANNOTATION_SOURCE_COMMIT,
  ANNOTATION_SOURCE_PIPELINE,
  ANNOTATION_SOURCE_REPOSITORY,
  CI_REGISTRY_CHANGED_TOPIC,
  CI_REGISTRY_LOCATION_TYPE,
  LOCAL_GIT_SCHEME,
  type AcknowledgeRequest,
  type ClaimedChanges,
  type RegisteredEntity,
  type RegisteredEntityPage,
} from '@rocket/plugin-ci-registry-common';
import type { EntityStore, StoredEntity } from '../database/EntityStore';

const ANNOTATION_DOCS = 'backstage.io/techdocs-ref';

/** Long enough for a batch, short enough that a crash delays nobody for long. */
const CLAIM_LEASE_MS = 8_000;

const REMOVE_BATCH = 200;

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
        ...(stored.goneAt === undefined
          ? {}
          : { [ANNOTATION_GONE_AT]: toIso(stored.goneAt) }),
      },
    },
  };
}

function toRegistered(stored: StoredEntity, graceMs: number): RegisteredEntity {
  return {
    entityRef: stored.entityRef,
    entity: toCatalogEntity(stored),
    source: stored.source,
    changedBy: stored.changedBy,
    firstPushedAt: toIso(stored.firstPushedAt),
    lastPushedAt: toIso(stored.lastPushedAt),
    state: stored.state,
    ...(stored.goneAt === undefined ? {} : { goneAt: toIso(stored.goneAt) }),
    ...(stored.state === 'gone' && stored.goneAt !== undefined
      ? { removedAt: toIso(stored.goneAt + graceMs) }
      : {}),
    derived: stored.derived,
    applied: stored.appliedVersion >= stored.version,
  };
}

/** Shows what pipelines pushed, and hands it to the catalog. */
export class CiRegistry {
  readonly #store: EntityStore;
  readonly #events: EventsService;
  readonly #logger: LoggerService;
  readonly #graceMs: number;
  readonly #now: () => number;

  constructor(options: {
    store: EntityStore;
    events: EventsService;
    logger: LoggerService;
    /** How long what was given up stays in the catalog, ms. */
    graceMs: number;
    /** ms since 1970, for tests. */
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#events = options.events;
    this.#logger = options.logger;
    this.#graceMs = options.graceMs;
    this.#now = options.now ?? Date.now;
  }

  async get(entityRef: string): Promise<RegisteredEntity | undefined> {
    const stored = await this.#store.get(entityRef);
    return stored && toRegistered(stored, this.#graceMs);
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
      items: page.map(row => toRegistered(row, this.#graceMs)),
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
        ...(stored.state === 'removed' ? { removed: true } : {}),
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

  /** Lets go of what was gone for longer than the grace time; answers how many. */
  async removeGone(): Promise<number> {
    const now = this.#now();
    let removed = 0;
    for (;;) {
      const refs = await this.#store.removeGone({
        goneBefore: now - this.#graceMs,
        limit: REMOVE_BATCH,
        actor: 'plugin:ci-registry',
        now,
      });
      removed += refs.length;
      if (refs.length) {
        this.#logger.info('Removed entities that their repositories gave up', {
          entityRefs: refs.join(' '),
        });
        await this.#wakeCatalog();
      }
      if (refs.length < REMOVE_BATCH) return removed;
    }
  }

  async #wakeCatalog(): Promise<void> {
    try {
      await this.#events.publish({
        topic: CI_REGISTRY_CHANGED_TOPIC,
        eventPayload: {},
      });
    } catch (error) {
      // Nothing is lost; the catalog looks by itself every few seconds.
      this.#logger.warn('Could not wake the catalog by an event', {
        error: String(error),
      });
    }
  }
}

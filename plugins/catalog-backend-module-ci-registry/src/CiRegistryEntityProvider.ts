import type {
  AuthService,
  BackstageCredentials,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { stringifyEntityRef, type Entity } from '@backstage/catalog-model';
import type {
  CatalogService,
  EntityProvider,
  EntityProviderConnection,
} from '@backstage/plugin-catalog-node';
import {
  ANNOTATION_PUSHED_AT,
  type PendingChange,
} from '@rocket/plugin-ci-registry-common';
import type { CiRegistryService } from '@rocket/plugin-ci-registry-node';

const PROVIDER_NAME = 'rocket-ci-registry';
const BATCH = 200;

/** How far the clocks of the registry's machine and of this one may be apart. */
const CLOCKS_APART_MS = 5_000;

/**
 * Brings what pipelines pushed into the catalog, as deltas. It only ever adds, updates
 * and removes what the registry handed out by name: an outage or an empty answer removes
 * nothing.
 */
export class CiRegistryEntityProvider implements EntityProvider {
  readonly #registry: CiRegistryService;
  readonly #catalog: CatalogService;
  readonly #auth: AuthService;
  readonly #logger: LoggerService;
  readonly #flush: () => Promise<void>;
  readonly #handedOver: (entities: number) => void;
  #connection?: EntityProviderConnection;
  #running?: Promise<void>;
  #again = false;
  #repeated = false;
  readonly #startedAt: number;

  constructor(options: {
    registry: CiRegistryService;
    catalog: CatalogService;
    auth: AuthService;
    logger: LoggerService;
    /** Answers when the catalog's database has on its disk what it stored so far. */
    flush: () => Promise<void>;
    /** Is told how many entities the catalog was just given. */
    handedOver?: (entities: number) => void;
    /** ms since 1970, for tests. */
    now?: () => number;
  }) {
    this.#registry = options.registry;
    this.#catalog = options.catalog;
    this.#auth = options.auth;
    this.#logger = options.logger;
    this.#flush = options.flush;
    this.#handedOver = options.handedOver ?? (() => {});
    this.#startedAt = (options.now ?? Date.now)();
  }

  getProviderName(): string {
    return PROVIDER_NAME;
  }

  async connect(connection: EntityProviderConnection): Promise<void> {
    this.#connection = connection;
  }

  /**
   * Applies everything that waits. The first run after a start also repeats what was
   * applied before, which repairs a catalog that lost it; equal content costs the catalog
   * one comparison. Calls during a run are folded into one more run.
   */
  async synchronize(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#run();
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
    return undefined;
  }

  async #run(): Promise<void> {
    do {
      this.#again = false;
      const connection = this.#connection;
      if (!connection) {
        throw new Error('The catalog has not connected the provider yet');
      }
      const credentials = await this.#auth.getOwnServiceCredentials();
      if (!this.#repeated) {
        await this.#registry.repeatChanges({ credentials });
        this.#repeated = true;
      }
      await this.#drain(connection, credentials);
    } while (this.#again);
  }

  async #drain(
    connection: EntityProviderConnection,
    credentials: BackstageCredentials,
  ): Promise<void> {
    for (;;) {
      const { claimId, changes } = await this.#registry.claimChanges(
        { limit: BATCH },
        { credentials },
      );
      if (!changes.length) {
        return;
      }
      await connection.applyMutation({
        type: 'delta',
        added: changes
          .filter(change => !change.removed)
          .map(({ entity }) => ({ entity, locationKey: PROVIDER_NAME })),
        removed: changes
          .filter(change => change.removed)
          .map(({ entityRef }) => ({ entityRef, locationKey: PROVIDER_NAME })),
      });
      this.#handedOver(changes.length);
      await this.#flush();
      await this.#registry.acknowledgeChanges(
        {
          claimId,
          changes: changes.map(({ entityRef, version }) => ({
            entityRef,
            version,
          })),
        },
        { credentials },
      );
      // Also what was pushed before this start: the catalog may have stored it, and been killed
      // before it said so. What was pushed since, the catalog has just got for the first time.
      await this.#hurry(
        changes.filter(
          change =>
            !change.removed && (change.repeated || this.#isFromBefore(change)),
        ),
        credentials,
      );
    }
  }

  #isFromBefore({ entity }: PendingChange): boolean {
    return (
      Date.parse(pushedAt(entity) ?? '') < this.#startedAt + CLOCKS_APART_MS
    );
  }

  /**
   * A catalog that was killed while it processed an entity comes back to it only
   * minutes later. Ask for those now.
   */
  async #hurry(
    changes: PendingChange[],
    credentials: BackstageCredentials,
  ): Promise<void> {
    if (!changes.length) {
      return;
    }
    try {
      const { items } = await this.#catalog.getEntitiesByRefs(
        {
          entityRefs: changes.map(change => change.entityRef),
          fields: [
            'kind',
            'metadata.namespace',
            'metadata.name',
            'metadata.annotations',
          ],
        },
        { credentials },
      );
      const shown = new Map<string, string | undefined>();
      for (const item of items) {
        if (item) {
          shown.set(stringifyEntityRef(item), pushedAt(item));
        }
      }
      for (const { entityRef, entity } of changes) {
        if (shown.get(entityRef) !== pushedAt(entity)) {
          await this.#catalog.refreshEntity(entityRef, { credentials });
        }
      }
    } catch (error) {
      // They are stored; the catalog's own loop gets there.
      this.#logger.warn('Could not hurry entities along after a start', {
        error: String(error),
      });
    }
  }
}

function pushedAt(entity: Entity): string | undefined {
  return entity.metadata.annotations?.[ANNOTATION_PUSHED_AT];
}

import type { AuthService, LoggerService } from '@backstage/backend-plugin-api';
import { stringifyEntityRef, type Entity } from '@backstage/catalog-model';
import { ServiceUnavailableError, toError } from '@backstage/errors';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import {
  ANNOTATION_SOURCE_REPOSITORY,
  type Freshness,
} from '@rocket/plugin-ci-registry-common';
import type { RunningComponentsProvider } from '@rocket/plugin-ci-registry-node';
import type { EntityStore, StoredEntity } from '../../database/EntityStore';
import type {
  FreshnessStore,
  Observation,
  StoredFreshness,
} from '../../database/freshness/FreshnessStore';
import {
  judgeRegistered,
  judgeUnmanaged,
  judgeUnregistered,
  lifeOf,
  type Rules,
} from './judge';
import { Names } from './Names';
import { nextRow } from './notices';
import type { FreshnessSettings } from './settings';

const PAGE = 500;
const PROVIDER_TIMEOUT_MS = 60_000;
/** What no provider named for so long is forgotten. */
const FORGET_AFTER_MS = 90 * 86_400_000;
const UNMANAGED_FIELDS = [
  'kind',
  'metadata.namespace',
  'metadata.name',
  'metadata.annotations',
  'spec.owner',
];

/** Holds what was registered against the catalog and against what runs. It asks no Git host. */
export class FreshnessService {
  readonly #store: FreshnessStore;
  readonly #entities: Pick<EntityStore, 'list' | 'get'>;
  readonly #catalog: CatalogService;
  readonly #auth: AuthService;
  readonly #providers: ReadonlyMap<string, RunningComponentsProvider>;
  readonly #settings: FreshnessSettings;
  readonly #graceMs: number;
  readonly #logger: LoggerService;
  readonly #now: () => number;
  readonly #failing = new Map<string, string>();

  constructor(options: {
    store: FreshnessStore;
    entities: Pick<EntityStore, 'list' | 'get'>;
    catalog: CatalogService;
    auth: AuthService;
    providers: ReadonlyMap<string, RunningComponentsProvider>;
    settings: FreshnessSettings;
    /** How long what is gone stays in the catalog, milliseconds. */
    graceMs: number;
    logger: LoggerService;
    /** ms since 1970, for tests. */
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#entities = options.entities;
    this.#catalog = options.catalog;
    this.#auth = options.auth;
    this.#providers = options.providers;
    this.#settings = options.settings;
    this.#graceMs = options.graceMs;
    this.#logger = options.logger;
    this.#now = options.now ?? Date.now;
  }

  /** Asks every provider and judges everything. Rejects, and changes no state, while the catalog is away. */
  async refresh(signal: AbortSignal): Promise<void> {
    await this.#observe(signal);
    signal.throwIfAborted();
    const now = this.#now();
    const before = await this.#store.all();
    const after = await this.#judgeAll();
    const changed: StoredFreshness[] = [];
    for (const freshness of after.values()) {
      const old = before.get(freshness.entityRef);
      const row = nextRow(old, freshness, now);
      if (JSON.stringify(row) !== JSON.stringify(old)) {
        changed.push(row);
      }
    }
    await this.#store.save(
      changed,
      [...before.keys()].filter(ref => !after.has(ref)),
    );
    await this.#store.prune(now - FORGET_AFTER_MS);
  }

  /** As it is now, without waiting for the next round; undefined when it is neither registered nor known otherwise. */
  async one(entityRef: string): Promise<Freshness | undefined> {
    const [stored, row] = await Promise.all([
      this.#entities.get(entityRef),
      this.#store.get(entityRef),
    ]);
    if (!stored || stored.state === 'removed') {
      // What was pushed and is not there any more is nothing that the next round would keep.
      return row?.freshness.repository === undefined
        ? row?.freshness
        : undefined;
    }
    const names = this.#names();
    names.add(entityRef, stored.entity);
    const observations = (await this.#observations()).filter(one =>
      names.of(one).includes(entityRef),
    );
    const rules = await this.#rules();
    return judgeRegistered(stored, lifeOf(observations, rules), rules);
  }

  async #rules(): Promise<Rules> {
    return {
      ...this.#settings,
      now: this.#now(),
      graceMs: this.#graceMs,
      answers: await this.#store.answers(),
      titles: new Map(
        [...this.#providers.values()].map(({ id, title }) => [id, title]),
      ),
    };
  }

  /** Of the providers that there are; one that was taken away says nothing any more. */
  async #observations(): Promise<Observation[]> {
    return (await this.#store.listObservations()).filter(one =>
      this.#providers.has(one.provider),
    );
  }

  #names(): Names {
    return new Names(
      new Map(
        [...this.#providers.values()].map(({ id, annotation }) => [
          id,
          annotation,
        ]),
      ),
    );
  }

  async #observe(signal: AbortSignal): Promise<void> {
    await Promise.all(
      [...this.#providers.values()].map(async provider => {
        try {
          const listed = await provider.list({
            signal: AbortSignal.any([
              signal,
              AbortSignal.timeout(PROVIDER_TIMEOUT_MS),
            ]),
          });
          await this.#store.saveObservations(
            provider.id,
            listed.map(one => ({
              provider: provider.id,
              name: one.name.slice(0, 255),
              entityRef: one.entityRef,
              stopped: !one.running,
              lastSeenAt:
                one.lastSeenAt?.getTime() ??
                (one.running ? this.#now() : undefined),
              detail: one.detail,
            })),
            this.#now(),
          );
          if (this.#failing.delete(provider.id)) {
            this.#logger.info(`${provider.title} tells again what runs`);
          }
        } catch (error) {
          // What was known before still counts.
          const { message } = toError(error);
          if (this.#failing.get(provider.id) !== message) {
            this.#failing.set(provider.id, message);
            this.#logger.warn(
              `${provider.title} does not tell what runs: ${message}`,
            );
          }
        }
      }),
    );
  }

  async #judgeAll(): Promise<Map<string, Freshness>> {
    const rules = await this.#rules();
    const names = this.#names();
    const registered: StoredEntity[] = [];
    for (let after: string | undefined; ; ) {
      const page = await this.#entities.list({ after, limit: PAGE });
      registered.push(...page);
      if (page.length < PAGE) break;
      after = page[page.length - 1].entityRef;
    }
    const pushed = new Set(registered.map(({ entityRef }) => entityRef));
    const unmanaged = (await this.#unmanaged()).filter(
      entity => !pushed.has(stringifyEntityRef(entity)),
    );
    registered.forEach(one => names.add(one.entityRef, one.entity));
    unmanaged.forEach(one => names.add(stringifyEntityRef(one), one));

    const seen = new Map<string, Observation[]>();
    const result = new Map<string, Freshness>();
    const unmatched: Observation[] = [];
    for (const observation of await this.#observations()) {
      const refs = names.of(observation);
      for (const ref of refs) {
        seen.set(ref, [...(seen.get(ref) ?? []), observation]);
      }
      if (refs.length === 0 && lifeOf([observation], rules).running) {
        unmatched.push(observation);
      }
    }
    await this.#store.noteUnmatched(unmatched, rules.now);
    for (const observation of unmatched) {
      // A catalog that is being read, and a service that is being made, lack its name for a while.
      const since = observation.unmatchedSince ?? rules.now;
      const freshness = judgeUnregistered(observation, rules);
      if (
        rules.now - since >= this.#settings.unregisteredAfterMs &&
        !pushed.has(freshness.entityRef)
      ) {
        result.set(freshness.entityRef, freshness);
      }
    }
    const life = (ref: string) => lifeOf(seen.get(ref) ?? [], rules);
    for (const entity of unmanaged) {
      const ref = stringifyEntityRef(entity);
      result.set(ref, judgeUnmanaged(entity, life(ref), rules));
    }
    for (const stored of registered) {
      const { entityRef } = stored;
      result.set(entityRef, judgeRegistered(stored, life(entityRef), rules));
    }
    return result;
  }

  /** What the catalog has from elsewhere than from pipelines. */
  async #unmanaged(): Promise<Entity[]> {
    const credentials = await this.#auth.getOwnServiceCredentials();
    const found: Entity[] = [];
    let cursor: string | undefined;
    do {
      const options = { fields: UNMANAGED_FIELDS, limit: PAGE };
      const page = await this.#catalog.queryEntities(
        cursor
          ? { ...options, cursor }
          : {
              ...options,
              totalItems: 'exclude' as const,
              query: {
                $all: [
                  { kind: { $in: ['component', 'api', 'system', 'resource'] } },
                  {
                    $not: {
                      [`metadata.annotations.${ANNOTATION_SOURCE_REPOSITORY}`]:
                        { $exists: true },
                    },
                  },
                ],
              },
            },
        { credentials },
      );
      found.push(...page.items);
      cursor = page.pageInfo.nextCursor;
    } while (cursor);
    if (found.length === 0) {
      // An empty catalog is one that has not been read yet: it says nothing about anything.
      const any = await this.#catalog.queryEntities(
        { limit: 1, fields: ['kind'] },
        { credentials },
      );
      if (any.items.length === 0) {
        throw new ServiceUnavailableError(
          'The catalog has no entities at all, so nothing can be said about what it lacks',
        );
      }
    }
    return found;
  }
}

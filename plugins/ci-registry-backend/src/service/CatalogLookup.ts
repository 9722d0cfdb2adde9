import type { AuthService } from '@backstage/backend-plugin-api';
import type { Entity } from '@backstage/catalog-model';
import { ForwardedError, ServiceUnavailableError } from '@backstage/errors';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import { Together } from './Together';

const BATCH = 500;
const FIELDS = [
  'kind',
  'metadata.namespace',
  'metadata.name',
  'metadata.annotations',
  // The steps of critical paths.
  'spec.steps',
];

/** How long it is believed that an entity exists, for what only warns when it does not. */
const REMEMBER_MS = 30_000;
const MAX_REMEMBERED = 5_000;

/**
 * Asks the catalog for entities. What is asked while a question is under way is asked together with the next one, so that many
 * pushes at once cost few questions.
 */
export class CatalogLookup {
  readonly #catalog: CatalogService;
  readonly #auth: AuthService;
  readonly #now: () => number;
  readonly #remembered = new Map<string, { entity: Entity; until: number }>();
  readonly #together = new Together<string[], Map<string, Entity>>(
    async questions => {
      const answer = await this.#ask([...new Set(questions.flat())]);
      return questions.map(() => answer);
    },
  );

  constructor(options: {
    catalog: CatalogService;
    auth: AuthService;
    /** ms since 1970, for tests. */
    now?: () => number;
  }) {
    this.#catalog = options.catalog;
    this.#auth = options.auth;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Those that the catalog has. Of the refs in `fresh` as it is now; of the others as it was up to half a minute ago, for those
   * it had. `ServiceUnavailableError` when the catalog does not answer.
   */
  async find(
    refs: Iterable<string>,
    fresh: ReadonlySet<string>,
  ): Promise<Map<string, Entity>> {
    const found = new Map<string, Entity>();
    const open: string[] = [];
    for (const ref of new Set(refs)) {
      const known = fresh.has(ref) ? undefined : this.#remembered.get(ref);
      if (known && known.until > this.#now()) found.set(ref, known.entity);
      else open.push(ref);
    }
    if (open.length) {
      const answer = await this.#together.ask(open);
      for (const ref of open) {
        const entity = answer.get(ref);
        if (entity) found.set(ref, entity);
      }
    }
    return found;
  }

  async #ask(refs: string[]): Promise<Map<string, Entity>> {
    const found = new Map<string, Entity>();
    try {
      for (let from = 0; from < refs.length; from += BATCH) {
        const entityRefs = refs.slice(from, from + BATCH);
        const { items } = await this.#catalog.getEntitiesByRefs(
          { entityRefs, fields: FIELDS },
          { credentials: await this.#auth.getOwnServiceCredentials() },
        );
        items.forEach((entity, index) => {
          if (entity) found.set(entityRefs[index], entity);
        });
      }
    } catch (error) {
      throw new ServiceUnavailableError(
        'The catalog does not answer, so it is not known whether these entities exist there; nothing was stored, push again in a moment',
        error instanceof Error
          ? new ForwardedError('Catalog request failed', error)
          : undefined,
      );
    }
    this.#remember(found);
    return found;
  }

  #remember(found: Map<string, Entity>): void {
    const until = this.#now() + REMEMBER_MS;
    for (const [ref, entity] of found) {
      this.#remembered.delete(ref);
      this.#remembered.set(ref, { entity, until });
    }
    for (const ref of this.#remembered.keys()) {
      if (this.#remembered.size <= MAX_REMEMBERED) break;
      this.#remembered.delete(ref);
    }
  }
}

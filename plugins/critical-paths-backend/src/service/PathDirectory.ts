import type {
  AuthService,
  BackstageCredentials,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { CATALOG_FILTER_EXISTS } from '@backstage/catalog-client';
import { stringifyEntityRef, type Entity } from '@backstage/catalog-model';
import { ServiceUnavailableError, toError } from '@backstage/errors';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import {
  ANNOTATION_CRITICAL_PATH,
  indexComponents,
  parseCriticalPath,
  resolvePath,
  type ParsedCriticalPath,
  type ResolvedPath,
} from '@rocket/plugin-critical-paths-common';

import { GROUP_FIELDS, groupsOf, type VisibleGroup } from './teams';

const PAGE_SIZE = 500;
const COMPONENT_FIELDS = [
  'kind',
  'metadata.namespace',
  'metadata.name',
  'metadata.title',
  'metadata.annotations',
  'spec.owner',
  'spec.dependsOn',
];
/** How long what a caller may see is remembered, so that a board that polls does not ask the catalog each time. */
const VISIBLE_FOR_MS = 10_000;
/** A caller who comes again after this long is answered from memory, and the catalog is asked for the next time. */
const VISIBLE_AGAIN_MS = 5_000;
/** The model is read again after its age, but only readers who come later than this times the age wait for it. */
const WAIT_AFTER_AGES = 4;
/** Answers that are remembered for each question. */
const MAX_ANSWERS = 2000;

/** An answer of the catalog to one caller. */
interface Remembered<T> {
  /** When it was asked for, milliseconds. */
  at: number;
  value: Promise<T>;
  /** Set once the next answer is being asked for. */
  again?: boolean;
}

/** All paths of the catalog with their applications. */
export interface PathModel {
  paths: Map<string, ResolvedPath>;
  components: Map<string, Entity>;
}

/**
 * Reads the critical paths of the catalog. The model is read as the plugin
 * itself and serves collection and arithmetic; what a caller gets to see is
 * decided by {@link visibleTo}.
 */
export class PathDirectory {
  readonly #options: {
    catalog: CatalogService;
    auth: AuthService;
    logger: LoggerService;
    maxAgeMs: number;
    now: () => number;
  };
  #model?: { at: number; value: PathModel };
  #reading?: Promise<PathModel>;
  readonly #visible = new Map<string, Remembered<Set<string>>>();
  readonly #visibleEntities = new Map<string, Remembered<Set<string>>>();
  readonly #groups = new Map<string, Remembered<Map<string, VisibleGroup>>>();
  #last?: { text: string; model: PathModel };
  #reported = '';

  constructor(options: {
    catalog: CatalogService;
    auth: AuthService;
    logger: LoggerService;
    maxAgeMs?: number;
    now?: () => number;
  }) {
    this.#options = { maxAgeMs: 15_000, now: Date.now, ...options };
  }

  /**
   * The paths, read again when that was `maxAgeMs` ago. Readers are not kept
   * waiting for it until it is four times as old; `fresh` waits for what the
   * catalog says now. Rejects when the last reading failed and this one does.
   */
  async model(options?: { fresh?: boolean }): Promise<PathModel> {
    const { now, maxAgeMs } = this.#options;
    const age = this.#model ? now() - this.#model.at : Infinity;
    if (options?.fresh || (!this.#reading && age > maxAgeMs)) {
      this.#reading = this.#read();
    }
    if (this.#reading && (options?.fresh || age > WAIT_AFTER_AGES * maxAgeMs)) {
      return this.#reading;
    }
    return this.#model!.value;
  }

  #read(): Promise<PathModel> {
    const at = this.#options.now();
    const reading = this.#load();
    const done = (model?: PathModel) => {
      // A later one may be on its way already.
      if (this.#reading === reading) {
        this.#reading = undefined;
        this.#model = model && { at, value: model };
      }
    };
    reading.then(done, () => done());
    return reading;
  }

  /** Refs of the paths that the catalog shows to the caller. */
  async visibleTo(credentials: BackstageCredentials): Promise<Set<string>> {
    return this.#remembered(this.#visible, '', credentials, () =>
      this.#refs(credentials),
    );
  }

  /** Which of the given entities the catalog shows to the caller. */
  async visibleEntities(
    entityRefs: string[],
    credentials: BackstageCredentials,
  ): Promise<Set<string>> {
    const asked = [...entityRefs].sort();
    return this.#remembered(
      this.#visibleEntities,
      JSON.stringify(asked),
      credentials,
      async () => {
        const { items } = await this.#ask(() =>
          this.#options.catalog.getEntitiesByRefs(
            {
              entityRefs: asked,
              fields: ['kind', 'metadata.namespace', 'metadata.name'],
            },
            { credentials },
          ),
        );
        return new Set(asked.filter((_, index) => items[index]));
      },
    );
  }

  /** The groups that the catalog shows to the caller, by ref, with what is above them. */
  async groupsVisibleTo(
    credentials: BackstageCredentials,
  ): Promise<Map<string, VisibleGroup>> {
    return this.#remembered(this.#groups, '', credentials, () =>
      this.#readGroups(credentials),
    );
  }

  async #remembered<T>(
    memory: Map<string, Remembered<T>>,
    question: string,
    credentials: BackstageCredentials,
    ask: () => Promise<T>,
  ): Promise<T> {
    const principal = credentials.principal as {
      type: string;
      userEntityRef?: string;
      subject?: string;
    };
    const key = `${principal.type}:${
      principal.userEntityRef ?? principal.subject ?? ''
    } ${question}`;
    const now = this.#options.now();
    const known = memory.get(key);
    const age = known ? now - known.at : Infinity;
    if (known && age <= VISIBLE_FOR_MS) {
      if (age > VISIBLE_AGAIN_MS && !known.again) {
        known.again = true;
        const next = ask();
        next.then(
          () => {
            if (memory.get(key) === known) {
              memory.set(key, { at: now, value: next });
            }
          },
          () => {}, // asked again when the answer is too old
        );
      }
      return known.value;
    }
    const value = ask();
    const oldest = memory.keys().next();
    if (memory.size >= MAX_ANSWERS && !oldest.done) {
      memory.delete(oldest.value);
    }
    memory.delete(key);
    memory.set(key, { at: now, value });
    value.catch(() => memory.delete(key));
    return value;
  }

  async #readGroups(
    credentials: BackstageCredentials,
  ): Promise<Map<string, VisibleGroup>> {
    return this.#ask(async () => {
      const entities: Entity[] = [];
      for await (const page of this.#options.catalog.streamEntities(
        {
          filter: { kind: 'Group' },
          fields: GROUP_FIELDS,
          pageSize: PAGE_SIZE,
        },
        { credentials },
      )) {
        entities.push(...page);
      }
      return groupsOf(entities);
    });
  }

  async #refs(credentials: BackstageCredentials): Promise<Set<string>> {
    return this.#ask(async () => {
      const refs = new Set<string>();
      for await (const page of this.#options.catalog.streamEntities(
        {
          filter: { kind: 'CriticalPath' },
          fields: ['kind', 'metadata.namespace', 'metadata.name'],
          pageSize: PAGE_SIZE,
        },
        { credentials },
      )) {
        page.forEach(entity => refs.add(stringifyEntityRef(entity)));
      }
      return refs;
    });
  }

  async #load(): Promise<PathModel> {
    const { catalog, auth } = this.#options;
    const credentials = await auth.getOwnServiceCredentials();
    return this.#ask(async () => {
      const parsed: ParsedCriticalPath[] = [];
      const faults: string[] = [];
      for await (const page of catalog.streamEntities(
        {
          filter: { kind: 'CriticalPath' },
          fields: ['apiVersion', 'kind', 'metadata', 'spec'],
          pageSize: PAGE_SIZE,
        },
        { credentials },
      )) {
        for (const entity of page) {
          try {
            parsed.push(parseCriticalPath(entity));
          } catch (error) {
            faults.push(
              `${stringifyEntityRef(entity)}: ${toError(error).message}`,
            );
          }
        }
      }
      this.#report(faults);

      const components = new Map<string, Entity>();
      for await (const page of catalog.streamEntities(
        {
          filter: {
            kind: 'Component',
            [`metadata.annotations.${ANNOTATION_CRITICAL_PATH}`]:
              CATALOG_FILTER_EXISTS,
          },
          fields: COMPONENT_FIELDS,
          pageSize: PAGE_SIZE,
        },
        { credentials },
      )) {
        page.forEach(entity =>
          components.set(stringifyEntityRef(entity), entity),
        );
      }
      const named = [
        ...new Set(
          parsed.flatMap(path => path.steps.map(step => step.componentRef)),
        ),
      ].filter(ref => !components.has(ref));
      if (named.length > 0) {
        const { items } = await catalog.getEntitiesByRefs(
          { entityRefs: named, fields: COMPONENT_FIELDS },
          { credentials },
        );
        items.forEach((entity, index) => {
          if (entity) {
            components.set(named[index], entity);
          }
        });
      }
      const index = indexComponents(components.values());
      return this.#reuse({
        components,
        paths: new Map(
          parsed
            .sort((a, b) => (a.entityRef < b.entityRef ? -1 : 1))
            .map(path => [path.entityRef, resolvePath(path, index)]),
        ),
      });
    });
  }

  /** The same object as before while the catalog says the same, so that nothing is worked out again. */
  #reuse(model: PathModel): PathModel {
    const text = JSON.stringify([[...model.paths], [...model.components]]);
    if (this.#last?.text !== text) {
      this.#last = { text, model };
    }
    return this.#last.model;
  }

  #report(faults: string[]): void {
    const text = faults.sort().join('\n');
    if (text !== this.#reported) {
      this.#reported = text;
      faults.forEach(fault =>
        this.#options.logger.warn(`Left out of the collection: ${fault}`),
      );
    }
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (toError(error).name === 'NotAllowedError') {
        throw error;
      }
      throw new ServiceUnavailableError(
        'The catalog cannot be read; try again in a moment',
        error,
      );
    }
  }
}

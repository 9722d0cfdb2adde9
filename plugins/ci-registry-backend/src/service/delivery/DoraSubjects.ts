import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import { CATALOG_FILTER_EXISTS } from '@backstage/catalog-client';
import {
  RELATION_OWNED_BY,
  parseEntityRef,
  stringifyEntityRef,
  type Entity,
} from '@backstage/catalog-model';
import { NotFoundError } from '@backstage/errors';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import type { DoraResponse } from '@rocket/plugin-ci-registry-common';
import {
  ANNOTATION_CRITICAL_PATH,
  indexComponents,
  parseCriticalPath,
  resolvePath,
} from '@rocket/plugin-critical-paths-common';
import { catalogAnswers } from './catalogAnswers';

const PAGE = 500;
const COMPONENT_FIELDS = [
  'kind',
  'metadata.namespace',
  'metadata.name',
  'metadata.title',
  'metadata.annotations',
  'spec.dependsOn',
  'relations',
];

export interface DoraQuery {
  by: DoraResponse['by'];
  environment?: string;
  days: number;
  /** Only the row of this component, group or path. */
  ref?: string;
}

/** One row before its figures. */
export interface DoraSubject {
  entityRef: string;
  title: string;
  components: string[];
}

const titleOf = (entity: Entity) =>
  entity.metadata.title ?? entity.metadata.name;

const ownerOf = (entity: Entity) =>
  entity.relations?.find(({ type }) => type === RELATION_OWNED_BY)?.targetRef;

/** Finds what the rows of a DORA board are about, as far as the caller may see it. */
export class DoraSubjects {
  readonly #catalog: CatalogService;

  constructor(catalog: CatalogService) {
    this.#catalog = catalog;
  }

  /** `deployed` are the components of which something was deployed. */
  async of(
    { by, ref }: DoraQuery,
    deployed: string[],
    credentials: BackstageCredentials,
  ): Promise<DoraSubject[]> {
    if (ref !== undefined) {
      // Before anything is counted: whoever may not see it gets no figures of it.
      const [entity] = await this.#byRefs([ref], credentials);
      if (!entity) {
        throw new NotFoundError(`ref: there is no ${ref} in the catalog`);
      }
      if (by === 'component') {
        return [{ entityRef: ref, title: titleOf(entity), components: [ref] }];
      }
    }
    if (by === 'path') {
      return this.#paths(ref, credentials);
    }
    const components = await this.#byRefs(deployed, credentials);
    if (by === 'component') {
      return components.map(entity => {
        const entityRef = stringifyEntityRef(entity);
        return { entityRef, title: titleOf(entity), components: [entityRef] };
      });
    }
    return this.#teams(ref, components, credentials);
  }

  async #teams(
    ref: string | undefined,
    components: Entity[],
    credentials: BackstageCredentials,
  ): Promise<DoraSubject[]> {
    const owned = new Map<string, string[]>(ref ? [[ref, []]] : []);
    for (const entity of components) {
      const owner = ownerOf(entity);
      if (owner && (ref === undefined || owner === ref)) {
        const refs = owned.get(owner) ?? [];
        owned.set(owner, [...refs, stringifyEntityRef(entity)]);
      }
    }
    const owners = await this.#byRefs([...owned.keys()], credentials);
    const titles = new Map(
      owners.map(entity => {
        const { displayName } = (entity.spec?.profile ?? {}) as {
          displayName?: string;
        };
        return [stringifyEntityRef(entity), displayName ?? titleOf(entity)];
      }),
    );
    return [...owned].map(([entityRef, refs]) => ({
      entityRef,
      title: titles.get(entityRef) ?? parseEntityRef(entityRef).name,
      components: refs,
    }));
  }

  async #paths(
    ref: string | undefined,
    credentials: BackstageCredentials,
  ): Promise<DoraSubject[]> {
    const paths = (
      ref
        ? await this.#byRefs([ref], credentials, [])
        : await this.#query({ kind: 'criticalpath' }, [], credentials)
    ).flatMap(entity => {
      try {
        return [parseCriticalPath(entity)];
      } catch {
        // The catalog says what is wrong with it.
        return [];
      }
    });
    const joining = await this.#query(
      {
        kind: 'component',
        [`metadata.annotations.${ANNOTATION_CRITICAL_PATH}`]:
          CATALOG_FILTER_EXISTS,
      },
      COMPONENT_FIELDS,
      credentials,
    );
    const named = await this.#byRefs(
      [
        ...new Set(
          paths.flatMap(path => path.steps.map(step => step.componentRef)),
        ),
      ],
      credentials,
    );
    const index = indexComponents([...joining, ...named]);
    return paths.map(path => ({
      entityRef: path.entityRef,
      title: path.title,
      components: [
        ...new Set(
          resolvePath(path, index)
            .steps.flatMap(step => step.members)
            .filter(member => member.known)
            .map(member => member.entityRef),
        ),
      ],
    }));
  }

  /** Those of them that the caller may see. */
  async #byRefs(
    entityRefs: string[],
    credentials: BackstageCredentials,
    fields = [...COMPONENT_FIELDS, 'spec.profile'],
  ): Promise<Entity[]> {
    const found: Entity[] = [];
    for (let i = 0; i < entityRefs.length; i += PAGE) {
      const { items } = await catalogAnswers(() =>
        this.#catalog.getEntitiesByRefs(
          {
            entityRefs: entityRefs.slice(i, i + PAGE),
            ...(fields.length > 0 ? { fields } : {}),
          },
          { credentials },
        ),
      );
      found.push(...items.filter(item => item !== undefined));
    }
    return found;
  }

  async #query(
    filter: Record<string, string | symbol>,
    fields: string[],
    credentials: BackstageCredentials,
  ): Promise<Entity[]> {
    const found: Entity[] = [];
    const options = { ...(fields.length > 0 ? { fields } : {}), limit: PAGE };
    const ask = (cursor: string | undefined) =>
      catalogAnswers(() =>
        this.#catalog.queryEntities(
          cursor ? { ...options, cursor } : { ...options, filter },
          { credentials },
        ),
      );
    let page = await ask(undefined);
    found.push(...page.items);
    while (page.pageInfo.nextCursor) {
      page = await ask(page.pageInfo.nextCursor);
      found.push(...page.items);
    }
    return found;
  }
}

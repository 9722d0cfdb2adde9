import {
  ANNOTATION_ORIGIN_LOCATION,
  parseEntityRef,
  stringifyEntityRef,
  type Entity,
} from '@backstage/catalog-model';
import {
  CI_REGISTRY_LOCATION_TYPE,
  type PushProblem,
} from '@rocket/plugin-ci-registry-common';
import {
  ANNOTATION_CRITICAL_PATH,
  ANNOTATION_CRITICAL_PATH_STEP,
  readJoinRequest,
} from '@rocket/plugin-critical-paths-common';
import type { CatalogLookup } from './CatalogLookup';
import type { CheckedEntity } from './EntityValidator';

export type CheckLevel = PushProblem['severity'] | 'off';

export interface CheckLevels {
  /** The owner exists. */
  owner: CheckLevel;
  /** Everything else an entity names exists. */
  relations: CheckLevel;
  /** The annotations of critical paths name an existing path and step. */
  criticalPath: CheckLevel;
}

/** A problem; `conflict` when somebody else has the entity. */
export interface FoundProblem extends PushProblem {
  conflict?: boolean;
}

type Reference = { field: string; ref: string; role: 'owner' | 'relation' };

/** Fields of `spec` that name other entities, and the kind that a name without one means. */
const RELATIONS: Record<string, Record<string, string | undefined>> = {
  component: {
    owner: 'group',
    system: 'system',
    subcomponentOf: 'component',
    providesApis: 'api',
    consumesApis: 'api',
    dependsOn: undefined,
    dependencyOf: undefined,
  },
  api: { owner: 'group', system: 'system' },
  resource: {
    owner: 'group',
    system: 'system',
    dependsOn: undefined,
    dependencyOf: undefined,
  },
  system: { owner: 'group', domain: 'domain' },
  domain: { owner: 'group', subdomainOf: 'domain' },
};

/** What an entity names, and what in it is no name. */
function readReferences(item: CheckedEntity): {
  references: Reference[];
  problems: FoundProblem[];
} {
  const references: Reference[] = [];
  const problems: FoundProblem[] = [];
  const { entity, at } = item;
  const fields = RELATIONS[entity.kind.toLocaleLowerCase('en-US')] ?? {};
  for (const [name, defaultKind] of Object.entries(fields)) {
    const value = entity.spec?.[name];
    const values = Array.isArray(value) ? value : [value];
    values.forEach((text, index) => {
      if (typeof text !== 'string') return;
      const field = `${at}.spec.${name}${
        Array.isArray(value) ? `.${index}` : ''
      }`;
      try {
        references.push({
          field,
          ref: stringifyEntityRef(
            parseEntityRef(text, {
              defaultKind,
              defaultNamespace: entity.metadata.namespace,
            }),
          ),
          role: name === 'owner' ? 'owner' : 'relation',
        });
      } catch {
        problems.push({
          field,
          message: `${JSON.stringify(
            text,
          )} is not an entity reference; write kind:namespace/name`,
          severity: 'error',
        });
      }
    });
  }
  return { references, problems };
}

function annotationField(item: CheckedEntity, annotation: string): string {
  return `${item.at}.metadata.annotations.${annotation}`;
}

/** Checks what only the catalog can tell; one question for all entities of a push. */
export class CatalogChecks {
  readonly #lookup: CatalogLookup;
  readonly #levels: CheckLevels;

  constructor(options: { lookup: CatalogLookup; levels: CheckLevels }) {
    this.#lookup = options.lookup;
    this.#levels = options.levels;
  }

  /**
   * `changed` are entities whose content is new to the registry; those in `unknown` it does not hold yet, so somebody else may
   * have them. `present` are the refs of the whole push. `isRegistered` answers which refs the registry holds: they may be on
   * their way to the catalog.
   */
  async check(options: {
    repository: string;
    changed: CheckedEntity[];
    unknown: ReadonlySet<string>;
    present: ReadonlySet<string>;
    isRegistered: (refs: string[]) => Promise<ReadonlySet<string>>;
  }): Promise<FoundProblem[]> {
    const { changed, unknown, present } = options;
    if (!changed.length) return [];
    const read = changed.map(item => ({ item, ...readReferences(item) }));
    const problems = read.flatMap(entry => entry.problems);
    const references = read
      .flatMap(entry => entry.references)
      .filter(
        ({ ref, role }) =>
          !present.has(ref) &&
          this.#levels[role === 'owner' ? 'owner' : 'relations'] !== 'off',
      );
    const joins = this.#readJoins(changed, problems);
    const refs = [
      ...unknown,
      ...references.map(({ ref }) => ref),
      ...joins.map(({ pathRef }) => pathRef),
    ];
    if (!refs.length) return problems;

    let found: Map<string, Entity>;
    try {
      found = await this.#lookup.find(refs, unknown);
    } catch (error) {
      const isNeeded =
        unknown.size > 0 ||
        joins.length > 0 ||
        this.#levels.owner === 'error' ||
        this.#levels.relations === 'error';
      if (isNeeded) throw error;
      problems.push({
        field: 'entities',
        message:
          'the catalog does not answer, so it was not checked whether what they name exists',
        severity: 'warning',
      });
      return problems;
    }
    problems.push(...this.#origins(options, found));
    const missing = references.filter(({ ref }) => !found.has(ref));
    const registered = missing.length
      ? await options.isRegistered(missing.map(({ ref }) => ref))
      : new Set<string>();
    for (const { field, ref, role } of missing) {
      const level = this.#levels[role === 'owner' ? 'owner' : 'relations'];
      if (level !== 'off' && !registered.has(ref)) {
        problems.push({
          field,
          message: `${ref} does not exist in the catalog; correct the name, or register it first`,
          severity: level,
        });
      }
    }
    problems.push(...this.#paths(joins, found));
    return problems;
  }

  #readJoins(
    items: CheckedEntity[],
    problems: FoundProblem[],
  ): { item: CheckedEntity; pathRef: string; step: string }[] {
    const severity = this.#levels.criticalPath;
    if (severity === 'off') return [];
    return items.flatMap(item => {
      if (!item.entityRef.startsWith('component:')) return [];
      const request = readJoinRequest(item.entity);
      if (!request) return [];
      if (request.error !== undefined) {
        const isStep = request.error.startsWith(
          `metadata.annotations["${ANNOTATION_CRITICAL_PATH_STEP}"]`,
        );
        problems.push({
          field: annotationField(
            item,
            isStep ? ANNOTATION_CRITICAL_PATH_STEP : ANNOTATION_CRITICAL_PATH,
          ),
          message: request.error.replace(
            /^metadata\.annotations\[[^\]]*\] /,
            '',
          ),
          severity,
        });
        return [];
      }
      return [{ item, pathRef: request.pathRef, step: request.step }];
    });
  }

  #paths(
    joins: { item: CheckedEntity; pathRef: string; step: string }[],
    found: Map<string, Entity>,
  ): FoundProblem[] {
    const severity = this.#levels.criticalPath;
    if (severity === 'off') return [];
    return joins.flatMap(({ item, pathRef, step }): FoundProblem[] => {
      const path = found.get(pathRef);
      if (!path) {
        return [
          {
            field: annotationField(item, ANNOTATION_CRITICAL_PATH),
            message: `${pathRef} does not exist in the catalog; correct the name, or leave the annotation out`,
            severity,
          },
        ];
      }
      const steps = (
        Array.isArray(path.spec?.steps) ? path.spec.steps : []
      ).map(entry => (entry as { name?: unknown } | null)?.name);
      return steps.includes(step)
        ? []
        : [
            {
              field: annotationField(item, ANNOTATION_CRITICAL_PATH_STEP),
              message: `${pathRef} has no step ${JSON.stringify(
                step,
              )}; its steps are ${steps.join(', ')}`,
              severity,
            },
          ];
    });
  }

  /** The catalog would ignore an entity that it has from elsewhere, without telling anybody. */
  #origins(
    options: {
      repository: string;
      changed: CheckedEntity[];
      unknown: ReadonlySet<string>;
    },
    found: Map<string, Entity>,
  ): FoundProblem[] {
    const own = `${CI_REGISTRY_LOCATION_TYPE}:${options.repository}`;
    return options.changed.flatMap(({ entityRef, at }) => {
      const entity = options.unknown.has(entityRef)
        ? found.get(entityRef)
        : undefined;
      const origin =
        entity?.metadata.annotations?.[ANNOTATION_ORIGIN_LOCATION] ??
        'an unknown location';
      return entity && origin !== own
        ? [
            {
              field: at,
              message: `the catalog already has ${entityRef} from ${origin}; remove it there or rename the entity`,
              severity: 'error' as const,
              conflict: true,
            },
          ]
        : [];
    });
  }
}

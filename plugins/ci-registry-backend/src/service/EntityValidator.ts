import {
  ANNOTATION_LOCATION,
  ANNOTATION_ORIGIN_LOCATION,
  DefaultNamespaceEntityPolicy,
  EntityPolicies,
  FieldFormatEntityPolicy,
  NoForeignRootFieldsEntityPolicy,
  SchemaValidEntityPolicy,
  apiEntityV1alpha1Validator,
  componentEntityV1alpha1Validator,
  domainEntityV1alpha1Validator,
  entityEnvelopeSchemaValidator,
  groupEntityV1alpha1Validator,
  resourceEntityV1alpha1Validator,
  stringifyEntityRef,
  systemEntityV1alpha1Validator,
  userEntityV1alpha1Validator,
  type Entity,
} from '@backstage/catalog-model';
import { InputError } from '@backstage/errors';
import type { JsonValue } from '@backstage/types';
import {
  ANNOTATION_PUSHED_AT,
  ANNOTATION_SOURCE_COMMIT,
  ANNOTATION_SOURCE_PIPELINE,
  ANNOTATION_SOURCE_REPOSITORY,
} from '@rocket/plugin-ci-registry-common';
import type { EntityToStore } from '../database/EntityStore';
import { canonicalJson, sha256 } from './canonical';

/** Deeper than any real entity, shallow enough for every walker in the catalog. */
const MAX_DEPTH = 40;

/** What the registry or the catalog writes itself; a pushed value is dropped. */
const MANAGED_ANNOTATIONS = [
  ANNOTATION_LOCATION,
  ANNOTATION_ORIGIN_LOCATION,
  ANNOTATION_SOURCE_REPOSITORY,
  ANNOTATION_SOURCE_COMMIT,
  ANNOTATION_SOURCE_PIPELINE,
  ANNOTATION_PUSHED_AT,
];

const MANAGED_METADATA = ['uid', 'etag'];

const KIND_VALIDATORS: Record<string, typeof componentEntityV1alpha1Validator> =
  {
    api: apiEntityV1alpha1Validator,
    component: componentEntityV1alpha1Validator,
    domain: domainEntityV1alpha1Validator,
    group: groupEntityV1alpha1Validator,
    resource: resourceEntityV1alpha1Validator,
    system: systemEntityV1alpha1Validator,
    user: userEntityV1alpha1Validator,
  };

function field(path: (string | number)[]): string {
  return path.map(String).join('.');
}

/**
 * Without recursion: refuses what is too deep, what PostgreSQL cannot store, and
 * placeholders, which the catalog would resolve by fetching an address of the caller's choice.
 */
function checkTree(root: unknown): void {
  const open: { value: unknown; path: (string | number)[] }[] = [
    { value: root, path: [] },
  ];
  for (let node = open.pop(); node; node = open.pop()) {
    const { value, path } = node;
    if (path.length > MAX_DEPTH) {
      throw new Error(
        `${field(path.slice(0, 4))}… is nested deeper than ${MAX_DEPTH} levels`,
      );
    }
    if (typeof value === 'string' && value.includes('\u0000')) {
      throw new Error(`${field(path)} holds a NUL character`);
    }
    if (value && typeof value === 'object') {
      const keys = Object.keys(value);
      if (
        !Array.isArray(value) &&
        keys.length === 1 &&
        keys[0].startsWith('$') &&
        keys[0] !== '$ref'
      ) {
        throw new Error(
          `${field(path)} is a ${
            keys[0]
          } placeholder; nothing is fetched for a pushed entity, so put the text itself there`,
        );
      }
      for (const key of keys) {
        if (key.includes('\u0000')) {
          throw new Error(`${field(path)} has a key with a NUL character`);
        }
        open.push({
          value: (value as Record<string, unknown>)[key],
          path: [...path, key],
        });
      }
    }
  }
}

function withoutManagedFields(entity: Entity): Entity {
  const metadata: Record<string, unknown> = { ...entity.metadata };
  for (const key of MANAGED_METADATA) {
    delete metadata[key];
  }
  if (entity.metadata.annotations) {
    const annotations = { ...entity.metadata.annotations };
    for (const key of MANAGED_ANNOTATIONS) {
      delete annotations[key];
    }
    metadata.annotations = annotations;
    if (Object.keys(annotations).length === 0) {
      delete metadata.annotations;
    }
  }
  return { ...entity, metadata: metadata as Entity['metadata'] };
}

/** Says no, with the field and the reason, to whatever the catalog would later drop in silence. */
export class EntityValidator {
  readonly #kinds: Map<string, string>;
  readonly #maxEntities: number;
  readonly #envelope = entityEnvelopeSchemaValidator();
  readonly #policy = EntityPolicies.allOf([
    new DefaultNamespaceEntityPolicy(),
    new SchemaValidEntityPolicy(),
    new NoForeignRootFieldsEntityPolicy(),
    new FieldFormatEntityPolicy(),
  ]);

  constructor(options: { allowedKinds: string[]; maxEntities: number }) {
    this.#kinds = new Map(
      options.allowedKinds.map(kind => [kind.toLocaleLowerCase('en-US'), kind]),
    );
    this.#maxEntities = options.maxEntities;
  }

  /** In the order given. `InputError` names the entity by its place in the request, and the field. */
  async validate(entities: unknown[]): Promise<EntityToStore[]> {
    if (entities.length > this.#maxEntities) {
      throw new InputError(
        `entities: ${entities.length} in one request, at most ${
          this.#maxEntities
        } are allowed; split the push`,
      );
    }
    const places = new Map<string, number>();
    const checked: EntityToStore[] = [];
    for (const [index, candidate] of entities.entries()) {
      const item = await this.#validateOne(candidate, `entities.${index}`);
      const earlier = places.get(item.entityRef);
      if (earlier !== undefined) {
        throw new InputError(
          `entities.${earlier} and entities.${index} are both ${item.entityRef}; push each entity once`,
        );
      }
      places.set(item.entityRef, index);
      checked.push(item);
    }
    return checked;
  }

  async #validateOne(candidate: unknown, at: string): Promise<EntityToStore> {
    let entity: Entity;
    try {
      checkTree(candidate);
      this.#envelope(candidate);
      entity = withoutManagedFields(candidate as Entity);
    } catch (error) {
      throw new InputError(`${at}: ${(error as Error).message}`);
    }
    const kind = entity.kind.toLocaleLowerCase('en-US');
    const name = `${at} (${stringifyEntityRef(entity)})`;
    if (!this.#kinds.has(kind)) {
      throw new InputError(
        `${name}: kind ${entity.kind} may not be pushed; allowed: ${[
          ...this.#kinds.values(),
        ].join(', ')}`,
      );
    }
    try {
      entity = (await this.#policy.enforce(entity)) ?? entity;
      const known = await KIND_VALIDATORS[kind]?.check(entity);
      if (known === false) {
        throw new Error(
          `apiVersion ${entity.apiVersion} is not known for kind ${entity.kind}; use backstage.io/v1alpha1`,
        );
      }
    } catch (error) {
      throw new InputError(`${name}: ${(error as Error).message}`);
    }
    const json = canonicalJson(entity as unknown as JsonValue);
    return { entityRef: stringifyEntityRef(entity), json, hash: sha256(json) };
  }
}

import {
  ANNOTATION_LOCATION,
  ANNOTATION_ORIGIN_LOCATION,
  DefaultNamespaceEntityPolicy,
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
import type { JsonValue } from '@backstage/types';
import {
  ANNOTATION_GONE_AT,
  ANNOTATION_PUSHED_AT,
  ANNOTATION_SOURCE_COMMIT,
  ANNOTATION_SOURCE_PIPELINE,
  ANNOTATION_SOURCE_REPOSITORY,
  type PushProblem,
} from '@rocket/plugin-ci-registry-common';
import type { EntityToStore } from '../database/EntityStore';
import { canonicalJson, sha256 } from './canonical';
import { findTreeProblem } from './tree';

/** What the registry or the catalog writes itself; a pushed value is dropped. */
const MANAGED_ANNOTATIONS = [
  ANNOTATION_LOCATION,
  ANNOTATION_ORIGIN_LOCATION,
  ANNOTATION_SOURCE_REPOSITORY,
  ANNOTATION_SOURCE_COMMIT,
  ANNOTATION_SOURCE_PIPELINE,
  ANNOTATION_PUSHED_AT,
  ANNOTATION_GONE_AT,
];

/** Entities of this size and number are remembered once they were found right; most pushes repeat what was pushed before. */
const MAX_REMEMBERED_BYTES = 4 * 1024;
const MAX_REMEMBERED = 4_000;

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

/** An annotation that some entities must have. */
export interface RequiredAnnotation {
  annotation: string;
  kinds: string[];
  /** Values of `spec.type`; every one when left out. */
  types?: string[];
  severity: PushProblem['severity'];
}

/** An entity without fault, with its place in the request. */
export interface CheckedEntity extends EntityToStore {
  entity: Entity;
  /** For example `entities.3`. */
  at: string;
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

/** The field that a message of the catalog's own validators is about, and the message without it. */
function toProblem(at: string, error: unknown): PushProblem {
  const text = (error as Error).message;
  const missing = text.match(/^(\/\S*|<root>) .*missingProperty: (\S+)$/);
  const schema = text.match(/^(\/\S*|<root>) (.*)$/s);
  const quoted = text.match(
    /^"([^"]+)" (is not valid.*?)( To learn more.*)?$/s,
  );
  const plain = text.match(/^((?:metadata|labels|annotations|tags)\S*) (.*)$/s);
  const path = (pointer: string) =>
    pointer === '<root>' ? '' : pointer.replaceAll('/', '.');
  let field = at;
  let message = text;
  if (missing) {
    field = `${at}${path(missing[1])}.${missing[2]}`;
    message = 'must be given';
  } else if (schema) {
    field = `${at}${path(schema[1])}`;
    message = schema[2];
  } else if (quoted || plain) {
    const [, name, rest] = (quoted ?? plain) as RegExpMatchArray;
    const inMetadata = /^(labels|annotations|tags|links)\b/.test(name);
    field = `${at}.${inMetadata ? 'metadata.' : ''}${name}`;
    message = rest;
  }
  return { field, message, severity: 'error' };
}

/** Says no, with the field and the reason, to whatever the catalog would later drop in silence. */
export class EntityValidator {
  readonly #kinds: Map<string, string>;
  readonly #maxEntities: number;
  readonly #reserved: Set<string>;
  readonly #required: RequiredAnnotation[];
  readonly #envelope = entityEnvelopeSchemaValidator();
  readonly #remembered = new Map<string, Omit<CheckedEntity, 'at'>>();
  readonly #namespacePolicy = new DefaultNamespaceEntityPolicy();
  readonly #policies = [
    new SchemaValidEntityPolicy(),
    new NoForeignRootFieldsEntityPolicy(),
    new FieldFormatEntityPolicy(),
  ];

  constructor(options: {
    allowedKinds: string[];
    maxEntities: number;
    reservedNamespaces: string[];
    requiredAnnotations: RequiredAnnotation[];
  }) {
    this.#kinds = new Map(
      options.allowedKinds.map(kind => [kind.toLocaleLowerCase('en-US'), kind]),
    );
    this.#maxEntities = options.maxEntities;
    this.#reserved = new Set(options.reservedNamespaces);
    this.#required = options.requiredAnnotations;
  }

  /**
   * The entities without fault in the order given, and what is wrong with the others. `at` is where the list is in the
   * request.
   */
  async check(
    entities: unknown[],
    at = 'entities',
  ): Promise<{ items: CheckedEntity[]; problems: PushProblem[] }> {
    if (entities.length > this.#maxEntities) {
      return {
        items: [],
        problems: [
          {
            field: at,
            message: `${entities.length} in one request, at most ${
              this.#maxEntities
            } are allowed; split the push`,
            severity: 'error',
          },
        ],
      };
    }
    const problems: PushProblem[] = [];
    const places = new Map<string, string>();
    const items: CheckedEntity[] = [];
    for (const [index, candidate] of entities.entries()) {
      const place = `${at}.${index}`;
      const item = await this.#checkOne(candidate, place, problems);
      const earlier = item && places.get(item.entityRef);
      if (earlier !== undefined) {
        problems.push({
          field: place,
          message: `is ${item?.entityRef}, as is ${earlier}; push each entity once`,
          severity: 'error',
        });
      } else if (item) {
        places.set(item.entityRef, place);
        items.push(item);
      }
    }
    return { items, problems };
  }

  async #checkOne(
    candidate: unknown,
    at: string,
    problems: PushProblem[],
  ): Promise<CheckedEntity | undefined> {
    const before = problems.length;
    const wrong = (field: string, message: string) => {
      problems.push({ field: `${at}${field}`, message, severity: 'error' });
    };
    const tree = findTreeProblem(candidate);
    if (tree) {
      wrong(tree.path && `.${tree.path}`, tree.message);
      return undefined;
    }
    const given = sha256(JSON.stringify(candidate));
    const known = this.#remembered.get(given);
    if (known) return { ...known, at };
    let entity: Entity;
    try {
      this.#envelope(candidate);
      entity = await this.#namespacePolicy.enforce(
        withoutManagedFields(candidate as Entity),
      );
    } catch (error) {
      problems.push(toProblem(at, error));
      return undefined;
    }
    const kind = entity.kind.toLocaleLowerCase('en-US');
    if (!this.#kinds.has(kind)) {
      wrong(
        '.kind',
        `kind ${entity.kind} may not be pushed; allowed: ${[
          ...this.#kinds.values(),
        ].join(', ')}`,
      );
      return undefined;
    }
    const namespace = entity.metadata.namespace?.toLocaleLowerCase('en-US');
    if (namespace && this.#reserved.has(namespace)) {
      wrong(
        '.metadata.namespace',
        `namespace ${entity.metadata.namespace} is reserved; use another one, or leave it out`,
      );
    }
    for (const policy of this.#policies) {
      try {
        entity = (await policy.enforce(entity)) ?? entity;
      } catch (error) {
        problems.push(toProblem(at, error));
      }
    }
    try {
      if ((await KIND_VALIDATORS[kind]?.check(entity)) === false) {
        wrong(
          '.apiVersion',
          `apiVersion ${entity.apiVersion} is not known for kind ${entity.kind}; use backstage.io/v1alpha1`,
        );
      }
    } catch (error) {
      problems.push(toProblem(at, error));
    }
    this.#checkAnnotations(entity, kind, at, problems);
    if (problems.slice(before).some(({ severity }) => severity === 'error')) {
      return undefined;
    }
    const json = canonicalJson(entity as unknown as JsonValue);
    const item = {
      entityRef: stringifyEntityRef(entity),
      entity,
      json,
      hash: sha256(json),
    };
    if (problems.length === before && json.length <= MAX_REMEMBERED_BYTES) {
      this.#remembered.set(given, item);
      for (const oldest of this.#remembered.keys()) {
        if (this.#remembered.size <= MAX_REMEMBERED) break;
        this.#remembered.delete(oldest);
      }
    }
    return { ...item, at };
  }

  #checkAnnotations(
    entity: Entity,
    kind: string,
    at: string,
    problems: PushProblem[],
  ): void {
    for (const { annotation, kinds, types, severity } of this.#required) {
      const concerns =
        kinds.some(name => name.toLocaleLowerCase('en-US') === kind) &&
        (!types || types.includes(String(entity.spec?.type)));
      if (concerns && !entity.metadata.annotations?.[annotation]) {
        problems.push({
          field: `${at}.metadata.annotations.${annotation}`,
          message: `must be given for ${entity.kind}${
            types ? ` of type ${types.join(' or ')}` : ''
          }`,
          severity,
        });
      }
    }
  }
}

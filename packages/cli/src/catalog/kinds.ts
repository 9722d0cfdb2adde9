import type { FieldPath } from './documents';
import { checkCriticalPath } from './criticalPath';
import { type Complain, type Fields, checkFields } from './fields';
import { parseRef } from './refs';

const owner = {
  type: 'ref',
  kinds: ['group', 'user'],
  required: true,
} as const;
const system = { type: 'ref', kinds: ['system'] } as const;
const words = { type: 'text' } as const;
const needed = { type: 'text', required: true } as const;
const apis = { type: 'refs', kinds: ['api'] } as const;
const anything = { type: 'refs', kinds: [] } as const;

/** `spec` of the kinds that a repository describes itself with; other fields are allowed, as in the catalog. */
const SPECS: Record<string, Fields> = {
  component: {
    type: needed,
    lifecycle: needed,
    owner,
    system,
    subcomponentOf: { type: 'ref', kinds: ['component'] },
    providesApis: apis,
    consumesApis: apis,
    dependsOn: anything,
    dependencyOf: anything,
  },
  api: { type: needed, lifecycle: needed, owner, system, definition: needed },
  resource: {
    type: needed,
    owner,
    system,
    dependsOn: anything,
    dependencyOf: anything,
  },
  system: { owner, type: words, domain: { type: 'ref', kinds: ['domain'] } },
  domain: {
    owner,
    type: words,
    subdomainOf: { type: 'ref', kinds: ['domain'] },
  },
  group: {
    type: needed,
    children: { type: 'refs', kinds: ['group'], required: true },
    parent: { type: 'ref', kinds: ['group'] },
    members: { type: 'refs', kinds: ['user'] },
  },
  user: { memberOf: { type: 'refs', kinds: ['group'], required: true } },
};

/** An MCP server is an API without a definition. */
const MCP_SERVER: Fields = {
  type: needed,
  lifecycle: needed,
  owner,
  system,
};

const API_VERSIONS = ['backstage.io/v1alpha1', 'backstage.io/v1beta1'];

const NAME = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const LABEL = /^[a-z0-9]+(?:-+[a-z0-9]+)*$/;
const TAG = /^[a-z0-9:+#]+(?:-[a-z0-9:+#]+)*$/;
const ROOT_FIELDS = ['apiVersion', 'kind', 'metadata', 'spec'];

/** A name or value of at most 63 characters. */
const isName = (text: unknown) =>
  typeof text === 'string' && text.length <= 63 && NAME.test(text);

/** `[prefix/]name` of a label or annotation. */
function isKey(text: string): boolean {
  const parts = text.split('/');
  const prefix = parts.length === 2 ? parts[0] : undefined;
  return (
    parts.length <= 2 &&
    isName(parts[parts.length - 1]) &&
    (prefix === undefined ||
      (prefix.length <= 253 &&
        prefix
          .split('.')
          .every(label => label.length <= 63 && LABEL.test(label))))
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return Boolean(value) && typeof value === 'object' && !Array.isArray(value);
}

/** What is wrong with the fields of one entity, and what it refers to. */
export interface Checked {
  /** Refs that have to exist, complete. */
  relations: { field: FieldPath; ref: string; step?: string }[];
}

/**
 * Checks one entity by itself: the envelope, the formats of names, labels, annotations, tags and links, and the `spec` of the kinds
 * that are known here. Other kinds are only checked as far as every entity is the same.
 */
export function checkEntity(value: unknown, complain: Complain): Checked {
  const checked: Checked = { relations: [] };
  if (!isObject(value)) {
    complain(
      'schema',
      [],
      'must be an entity: apiVersion, kind, metadata, spec',
    );
    return checked;
  }
  for (const key of Object.keys(value))
    if (!ROOT_FIELDS.includes(key))
      complain(
        'schema',
        [key],
        `${key} is no field of an entity; those are ${ROOT_FIELDS.join(', ')}`,
      );
  const { apiVersion, kind } = value;
  const version = typeof apiVersion === 'string' ? apiVersion.split('/') : [];
  const group = version.length === 2 ? version[0] : 'x';
  if (
    version.length < 1 ||
    version.length > 2 ||
    !/^[a-zA-Z0-9]{1,63}$/.test(version[version.length - 1]) ||
    group.length > 253 ||
    !group.split('.').every(label => label.length <= 63 && LABEL.test(label))
  )
    complain(
      'schema',
      ['apiVersion'],
      'apiVersion must be a version such as backstage.io/v1alpha1',
    );
  const named =
    typeof kind === 'string' && /^[a-zA-Z][a-zA-Z0-9]{0,62}$/.test(kind);
  if (!named)
    complain('schema', ['kind'], 'kind must be a kind such as Component');
  checkMetadata(value.metadata, complain);
  if (value.spec !== undefined && !isObject(value.spec)) {
    complain('schema', ['spec'], 'spec must be an object');
    return checked;
  }
  if (!named) return checked;
  checkSpec(value, kind as string, complain, checked);
  return checked;
}

function checkMetadata(metadata: unknown, complain: Complain): void {
  if (!isObject(metadata)) {
    complain('schema', ['metadata'], 'metadata must be an object with a name');
    return;
  }
  const at = (...path: FieldPath) => ['metadata', ...path];
  const words63 =
    'letters and digits separated by any of -_. and at most 63 characters';
  if (!isName(metadata.name))
    complain('schema', at('name'), `metadata.name must be ${words63}`);
  const { namespace, labels, annotations, tags, links } = metadata;
  if (
    namespace !== undefined &&
    (typeof namespace !== 'string' ||
      namespace.length > 63 ||
      !LABEL.test(namespace))
  )
    complain(
      'schema',
      at('namespace'),
      'metadata.namespace must be lower-case letters and digits separated by - and at most 63 characters',
    );
  for (const field of ['title', 'uid', 'etag'] as const)
    if (
      metadata[field] !== undefined &&
      (typeof metadata[field] !== 'string' || metadata[field] === '')
    )
      complain('schema', at(field), `metadata.${field} must be a text`);
  for (const [field, map] of Object.entries({ labels, annotations })) {
    if (map === undefined) continue;
    if (!isObject(map)) {
      complain(
        'schema',
        at(field),
        `metadata.${field} must be an object of texts`,
      );
      continue;
    }
    for (const [key, item] of Object.entries(map)) {
      if (!isKey(key))
        complain(
          'schema',
          at(field, key),
          `metadata.${field} may not have the key ${JSON.stringify(
            key,
          )}; a key is [prefix/]name`,
        );
      if (typeof item !== 'string')
        complain(
          'schema',
          at(field, key),
          `metadata.${field}["${key}"] must be a text; put it in quotes`,
        );
      else if (field === 'labels' && item !== '' && !isName(item))
        complain(
          'schema',
          at(field, key),
          `metadata.labels["${key}"] must be empty, or ${words63}`,
        );
    }
  }
  if (tags !== undefined && !Array.isArray(tags))
    complain('schema', at('tags'), 'metadata.tags must be a list of texts');
  for (const [index, tag] of (Array.isArray(tags) ? tags : []).entries())
    if (typeof tag !== 'string' || tag.length > 63 || !TAG.test(tag))
      complain(
        'schema',
        at('tags', index),
        `metadata.tags.${index} must be lower-case letters, digits and :+# separated by - and at most 63 characters`,
      );
  if (links !== undefined && !Array.isArray(links))
    complain('schema', at('links'), 'metadata.links must be a list of links');
  for (const [index, link] of (Array.isArray(links) ? links : []).entries())
    checkLink(link, index, complain);
}

function checkLink(link: unknown, index: number, complain: Complain): void {
  const url = isObject(link) ? link.url : undefined;
  let valid = typeof url === 'string';
  try {
    if (valid) void new URL(url as string);
  } catch {
    valid = false;
  }
  const place: FieldPath = ['metadata', 'links', index];
  if (!valid)
    complain(
      'schema',
      [...place, 'url'],
      `metadata.links.${index}.url must be an address`,
    );
  for (const field of ['title', 'icon', 'type'])
    if (
      isObject(link) &&
      link[field] !== undefined &&
      (typeof link[field] !== 'string' || (link[field] as string).trim() === '')
    )
      complain(
        'schema',
        [...place, field],
        `metadata.links.${index}.${field} must be a text`,
      );
}

function checkSpec(
  entity: Record<string, any>,
  kind: string,
  complain: Complain,
  checked: Checked,
): void {
  const lower = kind.toLowerCase();
  const namespace =
    typeof entity.metadata?.namespace === 'string'
      ? entity.metadata.namespace
      : 'default';
  const relate = (field: FieldPath, ref: string, step?: string) =>
    checked.relations.push({ field, ref, ...(step ? { step } : {}) });
  if (lower === 'criticalpath') {
    checkCriticalPath(entity, kind, namespace, complain, relate);
    return;
  }
  let fields: Fields | undefined = SPECS[lower];
  if (!fields) return;
  if (lower === 'api' && entity.spec?.type === 'mcp-server')
    fields = MCP_SERVER;
  const canonical =
    lower === 'api' ? 'API' : lower[0].toUpperCase() + lower.slice(1);
  if (kind !== canonical)
    complain('schema', ['kind'], `kind must be written ${canonical}`);
  if (
    typeof entity.apiVersion === 'string' &&
    !API_VERSIONS.includes(entity.apiVersion)
  )
    complain(
      'schema',
      ['apiVersion'],
      `apiVersion of a ${canonical} must be ${API_VERSIONS[0]}`,
    );
  if (!isObject(entity.spec)) {
    complain('schema', ['spec'], `spec of a ${canonical} must be an object`);
    return;
  }
  checkFields(entity.spec, fields, ['spec'], namespace, complain, relate);
  if (lower === 'component')
    checkMembership(entity, namespace, complain, relate);
}

/** Annotations by which a component says which step of which path it serves. */
export const PATH_ANNOTATION = 'rocket.internal/critical-path';
export const STEP_ANNOTATION = 'rocket.internal/critical-path-step';

function checkMembership(
  entity: Record<string, any>,
  namespace: string,
  complain: Complain,
  relate: (field: FieldPath, ref: string, step?: string) => void,
): void {
  const annotations = entity.metadata?.annotations;
  if (!isObject(annotations)) return;
  const path = annotations[PATH_ANNOTATION];
  const step = annotations[STEP_ANNOTATION];
  const at = (key: string): FieldPath => ['metadata', 'annotations', key];
  if (path === undefined && step === undefined) return;
  if (path === undefined) {
    complain(
      'critical-path',
      at(STEP_ANNOTATION),
      `${STEP_ANNOTATION} needs ${PATH_ANNOTATION} beside it: the path that the step belongs to`,
    );
    return;
  }
  const ref =
    typeof path === 'string'
      ? parseRef(path, { kind: 'criticalpath', namespace })
      : undefined;
  if (ref?.kind !== 'criticalpath')
    complain(
      'critical-path',
      at(PATH_ANNOTATION),
      `${PATH_ANNOTATION} must be the ref of a CriticalPath such as criticalpath:default/card-authorization`,
    );
  if (typeof step !== 'string' || step.trim() === '')
    complain(
      'critical-path',
      at(step === undefined ? PATH_ANNOTATION : STEP_ANNOTATION),
      `${PATH_ANNOTATION} needs ${STEP_ANNOTATION} beside it: the step that the component serves`,
    );
  else if (ref?.kind === 'criticalpath')
    relate(
      at(PATH_ANNOTATION),
      `${ref.kind}:${ref.namespace}/${ref.name}`,
      step.trim(),
    );
}

import path from 'node:path/posix';
import { InputError } from '@backstage/errors';
import { parseAllDocuments } from 'yaml';
import {
  describe,
  identityOf,
  isRecord,
  podTemplates,
  type Manifest,
} from './manifest';
import { applyPatch, readPatches } from './patches';

/** Files by path, with `/` between folders: what a renderer may read, and nothing else. */
export type ManifestFiles = ReadonlyMap<string, string>;

/** Kustomize looks for them in this order. */
const NAMES = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

/** Fields of a kustomization that this renderer knows; anything else is refused, so that nothing is left out in silence. */
const FIELDS = [
  'apiVersion',
  'kind',
  'metadata',
  'resources',
  'namespace',
  'labels',
  'commonAnnotations',
  'images',
  'patches',
] as const;

const MAX_DEPTH = 8;
const MAX_OBJECTS = 100;

/** Kinds without a namespace that a rendering may hold; the guard decides about them. */
const CLUSTER_WIDE = new Set([
  'Namespace',
  'ClusterRole',
  'ClusterRoleBinding',
  'CustomResourceDefinition',
  'PersistentVolume',
  'StorageClass',
  'PriorityClass',
  'IngressClass',
  'GatewayClass',
  'RuntimeClass',
  'ValidatingWebhookConfiguration',
  'MutatingWebhookConfiguration',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'APIService',
  'Node',
  'ClusterSecretStore',
  'ClusterExternalSecret',
]);

export const isNamespaced = (object: { kind: string }) =>
  !CLUSTER_WIDE.has(object.kind);

interface Image {
  name: string;
  newName?: string;
  newTag?: string;
  digest?: string;
}

function parseYaml(files: ManifestFiles, file: string): unknown[] {
  const documents = parseAllDocuments(files.get(file)!);
  return [...documents].flatMap(document => {
    const [error] = document.errors;
    if (error) throw new InputError(`${file}: ${error.message.split('\n')[0]}`);
    try {
      const value = document.toJS({ maxAliasCount: 20 });
      return value === null || value === undefined ? [] : [value];
    } catch (cause) {
      throw new InputError(`${file}: ${(cause as Error).message}`);
    }
  });
}

/** The path that `to` means when `folder` says it. @throws InputError for addresses and for what leaves the root. */
function resolveIn(folder: string, to: unknown, where: string): string {
  if (typeof to !== 'string' || !to || to.includes('\0'))
    throw new InputError(`${where}: must be a path`);
  if (/^[a-z][a-z0-9+.-]*:|^git@|\/\/|\?|\\/i.test(to))
    throw new InputError(
      `${where}: '${to}' is an address; copy what it holds into the repository`,
    );
  const found = path.normalize(path.join(folder, to)).replace(/\/$/, '');
  if (path.isAbsolute(to) || found === '..' || found.startsWith('../'))
    throw new InputError(
      `${where}: '${to}' leads out of the folder of the manifests`,
    );
  return found;
}

function asManifest(value: unknown, file: string): Manifest[] {
  if (!isRecord(value))
    throw new InputError(`${file}: every document must be an object`);
  if (value.kind === 'List' && Array.isArray(value.items))
    return value.items.flatMap(item => asManifest(item, file));
  const metadata = value.metadata;
  if (typeof value.apiVersion !== 'string' || typeof value.kind !== 'string')
    throw new InputError(`${file}: an object without apiVersion or kind`);
  if (!isRecord(metadata) || typeof metadata.name !== 'string')
    throw new InputError(`${file}: a ${value.kind} without metadata.name`);
  for (const field of ['labels', 'annotations'] as const) {
    const pairs = metadata[field];
    if (pairs === undefined) continue;
    if (
      !isRecord(pairs) ||
      Object.values(pairs).some(item => typeof item !== 'string')
    )
      throw new InputError(
        `${file}: metadata.${field} of ${value.kind} ${metadata.name} must be texts; put them in quotes`,
      );
  }
  return [value as Manifest];
}

const pairsOf = (value: unknown, where: string): Record<string, string> => {
  if (
    !isRecord(value) ||
    Object.values(value).some(item => typeof item !== 'string')
  )
    throw new InputError(`${where}: must be texts by name`);
  return value as Record<string, string>;
};

const listOf = (value: unknown, where: string): unknown[] => {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new InputError(`${where}: must be a list`);
  return value;
};

function addPairs(
  holder: { [field: string]: any },
  field: 'labels' | 'annotations',
  pairs: Record<string, string>,
): void {
  holder.metadata ??= {};
  holder.metadata[field] = { ...holder.metadata[field], ...pairs };
}

function setNamespace(objects: Manifest[], namespace: string): void {
  for (const object of objects) {
    if (object.kind === 'Namespace') object.metadata.name = namespace;
    else if (isNamespaced(object)) object.metadata.namespace = namespace;
    if (!['RoleBinding', 'ClusterRoleBinding'].includes(object.kind)) continue;
    for (const subject of (object.subjects as any[]) ?? [])
      if (subject?.kind === 'ServiceAccount' && subject.name === 'default')
        subject.namespace = namespace;
  }
}

/** The name of an image without tag and digest. */
export function imageName(image: string): string {
  const [plain] = image.split('@');
  return plain.replace(/:[^/:]*$/, '');
}

function setImages(objects: Manifest[], images: Image[]): void {
  for (const object of objects)
    for (const { template } of podTemplates(object))
      for (const list of ['containers', 'initContainers'])
        for (const container of template.spec?.[list] ?? []) {
          if (typeof container?.image !== 'string') continue;
          const image = images.find(
            candidate => candidate.name === imageName(container.image),
          );
          if (!image) continue;
          const rest = container.image.slice(imageName(container.image).length);
          const tag = image.newTag ? `:${image.newTag}` : '';
          const digest = image.digest ? `@${image.digest}` : '';
          container.image =
            (image.newName ?? image.name) + (tag + digest || rest);
        }
}

function readImages(value: unknown, where: string): Image[] {
  return listOf(value, where).map((item, index) => {
    const at = `${where}[${index}]`;
    if (!isRecord(item) || typeof item.name !== 'string')
      throw new InputError(`${at}: name is missing`);
    for (const [key, text] of Object.entries(item)) {
      if (!['name', 'newName', 'newTag', 'digest'].includes(key))
        throw new InputError(`${at}: ${key} is not supported`);
      if (typeof text !== 'string')
        throw new InputError(`${at}.${key}: must be a text`);
    }
    return item as unknown as Image;
  });
}

function renderFolder(
  files: ManifestFiles,
  folder: string,
  above: string[],
): Manifest[] {
  const shown = folder || '.';
  const file = NAMES.map(name => path.join(folder, name)).find(name =>
    files.has(name),
  );
  if (!file)
    throw new InputError(`${shown}: there is no kustomization.yaml in it`);
  if (above.includes(folder))
    throw new InputError(`${file}: includes itself by way of ${above.at(-1)}`);
  if (above.length > MAX_DEPTH)
    throw new InputError(`${file}: more than ${MAX_DEPTH} folders deep`);
  const [kustomization, ...others] = parseYaml(files, file);
  if (!isRecord(kustomization) || others.length)
    throw new InputError(`${file}: must be one object`);
  for (const field of Object.keys(kustomization))
    if (!(FIELDS as readonly string[]).includes(field))
      throw new InputError(
        `${file}: ${field} is not supported; there are ${FIELDS.slice(3).join(
          ', ',
        )}`,
      );
  if (!['Kustomization', undefined].includes(kustomization.kind as string))
    throw new InputError(`${file}: kind must be Kustomization`);

  let objects: Manifest[] = [];
  for (const [index, item] of listOf(
    kustomization.resources,
    `${file}: resources`,
  ).entries()) {
    const where = `${file}: resources[${index}]`;
    const target = resolveIn(folder, item, where);
    if (files.has(target))
      objects.push(
        ...parseYaml(files, target).flatMap(value => asManifest(value, target)),
      );
    else if ([...files.keys()].some(name => name.startsWith(`${target}/`)))
      objects.push(...renderFolder(files, target, [...above, folder]));
    else throw new InputError(`${where}: there is no ${target}`);
    if (objects.length > MAX_OBJECTS)
      throw new InputError(`${file}: more than ${MAX_OBJECTS} objects`);
  }

  for (const patch of readPatches(
    kustomization.patches,
    `${file}: patches`,
    reference => {
      const target = resolveIn(folder, reference, `${file}: patches`);
      if (!files.has(target))
        throw new InputError(`${file}: patches: there is no ${target}`);
      return files.get(target)!;
    },
  ))
    objects = applyPatch(objects, patch);

  const { namespace } = kustomization;
  if (namespace !== undefined) {
    if (
      typeof namespace !== 'string' ||
      !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)
    )
      throw new InputError(`${file}: namespace is no name of a namespace`);
    setNamespace(objects, namespace);
  }
  for (const [index, item] of listOf(
    kustomization.labels,
    `${file}: labels`,
  ).entries()) {
    const where = `${file}: labels[${index}]`;
    if (!isRecord(item)) throw new InputError(`${where}: must be an object`);
    for (const key of Object.keys(item))
      if (!['pairs', 'includeTemplates', 'includeSelectors'].includes(key))
        throw new InputError(`${where}: ${key} is not supported`);
    if (item.includeSelectors)
      throw new InputError(
        `${where}: includeSelectors changes selectors, which a cluster does not let change; write them into the objects`,
      );
    const pairs = pairsOf(item.pairs, `${where}.pairs`);
    for (const object of objects) {
      addPairs(object, 'labels', pairs);
      if (item.includeTemplates)
        for (const { template, parents } of podTemplates(object))
          for (const holder of [template, ...parents])
            addPairs(holder, 'labels', pairs);
    }
  }
  if (kustomization.commonAnnotations !== undefined) {
    const pairs = pairsOf(
      kustomization.commonAnnotations,
      `${file}: commonAnnotations`,
    );
    for (const object of objects) {
      addPairs(object, 'annotations', pairs);
      for (const { template, parents } of podTemplates(object))
        for (const holder of [template, ...parents])
          addPairs(holder, 'annotations', pairs);
    }
  }
  setImages(objects, readImages(kustomization.images, `${file}: images`));

  const seen = new Set<string>();
  for (const object of objects) {
    const id = identityOf(object);
    if (seen.has(id))
      throw new InputError(`${file}: ${describe(object)} is there twice`);
    seen.add(id);
  }
  return objects;
}

/**
 * Renders the part of Kustomize that the golden services use: resources,
 * namespace, labels, commonAnnotations, images and patches. What it does not
 * know it refuses, naming the file and the field; it reads no other file.
 *
 * @param folder with the kustomization, relative to the root of `files`
 * @throws InputError
 */
export function renderKustomization(
  files: ManifestFiles,
  folder: string,
): Manifest[] {
  return renderFolder(files, resolveIn('', folder, 'overlay'), []);
}

/** Puts an image in for all containers that use it by `name`; the same as `images:` in a kustomization. */
export function setImage(
  objects: Manifest[],
  name: string,
  image: string,
): void {
  const [newName, digest] = image.split('@');
  setImages(objects, [{ name, newName: imageName(newName), digest }]);
}

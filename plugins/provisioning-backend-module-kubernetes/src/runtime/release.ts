import { InputError } from '@backstage/errors';
import {
  containersOf,
  describe,
  isNamespaced,
  lintManifests,
  podTemplates,
  renderKustomization,
  setImage,
  type Manifest,
  type ManifestFiles,
} from '../manifests';
import { MARKS, serviceLabels } from './marks';
import type { Place } from './settings';

export const COLOURS = ['blue', 'green'] as const;
export type Colour = (typeof COLOURS)[number];

export const OVERLAYS = {
  development: 'dev',
  staging: 'staging',
  production: 'production',
} as const;

/** Rules whose breach Rocket does not apply, whatever the reason; the others are the rig's and the reviewers'. */
const REFUSED = new Set([
  'allowed-kinds',
  'image-by-digest',
  'no-host',
  'no-privilege-escalation',
  'run-as-non-root',
  'drop-capabilities',
  'secrets-by-reference',
  'service-internal',
  'selector',
]);

/** Kinds, in the order in which they are applied. */
const ORDER = [
  'Namespace',
  'ResourceQuota',
  'LimitRange',
  'ServiceAccount',
  'NetworkPolicy',
  'ConfigMap',
  'ExternalSecret',
  'Job',
  'Deployment',
  'Service',
  'HTTPRoute',
  'Ingress',
  'HorizontalPodAutoscaler',
  'PodDisruptionBudget',
  'CronJob',
];

/** One version of one service, as it is to be on the cluster. */
export interface Release {
  service: string;
  place: Place;
  commit: string;
  /** In the order of application; Deployment, autoscaler and Service not yet of a colour. */
  objects: Manifest[];
}

export interface ReleaseRequest {
  service: string;
  entityRef: string;
  owner: string;
  commit: string;
  /** By digest. */
  image?: string;
  run?: string;
  place: Place;
  files: ManifestFiles;
}

const byOrder = (a: Manifest, b: Manifest) =>
  ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind);

/** What belongs to the namespace and not to the service; the platform's where the namespace is. */
const isOfNamespace = ({ kind, metadata }: Manifest) =>
  ['Namespace', 'ResourceQuota', 'LimitRange'].includes(kind) ||
  ['default', 'default-deny'].includes(metadata.name);

/** References to other namespaces that a kind can hold. */
function checkReferences(object: Manifest): void {
  if (object.kind !== 'HTTPRoute') return;
  for (const rule of object.spec?.rules ?? [])
    for (const backend of rule.backendRefs ?? [])
      if (backend.namespace && backend.namespace !== object.metadata.namespace)
        throw new InputError(
          `${describe(object)}: leads to the namespace ${backend.namespace}`,
        );
}

function checkObjects(objects: Manifest[], place: Place): void {
  const findings = lintManifests({ objects, tier: place.tier }).filter(
    ({ rule }) => REFUSED.has(rule),
  );
  if (findings.length)
    throw new InputError(
      `The manifests are refused: ${findings
        .slice(0, 10)
        .map(({ rule, object, message }) => `${object}: ${message} (${rule})`)
        .join('; ')}`,
    );
  const namespaces = new Set(
    objects
      .filter(isNamespaced)
      .map(({ metadata }) => metadata.namespace ?? place.namespace),
  );
  if (namespaces.size > 1)
    throw new InputError(
      `The manifests are refused: they are for several namespaces, ${[
        ...namespaces,
      ].join(', ')}`,
    );
  for (const object of objects) checkReferences(object);
}

/**
 * Renders and checks what a repository wants to run, and marks it. Nothing of
 * it is in another namespace, of a kind that services do not have, or with
 * rights on the node.
 *
 * @throws InputError naming the file or the object
 */
export function buildRelease(request: ReleaseRequest): Release {
  const { service, place, commit, image, files } = request;
  const overlay = `overlays/${OVERLAYS[place.tier]}`;
  let objects = renderKustomization(files, overlay);
  if (image) setImage(objects, 'service', image);
  checkObjects(objects, place);
  if (objects.filter(({ kind }) => kind === 'Deployment').length !== 1)
    throw new InputError(
      `${overlay}: must have one Deployment; a second one is a second service`,
    );
  if (objects.filter(({ kind }) => kind === 'Service').length !== 1)
    throw new InputError(`${overlay}: must have one Service`);
  if (!place.ownsNamespace)
    objects = objects.filter(object => !isOfNamespace(object));
  if (!place.externalSecrets)
    objects = objects.filter(({ kind }) => kind !== 'ExternalSecret');

  const labels = {
    ...serviceLabels(service),
    [MARKS.environment]: place.environment,
    [MARKS.tier]: place.tier,
  };
  const annotations: Record<string, string> = {
    [MARKS.commit]: commit,
    [MARKS.entity]: request.entityRef,
    [MARKS.owner]: request.owner,
    ...(request.run ? { [MARKS.run]: request.run } : {}),
  };
  for (const object of objects) {
    const { metadata } = object;
    if (object.kind === 'Namespace') metadata.name = place.namespace;
    else metadata.namespace = place.namespace;
    metadata.labels = { ...metadata.labels, ...labels };
    metadata.annotations = { ...metadata.annotations, ...annotations };
    for (const { template } of podTemplates(object)) {
      template.metadata ??= {};
      template.metadata.labels = { ...template.metadata.labels, ...labels };
      template.metadata.annotations = {
        ...template.metadata.annotations,
        [MARKS.commit]: commit,
      };
    }
    // What a Job does cannot be changed: each version has one of its own.
    if (object.kind === 'Job')
      metadata.name = `${metadata.name.slice(0, 54)}-${commit.slice(0, 8)}`;
  }
  return { service, place, commit, objects: objects.sort(byOrder) };
}

/** The parts of a release that there are once for each colour. */
export function coloured(release: Release, colour: Colour): Manifest[] {
  return release.objects.map(object => {
    const copy = structuredClone(object);
    const { kind, metadata, spec } = copy;
    if (kind === 'Deployment') {
      metadata.name = `${metadata.name}-${colour}`;
      spec.selector.matchLabels[MARKS.colour] = colour;
      spec.template.metadata.labels[MARKS.colour] = colour;
      metadata.labels![MARKS.colour] = colour;
      for (const constraint of spec.template.spec.topologySpreadConstraints ??
        [])
        if (constraint.labelSelector?.matchLabels)
          constraint.labelSelector.matchLabels[MARKS.colour] = colour;
    } else if (kind === 'HorizontalPodAutoscaler') {
      metadata.name = `${metadata.name}-${colour}`;
      metadata.labels![MARKS.colour] = colour;
      spec.scaleTargetRef.name = `${spec.scaleTargetRef.name}-${colour}`;
    } else if (kind === 'Service') {
      spec.selector[MARKS.colour] = colour;
    }
    return copy;
  });
}

export const find = (objects: Manifest[], kind: string) =>
  objects.find(object => object.kind === kind);

/** Names of Secrets that pods cannot start without. */
export function neededSecrets(objects: Manifest[]): string[] {
  const names = new Set<string>();
  for (const object of objects)
    for (const pod of podTemplates(object))
      for (const { env = [] } of containersOf(pod))
        for (const { valueFrom } of env)
          if (valueFrom?.secretKeyRef && !valueFrom.secretKeyRef.optional)
            names.add(valueFrom.secretKeyRef.name);
  return [...names];
}

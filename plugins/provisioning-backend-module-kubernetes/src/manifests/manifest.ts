import type { KubernetesObject } from '@rocket/kubernetes-node';

/** An object as a repository describes it. */
export interface Manifest extends KubernetesObject {
  metadata: KubernetesObject['metadata'] & { name: string };
  [field: string]: any;
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Kind and name, for people. */
export const describe = (object: {
  kind: string;
  metadata: { name?: string };
}) => `${object.kind} ${object.metadata.name}`;

/** Without the version: an object is the same one in every version of its group. */
export const groupOf = (apiVersion: string) =>
  apiVersion.includes('/') ? apiVersion.split('/')[0] : '';

/** Tells objects of one cluster apart. */
export const identityOf = (object: KubernetesObject) =>
  [
    groupOf(object.apiVersion),
    object.kind,
    object.metadata.namespace ?? '',
    object.metadata.name,
  ].join('/');

export interface PodTemplate {
  /** What pods are made from: `metadata` and `spec`. */
  template: { metadata?: Record<string, any>; spec?: Record<string, any> };
  /** Templates that hold it: a CronJob's of its Jobs. */
  parents: Record<string, any>[];
}

/** Templates of the pods that an object makes; a Pod is its own. */
export function podTemplates(object: Manifest): PodTemplate[] {
  const { kind, spec } = object;
  if (kind === 'CronJob' && spec?.jobTemplate?.spec?.template)
    return [
      { template: spec.jobTemplate.spec.template, parents: [spec.jobTemplate] },
    ];
  if (
    [
      'Deployment',
      'ReplicaSet',
      'StatefulSet',
      'DaemonSet',
      'Job',
      'ReplicationController',
    ].includes(kind) &&
    isRecord(spec?.template)
  )
    return [{ template: spec.template, parents: [] }];
  return [];
}

/** All containers of a pod template, those that run before included. */
export const containersOf = ({ template }: PodTemplate): any[] =>
  [
    ...(template.spec?.initContainers ?? []),
    ...(template.spec?.containers ?? []),
  ].filter(isRecord);

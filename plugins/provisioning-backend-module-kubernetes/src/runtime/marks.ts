import type { KubernetesObject } from '@rocket/kubernetes-node';

/** What Rocket writes on everything that it makes, and finds it again by. */
export const MARKS = {
  managedBy: 'app.kubernetes.io/managed-by',
  service: 'rocket.internal/service',
  environment: 'rocket.internal/environment',
  tier: 'rocket.internal/tier',
  colour: 'rocket.internal/colour',
  /** Label: id of the effect in the ledger. */
  effect: 'rocket.internal/effect',
  /** Annotation: full SHA. */
  commit: 'rocket.internal/commit',
  /** Annotation: what made it, `task:…` or `operation:…`. */
  run: 'rocket.internal/run',
  /** Annotation: entity ref of the component. */
  entity: 'rocket.internal/entity',
  owner: 'rocket.internal/owner',
  /** Annotation of a Deployment that no longer gets requests: when it is taken away, ISO 8601. */
  retireAt: 'rocket.internal/retire-at',
  /** Annotation of a stopped Deployment: its instances before. */
  replicas: 'rocket.internal/replicas-before-stop',
  /** Annotation of pods: when their credentials were renewed. */
  rotatedAt: 'rocket.internal/rotated-at',
} as const;

export const ROCKET = 'rocket';

/** Labels that all objects of one service have. */
export const serviceLabels = (service: string) => ({
  [MARKS.managedBy]: ROCKET,
  [MARKS.service]: service,
});

/** Whether Rocket made it for this service. */
export const isOurs = (object: KubernetesObject, service: string) =>
  object.metadata.labels?.[MARKS.managedBy] === ROCKET &&
  object.metadata.labels?.[MARKS.service] === service;

/** Every namespace has one from the beginning; a service may set its fields, and nobody deletes it. */
export const isDefaultAccount = (object: KubernetesObject) =>
  object.kind === 'ServiceAccount' && object.metadata.name === 'default';

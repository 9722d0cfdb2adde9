/* eslint-disable jest/no-export, jest/no-standalone-expect, jest/no-disabled-tests, jest/expect-expect, jest/valid-title -- a suite for several test files */
import { KubernetesError } from '../../errors';
import type { KubernetesClient, KubernetesObject } from '../../types';

/** What an API server may lack. */
export type Ability =
  | 'built-in schemas'
  | 'defaulting'
  | 'garbage collection'
  | 'pod security'
  | 'quota'
  | 'workload controllers';

/** An API server under the contract. */
export interface ContractSubject {
  client: KubernetesClient;
  /** Of a user without any role, and that user's name. */
  stranger: { client: KubernetesClient; user: string };
  /** Breaks all connections at once, as a network does. */
  cutConnections(): void;
  close(): Promise<void>;
}

export const GROUP = 'contract.rocket.internal';
export const WIDGETS = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `widgets.${GROUP}` },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: {
      kind: 'Widget',
      listKind: 'WidgetList',
      plural: 'widgets',
      singular: 'widget',
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            required: ['spec'],
            properties: {
              spec: {
                type: 'object',
                required: ['size'],
                properties: {
                  size: { type: 'integer', minimum: 1, maximum: 9 },
                  mode: { type: 'string', enum: ['fast', 'safe'] },
                },
              },
              status: {
                type: 'object',
                properties: { phase: { type: 'string' } },
              },
            },
          },
        },
      },
    ],
  },
};
export const PATIENCE = { deadlineMs: 60_000 };
export const HELD = 'contract.rocket.internal/held';

/** The error of a call that must fail. */
export async function errorOf(
  call: Promise<unknown>,
): Promise<KubernetesError> {
  const error = await call.then(
    () => undefined,
    e => e,
  );
  expect(error).toBeInstanceOf(KubernetesError);
  return error;
}

export const refOf = ({ apiVersion, kind, metadata }: KubernetesObject) => ({
  apiVersion,
  kind,
  name: metadata.name!,
  namespace: metadata.namespace,
});

export const namespaceRef = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  name,
});

export type ContractContext = ReturnType<typeof contractContext>;

/** What the cases share; the subject is there once the tests run. */
export function contractContext(
  subjectOf: () => ContractSubject,
  cannot: Partial<Record<Ability, string>>,
) {
  const namespace = `contract-${Math.random().toString(36).slice(2, 8)}`;
  let count = 0;
  const client = new Proxy({} as KubernetesClient, {
    get(_, key) {
      const value = Reflect.get(subjectOf().client, key);
      return typeof value === 'function'
        ? value.bind(subjectOf().client)
        : value;
    },
  });
  const map = (
    data: Record<string, string>,
    metadata: Partial<KubernetesObject['metadata']> = {},
  ) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `map-${++count}`, namespace, ...metadata },
    data,
  });
  const widget = (spec: Record<string, unknown>) => ({
    apiVersion: `${GROUP}/v1`,
    kind: 'Widget',
    metadata: { name: `widget-${++count}`, namespace },
    spec,
  });
  const maps = (labelSelector?: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    namespace,
    labelSelector,
  });
  const makeNamespace = async (name: string, labels = {}) => {
    await client.apply({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    });
    return name;
  };
  const gone = (name: string) =>
    client.waitUntil(
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        fieldSelector: `metadata.name=${name}`,
      },
      items => (items.length ? undefined : true),
      PATIENCE,
    );

  function deployment(name: string, image = 'service:1') {
    const labels = { app: name };
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace },
      spec: {
        minReadySeconds: 10,
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { containers: [{ name: 'service', image }] },
        },
      } as Record<string, unknown>,
    };
  }
  /** A case for servers that can do it. */
  const needs =
    (ability: Ability) => (name: string, test: () => Promise<void>) => {
      const reason = cannot[ability];
      if (reason) it.skip(`${name}: NOT RUN, because ${reason}`, test);
      else it(name, test);
    };
  return {
    client,
    namespace,
    subjectOf,
    needs,
    nextName: (prefix: string) => `${prefix}-${++count}`,
    map,
    widget,
    maps,
    makeNamespace,
    gone,
    deployment,
  };
}

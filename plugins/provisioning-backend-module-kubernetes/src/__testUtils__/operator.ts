import type {
  KubernetesClient,
  KubernetesObject,
} from '@rocket/kubernetes-node';

const KIND = { apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret' };

/**
 * The kind ExternalSecret, as far as services use it, and who says that its
 * Secrets are made. The values are nobody's business here.
 */
export async function playOperator(
  client: KubernetesClient,
): Promise<{ stop(): Promise<void> }> {
  const text = { type: 'string' };
  const properties = (fields: Record<string, unknown>) => ({
    type: 'object',
    properties: fields,
  });
  await client.apply({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'externalsecrets.external-secrets.io' },
    spec: {
      group: 'external-secrets.io',
      scope: 'Namespaced',
      names: {
        plural: 'externalsecrets',
        singular: 'externalsecret',
        kind: 'ExternalSecret',
        listKind: 'ExternalSecretList',
      },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: {
            openAPIV3Schema: properties({
              spec: properties({
                refreshInterval: text,
                secretStoreRef: properties({ kind: text, name: text }),
                target: properties({
                  name: text,
                  creationPolicy: text,
                  deletionPolicy: text,
                }),
                data: {
                  type: 'array',
                  items: properties({
                    secretKey: text,
                    remoteRef: properties({ key: text, property: text }),
                  }),
                },
              }),
              status: {
                type: 'object',
                'x-kubernetes-preserve-unknown-fields': true,
              },
            }),
          },
        },
      ],
    },
  } as KubernetesObject);
  await client.waitUntil(
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      fieldSelector: 'metadata.name=externalsecrets.external-secrets.io',
    },
    ([definition]) =>
      (definition?.status as any)?.conditions?.some(
        (condition: any) =>
          condition.type === 'Established' && condition.status === 'True',
      ) || undefined,
    { deadlineMs: 30_000, intervalMs: 200 },
  );
  const treated = new Set<string>();
  const watch = client.watch(KIND, {
    onChange: ({ type, object }) => {
      const { uid, name, namespace, annotations } = object.metadata;
      const key = `${uid}/${annotations?.['force-sync'] ?? ''}`;
      if (type === 'deleted' || treated.has(key)) return;
      treated.add(key);
      client
        .mergePatch(
          { ...KIND, namespace, name: name! },
          {
            status: {
              refreshTime: new Date().toISOString(),
              conditions: [{ type: 'Ready', status: 'True' }],
            },
          },
          { subresource: 'status' },
        )
        // Deleted meanwhile.
        .catch(() => {});
    },
  });
  await watch.synced;
  return { stop: () => watch.stop() };
}

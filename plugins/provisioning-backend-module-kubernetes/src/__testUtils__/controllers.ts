import type {
  KubernetesClient,
  KubernetesObject,
  ObjectWatch,
} from '@rocket/kubernetes-node';
import { playOperator } from './operator';

/** Whether the pods of an image get ready. */
export type Works = (image: string) => boolean;

/**
 * What a cluster's controllers do for a fake API server, which has none:
 * Deployments get available, Jobs complete, ExternalSecrets are treated.
 */
export async function playControllers(
  client: KubernetesClient,
  works: Works = () => true,
): Promise<{ stop(): Promise<void> }> {
  const operator = await playOperator(client);
  const status = (object: KubernetesObject, value: object) => {
    const { apiVersion, kind, metadata } = object;
    const { name, namespace } = metadata;
    client
      .mergePatch(
        { apiVersion, kind, namespace, name: name! },
        { status: { ...value } },
        { subresource: 'status' },
      )
      // Deleted meanwhile, or the test is about that.
      .catch(() => {});
  };
  const watches: ObjectWatch[] = [
    client.watch(
      { apiVersion: 'apps/v1', kind: 'Deployment' },
      {
        onChange: ({ type, object }) => {
          const { spec, status: now, metadata } = object as any;
          const replicas = spec.replicas ?? 1;
          const available = works(spec.template.spec.containers[0].image)
            ? replicas
            : 0;
          const done =
            now?.availableReplicas === available &&
            now?.observedGeneration === metadata.generation;
          if (type === 'deleted' || done) return;
          status(object, {
            observedGeneration: metadata.generation,
            replicas,
            updatedReplicas: replicas,
            availableReplicas: available,
          });
        },
      },
    ),
    client.watch(
      { apiVersion: 'batch/v1', kind: 'Job' },
      {
        onChange: ({ type, object }) => {
          if (type === 'deleted' || (object as any).status?.conditions) return;
          status(object, {
            conditions: [{ type: 'Complete', status: 'True' }],
          });
        },
      },
    ),
  ];
  await Promise.all(watches.map(watch => watch.synced));
  return {
    async stop() {
      await Promise.all(watches.map(watch => watch.stop()));
      await operator.stop();
    },
  };
}

/* eslint-disable jest/no-export, jest/no-standalone-expect -- a suite for several test files */
import type { KubernetesObject } from '../../types';
import { KubeletSimulator } from '../KubeletSimulator';
import {
  errorOf,
  refOf,
  namespaceRef,
  GROUP,
  PATIENCE,
  type ContractContext,
} from './context';

export function accessCases({
  client,
  namespace,
  subjectOf,
  needs,
  map,
  makeNamespace,
  deployment,
}: ContractContext): void {
  describe('what is served and allowed', () => {
    it('finds kinds, custom ones too, and says what it does not know', async () => {
      expect(
        await client.findResource({
          apiVersion: `${GROUP}/v1`,
          kind: 'Widget',
        }),
      ).toMatchObject({ plural: 'widgets', namespaced: true });
      expect(
        await client.findResource({
          apiVersion: `${GROUP}/v1`,
          kind: 'Gadget',
        }),
      ).toBeUndefined();
      const error = await errorOf(
        client.apply({
          ...map({}),
          apiVersion: `${GROUP}/v2`,
          kind: 'Widget',
        }),
      );
      expect(error.kind).toBe('not-served');
      expect(error.message).toContain(`${GROUP}/v2 Widget`);
      const { resources, failed } = await client.listResources();
      expect(failed).toEqual([]);
      const names = resources.map(r => `${r.apiVersion} ${r.plural}`);
      expect(names).toEqual(
        expect.arrayContaining([
          'v1 pods',
          'apps/v1 deployments',
          `${GROUP}/v1 widgets`,
        ]),
      );
      expect(await client.version()).toMatch(/^v1\.\d+\./);
    });

    it('says what it may do, and that something is forbidden', async () => {
      const ask = { verb: 'create', resource: 'configmaps', namespace };
      expect(await client.canI(ask)).toMatchObject({ allowed: true });
      const { client: stranger } = subjectOf().stranger;
      expect(await stranger.canI(ask)).toMatchObject({ allowed: false });
      const error = await errorOf(stranger.apply(map({ a: '1' })));
      expect(error).toMatchObject({
        kind: 'forbidden',
        status: 403,
        retryable: false,
      });
      expect(error.message).toContain('configmaps');
    });

    needs('pod security')(
      'refuses a pod that the namespace does not allow',
      async () => {
        const name = await makeNamespace(`${namespace}-strict`, {
          'pod-security.kubernetes.io/enforce': 'restricted',
        });
        const error = await errorOf(
          client.apply(
            {
              apiVersion: 'v1',
              kind: 'Pod',
              metadata: { name: 'root', namespace: name },
              spec: { containers: [{ name: 'a', image: 'a' }] },
            },
            { dryRun: true },
          ),
        );
        expect(error).toMatchObject({
          kind: 'denied',
          status: 403,
          retryable: false,
        });
        expect(error.message).toContain('runAsNonRoot');
        await client.delete(namespaceRef(name));
      },
    );

    needs('quota')('refuses what exceeds a quota', async () => {
      const name = await makeNamespace(`${namespace}-quota`);
      await client.apply({
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'few', namespace: name },
        spec: { hard: { 'count/secrets': '0' } },
      });
      await client.waitUntil(
        { apiVersion: 'v1', kind: 'ResourceQuota', namespace: name },
        ([quota]) => (quota?.status as any)?.used?.['count/secrets'],
        PATIENCE,
      );
      const error = await errorOf(
        client.apply({
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'one', namespace: name },
        }),
      );
      expect(error).toMatchObject({
        kind: 'quota',
        status: 403,
        retryable: false,
      });
      expect(error.message).toContain('count/secrets');
      await client.delete(namespaceRef(name));
    });

    needs('workload controllers')(
      'brings a Deployment up, and shows why one does not come up',
      async () => {
        const kubelet = new KubeletSimulator(client, namespace, pod =>
          pod.spec.containers[0].image === 'service:2'
            ? 'image-pull-backoff'
            : 'ready',
        );
        const query = {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          namespace,
        };
        const status = (items: KubernetesObject[]) => items[0]?.status as any;
        try {
          await client.apply(deployment('up'));
          await client.waitUntil(
            query,
            items => status(items)?.availableReplicas === 2 || undefined,
            PATIENCE,
          );
          await client.apply(deployment('up', 'service:2'));
          await client.waitUntil(
            query,
            items => status(items)?.updatedReplicas === 1 || undefined,
            PATIENCE,
          );
          const reason = await client.waitUntil(
            { apiVersion: 'v1', kind: 'Pod', namespace },
            pods =>
              pods
                .flatMap(pod => (pod.status as any)?.containerStatuses ?? [])
                .map(container => container.state?.waiting?.reason)
                .find(Boolean),
            PATIENCE,
          );
          expect(reason).toBe('ImagePullBackOff');
          const [found] = await client.listAll(query);
          // The version before it still serves.
          expect((found.status as any).availableReplicas).toBe(2);
        } finally {
          await client.delete(refOf(deployment('up')));
          await kubelet.stop();
        }
      },
    );
  });
}

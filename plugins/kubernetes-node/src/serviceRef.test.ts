import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import {
  createBackendPlugin,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import { kubernetesServiceRef } from './serviceRef';
import { clusterConfig, FakeApiServer } from './testUtils';
import type { KubernetesService } from './types';

const createPlugin = (
  pluginId: string,
  use: (service: KubernetesService) => void,
): BackendFeature =>
  createBackendPlugin({
    pluginId,
    register(env) {
      env.registerInit({
        deps: { kubernetes: kubernetesServiceRef },
        async init({ kubernetes }) {
          use(kubernetes);
        },
      });
    },
  });

describe('kubernetesServiceRef', () => {
  it('gives all plugins the same clients of the configured clusters', async () => {
    const [one, two] = [
      await FakeApiServer.start(),
      await FakeApiServer.start(),
    ];
    const given: KubernetesService[] = [];
    const backend = await startTestBackend({
      features: [
        createPlugin('one', service => given.push(service)),
        createPlugin('two', service => given.push(service)),
        mockServices.rootConfig.factory({
          data: clusterConfig(
            { ...one.cluster, name: 'one' },
            { ...two.cluster, name: 'two' },
          ),
        }),
      ],
    });
    expect(given).toHaveLength(2);
    expect(given[0]).toBe(given[1]);
    await given[0].getClient('two').apply({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'there' },
    });
    expect(one.writes).toHaveLength(0);
    expect(two.writes).toHaveLength(1);
    await backend.stop();
    await one.away();
    await two.away();
  });

  it('stops the start on a bad configuration, naming the field', async () => {
    const data = clusterConfig({ name: 'a', url: 'http://far', token: 't' });
    await expect(
      startTestBackend({
        features: [
          createPlugin('one', () => {}),
          mockServices.rootConfig.factory({ data }),
        ],
      }),
    ).rejects.toThrow(
      /clusterLocatorMethods\[0\]\.clusters\[0\]\.url must start with https/,
    );
  });
});

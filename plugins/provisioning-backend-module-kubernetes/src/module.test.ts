import {
  createBackendPlugin,
  coreServices,
} from '@backstage/backend-plugin-api';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import {
  provisioningEffectsExtensionPoint,
  provisioningRuntimesExtensionPoint,
  type EffectHandler,
  type Runtime,
} from '@rocket/plugin-provisioning-node';
import provisioningModuleKubernetes from './index';
import { readKubernetesSettings } from './runtime/settings';

/** What the module adds to provisioning. */
async function added(config: object = {}) {
  const runtimes: Runtime[] = [];
  const handlers: EffectHandler[] = [];
  const plugin = createBackendPlugin({
    pluginId: 'provisioning',
    register(env) {
      env.registerExtensionPoint(provisioningRuntimesExtensionPoint, {
        addRuntime: runtime => void runtimes.push(runtime),
      });
      env.registerExtensionPoint(provisioningEffectsExtensionPoint, {
        addEffectHandler: handler => void handlers.push(handler),
      });
      env.registerInit({
        deps: { logger: coreServices.logger },
        async init() {},
      });
    },
  });
  const scheduler = mockServices.scheduler.mock();
  const backend = await startTestBackend({
    features: [
      plugin,
      provisioningModuleKubernetes,
      scheduler.factory,
      mockServices.rootConfig.factory({ data: config as {} }),
    ],
  });
  await backend.stop();
  return { runtimes, handlers, scheduler };
}

describe('the module', () => {
  it('adds the runtime and its effects; without clusters nothing goes on', async () => {
    const { runtimes, handlers, scheduler } = await added();
    expect(runtimes.map(({ id }) => id)).toEqual(['kubernetes']);
    expect(
      handlers.map(({ type, retireOrder }) => [type, retireOrder]),
    ).toEqual([
      ['kubernetes.namespace', 35],
      ['kubernetes.workload', 30],
    ]);
    expect(scheduler.scheduleTask).not.toHaveBeenCalled();
  });

  it('looks after what runs on clusters, and does not start with wrong settings', async () => {
    const kubernetes = {
      clusterLocatorMethods: [
        {
          type: 'config',
          clusters: [
            {
              name: 'one',
              url: 'https://127.0.0.1:1',
              authProvider: 'serviceAccount',
              serviceAccountToken: 'token',
            },
          ],
        },
      ],
    };
    const { scheduler } = await added({ kubernetes });
    expect(scheduler.scheduleTask.mock.calls.map(([task]) => task.id)).toEqual([
      'provisioning-kubernetes-sweep',
      'provisioning-kubernetes-watch',
    ]);
    expect(() =>
      readKubernetesSettings(
        mockServices.rootConfig({
          data: {
            provisioning: { kubernetes: { readyTimeout: { milliseconds: 5 } } },
          },
        }),
      ),
    ).toThrow('provisioning.kubernetes.readyTimeout: must be 1 s or more');
  });

  it('reads times, with defaults', () => {
    expect(
      readKubernetesSettings(
        mockServices.rootConfig({
          data: {
            provisioning: {
              kubernetes: { watch: { minutes: 2 }, keep: '1h', gate: false },
            },
          },
        }),
      ),
    ).toMatchObject({
      watchMs: 120_000,
      keepMs: 3_600_000,
      gate: false,
      readyTimeoutMs: 300_000,
    });
  });
});

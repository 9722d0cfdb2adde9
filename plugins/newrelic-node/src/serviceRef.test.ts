import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import {
  createBackendPlugin,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import { newRelicServiceRef } from './serviceRef';
import type { NewRelicService } from './types';

function createPlugin(
  pluginId: string,
  use: (service: NewRelicService) => void,
): BackendFeature {
  return createBackendPlugin({
    pluginId,
    register(env) {
      env.registerInit({
        deps: { newrelic: newRelicServiceRef },
        async init({ newrelic }) {
          use(newrelic);
        },
      });
    },
  });
}

describe('newRelicServiceRef', () => {
  it('gives all plugins the same client', async () => {
    const given: NewRelicService[] = [];
    await startTestBackend({
      features: [
        createPlugin('one', service => given.push(service)),
        createPlugin('two', service => given.push(service)),
        mockServices.rootConfig.factory({
          data: {
            newrelic: {
              accounts: [{ name: 'a', id: 5, apiKey: 'NRAK-0123456789' }],
            },
          },
        }),
      ],
    });
    expect(given).toHaveLength(2);
    expect(given[0]).toBe(given[1]);
    expect(given[0].listAccounts()).toEqual([
      {
        name: 'a',
        id: 5,
        region: 'US',
        uiBaseUrl: 'https://one.newrelic.com',
      },
    ]);
  });

  it('stops the start on a bad configuration, naming the field', async () => {
    await expect(
      startTestBackend({
        features: [
          createPlugin('one', () => {}),
          mockServices.rootConfig.factory({
            data: { newrelic: { accounts: [{ name: 'a', id: 5 }] } },
          }),
        ],
      }),
    ).rejects.toThrow(/newrelic\.accounts\[0\]\.apiKey is missing/);
  });
});

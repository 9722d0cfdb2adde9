import {
  mockCredentials,
  mockServices,
  startTestBackend,
} from '@backstage/backend-test-utils';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import { eventsServiceRef } from '@backstage/plugin-events-node';
// The test needs both ends of the wire.
// eslint-disable-next-line @backstage/no-mixed-plugin-imports
import ciRegistryPlugin from '@rocket/plugin-ci-registry-backend';
import request from 'supertest';
import { catalogModuleCiRegistry } from './module';

jest.setTimeout(60_000);

const service = mockCredentials.service.header({
  onBehalfOf: mockCredentials.service('plugin:test'),
  targetPluginId: 'catalog',
});

async function eventually<T>(
  read: () => Promise<T>,
  good: (value: T) => boolean,
): Promise<T> {
  const end = Date.now() + 30_000;
  for (;;) {
    const value = await read();
    if (good(value) || Date.now() > end) {
      return value;
    }
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

describe('a push and the real catalog', () => {
  it('becomes readable, changes, and is applied once', async () => {
    // One bus for all plugins, as in a real backend; the mock makes one for each.
    const bus = mockServices.events();
    const scheduler = mockServices.scheduler();
    const { server } = await startTestBackend({
      features: [
        createServiceFactory({
          service: coreServices.scheduler,
          deps: {},
          factory: () => scheduler,
        }),
        catalogPlugin,
        createServiceFactory({
          service: eventsServiceRef,
          deps: {},
          factory: () => bus,
        }),
        ciRegistryPlugin,
        catalogModuleCiRegistry,
        mockServices.rootConfig.factory({
          data: {
            backend: { baseUrl: 'http://localhost' },
            ciRegistry: { goneGraceTime: { milliseconds: 0 } },
            catalog: {
              stitchingStrategy: { pollingInterval: { milliseconds: 200 } },
            },
          },
        }),
      ],
    });

    const push = (description: string, minute: number) =>
      request(server)
        .post('/api/ci-registry/entities')
        .send({
          source: {
            repository: 'http://127.0.0.1:7007/api/provisioning/git/pay.git',
            commit: String(minute).padStart(40, 'a'),
            time: new Date(Date.UTC(2026, 9, 1, 0, minute)).toISOString(),
          },
          entities: [
            {
              apiVersion: 'backstage.io/v1alpha1',
              kind: 'Component',
              metadata: { name: 'pay', description },
              spec: {
                type: 'service',
                lifecycle: 'production',
                owner: 'ledger',
              },
            },
          ],
        })
        .expect(200);
    const read = () =>
      request(server)
        .get('/api/catalog/entities/by-name/component/default/pay')
        .set('Authorization', service);
    const registered = () =>
      request(server).get('/api/ci-registry/entities/component/default/pay');

    await push('one', 1);
    const shown = await eventually(read, answer => answer.status === 200);
    expect(shown.body).toMatchObject({
      metadata: {
        description: 'one',
        annotations: {
          'backstage.io/managed-by-location':
            'rocket-ci-registry:http://127.0.0.1:7007/api/provisioning/git/pay',
          'rocket.internal/source-commit': '1'.padStart(40, 'a'),
        },
      },
      relations: [{ type: 'ownedBy', targetRef: 'group:default/ledger' }],
    });
    expect((await registered()).body.applied).toBe(true);

    await push('two', 2);
    const changed = await eventually(
      read,
      answer => answer.body.metadata?.description === 'two',
    );
    expect(changed.body.metadata).toMatchObject({
      uid: shown.body.metadata.uid,
      description: 'two',
    });
    await push('old', 1);
    await eventually(registered, answer => answer.body.applied);
    expect((await read()).body.metadata.description).toBe('two');

    // Given up: marked at once, and out of the catalog after the grace time.
    await request(server)
      .post('/api/ci-registry/pushes')
      .send({
        source: {
          repository: 'http://127.0.0.1:7007/api/provisioning/git/pay.git',
          commit: '3'.padStart(40, 'a'),
          time: new Date(Date.UTC(2026, 9, 1, 0, 3)).toISOString(),
        },
        removed: ['component:default/pay'],
      })
      .expect(200);
    const marked = await eventually(
      read,
      answer =>
        answer.body.metadata?.annotations?.['rocket.internal/gone-at'] !==
        undefined,
    );
    expect(marked.body).toMatchObject({
      metadata: { uid: shown.body.metadata.uid },
      spec: { lifecycle: 'production' },
    });
    await request(server)
      .get('/api/ci-registry/entities/component/default/pay')
      .expect(200)
      .expect(({ body }) =>
        expect(body).toMatchObject({
          state: 'gone',
          removedAt: expect.stringMatching(/Z$/),
        }),
      );
    await scheduler.triggerTask('ci-registry-remove-gone');
    const dropped = await eventually(read, answer => answer.status === 404);
    expect(dropped.status).toBe(404);
    await eventually(registered, answer => answer.body.applied);
    expect((await registered()).body).toMatchObject({
      state: 'removed',
      applied: true,
    });
    const { text } = await request(server)
      .get('/api/ci-registry/history/component/default/pay/export')
      .expect(200);
    expect(
      text
        .trim()
        .split('\n')
        .map(line => JSON.parse(line).kind),
    ).toEqual(['created', 'updated', 'gone', 'removed']);
  });
});

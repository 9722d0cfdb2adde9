import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import authPlugin from '@backstage/plugin-auth-backend';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import request from 'supertest';
import authModuleGuestLoopback from '.';

async function start() {
  const { server } = await startTestBackend({
    features: [
      authPlugin,
      authModuleGuestLoopback,
      catalogServiceMock.factory({
        entities: [
          {
            apiVersion: 'backstage.io/v1alpha1',
            kind: 'User',
            metadata: { name: 'guest' },
            spec: { memberOf: ['ledger'] },
            relations: [
              { type: 'memberOf', targetRef: 'group:default/ledger' },
            ],
          },
        ],
      }),
      mockServices.rootConfig.factory({
        data: {
          app: { baseUrl: 'http://localhost' },
          backend: { baseUrl: 'http://localhost' },
          auth: { providers: { guest: {} } },
        },
      }),
    ],
  });
  return server;
}

describe('authModuleGuestLoopback', () => {
  it('signs the guest in on this machine, with the groups of the catalog', async () => {
    const response = await request(await start())
      .get('/api/auth/guest/refresh')
      .set('Host', 'localhost:7007')
      .set('X-Requested-With', 'XMLHttpRequest');
    expect(response.status).toBe(200);
    expect(response.body.backstageIdentity.identity).toMatchObject({
      userEntityRef: 'user:default/guest',
      ownershipEntityRefs: expect.arrayContaining(['group:default/ledger']),
    });
  });

  it('refuses everybody else with the reason and the way out', async () => {
    const response = await request(await start())
      .get('/api/auth/guest/refresh')
      .set('Host', 'rocket.example.com')
      .set('X-Requested-With', 'XMLHttpRequest');
    expect(response.status).toBe(403);
    expect(response.body.error.message).toMatch(
      /only on the machine that runs Rocket.*other than localhost.*auth\.providers/,
    );
    expect(response.body.backstageIdentity).toBeUndefined();
  });
});

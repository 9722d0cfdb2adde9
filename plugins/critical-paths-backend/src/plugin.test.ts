import { createBackendModule } from '@backstage/backend-plugin-api';
import {
  mockCredentials,
  mockServices,
  startTestBackend,
} from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type {
  BoardResponse,
  PathDetail,
} from '@rocket/plugin-critical-paths-common';
import { telemetrySourcesExtensionPoint } from '@rocket/plugin-critical-paths-node';
import request from 'supertest';
import plugin from './index';
import { componentEntity, pathEntity } from './testing/entities';
import { FakeSource } from './testing/FakeSource';

jest.setTimeout(60_000);

function sourceModule(source: FakeSource) {
  return createBackendModule({
    pluginId: 'critical-paths',
    moduleId: 'fake',
    register(reg) {
      reg.registerInit({
        deps: { sources: telemetrySourcesExtensionPoint },
        async init({ sources }) {
          sources.addSource(source);
        },
      });
    },
  });
}

async function until<T>(
  read: () => Promise<T>,
  done: (value: T) => boolean,
): Promise<T> {
  for (;;) {
    const value = await read();
    if (done(value)) {
      return value;
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

describe('critical-paths plugin', () => {
  it('collects from a source and serves board, path and component', async () => {
    const source = new FakeSource(target => ({
      valid: 20,
      good: target.appName === 'ledger' ? 20 : 19,
      durationMs: 120,
    }));
    const { server } = await startTestBackend({
      features: [
        plugin,
        sourceModule(source),
        mockServices.rootConfig.factory({
          data: { criticalPaths: { collector: { backfill: { days: 1 } } } },
        }),
        catalogServiceMock.factory({
          entities: [
            pathEntity('posting', ['ledger', 'notify']),
            pathEntity('top-up', ['ghost']),
            componentEntity('ledger'),
            componentEntity('notify'),
            componentEntity('new-service', {
              joins: { path: 'criticalpath:default/posting', step: 'ledger' },
            }),
          ],
        }),
      ],
    });
    const board = await until(
      async (): Promise<BoardResponse> =>
        (
          await request(server).get('/api/critical-paths/paths?window=1h')
        ).body,
      b => (b.rows?.[0]?.data.ageSeconds ?? 1e9) < 300,
    );
    const posting = board.rows.find(r => r.name === 'posting')!;
    // ledger and new-service serve the entry step: 20 of 20 and 19 of 20 a minute.
    expect(posting.signals.availability).toBe(0.975);
    expect(posting.signals.throughputPerMinute).toBe(40);
    expect(posting.signals.latency.p95Ms).toBeGreaterThan(120 * 0.91);
    expect(posting.signals.latency.p95Ms).toBeLessThan(120 * 1.09);
    expect(posting.state).toBe('exhausted');
    expect(posting.applications).toBe(3);
    expect(board.rows.find(r => r.name === 'top-up')).toMatchObject({
      state: 'unknown',
      unknownComponents: ['component:default/ghost'],
      signals: { valid: 0, availability: null, throughputPerMinute: null },
    });

    const detail: PathDetail = (
      await request(server).get(
        '/api/critical-paths/paths/default/posting?window=1h',
      )
    ).body;
    expect(detail.steps).toEqual([
      {
        name: 'ledger',
        title: 'ledger',
        applications: [
          'component:default/ledger',
          'component:default/new-service',
        ],
        entry: true,
      },
      {
        name: 'notify',
        title: 'notify',
        applications: ['component:default/notify'],
        entry: false,
      },
    ]);
    expect(
      detail.applicationDetails.map(a => [
        a.title,
        a.joined,
        a.state,
        a.signals.availability,
        a.sourceUrl,
      ]),
    ).toEqual([
      ['ledger', false, 'healthy', 1, 'https://apm.example.com/ledger'],
      [
        'new-service',
        true,
        'exhausted',
        0.95,
        'https://apm.example.com/new-service',
      ],
      ['notify', false, 'exhausted', 0.95, 'https://apm.example.com/notify'],
    ]);
    expect(detail.explanations[0].queries[0]).toEqual({
      source: 'newrelic',
      query: 'SELECT count(*) FROM 3 applications',
    });

    const component = await request(server).get(
      '/api/critical-paths/components/component/default/notify/paths?window=6h',
    );
    expect(component.status).toBe(200);
    expect(component.body.rows).toHaveLength(1);
    expect(component.body.rows[0]).toMatchObject({
      path: { name: 'posting' },
      application: { entityRef: 'component:default/notify', steps: ['notify'] },
    });

    const openapi = await request(server).get(
      '/api/critical-paths/openapi.json',
    );
    expect(openapi.body).toMatchObject({ openapi: '3.1.0' });
    expect(
      (await request(server).post('/api/critical-paths/collect')).status,
    ).toBe(202);
    expect(
      (
        await request(server)
          .get('/api/critical-paths/paths')
          .set('authorization', mockCredentials.none.header())
      ).status,
    ).toBe(401);
  });

  it('refuses two sources of the same id', async () => {
    await expect(
      startTestBackend({
        features: [
          plugin,
          createBackendModule({
            pluginId: 'critical-paths',
            moduleId: 'twice',
            register(reg) {
              reg.registerInit({
                deps: { sources: telemetrySourcesExtensionPoint },
                async init({ sources }) {
                  sources.addSource(new FakeSource());
                  sources.addSource(new FakeSource());
                },
              });
            },
          }),
          catalogServiceMock.factory({ entities: [] }),
        ],
      }),
    ).rejects.toThrow('There is a telemetry source "newrelic" already');
  });

  it('refuses a configuration out of range and a caller without permission', async () => {
    await expect(
      startTestBackend({
        features: [
          plugin,
          mockServices.rootConfig.factory({
            data: { criticalPaths: { retention: { minutes: { hours: 3 } } } },
          }),
          catalogServiceMock.factory({ entities: [] }),
        ],
      }),
    ).rejects.toThrow(
      'criticalPaths.retention.minutes must be at least 172800 seconds, was 10800 seconds',
    );
    const { server } = await startTestBackend({
      features: [
        plugin,
        catalogServiceMock.factory({ entities: [] }),
        mockServices.permissions.factory({ result: AuthorizeResult.DENY }),
      ],
    });
    for (const call of [
      request(server).get('/api/critical-paths/paths'),
      request(server).get('/api/critical-paths/paths/default/x'),
      request(server).get(
        '/api/critical-paths/components/component/default/x/paths',
      ),
      request(server).post('/api/critical-paths/collect'),
    ]) {
      const response = await call;
      expect(response.status).toBe(403);
      expect(response.body.error.message).toMatch(
        /Permission critical-paths\.(read|collect) is needed/,
      );
    }
  });
});

import { createBackendModule } from '@backstage/backend-plugin-api';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import type { AlphaEntity } from '@backstage/catalog-model/alpha';
import catalog from '@backstage/plugin-catalog-backend';
import {
  catalogProcessingExtensionPoint,
  type EntityProviderConnection,
} from '@backstage/plugin-catalog-node';
import request from 'supertest';
import catalogModuleCriticalPaths from './index';

jest.setTimeout(60_000);

const LOCATION = 'test:here';

function entity(
  kind: string,
  name: string,
  spec: Record<string, unknown>,
  annotations: Record<string, string> = {},
): Entity {
  return {
    apiVersion:
      kind === 'CriticalPath'
        ? 'rocket.internal/v1alpha1'
        : 'backstage.io/v1alpha1',
    kind,
    metadata: {
      name,
      annotations: {
        'backstage.io/managed-by-location': LOCATION,
        'backstage.io/managed-by-origin-location': LOCATION,
        ...annotations,
      },
    },
    spec: spec as Entity['spec'],
  };
}

const service = { type: 'service', lifecycle: 'production', owner: 'ledger' };

function path(windowDays: number): Entity {
  return entity('CriticalPath', 'posting', {
    owner: 'ledger',
    businessModel: 'payments',
    type: 'transaction',
    lifecycle: 'production',
    steps: [{ name: 'post', component: 'poster' }, { component: 'ghost' }],
    objectives: [{ sli: 'availability', target: 99.9, windowDays }],
  });
}

describe('catalogModuleCriticalPaths in the catalog', () => {
  it('gives relations both ways and keeps the last valid path when an invalid one comes', async () => {
    let connection: EntityProviderConnection;
    const { server } = await startTestBackend({
      features: [
        catalog,
        catalogModuleCriticalPaths,
        createBackendModule({
          pluginId: 'catalog',
          moduleId: 'test-provider',
          register(reg) {
            reg.registerInit({
              deps: { processing: catalogProcessingExtensionPoint },
              async init({ processing }) {
                processing.addEntityProvider({
                  getProviderName: () => 'test',
                  connect: async c => {
                    connection = c;
                  },
                });
              },
            });
          },
        }),
        mockServices.rootConfig.factory({
          data: {
            catalog: {
              rules: [
                { allow: ['Component', 'Domain', 'CriticalPath', 'Group'] },
              ],
              processingInterval: { seconds: 1 },
            },
          },
        }),
      ],
    });
    const apply = (posting: Entity) =>
      connection.applyMutation({
        type: 'full',
        entities: [
          posting,
          entity('Group', 'ledger', { type: 'team', children: [] }),
          entity('Domain', 'payments', { owner: 'ledger' }),
          entity('Component', 'poster', service),
          entity('Component', 'wallet', service, {
            'rocket.internal/critical-path': 'criticalpath:default/posting',
            'rocket.internal/critical-path-step': 'post',
          }),
        ].map(e => ({ entity: e, locationKey: 'test' })),
      });
    const read = async (ref: string, done: (e: AlphaEntity) => boolean) => {
      for (;;) {
        const { status, body } = await request(server).get(
          `/api/catalog/entities/by-name/${ref}`,
        );
        if (status === 200 && done(body)) {
          return body as AlphaEntity;
        }
        await new Promise(resolve => setTimeout(resolve, 100));
      }
    };
    const relations = (e: Entity) =>
      (e.relations ?? []).map(r => `${r.type} ${r.targetRef}`).sort();

    await apply(path(28));
    const posting = await read(
      'criticalpath/default/posting',
      e => (e.relations?.length ?? 0) >= 5,
    );
    expect(relations(posting)).toEqual([
      'dependsOn component:default/ghost',
      'dependsOn component:default/poster',
      'dependsOn component:default/wallet',
      'ownedBy group:default/ledger',
      'partOf domain:default/payments',
    ]);
    for (const [ref, relation] of [
      ['component/default/poster', 'dependencyOf criticalpath:default/posting'],
      ['component/default/wallet', 'dependencyOf criticalpath:default/posting'],
      ['group/default/ledger', 'ownerOf criticalpath:default/posting'],
      ['domain/default/payments', 'hasPart criticalpath:default/posting'],
    ]) {
      const other = await read(ref, e => relations(e).includes(relation));
      expect(relations(other)).toContain(relation);
    }

    // The collector finds joined components by their annotation alone.
    const joined = await request(server).get(
      '/api/catalog/entities/by-query?filter=kind=component,metadata.annotations.rocket.internal/critical-path&fields=metadata.name,metadata.annotations',
    );
    expect(joined.body.items).toMatchObject([
      {
        metadata: {
          name: 'wallet',
          annotations: { 'rocket.internal/critical-path-step': 'post' },
        },
      },
    ]);

    await apply(path(14));
    const broken = await read('criticalpath/default/posting', e =>
      Boolean(e.status?.items?.length),
    );
    expect(broken.status!.items![0]).toMatchObject({
      level: 'error',
      message: expect.stringContaining(
        'spec.objectives[0].windowDays must be 1, 7, 28 or 30, was 14',
      ),
    });
    expect(broken.spec).toMatchObject({ objectives: [{ windowDays: 28 }] });

    const validation = await request(server)
      .post('/api/catalog/validate-entity')
      .send({ entity: path(14), location: 'url:https://example.com/a.yaml' });
    expect(validation.status).toBe(400);
    expect(JSON.stringify(validation.body)).toContain(
      'spec.objectives[0].windowDays must be 1, 7, 28 or 30, was 14',
    );
  });
});

import { readFile } from 'node:fs/promises';
import {
  createMockDirectory,
  mockServices,
  startTestBackend,
} from '@backstage/backend-test-utils';
import { parseLocationRef, type Entity } from '@backstage/catalog-model';
import { ConfigReader } from '@backstage/config';
import { ScmIntegrations } from '@backstage/integration';
import catalog from '@backstage/plugin-catalog-backend';
import scaffolderModel from '@backstage/plugin-catalog-backend-module-scaffolder-entity-model';
import { fetchContents } from '@backstage/plugin-scaffolder-node';
import request from 'supertest';
import catalogModuleRocketTemplates from './index';

jest.setTimeout(60_000);

function template(name: string, annotations: string): string {
  return `apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata:
  name: ${name}
  annotations: ${annotations}
spec:
  type: service
  owner: a
  steps: []
`;
}

describe('catalogModuleRocketTemplates in the catalog', () => {
  const folder = createMockDirectory({
    content: {
      'templates/all.yaml': `apiVersion: backstage.io/v1alpha1
kind: Location
metadata: { name: all }
spec:
  targets: [./shared/template.yaml, ./own/template.yaml]
`,
      'templates/skeletons/base/a.txt': 'shared',
      'templates/shared/template.yaml': template(
        'shared',
        '{ rocket.internal/fetch-base: ../all.yaml }',
      ),
      'templates/own/template.yaml': template('own', '{}'),
      'templates/own/skeleton/a.txt': 'own',
      'out/': {},
    },
  });

  it('lets a template of a Location file read skeletons beside that file, and no other one', async () => {
    const { server } = await startTestBackend({
      features: [
        catalog,
        scaffolderModel,
        catalogModuleRocketTemplates,
        mockServices.rootConfig.factory({
          data: {
            catalog: {
              rules: [{ allow: ['Location', 'Template'] }],
              processingInterval: { seconds: 1 },
              locations: [
                { type: 'file', target: folder.resolve('templates/all.yaml') },
              ],
            },
          },
        }),
      ],
    });
    const read = async (name: string): Promise<Entity> => {
      for (;;) {
        const { status, body } = await request(server).get(
          `/api/catalog/entities/by-name/template/default/${name}`,
        );
        if (status === 200) return body;
        await new Promise(resolve => setTimeout(resolve, 100));
      }
    };
    // As the scaffolder makes it of the entity: source location first, then location.
    const fetched = async (name: string, fetchUrl: string) => {
      const { annotations = {} } = (await read(name)).metadata;
      const { target } = parseLocationRef(
        annotations['backstage.io/source-location'] ??
          annotations['backstage.io/managed-by-location'],
      );
      await fetchContents({
        reader: {} as never,
        integrations: ScmIntegrations.fromConfig(new ConfigReader({})),
        baseUrl: `file://${target}`,
        fetchUrl,
        outputPath: folder.resolve('out', name),
      });
      return readFile(folder.resolve('out', name, 'a.txt'), 'utf8');
    };

    expect(await fetched('shared', './skeletons/base')).toBe('shared');
    expect(await fetched('own', './skeleton')).toBe('own');
    await expect(fetched('own', '../skeletons/base')).rejects.toThrow(
      'Relative path is not allowed',
    );
    expect((await read('shared')).metadata.annotations).toMatchObject({
      'backstage.io/managed-by-location': `file:${folder.resolve(
        'templates/shared/template.yaml',
      )}`,
    });
  });
});

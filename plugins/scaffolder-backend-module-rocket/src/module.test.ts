import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
// The actions must be usable by the real scaffolder.
// eslint-disable-next-line @backstage/no-mixed-plugin-imports
import scaffolderPlugin from '@backstage/plugin-scaffolder-backend';
import request from 'supertest';
import { scaffolderModuleRocket } from './module';

jest.setTimeout(60_000);

describe('the scaffolder with Rocket', () => {
  it('offers the actions with their inputs', async () => {
    const { server } = await startTestBackend({
      features: [
        scaffolderPlugin,
        scaffolderModuleRocket,
        catalogServiceMock.factory(),
        mockServices.rootConfig.factory({
          data: { backend: { baseUrl: 'http://localhost' }, scaffolder: {} },
        }),
      ],
    });
    const { body } = await request(server)
      .get('/api/scaffolder/v2/actions')
      .expect(200);
    const ours = (
      body as {
        id: string;
        schema: Record<
          'input' | 'output',
          { properties: object; required?: string[] }
        >;
      }[]
    )
      .filter(action => action.id.startsWith('rocket:'))
      .map(({ id, schema }) => ({
        id,
        required: schema.input.required,
        outputs: Object.keys(schema.output.properties),
      }));
    expect(ours).toEqual([
      {
        id: 'rocket:database:create',
        required: ['name', 'entityRef', 'owner'],
        outputs: ['database', 'server', 'credentialsRef'],
      },
      {
        id: 'rocket:deploy',
        required: ['name', 'owner', 'repository'],
        outputs: ['url', 'docsUrl', 'commit', 'operation'],
      },
      {
        id: 'rocket:deploy:local',
        required: ['name', 'owner', 'repository'],
        outputs: ['url', 'docsUrl', 'commit'],
      },
      {
        id: 'rocket:environment:create',
        required: ['entityRef', 'branch'],
        outputs: ['name', 'url', 'expiresAt', 'operation'],
      },
      {
        id: 'rocket:kubernetes:apply',
        required: [
          'name',
          'entityRef',
          'owner',
          'environment',
          'tier',
          'cluster',
          'namespace',
          'commit',
          'image',
        ],
        outputs: ['url'],
      },
      {
        id: 'rocket:newrelic:provision',
        required: ['name', 'entityRef', 'owner'],
        outputs: ['skipped', 'policyUrl', 'dashboardUrl'],
      },
      {
        id: 'rocket:preflight',
        required: ['entityRef', 'owner', 'effects'],
        outputs: ['findings', 'runsLocally'],
      },
      {
        id: 'rocket:publish:local',
        required: ['name', 'owner'],
        outputs: ['repository', 'cloneUrl', 'defaultBranch', 'commit'],
      },
      {
        id: 'rocket:register',
        required: ['repository', 'commit'],
        outputs: ['entityRef', 'entityRefs'],
      },
    ]);
  });
});

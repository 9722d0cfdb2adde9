import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createBackendModule,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import {
  createMockDirectory,
  mockServices,
  startTestBackend,
  TestDatabases,
} from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
// Recovery is the real scaffolder's.
// eslint-disable-next-line @backstage/no-mixed-plugin-imports
import scaffolderPlugin from '@backstage/plugin-scaffolder-backend';
import {
  createTemplateAction,
  scaffolderActionsExtensionPoint,
} from '@backstage/plugin-scaffolder-node';
import { ciRegistryServiceRef } from '@rocket/plugin-ci-registry-node';
import { provisioningServiceRef } from '@rocket/plugin-provisioning-node';
import request from 'supertest';
import { cutOff } from './__testUtils__/cutOff';
import { startGitServer } from './__testUtils__/gitServer';
import { mockProvisioning, withLedger } from './__testUtils__/provisioning';
import { scaffolderModuleRocket } from './module';

jest.setTimeout(300_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3'] });
const PASSWORD = 'git-password';
const FILES = {
  'rocket.yaml': 'spec: { start: [node, server.js] }\n',
  'catalog-info.yaml':
    'apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: { name: pay-api }\nspec: { type: service, owner: group:default/ledger }\n',
};
const common = { name: 'pay-api', owner: 'group:default/ledger' };
const template = {
  apiVersion: 'scaffolder.backstage.io/v1beta3',
  kind: 'Template',
  metadata: {
    name: 'service',
    namespace: 'default',
    annotations: { 'backstage.io/managed-by-location': 'url:http://x/y' },
  },
  spec: {
    type: 'service',
    owner: 'group:default/platform',
    // As the golden templates have it.
    EXPERIMENTAL_recovery: { EXPERIMENTAL_strategy: 'startOver' },
    parameters: [],
    steps: [
      {
        id: 'preflight',
        action: 'rocket:preflight',
        input: {
          entityRef: 'component:default/pay-api',
          owner: common.owner,
          effects: [{ type: 'git.repository', reference: 'pay-api' }],
        },
      },
      { id: 'files', action: 'test:files', input: {} },
      { id: 'publish', action: 'rocket:publish:local', input: common },
      {
        id: 'deploy',
        action: 'rocket:deploy:local',
        input: {
          ...common,
          repository: '${{ steps.publish.output.repository }}',
          commit: '${{ steps.publish.output.commit }}',
        },
      },
      {
        id: 'register',
        action: 'rocket:register',
        input: {
          repository: '${{ steps.publish.output.repository }}',
          commit: '${{ steps.publish.output.commit }}',
          waitSeconds: 0,
        },
      },
    ],
  },
};

/** A backend that is cut off from its database and everything else after any write of a run, and a next one. */
describe('a run that is interrupted', () => {
  /** @param cutAfter number of the outside write after which the first backend is no more; 0: it lives */
  async function runTemplate(cutAfter: number) {
    const root = createMockDirectory();
    const saved = createMockDirectory();
    const git = await startGitServer(root.path, PASSWORD);
    const knex = await databases.init('SQLITE_3');
    const provisioning = mockProvisioning();
    const services = new Map<string, string>();
    const entities = new Map<string, string>();
    let created = 0;
    const { effects } = withLedger(provisioning, ({ type, reference }) => {
      if (type !== 'git.repository') return {};
      created += effects.get(`${type} ${reference}`)!.details.cloneUrl ? 0 : 1;
      return { defaultBranch: 'main', cloneUrl: git.create(reference) };
    });

    let writes = 0;
    let cut = () => {};
    const isCut = new Promise<void>(resolve => {
      cut = resolve;
    });
    /** Does the write; the caller never hears of the one after which all ends. */
    const writing =
      <A extends unknown[], R>(write: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        const result = await write(...args);
        writes += 1;
        if (writes === cutAfter) {
          cut();
          await new Promise(() => {});
        }
        return result;
      };
    provisioning.preflight.mockImplementation(
      writing(async () => ({ passed: true, findings: [] })),
    );
    provisioning.requestEffect.mockImplementation(
      writing(provisioning.requestEffect.getMockImplementation()!),
    );
    provisioning.createGitToken.mockImplementation(
      writing(async ({ repository, access }) => ({
        repository,
        access,
        token: PASSWORD,
        expiresAt: '',
      })),
    );
    provisioning.deploy.mockImplementation(
      writing(async ({ name, ref }) => {
        services.set(name, ref!);
        return {
          ...common,
          state: 'healthy',
          commit: ref,
          deployment: { commit: ref, status: 'done' },
          url: 'http://127.0.0.1:1',
          phases: [],
        } as never;
      }),
    );
    const registry = {
      register: writing(async ({ source, entities: pushed }: any) => {
        for (const { metadata } of pushed) {
          entities.set(metadata.name, source.commit);
        }
        return { results: [] };
      }),
    };

    async function start() {
      const seen = cutOff(knex);
      const backend = await startTestBackend({
        features: [
          scaffolderPlugin,
          scaffolderModuleRocket,
          catalogServiceMock.factory({ entities: [template] as never }),
          // A dead backend's heart does not beat: its database is gone for it.
          mockServices.database.mock({ getClient: async () => seen.database })
            .factory,
          mockServices.rootConfig.factory({
            data: {
              backend: { baseUrl: 'http://localhost' },
              scaffolder: {
                taskRecovery: {
                  enabled: true,
                  staleTimeout: { seconds: 1 },
                  workspaceProvider: 'disk',
                },
                savedWorkspaces: { directory: saved.path },
              },
            },
          }),
          createServiceFactory({
            service: provisioningServiceRef,
            deps: {},
            factory: () => provisioning,
          }),
          createServiceFactory({
            service: ciRegistryServiceRef,
            deps: {},
            factory: () => registry as never,
          }),
          createBackendModule({
            pluginId: 'scaffolder',
            moduleId: 'files',
            register(env) {
              env.registerInit({
                deps: { actions: scaffolderActionsExtensionPoint },
                async init({ actions }) {
                  actions.addActions(
                    createTemplateAction({
                      id: 'test:files',
                      schema: {},
                      async handler(ctx) {
                        for (const [name, text] of Object.entries(FILES)) {
                          writeFileSync(join(ctx.workspacePath, name), text);
                        }
                      },
                    }),
                  );
                },
              });
            },
          }),
        ],
      });
      return {
        backend,
        setDead: seen.setCut,
        async stop() {
          await backend.stop();
          seen.setCut(true);
        },
      };
    }

    const first = await start();
    const { body } = await request(first.backend.server)
      .post('/api/scaffolder/v2/tasks')
      .send({ templateRef: 'template:default/service', values: {} })
      .expect(201);
    const row = () => knex('tasks').where({ id: body.id }).first();
    let next: Awaited<ReturnType<typeof start>> | undefined;
    if (cutAfter) {
      await isCut;
      first.setDead(true);
      next = await start();
    }
    let task = await row();
    while (['open', 'processing'].includes(task.status)) {
      await new Promise(resolve => setTimeout(resolve, 50));
      task = await row();
    }
    const log = await knex('task_events')
      .where({ task_id: body.id })
      .pluck('body');
    await next?.stop();
    first.setDead(false);
    await first.stop();
    const commit = git.run('pay-api', 'rev-parse', 'main');
    const end = {
      status: task.status,
      secrets: task.secrets,
      commits: git.run('pay-api', 'rev-list', '--all', '--count'),
      created,
      services: [...services].map(([name, at]) => [name, at === commit]),
      entities: [...entities].map(([name, at]) => [name, at === commit]),
      effects: [...effects.values()].map(
        ({ id, state, run, intent }) =>
          `${id} ${state} ${run === `task:${body.id}`} ${
            intent.commit === commit
          }`,
      ),
    };
    await git.stop();
    rmSync(saved.path, { recursive: true, force: true });
    return { end, writes, log };
  }

  it('comes to the same end after every write', async () => {
    const { end, writes } = await runTemplate(0);
    expect(end).toEqual({
      status: 'completed',
      secrets: null,
      commits: '1',
      created: 1,
      services: [['pay-api', true]],
      entities: [['pay-api', true]],
      effects: [
        'git.repository pay-api live true true',
        'local.service pay-api live true true',
        'catalog.entity component:default/pay-api live true true',
      ],
    });
    expect(writes).toBe(9);
    // They wait most of the time: until stock takes the dead one's task for stale.
    const interrupted = await Promise.all(
      Array.from({ length: writes }, (_, n) => runTemplate(n + 1)),
    );
    interrupted.forEach(({ end: found, log }, n) =>
      expect({
        cutAfter: n + 1,
        ...found,
        log: found.status === 'completed' ? '' : log.join('\n'),
      }).toEqual({ cutAfter: n + 1, ...end, log: '' }),
    );
  });
});

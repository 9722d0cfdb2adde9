import {
  createServiceFactory,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import {
  mockCredentials,
  mockServices,
  startTestBackend,
  TestDatabases,
} from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
// What stays in the real scaffolder's tables is what counts.
// eslint-disable-next-line @backstage/no-mixed-plugin-imports
import scaffolderPlugin from '@backstage/plugin-scaffolder-backend';
import { provisioningServiceRef } from '@rocket/plugin-provisioning-node';
import request from 'supertest';
import { cutOff } from './__testUtils__/cutOff';
import { mockProvisioning } from './__testUtils__/provisioning';
import { scaffolderModuleRocket } from './module';

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3'] });
const CANARY = 'canary-2b7e15-never-keep';

const template = {
  apiVersion: 'scaffolder.backstage.io/v1beta3',
  kind: 'Template',
  metadata: {
    name: 'secretive',
    namespace: 'default',
    annotations: { 'backstage.io/managed-by-location': 'url:http://x/y' },
  },
  spec: {
    type: 'service',
    owner: 'group:default/platform',
    EXPERIMENTAL_recovery: { EXPERIMENTAL_strategy: 'startOver' },
    parameters: [],
    steps: [
      {
        id: 'say',
        action: 'debug:log',
        input: { message: '${{ secrets.password }} is the word' },
      },
      {
        id: 'preflight',
        action: 'rocket:preflight',
        input: {
          entityRef: 'component:default/pay',
          owner: 'group:default/ledger',
          effects: [{ type: 'git.repository', reference: 'pay' }],
        },
      },
    ],
  },
};

/** Recovery keeps a task's secrets in its row, so that it can go on; at the end they must be gone. */
describe('the secrets of a task', () => {
  let knex: Awaited<ReturnType<typeof databases.init>>;
  let server: Parameters<typeof request>[0];
  let stop: () => Promise<void>;
  const provisioning = mockProvisioning();
  /** What the step gets to see, and what it then waits for. */
  let entered: () => void;
  let go: Promise<void>;

  beforeAll(async () => {
    knex = await databases.init('SQLITE_3');
    const seen = cutOff(knex);
    const features: BackendFeature[] = [
      scaffolderPlugin,
      scaffolderModuleRocket,
      catalogServiceMock.factory({ entities: [template] as never }),
      mockServices.database.mock({ getClient: async () => seen.database })
        .factory,
      mockServices.rootConfig.factory({
        data: {
          backend: { baseUrl: 'http://localhost' },
          scaffolder: { taskRecovery: { enabled: true } },
        },
      }),
      createServiceFactory({
        service: provisioningServiceRef,
        deps: {},
        factory: () => provisioning,
      }),
    ];
    const backend = await startTestBackend({ features });
    server = backend.server as never;
    stop = async () => {
      await backend.stop();
      seen.setCut(true);
    };
  });

  afterAll(async () => {
    await stop?.();
  });

  const everything = async () => {
    const tables = await knex('sqlite_master')
      .where({ type: 'table' })
      .pluck('name');
    const rows = await Promise.all(tables.map(name => knex(name).select()));
    return JSON.stringify(rows);
  };
  const row = (id: string) => knex('tasks').where({ id }).first();

  async function submit(): Promise<string> {
    let release = () => {};
    go = new Promise(resolve => {
      release = resolve;
    });
    const isIn = new Promise<void>(resolve => {
      entered = resolve;
    });
    const { body } = await request(server)
      .post('/api/scaffolder/v2/tasks')
      .send({
        templateRef: 'template:default/secretive',
        values: {},
        secrets: { password: CANARY },
      })
      .expect(201);
    await isIn;
    // While it runs it could be recovered: the test looks where it should.
    expect((await row(body.id)).secrets).toContain(CANARY);
    release();
    return body.id;
  }

  async function end(id: string, status: string) {
    for (;;) {
      const task = await row(id);
      if (task.status === status) return task;
      if (['completed', 'failed', 'cancelled'].includes(task.status)) {
        throw new Error(`It is ${task.status}`);
      }
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }

  it.each([
    ['completed', { passed: true, findings: [] }],
    [
      'failed',
      {
        passed: false,
        findings: [
          {
            reason: 'name-taken',
            level: 'error' as const,
            subject: 'pay',
            message: 'taken',
          },
        ],
      },
    ],
  ])('are nowhere when it is %s', async (status, report) => {
    provisioning.preflight.mockImplementation(async (_request, options) => {
      expect(options.credentials.principal).toEqual(
        mockCredentials.user().principal,
      );
      entered();
      await go;
      return report;
    });
    const id = await submit();
    expect((await end(id, status)).secrets).toBeNull();
    expect(await everything()).not.toContain(CANARY);
    expect(await everything()).not.toContain(mockCredentials.user.token());
  });

  it('are nowhere when it is cancelled, and when a retry has ended', async () => {
    provisioning.preflight.mockImplementation(async () => {
      entered();
      await go;
      return { passed: true, findings: [] };
    });
    const id = await submit();
    await request(server).post(`/api/scaffolder/v2/tasks/${id}/cancel`);
    while ((await row(id)).secrets !== null) {
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    while (['open', 'processing'].includes((await row(id)).status)) {
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    expect(await everything()).not.toContain(CANARY);

    await request(server)
      .post(`/api/scaffolder/v2/tasks/${id}/retry`)
      .send({ secrets: { password: CANARY } })
      .expect(201);
    await end(id, 'completed');
    expect(await everything()).not.toContain(CANARY);
  });
});

import { createDevApp } from '@backstage/frontend-dev-utils';
import {
  ApiBlueprint,
  createFrontendModule,
  createFrontendPlugin,
  PageBlueprint,
} from '@backstage/frontend-plugin-api';
import { catalogApiRef, EntityProvider } from '@backstage/plugin-catalog-react';
import { catalogApiMock } from '@backstage/plugin-catalog-react/testUtils';
import { Stepper } from '@backstage/plugin-scaffolder-react/alpha';
import { RiFlaskLine } from '@remixicon/react';
import { serviceStatus } from '../src/__testUtils__/fixtures';
import {
  driftedEffect,
  effect,
  environments,
  operation,
  plan,
} from '../src/__testUtils__/operations';
import provisioningPlugin from '../src';
import {
  provisioningApiRef,
  type ProvisioningApi,
} from '../src/api/ProvisioningApi';
import { criticalPathStepField } from '../src/fields/criticalPathStep/field';
import { serviceNameField } from '../src/fields/serviceName/field';
import { RuntimeContent } from '../src/runtime/RuntimeContent';

// `#deploying`, `#failed` or `#stopped` in the address shows that state.
function current() {
  const status = serviceStatus();
  switch (window.location.hash) {
    case '#deploying':
      status.state = 'deploying';
      status.phases.slice(3).forEach(phase => {
        phase.status = phase.phase === 'database' ? 'running' : 'pending';
        phase.finishedAt = undefined;
      });
      return status;
    case '#failed':
      status.state = 'failed';
      status.message =
        'The migrations failed, so the service was not started. Read the log below, push a fix and deploy again.';
      status.deployment = {
        commit: 'f'.repeat(40),
        status: 'failed',
        message: 'migration 3: column "amount" already exists',
      };
      status.phases[4] = {
        phase: 'migrate',
        status: 'failed',
        message: 'exit code 1',
      };
      status.phases[5] = { phase: 'start', status: 'pending' };
      status.phases[6] = { phase: 'health', status: 'pending' };
      return status;
    case '#stopped':
      status.state = 'stopped';
      return status;
    default:
      return status;
  }
}

const provisioning: ProvisioningApi = {
  checkName: async name =>
    name === 'ledger-service'
      ? {
          name,
          available: false,
          reason: 'component:default/ledger-service has it',
        }
      : { name, available: true },
  getService: async () => current(),
  operate: async () => current(),
  getLog: async (_name, { after = 0 }) => ({
    cursor: after + 1,
    lines: Array.from({ length: after ? 1 : 30 }, (_, i) => ({
      time: new Date().toISOString(),
      stream: (['rocket', 'stdout', 'stdout', 'stderr'] as const)[i % 4],
      text:
        i % 4 === 3
          ? 'warn: the pool has waited 210 ms for a connection'
          : `{"level":"info","method":"POST","path":"/v1/transactions","status":201,"durationMs":${
              8 + i
            },"criticalPath":"transaction-posting"}`,
    })),
  }),
  getRepository: async name => ({
    name,
    owner: 'group:default/cards',
    defaultBranch: 'main',
    cloneUrl: `http://localhost:7007/api/provisioning/git/${name}.git`,
    createdAt: '2026-11-20T08:00:00Z',
    createdBy: 'user:default/guest',
  }),
  createGitToken: async ({ repository, access }) => ({
    token: 'a-made-up-password-for-this-page-only',
    access,
    repository,
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
  }),
  listEffects: async () => [effect(), driftedEffect()],
  listEffectEvents: async id => [
    {
      effectId: id,
      at: '2026-11-20T08:00:02.000Z',
      actor: 'user:default/guest',
      to: 'live',
    },
  ],
  observeEffect: async () => effect(),
  plan: async () => plan(),
  startOperation: async () => operation(),
  listOperations: async () => [operation()],
  getOperation: async () => operation(),
  decideOperation: async () => operation({ state: 'running' }),
  cancelOperation: async () => operation({ state: 'cancelled' }),
  retryOperation: async () => operation({ state: 'running' }),
  listVersions: async () => [],
  listEnvironments: async () => environments(),
  extendEnvironment: async () => environments()[1],
};

const component = (name: string) => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Component',
  metadata: { name, namespace: 'default', uid: name },
  spec: {},
});

const catalog = catalogApiMock({
  entities: [
    component('transaction-service'),
    component('ledger-service'),
    {
      apiVersion: 'rocket.internal/v1alpha1',
      kind: 'CriticalPath',
      metadata: {
        name: 'transaction-posting',
        namespace: 'default',
        title: 'Transaction posting',
        description:
          'A transaction is posted to an account, booked in the ledger and confirmed to its holder.',
      },
      spec: {
        owner: 'group:default/ledger',
        businessModel: 'domain:default/payments',
        type: 'transaction',
        lifecycle: 'production',
        steps: [
          {
            name: 'post',
            title: 'Post the transaction',
            component: 'component:default/transaction-service',
          },
          {
            name: 'book',
            title: 'Book in the ledger',
            component: 'component:default/ledger-service',
          },
          {
            name: 'notify',
            title: 'Tell the holder',
            component: 'component:default/notification-service',
          },
        ],
      },
    },
  ],
});

const extensions = [serviceNameField, criticalPathStepField] as never;

function Form({ theme }: { theme: 'bui' | 'mui' }) {
  return (
    <Stepper
      manifest={{
        title: 'Transaction service',
        steps: [
          {
            title: 'The service',
            schema: {
              required: ['name', 'description', 'path'],
              properties: {
                name: {
                  title: 'Name',
                  type: 'string',
                  description:
                    'Names the repository, the database, the host and the catalog entry.',
                  'ui:field': 'RocketServiceName',
                },
                description: { title: 'Description', type: 'string' },
                path: {
                  title: 'Critical path and step',
                  type: 'object',
                  description: 'The flow that its requests are counted for.',
                  required: ['criticalPath', 'step'],
                  'ui:field': 'RocketCriticalPathStep',
                },
              },
            },
          },
        ],
      }}
      extensions={extensions}
      formProps={{ EXPERIMENTAL_theme: theme }}
      onCreate={async () => {}}
    />
  );
}

const page = (name: string, element: JSX.Element) =>
  PageBlueprint.make({
    name,
    params: {
      path: `/${name}`,
      title: name,
      icon: <RiFlaskLine />,
      loader: async () => <div style={{ padding: 24 }}>{element}</div>,
    },
  });

createDevApp({
  features: [
    provisioningPlugin,
    createFrontendModule({
      pluginId: 'provisioning',
      extensions: [
        ApiBlueprint.make({
          params: define =>
            define({
              api: provisioningApiRef,
              deps: {},
              factory: () => provisioning,
            }),
        }),
      ],
    }),
    createFrontendPlugin({
      pluginId: 'catalog',
      extensions: [
        ApiBlueprint.make({
          params: define =>
            define({ api: catalogApiRef, deps: {}, factory: () => catalog }),
        }),
      ],
    }),
    createFrontendPlugin({
      pluginId: 'parts',
      extensions: [
        page('form', <Form theme="bui" />),
        page('form-mui', <Form theme="mui" />),
        page(
          'runtime',
          <EntityProvider entity={component('card-limits')}>
            <RuntimeContent />
          </EntityProvider>,
        ),
      ],
    }),
  ],
});

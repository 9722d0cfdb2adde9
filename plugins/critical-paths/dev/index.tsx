import { createDevApp } from '@backstage/frontend-dev-utils';
import {
  ApiBlueprint,
  createFrontendModule,
  createFrontendPlugin,
  PageBlueprint,
} from '@backstage/frontend-plugin-api';
import { ResponseError } from '@backstage/errors';
import { catalogApiRef, EntityProvider } from '@backstage/plugin-catalog-react';
import { RiFlaskLine } from '@remixicon/react';
import criticalPathsPlugin, { criticalPathsApiRef } from '../src';
import { workflowsApiRef } from '../src/api/workflowsApi';
import {
  makeIdleWorkflow,
  makeWorkflow,
  mockWorkflowsApi,
} from '../src/__testUtils__/workflows';
import { ComponentPathsContent } from '../src/components/entity/ComponentPathsContent';
import { CriticalPathCard } from '../src/components/entity/CriticalPathCard';
import { DomainPathsCard } from '../src/components/entity/DomainPathsCard';
import { HomePaths } from '../src/components/home/HomePaths';
import {
  makeBoard,
  makeComponentPaths,
  makePath,
  makeSignalBoard,
  makeTeams,
  policyApi,
  ROW_SPECS,
} from '../src/__testUtils__/fixtures';

// Add `#fail` to the address to see what happens when the backend goes away,
// `#many` to see a board of 203 paths.
function specs() {
  return window.location.hash === '#many'
    ? Array.from({ length: 29 }, (_, copy) =>
        ROW_SPECS.map(spec => ({
          ...spec,
          name: `${spec.name}-${copy}`,
          title: `${spec.title} ${copy}`,
        })),
      ).flat()
    : ROW_SPECS;
}

function answer<T>(value: T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    setTimeout(() => {
      if (window.location.hash === '#fail') {
        reject(new Error('The critical-paths backend did not answer.'));
      } else if (value === undefined) {
        ResponseError.fromResponse(
          new Response(null, { status: 404, statusText: 'Not Found' }),
        ).then(reject);
      } else {
        resolve(value);
      }
    }, 300);
  });
}

const mockedApi = ApiBlueprint.make({
  params: define =>
    define({
      api: criticalPathsApiRef,
      deps: {},
      factory: () => ({
        getBoard: ({ window: length = '24h' } = {}) =>
          answer(makeBoard({ now: Date.now(), window: length }, specs())),
        getSignalBoard: (signal, { window: length = '24h' } = {}) =>
          answer(
            makeSignalBoard(
              { now: Date.now(), window: length },
              signal,
              specs(),
            ),
          ),
        getTeams: ({ window: length = '24h' } = {}) =>
          answer(makeTeams({ now: Date.now(), window: length }, specs())),
        getCsv: () => answer('path,uptime'),
        ...policyApi(answer),
        getPath: ({ name }, { window: length = '24h' } = {}) =>
          answer(makePath({ now: Date.now(), window: length }, name)),
        getComponentPaths: ({ name }, { window: length = '24h' } = {}) =>
          answer(makeComponentPaths({ now: Date.now(), window: length }, name)),
      }),
    }),
});

const mockedWorkflows = ApiBlueprint.make({
  name: 'workflows',
  params: define =>
    define({
      api: workflowsApiRef,
      deps: {},
      factory: () =>
        mockWorkflowsApi(Date.now(), [
          makeWorkflow(Date.now()),
          makeIdleWorkflow(Date.now()),
        ]),
    }),
});

const emptyCatalog = ApiBlueprint.make({
  name: 'catalog',
  params: define =>
    define({
      api: catalogApiRef,
      deps: {},
      factory: () =>
        ({
          queryEntities: async () => ({
            items: [],
            totalItems: 0,
            pageInfo: {},
          }),
        } as unknown as typeof catalogApiRef.T),
    }),
});

function entity(kind: string, name: string) {
  return { apiVersion: 'v1', kind, metadata: { name, namespace: 'default' } };
}

const parts = PageBlueprint.make({
  name: 'parts',
  params: {
    path: '/parts',
    title: 'Parts',
    icon: <RiFlaskLine />,
    loader: async () => (
      <div
        style={{
          display: 'grid',
          gridTemplateColumns: 'minmax(0, 1fr)',
          gap: 24,
        }}
      >
        <HomePaths />
        <EntityProvider entity={entity('Component', 'ledger-service')}>
          <ComponentPathsContent />
        </EntityProvider>
        <EntityProvider entity={entity('CriticalPath', 'transaction-posting')}>
          <CriticalPathCard />
        </EntityProvider>
        <EntityProvider entity={entity('Domain', 'payments')}>
          <DomainPathsCard />
        </EntityProvider>
      </div>
    ),
  },
});

createDevApp({
  features: [
    criticalPathsPlugin,
    createFrontendModule({
      pluginId: 'critical-paths',
      extensions: [mockedApi, mockedWorkflows],
    }),
    createFrontendPlugin({ pluginId: 'parts', extensions: [parts] }),
    createFrontendPlugin({ pluginId: 'catalog', extensions: [emptyCatalog] }),
  ],
});

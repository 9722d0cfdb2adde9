import { createDevApp } from '@backstage/frontend-dev-utils';
import {
  ApiBlueprint,
  createFrontendModule,
  createFrontendPlugin,
  PageBlueprint,
} from '@backstage/frontend-plugin-api';
import { ResponseError } from '@backstage/errors';
import { EntityProvider } from '@backstage/plugin-catalog-react';
import { RiFlaskLine } from '@remixicon/react';
import criticalPathsPlugin, { criticalPathsApiRef } from '../src';
import { ComponentPathsContent } from '../src/components/entity/ComponentPathsContent';
import { CriticalPathCard } from '../src/components/entity/CriticalPathCard';
import { DomainPathsCard } from '../src/components/entity/DomainPathsCard';
import {
  makeBoard,
  makeComponentPaths,
  makePath,
} from '../src/__testUtils__/fixtures';

// Add `#fail` to the address to see what happens when the backend goes away.
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
        getBoard: ({ window: length }) =>
          answer(makeBoard({ now: Date.now(), window: length })),
        getPath: ({ name }, { window: length }) =>
          answer(makePath({ now: Date.now(), window: length }, name)),
        getComponentPaths: ({ name }, { window: length }) =>
          answer(makeComponentPaths({ now: Date.now(), window: length }, name)),
      }),
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
      <div style={{ display: 'grid', gap: 24, padding: 24 }}>
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
      extensions: [mockedApi],
    }),
    createFrontendPlugin({ pluginId: 'parts', extensions: [parts] }),
  ],
});

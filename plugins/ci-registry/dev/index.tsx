import { createDevApp } from '@backstage/frontend-dev-utils';
import {
  ApiBlueprint,
  createFrontendModule,
  createFrontendPlugin,
  PageBlueprint,
} from '@backstage/frontend-plugin-api';
import { catalogApiRef, EntityProvider } from '@backstage/plugin-catalog-react';
import { catalogApiMock } from '@backstage/plugin-catalog-react/testUtils';
import { RiFlaskLine } from '@remixicon/react';
import type { ReactNode } from 'react';
import ciRegistryPlugin, { ciRegistryApiRef } from '../src';
import { emptyApi, fixtureApi } from '../src/__testUtils__/api';
import { ApiVersionsContent } from '../src/components/entity/ApiVersionsContent';
import { ComponentDeliveryContent } from '../src/components/entity/ComponentDeliveryContent';
import { FreshnessCard } from '../src/components/entity/FreshnessCard';
import { SystemDeliveryContent } from '../src/components/entity/SystemDeliveryContent';
import { HistoryContent } from '../src/components/history/HistoryContent';

// Add `#fail` to the address to see what happens when the backend goes away,
// `#empty` to see a registry that nothing was pushed to.
function currentApi() {
  const at = { now: Date.now() };
  return window.location.hash === '#empty'
    ? emptyApi(at)
    : fixtureApi(
        at,
        value =>
          new Promise((resolve, reject) => {
            setTimeout(
              () =>
                window.location.hash === '#fail'
                  ? reject(new Error('The CI registry did not answer.'))
                  : resolve(value),
              300,
            );
          }),
      );
}

const mockedApi = ApiBlueprint.make({
  params: define =>
    define({ api: ciRegistryApiRef, deps: {}, factory: currentApi }),
});

const mockedCatalog = ApiBlueprint.make({
  name: 'catalog',
  params: define =>
    define({
      api: catalogApiRef,
      deps: {},
      factory: () => catalogApiMock(),
    }),
});

function part(name: string, kind: string, entity: string, content: ReactNode) {
  return PageBlueprint.make({
    name,
    params: {
      path: `/${name}`,
      title: name,
      icon: <RiFlaskLine />,
      loader: async () => (
        <EntityProvider
          entity={{
            apiVersion: 'v1',
            kind,
            metadata: {
              name: entity,
              namespace: 'default',
              annotations: { 'rocket.internal/runtime': 'local' },
            },
          }}
        >
          <div style={{ padding: 24 }}>{content}</div>
        </EntityProvider>
      ),
    },
  });
}

createDevApp({
  features: [
    ciRegistryPlugin,
    createFrontendModule({ pluginId: 'ci-registry', extensions: [mockedApi] }),
    createFrontendPlugin({
      pluginId: 'parts',
      extensions: [
        part(
          'component',
          'Component',
          'ledger-service',
          <ComponentDeliveryContent />,
        ),
        part('system', 'System', 'ledger', <SystemDeliveryContent />),
        part('history', 'Component', 'ledger-service', <HistoryContent />),
        part('api', 'API', 'ledger-api', <ApiVersionsContent />),
        part('card', 'Component', 'ledger-service', <FreshnessCard />),
      ],
    }),
    createFrontendPlugin({
      pluginId: 'catalog',
      extensions: [mockedCatalog],
    }),
  ],
});

import {
  ApiBlueprint,
  createFrontendPlugin,
  fetchApiRef,
  PageBlueprint,
} from '@backstage/frontend-plugin-api';
import type { FilterPredicate } from '@backstage/filter-predicates';
import {
  EntityCardBlueprint,
  EntityContentBlueprint,
} from '@backstage/plugin-catalog-react/alpha';
import {
  RiGitCommitLine,
  RiHistoryLine,
  RiRocket2Line,
} from '@remixicon/react';
import {
  ANNOTATION_SOURCE_REPOSITORY,
  CiRegistryClient,
} from '@rocket/plugin-ci-registry-common';
import { ciRegistryApiRef } from './api/CiRegistryApi';
import { rootRouteRef } from './routes';

const PAGE_PATH = '/delivery';

/** What pipelines push, and what they should. */
const PUSHED: FilterPredicate = {
  $any: [
    { kind: 'component' },
    {
      [`metadata.annotations.${ANNOTATION_SOURCE_REPOSITORY}`]: {
        $exists: true,
      },
    },
  ],
};

const api = ApiBlueprint.make({
  params: define =>
    define({
      api: ciRegistryApiRef,
      deps: { fetchApi: fetchApiRef },
      // The `plugin:` scheme brings address and sign-in.
      factory: ({ fetchApi }) =>
        new CiRegistryClient({ fetchApi, baseUrl: 'plugin://ci-registry' }),
    }),
});

const loadPage = () => import('./components/delivery/DeliveryPage');

// Whoever opens the portal here gets the code of the page while they are being signed in, not after.
if (globalThis.location?.pathname.endsWith(PAGE_PATH)) {
  loadPage().catch(() => {
    // The page's own attempt will tell.
  });
}

const page = PageBlueprint.make({
  params: {
    path: PAGE_PATH,
    title: 'Delivery',
    icon: <RiRocket2Line />,
    routeRef: rootRouteRef,
    loader: () => loadPage().then(m => <m.DeliveryPage />),
  },
});

const componentDelivery = EntityContentBlueprint.make({
  name: 'delivery',
  params: {
    path: '/delivery',
    title: 'Delivery',
    icon: <RiRocket2Line />,
    filter: { kind: 'component' },
    loader: () =>
      import('./components/entity/ComponentDeliveryContent').then(m => (
        <m.ComponentDeliveryContent />
      )),
  },
});

const systemDelivery = EntityContentBlueprint.make({
  name: 'system-delivery',
  params: {
    path: '/delivery',
    title: 'Delivery',
    icon: <RiRocket2Line />,
    filter: { kind: 'system' },
    loader: () =>
      import('./components/entity/SystemDeliveryContent').then(m => (
        <m.SystemDeliveryContent />
      )),
  },
});

const history = EntityContentBlueprint.make({
  name: 'history',
  params: {
    path: '/history',
    title: 'History',
    icon: <RiHistoryLine />,
    filter: PUSHED,
    loader: () =>
      import('./components/history/HistoryContent').then(m => (
        <m.HistoryContent />
      )),
  },
});

const apiVersions = EntityContentBlueprint.make({
  name: 'api-versions',
  params: {
    path: '/versions',
    title: 'Versions',
    icon: <RiGitCommitLine />,
    filter: { kind: 'api' },
    loader: () =>
      import('./components/entity/ApiVersionsContent').then(m => (
        <m.ApiVersionsContent />
      )),
  },
});

const freshness = EntityCardBlueprint.make({
  name: 'freshness',
  params: {
    type: 'info',
    filter: PUSHED,
    loader: () =>
      import('./components/entity/FreshnessCard').then(m => (
        <m.FreshnessCard />
      )),
  },
});

/** What pipelines pushed: what runs where, how fast it came there, and how true the catalog is. */
export const ciRegistryPlugin = createFrontendPlugin({
  pluginId: 'ci-registry',
  title: 'Delivery',
  icon: <RiRocket2Line />,
  info: { packageJson: () => import('../package.json') },
  routes: { root: rootRouteRef },
  extensions: [
    api,
    page,
    componentDelivery,
    systemDelivery,
    history,
    apiVersions,
    freshness,
  ],
});

import {
  ApiBlueprint,
  AppRootElementBlueprint,
  createFrontendPlugin,
  fetchApiRef,
  PageBlueprint,
} from '@backstage/frontend-plugin-api';
import {
  EntityCardBlueprint,
  EntityContentBlueprint,
} from '@backstage/plugin-catalog-react/alpha';
import { HomePageWidgetBlueprint } from '@backstage/plugin-home-react/alpha';
import { RiRouteLine } from '@remixicon/react';
import { CriticalPathsClient } from '@rocket/plugin-critical-paths-common';
import { criticalPathsApiRef } from './api/CriticalPathsApi';
import { BOARD_PATH, EarlyBoard } from './components/EarlyBoard';
import { HomeCard } from './components/home/HomeCard';
import { workflowsApiRef } from './api/workflowsApi';
import { pathRouteRef, rootRouteRef } from './routes';

const api = ApiBlueprint.make({
  params: define =>
    define({
      api: criticalPathsApiRef,
      deps: { fetchApi: fetchApiRef },
      // The `plugin:` scheme brings address and sign-in.
      factory: ({ fetchApi }) =>
        new CriticalPathsClient({
          fetchApi,
          baseUrl: 'plugin://critical-paths',
        }),
    }),
});

const workflowsApi = ApiBlueprint.make({
  name: 'workflows',
  params: define =>
    define({
      api: workflowsApiRef,
      deps: { fetchApi: fetchApiRef },
      factory: ({ fetchApi }) =>
        new CriticalPathsClient({
          fetchApi,
          baseUrl: 'plugin://critical-paths',
        }),
    }),
});

const loadPages = () => import('./components/CriticalPathsPages');

// Whoever opens the portal here gets the code of the page while they are being signed in, not after.
if (globalThis.location?.pathname.includes(BOARD_PATH)) {
  loadPages().catch(() => {
    // The page's own attempt will tell.
  });
}

const pages = PageBlueprint.make({
  params: {
    path: BOARD_PATH,
    title: 'Critical paths',
    icon: <RiRouteLine />,
    routeRef: rootRouteRef,
    loader: () => loadPages().then(m => <m.CriticalPathsPages />),
  },
});

const earlyBoard = AppRootElementBlueprint.make({
  name: 'early-board',
  params: { element: <EarlyBoard /> },
});

const componentPaths = EntityContentBlueprint.make({
  name: 'component',
  params: {
    path: '/critical-paths',
    title: 'Critical paths',
    group: 'observability',
    icon: <RiRouteLine />,
    filter: { kind: 'component' },
    loader: () =>
      import('./components/entity/ComponentPathsContent').then(m => (
        <m.ComponentPathsContent />
      )),
  },
});

const pathSummary = EntityCardBlueprint.make({
  name: 'path-summary',
  params: {
    type: 'content',
    filter: { kind: 'criticalpath' },
    loader: () =>
      import('./components/entity/CriticalPathCard').then(m => (
        <m.CriticalPathCard />
      )),
  },
});

const domainPaths = EntityCardBlueprint.make({
  name: 'domain-paths',
  params: {
    type: 'content',
    filter: { kind: 'domain' },
    loader: () =>
      import('./components/entity/DomainPathsCard').then(m => (
        <m.DomainPathsCard />
      )),
  },
});

const homePaths = HomePageWidgetBlueprint.make({
  name: 'critical-paths',
  params: {
    name: 'RocketCriticalPaths',
    title: 'Your critical paths',
    description:
      'State and golden signals of the critical paths that you and your groups are part of.',
    layout: { width: { minColumns: 6 }, height: { minRows: 4 } },
    components: () =>
      import('./components/home/HomePaths').then(m => ({
        Content: m.HomePaths,
      })),
    // The card of Backstage UI, as the other cards of the page have it.
    componentProps: { Renderer: HomeCard },
  },
});

/** Critical paths: the board, the path pages, and what they add to the catalog and the home page. */
export const criticalPathsPlugin = createFrontendPlugin({
  pluginId: 'critical-paths',
  title: 'Critical paths',
  icon: <RiRouteLine />,
  info: { packageJson: () => import('../package.json') },
  routes: { root: rootRouteRef, path: pathRouteRef },
  extensions: [
    api,
    workflowsApi,
    pages,
    earlyBoard,
    componentPaths,
    pathSummary,
    domainPaths,
    homePaths,
  ],
});

import {
  ApiBlueprint,
  createFrontendPlugin,
  fetchApiRef,
  PageBlueprint,
} from '@backstage/frontend-plugin-api';
import { EntityContentBlueprint } from '@backstage/plugin-catalog-react/alpha';
import { FormFieldBlueprint } from '@backstage/plugin-scaffolder-react/alpha';
import { RiServerLine, RiStackLine } from '@remixicon/react';
import {
  ANNOTATION_RUNTIME,
  RUNTIME_LOCAL,
} from '@rocket/plugin-provisioning-common';
import { provisioningApiRef } from './api/ProvisioningApi';
import { ProvisioningClient } from './api/ProvisioningClient';
import { rootRouteRef } from './routes';

const provisioningApi = ApiBlueprint.make({
  params: define =>
    define({
      api: provisioningApiRef,
      deps: { fetchApi: fetchApiRef },
      factory: ({ fetchApi }) => new ProvisioningClient({ fetchApi }),
    }),
});

const serviceNameFormField = FormFieldBlueprint.make({
  name: 'service-name',
  params: {
    field: () =>
      import('./fields/serviceName/field').then(m => m.serviceNameField),
  },
});

const criticalPathStepFormField = FormFieldBlueprint.make({
  name: 'critical-path-step',
  params: {
    field: () =>
      import('./fields/criticalPathStep/field').then(
        m => m.criticalPathStepField,
      ),
  },
});

const runtimeContent = EntityContentBlueprint.make({
  name: 'runtime',
  params: {
    path: '/runtime',
    title: 'Runtime',
    group: 'operation',
    icon: <RiServerLine />,
    filter: {
      kind: 'component',
      [`metadata.annotations.${ANNOTATION_RUNTIME}`]: RUNTIME_LOCAL,
    },
    loader: () =>
      import('./runtime/RuntimeContent').then(m => <m.RuntimeContent />),
  },
});

const resourcesContent = EntityContentBlueprint.make({
  name: 'resources',
  params: {
    path: '/resources',
    title: 'Resources',
    group: 'operation',
    icon: <RiStackLine />,
    filter: { kind: 'component' },
    loader: () =>
      import('./resources/ResourcesContent').then(m => <m.ResourcesContent />),
  },
});

const page = PageBlueprint.make({
  params: {
    path: '/environments',
    title: 'Environments',
    icon: <RiStackLine />,
    routeRef: rootRouteRef,
    loader: () =>
      import('./page/ProvisioningPage').then(m => <m.ProvisioningPage />),
  },
});

/** Form fields of the golden templates; what they made, where it runs, and what can be done with it. */
export const provisioningPlugin = createFrontendPlugin({
  pluginId: 'provisioning',
  title: 'Provisioning',
  icon: <RiServerLine />,
  routes: { root: rootRouteRef },
  info: { packageJson: () => import('../package.json') },
  extensions: [
    provisioningApi,
    serviceNameFormField,
    criticalPathStepFormField,
    runtimeContent,
    resourcesContent,
    page,
  ],
});

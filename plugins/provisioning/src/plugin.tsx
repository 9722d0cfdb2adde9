import {
  ApiBlueprint,
  createFrontendPlugin,
  fetchApiRef,
} from '@backstage/frontend-plugin-api';
import { EntityContentBlueprint } from '@backstage/plugin-catalog-react/alpha';
import { FormFieldBlueprint } from '@backstage/plugin-scaffolder-react/alpha';
import { RiServerLine } from '@remixicon/react';
import {
  ANNOTATION_RUNTIME,
  RUNTIME_LOCAL,
} from '@rocket/plugin-provisioning-common';
import { provisioningApiRef } from './api/ProvisioningApi';
import { ProvisioningClient } from './api/ProvisioningClient';

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

/** Form fields of the golden templates, and the Runtime tab of what they made. */
export const provisioningPlugin = createFrontendPlugin({
  pluginId: 'provisioning',
  title: 'Provisioning',
  icon: <RiServerLine />,
  info: { packageJson: () => import('../package.json') },
  extensions: [
    provisioningApi,
    serviceNameFormField,
    criticalPathStepFormField,
    runtimeContent,
  ],
});

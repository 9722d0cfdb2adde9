import { makeFieldSchema } from '@backstage/plugin-scaffolder-react';
import { createFormField } from '@backstage/plugin-scaffolder-react/alpha';
import { ServiceNameField } from './ServiceNameField';
import { validateServiceName } from './rules';

/** `ui:field: RocketServiceName`; the value is the name. */
export const serviceNameField = createFormField({
  name: 'RocketServiceName',
  component: ServiceNameField,
  validation: validateServiceName,
  schema: makeFieldSchema({ output: z => z.string() }),
});

import {
  createExtensionTester,
  renderInTestApp,
} from '@backstage/frontend-test-utils';
import {
  FormFieldBlueprint,
  Stepper,
  type StepperProps,
} from '@backstage/plugin-scaffolder-react/alpha';
import provisioningPlugin from '..';

type Options = NonNullable<Parameters<typeof renderInTestApp>[1]>;

/** Renders one page of a template's form with the plugin's fields, as the scaffolder does. */
export async function renderForm(options: {
  properties: Record<string, object>;
  required?: string[];
  theme: 'bui' | 'mui';
  apis: Options['apis'];
}) {
  const ids = [
    'scaffolder-form-field:provisioning/service-name',
    'scaffolder-form-field:provisioning/critical-path-step',
  ] as const;
  const extensions = await Promise.all(
    ids.map(id =>
      createExtensionTester(provisioningPlugin.getExtension(id)).get(
        FormFieldBlueprint.dataRefs.formFieldLoader,
      )(),
    ),
  );
  // The form scrolls to its top; jsdom has nothing to scroll.
  window.scrollTo = () => {};
  const created: Record<string, unknown>[] = [];
  renderInTestApp(
    <Stepper
      manifest={{
        title: 'A template',
        steps: [
          {
            title: 'The service',
            schema: {
              type: 'object',
              required: options.required ?? [],
              properties: options.properties as never,
            },
          },
        ],
      }}
      extensions={extensions as unknown as StepperProps['extensions']}
      formProps={{ EXPERIMENTAL_theme: options.theme }}
      onCreate={async values => {
        created.push(values);
      }}
    />,
    { apis: options.apis },
  );
  return created;
}

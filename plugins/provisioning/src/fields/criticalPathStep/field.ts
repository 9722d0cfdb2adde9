import { makeFieldSchema } from '@backstage/plugin-scaffolder-react';
import { createFormField } from '@backstage/plugin-scaffolder-react/alpha';
import { CriticalPathStepField } from './CriticalPathStepField';
import { validateCriticalPathStep } from './rules';

/** `ui:field: RocketCriticalPathStep`; the value is `{ criticalPath, step }`. */
export const criticalPathStepField = createFormField({
  name: 'RocketCriticalPathStep',
  component: CriticalPathStepField,
  validation: validateCriticalPathStep,
  schema: makeFieldSchema({
    output: z =>
      z.object({
        criticalPath: z
          .string()
          .optional()
          .describe('Entity ref of the critical path'),
        step: z.string().optional().describe('Name of the step'),
      }),
    uiOptions: z =>
      z.object({
        businessModelField: z
          .string()
          .optional()
          .describe(
            'Name of the form field that holds a Domain; only its paths are offered. Default: businessModel',
          ),
      }),
  }),
});

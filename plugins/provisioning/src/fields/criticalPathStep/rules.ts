import { parseEntityRef, stringifyEntityRef } from '@backstage/catalog-model';
import type { ApiHolder } from '@backstage/frontend-plugin-api';
import { catalogApiRef } from '@backstage/plugin-catalog-react';
import { parseCriticalPath } from '@rocket/plugin-critical-paths-common';
import type { FieldErrors } from '../FieldErrors';

/** Value of the field. */
export type CriticalPathStepValue = {
  /** Entity ref, for example `criticalpath:default/transaction-posting`. */
  criticalPath?: string;
  /** Name of the step, for example `post`. */
  step?: string;
};

export type CriticalPathStepOptions = {
  /** Name of the form field that holds a Domain. Default: `businessModel`. */
  businessModelField?: string;
};

/** The business model chosen elsewhere in the form, as a full entity ref. */
export function chosenBusinessModel(
  formData: unknown,
  options: CriticalPathStepOptions | undefined,
): string | undefined {
  const key = options?.businessModelField ?? 'businessModel';
  const value =
    formData && typeof formData === 'object'
      ? (formData as Record<string, unknown>)[key]
      : undefined;
  if (typeof value !== 'string' || !value) {
    return undefined;
  }
  try {
    return stringifyEntityRef(
      parseEntityRef(value, {
        defaultKind: 'domain',
        defaultNamespace: 'default',
      }),
    );
  } catch {
    return undefined;
  }
}

/** Checks the choice against the catalog once more when the reader goes on. */
export async function validateCriticalPathStep(
  value: CriticalPathStepValue | undefined,
  field: FieldErrors,
  context: {
    apiHolder: ApiHolder;
    formData?: unknown;
    uiSchema?: { 'ui:options'?: CriticalPathStepOptions };
  },
): Promise<void> {
  if (!value?.criticalPath) {
    // Whether it may be left out is for the template's "required" to say.
    return;
  }
  if (!value.step) {
    field.addError('Choose the step that the service serves');
    return;
  }
  const catalog = context.apiHolder.get(catalogApiRef);
  if (!catalog) {
    return;
  }
  try {
    const entity = await catalog.getEntityByRef(value.criticalPath);
    if (!entity) {
      field.addError(
        `${value.criticalPath} is no longer in the catalog; choose another path`,
      );
      return;
    }
    const path = parseCriticalPath(entity);
    const names = path.steps.map(step => step.name);
    if (!names.includes(value.step)) {
      field.addError(
        `${path.title} has no step "${value.step}"; it has ${names.join(', ')}`,
      );
    }
    const model = chosenBusinessModel(
      context.formData,
      context.uiSchema?.['ui:options'],
    );
    if (model && path.businessModel !== model) {
      field.addError(
        `${path.title} belongs to ${path.businessModel}, not to the chosen ${model}`,
      );
    }
  } catch (error) {
    field.addError(
      `The critical path could not be checked: ${(error as Error).message}`,
    );
  }
}

import type { ApiHolder } from '@backstage/frontend-plugin-api';
import { SERVICE_NAME_PATTERN } from '@rocket/plugin-provisioning-common';
import { provisioningApiRef } from '../../api/ProvisioningApi';
import type { FieldErrors } from '../FieldErrors';

/** Why a text cannot be a service name; undefined when it can. */
export function explainServiceName(name: string): string | undefined {
  if (SERVICE_NAME_PATTERN.test(name)) {
    return undefined;
  }
  if (name.length < 3) {
    return 'Use at least 3 characters';
  }
  if (name.length > 63) {
    return `Use at most 63 characters; these are ${name.length}`;
  }
  if (/[A-Z]/.test(name)) {
    return 'Use small letters only';
  }
  if (!/^[a-z]/.test(name)) {
    return 'Begin with a letter';
  }
  const wrong = /[^a-z0-9-]/.exec(name);
  if (wrong) {
    return `Use small letters, digits and hyphens only, not ${
      /\s/.test(wrong[0]) ? 'spaces' : `"${wrong[0]}"`
    }`;
  }
  return 'End with a letter or a digit';
}

/** Asks the backend once more when the reader goes on. */
export async function validateServiceName(
  name: string,
  field: FieldErrors,
  context: { apiHolder: ApiHolder },
): Promise<void> {
  const problem = explainServiceName(name ?? '');
  if (problem) {
    field.addError(problem);
    return;
  }
  try {
    const answer = await context.apiHolder
      .get(provisioningApiRef)
      ?.checkName(name);
    if (answer && !answer.available) {
      field.addError(takenText(name, answer.reason));
    }
  } catch (error) {
    field.addError(
      `Whether "${name}" is free could not be checked: ${
        (error as Error).message
      }`,
    );
  }
}

export function takenText(name: string, reason: string | undefined): string {
  return `"${name}" is taken${reason ? `: ${reason}` : ''}`;
}

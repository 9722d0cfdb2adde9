import { InputError } from '@backstage/errors';
import { SERVICE_NAME_PATTERN } from '@rocket/plugin-provisioning-common';

/** The one gate between a name from outside and a path, database or process. */
export function assertServiceName(name: unknown, field = 'name'): string {
  if (typeof name !== 'string' || !SERVICE_NAME_PATTERN.test(name)) {
    throw new InputError(
      `${field}: must be 3 to 63 lower-case letters, digits and dashes, begin with a letter and end with a letter or digit`,
    );
  }
  return name;
}

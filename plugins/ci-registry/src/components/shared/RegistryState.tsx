import { ciRegistryReadPermission } from '@rocket/plugin-ci-registry-common';
import { ReadingState, type ReadingStateProps } from '@rocket/rocket-react';

/** What is wrong with a reading of the registry, and a placeholder while there is none. */
export function RegistryState(
  props: Omit<ReadingStateProps, 'permission'> & { permission?: string },
) {
  return <ReadingState permission={ciRegistryReadPermission.name} {...props} />;
}

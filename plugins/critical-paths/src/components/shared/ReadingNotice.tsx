import { criticalPathsReadPermission } from '@rocket/plugin-critical-paths-common';
import { ReadingNotice as Notice, type Reading } from '@rocket/rocket-react';

/** Says that figures could not be read or are old, and nothing while they can be trusted. */
export function ReadingNotice({ reading }: { reading: Reading<unknown> }) {
  return (
    <Notice reading={reading} permission={criticalPathsReadPermission.name} />
  );
}

import type { RootConfigService } from '@backstage/backend-plugin-api';
import type { ApprovalRules } from '../operations/OperationService';
import type { EnvironmentDirectory } from './EnvironmentDirectory';
import { readEnvironmentSettings } from './settings';

/** The environments that there are, and what each wants before something in it changes. */
export function setUpEnvironments(deps: { config: RootConfigService }): {
  directory: EnvironmentDirectory;
  rules: ApprovalRules;
} {
  const { configured } = readEnvironmentSettings(deps.config);
  return {
    directory: { find: async name => configured.get(name) },
    rules: name => configured.get(name)?.approval,
  };
}

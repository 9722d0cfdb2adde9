import type { AuthService } from '@backstage/backend-plugin-api';
import type { CiRegistryService } from '@rocket/plugin-ci-registry-node';
import type { EnvironmentDirectory } from '../environments/EnvironmentDirectory';
import type { EffectLedger } from '../effects/EffectLedger';
import type { GitHost } from '../git/GitHost';
import type { ServiceManager } from '../service/ServiceManager';
import type { ServiceStore } from '../service/ServiceStore';
import type { OperationHandler } from './OperationHandler';
import { ServiceImages } from './ServiceImages';
import { RotateHandler, ScaleHandler } from './dayTwoKinds';
import {
  DeployHandler,
  RollbackHandler,
  type ServiceKindDeps,
} from './serviceKinds';
import { ServiceTargets } from './ServiceTargets';

/** Everything that is done to a service that runs, and what its kinds share. */
export function createServiceKinds(deps: {
  auth: AuthService;
  registry: Pick<CiRegistryService, 'listBuilds'>;
  ledger: EffectLedger;
  host: GitHost;
  manager: ServiceManager;
  services: ServiceStore;
  environments: EnvironmentDirectory;
}): { kinds: ServiceKindDeps; handlers: OperationHandler[] } {
  const { ledger, host } = deps;
  const kinds = {
    targets: new ServiceTargets(deps),
    services: deps.manager,
    images: new ServiceImages(deps),
    ledger,
    host,
  };
  return {
    kinds,
    handlers: [
      new DeployHandler(kinds),
      new RollbackHandler(kinds),
      new ScaleHandler(kinds),
      new RotateHandler(kinds),
    ],
  };
}

import {
  coreServices,
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';
import type { CriticalPathsService } from './criticalPathsService';
import { HttpCriticalPathsService } from './HttpCriticalPathsService';

/** Critical paths for other backend plugins: over HTTP, so the two may run in different processes. */
export const criticalPathsServiceRef = createServiceRef<CriticalPathsService>({
  id: 'rocket.critical-paths',
  defaultFactory: async service =>
    createServiceFactory({
      service,
      deps: { auth: coreServices.auth, discovery: coreServices.discovery },
      factory: deps => new HttpCriticalPathsService(deps),
    }),
});

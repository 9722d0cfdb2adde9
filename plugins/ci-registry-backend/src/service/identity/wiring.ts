import type {
  AuditorService,
  DatabaseService,
  HttpAuthService,
  HttpRouterService,
  LoggerService,
  PermissionsService,
  RootConfigService,
  SchedulerService,
} from '@backstage/backend-plugin-api';
import type express from 'express';
import { readIdentityConfig } from './config';
import { DatabaseIdentityStore } from './DatabaseIdentityStore';
import { createDecisionsRouter } from './decisionsRouter';
import { PipelineAuthenticator } from './PipelineAuthenticator';

/**
 * Routes that take tokens which Backstage does not know. Each of them asks `PipelineAuthenticator` itself: nobody else stands
 * before them.
 */
export const PIPELINE_PATHS = ['/pushes', '/validate', '/entities'];

/** Call it after the migrations. */
export async function createPipelineIdentity(options: {
  config: RootConfigService;
  database: DatabaseService;
  httpAuth: HttpAuthService;
  httpRouter: HttpRouterService;
  permissions: PermissionsService;
  auditor: AuditorService;
  logger: LoggerService;
  scheduler: SchedulerService;
}): Promise<{ authenticator: PipelineAuthenticator; router: express.Router }> {
  const store = new DatabaseIdentityStore(await options.database.getClient());
  const authenticator = new PipelineAuthenticator({
    ...options,
    settings: readIdentityConfig(options.config),
    store,
  });
  for (const path of PIPELINE_PATHS) {
    options.httpRouter.addAuthPolicy({ path, allow: 'unauthenticated' });
  }
  await options.scheduler.scheduleTask({
    id: 'ci-registry-prune-decisions',
    scope: 'global',
    frequency: { hours: 1 },
    timeout: { minutes: 10 },
    initialDelay: { minutes: 1 },
    fn: () => authenticator.prune(),
  });
  return {
    authenticator,
    router: createDecisionsRouter({ ...options, store }),
  };
}

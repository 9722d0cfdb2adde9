import type {
  AuditorService,
  AuthService,
  DatabaseService,
  HttpAuthService,
  LifecycleService,
  LoggerService,
  PermissionsService,
  RootConfigService,
  SchedulerService,
} from '@backstage/backend-plugin-api';
import type { NotificationService } from '@backstage/plugin-notifications-node';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import type { Router } from 'express';
import type { PathDirectory } from '../service/PathDirectory';
import type { WorkflowReader } from '../service/WorkflowReader';
import type { PolicyStore } from '../store/PolicyStore';
import { DatabaseWorkflowStore } from './DatabaseWorkflowStore';
import { createWorkflowRouter } from './router';
import { scheduleWorkflows } from './schedule';
import { readWorkflowSettings } from './settings';
import { StoredWorkflowReader } from './summaries';
import { TargetResolver } from './TargetResolver';
import { WorkflowCycle, type DowntimeReader } from './WorkflowCycle';
import { WorkflowExecutor } from './WorkflowExecutor';
import { WorkflowNotifier } from './WorkflowNotifier';
import { WorkflowService } from './WorkflowService';

/** Downtime that goes on, from what people declared. */
function downtimeOf(
  policy: Pick<PolicyStore, 'listMaintenance'>,
): DowntimeReader {
  return async (pathRef, now) => {
    const minute = Math.floor(now / 60_000);
    const [window] = await policy.listMaintenance({
      pathRef,
      from: minute,
      to: minute + 1,
    });
    return (
      window && {
        to: new Date(window.to * 60_000).toISOString(),
        reason: window.reason,
      }
    );
  };
}

/** Puts together what runs, keeps and serves synthetic workflows; the plugin's migrations must have run. */
export async function setUpWorkflows(deps: {
  config: RootConfigService;
  database: DatabaseService;
  directory: PathDirectory;
  policy: Pick<PolicyStore, 'listMaintenance'>;
  provisioning: Pick<ProvisioningService, 'getService'>;
  notifications: NotificationService;
  auditor: AuditorService;
  auth: AuthService;
  httpAuth: HttpAuthService;
  lifecycle: LifecycleService;
  logger: LoggerService;
  permissions: PermissionsService;
  scheduler: SchedulerService;
}): Promise<{ reader: WorkflowReader; router: Router }> {
  const { directory, logger } = deps;
  const settings = readWorkflowSettings(deps.config);
  const store = await DatabaseWorkflowStore.create(deps);
  const targets = new TargetResolver({ ...deps, settings });
  const executor = new WorkflowExecutor({
    store,
    targets,
    notifier: new WorkflowNotifier({ ...deps, store, settings }),
    settings,
    logger,
  });
  const cycle = new WorkflowCycle({
    store,
    directory,
    executor,
    settings,
    downtime: downtimeOf(deps.policy),
    logger,
  });
  await scheduleWorkflows({ ...deps, cycle, store, settings });
  deps.lifecycle.addShutdownHook(() => executor.stop());
  return {
    reader: new StoredWorkflowReader({ store, directory }),
    router: createWorkflowRouter({
      ...deps,
      workflows: new WorkflowService({
        store,
        directory,
        executor,
        targets,
        settings,
      }),
    }),
  };
}

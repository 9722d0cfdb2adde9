import type {
  AuditorService,
  AuthService,
  HttpAuthService,
  LifecycleService,
  LoggerService,
  SchedulerService,
  UserInfoService,
} from '@backstage/backend-plugin-api';
import type { NotificationService } from '@backstage/plugin-notifications-node';
import type { OperationKind } from '@rocket/plugin-provisioning-common';
import type { Knex } from 'knex';
import type { Access } from '../service/Access';
import type { EffectLedger } from '../effects/EffectLedger';
import { Approvers } from './Approvers';
import { DatabaseOperationStore } from './DatabaseOperationStore';
import { OperationEngine } from './OperationEngine';
import type { OperationHandler } from './OperationHandler';
import { OperationNotifier } from './OperationNotifier';
import type { ApprovalRules } from './OperationPlanner';
import { OperationService } from './OperationService';
import { RetentionSweeper } from './RetentionSweeper';

/** Puts together what plans, keeps and carries out operations; the plugin's migrations must have run. */
export async function setUpOperations(deps: {
  db: Knex;
  ledger: EffectLedger;
  handlers: OperationHandler[];
  rules: ApprovalRules;
  access: Access;
  auditor: AuditorService;
  auth: AuthService;
  httpAuth: HttpAuthService;
  lifecycle: LifecycleService;
  logger: LoggerService;
  notifications: NotificationService;
  scheduler: SchedulerService;
  userInfo: UserInfoService;
}) {
  const { db, lifecycle, scheduler } = deps;
  const store = new DatabaseOperationStore(db);
  const handlers = new Map<OperationKind, OperationHandler>(
    deps.handlers.map(handler => [handler.kind, handler]),
  );
  const notifier = new OperationNotifier({ ...deps, store });
  const engine = new OperationEngine({
    ...deps,
    store,
    handlers,
    ended: () => void notifier.tell(),
  });
  const operations = new OperationService({
    ...deps,
    store,
    handlers,
    approvers: new Approvers(deps),
    changed: () => {
      void engine.look();
      void notifier.tell();
    },
  });
  const retention = new RetentionSweeper(deps);

  lifecycle.addShutdownHook(() => engine.stop());
  await scheduler.scheduleTask({
    id: 'provisioning-operations',
    // Each backend looks for itself: the lease says who carries it out.
    scope: 'local',
    frequency: { seconds: 5 },
    timeout: { minutes: 1 },
    initialDelay: { seconds: 2 },
    fn: async () => {
      await engine.look();
      await notifier.tell();
      await operations.expire();
    },
  });
  await scheduler.scheduleTask({
    id: 'provisioning-retention',
    scope: 'global',
    frequency: { minutes: 15 },
    timeout: { minutes: 10 },
    initialDelay: { minutes: 1 },
    fn: signal => retention.sweep(signal),
  });
  return { operations, store, engine };
}

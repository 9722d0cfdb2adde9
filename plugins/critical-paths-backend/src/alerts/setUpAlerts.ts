import type {
  AuditorService,
  DatabaseService,
  HttpAuthService,
  LoggerService,
  PermissionsService,
  RootConfigService,
  SchedulerService,
} from '@backstage/backend-plugin-api';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import type { NotificationService } from '@backstage/plugin-notifications-node';
import type express from 'express';
import type { BudgetService } from '../service/BudgetService';
import type { PathService } from '../service/PathService';
import type { StoredSignals } from '../service/StoredSignals';
import { AlertService } from './AlertService';
import { DatabaseAlertStore } from './AlertStore';
import { createAlertRouter } from './router';
import { readAlertSettings } from './settings';

/** Wires alerting and the gate: one look at all paths per minute, by one replica, and the routes. */
export async function setUpAlerts(options: {
  auditor: AuditorService;
  budgets: BudgetService;
  catalog: CatalogService;
  config: RootConfigService;
  database: DatabaseService;
  httpAuth: HttpAuthService;
  logger: LoggerService;
  notifications: NotificationService;
  permissions: PermissionsService;
  scheduler: SchedulerService;
  service: PathService;
  signals: StoredSignals;
  /** How long closed alerts are kept, minutes. */
  retentionMinutes: number;
}): Promise<express.Router> {
  const { budgets, logger, signals } = options;
  const settings = readAlertSettings(options.config);
  const store = await DatabaseAlertStore.create(options);
  const alerts = new AlertService({
    budgets,
    store,
    notifications: options.notifications,
    settings,
    logger,
    inMaintenance: pathRef => {
      const minute = Math.floor(Date.now() / 60_000);
      return signals
        .downtime(pathRef)
        .some(([from, to]) => from <= minute && minute < to);
    },
  });
  if (settings.enabled) {
    await options.scheduler.scheduleTask({
      id: 'critical-paths-alerts',
      scope: 'global',
      frequency: { minutes: 1 },
      timeout: { minutes: 5 },
      initialDelay: { seconds: 45 },
      fn: async () => {
        const report = await alerts.evaluate();
        logger.debug(
          `Error budgets: ${report.open} alerts open, ${report.told} told, ${report.untold} could not be told`,
        );
        await store.prune(
          Math.floor(Date.now() / 1000) - options.retentionMinutes * 60,
        );
      },
    });
  }
  return createAlertRouter({ ...options, alerts: store, settings });
}

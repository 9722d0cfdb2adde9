import type {
  LoggerService,
  RootConfigService,
  SchedulerService,
} from '@backstage/backend-plugin-api';
import type { NotificationService } from '@backstage/plugin-notifications-node';
import type { Knex } from 'knex';
import type { EffectLedger } from '../effects/EffectLedger';
import type { OperationHandler } from '../operations/OperationHandler';
import type { ApprovalRules } from '../operations/OperationPlanner';
import type { OperationService } from '../operations/OperationService';
import type { Access } from '../service/Access';
import { DatabaseEnvironmentStore } from './DatabaseEnvironmentStore';
import { DeleteEnvironmentHandler } from './DeleteEnvironmentHandler';
import {
  CreateEnvironmentHandler,
  type EnvironmentKindDeps,
} from './environmentKinds';
import { EnvironmentService } from './EnvironmentService';
import { EnvironmentSweeper } from './EnvironmentSweeper';
import { findProtectedPlaces } from './protectedPlaces';
import { LOCAL, readEnvironmentSettings } from './settings';

/** The environments that there are, what each wants before something in it changes, and who looks after those on demand. */
export function setUpEnvironments(deps: {
  config: RootConfigService;
  db: Knex;
  access: Access;
  logger: LoggerService;
  notifications: NotificationService;
  scheduler: SchedulerService;
}) {
  const settings = readEnvironmentSettings(deps.config);
  const store = new DatabaseEnvironmentStore(deps.db);
  const service = new EnvironmentService({ ...deps, settings, store });
  const rules: ApprovalRules = name => settings.configured.get(name)?.approval;
  return {
    service,
    rules,
    protectedPlaces: findProtectedPlaces(settings.configured.values()),
    /** Names of those of the configuration whose services run elsewhere than on this machine. */
    elsewhere: [...settings.configured.values()]
      .filter(({ runtime }) => runtime !== LOCAL)
      .map(({ name }) => name),
    /** Whether it is one that people did not make for a while. */
    isLasting: (name: string) =>
      name === LOCAL || settings.configured.has(name),
    createKinds(
      more: Omit<EnvironmentKindDeps, 'now' | 'settings' | 'store'>,
    ): OperationHandler[] {
      const all = { ...more, settings, store, now: Date.now };
      return [
        new CreateEnvironmentHandler(all),
        new DeleteEnvironmentHandler(all),
      ];
    },
    async scheduleSweeps(more: {
      ledger: EffectLedger;
      operations: OperationService;
    }): Promise<void> {
      const sweeper = new EnvironmentSweeper({
        ...deps,
        ...more,
        settings,
        store,
      });
      await deps.scheduler.scheduleTask({
        id: 'provisioning-environments',
        scope: 'global',
        frequency: { minutes: 1 },
        timeout: { minutes: 5 },
        initialDelay: { seconds: 30 },
        fn: signal => sweeper.sweep(signal),
      });
    },
  };
}

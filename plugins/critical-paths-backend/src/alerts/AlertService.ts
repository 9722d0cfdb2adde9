import type { LoggerService } from '@backstage/backend-plugin-api';
import { parseEntityRef } from '@backstage/catalog-model';
import { toError } from '@backstage/errors';
import type {
  NotificationPayload,
  NotificationSeverity,
} from '@backstage/plugin-notifications-common';
import type { NotificationService } from '@backstage/plugin-notifications-node';
import type { BudgetService, PathBudget } from '../service/BudgetService';
import type { AlertStore, StoredAlert } from './AlertStore';
import { decide, type Notice, type ObservedRule } from './decide';
import type { AlertSettings } from './settings';

/** What one look at all paths did. */
export interface AlertReport {
  open: number;
  told: number;
  /** Notifications that could not be sent; they are tried again with the next look. */
  untold: number;
}

/** The rules of a path, as the alert sees them. */
export function observedRules(
  path: Pick<PathBudget, 'budgets'>,
): ObservedRule[] {
  return path.budgets.flatMap(budget =>
    budget.rules
      .filter(rule => rule.status !== 'not-applicable')
      .map(rule => {
        const rate = (window: string) => {
          const value = budget.burn.find(b => b.window === window)?.rate;
          return typeof value === 'number'
            ? `${value.toFixed(value < 10 ? 1 : 0)}×`
            : 'any';
        };
        return {
          key: `${budget.label}/${rule.name}`,
          severity: rule.severity,
          status: rule.status,
          message: `${budget.label}: burning at ${rate(rule.longWindow)} over ${
            rule.longWindow
          } and ${rate(rule.shortWindow)} over ${rule.shortWindow}${
            rule.threshold === null
              ? ', where nothing may fail'
              : ` (limit ${Number(rule.threshold.toFixed(2))}×)`
          }.`,
        };
      }),
  );
}

const TITLES: Record<Notice, (path: string, urgent: boolean) => string> = {
  opened: (path, urgent) =>
    urgent
      ? `${path} is burning its error budget fast`
      : `${path} is slowly burning its error budget`,
  escalated: path => `${path} now burns its error budget fast`,
  repeated: path => `${path} still burns its error budget`,
  recovered: path => `${path} has recovered`,
};

/** How urgent Backstage shows it; processors for Slack or e-mail filter by it. */
const SEVERITIES: Record<'page' | 'ticket', NotificationSeverity> = {
  page: 'critical',
  ticket: 'high',
};

/** Props of {@link AlertService}. */
export interface AlertServiceOptions {
  budgets: Pick<BudgetService, 'budgets'>;
  store: AlertStore;
  notifications: NotificationService;
  settings: AlertSettings;
  logger: LoggerService;
  /** Whether planned downtime was declared for now. */
  inMaintenance: (pathRef: string) => boolean;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/**
 * Tells the owners of critical paths when error budget burns and when it has
 * stopped: one notification per path, by the Backstage notifications and
 * whatever processors (Slack, e-mail) they are configured with.
 */
export class AlertService {
  readonly #options: AlertServiceOptions;

  constructor(options: AlertServiceOptions) {
    this.#options = options;
  }

  /** Looks at all paths once. Rejects while the database or the catalog is away. */
  async evaluate(): Promise<AlertReport> {
    const { budgets, store, settings, inMaintenance } = this.#options;
    const { paths } = await budgets.budgets();
    const stored = await store.unfinished();
    const open = new Map(
      stored
        .filter(alert => alert.closedTime === undefined)
        .map(alert => [alert.pathRef, alert]),
    );
    const now = this.#now();
    const changed: StoredAlert[] = [];
    for (const pathRef of new Set([...paths.keys(), ...open.keys()])) {
      const before = open.get(pathRef);
      const path = paths.get(pathRef);
      const decision = decide(before, path && observedRules(path), {
        ...settings,
        now,
        maintenance: inMaintenance(pathRef),
      });
      if (decision.action === 'open') {
        const opened = await store.open(pathRef, decision.alert);
        if (opened) {
          changed.push(opened);
        }
      } else if (decision.action === 'update' && before) {
        await store.update(before.id, decision.alert);
        changed.push({ ...before, ...decision.alert });
      } else if (decision.action === 'close' && before) {
        // Who was never told of it need not hear that it is over.
        const pending =
          decision.reason === 'recovered' && before.notifiedTime !== undefined
            ? 'recovered'
            : undefined;
        await store.close(before.id, {
          time: now,
          reason: decision.reason,
          pending,
        });
        changed.push({ ...before, closedTime: now, pending });
      } else if (before) {
        changed.push(before);
      }
    }
    const toTell = [
      ...changed,
      ...stored.filter(alert => alert.closedTime !== undefined),
    ].filter(alert => alert.pending);
    let told = 0;
    for (const alert of toTell) {
      told += Number(await this.#tell(alert, paths.get(alert.pathRef), now));
    }
    return {
      open: changed.filter(alert => alert.closedTime === undefined).length,
      told,
      untold: toTell.length - told,
    };
  }

  async #tell(
    alert: StoredAlert,
    path: PathBudget | undefined,
    now: number,
  ): Promise<boolean> {
    const { notifications, settings, store, logger } = this.#options;
    if (!path) {
      await store.told(alert.id, now);
      return true;
    }
    try {
      await notifications.send({
        recipients: {
          type: 'entity',
          entityRef: [
            ...new Set([path.resolved.path.owner, ...settings.recipients]),
          ],
        },
        payload: payloadOf(alert, path, now),
      });
      await store.told(alert.id, now);
      return true;
    } catch (error) {
      // It stays pending: the next look tries again.
      logger.warn(
        `Could not tell the owner of ${alert.pathRef} about its error budget: ${
          toError(error).message
        }`,
      );
      return false;
    }
  }

  #now(): number {
    return Math.floor((this.#options.now?.() ?? Date.now()) / 1000);
  }
}

/** What is sent. The scope lets a later notice of the same path replace the earlier one. */
function payloadOf(
  alert: StoredAlert,
  path: PathBudget,
  now: number,
): NotificationPayload {
  const { title, entityRef } = path.resolved.path;
  const { namespace, name } = parseEntityRef(entityRef);
  const notice = alert.pending ?? 'opened';
  const isOver = notice === 'recovered';
  const minutes = Math.max(1, Math.round((now - alert.openedTime) / 60));
  const left = path.summary?.budget?.remaining;
  const rest =
    left === undefined
      ? ''
      : ` ${
          left > 0 ? `${Math.round(left * 100)} % of` : 'None of'
        } the budget is left.`;
  return {
    title: TITLES[notice](title, alert.severity === 'page'),
    description: isOver
      ? `The burn lasted ${minutes} min.${rest}`
      : `${alert.messages.join('\n')}${rest}`,
    link: `/critical-paths/${namespace}/${name}?window=6h`,
    severity: isOver ? 'normal' : SEVERITIES[alert.severity],
    topic: 'error-budget',
    scope: `critical-paths/${entityRef}`,
  };
}

import type { LoggerService } from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import type {
  NotificationSendOptions,
  NotificationService,
} from '@backstage/plugin-notifications-node';
import type {
  ParsedCriticalPath,
  ParsedWorkflow,
} from '@rocket/plugin-critical-paths-common';
import type { WorkflowSettings } from './settings';
import type { WorkflowState, WorkflowStore } from './WorkflowStore';

const SEND_TIMEOUT_MS = 10_000;

/** Tells the owner of a path once when a workflow begins to fail and once when it works again. */
export class WorkflowNotifier {
  readonly #options: {
    notifications: NotificationService;
    store: Pick<WorkflowStore, 'setNotified'>;
    settings: Pick<WorkflowSettings, 'alertAfter'>;
    logger: LoggerService;
  };

  constructor(options: {
    notifications: NotificationService;
    store: Pick<WorkflowStore, 'setNotified'>;
    settings: Pick<WorkflowSettings, 'alertAfter'>;
    logger: LoggerService;
  }) {
    this.#options = options;
  }

  /**
   * Looks at a workflow after a run. What could not be sent is sent after the
   * next run, since the note that the owner knows is made only afterwards.
   */
  async ran(
    path: ParsedCriticalPath,
    workflow: ParsedWorkflow,
    state: WorkflowState,
  ): Promise<void> {
    const { settings, store, logger } = this.#options;
    const { last, failures, notified } = state;
    if (!last) {
      return;
    }
    const alertAfter = workflow.alertAfter ?? settings.alertAfter;
    const fails = last.status === 'failed';
    if (fails ? notified || failures < alertAfter : !notified) {
      return;
    }
    const required = workflow.criticality === 'required';
    const step =
      workflow.steps.find(({ name }) => name === last.failedStep)?.title ??
      last.failedStep;
    const at = new Date(last.started).toISOString();
    try {
      await this.#send({
        // The owner only: nobody else is on duty for the path.
        recipients: { type: 'entity', entityRef: path.owner },
        payload: {
          title: fails
            ? `${path.title}: workflow ${workflow.title} failed at step ${step}`
            : `${path.title}: workflow ${workflow.title} completes again`,
          description: fails
            ? `${last.message}. Run of ${at}, ${failures} in a row.`
            : `Run of ${at}.`,
          link: `/critical-paths/${path.namespace}/${path.name}#workflow-${workflow.name}`,
          severity: fails && required ? 'high' : 'normal',
          topic: 'critical-paths',
          // One notification per workflow: recovery replaces failure.
          scope: `workflow:${path.entityRef}/${workflow.name}`,
        },
      });
      await store.setNotified(state, fails);
    } catch (error) {
      logger.warn(
        `The owner of ${path.entityRef} was not told about workflow ${
          workflow.name
        }: ${toError(error).message}; tried again after the next run`,
      );
    }
  }

  async #send(notification: NotificationSendOptions): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await Promise.race([
        this.#options.notifications.send(notification),
        new Promise((_, reject) => {
          timer = setTimeout(
            () => reject(new Error('notifications do not answer')),
            SEND_TIMEOUT_MS,
          );
        }),
      ]);
    } finally {
      clearTimeout(timer);
    }
  }
}

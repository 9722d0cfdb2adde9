import type { LoggerService } from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import type {
  NotificationSendOptions,
  NotificationService,
} from '@backstage/plugin-notifications-node';
import type { OperationRecord, OperationStore } from './OperationStore';

const SEND_TIMEOUT_MS = 10_000;

/** Tells approvers of what waits for them, and who asked of how it went. */
export class OperationNotifier {
  readonly #store: Pick<OperationStore, 'listUntold' | 'setTold'>;
  readonly #notifications: NotificationService;
  readonly #logger: LoggerService;
  #telling: Promise<void> = Promise.resolve();

  constructor(deps: {
    store: Pick<OperationStore, 'listUntold' | 'setTold'>;
    notifications: NotificationService;
    logger: LoggerService;
  }) {
    this.#store = deps.store;
    this.#notifications = deps.notifications;
    this.#logger = deps.logger;
  }

  /** Tells whatever was not told yet; the rest is tried with the next call. Never rejects. */
  tell(): Promise<void> {
    this.#telling = this.#telling.then(async () => {
      try {
        for (const record of await this.#store.listUntold()) {
          const message = messageOf(record);
          if (message) await this.#send(message);
          await this.#store.setTold(record.id, record.state);
        }
      } catch (error) {
        this.#logger.warn(
          `People were not told of an operation: ${
            toError(error).message
          }; tried again later`,
        );
      }
    });
    return this.#telling;
  }

  async #send(notification: NotificationSendOptions): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await Promise.race([
        this.#notifications.send(notification),
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

function messageOf(
  record: OperationRecord,
): NotificationSendOptions | undefined {
  const { id, kind, subject, environment, state } = record;
  const what = `${kind} of ${subject}${
    environment ? ` in ${environment}` : ''
  }`;
  const common = {
    link: `/environments?view=${
      state === 'waiting' ? 'approvals' : 'operations'
    }`,
    topic: 'provisioning',
    // One notification per operation and audience: the next state replaces it.
    severity: 'normal' as const,
  };
  if (state === 'waiting') {
    return {
      recipients: {
        type: 'entity',
        entityRef: record.approvers ?? [],
        excludeEntityRef: record.requestedBy,
      },
      payload: {
        ...common,
        title: `${record.requestedBy} asks you to agree: ${what}`,
        description: `${record.reason ?? 'No reason was given.'} Until ${
          record.expiresAt
        }.`,
        severity: 'high',
        scope: `operation:${id}:approval`,
      },
    };
  }
  if (!record.requestedBy.startsWith('user:')) return undefined;
  const { decision } = record;
  return {
    recipients: { type: 'entity', entityRef: record.requestedBy },
    payload: {
      ...common,
      title: `${what}: ${state}`,
      description: [
        decision &&
          `${decision.by} ${decision.approved ? 'agreed' : 'refused'}${
            decision.reason ? `: ${decision.reason}` : ''
          }.`,
        record.message,
      ]
        .filter(Boolean)
        .join(' '),
      scope: `operation:${id}`,
    },
  };
}

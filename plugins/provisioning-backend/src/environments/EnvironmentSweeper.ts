import type { LoggerService } from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import type {
  NotificationSendOptions,
  NotificationService,
} from '@backstage/plugin-notifications-node';
import type { EffectLedger } from '../effects/EffectLedger';
import { ENGINE } from '../operations/OperationEngine';
import type { OperationService } from '../operations/OperationService';
import type { EnvironmentRecord, EnvironmentStore } from './EnvironmentStore';
import type { EnvironmentSettings } from './settings';

/** Deletions that one sweep begins; a wrong clock or a bug does not take everything. */
export const MAX_DELETIONS = 10;
/** Until something without an operation counts as forgotten. */
const FORGOTTEN_MS = 5 * 60_000;
const SEND_TIMEOUT_MS = 10_000;

/**
 * Ends environments whose time is over, says so before, and comes back to
 * deletions that did not succeed. Everything that it knows is in the database,
 * so it goes on after a restart; it touches only environments of its own table
 * and what the ledger says was made for them.
 */
export class EnvironmentSweeper {
  readonly #deps: {
    store: EnvironmentStore;
    settings: EnvironmentSettings;
    ledger: Pick<EffectLedger, 'list'>;
    operations: Pick<OperationService, 'list' | 'requestAs'>;
    notifications: NotificationService;
    logger: LoggerService;
    now: () => number;
  };

  constructor(deps: {
    store: EnvironmentStore;
    settings: EnvironmentSettings;
    ledger: Pick<EffectLedger, 'list'>;
    operations: Pick<OperationService, 'list' | 'requestAs'>;
    notifications: NotificationService;
    logger: LoggerService;
    /** Milliseconds since 1970. */
    now?: () => number;
  }) {
    this.#deps = { now: Date.now, ...deps };
  }

  /** One look at everything; what fails is looked at again by the next sweep. */
  async sweep(signal?: AbortSignal): Promise<void> {
    await this.#findOrphans();
    const due: { record: EnvironmentRecord; reason: string }[] = [];
    for (const record of await this.#deps.store.list()) {
      signal?.throwIfAborted();
      const reason = await this.#look(record).catch(error => {
        this.#warn(record, error);
        return undefined;
      });
      if (reason) due.push({ record, reason });
    }
    if (due.length > MAX_DELETIONS) {
      this.#deps.logger.warn(
        `${due.length} environments are to be deleted; ${MAX_DELETIONS} of them now, the others with the next sweeps`,
      );
    }
    due.sort((a, b) => (a.record.expiresAt < b.record.expiresAt ? -1 : 1));
    for (const { record, reason } of due.slice(0, MAX_DELETIONS)) {
      signal?.throwIfAborted();
      await this.#delete(record, reason).catch(error =>
        this.#warn(record, error),
      );
    }
  }

  /** @returns why it has to be deleted now, if so */
  async #look(record: EnvironmentRecord): Promise<string | undefined> {
    const { store, now, settings } = this.#deps;
    const time = now();
    const { name, state } = record;
    const expires = Date.parse(record.expiresAt);
    const forgotten = time - Date.parse(record.changedAt) > FORGOTTEN_MS;
    switch (state) {
      case 'ready':
      case 'sleeping':
      case 'expiring':
      case 'failed':
        if (expires <= time) return 'Its time is over';
        if (forgotten && !(await this.#hasEffects(name))) {
          return 'Everything that was made for it is gone';
        }
        if (!record.noticed && expires - settings.onDemand.noticeMs <= time) {
          await this.#notice(record);
        }
        return undefined;
      case 'delete-failed':
        return record.retryAt && Date.parse(record.retryAt) <= time
          ? 'The deletion before it did not succeed'
          : undefined;
      case 'requested':
      case 'provisioning':
        if (!forgotten || (await this.#isBusy(record))) return undefined;
        if (state === 'requested' && !(await this.#hasEffects(name))) {
          await store.drop(name);
        } else {
          await store.change(
            name,
            {
              state: 'failed',
              message: 'The operation that made it ended unexpectedly',
            },
            [state],
          );
        }
        return undefined;
      case 'deleting':
        return forgotten && !(await this.#isBusy(record))
          ? 'The deletion before it was interrupted'
          : undefined;
      default:
        return undefined;
    }
  }

  async #delete(record: EnvironmentRecord, reason: string) {
    const { operations, logger, store } = this.#deps;
    const { name, subject } = record;
    if (await this.#isBusy(record)) return;
    // Extended meanwhile: then it stays.
    const now = await store.get(name);
    if (now?.expiresAt !== record.expiresAt) return;
    logger.info(`deleting the environment ${name}: ${reason}`);
    await operations.requestAs(
      {
        kind: 'environment-delete',
        subject,
        environment: name,
        input: { name },
      },
      ENGINE,
      reason,
    );
    if (record.state === 'delete-failed') await this.#tellStuck(record);
  }

  /** A deleted environment that the ledger has live things of is not deleted. */
  async #findOrphans() {
    const { store, ledger, settings, logger } = this.#deps;
    const made = await ledger.list({
      states: ['planned', 'applying', 'live', 'failed', 'undoing', 'manual'],
    });
    const names = new Set(made.flatMap(effect => effect.environment ?? []));
    for (const name of names) {
      if (settings.configured.has(name)) continue;
      const record = await store.get(name);
      if (record?.state === 'deleted') {
        logger.warn(`The environment ${name} was deleted, but not all of it`);
        await store.change(
          name,
          {
            state: 'delete-failed',
            message: 'Something of it was found after it was deleted',
            retryAt: new Date(this.#deps.now()).toISOString(),
          },
          ['deleted'],
        );
      } else if (!record) {
        logger.warn(
          `The ledger has things of an environment ${name} that nobody knows; they are left alone`,
        );
      }
    }
  }

  async #hasEffects(name: string): Promise<boolean> {
    const made = await this.#deps.ledger.list({ environment: name });
    return made.some(({ state }) => !['undone', 'retained'].includes(state));
  }

  async #isBusy({ subject, name }: EnvironmentRecord): Promise<boolean> {
    const active = await this.#deps.operations.list({
      subject,
      states: ['waiting', 'running'],
    });
    return active.some(
      ({ environment }) => environment === undefined || environment === name,
    );
  }

  async #notice(record: EnvironmentRecord) {
    const { name, owner, expiresAt, extensionsLeft, state } = record;
    await this.#send(owner, {
      title: `The environment ${name} ends ${expiresAt}`,
      description:
        extensionsLeft > 0
          ? `It can be extended ${extensionsLeft} more times.`
          : 'It cannot be extended any more.',
      scope: `environment:${name}`,
    });
    await this.#deps.store.change(
      name,
      { noticed: true, ...(state === 'ready' ? { state: 'expiring' } : {}) },
      [state],
      expiresAt,
    );
  }

  async #tellStuck({ name, owner, message, removals }: EnvironmentRecord) {
    await this.#send(owner, {
      title: `The environment ${name} could not be deleted, ${removals} times`,
      description: `${
        message ?? ''
      } It counts against your quota until it is gone.`,
      scope: `environment:${name}:stuck`,
      severity: 'high',
    });
  }

  async #send(
    owner: string,
    payload: Omit<NotificationSendOptions['payload'], 'topic' | 'link'>,
  ) {
    let timer: NodeJS.Timeout | undefined;
    try {
      await Promise.race([
        this.#deps.notifications.send({
          recipients: { type: 'entity', entityRef: owner },
          payload: {
            severity: 'normal',
            ...payload,
            topic: 'provisioning',
            link: '/environments',
          },
        }),
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

  #warn({ name }: EnvironmentRecord, error: unknown) {
    this.#deps.logger.warn(
      `The environment ${name} could not be looked after: ${
        toError(error).message
      }`,
    );
  }
}

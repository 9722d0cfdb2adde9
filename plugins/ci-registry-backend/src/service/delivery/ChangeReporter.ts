import { createHash } from 'node:crypto';
import type { AuthService, LoggerService } from '@backstage/backend-plugin-api';
import { parseEntityRef } from '@backstage/catalog-model';
import { toError } from '@backstage/errors';
import type { Deployment } from '@rocket/plugin-ci-registry-common';
import type {
  ChangeReport,
  CriticalPathsService,
} from '@rocket/plugin-critical-paths-node';
import type { DeliveryStore } from '../../database/delivery/DeliveryStore';

const BATCH = 50;
/** Longer than a batch takes when every call is slow. */
const LEASE_MS = 10 * 60_000;
const FIRST_DELAY_MS = 5_000;
const LONGEST_DELAY_MS = 10 * 60_000;
const MAX_ID = 255;

const OUTCOMES: Record<Deployment['outcome'], string> = {
  'in-progress': 'in progress',
  succeeded: 'succeeded',
  failed: 'failed',
  'rolled-back': 'rolled back',
  cancelled: 'called off',
};

/** A deployment as the critical paths mark it. */
export function toChange(deployment: Deployment): ChangeReport {
  const { component, version, commit, startedAt, finishedAt } = deployment;
  const { namespace, name } = parseEntityRef(component);
  const id = `${namespace}/${name}/${deployment.id}`;
  const shown = version === commit ? commit.slice(0, 12) : version;
  return {
    source: 'ci-registry',
    id:
      id.length <= MAX_ID ? id : createHash('sha256').update(id).digest('hex'),
    kind: 'deployment',
    entityRef: component,
    at: startedAt,
    until: finishedAt,
    title: `${name} ${shown}`.slice(0, 255),
    version: shown,
    detail: [
      `${OUTCOMES[deployment.outcome]} in ${deployment.environment}`,
      deployment.reason,
      `commit ${commit.slice(0, 12)}`,
    ]
      .filter(Boolean)
      .join(', ')
      .slice(0, 1000),
    url: deployment.url,
  };
}

/**
 * Tells the critical paths of deployments. What is to be told was stored with
 * the deployment itself and stays there until they have it.
 */
export class ChangeReporter {
  readonly #store: DeliveryStore;
  readonly #criticalPaths: Pick<CriticalPathsService, 'recordChange'>;
  readonly #auth: AuthService;
  readonly #logger: LoggerService;
  readonly #now: () => number;
  #running?: Promise<void>;
  #again = false;

  constructor(options: {
    store: DeliveryStore;
    criticalPaths: Pick<CriticalPathsService, 'recordChange'>;
    auth: AuthService;
    logger: LoggerService;
    /** ms since 1970, for tests. */
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#criticalPaths = options.criticalPaths;
    this.#auth = options.auth;
    this.#logger = options.logger;
    this.#now = options.now ?? Date.now;
  }

  /** Something new was stored; answers when it was tried. Never rejects. */
  async wake(): Promise<void> {
    this.#again = true;
    this.#running ??= (async () => {
      try {
        while (this.#again) {
          this.#again = false;
          await this.tell();
        }
      } catch (error) {
        // The next look finds it again.
        this.#logger.warn(
          `Deployments could not be read for the critical paths: ${
            toError(error).message
          }`,
        );
      } finally {
        this.#running = undefined;
      }
    })();
    await this.#running;
  }

  /** Tells what is due; answers how many were told. Rejects while the database is away. */
  async tell(): Promise<number> {
    let told = 0;
    for (;;) {
      const due = await this.#store.claimPending({
        limit: BATCH,
        now: this.#now(),
        leaseMs: LEASE_MS,
      });
      let away: Error | undefined;
      for (const pending of due) {
        const error = away ?? (await this.#tellOne(pending.deployment));
        if (!error) {
          await this.#store.settlePending(pending);
          told += 1;
        } else if (error.name === 'InputError') {
          // It would be refused each time.
          await this.#store.settlePending(pending);
          this.#logger.error(
            `The critical paths do not take deployment ${pending.deployment.id} of ${pending.deployment.component}: ${error.message}`,
          );
        } else {
          // The others would only wait for the same outage.
          away = error;
          await this.#store.postponePending(pending, {
            nextAttemptAt:
              this.#now() +
              Math.min(
                LONGEST_DELAY_MS,
                FIRST_DELAY_MS * 2 ** Math.min(pending.attempts, 20),
              ),
            error: error.message,
          });
        }
      }
      if (away) {
        this.#logger.warn(
          `The critical paths could not be told of ${due.length} deployments, which is tried again: ${away.message}`,
        );
      }
      if (away || due.length < BATCH) {
        return told;
      }
    }
  }

  async #tellOne(deployment: Deployment): Promise<Error | undefined> {
    try {
      await this.#criticalPaths.recordChange(toChange(deployment), {
        credentials: await this.#auth.getOwnServiceCredentials(),
      });
      return undefined;
    } catch (error) {
      return toError(error);
    }
  }
}

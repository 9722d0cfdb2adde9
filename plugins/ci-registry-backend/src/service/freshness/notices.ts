import type { LoggerService } from '@backstage/backend-plugin-api';
import { parseEntityRef } from '@backstage/catalog-model';
import { toError } from '@backstage/errors';
import type { NotificationPayload } from '@backstage/plugin-notifications-common';
import type { NotificationService } from '@backstage/plugin-notifications-node';
import type {
  Freshness,
  FreshnessState,
} from '@rocket/plugin-ci-registry-common';
import type {
  FreshnessStore,
  Notice,
  StoredFreshness,
} from '../../database/freshness/FreshnessStore';

const SEND_TIMEOUT_MS = 10_000;
/** Notices of one round; the rest come with the next ones. */
const MAX_NOTICES = 200;

/** States that somebody should do something about. */
const TOLD: readonly FreshnessState[] = [
  'gone',
  'registered-not-running',
  'running-unregistered',
  'stale',
];

const TITLES: Record<Notice, (name: string) => string> = {
  gone: name => `${name} is gone at its source`,
  'registered-not-running': name => `${name} is registered but does not run`,
  'running-unregistered': name => `${name} runs but is not registered`,
  stale: name => `${name} has not been confirmed for long`,
  unmanaged: name => `${name} is not registered by a pipeline`,
  fresh: name => `${name} is fresh`,
  recovered: name => `${name} is true to its source again`,
};

/** The row after this judgement: since when it is so, and what its owner has yet to be told, once per change. */
export function nextRow(
  before: StoredFreshness | undefined,
  freshness: Freshness,
  now: number,
): StoredFreshness {
  const { state } = freshness;
  if (before?.freshness.state === state) {
    return { ...before, freshness };
  }
  const toldState = before?.toldState;
  let pending: Notice | undefined;
  if (TOLD.includes(state)) {
    pending = toldState === state ? undefined : state;
  } else if (toldState) {
    pending = 'recovered';
  }
  return { freshness, since: now, toldState, pending };
}

function payloadOf(freshness: Freshness, notice: Notice): NotificationPayload {
  const { entityRef, state, reason } = freshness;
  const { kind, namespace, name } = parseEntityRef(entityRef);
  return {
    title: TITLES[notice](name),
    description: reason,
    link:
      state === 'running-unregistered'
        ? undefined
        : `/catalog/${namespace}/${kind}/${name}`,
    severity: notice === 'recovered' || notice === 'stale' ? 'normal' : 'high',
    topic: 'catalog-freshness',
    // A later notice of the same entity takes the place of the earlier one.
    scope: `ci-registry/freshness/${entityRef}`,
  };
}

/** Tells owners what became of their entities; answers how many notices were sent. */
export async function sendNotices(options: {
  store: Pick<FreshnessStore, 'pending' | 'told'>;
  notifications: NotificationService;
  /** Who hears of what has no owner. */
  recipients: string[];
  logger: LoggerService;
}): Promise<number> {
  const { store, notifications, recipients, logger } = options;
  let sent = 0;
  for (const { freshness, pending } of await store.pending(MAX_NOTICES)) {
    const { entityRef, owner } = freshness;
    const to = owner ? [owner] : recipients;
    if (to.length > 0) {
      try {
        await withTimeout(
          notifications.send({
            recipients: { type: 'entity', entityRef: to },
            payload: payloadOf(freshness, pending!),
          }),
        );
        sent += 1;
      } catch (error) {
        // They stay pending: the next round tries again.
        logger.warn(
          `The owner of ${entityRef} could not be told about its state: ${
            toError(error).message
          }`,
        );
        return sent;
      }
    }
    await store.told(entityRef, pending!);
  }
  return sent;
}

async function withTimeout(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([
      work,
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

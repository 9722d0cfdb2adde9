import { KubernetesError } from './errors';
import type {
  KubernetesClient,
  KubernetesObject,
  ObjectQuery,
  ObjectWatch,
  WaitOptions,
} from './types';

const INTERVAL_MS = 5_000;

/** Polls by listing, as often as `intervalMs` and, through a watch, as soon as something changes. */
export async function waitUntil<R, T extends KubernetesObject>(
  client: KubernetesClient,
  query: ObjectQuery,
  check: (items: T[]) => R | undefined,
  { signal, deadlineMs, intervalMs = INTERVAL_MS }: WaitOptions,
): Promise<R> {
  signal?.throwIfAborted();
  const end = new AbortController();
  let lastError: Error | undefined;
  let watched!: ObjectWatch<T>;
  try {
    return await new Promise<R>((resolve, reject) => {
      const look = () => {
        lastError = undefined;
        try {
          const result = check(watched.items());
          if (result !== undefined) resolve(result);
        } catch (error) {
          reject(error);
        }
      };
      let synced = false;
      watched = client.watch<T>(query, {
        resyncMs: intervalMs,
        onSync: () => {
          synced = true;
          look();
        },
        // Half of the first list says nothing about the whole.
        onChange: () => synced && queueMicrotask(look),
        onError: error => {
          lastError = error;
        },
      });

      signal?.addEventListener('abort', () => reject(signal.reason), {
        once: true,
        signal: end.signal,
      });
      const deadline = setTimeout(
        () =>
          reject(
            new KubernetesError(
              `Cluster '${
                client.cluster
              }' did not reach what was waited for within ${
                deadlineMs / 1000
              } s${lastError ? `: ${lastError.message}` : ''}`,
              { kind: 'timeout', cluster: client.cluster },
            ),
          ),
        deadlineMs,
      );
      end.signal.addEventListener('abort', () => clearTimeout(deadline));
    });
  } finally {
    end.abort();
    await watched.stop();
  }
}

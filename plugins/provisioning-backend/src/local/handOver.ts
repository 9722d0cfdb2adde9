import { setTimeout as delay } from 'node:timers/promises';
import type { LogSink } from './ServiceLogFile';
import type { ServiceProxy, TargetFigures } from './ServiceProxy';
import type { ServiceVersion } from './ServiceVersion';

/** How one version takes over from another. Times in milliseconds. */
export interface HandOverPolicy {
  /** How long the old version stays warm beside the new one that serves. */
  watchMs: number;
  /** Longest wait for requests that are under way at the old version. */
  drainMs: number;
  /** Share of failed requests (5xx or no answer) from which the new version counts as broken, when the old one had less. */
  maxFailureShare: number;
}

const LOOK_MS = 500;
/** A version that is busy may miss one look. */
const BAD_LOOKS = 2;
/** Fewer requests say nothing about a share. */
const MIN_REQUESTS = 20;

/**
 * Sends the requests to `next`, watches it, and ends `old`; when `next` turns
 * out to be broken in the watch time, `old`, still warm, gets the requests again
 * and `next` is ended. No request is refused in either direction.
 *
 * @throws Error with the reason when `next` was taken back
 */
export async function handOver(options: {
  old: ServiceVersion;
  next: ServiceVersion;
  /** The service's stable port. */
  port: number;
  proxy: ServiceProxy;
  policy: HandOverPolicy;
  log: LogSink;
  signal: AbortSignal;
}): Promise<void> {
  const { old, next, port, proxy, policy, log, signal } = options;
  const { name } = next;
  const short = (version: ServiceVersion) => version.commit.slice(0, 7);
  const drain = async (version: ServiceVersion) => {
    try {
      const cut = await proxy.drain(
        name,
        version.ports,
        signal.aborted ? 0 : policy.drainMs,
      );
      if (cut === 0) return;
      log.write(
        'rocket',
        `${cut} requests to ${short(version)} had not ended after ${
          policy.drainMs / 1000
        } s and were cut off`,
      );
    } catch (error) {
      // Who serves is settled by now.
      log.write('rocket', (error as Error).message);
    }
  };
  await proxy.route(name, port, next.serving);
  log.write(
    'rocket',
    `requests go to ${short(next)}; ${short(old)} stays warm for ${
      policy.watchMs / 1000
    } s`,
  );
  const reason = await watch(options);
  if (reason && old.active) {
    // What it still tells of itself must not bring it back.
    next.listen(() => {});
    log.write('rocket', `back to ${short(old)}: ${reason}`);
    await proxy.route(name, port, old.serving);
    await drain(next);
    await next.stop();
    throw new Error(
      `The new version was taken back and the one before it serves again: ${reason}`,
    );
  }
  await drain(old);
  await old.stop();
}

/** Why the new version is broken; undefined when it is not, or when nobody waits any more. */
async function watch(options: {
  old: ServiceVersion;
  next: ServiceVersion;
  proxy: ServiceProxy;
  policy: HandOverPolicy;
  signal: AbortSignal;
}): Promise<string | undefined> {
  const { old, next, proxy, policy, signal } = options;
  const end = Date.now() + policy.watchMs;
  let bad = 0;
  while (!signal.aborted && old.active) {
    const answer = await next.check();
    bad = answer ? bad + 1 : 0;
    // What crashed says so at once; only an answer may be missing for a moment.
    if (bad >= BAD_LOOKS || (answer && next.healthy < next.size)) {
      return `it is not ready any more: ${answer}`;
    }
    // A proxy that is just being started again has seen nothing.
    const figures = await proxy.figures(next.name).catch(() => ({}));
    const failing = judge(figures, old, next, policy);
    if (failing) return failing;
    const left = end - Date.now();
    if (left <= 0) return undefined;
    await delay(Math.min(left, LOOK_MS), undefined, { signal }).catch(() => {});
  }
  return undefined;
}

function judge(
  figures: Record<number, TargetFigures>,
  old: ServiceVersion,
  next: ServiceVersion,
  policy: HandOverPolicy,
): string | undefined {
  const share = (version: ServiceVersion) => {
    let requests = 0;
    let failures = 0;
    for (const port of version.ports) {
      requests += figures[port]?.requests ?? 0;
      failures += figures[port]?.failures ?? 0;
    }
    return { requests, failures, of: requests ? failures / requests : 0 };
  };
  const now = share(next);
  if (now.requests < MIN_REQUESTS || now.of < policy.maxFailureShare) {
    return undefined;
  }
  if (now.of <= share(old).of) return undefined;
  return `${now.failures} of its first ${now.requests} requests failed`;
}

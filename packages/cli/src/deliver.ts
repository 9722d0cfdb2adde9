import { AwayError, InputFileError, RefusedError } from './errors';
import type { Output } from './output';
import type { Portal } from './portal';
import type { Queue, QueuedPush } from './queue';
import type { PushRequest, PushResponse } from './types';

/** What became of the pushes that waited. */
export interface Flushed {
  sent: number;
  refused: number;
  /** Those that this caller may not send, and another one may. */
  kept: number;
  /** Those that still wait, and why. */
  waiting: number;
  reason?: string;
}

/**
 * Sends what waits for this portal, the oldest first, and stops at the first one that nobody takes, so that the order stays. What the
 * portal refuses is put beside the queue, for it would be refused again.
 */
export async function flush(
  queue: Queue,
  portal: Portal,
  output: Output,
): Promise<Flushed> {
  const mine = (entry: QueuedPush) => entry.portal === portal.address;
  const result: Flushed = { sent: 0, refused: 0, kept: 0, waiting: 0 };
  const entries = queue.read().filter(mine);
  for (const [index, entry] of entries.entries()) {
    try {
      await portal.push(entry.push);
    } catch (error) {
      if (error instanceof AwayError) {
        result.waiting = entries.length - index;
        result.reason = error.message;
        return result;
      }
      // Whether the caller may speak at all says nothing of what was queued.
      if (!(error instanceof RefusedError) || error.status === 401) throw error;
      if (error.status === 403) {
        // A token is for one commit and one repository; another caller may send it.
        output.warn(
          `what was queued at ${entry.queuedAt} stays in the queue: ${error.message}`,
        );
        result.kept += 1;
        continue;
      }
      const file = await queue.refuse(entry, error.message);
      output.error(
        `a push that was queued at ${entry.queuedAt} was refused; it is kept in ${file}. ${error.message}`,
      );
      result.refused += 1;
      continue;
    }
    await queue.remove(entry.id);
    output.info(`sent what was queued at ${entry.queuedAt}`);
    result.sent += 1;
  }
  return result;
}

export type Delivery =
  | { status: 'sent'; response: PushResponse }
  | { status: 'queued'; file: string; reason: string };

/**
 * Pushes, after everything that waits. While the portal is away the push is put behind the others, or, with `whenAway: 'fail'`, given
 * back as the error it is.
 */
export async function deliver(
  push: PushRequest,
  options: {
    queue: Queue;
    portal: Portal;
    output: Output;
    whenAway: 'queue' | 'fail';
    now: Date;
  },
): Promise<Delivery> {
  const { queue, portal, output } = options;
  try {
    const before = await flush(queue, portal, output);
    if (before.waiting > 0) throw new AwayError(before.reason!);
    return { status: 'sent', response: await portal.push(push) };
  } catch (error) {
    if (!(error instanceof AwayError) || options.whenAway === 'fail')
      throw error;
    // Sent by another job, it would end that job's token.
    const { final: _over, ...later } = push;
    try {
      await queue.add(portal.address, later, options.now);
    } catch (second) {
      throw new InputFileError(
        queue.file,
        `${error.message}; and it could not be queued: ${
          (second as Error).message
        }`,
      );
    }
    output.warn(
      `${error.message}; queued in ${queue.file}, sent by the next call or by rocket-ci flush`,
    );
    return { status: 'queued', file: queue.file, reason: error.message };
  }
}

/** One line for each thing that the portal took. */
export function describe(response: PushResponse): string[] {
  return [
    ...response.entities.map(e => `${e.entityRef}: ${e.outcome}`),
    ...response.gone.map(ref => `${ref}: gone`),
    ...(response.builds ?? []).map(
      b => `build of ${b.component}: ${b.outcome}`,
    ),
    ...(response.deployments ?? []).map(
      d => `deployment ${d.id} of ${d.component}: ${d.outcome}`,
    ),
    ...(response.documents ?? []).map(d => {
      const breaking = (d.version?.changes ?? []).filter(
        change => change.severity === 'breaking',
      ).length;
      return `document of ${d.api}: ${d.outcome}${
        breaking > 0 ? `, ${breaking} breaking changes` : ''
      }`;
    }),
  ];
}

import { setTimeout } from 'node:timers/promises';

/** Waits; rejects with the signal's reason as soon as it is aborted. */
export type Delay = (ms: number, signal?: AbortSignal) => Promise<void>;

export const delay: Delay = async (ms, signal) => {
  try {
    await setTimeout(ms, undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
};

/** Lets at most `limit` tasks run at once, first come first served. */
export class Limiter {
  readonly #waiting: { onTurn: () => void }[] = [];
  #free: number;

  constructor(limit: number) {
    this.#free = limit;
  }

  /** Runs the task when it is its turn; an abort while waiting gives the turn up. */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#acquire(signal);
    try {
      return await task();
    } finally {
      this.#release();
    }
  }

  async #acquire(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const place = { onTurn: resolve };
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(place), 1);
        reject(signal?.reason);
      };
      place.onTurn = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      this.#waiting.push(place);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #release(): void {
    const next = this.#waiting.shift();
    // The place goes straight to the next in line, so that nobody slips in.
    if (next) next.onTurn();
    else this.#free += 1;
  }
}

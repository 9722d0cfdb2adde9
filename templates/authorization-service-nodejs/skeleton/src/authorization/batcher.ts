import { ProblemError } from '../platform/problems.ts';

type Waiting<In, Out> = { item: In; resolve(out: Out): void; reject(error: unknown): void };

type Options<In, Out> = {
  /** Does the work for several at once; the results in the order of the items. */
  work(items: In[]): Promise<Out[]>;
  /** Items in one call. */
  size: number;
  /** Calls at a time. */
  concurrency: number;
  /** Items that may wait; the next one is turned away with 503. */
  maxWaiting: number;
};

/** What concerns all items alike; doing them one by one would only add to it. */
const ABOUT_ALL = new Set(['database-unavailable', 'overloaded']);

/**
 * Collects what arrives while the database is busy and hands it over in one call: one round trip and one commit for all. It never waits
 * for a batch to fill, so under a light load every item is a batch of its own and no slower than without.
 */
export class Batcher<In, Out> {
  readonly #options: Options<In, Out>;
  readonly #queue: Waiting<In, Out>[] = [];
  #running = 0;

  constructor(options: Options<In, Out>) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  add(item: In): Promise<Out> {
    if (this.#queue.length >= this.#options.maxWaiting) {
      const error = new ProblemError('overloaded', 'Too many decisions are waiting.', { retryAfterSeconds: 1 });
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ item, resolve, reject });
      this.#next();
    });
  }

  #next() {
    if (this.#running >= this.#options.concurrency || this.#queue.length === 0) return;
    this.#running += 1;
    // Whatever arrives in the same turn of the event loop goes along.
    setImmediate(() => {
      void this.#flush(this.#queue.splice(0, this.#options.size)).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    });
  }

  async #flush(batch: Waiting<In, Out>[]): Promise<void> {
    if (batch.length === 0) return;
    try {
      const results = await this.#options.work(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, i) => resolve(results[i]!));
    } catch (error) {
      const aboutAll = error instanceof ProblemError && ABOUT_ALL.has(error.code);
      if (batch.length === 1 || aboutAll) {
        for (const { reject } of batch) reject(error);
        return;
      }
      // One of them spoilt it and nothing was written: each for itself, so that only that one fails.
      for (const waiting of batch) await this.#flush([waiting]);
    }
  }
}

import { ProblemError } from '../platform/problems.ts';
import type { PostRequest, PostResult, Waiting } from './post.ts';

export type BatcherOptions = {
  /** Statements that may run at a time. */
  flushers: number;
  /** Transactions that go into one statement; a batch request that is larger goes alone. */
  batchSize: number;
  /** Transactions that may wait; a request beyond that is refused. */
  queueLimit: number;
  /** Milliseconds that a statement with several requests waits for a locked balance. */
  lockTimeout: number;
  post(requests: readonly PostRequest[], waiting: Waiting): Promise<PostResult[]>;
};

type Job = {
  request: PostRequest;
  resolve(result: PostResult): void;
  reject(error: unknown): void;
};

const ALONE: Waiting = { skipLocked: false, lockTimeout: null };

/**
 * Puts requests that arrive at the same time into one statement, in the order of their arrival. There is no timer: what arrives while
 * nothing runs goes at once, and what arrives while statements run makes up the next one. So batches grow with the load, and a lone
 * request does not wait.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #queue: Job[] = [];
  /** Those that have to wait for a balance which somebody else holds. They go one after the other, so that they hold up nobody. */
  readonly #slow: Job[] = [];
  #running = 0;
  #slowRunning = false;
  #waiting = 0;
  #scheduled = false;
  #onIdle: (() => void)[] = [];

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** Transactions that wait to be sent. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Throws overloaded when too many wait already; nothing was done with the request then. */
  async add(request: PostRequest): Promise<PostResult> {
    if (this.#waiting + request.postings.length > this.#options.queueLimit && this.#waiting > 0) {
      throw new ProblemError('overloaded', 'Too many transactions are waiting to be written.', {
        retryAfterSeconds: 1,
      });
    }
    this.#waiting += request.postings.length;
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, resolve, reject });
      this.#schedule();
    });
  }

  /** Resolves when nothing waits or runs. */
  async idle(): Promise<void> {
    if (this.#isIdle()) return;
    await new Promise<void>(resolve => this.#onIdle.push(resolve));
  }

  #isIdle(): boolean {
    return this.#waiting === 0 && this.#running === 0 && !this.#slowRunning;
  }

  /** After all that has arrived in this turn of the event loop. */
  #schedule(): void {
    if (this.#scheduled || this.#running >= this.#options.flushers) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      while (this.#queue.length > 0 && this.#running < this.#options.flushers) this.#flush();
    });
  }

  #take(queue: Job[]): Job[] {
    let size = 0;
    let n = 0;
    while (n < queue.length) {
      size += queue[n]!.request.postings.length;
      if (n > 0 && size > this.#options.batchSize) break;
      n += 1;
    }
    const jobs = queue.splice(0, n);
    for (const { request } of jobs) this.#waiting -= request.postings.length;
    return jobs;
  }

  #flush(): void {
    const jobs = this.#take(this.#queue);
    this.#running += 1;
    void this.#send(jobs).finally(() => {
      this.#running -= 1;
      if (this.#queue.length > 0) this.#schedule();
      this.#tellIdle();
    });
  }

  #tellIdle(): void {
    if (!this.#isIdle()) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  async #send(jobs: Job[]): Promise<void> {
    if (jobs.length === 1) return this.#sendAlone(jobs[0]!);
    const { lockTimeout } = this.#options;
    try {
      await this.#post(jobs, { skipLocked: false, lockTimeout });
    } catch (error) {
      if (isAway(error)) {
        for (const job of jobs) job.reject(error);
      } else if (isLocked(error)) {
        await this.#sendAround(jobs);
      } else {
        await this.#sendEach(jobs);
      }
    }
  }

  /** One balance is held by somebody: all others go on, those that need it wait by themselves. */
  async #sendAround(jobs: Job[]): Promise<void> {
    try {
      const busy = await this.#post(jobs, { skipLocked: true, lockTimeout: this.#options.lockTimeout });
      for (const job of busy) {
        this.#waiting += job.request.postings.length;
        this.#slow.push(job);
      }
      this.#sendSlow();
    } catch {
      await this.#sendEach(jobs);
    }
  }

  #sendSlow(): void {
    if (this.#slowRunning || this.#slow.length === 0) return;
    this.#slowRunning = true;
    const jobs = this.#take(this.#slow);
    this.#post(jobs, ALONE)
      .catch(error => jobs.forEach(job => job.reject(error)))
      .finally(() => {
        this.#slowRunning = false;
        this.#sendSlow();
        this.#tellIdle();
      });
  }

  /** The fault is of one request: each gets its own answer. */
  async #sendEach(jobs: Job[]): Promise<void> {
    for (const job of jobs) await this.#sendAlone(job);
  }

  async #sendAlone(job: Job): Promise<void> {
    try {
      await this.#post([job], ALONE);
    } catch (error) {
      job.reject(error);
    }
  }

  /** Answers all that were decided; returns the others. */
  async #post(jobs: Job[], waiting: Waiting): Promise<Job[]> {
    const results = await this.#options.post(
      jobs.map(job => job.request),
      waiting,
    );
    const busy: Job[] = [];
    jobs.forEach((job, i) => {
      if (results[i]!.state === 'busy') busy.push(job);
      else job.resolve(results[i]!);
    });
    return busy;
  }
}

function isAway(error: unknown): boolean {
  return error instanceof ProblemError && error.status === 503 && !isLocked(error);
}

/** SQLSTATE lock_not_available: nothing was written. */
function isLocked(error: unknown): boolean {
  const cause = (error as Error | null)?.cause as { code?: unknown } | undefined;
  return cause?.code === '55P03';
}

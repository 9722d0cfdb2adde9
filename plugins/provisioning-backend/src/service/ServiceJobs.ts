import type { LoggerService } from '@backstage/backend-plugin-api';

export type Operation = 'start' | 'stop' | 'restart';

/** A deployment or operation under way for one service. */
export interface Job {
  kind: 'deploy' | Operation | 'resume' | 'scale' | 'rotate';
  controller: AbortController;
  done: Promise<void>;
}

/** What is under way, one job per service, and the queue of requests for each. */
export class ServiceJobs {
  readonly #logger: LoggerService;
  readonly #jobs = new Map<string, Job>();
  readonly #admissions = new Map<string, Promise<unknown>>();

  constructor(logger: LoggerService) {
    this.#logger = logger;
  }

  get(name: string): Job | undefined {
    return this.#jobs.get(name);
  }

  /** Requests for one service are admitted one after another. */
  async admit<T>(name: string, what: () => Promise<T>): Promise<T> {
    const before = this.#admissions.get(name) ?? Promise.resolve();
    const mine = before.then(what);
    const settled = mine.then(
      () => {},
      () => {},
    );
    this.#admissions.set(name, settled);
    try {
      return await mine;
    } finally {
      if (this.#admissions.get(name) === settled) this.#admissions.delete(name);
    }
  }

  /** Runs it in the background; a failure that `run` does not handle is logged. */
  start(
    name: string,
    kind: Job['kind'],
    run: (signal: AbortSignal) => Promise<void>,
  ): Job {
    const controller = new AbortController();
    const job: Job = {
      kind,
      controller,
      done: Promise.resolve()
        .then(() => run(controller.signal))
        .catch(error => this.#logger.error(`${kind} of ${name}: ${error}`))
        .finally(() => {
          if (this.#jobs.get(name) === job) this.#jobs.delete(name);
        }),
    };
    this.#jobs.set(name, job);
    return job;
  }

  /** Aborts every job and waits until all have ended. */
  async abortAll(reason: Error): Promise<void> {
    const jobs = [...this.#jobs.values()];
    for (const job of jobs) job.controller.abort(reason);
    await Promise.all(jobs.map(job => job.done));
  }
}

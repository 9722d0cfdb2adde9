import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConflictError, toError } from '@backstage/errors';
import type { Run } from '@rocket/plugin-chaos-common';
import {
  LEASE_MS,
  LeaseLostError,
  RunExecutor,
  type ExecutorDeps,
} from './RunExecutor';

/** How long a stopping backend waits for its faults to be taken away. */
const STOP_MS = 8_000;

/** The runs that this backend carries out; what another one left is taken up. */
export class RunKeeper {
  readonly #deps: ExecutorDeps;
  /** Only this backend has the name. */
  readonly #holder = randomUUID();
  readonly #active = new Map<
    string,
    { done: Promise<void>; controller: AbortController }
  >();
  #stopped = false;

  constructor(
    deps: Omit<ExecutorDeps, 'now' | 'sleep'> &
      Partial<Pick<ExecutorDeps, 'now' | 'sleep'>>,
  ) {
    this.#deps = {
      now: Date.now,
      sleep: (ms, signal) => sleep(ms, undefined, { signal }),
      ...deps,
    };
  }

  /**
   * Begins a run that every guard rail let through.
   * @throws ConflictError naming the run that has one of the paths
   */
  async begin(run: Run, paths: string[]): Promise<void> {
    const { store, now } = this.#deps;
    const inTheWay = await store.begin(
      run,
      paths,
      { holder: this.#holder, until: new Date(now() + LEASE_MS) },
      {
        at: run.startedAt,
        by: run.startedBy,
        message: 'Started; the engine is asked for the fault',
      },
    );
    if (inTheWay.length > 0) {
      throw new ConflictError(
        `The run ${inTheWay.join(
          ', ',
        )} is under way on one of the critical paths that this one can reach; wait until it has ended`,
      );
    }
    this.#carryOut(run, false);
  }

  /** Takes up what nobody holds any more. Faults that nobody watched are taken away. */
  async takeUp(): Promise<void> {
    const { store, now } = this.#deps;
    while (!this.#stopped) {
      const run = await store.claim(
        this.#holder,
        new Date(now()),
        new Date(now() + LEASE_MS),
      );
      if (!run) return;
      // Its lease ran out although it is ours: the database was away for long.
      if (this.#active.has(run.id)) continue;
      this.#deps.logger.warn(`taking up chaos run ${run.id} (${run.state})`);
      this.#carryOut(run, true);
    }
  }

  /** Resolves when nothing goes on here. */
  async idle(): Promise<void> {
    await Promise.all([...this.#active.values()].map(({ done }) => done));
  }

  /** Lets go of everything; faults that are in place are aborted by whoever takes their run up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { controller } of this.#active.values()) {
      controller.abort(new Error('The backend is shutting down'));
    }
    await Promise.race([
      this.idle(),
      sleep(STOP_MS, undefined, { ref: false }),
    ]);
  }

  #carryOut(run: Run, taken: boolean) {
    const { store, logger } = this.#deps;
    const controller = new AbortController();
    const done = new RunExecutor(this.#deps, { run, holder: this.#holder })
      .execute({ signal: controller.signal, taken })
      .then(
        () => {},
        async error => {
          if (error instanceof LeaseLostError) return;
          if (!controller.signal.aborted) {
            logger.error(
              `chaos run ${run.id} was interrupted and is taken up again: ${
                toError(error).message
              }`,
            );
          }
          await store.release(run.id, this.#holder).catch(problem =>
            // Then its lease runs out.
            logger.warn(`chaos run ${run.id} was not released: ${problem}`),
          );
        },
      )
      .finally(() => this.#active.delete(run.id));
    this.#active.set(run.id, { done, controller });
  }
}

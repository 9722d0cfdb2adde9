import { toError } from '@backstage/errors';
import {
  isOneShot,
  type Evaluation,
  type Run,
} from '@rocket/plugin-chaos-common';
import type {
  ChaosEngine,
  ChaosEnvironment,
  EngineRun,
  InjectionState,
} from '@rocket/plugin-chaos-node';
import type { RunStore } from './RunStore';
import { RunSlis, type RunSlisDeps } from './RunSlis';

/** Time in which a fault has to be in place. */
export const INJECTION_DEADLINE_MS = 30_000;
/** Time after which a fault that cannot be taken away is told loudly; it is tried on. */
export const REMOVAL_DEADLINE_MS = 120_000;
/** A run whose executor is silent for this long is taken up by another. */
export const LEASE_MS = 15_000;
const TICK_MS = 1_000;
const OBSERVE_MS = 15_000;
const CALL_TIMEOUT_MS = 10_000;
const ROCKET = 'rocket';

const reason = (error: unknown) => toError(error).message;

/** The run belongs to another executor. */
export class LeaseLostError extends Error {}

export interface ExecutorDeps extends RunSlisDeps {
  store: RunStore;
  engines: ReadonlyMap<string, ChaosEngine>;
  environment(name: string): ChaosEnvironment | undefined;
  /** Hears of each change of a run: marks charts, tells people. It must not fail a run. */
  changed?: (run: Run) => Promise<void>;
  /** Rejects when the signal aborts. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Carries one run from its injection to its verdict. Everything is stored
 * before the engine is asked and after, so that whoever takes the run up knows
 * whether a fault may be in place; then it is taken away at once.
 */
export class RunExecutor {
  readonly #deps: ExecutorDeps;
  readonly #holder: string;
  readonly #run: Run;
  readonly #slis: RunSlis;

  constructor(deps: ExecutorDeps, held: { run: Run; holder: string }) {
    this.#deps = deps;
    this.#run = held.run;
    this.#holder = held.holder;
    this.#slis = new RunSlis(deps);
  }

  /**
   * @param taken the run was left by another executor: nobody watched it since
   * @throws LeaseLostError when another executor has it; the signal's reason when this backend stops
   */
  async execute(options: {
    signal: AbortSignal;
    taken: boolean;
  }): Promise<Run> {
    const { signal, taken } = options;
    const run = this.#run;
    const watched = run.state === 'injecting' || run.state === 'active';
    if (taken && watched) {
      await this.#abort(
        ROCKET,
        'the backend that watched it went away; nobody saw what the fault did since',
      );
    }
    if (run.state === 'injecting') await this.#inject(signal);
    if (run.state === 'active') await this.#watch(signal);
    if (run.state === 'removing') await this.#remove(signal);
    if (run.state === 'observing') await this.#judge(signal);
    return run;
  }

  async #inject(signal: AbortSignal) {
    const run = this.#run;
    const engine = this.#engine();
    const deadline = Date.parse(run.startedAt) + INJECTION_DEADLINE_MS;
    try {
      await this.#call(signal, call =>
        engine.inject(this.#engineRun(), { signal: call }),
      );
    } catch (error) {
      signal.throwIfAborted();
      await this.#giveUp(`the fault could not be injected: ${reason(error)}`);
      return;
    }
    for (;;) {
      if (await this.#abortAsked()) return;
      const state = await this.#observeEngine(signal);
      if (state) this.#keep(state);
      switch (state?.state) {
        case 'injected':
          run.injectedAt = state.injectedAt ?? this.#time();
          run.state = 'active';
          await this.#save(
            `The fault is in place on ${run.targets.length} of the planned targets`,
            run.engine,
          );
          return;
        case 'recovered':
          // What happens once is over as soon as it is seen.
          run.injectedAt = state.injectedAt ?? this.#time();
          run.state = 'active';
          await this.#save('The fault happened', run.engine);
          return;
        case 'partial':
          await this.#giveUp(
            `the fault reached only a part of its targets: ${
              state.message ?? 'the engine gives no reason'
            }`,
          );
          return;
        case 'failed':
          await this.#giveUp(
            `the fault could not be injected: ${
              state.message ?? 'the engine gives no reason'
            }`,
          );
          return;
        default:
      }
      if (this.#deps.now() > deadline) {
        await this.#giveUp(
          `the fault was not in place after ${INJECTION_DEADLINE_MS / 1000} s${
            state?.message ? `: ${state.message}` : ''
          }`,
        );
        return;
      }
      await this.#deps.sleep(TICK_MS, signal);
    }
  }

  async #watch(signal: AbortSignal) {
    const run = this.#run;
    const { fault, durationSeconds = 0 } = run.experiment;
    const end = Date.parse(run.injectedAt!) + durationSeconds * 1000;
    let missed = 0;
    let nextLook = 0;
    while (!isOneShot(fault) && this.#deps.now() < end) {
      if (await this.#abortAsked()) return;
      const state = await this.#observeEngine(signal);
      missed = state === undefined ? missed + 1 : 0;
      if (state) this.#keep(state);
      if (missed * TICK_MS >= INJECTION_DEADLINE_MS) {
        await this.#abort(ROCKET, 'the engine does not answer any more');
        return;
      }
      if (state?.state === 'recovered') break;
      if (state?.state === 'absent') {
        await this.#abort(
          ROCKET,
          'the fault is gone before its time: the engine knows nothing of it any more',
        );
        return;
      }
      if (this.#deps.now() >= nextLook) {
        nextLook = this.#deps.now() + OBSERVE_MS;
        const rule = await this.#slis.abortRule(run, signal);
        if (rule) {
          await this.#abort(ROCKET, rule);
          return;
        }
      }
      await this.#deps.sleep(TICK_MS, signal);
    }
    run.state = 'removing';
    await this.#save('The time of the fault is over');
  }

  /** Tries until it is gone; a fault that stays is told, and still tried. */
  async #remove(signal: AbortSignal) {
    const run = this.#run;
    const since = this.#deps.now();
    for (;;) {
      let message: string;
      let pause = TICK_MS;
      try {
        const result = await this.#call(signal, call =>
          this.#engine().remove(this.#engineRun(), { signal: call }),
        );
        if (result.outcome === 'gone') {
          run.faultLeft = undefined;
          break;
        }
        if (result.outcome === 'unknown') {
          run.faultLeft = true;
          await this.#save(
            `The fault may still be in place; a person has to look: ${result.message}`,
            run.engine,
          );
          break;
        }
        message = result.message;
        pause = result.afterMs;
      } catch (error) {
        signal.throwIfAborted();
        message = reason(error);
      }
      if (!run.faultLeft && this.#deps.now() - since > REMOVAL_DEADLINE_MS) {
        run.faultLeft = true;
        await this.#save(
          `The fault could not be taken away so far, and is tried on: ${message}`,
          run.engine,
        );
      }
      await this.#deps.sleep(
        run.faultLeft ? Math.max(pause, OBSERVE_MS) : pause,
        signal,
      );
      await this.#abortAsked();
    }
    run.faultEndedAt ??=
      isOneShot(run.experiment.fault) && run.injectedAt
        ? run.injectedAt
        : this.#time();
    run.state = 'observing';
    await this.#save(
      run.faultLeft
        ? 'Rocket can do no more about the fault'
        : 'The fault is gone',
    );
  }

  /** Waits for the steady state, as long as it may take, and gives the verdict. */
  async #judge(signal: AbortSignal) {
    const run = this.#run;
    if (run.injectedAt === undefined) {
      // Nothing was broken, so nothing is to be seen.
      await this.#end({
        verdict: 'inconclusive',
        reasons: [
          `Nothing was learned: ${
            run.abort?.reason ?? 'no fault was injected'
          }`,
        ],
        criteria: [],
      });
      return;
    }
    for (;;) {
      const now = this.#deps.now();
      const judged = await this.#slis.judge(run, now, signal);
      if (judged.final) {
        await this.#end(
          judged.evaluation ?? {
            verdict: run.abort ? 'aborted' : 'inconclusive',
            reasons: ['The SLIs could not be read after the fault.'],
            criteria: [],
          },
        );
        return;
      }
      await this.#deps.sleep(OBSERVE_MS, signal);
      await this.#abortAsked();
    }
  }

  async #end(evaluation: Evaluation) {
    const run = this.#run;
    run.state = 'ended';
    run.verdict = evaluation.verdict;
    run.evaluation = evaluation;
    run.endedAt = this.#time();
    await this.#save(
      `Verdict: ${evaluation.verdict}. ${evaluation.reasons[0]}`,
    );
  }

  /** Undefined when the engine did not answer. */
  async #observeEngine(
    signal: AbortSignal,
  ): Promise<InjectionState | undefined> {
    try {
      return await this.#call(signal, call =>
        this.#engine().observe(this.#engineRun(), { signal: call }),
      );
    } catch (error) {
      signal.throwIfAborted();
      this.#deps.logger.warn(
        `engine ${this.#run.engine} does not tell of run ${
          this.#run.id
        }: ${reason(error)}`,
      );
      return undefined;
    }
  }

  #keep(state: InjectionState) {
    if (state.targets.length > 0) this.#run.targets = state.targets;
    if (state.record) this.#run.engineRecord = state.record;
  }

  /** Ends an injection that did not come about: what may be there is taken away, and nothing was learned. */
  async #giveUp(why: string) {
    const run = this.#run;
    run.state = 'removing';
    run.abort ??= { by: ROCKET, at: this.#time(), reason: why };
    await this.#save(`Given up: ${why}`);
  }

  async #abort(by: string, why: string) {
    const run = this.#run;
    run.abort ??= { by, at: this.#time(), reason: why };
    run.state = 'removing';
    await this.#save(`Aborted: ${run.abort.reason}`, run.abort.by);
  }

  /** Keeps the run; true when somebody wants it to end and the fault may be in place. */
  async #abortAsked(): Promise<boolean> {
    const run = this.#run;
    const kept = await this.#deps.store.renew(
      run.id,
      this.#holder,
      new Date(this.#deps.now() + LEASE_MS),
    );
    if (!kept) throw new LeaseLostError(`Run ${run.id} is another's`);
    if (!kept.abort || run.abort) return false;
    run.abort = kept.abort;
    if (run.state !== 'injecting' && run.state !== 'active') return false;
    await this.#abort(kept.abort.by, kept.abort.reason);
    return true;
  }

  async #save(message: string, by: string = ROCKET) {
    const run = this.#run;
    const event = { at: this.#time(), by, message };
    if (!(await this.#deps.store.save(run, this.#holder, [event]))) {
      throw new LeaseLostError(`Run ${run.id} is another's`);
    }
    try {
      await this.#deps.changed?.(run);
    } catch (error) {
      this.#deps.logger.warn(
        `chaos run ${run.id} was not told: ${reason(error)}`,
      );
    }
  }

  /** A call of an engine may not take for ever. */
  #call<T>(
    signal: AbortSignal,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return call(
      AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]),
    );
  }

  #engine(): ChaosEngine {
    const engine = this.#deps.engines.get(this.#run.engine);
    if (!engine) {
      throw new Error(`There is no engine '${this.#run.engine}' any more`);
    }
    return engine;
  }

  #engineRun(): EngineRun {
    const { id, team, experiment } = this.#run;
    const environment = this.#deps.environment(experiment.target.environment);
    if (!environment) {
      throw new Error(
        `There is no environment '${experiment.target.environment}' any more`,
      );
    }
    return { id, team, environment, experiment };
  }

  #time(): string {
    return new Date(this.#deps.now()).toISOString();
  }
}

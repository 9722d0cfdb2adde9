import type { LoggerService } from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import {
  BLIND_SECONDS,
  evaluateRun,
  windowsOf,
  type Evaluation,
  type Run,
} from '@rocket/plugin-chaos-common';
import type { SteadyState, SteadyStateAnswer } from './SteadyState';

const MINUTE_MS = 60_000;

export interface RunSlisDeps {
  steadyState: SteadyState;
  /** Critical paths that a component serves, the target's own first. */
  reach(run: Run): Promise<string[]>;
  logger: LoggerService;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** What the SLIs say of a run, while it goes on and after it. */
export class RunSlis {
  readonly #deps: RunSlisDeps;

  constructor(deps: RunSlisDeps) {
    this.#deps = deps;
  }

  /** Why the fault must go now; undefined while it may stay. */
  async abortRule(run: Run, signal: AbortSignal): Promise<string | undefined> {
    const now = this.#deps.now();
    const answer = await this.#read(run, now, signal);
    const age =
      answer?.watermark === undefined
        ? Infinity
        : (now - answer.watermark) / 1000;
    // A run that has just begun cannot have new minutes yet.
    const blindFor = Math.min(age, (now - Date.parse(run.startedAt)) / 1000);
    if (blindFor > BLIND_SECONDS) {
      return `telemetry has stopped: the newest figures are ${
        Number.isFinite(age) ? `${Math.round(age)} s old` : 'missing'
      }`;
    }
    if (!answer) return undefined;
    if (answer.burning.length > 0) {
      return `the error budget of ${answer.burning.join(', ')} burns fast`;
    }
    const { breachedMinutes } = run.experiment.abort;
    if (breachedMinutes !== undefined) {
      const worst = Math.max(
        0,
        ...evaluate(run, answer, now)
          .criteria.filter(({ criterion }) => criterion.critical)
          .map(({ during }) => during.breached),
      );
      if (worst >= breachedMinutes) {
        return `the steady state was breached for ${worst} ${
          worst === 1 ? 'minute' : 'minutes'
        }`;
      }
    }
    return undefined;
  }

  /** The evaluation as it stands; final when everything came back, or when no figure that counts can come any more. */
  async judge(
    run: Run,
    now: number,
    signal: AbortSignal,
  ): Promise<{ evaluation?: Evaluation; final: boolean }> {
    const answer = await this.#read(run, now, signal);
    const evaluation = answer && evaluate(run, answer, now);
    const recovered =
      evaluation?.criteria.every(
        ({ recoveredAt }) => recoveredAt !== undefined,
      ) ?? false;
    const { to } = windowsOf(timesOf(run, now), run.experiment.recovery).after;
    // Late figures get as long to come as a blind source is borne.
    const over =
      (answer?.watermark ?? 0) >= to || now >= to + BLIND_SECONDS * 1000;
    return { evaluation, final: recovered || over };
  }

  /** Undefined when they could not be read. */
  async #read(
    run: Run,
    now: number,
    signal: AbortSignal,
  ): Promise<SteadyStateAnswer | undefined> {
    const { before, after } = windowsOf(
      timesOf(run, now),
      run.experiment.recovery,
    );
    try {
      return await this.#deps.steadyState.read({
        experiment: run.experiment,
        reach: await this.#deps.reach(run),
        from: before.from,
        to: Math.min(after.to, Math.floor(now / MINUTE_MS) * MINUTE_MS),
      });
    } catch (error) {
      signal.throwIfAborted();
      this.#deps.logger.warn(
        `SLIs of chaos run ${run.id} could not be read: ${
          toError(error).message
        }`,
      );
      return undefined;
    }
  }
}

function timesOf(run: Run, now: number) {
  const injectedAt = run.injectedAt ? Date.parse(run.injectedAt) : now;
  return {
    injectedAt,
    endedAt: run.faultEndedAt
      ? Date.parse(run.faultEndedAt)
      : Math.max(now, injectedAt),
  };
}

function evaluate(run: Run, answer: SteadyStateAnswer, now: number) {
  return evaluateRun(run.experiment, answer.minutes, {
    ...timesOf(run, now),
    alertAt: answer.alertAt,
    aborted: run.abort?.reason,
  });
}

import type { CriterionMinute, Experiment } from '@rocket/plugin-chaos-common';

/** A question about the SLIs of a hypothesis. */
export interface SteadyStateRequest {
  experiment: Pick<Experiment, 'hypothesis'>;
  /** Critical paths that the fault can reach. */
  reach: string[];
  /** Milliseconds since the epoch, whole minutes. */
  from: number;
  to: number;
}

/** What the SLIs say, as far as they are known by now. */
export interface SteadyStateAnswer {
  /** Per criterion of the hypothesis, in its order. */
  minutes: CriterionMinute[][];
  /** End of the newest minute that every source answered for; undefined before the first answer. */
  watermark?: number;
  /** Critical paths whose budget burns fast now. */
  burning: string[];
  /** When the first alert of a path was opened in the window. */
  alertAt?: number;
}

/** Reads SLIs at minute resolution; critical-paths stands behind it. */
export interface SteadyState {
  read(request: SteadyStateRequest): Promise<SteadyStateAnswer>;
}

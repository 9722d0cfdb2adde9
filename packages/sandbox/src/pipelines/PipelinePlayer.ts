import { setTimeout as sleep } from 'node:timers/promises';
import type { SandboxLogger } from '../ingest/types';
import type { TrafficMarker } from '../traffic';
import { LONGEST_RUN_MS, pipelineRuns, type PipelineRun } from './pipelineRuns';

const DAY = 86_400_000;
const REQUEST_TIMEOUT_MS = 20_000;
const LONGEST_WAIT_MS = 30_000;
/** In this time every application was deployed: a run names the commit before its own. */
const CONTEXT_MS = 15 * DAY;

export interface PipelineOptions {
  /** Deployments and incidents of the scenario with a time in [from, to), epoch milliseconds. */
  markersBetween(from: number, to: number): TrafficMarker[];
  /** Days of history that are pushed at the start. */
  historyDays: number;
  /** Address of the portal. */
  portalUrl: string;
  /** Static token of the demo organisation's pipelines. */
  token: string;
  /** How often it is looked what is over by now. Default: 60 s. */
  everyMs?: number;
  /** Before the first repetition of what the portal did not take. Default: 1 s. */
  retryMs?: number;
  logger?: SandboxLogger;
  now?: () => number;
}

/**
 * Plays the pipelines of the demo organisation: pushes their builds and
 * deployments through the portal's front door, first those of the history, then
 * each when it is over. What the portal has already stays as it is.
 */
export function startPipelines(options: PipelineOptions): {
  /** Resolves when the history was pushed, or given up. */
  ready: Promise<void>;
  stop(): Promise<void>;
} {
  const { logger, everyMs = 60_000, retryMs = 1_000 } = options;
  const now = options.now ?? Date.now;
  const ending = new AbortController();
  const { signal } = ending;
  const url = `${options.portalUrl.replace(/\/+$/, '')}/api/ci-registry/pushes`;

  /** False when nothing more can be pushed. */
  async function push(run: PipelineRun): Promise<boolean> {
    for (let wait = retryMs; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      let problem: string;
      try {
        const response = await fetch(url, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${options.token}`,
            'content-type': 'application/json',
          },
          body: JSON.stringify(run.push),
          signal: AbortSignal.any([
            signal,
            AbortSignal.timeout(REQUEST_TIMEOUT_MS),
          ]),
        });
        const text = await response.text();
        if (response.ok) {
          return true;
        }
        problem = `${response.status} ${text.slice(0, 300)}`;
        if (response.status === 401 || response.status === 403) {
          logger?.warn(
            `The portal does not let the demo pipelines in, so they push nothing: ${problem}`,
          );
          return false;
        }
        if (response.status < 500 && ![404, 429].includes(response.status)) {
          logger?.warn(`The portal does not take a demo push: ${problem}`);
          return true;
        }
      } catch (error) {
        // The portal starts beside us, and may be started anew.
        problem = String(error);
      }
      if (signal.aborted) {
        return false;
      }
      await sleep(wait, undefined, { signal }).catch(() => {});
    }
  }

  async function pushAll(from: number, to: number): Promise<boolean> {
    const runs = pipelineRuns(
      options.markersBetween(from - CONTEXT_MS, to + LONGEST_RUN_MS),
    ).filter(({ at }) => at >= from && at < to);
    for (const run of runs) {
      if (!(await push(run))) {
        return false;
      }
    }
    return true;
  }

  let done = () => {};
  const ready = new Promise<void>(resolve => {
    done = resolve;
  });
  const work = (async () => {
    let from = now() - options.historyDays * DAY;
    for (;;) {
      const to = now();
      if (!(await pushAll(from, to))) {
        return;
      }
      from = to;
      done();
      await sleep(everyMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) {
        return;
      }
    }
  })()
    .catch(error => logger?.warn(`The demo pipelines ended: ${error}`))
    .finally(done);

  return {
    ready,
    stop: async () => {
      ending.abort();
      await work;
    },
  };
}

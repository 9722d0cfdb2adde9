import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Observation } from '@rocket/plugin-provisioning-common';
import type { EffectContext } from '@rocket/plugin-provisioning-node';
import type { Actor } from './EffectLedger';
import type { EffectHandlers } from './EffectHandlers';
import type { EffectRecord } from './EffectStore';
import type { LeasedWork, Work } from './LeasedWork';
import { redactText } from './secrets';

const OBSERVE_TIMEOUT_MS = 30_000;
/** After an attempt to take something back that nobody repeated. */
const RETRY_REMOVAL_MS = 60_000;

/** One attempt each to make, take back and look at an effect, written down before and after. */
export class EffectAttempts {
  readonly #handlers: EffectHandlers;
  readonly #work: LeasedWork;
  readonly #logger: LoggerService;
  readonly #now: () => Date;

  constructor(deps: {
    handlers: EffectHandlers;
    work: LeasedWork;
    logger: LoggerService;
    now: () => Date;
  }) {
    this.#handlers = deps.handlers;
    this.#work = deps.work;
    this.#logger = deps.logger;
    this.#now = deps.now;
  }

  async apply(work: Work, actor: Actor): Promise<EffectRecord> {
    const handler = this.#handlers.get(work.effect.type);
    await work.change({
      state: 'applying',
      message: undefined,
      instruction: undefined,
      observation: undefined,
    });
    try {
      work.signal.throwIfAborted();
      const details = await handler.apply(work.effect, context(work, actor));
      return await work.change(
        { state: 'live', details, message: undefined },
        { release: true },
      );
    } catch (error) {
      await this.#leave(work, error as Error, message =>
        work.change({ state: 'failed', message }, { release: true }),
      );
      throw error;
    }
  }

  async remove(work: Work, mode: 'undo' | 'retire', actor: Actor) {
    if (work.effect.state === 'undone') {
      return { effect: await work.change({}, { release: true }) };
    }
    const handler = this.#handlers.get(work.effect.type);
    const before = work.effect;
    if (
      mode === 'retire' &&
      before.state === 'retained' &&
      before.retainedUntil! > this.#now().toISOString()
    ) {
      return { effect: await work.change({}, { release: true }) };
    }
    await work.change({
      state: 'undoing',
      removal: mode,
      message: undefined,
      instruction: undefined,
    });
    try {
      work.signal.throwIfAborted();
      const result = await handler.remove(
        // The handler sees whether its time is over.
        { ...work.effect, retainedUntil: before.retainedUntil },
        mode,
        context(work, actor),
      );
      switch (result.outcome) {
        case 'done':
          return {
            effect: await work.change(
              {
                state: 'undone',
                message: result.message,
                retainedUntil: undefined,
              },
              { release: true },
            ),
          };
        case 'retained':
          return {
            effect: await work.change(
              {
                state: 'retained',
                message: result.message,
                retainedUntil: result.until.toISOString(),
              },
              { release: true },
            ),
          };
        case 'manual':
          return {
            effect: await work.change(
              { state: 'manual', instruction: result.instruction },
              { release: true },
            ),
          };
        default:
          return {
            effect: await work.change(
              { state: 'undoing', message: result.message },
              {
                attendAt: this.#work.in(result.afterMs + RETRY_REMOVAL_MS),
              },
            ),
            retryAfterMs: result.afterMs,
          };
      }
    } catch (error) {
      await this.#leave(work, error as Error, message =>
        work.change(
          { state: 'undoing', message },
          { attendAt: this.#work.in(RETRY_REMOVAL_MS) },
        ),
      );
      throw error;
    }
  }

  /** After an error: written down, or left for the next backend when this one stops. */
  async #leave(
    work: Work,
    error: Error,
    write: (message: string) => Promise<unknown>,
  ) {
    const written = this.#work.closing
      ? work.change({}, { attendAt: this.#now().toISOString() })
      : write(error.message || error.name);
    await written.catch(problem =>
      this.#logger.warn(
        `effect ${work.effect.id} could not be written: ${problem}`,
      ),
    );
  }

  /** A source that does not answer is `unknown`. */
  async look(effect: EffectRecord, signal?: AbortSignal): Promise<Observation> {
    const timeout = AbortSignal.timeout(OBSERVE_TIMEOUT_MS);
    try {
      const handler = this.#handlers.get(effect.type);
      const stop = AbortSignal.any(signal ? [signal, timeout] : [timeout]);
      const found = await Promise.race([
        handler.observe(effect, { signal: stop, progress: async () => {} }),
        new Promise<never>((_resolve, reject) => {
          stop.addEventListener('abort', () => reject(stop.reason), {
            once: true,
          });
        }),
      ]);
      return {
        ...found,
        message: found.message && redactText(found.message),
        observedAt: this.#now().toISOString(),
      };
    } catch (error) {
      // No answer says nothing about the thing.
      return {
        state: 'unknown',
        message: redactText((error as Error).message || String(error)),
        observedAt: this.#now().toISOString(),
      };
    }
  }
}

function context(work: Work, actor: Actor): EffectContext {
  return {
    signal: work.signal,
    credentials: actor.credentials,
    async progress(message) {
      await work.change({ message });
    },
  };
}

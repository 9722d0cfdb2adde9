import type { LoggerService } from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import type { EffectLedger } from '../effects/EffectLedger';
import { ENGINE } from './OperationEngine';

/** Removals in one sweep; the next one goes on. */
const MAX_PER_SWEEP = 10;

/** Drops data that was kept after retirement when its time is over. */
export class RetentionSweeper {
  readonly #ledger: Pick<EffectLedger, 'list' | 'remove'>;
  readonly #logger: LoggerService;
  readonly #now: () => number;

  constructor(deps: {
    ledger: Pick<EffectLedger, 'list' | 'remove'>;
    logger: LoggerService;
    /** Milliseconds since 1970. */
    now?: () => number;
  }) {
    this.#ledger = deps.ledger;
    this.#logger = deps.logger;
    this.#now = deps.now ?? Date.now;
  }

  /** One attempt at each that is due; what fails is tried by the next sweep. */
  async sweep(signal?: AbortSignal): Promise<void> {
    const now = new Date(this.#now()).toISOString();
    const due = (await this.#ledger.list({ states: ['retained'] }))
      .filter(({ retainedUntil }) => retainedUntil && retainedUntil <= now)
      .sort((a, b) => (a.retainedUntil! < b.retainedUntil! ? -1 : 1));
    if (due.length > MAX_PER_SWEEP) {
      this.#logger.warn(
        `${due.length} things are kept longer than they have to be; ${MAX_PER_SWEEP} of them go now`,
      );
    }
    for (const { id, type, reference } of due.slice(0, MAX_PER_SWEEP)) {
      signal?.throwIfAborted();
      try {
        const { effect } = await this.#ledger.remove(
          id,
          'retire',
          { name: ENGINE },
          { signal },
        );
        this.#logger.info(
          `${type} ${reference}, kept after retirement, is ${effect.state}`,
        );
      } catch (error) {
        this.#logger.warn(
          `${type} ${reference}, kept after retirement, could not be removed: ${
            toError(error).message
          }`,
        );
      }
    }
  }
}

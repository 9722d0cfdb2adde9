import type {
  LoggerService,
  SchedulerService,
} from '@backstage/backend-plugin-api';
import { Limiter } from '../service/Limiter';
import type { DefaultEffectLedger } from './DefaultEffectLedger';
import type { EffectStore } from './EffectStore';

/** Effects that are looked at in one round; the others have their turn in the next. */
const ROUND = 200;
const AT_ONCE = 4;

/** What the ledger does without being asked: goes on with interrupted work and looks for drift. */
export class EffectUpkeep {
  readonly #ledger: DefaultEffectLedger;
  readonly #store: EffectStore;
  readonly #logger: LoggerService;
  readonly #intervalMs: number;
  readonly #now: () => Date;

  constructor(deps: {
    ledger: DefaultEffectLedger;
    store: EffectStore;
    logger: LoggerService;
    /** Time between two looks at the same effect. */
    intervalMs: number;
    now?: () => Date;
  }) {
    this.#ledger = deps.ledger;
    this.#store = deps.store;
    this.#logger = deps.logger;
    this.#intervalMs = deps.intervalMs;
    this.#now = deps.now ?? (() => new Date());
  }

  /** Looks at the live effects whose turn it is. One that fails does not keep the others from theirs. */
  async reconcile(signal?: AbortSignal): Promise<void> {
    const before = new Date(this.#now().getTime() - this.#intervalMs);
    const due = await this.#store.listUnobserved(before.toISOString(), ROUND);
    const limiter = new Limiter(AT_ONCE);
    await Promise.all(
      due.map(({ id }) =>
        limiter.run(async () => {
          if (signal?.aborted) return;
          await this.#ledger
            .observe(id, { signal })
            .catch(error => this.#logger.warn(`effect ${id}: ${error}`));
        }),
      ),
    );
  }

  async schedule(scheduler: SchedulerService): Promise<void> {
    // Leases keep replicas apart.
    await scheduler.scheduleTask({
      id: 'provisioning-effects-take-up',
      scope: 'local',
      frequency: { seconds: 10 },
      initialDelay: { seconds: 5 },
      timeout: { minutes: 1 },
      fn: async () => {
        // In the background: what takes long keeps nothing else waiting, and its lease keeps others off.
        this.#ledger
          .takeUp()
          .catch(error => this.#logger.warn(`interrupted effects: ${error}`));
      },
    });
    await scheduler.scheduleTask({
      id: 'provisioning-effects-reconcile',
      frequency: { milliseconds: Math.max(10_000, this.#intervalMs / 2) },
      initialDelay: { seconds: 30 },
      timeout: { minutes: 10 },
      fn: signal => this.reconcile(signal),
    });
  }
}

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  AuditorService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { ConflictError } from '@backstage/errors';
import { redact, redactText } from './secrets';
import type { EffectPatch, EffectRecord, EffectStore } from './EffectStore';

const POLL_MS = 200;

/** Work on one effect while its lease is held. */
export interface Work {
  readonly effect: EffectRecord;
  /** Aborts when the lease is lost, the caller gives up or the backend stops. */
  readonly signal: AbortSignal;
  /** Writes and audits; a change of state or message becomes an event. */
  change(
    patch: EffectPatch,
    options?: { release?: boolean; attendAt?: string },
  ): Promise<EffectRecord>;
}

/** An effect and the lease on it. */
export interface Claimed {
  effect: EffectRecord;
  holder: string;
}

/** Takes, renews and gives back the leases of one backend, and writes under them. */
export class LeasedWork {
  readonly #store: EffectStore;
  readonly #auditor: AuditorService;
  readonly #logger: LoggerService;
  readonly leaseMs: number;
  readonly #now: () => Date;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  constructor(deps: {
    store: EffectStore;
    auditor: AuditorService;
    logger: LoggerService;
    leaseMs: number;
    now: () => Date;
  }) {
    this.#store = deps.store;
    this.#auditor = deps.auditor;
    this.#logger = deps.logger;
    this.leaseMs = deps.leaseMs;
    this.#now = deps.now;
  }

  get closing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** A lease for whoever asks; each piece of work has its own. */
  lease() {
    return { holder: randomUUID(), until: this.in(this.leaseMs) };
  }

  /** ISO 8601. */
  in(ms: number): string {
    return new Date(this.#now().getTime() + ms).toISOString();
  }

  async claim(id: string) {
    const lease = this.lease();
    const effect = await this.#store.claim(id, lease);
    return effect && { effect, holder: lease.holder };
  }

  /** Waits as long as a killed backend's lease can last. */
  async claimPatiently(effect: EffectRecord, signal?: AbortSignal) {
    const end = Date.now() + this.leaseMs + 10 * POLL_MS;
    for (;;) {
      const claimed = await this.claim(effect.id);
      if (claimed) return claimed;
      if (Date.now() > end) {
        throw new ConflictError(
          `${effect.type} ${effect.reference} is being worked on for ${effect.run}; try again when that has ended`,
        );
      }
      await delay(POLL_MS, undefined, { signal });
    }
  }

  /** Runs with the lease renewed all the time; gives it back in the end. */
  async run<T>(
    claimed: Claimed,
    actor: string,
    signal: AbortSignal | undefined,
    what: (work: Work) => Promise<T>,
  ): Promise<T> {
    const { holder } = claimed;
    const { id } = claimed.effect;
    const lost = new AbortController();
    const heartbeat = setInterval(() => {
      this.#store.renew(id, { holder, until: this.in(this.leaseMs) }).then(
        held => {
          if (!held) lost.abort(new ConflictError('Somebody else took it up'));
        },
        error => this.#logger.warn(`lease of effect ${id}: ${error}`),
      );
    }, Math.max(50, this.leaseMs / 3));
    const signals = [lost.signal, this.#closing.signal];
    const work = {
      effect: claimed.effect,
      signal: AbortSignal.any(signal ? [...signals, signal] : signals),
      change: async (
        patch: EffectPatch,
        options: { release?: boolean; attendAt?: string } = {},
      ) => {
        work.effect = await this.#change(
          work.effect,
          holder,
          actor,
          patch,
          options,
        );
        return work.effect;
      },
    };
    const running = what(work).finally(() => clearInterval(heartbeat));
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Aborts what is under way and waits for it. What was not finished is taken up by the next backend at once. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('The backend is shutting down'));
    await Promise.allSettled(this.#running);
  }

  async #change(
    before: EffectRecord,
    holder: string,
    actor: string,
    patch: EffectPatch,
    options: { release?: boolean; attendAt?: string },
  ): Promise<EffectRecord> {
    const clean: EffectPatch = { ...patch };
    if (clean.details) clean.details = redact(clean.details);
    if (clean.message) clean.message = redactText(clean.message);
    if (clean.instruction) clean.instruction = redactText(clean.instruction);
    const to = clean.state ?? before.state;
    const message = clean.message ?? clean.instruction;
    const isEvent =
      to !== before.state ||
      (message !== undefined && message !== before.message);
    const after = await this.#store.change(before.id, holder, clean, {
      ...options,
      event:
        isEvent && patch.state
          ? {
              at: this.#now().toISOString(),
              actor,
              from: before.state,
              to,
              message,
            }
          : undefined,
    });
    if (to !== before.state) await this.audit(after, actor, before.state);
    return after;
  }

  /** The ledger goes on without the audit log; what it says is in the events, too. */
  async audit(
    effect: EffectRecord,
    actor: string,
    from?: string,
  ): Promise<void> {
    try {
      const event = await this.#auditor.createEvent({
        eventId: 'effect-state',
        severityLevel: 'medium',
        meta: {
          effect: effect.id,
          type: effect.type,
          reference: effect.reference,
          subject: effect.subject,
          run: effect.run,
          actor,
          ...(from ? { from } : {}),
          to: effect.state,
        },
      });
      if (effect.state === 'failed') {
        await event.fail({ error: new Error(effect.message ?? 'failed') });
      } else {
        await event.success();
      }
    } catch (error) {
      this.#logger.error(`audit of effect ${effect.id}: ${error}`);
    }
  }
}

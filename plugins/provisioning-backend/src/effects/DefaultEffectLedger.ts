import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  AuditorService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { ConflictError, NotFoundError } from '@backstage/errors';
import type {
  Effect,
  EffectRequest,
  Observation,
} from '@rocket/plugin-provisioning-common';
import type {
  EffectContext,
  EffectHandler,
} from '@rocket/plugin-provisioning-node';
import type { Actor, EffectFilter, EffectLedger } from './EffectLedger';
import type { EffectHandlers } from './EffectHandlers';
import type { EffectPatch, EffectRecord, EffectStore } from './EffectStore';
import { LeasedWork, type Work } from './LeasedWork';
import type { Preflight } from './Preflight';
import { redactText, refuseSecrets } from './secrets';

const LEASE_MS = 30_000;
const OBSERVE_TIMEOUT_MS = 30_000;
/** After an attempt to take something back that nobody repeated. */
const RETRY_REMOVAL_MS = 60_000;
const POLL_MS = 200;

type Mode = 'undo' | 'retire';
/** The row, and what comes of the work on it if there is any to do. */
type Begun = { effect: EffectRecord; done?: Promise<EffectRecord> };

/** The ledger over a store and the handlers of this installation. */
export class DefaultEffectLedger implements EffectLedger {
  readonly #store: EffectStore;
  readonly #handlers: EffectHandlers;
  readonly #preflight: Preflight;
  readonly #logger: LoggerService;
  readonly #leaseMs: number;
  readonly #now: () => Date;
  readonly #work: LeasedWork;

  constructor(deps: {
    store: EffectStore;
    handlers: EffectHandlers;
    preflight: Preflight;
    auditor: AuditorService;
    logger: LoggerService;
    /** Time after which a killed backend's work is taken up. Default: 30 s. */
    leaseMs?: number;
    now?: () => Date;
  }) {
    this.#store = deps.store;
    this.#handlers = deps.handlers;
    this.#preflight = deps.preflight;
    this.#logger = deps.logger;
    this.#leaseMs = deps.leaseMs ?? LEASE_MS;
    this.#now = deps.now ?? (() => new Date());
    this.#work = new LeasedWork({
      store: deps.store,
      auditor: deps.auditor,
      logger: deps.logger,
      leaseMs: this.#leaseMs,
      now: this.#now,
    });
  }

  preflight(requests: EffectRequest[], actor: Actor) {
    return this.#preflight.run(requests, actor);
  }

  async perform(
    request: EffectRequest,
    actor: Actor,
    options: { signal?: AbortSignal } = {},
  ): Promise<Effect> {
    const { effect, done } = await this.#begin(request, actor, options.signal);
    return (await done) ?? effect;
  }

  async begin(request: EffectRequest, actor: Actor): Promise<Effect> {
    const { effect, done } = await this.#begin(request, actor);
    // The row tells of the failure.
    done?.catch(error =>
      this.#logger.warn(`${effect.type} ${effect.reference}: ${error}`),
    );
    return effect;
  }

  async expect(request: EffectRequest, actor: Actor): Promise<Effect> {
    return (await this.#begin(request, actor, undefined, true)).effect;
  }

  async remove(
    id: string,
    mode: Mode,
    actor: Actor,
    options: { signal?: AbortSignal } = {},
  ) {
    const found = await this.#store.get(id);
    if (!found) throw new NotFoundError(`There is no effect '${id}'`);
    if (found.state === 'undone') return { effect: found };
    const claimed = await this.#work.claimPatiently(found, options.signal);
    return this.#work.run(claimed, actor.name, options.signal, work =>
      this.#remove(work, mode, actor),
    );
  }

  async observe(
    id: string,
    options: { signal?: AbortSignal } = {},
  ): Promise<Effect> {
    const effect = await this.#store.get(id);
    if (!effect) throw new NotFoundError(`There is no effect '${id}'`);
    if (effect.state !== 'live') return effect;
    const found = await this.#look(effect, options.signal);
    const before = effect.observation?.state;
    return this.#store.keepObservation(
      id,
      found,
      found.state === (before ?? 'present')
        ? undefined
        : {
            at: found.observedAt,
            actor: 'rocket:reconciler',
            from: 'live',
            to: 'live',
            message: describe(found),
          },
    );
  }

  /**
   * Takes up what a killed backend left, or what nobody repeated. Each is tried
   * once; the answer is how many there were.
   */
  async takeUp(limit = 20): Promise<number> {
    const left = await this.#store.listUnattended(limit);
    await Promise.all(
      left.map(async ({ id, actor }) => {
        const claimed = await this.#work.claim(id);
        if (!claimed) return;
        const { effect } = claimed;
        this.#logger.info(
          `going on with ${effect.type} ${effect.reference} (${effect.state})`,
        );
        await this.#work
          .run(claimed, actor, undefined, async work => {
            if (effect.state === 'undoing') {
              await this.#remove(work, effect.removal ?? 'undo', {
                name: actor,
              });
            } else if (['planned', 'applying'].includes(effect.state)) {
              await this.#apply(work, { name: actor });
            } else {
              await work.change({}, { release: true });
            }
          })
          .catch(error =>
            this.#logger.warn(`${effect.type} ${effect.reference}: ${error}`),
          );
      }),
    );
    return left.length;
  }

  get(id: string) {
    return this.#store.get(id);
  }

  list(filter: EffectFilter) {
    return this.#store.list(filter);
  }

  events(effectId: string) {
    return this.#store.events(effectId);
  }

  retireOrder(type: string) {
    return this.#handlers.find(type)?.retireOrder ?? 59;
  }

  /** What was not finished is left as it is, for the next backend. */
  close(): Promise<void> {
    return this.#work.close();
  }

  async #begin(
    request: EffectRequest,
    actor: Actor,
    signal?: AbortSignal,
    deferred = false,
  ): Promise<Begun> {
    const handler = this.#handlers.get(request.type);
    const intent = handler.parseIntent(request.intent);
    refuseSecrets('intent', intent);
    const undo = handler.describeUndo({ reference: request.reference, intent });
    const end = Date.now() + this.#leaseMs + 10 * POLL_MS;
    for (;;) {
      signal?.throwIfAborted();
      const inserted = await this.#insert(
        { ...request, intent },
        undo,
        actor,
        deferred,
      );
      if (inserted) {
        return deferred
          ? { effect: inserted.effect }
          : this.#goOn(inserted, actor, signal);
      }

      const row = await this.#store.findActive(request.type, request.reference);
      // Undone in between.
      if (!row) continue;
      await this.#refuseForeign(row, request, handler);
      const asWanted =
        row.state === 'live' &&
        row.owner === request.owner &&
        isDeepStrictEqual(row.intent, intent) &&
        !['absent', 'drifted'].includes(row.observation?.state ?? '');
      if (asWanted || (deferred && row.state === 'live')) {
        return { effect: row };
      }
      const claimed = await this.#work.claim(row.id);
      if (!claimed) {
        if (row.run !== request.run || Date.now() > end) {
          throw new ConflictError(
            `${row.type} ${row.reference} is being made by ${row.run}; try again when that has ended`,
          );
        }
        await delay(POLL_MS, undefined, { signal });
        continue;
      }
      const patch: EffectPatch = { intent, undo, owner: request.owner };
      if (!(await this.#store.hasBeen(row.id, 'live'))) {
        Object.assign(patch, {
          run: request.run,
          step: request.step,
          actor: actor.name,
        });
      }
      const { holder } = claimed;
      if (['undone', 'undoing', 'retained'].includes(claimed.effect.state)) {
        await this.#store.change(row.id, holder, {}, { release: true });
        continue;
      }
      if (deferred) {
        const effect = await this.#work.run(
          claimed,
          actor.name,
          signal,
          ({ change }) =>
            change({ ...patch, state: 'planned' }, { release: true }),
        );
        return { effect };
      }
      const effect = await this.#store.change(row.id, holder, patch, {});
      return this.#goOn({ effect, holder }, actor, signal);
    }
  }

  /** Undefined when there is one already. */
  async #insert(
    request: EffectRequest,
    undo: string,
    actor: Actor,
    deferred: boolean,
  ) {
    const now = this.#now().toISOString();
    const lease = this.#work.lease();
    const { type, reference, subject, owner, environment, run, step, intent } =
      request;
    const effect = await this.#store.insert(
      {
        id: randomUUID(),
        type,
        reference,
        subject,
        owner,
        environment,
        run,
        step,
        intent,
        details: {},
        state: 'planned',
        undo,
        actor: actor.name,
        createdAt: now,
        updatedAt: now,
      },
      deferred ? undefined : lease,
      { at: now, actor: actor.name, to: 'planned' },
    );
    if (!effect) return undefined;
    await this.#work.audit(effect, actor.name);
    return { effect, holder: lease.holder };
  }

  #goOn(
    claimed: { effect: EffectRecord; holder: string },
    actor: Actor,
    signal?: AbortSignal,
  ): Begun {
    const done = this.#work.run(claimed, actor.name, signal, work =>
      this.#apply(work, actor),
    );
    return { effect: claimed.effect, done };
  }

  /** @throws ConflictError that names who has it and the way out. */
  async #refuseForeign(
    row: EffectRecord,
    request: EffectRequest,
    handler: EffectHandler,
  ) {
    const what = `${row.type} ${row.reference}`;
    if (
      row.subject !== request.subject ||
      row.environment !== request.environment
    ) {
      throw new ConflictError(
        `${what} belongs to ${row.subject}${
          row.environment ? ` in ${row.environment}` : ''
        } (made by ${row.run}); choose another name`,
      );
    }
    if (row.state === 'undoing') {
      throw new ConflictError(
        `${what} of ${row.run} is being taken back; try again when that has ended`,
      );
    }
    if (row.state === 'retained') {
      throw new ConflictError(
        `${what} of ${row.run} is kept until ${row.retainedUntil} and in nobody's use; choose another name, or have it removed first`,
      );
    }
    if (handler.exclusive && row.run !== request.run) {
      const byOperation = request.run.startsWith('operation:');
      if (!byOperation || row.state !== 'live') {
        throw new ConflictError(
          `${what} was begun by ${row.run}; go on with that run or undo it, or choose another name`,
        );
      }
    }
  }

  async #apply(work: Work, actor: Actor): Promise<EffectRecord> {
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

  async #remove(work: Work, mode: Mode, actor: Actor) {
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

  async #look(
    effect: EffectRecord,
    signal?: AbortSignal,
  ): Promise<Observation> {
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

function describe(found: Observation): string {
  const differences = (found.differences ?? []).map(
    ({ field, intended, found: value }) =>
      `${field} is ${value} and not ${intended}`,
  );
  return redactText(
    [
      `${found.state} when looked at`,
      ...differences,
      ...(found.message ? [found.message] : []),
    ].join('; '),
  );
}

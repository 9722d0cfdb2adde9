import type {
  AuditorService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { NotFoundError } from '@backstage/errors';
import type {
  Effect,
  EffectRequest,
  Observation,
} from '@rocket/plugin-provisioning-common';
import { EffectAdmission } from './EffectAdmission';
import { EffectAttempts } from './EffectAttempts';
import type { EffectHandlers } from './EffectHandlers';
import type { Actor, EffectFilter, EffectLedger } from './EffectLedger';
import type { EffectRecord, EffectStore } from './EffectStore';
import { LeasedWork } from './LeasedWork';
import type { Preflight } from './Preflight';
import { redactText } from './secrets';

const LEASE_MS = 30_000;

type Mode = 'undo' | 'retire';
/** The row, and what comes of the work on it if there is any to do. */
type Begun = { effect: EffectRecord; done?: Promise<EffectRecord> };

/** The ledger over a store and the handlers of this installation. */
export class DefaultEffectLedger implements EffectLedger {
  readonly #store: EffectStore;
  readonly #handlers: EffectHandlers;
  readonly #preflight: Preflight;
  readonly #logger: LoggerService;
  readonly #work: LeasedWork;
  readonly #admission: EffectAdmission;
  readonly #attempts: EffectAttempts;

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
    const now = deps.now ?? (() => new Date());
    const work = new LeasedWork({
      ...deps,
      leaseMs: deps.leaseMs ?? LEASE_MS,
      now,
    });
    this.#work = work;
    this.#admission = new EffectAdmission({ ...deps, work, now });
    this.#attempts = new EffectAttempts({ ...deps, work, now });
  }

  preflight(requests: EffectRequest[], actor: Actor) {
    return this.#preflight.run(requests, actor);
  }

  async perform(
    request: EffectRequest,
    actor: Actor,
    options: { signal?: AbortSignal } = {},
  ): Promise<Effect> {
    const { effect, done } = await this.#begin(request, actor, options);
    return (await done) ?? effect;
  }

  async begin(request: EffectRequest, actor: Actor): Promise<Effect> {
    const { effect, done } = await this.#begin(request, actor, {});
    // The row tells of the failure.
    done?.catch(error =>
      this.#logger.warn(`${effect.type} ${effect.reference}: ${error}`),
    );
    return effect;
  }

  async expect(request: EffectRequest, actor: Actor): Promise<Effect> {
    return (await this.#admission.admit(request, actor, { deferred: true }))
      .effect;
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
      this.#attempts.remove(work, mode, actor),
    );
  }

  async observe(
    id: string,
    options: { signal?: AbortSignal } = {},
  ): Promise<Effect> {
    const effect = await this.#store.get(id);
    if (!effect) throw new NotFoundError(`There is no effect '${id}'`);
    if (effect.state !== 'live') return effect;
    const found = await this.#attempts.look(effect, options.signal);
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
              await this.#attempts.remove(work, effect.removal ?? 'undo', {
                name: actor,
              });
            } else if (['planned', 'applying'].includes(effect.state)) {
              await this.#attempts.apply(work, { name: actor });
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

  describe(effect: Pick<Effect, 'type' | 'reference' | 'intent'>) {
    const handler = this.#handlers.find(effect.type);
    return {
      title: `${handler?.title ?? effect.type} ${effect.reference}`,
      retirement: handler?.describeRetirement?.(effect),
    };
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
    options: { signal?: AbortSignal },
  ): Promise<Begun> {
    const { effect, claimed } = await this.#admission.admit(
      request,
      actor,
      options,
    );
    if (!claimed) return { effect };
    const done = this.#work.run(claimed, actor.name, options.signal, work =>
      this.#attempts.apply(work, actor),
    );
    return { effect, done };
  }
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

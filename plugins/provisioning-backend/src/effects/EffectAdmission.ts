import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { ConflictError } from '@backstage/errors';
import type { EffectRequest } from '@rocket/plugin-provisioning-common';
import type { EffectHandler } from '@rocket/plugin-provisioning-node';
import type { Actor } from './EffectLedger';
import type { EffectHandlers } from './EffectHandlers';
import type { EffectPatch, EffectRecord, EffectStore } from './EffectStore';
import type { Claimed, LeasedWork } from './LeasedWork';
import { refuseSecrets } from './secrets';

const POLL_MS = 200;

/** Decides which request gets an effect, and writes it down before it is attempted. */
export class EffectAdmission {
  readonly #store: EffectStore;
  readonly #handlers: EffectHandlers;
  readonly #work: LeasedWork;
  readonly #now: () => Date;

  constructor(deps: {
    store: EffectStore;
    handlers: EffectHandlers;
    work: LeasedWork;
    now: () => Date;
  }) {
    this.#store = deps.store;
    this.#handlers = deps.handlers;
    this.#work = deps.work;
    this.#now = deps.now;
  }

  /**
   * @param options.deferred the caller makes it itself; nobody gets the lease
   * @returns the row, and the lease when there is something to do
   * @throws ConflictError that names who has it; InputError
   */
  async admit(
    request: EffectRequest,
    actor: Actor,
    options: { signal?: AbortSignal; deferred?: boolean },
  ): Promise<{ effect: EffectRecord; claimed?: Claimed }> {
    const { signal, deferred = false } = options;
    const handler = this.#handlers.get(request.type);
    handler.checkReference?.(request.reference);
    const intent = handler.parseIntent(request.intent);
    refuseSecrets('intent', intent);
    const undo = handler.describeUndo({ reference: request.reference, intent });
    const end = Date.now() + this.#work.leaseMs + 10 * POLL_MS;
    for (;;) {
      signal?.throwIfAborted();
      const inserted = await this.#insert(
        { ...request, intent },
        undo,
        actor,
        deferred,
      );
      if (inserted) {
        const { effect } = inserted;
        return deferred ? { effect } : { effect, claimed: inserted };
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
      return { effect, claimed: { effect, holder } };
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
}

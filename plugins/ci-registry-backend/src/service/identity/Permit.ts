import type { IdentityDecision } from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';
import type { IdentityStore } from './IdentityStore';
import { toNote, type Seen } from './seen';

/** What a caller may do, and how to keep that with what it did. */
export class PushPermit {
  /** The rule that allowed it; none for Backstage's own users and services. */
  readonly rule?: string;
  readonly #store: IdentityStore;
  readonly #decision: IdentityDecision;
  readonly #seen?: Seen;
  readonly #now: () => number;

  constructor(options: {
    store: IdentityStore;
    decision: IdentityDecision;
    /** What is noted of the caller's token, if it has one. */
    seen?: Seen;
    now: () => number;
  }) {
    this.rule = options.decision.rule;
    this.#store = options.store;
    this.#decision = options.decision;
    this.#seen = options.seen;
    this.#now = options.now;
  }

  /**
   * Keeps the decision, in the push's transaction when there is one. `NotPermitted` when another repository took the name in
   * this moment. May be called again when the transaction is done again.
   */
  record(tx?: Knex.Transaction): Promise<void> {
    return PushPermit.recordAll([this], tx);
  }

  /** As `record`, for several permits of one authenticator at once. */
  static async recordAll(
    permits: PushPermit[],
    tx?: Knex.Transaction,
  ): Promise<void> {
    if (!permits.length) return;
    const store = permits[0].#store;
    const seen = permits.flatMap(permit =>
      permit.#seen?.token ? [toNote.all(permit.#seen, permit.#now())] : [],
    );
    if (seen.length) {
      const [taken] = await store.note(seen, tx);
      if (taken) throw toNote.recycled(taken);
    }
    await store.addDecisions(
      permits.map(permit => permit.#decision),
      // Nobody gets a permit who is not known.
      true,
      tx,
    );
  }
}

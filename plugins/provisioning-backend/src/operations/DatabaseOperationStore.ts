import type {
  Operation,
  OperationEvent,
  OperationState,
} from '@rocket/plugin-provisioning-common';
import type { Knex } from 'knex';
import type {
  Change,
  OperationFilter,
  OperationRecord,
  OperationStore,
  Progress,
} from './OperationStore';
import {
  progressRow,
  toEvent,
  toRecord,
  toRow,
  type EventRow,
  type OperationRow,
} from './operationRows';

const ACTIVE: OperationState[] = ['waiting', 'running'];
const MAX_LISTED = 200;

const definedOf = (filter: Record<string, string | undefined>) =>
  Object.fromEntries(
    Object.entries(filter).filter(([, value]) => value !== undefined),
  );

/** Operations in the plugin's database, SQLite or PostgreSQL; several backends may share it. */
export class DatabaseOperationStore implements OperationStore {
  readonly #db: Knex;

  constructor(db: Knex) {
    this.#db = db;
  }

  async insert(record: OperationRecord, heldUntil: Date) {
    return this.#db.transaction(async tx => {
      const inTheWay = await findInTheWay(tx, record);
      if (inTheWay) return inTheWay;
      await tx<OperationRow>('operations').insert({
        ...toRow(record),
        next_attempt_at: heldUntil.toISOString(),
      });
      await addEvent(tx, record.id, undefined, record.state, {
        by: record.requestedBy,
        at: new Date(record.requestedAt),
        message: record.reason,
      });
      return undefined;
    });
  }

  async release(id: string, at: Date) {
    await this.#db<OperationRow>('operations')
      .where({ id, lease_token: null })
      .update({ next_attempt_at: at.toISOString() });
  }

  async abandon(id: string, change: Change) {
    for (const state of ACTIVE) {
      await this.#change(
        id,
        query => query.where({ state, lease_token: null }),
        {
          state: 'failed',
          message: change.message,
          finished_at: change.at.toISOString(),
        },
        state,
        change,
      );
    }
  }

  async get(id: string) {
    const row = await this.#db<OperationRow>('operations')
      .where({ id })
      .first();
    return row && toRecord(row);
  }

  async list({ states, ...filter }: OperationFilter) {
    const rows = await this.#db<OperationRow>('operations')
      .where(definedOf(filter))
      .modify(query => {
        if (states) query.whereIn('state', states);
      })
      .orderBy([
        { column: 'requested_at', order: 'desc' },
        { column: 'id', order: 'desc' },
      ])
      .limit(MAX_LISTED);
    return rows.map(toRecord);
  }

  async events(id: string): Promise<OperationEvent[]> {
    const rows = await this.#db<EventRow>('operation_events')
      .where({ operation_id: id })
      .orderBy('id');
    return rows.map(toEvent);
  }

  async decide(
    id: string,
    decision: NonNullable<Operation['decision']>,
    change: Change,
  ) {
    const at = change.at.toISOString();
    const to = decision.approved ? 'running' : 'rejected';
    return this.#change(
      id,
      query => query.where({ state: 'waiting' }).where('expires_at', '>', at),
      {
        state: to,
        decision: JSON.stringify(decision),
        next_attempt_at: at,
        ...(decision.approved ? {} : { finished_at: at }),
      },
      'waiting',
      change,
    );
  }

  async endWaiting(id: string, to: OperationState, change: Change) {
    return this.#change(
      id,
      query => query.where({ state: 'waiting' }),
      {
        state: to,
        message: change.message,
        finished_at: change.at.toISOString(),
      },
      'waiting',
      change,
    );
  }

  async listOverdue(now: Date) {
    const rows = await this.#db<OperationRow>('operations')
      .where({ state: 'waiting' })
      .where('expires_at', '<=', now.toISOString())
      .select('id');
    return rows.map(row => row.id);
  }

  async requestCancel(id: string, by: string, at: Date) {
    const count = await this.#db<OperationRow>('operations')
      .where({ id, state: 'running' })
      // Also one that pauses between two attempts ends at once.
      .update({ cancel_by: by, next_attempt_at: at.toISOString() });
    return count > 0;
  }

  async restart(id: string, progress: Progress, change: Change) {
    return this.#db.transaction(async tx => {
      const row = await tx<OperationRow>('operations').where({ id }).first();
      if (!row || !['failed', 'partial', 'cancelled'].includes(row.state)) {
        return false;
      }
      if (await findInTheWay(tx, toRecord(row))) return false;
      const count = await tx<OperationRow>('operations')
        .where({ id, state: row.state })
        .update({
          ...progressRow(progress),
          state: 'running',
          finished_at: null,
          cancel_by: null,
          next_attempt_at: change.at.toISOString(),
        });
      if (count > 0) await addEvent(tx, id, row.state, 'running', change);
      return count > 0;
    });
  }

  async claim(token: string, now: Date, until: Date) {
    const at = now.toISOString();
    const due = (query: Knex.QueryBuilder) =>
      query
        .where({ state: 'running' })
        .where('next_attempt_at', '<=', at)
        .where(free =>
          free.whereNull('lease_until').orWhere('lease_until', '<=', at),
        );
    const candidates = await this.#db<OperationRow>('operations')
      .modify(due)
      .orderBy('next_attempt_at')
      .limit(10)
      .select('id');
    for (const { id } of candidates) {
      const won = await this.#db<OperationRow>('operations')
        .where({ id })
        .modify(due)
        .update({ lease_token: token, lease_until: until.toISOString() });
      if (won > 0) return this.get(id);
    }
    return undefined;
  }

  async renew(id: string, token: string, until: Date) {
    const held = await this.#held(id, token).update({
      lease_until: until.toISOString(),
    });
    if (held === 0) return { held: false };
    return { held: true, cancelBy: (await this.get(id))?.cancelBy };
  }

  async save(id: string, token: string, progress: Progress) {
    return (await this.#held(id, token).update(progressRow(progress))) > 0;
  }

  async pause(
    id: string,
    token: string,
    progress: Progress,
    nextAttemptAt: Date,
  ) {
    const count = await this.#held(id, token).update({
      ...progressRow(progress),
      lease_token: null,
      lease_until: null,
      // Somebody who cancelled it meanwhile does not wait.
      next_attempt_at: this.#db.raw(
        'CASE WHEN cancel_by IS NULL THEN ? ELSE requested_at END',
        [nextAttemptAt.toISOString()],
      ),
    });
    return count > 0;
  }

  async finish(
    id: string,
    token: string,
    state: OperationState,
    progress: Progress,
    change: Change,
  ) {
    return this.#change(
      id,
      query => query.where({ lease_token: token, state: 'running' }),
      {
        ...progressRow(progress),
        state,
        lease_token: null,
        lease_until: null,
        finished_at: change.at.toISOString(),
      },
      'running',
      change,
    );
  }

  async listUntold() {
    const rows = await this.#db<OperationRow>('operations')
      // Only those that somebody had to agree to are told of.
      .whereNotNull('approval_groups')
      .whereNot({ state: 'running' })
      .where(untold =>
        untold.whereNull('notified').orWhereRaw('notified <> state'),
      )
      .orderBy('requested_at')
      .limit(MAX_LISTED);
    return rows.map(toRecord);
  }

  async setTold(id: string, state: OperationState) {
    await this.#db<OperationRow>('operations')
      .where({ id })
      .update({ notified: state });
  }

  #held(id: string, token: string) {
    return this.#db<OperationRow>('operations').where({
      id,
      lease_token: token,
      state: 'running',
    });
  }

  /** State and event together, or neither. */
  async #change(
    id: string,
    condition: (query: Knex.QueryBuilder) => Knex.QueryBuilder,
    patch: Partial<OperationRow>,
    from: OperationState,
    change: Change,
  ): Promise<boolean> {
    return this.#db.transaction(async tx => {
      const count = await tx<OperationRow>('operations')
        .where({ id })
        .modify(condition)
        .update(patch);
      if (count > 0) await addEvent(tx, id, from, patch.state!, change);
      return count > 0;
    });
  }
}

/** Serializes requests for one subject until the transaction ends, and looks. */
async function findInTheWay(
  tx: Knex.Transaction,
  record: Pick<OperationRecord, 'subject' | 'environment'>,
): Promise<OperationRecord | undefined> {
  if (tx.client.config.client === 'pg') {
    await tx.raw('SELECT pg_advisory_xact_lock(hashtext(?))', [
      `rocket-operations:${record.subject}`,
    ]);
  }
  const active = await tx<OperationRow>('operations')
    .where({ subject: record.subject })
    .whereIn('state', ACTIVE);
  const found = active.find(
    row =>
      row.environment === null ||
      record.environment === undefined ||
      row.environment === record.environment,
  );
  return found && toRecord(found);
}

async function addEvent(
  tx: Knex.Transaction,
  id: string,
  from: OperationState | undefined,
  to: OperationState,
  { by, at, message }: Change,
) {
  await tx<EventRow>('operation_events').insert({
    operation_id: id,
    at: at.toISOString(),
    actor: by,
    from_state: from ?? null,
    to_state: to,
    message: message ?? null,
  });
}

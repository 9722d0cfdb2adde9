import { ConflictError, NotFoundError } from '@backstage/errors';
import type {
  Effect,
  EffectEvent,
  EffectState,
} from '@rocket/plugin-provisioning-common';
import type { Knex } from 'knex';
import type { EffectFilter } from './EffectLedger';
import type {
  EffectPatch,
  EffectRecord,
  EffectStore,
  Lease,
  NewEffect,
} from './EffectStore';

interface EffectRow {
  sequence: number;
  id: string;
  type: string;
  reference: string;
  subject: string;
  owner: string;
  environment: string | null;
  run: string;
  step: string;
  intent: string;
  details: string;
  state: EffectState;
  message: string | null;
  instruction: string | null;
  undo: string;
  removal: 'undo' | 'retire' | null;
  retained_until: string | null;
  observation: string | null;
  observed_at: string | null;
  actor: string;
  created_at: string;
  updated_at: string;
  lease_holder: string | null;
  attend_at: string | null;
}

interface EventRow {
  effect_id: string;
  at: string;
  actor: string;
  from_state: EffectState | null;
  to_state: EffectState;
  message: string | null;
}

type Event = Omit<EffectEvent, 'effectId'>;

/** States in which work is going on or waits to be taken up. */
const UNFINISHED: EffectState[] = ['planned', 'applying', 'undoing'];

export class DatabaseEffectStore implements EffectStore {
  readonly #db: Knex;
  readonly #now: () => Date;

  constructor(db: Knex, now: () => Date = () => new Date()) {
    this.#db = db;
    this.#now = now;
  }

  async insert(effect: NewEffect, lease: Lease | undefined, event: Event) {
    const row = {
      ...toRow(effect),
      id: effect.id,
      type: effect.type,
      reference: effect.reference,
      subject: effect.subject,
      environment: effect.environment ?? null,
      created_at: effect.createdAt,
      updated_at: effect.updatedAt,
      lease_holder: lease?.holder ?? null,
      attend_at: lease?.until ?? null,
    };
    try {
      return await this.#db.transaction(async tx => {
        await tx('effects').insert(row);
        await addEvent(tx, effect.id, event);
        const inserted = await tx<EffectRow>('effects')
          .where({ id: effect.id })
          .first();
        return toRecord(inserted!);
      });
    } catch (error) {
      // The unique index decided between two that asked at once.
      if (await this.findActive(effect.type, effect.reference)) {
        return undefined;
      }
      throw error;
    }
  }

  async get(id: string) {
    const row = await this.#db<EffectRow>('effects').where({ id }).first();
    return row && toRecord(row);
  }

  async findActive(type: string, reference: string) {
    const row = await this.#db<EffectRow>('effects')
      .where({ type, reference })
      .whereNot('state', 'undone')
      .first();
    return row && toRecord(row);
  }

  async list(filter: EffectFilter) {
    const query = this.#db<EffectRow>('effects').orderBy('sequence');
    for (const key of [
      'subject',
      'owner',
      'environment',
      'run',
      'type',
      'reference',
    ] as const) {
      const value = filter[key];
      if (value !== undefined) query.where(key, value);
    }
    if (filter.states) query.whereIn('state', filter.states);
    if (filter.after !== undefined) query.where('sequence', '>', filter.after);
    if (filter.limit !== undefined) query.limit(filter.limit);
    return (await query).map(toRecord);
  }

  async count(owner: string, type: string) {
    const row = await this.#db('effects')
      .where({ owner, type })
      .whereNot('state', 'undone')
      .count({ count: '*' })
      .first();
    return Number(row?.count ?? 0);
  }

  async claim(id: string, lease: Lease) {
    const claimed = await this.#db<EffectRow>('effects')
      .where({ id })
      .andWhere(free => this.#isFree(free))
      .update({ lease_holder: lease.holder, attend_at: lease.until });
    return claimed ? this.get(id) : undefined;
  }

  async renew(id: string, lease: Lease) {
    const renewed = await this.#db<EffectRow>('effects')
      .where({ id, lease_holder: lease.holder })
      .update({ attend_at: lease.until });
    return renewed > 0;
  }

  async change(
    id: string,
    holder: string,
    patch: EffectPatch,
    options: { event?: Event; release?: boolean; attendAt?: string },
  ) {
    const release =
      options.release || options.attendAt
        ? { lease_holder: null, attend_at: options.attendAt ?? null }
        : {};
    return this.#db.transaction(async tx => {
      const changed = await tx<EffectRow>('effects')
        .where({ id, lease_holder: holder })
        .update({
          ...toRow(patch),
          ...release,
          updated_at: this.#now().toISOString(),
        });
      if (!changed) {
        throw new ConflictError(
          `Somebody else took up the effect ${id} meanwhile; look at it before you try again`,
        );
      }
      if (options.event) await addEvent(tx, id, options.event);
      const row = await tx<EffectRow>('effects').where({ id }).first();
      return toRecord(row!);
    });
  }

  async keepObservation(
    id: string,
    observation: NonNullable<Effect['observation']>,
    event?: Event,
  ) {
    return this.#db.transaction(async tx => {
      // What is being changed right now is no drift.
      const kept = await tx<EffectRow>('effects')
        .where({ id, state: 'live' })
        .whereNull('lease_holder')
        .update({
          observation: JSON.stringify(observation),
          observed_at: observation.observedAt,
        });
      if (kept && event) await addEvent(tx, id, event);
      const row = await tx<EffectRow>('effects').where({ id }).first();
      if (!row) throw new NotFoundError(`There is no effect '${id}'`);
      return toRecord(row);
    });
  }

  async listUnattended(limit: number) {
    const rows = await this.#db<EffectRow>('effects')
      .whereIn('state', UNFINISHED)
      .where('attend_at', '<=', this.#now().toISOString())
      .orderBy('attend_at')
      .limit(limit);
    return rows.map(toRecord);
  }

  async listUnobserved(before: string, limit: number) {
    const rows = await this.#db<EffectRow>('effects')
      .where({ state: 'live' })
      .andWhere(old =>
        old.whereNull('observed_at').orWhere('observed_at', '<', before),
      )
      .orderByRaw(`coalesce(observed_at, '')`)
      .limit(limit);
    return rows.map(toRecord);
  }

  async hasBeen(id: string, state: EffectState) {
    const row = await this.#db<EventRow>('effect_events')
      .where({ effect_id: id, to_state: state })
      .first();
    return row !== undefined;
  }

  async events(effectId: string) {
    const rows = await this.#db<EventRow>('effect_events')
      .where({ effect_id: effectId })
      .orderBy('id');
    return rows.map(row => ({
      effectId: row.effect_id,
      at: row.at,
      actor: row.actor,
      from: row.from_state ?? undefined,
      to: row.to_state,
      message: row.message ?? undefined,
    }));
  }

  #isFree(query: Knex.QueryBuilder) {
    return query
      .whereNull('lease_holder')
      .orWhere('attend_at', '<=', this.#now().toISOString());
  }
}

async function addEvent(tx: Knex, effectId: string, event: Event) {
  await tx('effect_events').insert({
    effect_id: effectId,
    at: event.at,
    actor: event.actor,
    from_state: event.from ?? null,
    to_state: event.to,
    message: event.message ?? null,
  });
}

const columns: Record<keyof EffectPatch, keyof EffectRow> = {
  owner: 'owner',
  run: 'run',
  step: 'step',
  intent: 'intent',
  details: 'details',
  state: 'state',
  message: 'message',
  instruction: 'instruction',
  undo: 'undo',
  removal: 'removal',
  retainedUntil: 'retained_until',
  observation: 'observation',
  actor: 'actor',
};

function toRow(patch: EffectPatch): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const [key, column] of Object.entries(columns)) {
    if (!(key in patch)) continue;
    const value = patch[key as keyof EffectPatch];
    row[column] =
      typeof value === 'object' ? JSON.stringify(value) : value ?? null;
  }
  if ('observation' in patch) {
    row.observed_at = patch.observation?.observedAt ?? null;
  }
  return row;
}

function toRecord(row: EffectRow): EffectRecord {
  return {
    id: row.id,
    type: row.type,
    reference: row.reference,
    subject: row.subject,
    owner: row.owner,
    environment: row.environment ?? undefined,
    run: row.run,
    step: row.step,
    sequence: row.sequence,
    intent: JSON.parse(row.intent),
    details: JSON.parse(row.details),
    state: row.state,
    message: row.message ?? undefined,
    instruction: row.instruction ?? undefined,
    undo: row.undo,
    removal: row.removal ?? undefined,
    retainedUntil: row.retained_until ?? undefined,
    observation: row.observation ? JSON.parse(row.observation) : undefined,
    actor: row.actor,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

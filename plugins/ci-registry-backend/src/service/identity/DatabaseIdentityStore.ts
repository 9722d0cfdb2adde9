import type { IdentityDecision } from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';
import { chunk } from '../../database/rows';
import type {
  Binding,
  DecisionFilter,
  IdentityStore,
  Known,
  RunState,
  TokenUse,
} from './IdentityStore';

type DecisionRow = {
  id: string;
  time: number | string;
  allowed: boolean | number;
  known: boolean | number;
  code: string;
  reason: string;
  subject: string | null;
  repository: string | null;
  rule: string | null;
  identity: string;
  request: string;
};

type RunRow = {
  id: string;
  attempt: number;
  ended_at: number | string | null;
  ended_by: string | null;
  push_hash: string | null;
  expires_at: number | string;
};

type BindingRow = {
  issuer: string;
  kind: string;
  name: string;
  bound_id: string;
  bound_at: number;
};

/** Old decisions go in steps, so that no statement holds the table for long. */
const PRUNE_STEP = 1000;

function toRun(row: RunRow): RunState {
  return {
    id: row.id,
    attempt: row.attempt,
    endedAt: row.ended_at === null ? undefined : Number(row.ended_at),
    endedBy: row.ended_by ?? undefined,
    pushHash: row.push_hash ?? undefined,
    expiresAt: Number(row.expires_at),
  };
}

function toDecision(row: DecisionRow): IdentityDecision {
  return {
    id: row.id,
    time: new Date(Number(row.time)).toISOString(),
    allowed: Boolean(row.allowed),
    code: row.code,
    reason: row.reason,
    identity: JSON.parse(row.identity),
    ...(row.rule === null ? {} : { rule: row.rule }),
    request: JSON.parse(row.request),
  };
}

export class DatabaseIdentityStore implements IdentityStore {
  readonly #db: Knex;

  /** The tables are made by the plugin's migrations. */
  constructor(db: Knex) {
    this.#db = db;
  }

  async addDecision(
    decision: IdentityDecision,
    known: boolean,
    tx?: Knex.Transaction,
  ): Promise<void> {
    await (tx ?? this.#db)<DecisionRow>('decisions').insert({
      id: decision.id,
      time: Date.parse(decision.time),
      allowed: decision.allowed,
      known,
      code: decision.code,
      reason: decision.reason,
      subject: decision.identity.subject ?? null,
      repository:
        decision.identity.repository ?? decision.request.repository ?? null,
      rule: decision.rule ?? null,
      identity: JSON.stringify(decision.identity),
      request: JSON.stringify(decision.request),
    });
  }

  async listDecisions(options: {
    filter: DecisionFilter;
    after?: { time: number; id: string };
    limit: number;
  }): Promise<IdentityDecision[]> {
    const { filter, after } = options;
    const query = this.#db<DecisionRow>('decisions')
      .orderBy([
        { column: 'time', order: 'desc' },
        { column: 'id', order: 'desc' },
      ])
      .limit(options.limit);
    if (filter.allowed !== undefined) query.where('allowed', filter.allowed);
    if (filter.code !== undefined) query.where('code', filter.code);
    if (filter.repository !== undefined) {
      query.where('repository', filter.repository);
    }
    if (filter.subject !== undefined) query.where('subject', filter.subject);
    if (filter.since !== undefined) query.where('time', '>=', filter.since);
    if (filter.until !== undefined) query.where('time', '<', filter.until);
    if (after) {
      query.where(later =>
        later
          .where('time', '<', after.time)
          .orWhere(same =>
            same.where('time', after.time).where('id', '<', after.id),
          ),
      );
    }
    return (await query).map(toDecision);
  }

  async lookUp(wanted: {
    token?: string;
    runs: string[];
    bindings: Binding[];
    entityRefs: string[];
  }): Promise<Known> {
    const holders = new Map<string, string>();
    for (const refs of chunk(wanted.entityRefs)) {
      const rows: { entity_ref: string; repository: string }[] = await this.#db(
        'entities',
      )
        .whereIn('entity_ref', refs)
        // What was removed is anybody's again.
        .whereNot('state', 'removed')
        .select('entity_ref', 'repository');
      rows.forEach(row => holders.set(row.entity_ref, row.repository));
    }
    const token = wanted.token
      ? await this.#db('pipeline_tokens').where('id', wanted.token).first()
      : undefined;
    const runs = wanted.runs.length
      ? await this.#db<RunRow>('pipeline_runs').whereIn('id', wanted.runs)
      : [];
    return {
      tokenHash: token?.hash,
      runs: runs.map(toRun),
      bound: await this.#bound(this.#db, wanted.bindings),
      holders,
    };
  }

  async note(
    seen: {
      token?: TokenUse;
      bindings: Binding[];
      runs: RunState[];
      now: number;
    },
    tx?: Knex.Transaction,
  ): Promise<Binding[]> {
    const db = tx ?? this.#db;
    if (seen.token) {
      await db('pipeline_tokens')
        .insert({
          id: seen.token.id,
          hash: seen.token.hash,
          first_used_at: seen.now,
          expires_at: seen.token.expiresAt,
        })
        .onConflict('id')
        .ignore();
    }
    for (const run of seen.runs) {
      const row = {
        id: run.id,
        attempt: run.attempt,
        ended_at: run.endedAt ?? null,
        ended_by: run.endedBy ?? null,
        push_hash: run.pushHash ?? null,
        expires_at: run.expiresAt,
      };
      const insert = db('pipeline_runs').insert(row).onConflict('id');
      // A new attempt does not undo the end of the one before.
      await (run.endedAt === undefined
        ? insert.merge(['attempt', 'expires_at'])
        : insert.merge());
    }
    if (!seen.bindings.length) return [];
    await db<BindingRow>('identity_bindings')
      .insert(
        seen.bindings.map(({ issuer, kind, name, id }) => ({
          issuer,
          kind,
          name,
          bound_id: id,
          bound_at: seen.now,
        })),
      )
      .onConflict(['issuer', 'kind', 'name'])
      .ignore();
    const bound = await this.#bound(db, seen.bindings);
    return seen.bindings.filter(({ id }, index) => bound[index] !== id);
  }

  async forgetBinding(name: string): Promise<number> {
    return this.#db('identity_bindings').where('name', name).delete();
  }

  async prune(options: {
    now: number;
    before: number;
    maxUnknown: number;
  }): Promise<void> {
    const { now } = options;
    await this.#db('pipeline_tokens').where('expires_at', '<', now).delete();
    await this.#db('pipeline_runs').where('expires_at', '<', now).delete();
    const surplus = await this.#db<DecisionRow>('decisions')
      .where('known', false)
      .orderBy('time', 'desc')
      .offset(options.maxUnknown)
      .limit(1)
      .first('time');
    await this.#dropDecisions(query =>
      query.where('time', '<', options.before),
    );
    if (surplus) {
      await this.#dropDecisions(query =>
        query.where('known', false).where('time', '<=', surplus.time),
      );
    }
  }

  async #dropDecisions(
    which: (query: Knex.QueryBuilder) => Knex.QueryBuilder,
  ): Promise<void> {
    for (let dropped = PRUNE_STEP; dropped === PRUNE_STEP; ) {
      const ids = which(this.#db('decisions').select('id')).limit(PRUNE_STEP);
      dropped = await this.#db('decisions').whereIn('id', ids).delete();
    }
  }

  async #bound(db: Knex, bindings: Binding[]): Promise<(string | undefined)[]> {
    if (!bindings.length) return [];
    const rows: BindingRow[] = await db<BindingRow>('identity_bindings')
      .where('issuer', bindings[0].issuer)
      .whereIn(
        'name',
        bindings.map(({ name }) => name),
      );
    return bindings.map(
      binding =>
        rows.find(row => row.kind === binding.kind && row.name === binding.name)
          ?.bound_id,
    );
  }
}

import type { IdentityDecision } from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';
import { chunk } from '../../database/rows';
import type {
  Binding,
  DecisionFilter,
  IdentityStore,
  Known,
  RunState,
  ToNote,
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

// Rows are locked in this order by everybody.
const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);

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

  async addDecisions(
    decisions: IdentityDecision[],
    known: boolean,
    tx?: Knex.Transaction,
  ): Promise<void> {
    await (tx ?? this.#db)<DecisionRow>('decisions').insert(
      decisions.map(decision => ({
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
      })),
    );
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

  async note(seen: ToNote[], tx?: Knex.Transaction): Promise<Binding[]> {
    const db = tx ?? this.#db;
    const tokens = seen.flatMap(({ token, now }) =>
      token
        ? [
            {
              id: token.id,
              hash: token.hash,
              first_used_at: now,
              expires_at: token.expiresAt,
            },
          ]
        : [],
    );
    if (tokens.length) {
      await db('pipeline_tokens')
        .insert(tokens.sort(byId))
        .onConflict('id')
        .ignore();
    }
    const runs = seen.flatMap(one => one.runs);
    for (const isEnd of [false, true]) {
      const rows = runs
        .filter(run => (run.endedAt !== undefined) === isEnd)
        .map(run => ({
          id: run.id,
          attempt: run.attempt,
          ended_at: run.endedAt ?? null,
          ended_by: run.endedBy ?? null,
          push_hash: run.pushHash ?? null,
          expires_at: run.expiresAt,
        }));
      if (!rows.length) continue;
      const insert = db('pipeline_runs')
        .insert(rows.sort(byId))
        .onConflict('id');
      // A new attempt does not undo the end of the one before.
      await (isEnd ? insert.merge() : insert.merge(['attempt', 'expires_at']));
    }
    const bindings = seen.flatMap(one =>
      one.bindings.map(binding => ({ binding, now: one.now })),
    );
    if (!bindings.length) return [];
    const rows = bindings.map(({ binding, now }) => ({
      issuer: binding.issuer,
      kind: binding.kind,
      name: binding.name,
      bound_id: binding.id,
      bound_at: now,
    }));
    await db<BindingRow>('identity_bindings')
      .insert(rows.sort((a, b) => (a.name < b.name ? -1 : 1)))
      .onConflict(['issuer', 'kind', 'name'])
      .ignore();
    const asked = bindings.map(({ binding }) => binding);
    const bound = await this.#bound(db, asked);
    return asked.filter(({ id }, index) => bound[index] !== id);
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
      .whereIn('issuer', [...new Set(bindings.map(({ issuer }) => issuer))])
      .whereIn('name', [...new Set(bindings.map(({ name }) => name))]);
    return bindings.map(
      ({ issuer, kind, name }) =>
        rows.find(
          row =>
            row.issuer === issuer && row.kind === kind && row.name === name,
        )?.bound_id,
    );
  }
}

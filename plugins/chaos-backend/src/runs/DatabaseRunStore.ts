import { isDatabaseConflictError } from '@backstage/backend-plugin-api';
import type {
  Experiment,
  FaultKind,
  Run,
  RunEvent,
  RunState,
} from '@rocket/plugin-chaos-common';
import type { Knex } from 'knex';
import type { RunFilter, RunStore } from './RunStore';

const MAX_LISTED = 1_000;

interface RunRow {
  id: string;
  experiment_id: string | null;
  experiment: string;
  team: string;
  engine: string;
  environment: string;
  critical_path: string;
  step: string;
  component: string;
  kind: FaultKind;
  state: RunState;
  verdict: Run['verdict'] | null;
  evaluation: string | null;
  targets: string;
  started_at: string;
  injected_at: string | null;
  fault_ended_at: string | null;
  ended_at: string | null;
  started_by: string;
  slot: string | null;
  abort: string | null;
  fault_left: boolean | number;
  engine_record: string | null;
  lease_holder: string | null;
  lease_until: string | null;
}

interface LockRow {
  environment: string;
  critical_path: string;
  run_id: string;
}

interface EventRow {
  run_id: string;
  at: string;
  by: string;
  message: string;
}

const json = (value: unknown) =>
  value === undefined ? null : JSON.stringify(value);
const parsed = <T>(text: string | null) =>
  text === null ? undefined : (JSON.parse(text) as T);
const given = <T>(value: T | null) => value ?? undefined;

/** What changes in the course of a run. */
function progressOf(run: Run) {
  return {
    state: run.state,
    verdict: run.verdict ?? null,
    evaluation: json(run.evaluation),
    targets: JSON.stringify(run.targets),
    injected_at: run.injectedAt ?? null,
    fault_ended_at: run.faultEndedAt ?? null,
    ended_at: run.endedAt ?? null,
    fault_left: Boolean(run.faultLeft),
    engine_record: json(run.engineRecord),
  };
}

function rowOf(run: Run): Omit<RunRow, 'lease_holder' | 'lease_until'> {
  const { target } = run.experiment;
  return {
    id: run.id,
    experiment_id: run.experimentId ?? null,
    experiment: JSON.stringify(run.experiment),
    team: run.team,
    engine: run.engine,
    environment: target.environment,
    critical_path: target.criticalPath,
    step: target.step,
    component: target.component,
    kind: run.kind,
    started_at: run.startedAt,
    started_by: run.startedBy,
    slot: run.slot ?? null,
    abort: json(run.abort),
    ...progressOf(run),
  };
}

function runOf(row: RunRow): Run {
  return JSON.parse(
    JSON.stringify({
      id: row.id,
      experimentId: given(row.experiment_id),
      experiment: JSON.parse(row.experiment) as Experiment,
      kind: row.kind,
      team: row.team,
      engine: row.engine,
      state: row.state,
      verdict: given(row.verdict),
      evaluation: parsed(row.evaluation),
      targets: JSON.parse(row.targets),
      startedAt: row.started_at,
      injectedAt: given(row.injected_at),
      faultEndedAt: given(row.fault_ended_at),
      endedAt: given(row.ended_at),
      startedBy: row.started_by,
      slot: given(row.slot),
      abort: parsed(row.abort),
      faultLeft: row.fault_left ? true : undefined,
      engineRecord: parsed(row.engine_record),
    }),
  );
}

/** Runs in the plugin's database, SQLite or PostgreSQL; several backends may share it. */
export class DatabaseRunStore implements RunStore {
  readonly #db: Knex;

  constructor(db: Knex) {
    this.#db = db;
  }

  async begin(
    run: Run,
    paths: string[],
    lease: { holder: string; until: Date },
    event: RunEvent,
  ): Promise<string[]> {
    const { environment } = run.experiment.target;
    const holders = (db: Knex) =>
      db<LockRow>('chaos_run_locks')
        .where({ environment })
        .whereIn('critical_path', paths)
        .distinct()
        .pluck('run_id');
    try {
      return await this.#db.transaction(async tx => {
        const inTheWay = await holders(tx);
        if (inTheWay.length > 0) return inTheWay;
        // Sorted, so that two who begin at once cannot block each other.
        await tx<LockRow>('chaos_run_locks').insert(
          [...new Set(paths)].sort().map(path => ({
            environment,
            critical_path: path,
            run_id: run.id,
          })),
        );
        await tx<RunRow>('chaos_runs').insert({
          ...rowOf(run),
          lease_holder: lease.holder,
          lease_until: lease.until.toISOString(),
        });
        await this.#note(tx, run.id, [event]);
        return [];
      });
    } catch (error) {
      // Another one was faster by less than a statement.
      if (!isDatabaseConflictError(error)) throw error;
      const inTheWay = await holders(this.#db);
      if (inTheWay.length === 0) throw error;
      return inTheWay;
    }
  }

  async add(run: Run): Promise<boolean> {
    const inserted = await this.#db<RunRow>('chaos_runs')
      .insert({ ...rowOf(run), lease_holder: null, lease_until: null })
      .onConflict('id')
      .ignore()
      .returning('id');
    return inserted.length > 0;
  }

  async get(id: string): Promise<Run | undefined> {
    const row = await this.#db<RunRow>('chaos_runs').where({ id }).first();
    return row && runOf(row);
  }

  async list(filter: RunFilter): Promise<Run[]> {
    const query = this.#db<RunRow>('chaos_runs')
      .orderBy('started_at', 'desc')
      .orderBy('id')
      .limit(Math.min(filter.limit ?? MAX_LISTED, MAX_LISTED));
    const { team, environment, from, to } = filter;
    if (team !== undefined) query.where({ team });
    if (environment !== undefined) query.where({ environment });
    if (filter.criticalPath !== undefined) {
      query.where({ critical_path: filter.criticalPath });
    }
    if (filter.experimentId !== undefined) {
      query.where({ experiment_id: filter.experimentId });
    }
    if (filter.states) query.whereIn('state', filter.states);
    if (from !== undefined) {
      query.where('started_at', '>=', new Date(from).toISOString());
    }
    if (to !== undefined) {
      query.where('started_at', '<', new Date(to).toISOString());
    }
    return (await query).map(runOf);
  }

  async events(id: string): Promise<RunEvent[]> {
    const rows = await this.#db<EventRow & { sequence: number }>(
      'chaos_run_events',
    )
      .where({ run_id: id })
      .orderBy('sequence');
    return rows.map(({ at, by, message }) => ({ at, by, message }));
  }

  async claim(
    holder: string,
    now: Date,
    until: Date,
  ): Promise<Run | undefined> {
    const free = (db: Knex) =>
      db<RunRow>('chaos_runs')
        .whereNot({ state: 'ended' })
        .where(query =>
          query
            .whereNull('lease_until')
            .orWhere('lease_until', '<=', now.toISOString()),
        );
    const candidates = await free(this.#db)
      .orderBy('started_at')
      .limit(20)
      .pluck('id');
    for (const id of candidates) {
      const taken = await free(this.#db).where({ id }).update({
        lease_holder: holder,
        lease_until: until.toISOString(),
      });
      if (taken > 0) return this.get(id);
    }
    return undefined;
  }

  async renew(id: string, holder: string, until: Date) {
    const renewed = await this.#db<RunRow>('chaos_runs')
      .where({ id, lease_holder: holder })
      .update({ lease_until: until.toISOString() });
    if (renewed === 0) return undefined;
    return { abort: (await this.get(id))?.abort };
  }

  async release(id: string, holder: string): Promise<void> {
    await this.#db<RunRow>('chaos_runs')
      .where({ id, lease_holder: holder })
      .update({ lease_holder: null, lease_until: null });
  }

  async save(run: Run, holder: string, events: RunEvent[]): Promise<boolean> {
    const over = run.state === 'ended';
    return this.#db.transaction(async tx => {
      const saved = await tx<RunRow>('chaos_runs')
        .where({ id: run.id, lease_holder: holder })
        .update({
          ...progressOf(run),
          ...(over ? { lease_holder: null, lease_until: null } : {}),
        });
      if (saved === 0) return false;
      if (run.abort) {
        // Whoever asked first stands.
        await tx<RunRow>('chaos_runs')
          .where({ id: run.id })
          .whereNull('abort')
          .update({ abort: JSON.stringify(run.abort) });
      }
      if (over) {
        await tx<LockRow>('chaos_run_locks').where({ run_id: run.id }).delete();
      }
      await this.#note(tx, run.id, events);
      return true;
    });
  }

  async requestAbort(
    id: string,
    abort: NonNullable<Run['abort']>,
  ): Promise<boolean> {
    const asked = await this.#db<RunRow>('chaos_runs')
      .where({ id })
      .whereNot({ state: 'ended' })
      .whereNull('abort')
      .update({ abort: JSON.stringify(abort) });
    return asked > 0;
  }

  async #note(db: Knex, id: string, events: RunEvent[]) {
    if (events.length === 0) return;
    await db<EventRow>('chaos_run_events').insert(
      events.map(event => ({ run_id: id, ...event })),
    );
  }
}

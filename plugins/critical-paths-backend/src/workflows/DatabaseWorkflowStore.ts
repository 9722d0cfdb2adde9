import type { DatabaseService } from '@backstage/backend-plugin-api';
import type { WorkflowStepEvidence } from '@rocket/plugin-critical-paths-common';
import type { Knex } from 'knex';
import { guarded } from '../store/rows';
import { recordChange } from '../store/windowRows';
import {
  MAX_CLOCK_SKEW_MS,
  type RunCounts,
  type RunVerdict,
  type StoredRun,
  type WorkflowKey,
  type WorkflowState,
  type WorkflowStore,
} from './WorkflowStore';

const HOUR_MS = 3_600_000;
/** Runs to delete per statement. */
const PRUNE_SLICE = 500;

/** Dropped by both drivers when it is undefined in an update. */
type Nullable<T> = T | null;

interface StateRow {
  path_ref: string;
  workflow: string;
  next_due: string | number;
  lease_token: Nullable<string>;
  lease_until: Nullable<string | number>;
  last_status: Nullable<'passed' | 'failed'>;
  last_started: Nullable<string | number>;
  last_ended: Nullable<string | number>;
  last_duration: Nullable<number>;
  last_failed_step: Nullable<string>;
  last_message: Nullable<string>;
  failures: number;
  notified: boolean | number;
  skipped: Nullable<string>;
}

interface RunRow {
  id: string;
  path_ref: string;
  workflow: string;
  status: StoredRun['status'];
  trigger: StoredRun['trigger'];
  started_by: Nullable<string>;
  started: string | number;
  ended: Nullable<string | number>;
  duration: Nullable<number>;
  failed_step: Nullable<string>;
  message: Nullable<string>;
  evidence?: Nullable<string>;
}

function toState(row: StateRow, now: number): WorkflowState {
  return {
    pathRef: row.path_ref,
    workflow: row.workflow,
    nextDue: Number(row.next_due),
    running: row.lease_token !== null && Number(row.lease_until) > now,
    failures: row.failures,
    notified: Boolean(row.notified),
    ...(row.skipped === null ? {} : { skipped: row.skipped }),
    ...(row.last_status === null
      ? {}
      : {
          last: {
            status: row.last_status,
            started: Number(row.last_started),
            ended: Number(row.last_ended),
            durationMs: row.last_duration ?? 0,
            failedStep: row.last_failed_step ?? undefined,
            message: row.last_message ?? undefined,
          },
        }),
  };
}

function toRun(row: RunRow): StoredRun {
  return {
    id: row.id,
    pathRef: row.path_ref,
    workflow: row.workflow,
    status: row.status,
    trigger: row.trigger,
    startedBy: row.started_by ?? undefined,
    started: Number(row.started),
    ended: row.ended === null ? undefined : Number(row.ended),
    durationMs: row.duration ?? undefined,
    failedStep: row.failed_step ?? undefined,
    message: row.message ?? undefined,
  };
}

const where = ({ pathRef, workflow }: WorkflowKey) => ({
  path_ref: pathRef,
  workflow,
});

/** {@link WorkflowStore} on SQLite and PostgreSQL; the plugin's migrations must have run. */
export class DatabaseWorkflowStore implements WorkflowStore {
  readonly #db: Knex;

  static async create(options: {
    database: DatabaseService;
  }): Promise<DatabaseWorkflowStore> {
    return new DatabaseWorkflowStore(await options.database.getClient());
  }

  private constructor(db: Knex) {
    this.#db = db;
  }

  async states(now: number, pathRef?: string): Promise<WorkflowState[]> {
    return this.#guard(async db => {
      const query = db<StateRow>('cp_workflows').orderBy([
        'path_ref',
        'workflow',
      ]);
      const rows = await (pathRef === undefined
        ? query
        : query.where('path_ref', pathRef));
      return rows.map(row => toState(row as StateRow, now));
    });
  }

  async claim(
    run: Parameters<WorkflowStore['claim']>[0],
    now: number,
  ): Promise<'claimed' | 'busy' | 'not-due'> {
    return this.#transaction(async tx => {
      await this.#ensure(tx, run, now);
      // A time further ahead than was ever set means that the clock went back.
      const taken = tx<StateRow>('cp_workflows')
        .where(where(run))
        .where(free =>
          free
            .whereNull('lease_token')
            .orWhere('lease_until', '<=', now)
            .orWhere('lease_until', '>', now + run.leaseMs + MAX_CLOCK_SKEW_MS),
        );
      if (run.onlyDue) {
        taken.where(due =>
          due
            .where('next_due', '<=', now)
            .orWhere('next_due', '>', now + run.everyMs + MAX_CLOCK_SKEW_MS),
        );
      }
      const claimed = await taken.update({
        lease_token: run.id,
        lease_until: now + run.leaseMs,
        next_due: now + run.everyMs,
        skipped: null,
        updated: now,
      } as object);
      if (claimed === 0) {
        const row = await tx<StateRow>('cp_workflows')
          .where(where(run))
          .first();
        return toState(row as StateRow, now).running ? 'busy' : 'not-due';
      }
      await this.#abortRuns(
        query => query.where({ ...where(run), status: 'running' }),
        now,
        tx,
      );
      await tx('cp_workflow_runs').insert({
        ...where(run),
        id: run.id,
        status: 'running',
        trigger: run.trigger,
        started_by: run.startedBy ?? null,
        started: now,
      });
      return 'claimed';
    });
  }

  async renew(
    key: WorkflowKey,
    runId: string,
    leaseUntil: number,
  ): Promise<boolean> {
    return this.#guard(
      async db =>
        (await db('cp_workflows')
          .where({ ...where(key), lease_token: runId })
          .update({ lease_until: leaseUntil })) === 1,
    );
  }

  async finish(
    key: WorkflowKey,
    runId: string,
    verdict: RunVerdict,
    now: number,
  ): Promise<WorkflowState | undefined> {
    return this.#transaction(async tx => {
      const run = await tx<RunRow>('cp_workflow_runs')
        .where({ id: runId, status: 'running' })
        .first();
      const failed = verdict.status === 'failed';
      const before = await tx<StateRow>('cp_workflows')
        .where(where(key))
        .first();
      const mine = await tx('cp_workflows')
        .where({ ...where(key), lease_token: runId })
        .update({
          lease_token: null,
          lease_until: null,
          last_status: verdict.status,
          last_started: run?.started ?? now,
          last_ended: now,
          last_duration: Math.round(verdict.durationMs),
          last_failed_step: verdict.failedStep ?? null,
          last_message: verdict.message ?? null,
          failures: failed ? tx.raw('failures + 1') : 0,
          updated: now,
        });
      if (!run || mine === 0) {
        return undefined;
      }
      await tx('cp_workflow_runs')
        .where({ id: runId })
        .update({
          status: verdict.status,
          ended: now,
          duration: Math.round(verdict.durationMs),
          failed_step: verdict.failedStep ?? null,
          message: verdict.message ?? null,
          evidence: JSON.stringify(verdict.steps),
        });
      if (before?.last_status !== verdict.status) {
        // Boards that are kept ready show the state of the path.
        await recordChange(tx, 0, 0, [], Math.floor(now / 1000));
      }
      await tx('cp_workflow_hours')
        .insert({
          ...where(key),
          hour: Math.floor(Number(run.started) / HOUR_MS),
          passed: failed ? 0 : 1,
          failed: failed ? 1 : 0,
        })
        .onConflict(['path_ref', 'workflow', 'hour'])
        .merge({
          passed: tx.raw('cp_workflow_hours.passed + excluded.passed'),
          failed: tx.raw('cp_workflow_hours.failed + excluded.failed'),
        });
      const row = await tx<StateRow>('cp_workflows').where(where(key)).first();
      return toState(row as StateRow, now);
    });
  }

  async abort(
    key: WorkflowKey,
    runId: string,
    reason: string,
    now: number,
  ): Promise<void> {
    await this.#transaction(async tx => {
      await tx('cp_workflows')
        .where({ ...where(key), lease_token: runId })
        .update({ lease_token: null, lease_until: null, updated: now });
      await tx('cp_workflow_runs')
        .where({ id: runId, status: 'running' })
        .update({ status: 'aborted', ended: now, message: reason });
    });
  }

  async abortLost(now: number, maxLeaseMs: number): Promise<number> {
    return this.#transaction(async tx => {
      await tx<StateRow>('cp_workflows')
        .whereNotNull('lease_token')
        .where(lost =>
          lost
            .where('lease_until', '<=', now)
            .orWhere('lease_until', '>', now + maxLeaseMs + MAX_CLOCK_SKEW_MS),
        )
        .update({ lease_token: null, lease_until: null } as object);
      return this.#abortRuns(
        query =>
          query
            .where('status', 'running')
            .whereNotIn(
              'id',
              tx('cp_workflows')
                .whereNotNull('lease_token')
                .select('lease_token'),
            ),
        now,
        tx,
      );
    });
  }

  async skip(
    key: WorkflowKey & { everyMs: number },
    reason: string,
    now: number,
  ): Promise<void> {
    await this.#transaction(async tx => {
      await this.#ensure(tx, key, now);
      await tx('cp_workflows')
        .where(where(key))
        .whereNull('lease_token')
        .update({ next_due: now + key.everyMs, skipped: reason, updated: now });
    });
  }

  async setNotified(key: WorkflowKey, notified: boolean): Promise<void> {
    await this.#guard(async db => {
      await db('cp_workflows').where(where(key)).update({ notified });
    });
  }

  async countRuns(
    from: number,
    options: { hourly?: boolean; pathRef?: string } = {},
  ): Promise<RunCounts[]> {
    return this.#guard(async db => {
      const query = options.hourly
        ? db('cp_workflow_hours')
            .where('hour', '>=', Math.floor(from / HOUR_MS))
            .sum({ passed: 'passed', failed: 'failed' })
        : db('cp_workflow_runs')
            .where('started', '>=', from)
            .whereIn('status', ['passed', 'failed'])
            .select(
              db.raw(
                `sum(case when status = 'passed' then 1 else 0 end) as passed`,
              ),
              db.raw(
                `sum(case when status = 'failed' then 1 else 0 end) as failed`,
              ),
            );
      if (options.pathRef !== undefined) {
        query.where('path_ref', options.pathRef);
      }
      const rows: Record<string, string>[] = await query
        .select('path_ref', 'workflow')
        .groupBy('path_ref', 'workflow');
      return rows.map(row => ({
        pathRef: row.path_ref,
        workflow: row.workflow,
        passed: Number(row.passed),
        failed: Number(row.failed),
      }));
    });
  }

  async listRuns(
    key: WorkflowKey,
    options: { limit: number; before?: number },
  ): Promise<StoredRun[]> {
    return this.#guard(async db => {
      const query = db<RunRow>('cp_workflow_runs').where(where(key));
      if (options.before !== undefined) {
        query.where('started', '<', options.before);
      }
      const rows = await query
        .select(
          'id',
          'path_ref',
          'workflow',
          'status',
          'trigger',
          'started_by',
          'started',
          'ended',
          'duration',
          'failed_step',
          'message',
        )
        .orderBy('started', 'desc')
        .limit(options.limit);
      return rows.map(row => toRun(row as RunRow));
    });
  }

  async readRun(
    key: WorkflowKey,
    id: string,
  ): Promise<(StoredRun & { steps: WorkflowStepEvidence[] }) | undefined> {
    return this.#guard(async db => {
      const row = (await db<RunRow>('cp_workflow_runs')
        .where({ ...where(key), id })
        .first()) as RunRow | undefined;
      return row && { ...toRun(row), steps: JSON.parse(row.evidence ?? '[]') };
    });
  }

  async prune(limits: {
    runsBefore: number;
    hoursBefore: number;
  }): Promise<number> {
    return this.#guard(async db => {
      let deleted = await db('cp_workflow_hours')
        .where('hour', '<', Math.floor(limits.hoursBefore / HOUR_MS))
        .delete();
      deleted += await db('cp_workflows')
        .where('updated', '<', limits.runsBefore)
        .whereNull('lease_token')
        .delete();
      for (;;) {
        const slice = await db('cp_workflow_runs')
          .whereIn(
            'id',
            db('cp_workflow_runs')
              .where('started', '<', limits.runsBefore)
              .whereNot('status', 'running')
              .select('id')
              .limit(PRUNE_SLICE),
          )
          .delete();
        deleted += slice;
        if (slice < PRUNE_SLICE) {
          return deleted;
        }
      }
    });
  }

  async #ensure(tx: Knex, key: WorkflowKey, now: number): Promise<void> {
    await tx('cp_workflows')
      .insert({ ...where(key), next_due: now, failures: 0, updated: now })
      .onConflict(['path_ref', 'workflow'])
      .ignore();
  }

  async #abortRuns(
    narrow: (query: Knex.QueryBuilder) => Knex.QueryBuilder,
    now: number,
    tx: Knex,
  ): Promise<number> {
    return narrow(tx('cp_workflow_runs')).update({
      status: 'aborted',
      ended: now,
      message: 'the backend ended during the run',
    });
  }

  async #transaction<T>(work: (tx: Knex.Transaction) => Promise<T>) {
    return this.#guard(db => db.transaction(work));
  }

  async #guard<T>(work: (db: Knex) => PromiseLike<T>): Promise<T> {
    return guarded(() => work(this.#db));
  }
}

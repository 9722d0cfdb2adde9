import type { Build, Deployment } from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';
import { chunk } from '../rows';
import { DatabaseDeliveryOutbox } from './DatabaseDeliveryOutbox';
import {
  commitKey,
  type DeliveryStore,
  type DeploymentHistory,
  type FinishedDeployment,
  type Page,
  type PagePosition,
  type PendingDeployment,
} from './DeliveryStore';
import { valuesOf } from './fields';
import {
  toBuild,
  toDeployment,
  toIso,
  type BuildRow,
  type DeploymentRow,
} from './rows';

/** Live deployments per component and environment that say what runs and what ran before. */
const RECENT = 20;

/** {@link DeliveryStore} on SQLite and PostgreSQL; the migrations make its tables. */
export class DatabaseDeliveryStore implements DeliveryStore {
  readonly #db: Knex;
  readonly #outbox: DatabaseDeliveryOutbox;

  readonly #buildTimeoutMs: number;
  readonly #now: () => number;

  constructor(
    db: Knex,
    options: {
      /** A build that runs is unfinished when nothing was heard of it for so long. */
      buildTimeoutMs: number;
      /** ms since 1970, for tests. */
      now?: () => number;
    },
  ) {
    this.#db = db;
    this.#buildTimeoutMs = options.buildTimeoutMs;
    this.#now = options.now ?? Date.now;
    this.#outbox = new DatabaseDeliveryOutbox(db);
  }

  async getBuild(id: string): Promise<Build | undefined> {
    const row = await this.#db<BuildRow>('builds').where({ id }).first();
    return row && this.#toBuild(row);
  }

  #toBuild(row: BuildRow): Build {
    return toBuild(row, this.#now() - this.#buildTimeoutMs);
  }

  async listBuilds(options: {
    component?: string;
    commit?: string;
    after?: PagePosition;
    limit: number;
  }): Promise<Page<Build>> {
    const { component, commit, after, limit } = options;
    const query = this.#db<BuildRow>('builds');
    if (component) query.where({ component });
    if (commit) query.where({ commit });
    const rows = await this.#page<BuildRow>(
      query,
      ['time', 'id'],
      after,
      limit,
    );
    return toPage(
      rows,
      limit,
      row => this.#toBuild(row),
      row => ({
        time: Number(row.time),
        ids: [row.id],
      }),
    );
  }

  async listDeployments(options: {
    component?: string;
    environment?: string;
    after?: PagePosition;
    limit: number;
  }): Promise<Page<Deployment>> {
    const { component, environment, after, limit } = options;
    const query = this.#db<DeploymentRow>('deployments');
    if (component) query.where({ component });
    if (environment) query.where({ environment });
    const rows = await this.#page<DeploymentRow>(
      query,
      ['started_at', 'component', 'id'],
      after,
      limit,
    );
    return toPage(rows, limit, toDeployment, row => ({
      time: Number(row.started_at),
      ids: [row.component, row.id],
    }));
  }

  async recentDeployments(components: string[]): Promise<Deployment[]> {
    const found: Deployment[] = [];
    for (const part of chunk(components)) {
      const ranked = this.#db<DeploymentRow>('deployments')
        .whereIn('component', part)
        .whereIn('outcome', ['succeeded', 'rolled-back', 'in-progress'])
        .select('*')
        .select(
          this.#db.raw(
            `row_number() over (partition by component, environment, case when outcome = 'in-progress' then 1 else 0 end
             order by coalesce(finished_at, started_at) desc, id desc) as recency`,
          ),
        );
      const rows: DeploymentRow[] = await this.#db
        .from(ranked.as('ranked'))
        .where('recency', '<=', RECENT);
      found.push(...rows.map(toDeployment));
    }
    return found;
  }

  async buildsOf(
    commits: { component: string; commit: string }[],
  ): Promise<Map<string, Build>> {
    const found = new Map<string, Build>();
    const wanted = new Set(
      commits.map(one => commitKey(one.component, one.commit)),
    );
    for (const part of chunk(commits)) {
      const rows: BuildRow[] = await this.#db<BuildRow>('builds')
        .whereIn('component', [...new Set(part.map(one => one.component))])
        .whereIn('commit', [...new Set(part.map(one => one.commit))])
        .orderBy('time');
      for (const row of rows) {
        const key = commitKey(row.component, row.commit);
        if (wanted.has(key)) found.set(key, this.#toBuild(row));
      }
    }
    return found;
  }

  async commitsOf(component: string) {
    const [contents, commits] = await Promise.all([
      this.#db('delivery_contents')
        .where({ component })
        .orderBy('reported_at', 'desc')
        .limit(1000),
      this.#db('delivery_commits')
        .where({ component })
        .orderBy('time', 'desc')
        .limit(5000),
    ]);
    return {
      contents: new Map<string, string[]>(
        contents.map(row => [row.head, JSON.parse(row.commits)]),
      ),
      commits: new Map(
        commits.map(row => [
          row.sha as string,
          {
            sha: row.sha as string,
            time: toIso(row.time),
            subject: row.subject ?? undefined,
            author: row.author ?? undefined,
          },
        ]),
      ),
    };
  }

  async deployedComponents(
    environment: string,
    since: number,
  ): Promise<string[]> {
    const rows: { component: string }[] = await this.#db('deployments')
      .where({ environment })
      .andWhere('finished_at', '>=', since)
      .distinct('component')
      .orderBy('component');
    return rows.map(row => row.component);
  }

  async environments(since: number): Promise<string[]> {
    const rows: { environment: string }[] = await this.#db('deployments')
      .where('finished_at', '>=', since)
      .distinct('environment')
      .orderBy('environment');
    return rows.map(row => row.environment);
  }

  async historyStamps(
    components: string[],
    environment: string,
    since: number,
  ): Promise<Map<string, string>> {
    const stamps = new Map<string, string>();
    for (const part of chunk(components)) {
      type Stamp = { component: string; n: number | string; last: unknown };
      const [deployments, contents] = (await Promise.all([
        this.#db('deployments')
          .whereIn('component', part)
          .andWhere({ environment })
          .andWhere('finished_at', '>=', since)
          .groupBy('component')
          .select('component')
          .count({ n: '*' })
          .max({ last: 'last_reported_at' }),
        this.#db('delivery_contents')
          .whereIn('component', part)
          .groupBy('component')
          .select('component')
          .count({ n: '*' })
          .max({ last: 'reported_at' }),
      ])) as unknown as Stamp[][];
      for (const { component, n, last } of [...deployments, ...contents]) {
        stamps.set(component, `${stamps.get(component) ?? ''} ${n}:${last}`);
      }
    }
    return stamps;
  }

  async history(
    components: string[],
    environment: string,
    since: number,
  ): Promise<DeploymentHistory> {
    const history: DeploymentHistory = {
      deployments: [],
      contents: new Map(),
      commitTimes: new Map(),
    };
    for (const part of chunk(components)) {
      const [deployments, contents, commits] = await Promise.all([
        this.#db<DeploymentRow>('deployments')
          .whereIn('component', part)
          .andWhere({ environment })
          .andWhere('finished_at', '>=', since)
          .whereIn('outcome', ['succeeded', 'failed', 'rolled-back'])
          .select(
            'component',
            'id',
            'commit',
            'outcome',
            'started_at',
            'finished_at',
            'fields',
          ),
        this.#db('delivery_contents')
          .whereIn('component', part)
          .select('component', 'head', 'commits'),
        this.#db('delivery_commits')
          .whereIn('component', part)
          .select('component', 'sha', 'time'),
      ]);
      for (const row of deployments) {
        const { remediates, commits: brought } = valuesOf(
          JSON.parse(row.fields),
        ) as unknown as Partial<Deployment>;
        history.deployments.push({
          component: row.component,
          id: row.id,
          commit: row.commit,
          outcome: row.outcome as FinishedDeployment['outcome'],
          startedAt: Number(row.started_at),
          finishedAt: Number(row.finished_at),
          remediates: remediates ?? [],
          brought: brought?.map(({ sha }) => sha) ?? [],
        });
      }
      for (const row of contents) {
        inner(history.contents, row.component).set(
          row.head,
          JSON.parse(row.commits),
        );
      }
      for (const row of commits) {
        inner(history.commitTimes, row.component).set(
          row.sha,
          Number(row.time),
        );
      }
    }
    history.deployments.sort(
      (a, b) => a.finishedAt - b.finishedAt || (a.id < b.id ? -1 : 1),
    );
    return history;
  }

  async lastDeployed(environments: string[]): Promise<Map<string, number>> {
    const rows: { component: string; last: number | string }[] = await this.#db(
      'deployments',
    )
      .whereIn('environment', environments)
      .andWhere('outcome', 'succeeded')
      .groupBy('component')
      .select('component')
      .max({ last: 'finished_at' });
    return new Map(rows.map(row => [row.component, Number(row.last)]));
  }

  claimPending(options: {
    limit: number;
    now: number;
    leaseMs: number;
  }): Promise<PendingDeployment[]> {
    return this.#outbox.claim(options);
  }

  settlePending(pending: PendingDeployment): Promise<void> {
    return this.#outbox.settle(pending);
  }

  postponePending(
    pending: PendingDeployment,
    failure: { nextAttemptAt: number; error: string },
  ): Promise<void> {
    return this.#outbox.postpone(pending, failure);
  }

  async prune(before: number): Promise<number> {
    // What runs stays, however long ago it was deployed.
    const running = this.#db
      .from(
        this.#db('deployments')
          .where('outcome', 'succeeded')
          .select('component', 'id')
          .select(
            this.#db.raw(
              'row_number() over (partition by component, environment order by finished_at desc, id desc) as recency',
            ),
          )
          .as('ranked'),
      )
      .where('recency', 1)
      .select('component', 'id');
    const deployments = await this.#db('deployments')
      .whereRaw('coalesce(finished_at, started_at) < ?', [before])
      .whereNotIn(['component', 'id'], running)
      .delete();
    const kept = (column: string) =>
      this.#db('deployments')
        .whereRaw('deployments.component = ??.component', [column])
        .select(this.#db.raw('1'));
    const builds = await this.#db('builds')
      .where('time', '<', before)
      .whereNotExists(
        kept('builds').whereRaw('?? = ??', [
          'deployments.commit',
          'builds.commit',
        ]),
      )
      .delete();
    const contents = await this.#db('delivery_contents')
      .where('reported_at', '<', before)
      .whereNotExists(
        kept('delivery_contents').whereRaw('?? = ??', [
          'deployments.commit',
          'delivery_contents.head',
        ]),
      )
      .delete();
    const commits = await this.#db('delivery_commits')
      .where('time', '<', before)
      .delete();
    return deployments + builds + contents + commits;
  }

  /** Rows after the position, the newest first, one more than `limit`. */
  async #page<Row>(
    query: Knex.QueryBuilder,
    columns: string[],
    after: PagePosition | undefined,
    limit: number,
  ): Promise<Row[]> {
    if (after) {
      query.whereRaw(
        `(${columns.map(() => '??').join(', ')}) < (${columns
          .map(() => '?')
          .join(', ')})`,
        [...columns, after.time, ...after.ids],
      );
    }
    return query
      .orderBy(columns.map(column => ({ column, order: 'desc' as const })))
      .limit(limit + 1);
  }
}

function toPage<Row, T>(
  rows: Row[],
  limit: number,
  convert: (row: Row) => T,
  position: (row: Row) => PagePosition,
): Page<T> {
  const page = rows.slice(0, limit);
  return {
    items: page.map(convert),
    next: rows.length > limit ? position(page[page.length - 1]) : undefined,
  };
}

function inner<V>(
  outer: Map<string, Map<string, V>>,
  key: string,
): Map<string, V> {
  const found = outer.get(key) ?? new Map<string, V>();
  outer.set(key, found);
  return found;
}

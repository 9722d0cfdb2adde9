import type { AuthService, LoggerService } from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import type {
  DeploymentReport,
  PushRequest,
} from '@rocket/plugin-ci-registry-common';
import type { CiRegistryService } from '@rocket/plugin-ci-registry-node';
import type { Knex } from 'knex';
import type { GitHost } from '../git/GitHost';
import type { ServiceRecord } from './ServiceStore';

/** Commits that one report names. */
const MAX_COMMITS = 200;
/** While the registry is away for very long, the oldest reports go. */
const MAX_WAITING = 1000;
const FIRST_DELAY_MS = 5_000;
const LONGEST_DELAY_MS = 5 * 60_000;

export type DeploymentEnd = Extract<
  DeploymentReport['outcome'],
  'succeeded' | 'failed' | 'cancelled'
>;

/** Hears of deployments. What it throws does not stop them. */
export interface DeploymentListener {
  started(record: ServiceRecord, commit: string): Promise<void>;
  finished(
    record: ServiceRecord,
    commit: string,
    end: { outcome: DeploymentEnd; reason?: string },
  ): Promise<void>;
}

interface ReportRow {
  id: number;
  service: string;
  body: string;
}

/**
 * Tells the CI registry of deployments, so that a service shows what runs of it
 * from its first minute on. A report is stored before it is sent and goes only
 * when the registry has it.
 */
export class DeploymentReports implements DeploymentListener {
  readonly #db: Knex;
  readonly #host: Pick<GitHost, 'log'>;
  readonly #registry: Pick<CiRegistryService, 'push'>;
  readonly #auth: AuthService;
  readonly #logger: LoggerService;
  readonly #wants: (environment: string) => boolean;
  readonly #now: () => number;
  #sending?: Promise<void>;
  #again = false;
  #failures = 0;
  #notBefore = 0;

  constructor(deps: {
    db: Knex;
    host: Pick<GitHost, 'log'>;
    registry: Pick<CiRegistryService, 'push'>;
    auth: AuthService;
    logger: LoggerService;
    /** Whether deployments to an environment are told; those on demand are nobody's delivery. Default: all. */
    wants?: (environment: string) => boolean;
    /** Milliseconds since 1970, for tests. */
    now?: () => number;
  }) {
    this.#db = deps.db;
    this.#host = deps.host;
    this.#registry = deps.registry;
    this.#auth = deps.auth;
    this.#logger = deps.logger;
    this.#wants = deps.wants ?? (() => true);
    this.#now = deps.now ?? Date.now;
  }

  async started(record: ServiceRecord, commit: string): Promise<void> {
    await this.#store(record, commit, { outcome: 'in-progress' });
  }

  async finished(
    record: ServiceRecord,
    commit: string,
    end: { outcome: DeploymentEnd; reason?: string },
  ): Promise<void> {
    await this.#store(record, commit, {
      ...end,
      reason: end.reason?.trim().slice(0, 2000) || undefined,
      finishedAt: new Date(this.#now()).toISOString(),
    });
  }

  /** Sends what waits, the oldest first; answers when that is done or was given up for now. Never rejects. */
  async send(): Promise<void> {
    this.#again = true;
    this.#sending ??= (async () => {
      try {
        while (this.#again) {
          this.#again = false;
          await this.#send();
        }
      } catch (error) {
        this.#logger.warn(
          `Deployments could not be read for the CI registry: ${
            toError(error).message
          }`,
        );
      } finally {
        this.#sending = undefined;
      }
    })();
    await this.#sending;
  }

  async #store(
    record: ServiceRecord,
    commit: string,
    state: Pick<DeploymentReport, 'outcome' | 'finishedAt' | 'reason'>,
  ): Promise<void> {
    const environment = record.environment ?? record.runtime;
    if (!this.#wants(environment)) return;
    // The moment it was asked for tells deployments of one commit apart, and is the same after a restart.
    const startedAt =
      record.phases[0]?.startedAt ?? new Date(this.#now()).toISOString();
    const id = `${environment}:${commit.slice(0, 12)}:${startedAt}`;
    const replaced =
      record.runningCommit && record.runningCommit !== commit
        ? record.runningCommit
        : undefined;
    const commits = await this.#host.log(record.repository, commit, {
      after: record.runningCommit,
      limit: MAX_COMMITS,
    });
    const body: PushRequest = {
      source: {
        repository: record.repository,
        commit,
        pipeline: `${record.runtime}-runtime:${record.name}:${startedAt}`,
        time: new Date(this.#now()).toISOString(),
      },
      deployments: [
        {
          id,
          component: record.entityRef,
          environment,
          digest: record.image?.split('@')[1],
          commit,
          startedAt,
          ...state,
          ...(replaced ? { replaced: { commit: replaced } } : {}),
          ...(commits.length > 0 ? { commits } : {}),
        },
      ],
    };
    await this.#db('deployment_reports').insert({
      service: record.name,
      body: JSON.stringify(body),
    });
    // A new deployment is a reason to try at once.
    this.#notBefore = 0;
    void this.send();
  }

  async #send(): Promise<void> {
    for (;;) {
      if (this.#now() < this.#notBefore) {
        return;
      }
      const row: ReportRow | undefined = await this.#db<ReportRow>(
        'deployment_reports',
      )
        .orderBy('id')
        .first();
      if (!row) {
        return;
      }
      const error = await this.#push(JSON.parse(row.body));
      if (!error) {
        this.#failures = 0;
      } else if (['InputError', 'ConflictError'].includes(error.name)) {
        // It would be refused each time.
        this.#logger.error(
          `The CI registry does not take a deployment of ${row.service}: ${error.message}`,
        );
      } else {
        this.#notBefore =
          this.#now() +
          Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures);
        this.#failures = Math.min(this.#failures + 1, 20);
        this.#logger.warn(
          `The CI registry could not be told of a deployment of ${row.service}, which is tried again: ${error.message}`,
        );
        await this.#dropOldest();
        return;
      }
      await this.#db('deployment_reports').where({ id: row.id }).delete();
    }
  }

  async #push(body: PushRequest): Promise<Error | undefined> {
    try {
      await this.#registry.push(body, {
        credentials: await this.#auth.getOwnServiceCredentials(),
      });
      return undefined;
    } catch (error) {
      return toError(error);
    }
  }

  async #dropOldest(): Promise<void> {
    const oldest: { id: number } | undefined = await this.#db(
      'deployment_reports',
    )
      .orderBy('id', 'desc')
      .offset(MAX_WAITING)
      .first('id');
    if (oldest) {
      const count = await this.#db('deployment_reports')
        .where('id', '<=', oldest.id)
        .delete();
      this.#logger.error(
        `The CI registry was away for so long that ${count} reports of deployments are lost`,
      );
    }
  }
}

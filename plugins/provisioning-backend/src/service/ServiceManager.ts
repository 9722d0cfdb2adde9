import type {
  BackstageCredentials,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { ConflictError, InputError, NotFoundError } from '@backstage/errors';
import type {
  PhaseListener,
  Runtime,
  RuntimeTarget,
} from '@rocket/plugin-provisioning-node';
import {
  type DeployRequest,
  type ServiceLog,
  type ServiceStatus,
} from '@rocket/plugin-provisioning-common';
import type { GitHost } from '../git/GitHost';
import type { Access } from './Access';
import {
  enterPhase,
  failPhases,
  finishPhases,
  newPhases,
  toStatus,
} from './serviceStatus';
import { Limiter } from './Limiter';
import { assertServiceName } from './names';
import type { RepositoryStore } from './RepositoryStore';
import type { ServicePatch, ServiceRecord, ServiceStore } from './ServiceStore';

export type Operation = 'start' | 'stop' | 'restart';

/** A deployment or operation under way for one service. */
interface Job {
  kind: 'deploy' | Operation | 'resume';
  controller: AbortController;
  done: Promise<void>;
}

const LOCAL = 'local';

/**
 * What should run, in which state it is, and the way there. Everything is in
 * the store before it is attempted, so a killed backend goes on where it was.
 */
export class ServiceManager {
  readonly #store: ServiceStore;
  readonly #repositories: RepositoryStore;
  readonly #host: GitHost;
  readonly #runtimes: ReadonlyMap<string, Runtime>;
  readonly #access: Access;
  readonly #logger: LoggerService;
  readonly #jobs = new Map<string, Job>();
  /** Requests for one service are admitted one after another. */
  readonly #admissions = new Map<string, Promise<unknown>>();
  /** Installations are heavy; two at once are enough for one machine. */
  readonly #deployments = new Limiter(2);
  /** Changes that runtimes report are stored in order. */
  #changes: Promise<void> = Promise.resolve();
  #closing = false;

  constructor(deps: {
    store: ServiceStore;
    repositories: RepositoryStore;
    host: GitHost;
    runtimes: ReadonlyMap<string, Runtime>;
    access: Access;
    logger: LoggerService;
  }) {
    this.#store = deps.store;
    this.#repositories = deps.repositories;
    this.#host = deps.host;
    this.#runtimes = deps.runtimes;
    this.#access = deps.access;
    this.#logger = deps.logger;
  }

  /** Brings back what ran when the backend ended, and goes on with interrupted deployments. */
  async resume(): Promise<void> {
    for (const runtime of this.#runtimes.values()) {
      runtime.onChange(({ restarted, name, ...change }) => {
        this.#changes = this.#changes
          .then(async () => {
            // A job of ours reports its own states.
            if (this.#closing || this.#jobs.has(name)) return;
            const record = await this.#store.get(name);
            if (!record) return;
            await this.#store.update(name, {
              state: change.state,
              message: change.message,
              ...(restarted ? { restarts: record.restarts + 1 } : {}),
            });
          })
          .catch(error => this.#logger.error(`state of ${name}: ${error}`));
      });
      await runtime.prepare();
    }
    for (const record of await this.#store.list()) {
      if (record.deployStatus === 'running') {
        this.#logger.info(`going on with the deployment of ${record.name}`);
        this.#startDeploy(record, record.deployCommit!);
      } else if (record.desired === 'running' && record.runningCommit) {
        await this.#store.update(record.name, {
          state: 'restarting',
          message: 'Starting again with the backend',
        });
        this.#startJob(record.name, 'resume', signal =>
          this.#deployments.run(() => this.#bringUp(record, signal)),
        );
      }
    }
  }

  /** @returns the status at once; the deployment goes on in the background. */
  async deploy(
    request: DeployRequest,
    credentials: BackstageCredentials,
  ): Promise<ServiceStatus> {
    const name = assertServiceName(request.name);
    return this.#admit(name, () =>
      this.#admitDeploy(name, request, credentials),
    );
  }

  async #admitDeploy(
    name: string,
    request: DeployRequest,
    credentials: BackstageCredentials,
  ): Promise<ServiceStatus> {
    const repositoryName = assertServiceName(request.repository, 'repository');
    await this.#access.requireOwner(credentials, request.owner);
    const repository = await this.#repositories.getRepository(repositoryName);
    if (!repository) {
      throw new NotFoundError(`There is no repository '${repositoryName}'`);
    }
    await this.#access.requireOwner(credentials, repository.owner);
    const existing = await this.#store.get(name);
    if (existing && existing.owner !== request.owner) {
      throw new ConflictError(
        `The service '${name}' exists and belongs to ${existing.owner}`,
      );
    }
    if (existing && existing.repository !== repositoryName) {
      throw new ConflictError(
        `The service '${name}' comes from the repository '${existing.repository}'; another one cannot take its place`,
      );
    }
    const commit = await this.#host.resolve(repositoryName, request.ref);
    const job = this.#jobs.get(name);
    if (job?.kind === 'deploy' && existing?.deployCommit === commit) {
      return toStatus(existing);
    }
    if (job) {
      throw new ConflictError(
        `The service '${name}' is busy (${job.kind}); try again when that has ended`,
      );
    }
    const fields = {
      entityRef: request.entityRef,
      criticalPath: request.criticalPath,
    };
    if (
      existing?.desired === 'running' &&
      existing.runningCommit === commit &&
      existing.deployCommit === commit &&
      existing.state !== 'failed' &&
      existing.entityRef === fields.entityRef &&
      existing.criticalPath === fields.criticalPath
    ) {
      return toStatus(existing);
    }
    const begin: ServicePatch = {
      ...fields,
      desired: 'running',
      deployCommit: commit,
      deployStatus: 'running',
      deployMessage: undefined,
      phases: newPhases(),
      state: 'deploying',
      message: undefined,
    };
    if (existing) {
      await this.#store.update(name, begin);
    } else {
      const inserted = await this.#store.insert({
        name,
        owner: request.owner,
        repository: repositoryName,
        runtime: LOCAL,
        restarts: 0,
        createdBy: this.#access.describe(credentials),
        updatedAt: new Date().toISOString(),
        ...begin,
      } as ServiceRecord);
      if (!inserted) {
        throw new ConflictError(
          `The service '${name}' was just created by another request`,
        );
      }
    }
    const record = await this.#get(name);
    this.#startDeploy(record, commit);
    return toStatus(record);
  }

  async operate(
    name: string,
    operation: Operation,
    credentials: BackstageCredentials,
  ): Promise<ServiceStatus> {
    return this.#admit(name, () =>
      this.#admitOperation(name, operation, credentials),
    );
  }

  async #admitOperation(
    name: string,
    operation: Operation,
    credentials: BackstageCredentials,
  ): Promise<ServiceStatus> {
    const record = await this.#get(name);
    await this.#access.requireOwner(credentials, record.owner);
    const runtime = this.#runtime(record);
    const job = this.#jobs.get(name);
    if (operation === 'stop') {
      // Stopping wins over whatever is under way.
      job?.controller.abort(new Error('The service was stopped meanwhile'));
      await job?.done;
      await this.#startJob(name, 'stop', async () => {
        await this.#store.update(name, {
          desired: 'stopped',
          ...(record.deployStatus === 'running'
            ? { deployStatus: 'failed' }
            : {}),
        });
        await runtime.stop(name);
        await this.#store.update(name, {
          state: 'stopped',
          message: undefined,
          startedAt: undefined,
        });
      }).done;
      return this.status(name);
    }
    if (job) {
      throw new ConflictError(
        `The service '${name}' is busy (${job.kind}); try again when that has ended`,
      );
    }
    if (!record.runningCommit) {
      throw new ConflictError(
        `No version of '${name}' has ever become healthy; deploy one first`,
      );
    }
    await this.#store.update(name, {
      desired: 'running',
      state: 'restarting',
      message: undefined,
    });
    this.#startJob(name, operation, async signal => {
      if (operation === 'restart') await runtime.stop(name);
      await this.#bringUp(record, signal);
    });
    return this.status(name);
  }

  async list(): Promise<ServiceStatus[]> {
    return (await this.#store.list()).map(toStatus);
  }

  async status(name: string): Promise<ServiceStatus> {
    return toStatus(await this.#get(name));
  }

  async readLog(
    name: string,
    request: { after?: number; limit: number },
  ): Promise<ServiceLog> {
    const record = await this.#get(name);
    return this.#runtime(record).readLog(name, request);
  }

  /** Interrupted deployments stay `running` in the store and are resumed by the next backend. */
  async shutdown(): Promise<void> {
    this.#closing = true;
    const jobs = [...this.#jobs.values()];
    for (const job of jobs) {
      job.controller.abort(new Error('The backend is shutting down'));
    }
    await Promise.all(jobs.map(job => job.done));
    for (const runtime of this.#runtimes.values()) await runtime.shutdown();
    await this.#changes;
  }

  async #admit<T>(name: string, what: () => Promise<T>): Promise<T> {
    const before = this.#admissions.get(name) ?? Promise.resolve();
    const mine = before.then(what);
    const settled = mine.then(
      () => {},
      () => {},
    );
    this.#admissions.set(name, settled);
    try {
      return await mine;
    } finally {
      if (this.#admissions.get(name) === settled) this.#admissions.delete(name);
    }
  }

  async #get(name: string): Promise<ServiceRecord> {
    const record = await this.#store.get(assertServiceName(name));
    if (!record) throw new NotFoundError(`There is no service '${name}'`);
    return record;
  }

  #runtime(record: ServiceRecord): Runtime {
    const runtime = this.#runtimes.get(record.runtime);
    if (!runtime) {
      throw new InputError(`There is no runtime '${record.runtime}' any more`);
    }
    return runtime;
  }

  #target(record: ServiceRecord, commit: string): RuntimeTarget {
    return {
      name: record.name,
      entityRef: record.entityRef,
      owner: record.owner,
      criticalPath: record.criticalPath,
      commit,
      checkout: (directory, signal) =>
        this.#host.checkout(record.repository, commit, directory, signal),
    };
  }

  #startJob(
    name: string,
    kind: Job['kind'],
    run: (signal: AbortSignal) => Promise<void>,
  ): Job {
    const controller = new AbortController();
    const job: Job = {
      kind,
      controller,
      done: Promise.resolve()
        .then(() => run(controller.signal))
        .catch(error => this.#logger.error(`${kind} of ${name}: ${error}`))
        .finally(() => {
          if (this.#jobs.get(name) === job) this.#jobs.delete(name);
        }),
    };
    this.#jobs.set(name, job);
    return job;
  }

  #startDeploy(record: ServiceRecord, commit: string) {
    this.#startJob(record.name, 'deploy', signal =>
      this.#deployments.run(() => this.#deploy(record, commit, signal)),
    );
  }

  async #deploy(record: ServiceRecord, commit: string, signal: AbortSignal) {
    const { name } = record;
    const runtime = this.#runtime(record);
    let phases = newPhases();
    const onPhase: PhaseListener = async (phase, details = {}) => {
      phases = enterPhase(phases, phase, details.message);
      await this.#store.update(name, {
        phases,
        ...(details.database ? { database: details.database } : {}),
      });
    };
    try {
      signal.throwIfAborted();
      const endpoint = await runtime.deploy(this.#target(record, commit), {
        signal,
        onPhase,
      });
      await this.#store.update(name, {
        ...endpoint,
        phases: finishPhases(phases),
        state: 'healthy',
        message: undefined,
        runningCommit: commit,
        deployStatus: 'done',
        startedAt: new Date().toISOString(),
      });
    } catch (error) {
      if (this.#closing) return;
      const reason = (error as Error).message;
      phases = failPhases(phases, reason);
      await this.#store.update(name, {
        phases,
        deployStatus: 'failed',
        deployMessage: reason,
        state: 'failed',
        message: reason,
      });
      this.#logger.warn(`deployment of ${name} ${commit} failed: ${reason}`);
      if (
        record.runningCommit &&
        record.runningCommit !== commit &&
        !signal.aborted
      ) {
        await this.#bringUp(
          record,
          signal,
          `The deployment of ${commit.slice(0, 7)} failed (${
            phases.find(p => p.status === 'failed')?.phase
          }): ${reason} The version before it, ${record.runningCommit.slice(
            0,
            7,
          )}, runs.`,
        );
      }
    }
  }

  /** Runs the last healthy version. */
  async #bringUp(record: ServiceRecord, signal: AbortSignal, message?: string) {
    const { name } = record;
    try {
      signal.throwIfAborted();
      const endpoint = await this.#runtime(record).start(
        this.#target(record, record.runningCommit!),
        { signal },
      );
      await this.#store.update(name, {
        ...endpoint,
        state: 'healthy',
        message,
        startedAt: new Date().toISOString(),
      });
    } catch (error) {
      if (this.#closing || signal.aborted) return;
      await this.#store.update(name, {
        state: 'failed',
        message: [message, (error as Error).message].filter(Boolean).join(' '),
      });
    }
  }
}

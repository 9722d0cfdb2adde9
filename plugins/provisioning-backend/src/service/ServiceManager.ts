import type {
  BackstageCredentials,
  LoggerService,
} from '@backstage/backend-plugin-api';
import {
  ConflictError,
  InputError,
  NotFoundError,
  NotImplementedError,
} from '@backstage/errors';
import type {
  Runtime,
  RuntimeTarget,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import {
  type DeployRequest,
  type ServiceLog,
  type ServiceStatus,
} from '@rocket/plugin-provisioning-common';
import type { EnvironmentDirectory } from '../environments/EnvironmentDirectory';
import type { GitHost } from '../git/GitHost';
import type { Access } from './Access';
import { Deployer } from './Deployer';
import type { DeploymentListener } from './DeploymentReports';
import { assertServiceName } from './names';
import type { RepositoryStore } from './RepositoryStore';
import { ServiceJobs, type Operation } from './ServiceJobs';
import { newPhases, toStatus } from './serviceStatus';
import type {
  ServicePatch,
  ServiceRecord,
  ServiceStore,
  ServiceVersion,
} from './ServiceStore';

const LOCAL = 'local';

/** A deployment to an environment; nobody asks for that directly, but by an operation. */
export interface EnvironmentDeployRequest extends DeployRequest {
  environment?: string;
  /** By digest. */
  image?: string;
}

/**
 * What should run, in which state it is, and the way there. Everything is in
 * the store before it is attempted, so a killed backend goes on where it was.
 */
export class ServiceManager {
  readonly #store: ServiceStore;
  readonly #repositories: RepositoryStore;
  readonly #host: GitHost;
  readonly #runtimes: ReadonlyMap<string, Runtime>;
  readonly #environments: EnvironmentDirectory;
  readonly #access: Access;
  readonly #logger: LoggerService;
  readonly #deployer: Deployer;
  readonly #jobs: ServiceJobs;
  /** Changes that runtimes report are stored in order. */
  #changes: Promise<void> = Promise.resolve();
  #closing = false;

  constructor(deps: {
    store: ServiceStore;
    repositories: RepositoryStore;
    host: GitHost;
    runtimes: ReadonlyMap<string, Runtime>;
    /** Default: none. */
    environments?: EnvironmentDirectory;
    access: Access;
    /** Hears of the start and the end of deployments. */
    listener?: DeploymentListener;
    logger: LoggerService;
  }) {
    this.#store = deps.store;
    this.#repositories = deps.repositories;
    this.#host = deps.host;
    this.#runtimes = deps.runtimes;
    this.#environments = deps.environments ?? { find: async () => undefined };
    this.#access = deps.access;
    this.#logger = deps.logger;
    this.#deployer = new Deployer(deps);
    this.#jobs = new ServiceJobs(deps.logger);
  }

  /** Brings back what ran when the backend ended, and goes on with interrupted deployments. */
  async resume(): Promise<void> {
    for (const runtime of this.#runtimes.values()) {
      runtime.onChange(({ restarted, name, ...change }) => {
        this.#changes = this.#changes
          .then(async () => {
            // A job of ours reports its own states.
            if (this.#closing || this.#jobs.get(name)) return;
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
        this.#jobs.start(record.name, 'resume', signal =>
          this.#deployer.resume(record, signal),
        );
      }
    }
  }

  /** @returns the status at once; the deployment goes on in the background. */
  async deploy(
    request: EnvironmentDeployRequest,
    credentials: BackstageCredentials,
  ): Promise<ServiceStatus> {
    const name = assertServiceName(request.name);
    return this.#jobs.admit(name, () =>
      this.#admitDeploy(name, request, credentials),
    );
  }

  async #admitDeploy(
    name: string,
    request: EnvironmentDeployRequest,
    credentials: BackstageCredentials,
  ): Promise<ServiceStatus> {
    const runtime = await this.#runtimeOf(request.environment);
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
    if (existing && existing.environment !== request.environment) {
      throw new ConflictError(
        `The service '${name}' runs in ${
          existing.environment ?? 'no environment'
        }; a deployment there is an operation`,
      );
    }
    const commit = await this.#host.resolve(repositoryName, request.ref);
    const job = this.#jobs.get(name);
    if (job?.kind === 'deploy' && existing?.deployCommit === commit) {
      return toStatus(existing);
    }
    const fields = {
      entityRef: request.entityRef,
      criticalPath: request.criticalPath,
      image: request.image,
    };
    if (
      existing?.desired === 'running' &&
      existing.runningCommit === commit &&
      existing.deployCommit === commit &&
      existing.state !== 'failed' &&
      existing.entityRef === fields.entityRef &&
      existing.criticalPath === fields.criticalPath &&
      existing.image === fields.image &&
      job?.kind !== 'stop'
    ) {
      // Also while it comes back with the backend: nothing is left to deploy.
      return toStatus(existing);
    }
    if (job) {
      throw new ConflictError(
        `The service '${name}' is busy (${job.kind}); try again when that has ended`,
      );
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
        runtime,
        environment: request.environment,
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
    return this.#jobs.admit(name, () =>
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
    const runtime = this.#deployer.runtime(record);
    const job = this.#jobs.get(name);
    if (operation === 'stop') {
      // Stopping wins over whatever is under way.
      job?.controller.abort(new Error('The service was stopped meanwhile'));
      await job?.done;
      await this.#jobs.start(name, 'stop', async () => {
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
    this.#jobs.start(name, operation, async signal => {
      if (operation === 'restart') await runtime.stop(name);
      await this.#deployer.bringUp(record, signal);
    });
    return this.status(name);
  }

  /**
   * Ends the service and takes it from its runtime, whatever is under way.
   * Nothing to do for what is not there or belongs to another entity.
   */
  async remove(name: string, entityRef: string): Promise<UndoResult> {
    return this.#jobs.admit(name, async () => {
      const record = await this.#store.get(assertServiceName(name));
      if (!record) return { outcome: 'done' };
      if (record.entityRef !== entityRef) {
        return {
          outcome: 'done',
          message: `The service ${name} belongs to ${record.entityRef} and was left alone`,
        };
      }
      const runtime = this.#deployer.runtime(record);
      const job = this.#jobs.get(name);
      job?.controller.abort(new Error('The service is being removed'));
      await job?.done;
      await this.#store.update(name, {
        desired: 'stopped',
        state: 'stopped',
        message: 'It is being removed',
        ...(record.deployStatus === 'running'
          ? { deployStatus: 'failed' as const }
          : {}),
      });
      await runtime.stop(name);
      const { criticalPath, owner } = record;
      const commit = record.runningCommit ?? record.deployCommit ?? '';
      const environment =
        record.environment === undefined
          ? undefined
          : await this.#environments.find(record.environment);
      const result = (await runtime.remove?.({
        name,
        entityRef,
        owner,
        criticalPath,
        commit,
        environment,
      })) ?? { outcome: 'done' };
      // Last: until then it can be repeated.
      if (result.outcome === 'done') await this.#store.delete(name);
      return result;
    });
  }

  /** Versions that became healthy, the last one first. */
  async versions(name: string): Promise<ServiceVersion[]> {
    return this.#store.listVersions(assertServiceName(name));
  }

  /** What the service's runtime can do beside deploying it. */
  async abilities(name: string): Promise<{ scale: boolean; rotate: boolean }> {
    const runtime = this.#deployer.runtime(await this.#get(name));
    return { scale: !!runtime.scale, rotate: !!runtime.rotateCredentials };
  }

  /** @throws NotImplementedError when the runtime cannot. */
  async scale(name: string, replicas: number, signal: AbortSignal) {
    await this.#change(name, 'scale', signal, async (runtime, target, stop) => {
      await runtime.scale?.(target, replicas, { signal: stop });
      await this.#store.update(name, { replicas });
    });
  }

  /** @throws NotImplementedError when the runtime cannot. */
  async rotate(name: string, signal: AbortSignal) {
    await this.#change(
      name,
      'rotate',
      signal,
      async (runtime, target, stop) => {
        await runtime.rotateCredentials?.(target, { signal: stop });
      },
    );
  }

  /** Changes what runs, as the only job of the service; answers when it is so. */
  async #change(
    name: string,
    kind: 'scale' | 'rotate',
    signal: AbortSignal,
    act: (
      runtime: Runtime,
      target: RuntimeTarget,
      signal: AbortSignal,
    ) => Promise<void>,
  ): Promise<void> {
    let failure: unknown;
    const job = await this.#jobs.admit(name, async () => {
      const record = await this.#get(name);
      const runtime = this.#deployer.runtime(record);
      if (!(await this.abilities(name))[kind]) {
        throw new NotImplementedError(
          `The runtime '${record.runtime}' cannot ${kind} services`,
        );
      }
      const busy = this.#jobs.get(name);
      if (busy) {
        throw new ConflictError(
          `The service '${name}' is busy (${busy.kind}); try again when that has ended`,
        );
      }
      if (!record.runningCommit || record.desired !== 'running') {
        throw new InputError(`The service '${name}' does not run`);
      }
      const target = await this.#deployer.target(record, record.runningCommit);
      return {
        // Wrapped, since a promise in a promise would be waited for here.
        done: this.#jobs.start(name, kind, async stop => {
          try {
            await act(runtime, target, AbortSignal.any([stop, signal]));
          } catch (error) {
            failure = error;
          }
        }).done,
      };
    });
    await job.done;
    if (failure) throw failure;
  }

  /** Id of the runtime of an environment. */
  async #runtimeOf(name: string | undefined): Promise<string> {
    const environment =
      name === undefined ? undefined : await this.#environments.find(name);
    if (name !== undefined && !environment) {
      throw new NotFoundError(`There is no environment '${name}'`);
    }
    const id = environment?.runtime ?? LOCAL;
    if (!this.#runtimes.has(id)) {
      throw new NotImplementedError(
        id === LOCAL
          ? 'This installation runs no services itself (provisioning.local.enabled is false); deploy through its pipelines'
          : `This installation has no runtime '${id}', which the environment '${name}' needs`,
      );
    }
    return id;
  }

  get hasLocalRuntime(): boolean {
    return this.#runtimes.has(LOCAL);
  }

  async find(name: string): Promise<ServiceStatus | undefined> {
    const record = await this.#store.get(assertServiceName(name));
    return record && toStatus(record);
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
    return this.#deployer.runtime(record).readLog(name, request);
  }

  /** Interrupted deployments stay `running` in the store and are resumed by the next backend. */
  async shutdown(): Promise<void> {
    this.#closing = true;
    this.#deployer.close();
    await this.#jobs.abortAll(new Error('The backend is shutting down'));
    for (const runtime of this.#runtimes.values()) await runtime.shutdown();
    await this.#changes;
  }

  async #get(name: string): Promise<ServiceRecord> {
    const record = await this.#store.get(assertServiceName(name));
    if (!record) throw new NotFoundError(`There is no service '${name}'`);
    return record;
  }

  #startDeploy(record: ServiceRecord, commit: string) {
    this.#jobs.start(record.name, 'deploy', signal =>
      this.#deployer.deploy(record, commit, signal),
    );
  }
}

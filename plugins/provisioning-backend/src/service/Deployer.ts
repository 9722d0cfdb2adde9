import type { LoggerService } from '@backstage/backend-plugin-api';
import { InputError } from '@backstage/errors';
import type {
  PhaseListener,
  Runtime,
  RuntimeEnvironment,
  RuntimeTarget,
} from '@rocket/plugin-provisioning-node';
import type { EnvironmentDirectory } from '../environments/EnvironmentDirectory';
import type { GitHost } from '../git/GitHost';
import { Limiter } from './Limiter';
import {
  enterPhase,
  failPhases,
  finishPhases,
  newPhases,
} from './serviceStatus';
import type { DeploymentEnd, DeploymentListener } from './DeploymentReports';
import type { ServiceRecord, ServiceStore } from './ServiceStore';

/** Carries out deployments on the runtimes and writes down how they go. */
export class Deployer {
  readonly #store: ServiceStore;
  readonly #host: GitHost;
  readonly #environments: EnvironmentDirectory;
  readonly #runtimes: ReadonlyMap<string, Runtime>;
  readonly #listener?: DeploymentListener;
  readonly #logger: LoggerService;
  /** Installations are heavy; two at once are enough for one machine. */
  readonly #limiter = new Limiter(2);
  #closing = false;

  constructor(deps: {
    store: ServiceStore;
    host: GitHost;
    /** Default: none. */
    environments?: EnvironmentDirectory;
    runtimes: ReadonlyMap<string, Runtime>;
    /** Hears of the start and the end of deployments. */
    listener?: DeploymentListener;
    logger: LoggerService;
  }) {
    this.#store = deps.store;
    this.#host = deps.host;
    this.#environments = deps.environments ?? { find: async () => undefined };
    this.#runtimes = deps.runtimes;
    this.#listener = deps.listener;
    this.#logger = deps.logger;
  }

  runtime(record: ServiceRecord): Runtime {
    const runtime = this.#runtimes.get(record.runtime);
    if (!runtime) {
      throw new InputError(`There is no runtime '${record.runtime}' any more`);
    }
    return runtime;
  }

  /** From here on, what is interrupted is written down as going on: the next backend takes it up. */
  close() {
    this.#closing = true;
  }

  /** Waits for its turn, brings the commit up, and brings the version before it back when that fails. */
  async deploy(record: ServiceRecord, commit: string, signal: AbortSignal) {
    await this.#limiter.run(() => this.#deploy(record, commit, signal));
  }

  /** Like `bringUp`, but waits for its turn. */
  async resume(record: ServiceRecord, signal: AbortSignal) {
    await this.#limiter.run(() => this.bringUp(record, signal));
  }

  /** Runs the last healthy version. */
  async bringUp(record: ServiceRecord, signal: AbortSignal, message?: string) {
    const { name } = record;
    try {
      signal.throwIfAborted();
      const endpoint = await this.runtime(record).start(
        await this.target(record, record.runningCommit!),
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

  async #deploy(record: ServiceRecord, commit: string, signal: AbortSignal) {
    const { name } = record;
    const runtime = this.runtime(record);
    // Taken up again after a restart it is still the one that was asked for then.
    let phases = newPhases(record.phases[0]?.startedAt);
    const onPhase: PhaseListener = async (phase, details = {}) => {
      phases = enterPhase(phases, phase, details.message);
      await this.#store.update(name, {
        phases,
        ...(details.database ? { database: details.database } : {}),
      });
    };
    const end = (outcome: DeploymentEnd, reason?: string) =>
      this.#tell(record, () =>
        this.#listener?.finished(record, commit, { outcome, reason }),
      );
    await this.#tell(record, () => this.#listener?.started(record, commit));
    try {
      signal.throwIfAborted();
      const endpoint = await runtime.deploy(await this.target(record, commit), {
        signal,
        onPhase,
      });
      // Noted first: killed in between, it is taken up again and noted once more.
      await end('succeeded');
      await this.#store.addVersion(name, {
        commit,
        image: record.image,
        healthyAt: new Date().toISOString(),
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
      await end(signal.aborted ? 'cancelled' : 'failed', reason);
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
        await this.bringUp(
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

  /** Whoever listens must not stop a deployment. */
  async #tell(
    record: ServiceRecord,
    tell: () => Promise<void> | undefined,
  ): Promise<void> {
    try {
      await tell();
    } catch (error) {
      this.#logger.error(
        `a deployment of ${record.name} could not be noted: ${error}`,
      );
    }
  }

  /** What a runtime has to know of it. */
  async target(record: ServiceRecord, commit: string): Promise<RuntimeTarget> {
    let environment: RuntimeEnvironment | undefined;
    if (record.environment) {
      environment = await this.#environments.find(record.environment);
      if (!environment) {
        throw new InputError(
          `There is no environment '${record.environment}' any more`,
        );
      }
    }
    const { image } =
      commit === record.deployCommit
        ? record
        : (await this.#store.listVersions(record.name)).find(
            version => version.commit === commit,
          ) ?? {};
    return {
      name: record.name,
      entityRef: record.entityRef,
      owner: record.owner,
      criticalPath: record.criticalPath,
      environment: environment && {
        name: environment.name,
        tier: environment.tier,
        onDemand: environment.onDemand,
        settings: environment.settings,
      },
      commit,
      image,
      checkout: (directory, signal) =>
        this.#host.checkout(record.repository, commit, directory, signal),
    };
  }
}

import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoggerService } from '@backstage/backend-plugin-api';
import { InputError } from '@backstage/errors';
import type { Observation } from '@rocket/plugin-provisioning-common';
import type {
  PhaseListener,
  Runtime,
  RuntimeChange,
  RuntimeEndpoint,
  RuntimeTarget,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import { databaseName } from './databaseNames';
import type { NewRelicTarget } from './environment';
import type { HandOverPolicy } from './handOver';
import { endLeftovers, lockDirectory } from './leftovers';
import { readManifest } from './manifest';
import type { PortRegistry } from './ports';
import { RunningVersions } from './RunningVersions';
import type { ServiceDatabases } from './ServiceDatabases';
import { ServicePreparation, type Prepared } from './ServicePreparation';
import type { SupervisionPolicy } from './SupervisedProcess';

export interface LocalRuntimeOptions {
  /** Directory of the services: `<name>/{releases/<sha>,log,home,run}`. */
  directory: string;
  ports: { from: number; to: number };
  registry: PortRegistry;
  databases: ServiceDatabases;
  newRelic?: NewRelicTarget;
  policy: SupervisionPolicy;
  handOver: HandOverPolicy;
  /** Longest silence of a service while a request is under way, in milliseconds. */
  requestIdleMs: number;
  /** Most instances of one service. */
  maxInstances: number;
  /** Longest install or migration, in milliseconds. */
  commandTimeoutMs: number;
  logger: LoggerService;
}

/**
 * Services as supervised processes on this machine behind one proxy, each with
 * its own PostgreSQL database. A new version comes up beside the one that
 * serves, and takes over when it is ready.
 */
export class LocalRuntime implements Runtime {
  readonly id = 'local';
  readonly #options: LocalRuntimeOptions;
  readonly #databases: ServiceDatabases;
  readonly #preparation: ServicePreparation;
  readonly #versions: RunningVersions;
  #unlock: (() => Promise<void>) | undefined;

  constructor(options: LocalRuntimeOptions) {
    this.#options = options;
    this.#databases = options.databases;
    this.#preparation = new ServicePreparation(options);
    this.#versions = new RunningVersions({
      ...options,
      preparation: this.#preparation,
    });
  }

  onChange(listener: (change: RuntimeChange) => void): void {
    this.#versions.onChange(listener);
  }

  async prepare(): Promise<void> {
    const { directory, logger } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    this.#unlock = await lockDirectory(directory);
    await endLeftovers(directory, this.#options.policy.stopGraceMs, logger);
    // Ready before the first service needs it; whoever needs it reports what is wrong.
    this.#databases.admin
      .connectionUrl()
      .catch(error => logger.error(String(error.message)));
  }

  async deploy(
    target: RuntimeTarget,
    options: { signal: AbortSignal; onPhase: PhaseListener },
  ): Promise<RuntimeEndpoint> {
    const { signal, onPhase } = options;
    const prepared = await this.#preparation.prepare(target, signal, onPhase);
    await this.#preparation.migrate(prepared, signal, onPhase);
    await onPhase('start');
    signal.throwIfAborted();
    const port = await this.#rollOut(prepared, signal, () => onPhase('health'));
    await this.#preparation.prune(target);
    return endpointOf(port, prepared);
  }

  async start(
    target: RuntimeTarget,
    options: { signal: AbortSignal },
  ): Promise<RuntimeEndpoint> {
    const { signal } = options;
    const current = this.#versions.get(target.name);
    if (current?.active && current.commit === target.commit) {
      const { releases } = this.#preparation;
      return endpointOf((await this.#options.registry.getPort(target.name))!, {
        target,
        manifest: await readManifest(releases.path(target)),
      });
    }
    const prepared = await this.#preparation.prepare(target, signal);
    return endpointOf(await this.#rollOut(prepared, signal), prepared);
  }

  async stop(name: string): Promise<void> {
    await this.#versions.end(name);
  }

  /** Everything but the database and its credentials. */
  async remove(target: Omit<RuntimeTarget, 'checkout'>): Promise<UndoResult> {
    await this.#versions.end(target.name);
    await this.#options.registry.releasePort(target.name);
    await this.#preparation.remove(target.name);
    return { outcome: 'done' };
  }

  /** Instances of the version that serves and of those after it; requests go to them in turns. */
  async scale(
    target: RuntimeTarget,
    replicas: number,
    options: { signal: AbortSignal },
  ): Promise<void> {
    const { maxInstances: most } = this.#options;
    if (!Number.isInteger(replicas) || replicas < 1 || replicas > most) {
      throw new InputError(
        `replicas: must be a whole number from 1 to ${most} on the local runtime (provisioning.local.maxInstances); to have none, stop the service`,
      );
    }
    const { name } = target;
    await this.#versions.scale(name, replicas, options.signal);
    await mkdir(this.#preparation.home(name), { recursive: true, mode: 0o700 });
    const file = this.#scaleFile(name);
    await writeFile(`${file}.new`, JSON.stringify({ replicas }));
    await rename(`${file}.new`, file);
  }

  /** New passwords, and what serves comes up with them beside itself and takes over; the old ones are refused from then on. */
  async rotateCredentials(
    target: RuntimeTarget,
    options: { signal: AbortSignal },
  ): Promise<void> {
    const { signal } = options;
    const { name } = target;
    const prepared = await this.#preparation.prepare(target, signal);
    if (!prepared.manifest.database) {
      throw new InputError(
        `${name} has no database, so it has no credentials that could be rotated`,
      );
    }
    await this.#databases.rotate(name, async database => {
      prepared.log.hide(database.secrets);
      if (!this.#versions.get(name)?.active) return;
      await this.#rollOut({ ...prepared, database }, signal);
    });
    prepared.log.write(
      'rocket',
      'the credentials of the database were rotated; the old ones are refused',
    );
  }

  async observe(
    target: RuntimeTarget,
    _options: { signal: AbortSignal },
  ): Promise<Observation> {
    const { name, commit } = target;
    const version = this.#versions.get(name);
    const differences: NonNullable<Observation['differences']> = [];
    const expect = (field: string, intended: unknown, found: unknown) => {
      if (intended === found) return;
      differences.push({
        field,
        intended: String(intended),
        found: String(found),
      });
    };
    if (!version) {
      if (!existsSync(this.#preparation.releases.path(target))) {
        return { state: 'absent', observedAt: new Date().toISOString() };
      }
      expect('processes', 'running', 'none');
    } else {
      const replicas = await this.#replicas(name);
      const port = await this.#options.registry.getPort(name);
      const listens = port !== undefined && this.#versions.listens(name, port);
      expect('commit', commit, version.commit);
      expect('instances', replicas, version.size);
      expect('readiness', 'ready', (await version.check()) ?? 'ready');
      expect('address', 'answers', listens ? 'answers' : 'nobody listens');
    }
    return {
      state: differences.length > 0 ? 'drifted' : 'present',
      ...(differences.length > 0 ? { differences } : {}),
      observedAt: new Date().toISOString(),
    };
  }

  async readLog(name: string, request: { after?: number; limit: number }) {
    return (await this.#preparation.log(name)).read(request);
  }

  async shutdown(): Promise<void> {
    await this.#versions.shutdown();
    await this.#preparation.flush();
    await this.#databases.admin.shutdown();
    await this.#unlock?.();
  }

  async #rollOut(
    prepared: Prepared,
    signal: AbortSignal,
    onStarted?: () => Promise<void>,
  ): Promise<number> {
    const instances = await this.#replicas(prepared.target.name);
    return this.#versions.rollOut(prepared, { instances, signal, onStarted });
  }

  #scaleFile(name: string) {
    return join(this.#preparation.home(name), 'scale.json');
  }

  /** How many instances there are to be. */
  async #replicas(name: string): Promise<number> {
    try {
      const text = await readFile(this.#scaleFile(name), 'utf8');
      const { replicas } = JSON.parse(text);
      return Math.min(Math.max(1, replicas), this.#options.maxInstances) || 1;
    } catch {
      return 1;
    }
  }
}

function endpointOf(
  port: number,
  of: Pick<Prepared, 'target' | 'manifest'>,
): RuntimeEndpoint {
  const url = `http://127.0.0.1:${port}`;
  const { manifest, target } = of;
  return {
    url,
    docsUrl: manifest.docs && `${url}${manifest.docs}`,
    database: manifest.database && databaseName(target.name),
  };
}

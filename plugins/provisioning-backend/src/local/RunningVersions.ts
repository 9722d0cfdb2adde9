import { join } from 'node:path';
import type { LoggerService } from '@backstage/backend-plugin-api';
import type { RuntimeChange } from '@rocket/plugin-provisioning-node';
import { handOver, type HandOverPolicy } from './handOver';
import { PID_FILES } from './leftovers';
import { Ports, type PortRegistry } from './ports';
import type { Prepared, ServicePreparation } from './ServicePreparation';
import { ServiceProxy } from './ServiceProxy';
import { ServiceVersion } from './ServiceVersion';
import { SupervisedProcess, type SupervisionPolicy } from './SupervisedProcess';

/** Which version of each service runs and serves, and how another one takes its place. */
export class RunningVersions {
  readonly #preparation: ServicePreparation;
  readonly #policy: SupervisionPolicy;
  readonly #handOver: HandOverPolicy;
  readonly #registry: PortRegistry;
  readonly #logger: LoggerService;
  readonly #proxy: ServiceProxy;
  readonly #ports: Ports;
  /** What serves. */
  readonly #versions = new Map<string, ServiceVersion>();
  /** Everything that runs, also while one version takes over from another. */
  readonly #running = new Map<string, Set<ServiceVersion>>();
  #listener: (change: RuntimeChange) => void = () => {};

  constructor(options: {
    directory: string;
    ports: { from: number; to: number };
    registry: PortRegistry;
    preparation: ServicePreparation;
    policy: SupervisionPolicy;
    handOver: HandOverPolicy;
    requestIdleMs: number;
    logger: LoggerService;
  }) {
    this.#preparation = options.preparation;
    this.#policy = options.policy;
    this.#handOver = options.handOver;
    this.#registry = options.registry;
    this.#logger = options.logger;
    this.#ports = new Ports({
      range: options.ports,
      registry: options.registry,
    });
    this.#proxy = new ServiceProxy({
      directory: options.directory,
      idleTimeoutMs: options.requestIdleMs,
      logger: options.logger,
    });
  }

  onChange(listener: (change: RuntimeChange) => void): void {
    this.#listener = listener;
  }

  /** The version that serves. */
  get(name: string): ServiceVersion | undefined {
    return this.#versions.get(name);
  }

  /** Whether the service's proxy listens on this port. */
  listens(name: string, port: number): boolean {
    return this.#proxy.has(name, port);
  }

  /** Starts the version beside what runs, and lets it take over. What ran before goes on when that fails. @returns the stable port */
  async rollOut(
    prepared: Prepared,
    options: {
      instances: number;
      signal: AbortSignal;
      /** Called when the processes are being started. */
      onStarted?: () => Promise<void>;
    },
  ): Promise<number> {
    const { signal } = options;
    const { target, log } = prepared;
    const { name } = target;
    const before = this.#versions.get(name);
    const port = await this.#ports.stable(
      name,
      known => this.#proxy.has(name, known),
      log,
    );
    const next = await this.#version(prepared);
    const running = this.#running.get(name) ?? new Set();
    this.#running.set(name, running.add(next));
    try {
      await options.onStarted?.();
      await next.grow(options.instances, signal);
      // What has given up holds nothing warm.
      const old = before?.active ? before : undefined;
      this.#listen(next, port);
      if (old) {
        this.#versions.set(name, next);
        await handOver({
          old,
          next,
          port,
          proxy: this.#proxy,
          policy: this.#handOver,
          log,
          signal,
        });
      } else {
        await this.#proxy.route(name, port, next.serving);
        this.#versions.set(name, next);
        await before?.stop();
      }
      if (before) running.delete(before);
    } catch (error) {
      next.listen(() => {});
      if (before && running.has(before)) {
        this.#versions.set(name, before);
        // Wherever it failed: what is ended must get nothing.
        if (this.#proxy.has(name, port)) {
          await this.#proxy
            .route(name, port, before.serving)
            .catch(failure => this.#logger.error(`proxy, ${name}: ${failure}`));
        }
      } else {
        this.#versions.delete(name);
      }
      await next.stop();
      running.delete(next);
      throw error;
    }
    return port;
  }

  /** Does nothing to a service that does not run. */
  async scale(
    name: string,
    instances: number,
    signal: AbortSignal,
  ): Promise<void> {
    const version = this.#versions.get(name);
    if (!version?.active) return;
    const port = (await this.#registry.getPort(name))!;
    await version.grow(instances, signal);
    const gone = version.shrink(instances);
    await this.#proxy.route(name, port, version.serving);
    await this.#proxy.drain(name, gone.ports, this.#handOver.drainMs);
    await gone.end();
  }

  /** What is under way has the grace time; nothing new is taken. */
  async end(name: string) {
    const versions = [...(this.#running.get(name) ?? [])];
    this.#versions.delete(name);
    this.#running.delete(name);
    await this.#proxy
      .remove(name, this.#policy.stopGraceMs)
      .catch(error => this.#logger.error(`proxy, ${name}: ${error.message}`));
    await Promise.all(versions.map(version => version.stop()));
  }

  async shutdown(): Promise<void> {
    await Promise.all([...this.#running.keys()].map(name => this.end(name)));
    await this.#proxy.shutdown();
  }

  async #version(prepared: Prepared): Promise<ServiceVersion> {
    const { target, manifest, log } = prepared;
    const { name, commit } = target;
    const home = this.#preparation.home(name);
    const env = await this.#preparation.environment(prepared, 0);
    return new ServiceVersion({
      name,
      commit,
      ready: manifest.health.ready,
      ports: this.#ports,
      factory: (port, onChange) =>
        new SupervisedProcess({
          name,
          commit,
          argv: manifest.start,
          cwd: this.#preparation.releases.path(target),
          env: { ...env, PORT: String(port) },
          readyUrl: `http://127.0.0.1:${port}${manifest.health.ready}`,
          pidFile: join(home, PID_FILES, `${port}.pid`),
          log,
          policy: this.#policy,
          onChange,
        }),
    });
  }

  /** While a version serves, its instances come and go at the proxy as they are well or not, and its changes are told. */
  #listen(version: ServiceVersion, port: number) {
    const { name } = version;
    version.listen((change, serving) => {
      if (this.#versions.get(name) !== version) return;
      this.#listener(change);
      this.#proxy
        .route(name, port, serving)
        .catch(error => this.#logger.error(`proxy, ${name}: ${error.message}`));
    });
  }
}

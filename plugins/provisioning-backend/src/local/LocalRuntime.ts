import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoggerService } from '@backstage/backend-plugin-api';
import type {
  PhaseListener,
  Runtime,
  RuntimeChange,
  RuntimeEndpoint,
  RuntimeTarget,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import { assertServiceName } from '../service/names';
import { serviceEnvironment, type NewRelicTarget } from './environment';
import { choosePort, type PortRegistry } from './ports';
import { readManifest, type RuntimeManifest } from './manifest';
import { endLeftovers, lockDirectory } from './leftovers';
import { Releases } from './Releases';
import { runCommand } from './runCommand';
import { databaseName } from './databaseNames';
import type { DatabaseAccess, ServiceDatabases } from './ServiceDatabases';
import { ServiceLogFile } from './ServiceLogFile';
import { SupervisedProcess, type SupervisionPolicy } from './SupervisedProcess';

export interface LocalRuntimeOptions {
  /** Directory of the services: `<name>/releases/<sha>`, `<name>/log`, `<name>/home`. */
  directory: string;
  ports: { from: number; to: number };
  registry: PortRegistry;
  databases: ServiceDatabases;
  newRelic?: NewRelicTarget;
  policy: SupervisionPolicy;
  /** Longest install or migration, in milliseconds. */
  commandTimeoutMs: number;
  logger: LoggerService;
}

/** File in a service's directory with the passwords of its database; it stays as long as the data. */
export const CREDENTIALS = 'database.json';

const NOT_NEEDED = { message: 'not needed' };

/** Services as supervised processes on this machine, each with its own PostgreSQL database. */
export class LocalRuntime implements Runtime {
  readonly id = 'local';
  readonly #options: LocalRuntimeOptions;
  readonly #databases: ServiceDatabases;
  readonly #releases: Releases;
  readonly #processes = new Map<string, SupervisedProcess>();
  readonly #logs = new Map<string, Promise<ServiceLogFile>>();
  #listener: (change: RuntimeChange) => void = () => {};
  #unlock: (() => Promise<void>) | undefined;

  constructor(options: LocalRuntimeOptions) {
    this.#options = options;
    this.#databases = options.databases;
    this.#releases = new Releases(options);
  }

  onChange(listener: (change: RuntimeChange) => void): void {
    this.#listener = listener;
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
    const log = await this.#log(target.name);
    await onPhase('checkout');
    const manifest = await this.#releases.checkout(target, signal);

    await onPhase('install', manifest.install ? {} : NOT_NEEDED);
    await this.#releases.install(target, manifest, log, signal);

    await onPhase('database', manifest.database ? {} : NOT_NEEDED);
    const database = await this.#database(target, manifest, log);

    await onPhase('migrate', {
      ...(manifest.migrate ? {} : NOT_NEEDED),
      database: database?.database,
    });
    if (manifest.migrate) {
      const env = await this.#environment(target, 0, database, log);
      delete env.PORT;
      env.NEW_RELIC_ENABLED = 'false';
      env.MIGRATION_DATABASE_URL = database!.migrationUrl;
      await runCommand('The migration', manifest.migrate, {
        cwd: this.#releases.path(target),
        env,
        log,
        signal,
        timeoutMs: this.#options.commandTimeoutMs,
      });
    }

    await onPhase('start');
    signal.throwIfAborted();
    await this.#end(target.name);
    const process = await this.#process(target, manifest, database, log);
    await onPhase('health');
    await this.#run(target.name, process.supervised, signal);
    await this.#releases
      .prune(target)
      .catch(error =>
        this.#options.logger.warn(`old releases of ${target.name}: ${error}`),
      );
    return process.endpoint;
  }

  async start(
    target: RuntimeTarget,
    options: { signal: AbortSignal },
  ): Promise<RuntimeEndpoint> {
    const { signal } = options;
    const log = await this.#log(target.name);
    const current = this.#processes.get(target.name);
    if (current?.active && current.commit === target.commit) {
      const port = await this.#options.registry.getPort(target.name);
      return endpointOf(
        port!,
        await readManifest(this.#releases.path(target)),
        target,
      );
    }
    // Both are there, unless somebody cleared the directory.
    const manifest = await this.#releases.checkout(target, signal);
    await this.#releases.install(target, manifest, log, signal);
    const database = await this.#database(target, manifest, log);
    await this.#end(target.name);
    const process = await this.#process(target, manifest, database, log);
    await this.#run(target.name, process.supervised, signal);
    return process.endpoint;
  }

  async stop(name: string): Promise<void> {
    await this.#end(name);
  }

  /** Everything but the database and its credentials. */
  async remove(target: Omit<RuntimeTarget, 'checkout'>): Promise<UndoResult> {
    const { name } = target;
    await this.#end(name);
    await this.#options.registry.releasePort(name);
    this.#logs.delete(name);
    const home = this.#home(name);
    for (const entry of await readdir(home).catch(() => [])) {
      if (entry === CREDENTIALS) continue;
      await rm(join(home, entry), { recursive: true, force: true });
    }
    await rmdir(home).catch(() => {});
    return { outcome: 'done' };
  }

  async readLog(name: string, request: { after?: number; limit: number }) {
    return (await this.#log(name)).read(request);
  }

  async shutdown(): Promise<void> {
    await Promise.all([...this.#processes.keys()].map(name => this.#end(name)));
    for (const log of this.#logs.values()) {
      await log.then(file => file.flush()).catch(() => {});
    }
    await this.#databases.admin.shutdown();
    await this.#unlock?.();
  }

  #home(name: string) {
    return join(this.#options.directory, assertServiceName(name));
  }

  #log(name: string): Promise<ServiceLogFile> {
    let log = this.#logs.get(name);
    if (!log) {
      log = ServiceLogFile.open(join(this.#home(name), 'log'));
      this.#logs.set(name, log);
      log.then(
        file => file.hide([this.#options.newRelic?.licenseKey ?? '']),
        () => this.#logs.delete(name),
      );
    }
    return log;
  }

  async #database(
    target: RuntimeTarget,
    manifest: RuntimeManifest,
    log: ServiceLogFile,
  ): Promise<DatabaseAccess | undefined> {
    if (!manifest.database) return undefined;
    const database = await this.#databases.ensure(target.name);
    log.hide(database.secrets);
    return database;
  }

  async #environment(
    target: RuntimeTarget,
    port: number,
    database: DatabaseAccess | undefined,
    log: ServiceLogFile,
  ) {
    const { newRelic, directory } = this.#options;
    const home = join(this.#home(target.name), 'home');
    await mkdir(home, { recursive: true, mode: 0o700 });
    const caFile = newRelic?.caFile;
    if (caFile && !existsSync(caFile)) {
      log.write(
        'rocket',
        `there is no CA file ${caFile}; the New Relic agent may refuse its collector`,
      );
    }
    return serviceEnvironment({
      target,
      port,
      home,
      runtimeDirectory: directory,
      database,
      newRelic,
      caFile: caFile && existsSync(caFile) ? caFile : undefined,
    });
  }

  async #process(
    target: RuntimeTarget,
    manifest: RuntimeManifest,
    database: DatabaseAccess | undefined,
    log: ServiceLogFile,
  ) {
    const { registry, ports } = this.#options;
    const port = await choosePort(target.name, { registry, ports, log });
    const supervised = new SupervisedProcess({
      name: target.name,
      commit: target.commit,
      argv: manifest.start,
      cwd: this.#releases.path(target),
      env: await this.#environment(target, port, database, log),
      readyUrl: `http://127.0.0.1:${port}${manifest.health.ready}`,
      pidFile: join(this.#home(target.name), 'process.pid'),
      log,
      policy: this.#options.policy,
      onChange: change => this.#listener(change),
    });
    return {
      supervised,
      endpoint: endpointOf(port, manifest, target, database),
    };
  }

  async #run(name: string, supervised: SupervisedProcess, signal: AbortSignal) {
    this.#processes.set(name, supervised);
    try {
      await supervised.start(signal);
    } catch (error) {
      this.#processes.delete(name);
      throw error;
    }
  }

  async #end(name: string) {
    const supervised = this.#processes.get(name);
    this.#processes.delete(name);
    await supervised?.stop();
  }
}

function endpointOf(
  port: number,
  manifest: RuntimeManifest,
  target: RuntimeTarget,
  database?: DatabaseAccess,
): RuntimeEndpoint {
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    docsUrl: manifest.docs && `${url}${manifest.docs}`,
    database:
      database?.database ?? (manifest.database && databaseName(target.name)),
  };
}

import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoggerService } from '@backstage/backend-plugin-api';
import type {
  PhaseListener,
  RuntimeTarget,
} from '@rocket/plugin-provisioning-node';
import { assertServiceName } from '../service/names';
import { serviceEnvironment, type NewRelicTarget } from './environment';
import type { RuntimeManifest } from './manifest';
import { Releases } from './Releases';
import { runCommand } from './runCommand';
import type { DatabaseAccess, ServiceDatabases } from './ServiceDatabases';
import { ServiceLogFile } from './ServiceLogFile';

/** What is needed to start a version. */
export interface Prepared {
  target: RuntimeTarget;
  manifest: RuntimeManifest;
  database: DatabaseAccess | undefined;
  log: ServiceLogFile;
}

/** File in a service's directory with the passwords of its database; it stays as long as the data. */
export const CREDENTIALS = 'database.json';

const NOT_NEEDED = { message: 'not needed' };

/** Everything about a service before its processes: directory, log, release, database, environment. */
export class ServicePreparation {
  readonly releases: Releases;
  readonly #directory: string;
  readonly #databases: ServiceDatabases;
  readonly #newRelic?: NewRelicTarget;
  readonly #commandTimeoutMs: number;
  readonly #logger: LoggerService;
  readonly #logs = new Map<string, Promise<ServiceLogFile>>();

  constructor(options: {
    directory: string;
    databases: ServiceDatabases;
    newRelic?: NewRelicTarget;
    commandTimeoutMs: number;
    logger: LoggerService;
  }) {
    this.releases = new Releases(options);
    this.#directory = options.directory;
    this.#databases = options.databases;
    this.#newRelic = options.newRelic;
    this.#commandTimeoutMs = options.commandTimeoutMs;
    this.#logger = options.logger;
  }

  home(name: string): string {
    return join(this.#directory, assertServiceName(name));
  }

  log(name: string): Promise<ServiceLogFile> {
    let log = this.#logs.get(name);
    if (!log) {
      log = ServiceLogFile.open(join(this.home(name), 'log'));
      this.#logs.set(name, log);
      log.then(
        file => file.hide([this.#newRelic?.licenseKey ?? '']),
        () => this.#logs.delete(name),
      );
    }
    return log;
  }

  /** All but migrations. What is there already is left as it is. */
  async prepare(
    target: RuntimeTarget,
    signal: AbortSignal,
    onPhase: PhaseListener = async () => {},
  ): Promise<Prepared> {
    const log = await this.log(target.name);
    await onPhase('checkout');
    const manifest = await this.releases.checkout(target, signal);
    await onPhase('install', manifest.install ? {} : NOT_NEEDED);
    await this.releases.install(target, manifest, log, signal);
    await onPhase('database', manifest.database ? {} : NOT_NEEDED);
    let database: DatabaseAccess | undefined;
    if (manifest.database) {
      database = await this.#databases.ensure(target.name);
      log.hide(database.secrets);
    }
    return { target, manifest, database, log };
  }

  /** Migrations only add (expand); the version that serves meanwhile goes on with the new schema. */
  async migrate(
    prepared: Prepared,
    signal: AbortSignal,
    onPhase: PhaseListener,
  ): Promise<void> {
    const { target, manifest, database, log } = prepared;
    await onPhase('migrate', {
      ...(manifest.migrate ? {} : NOT_NEEDED),
      database: database?.database,
    });
    const seed = target.environment?.onDemand ? manifest.seed : undefined;
    if (!manifest.migrate && !seed) return;
    const env = await this.environment(prepared, 0);
    delete env.PORT;
    env.NEW_RELIC_ENABLED = 'false';
    env.MIGRATION_DATABASE_URL = database!.migrationUrl;
    const options = {
      cwd: this.releases.path(target),
      env,
      log,
      signal,
      timeoutMs: this.#commandTimeoutMs,
    };
    if (manifest.migrate) {
      await runCommand('The migration', manifest.migrate, options);
    }
    if (seed) await runCommand('The seed command', seed, options);
  }

  /** The whole environment of an instance that listens on `port`. */
  async environment({ target, database, log }: Prepared, port: number) {
    const newRelic = this.#newRelic;
    const home = join(this.home(target.name), 'home');
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
      runtimeDirectory: this.#directory,
      database,
      newRelic,
      caFile: caFile && existsSync(caFile) ? caFile : undefined,
    });
  }

  async prune(target: RuntimeTarget): Promise<void> {
    await this.releases
      .prune(target)
      .catch(error =>
        this.#logger.warn(`old releases of ${target.name}: ${error}`),
      );
  }

  /** Removes all files but the credentials of the database. */
  async remove(name: string): Promise<void> {
    const log = await this.#logs.get(name)?.catch(() => undefined);
    await log?.flush();
    this.#logs.delete(name);
    const home = this.home(name);
    for (const entry of await readdir(home).catch(() => [])) {
      if (entry === CREDENTIALS) continue;
      await rm(join(home, entry), { recursive: true, force: true });
    }
    await rmdir(home).catch(() => {});
  }

  /** Waits until every log is on disk. */
  async flush(): Promise<void> {
    for (const log of this.#logs.values()) {
      await log.then(file => file.flush()).catch(() => {});
    }
  }
}

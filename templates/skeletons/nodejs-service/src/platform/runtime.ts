import type { Registry } from 'prom-client';
import type { Logger } from 'pino';
import { readConfig, type Config, type Environment } from './config.ts';
import { Database } from './db/database.ts';
import { createEvents, type Events } from './events/events.ts';
import { createRegistry } from './http/metrics.ts';
import { createLogger } from './logger.ts';
import { purgeWorker } from './purge.ts';
import type { Grants, PlatformTable, ServiceDefinition, ServiceParts, Worker } from './service.ts';
import { noTelemetry, type Telemetry } from './telemetry-api.ts';

/** A service that is put together but does nothing yet: the server, the commands and the tests begin here. */
export type Runtime = {
  definition: ServiceDefinition;
  config: Config;
  logger: Logger;
  telemetry: Telemetry;
  database: Database;
  registry: Registry;
  parts: ServiceParts;
  events: Events;
  /** Those of the service and of the platform. */
  workers: Worker[];
  /** Ends the parts, then the connections. */
  close(): Promise<void>;
};

export type RuntimeOptions = {
  telemetry?: Telemetry;
  /** Takes the log lines instead of the standard output. */
  log?: { write(line: string): void };
};

const NEEDED: Record<PlatformTable, Grants> = {
  outbox: { functions: [], tables: { outbox: ['INSERT', 'UPDATE', 'DELETE'] } },
  inbox: { functions: [], tables: { inbox: ['INSERT', 'DELETE'] } },
  idempotency: { functions: ['idempotency_purge'] },
};

/** A definition as the platform handles it, whatever configuration it has of its own, with the grants that its tables need. */
export function defineService<Own extends object>(definition: ServiceDefinition<Own>): ServiceDefinition {
  const all = [definition.grants, ...definition.tables.map(table => NEEDED[table])];
  const grants: Grants = {
    functions: [...new Set(all.flatMap(({ functions }) => functions))],
    tables: Object.assign({}, ...all.map(({ tables }) => tables)) as NonNullable<Grants['tables']>,
  };
  return { ...definition, grants } as unknown as ServiceDefinition;
}

/** Throws an Error that names every variable that is wrong. The database is not asked for anything. */
export function createRuntime(
  definition: ServiceDefinition,
  environment: Environment,
  options: RuntimeOptions = {},
): Runtime {
  const { config, own } = readConfig(environment, definition);
  const logger = createLogger(config, options.log);
  const telemetry = options.telemetry ?? noTelemetry;
  const database = new Database(config, definition.probe, error =>
    logger.warn({ err: error }, 'idle database connection lost'),
  );
  const registry = createRegistry(database);
  const parts = definition.create({ config, own, database, logger, telemetry, registry });
  const events = createEvents({ definition, config, database, logger, registry, parts });
  const purge = purgeWorker(database, definition.tables, config.idempotencyHours);
  return {
    definition,
    config,
    logger,
    telemetry,
    database,
    registry,
    parts,
    events,
    workers: [...(parts.workers ?? []), ...events.workers, purge],
    async close() {
      await parts.close?.();
      await events.close();
      await database.close();
    },
  };
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger } from 'fastify';
import type { Registry } from 'prom-client';
import type { TSchema } from 'typebox';
import type { Config, EnvironmentReader } from './config.ts';
import type { Database } from './db/database.ts';
import type { Consumer } from './events/inbox.ts';
import type { ProblemCode } from './problems.ts';
import type { Telemetry } from './telemetry-api.ts';

/** What the role of the service may do besides reading: nothing that is not named here. */
export type Grants = {
  /** Functions of `migrations/` that it may call. */
  functions: readonly string[];
  /** Tables that it may write itself. */
  tables?: Readonly<Record<string, readonly ('INSERT' | 'UPDATE' | 'DELETE')[]>>;
};

/**
 * Tables that the migrations of a service may have in the platform's form, and what the platform then does:
 * `outbox` events are published, `inbox` events are received once, `idempotency` old keys are forgotten, by a function
 * `idempotency_purge(hours int, most int) RETURNS int` of the schema.
 */
export type PlatformTable = 'outbox' | 'inbox' | 'idempotency';

/** What a service is built from. `Own` is the configuration that only this kind of service has. */
export type ServiceContext<Own extends object = object> = {
  config: Config;
  own: Own;
  database: Database;
  logger: FastifyBaseLogger;
  telemetry: Telemetry;
  /** Metrics of the service go in here. */
  registry: Registry;
};

/** Work in the background. One replica at a time does it. */
export type Worker = {
  /** Lower-case words with hyphens: names the lock, the metrics and the command. */
  name: string;
  /** Milliseconds from the end of a run to the beginning of the next one. */
  interval: number;
  /** One run. Throws when it failed; stops soon when the signal is aborted. Resolves to true when there is more to do at once. */
  run(signal: AbortSignal): Promise<boolean | void>;
};

/** Something that is done once: `npm run <name>`. Resolves to the exit code. */
export type Command = {
  summary: string;
  run(args: string[], out: (line: string) => void): Promise<number>;
};

/** The running parts of one kind of service. */
export type ServiceParts = {
  /** Registered under `/v1`. */
  routes: FastifyPluginAsyncTypebox;
  workers?: readonly Worker[];
  /** Events of others that this service wants. With the table `inbox`, they come in by `POST /v1/events` and from RabbitMQ. */
  consumers?: readonly Consumer[];
  commands?: Readonly<Record<string, Command>>;
  /** Ends what the service opened itself, after the last request and the last run of a worker. */
  close?(): Promise<void>;
};

/** All that the platform has to know about one kind of service. `src/service.ts` exports it. */
export type ServiceDefinition<Own extends object = object> = {
  /** One of the `services` in `contracts/problems.yaml`. Its plural names the database and begins the scopes of tokens. */
  kind: string;
  openapi: { title: string; version: string; description: string; tags: { name: string; description: string }[] };
  /** Reads the variables that only this kind of service has. What is wrong is reported with the platform's. */
  readConfig(env: EnvironmentReader): Own;
  /** Those that the platform needs for `tables` are added. */
  grants: Grants;
  tables: readonly PlatformTable[];
  /** Why an event of another service may be refused, for the document. */
  eventRefusals?: readonly ProblemCode[];
  /** A cheap statement that fails until the schema is there. */
  probe: string;
  /** Schemas with an `$id`, which answers refer to by name; the OpenAPI document has each once. */
  schemas: readonly TSchema[];
  /** Makes the parts. Nothing is asked of the database here: it may be away. */
  create(context: ServiceContext<Own>): ServiceParts;
};

import { statfs } from 'node:fs/promises';
import { ConflictError, InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import type {
  Effect,
  Observation,
  PreflightFinding,
} from '@rocket/plugin-provisioning-common';
import type {
  EffectContext,
  EffectHandler,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import { z } from 'zod';
import { databaseMark } from '../../local/ServiceDatabases';
import { databaseName, databaseRoles } from '../../local/databaseNames';
import { withClient } from '../../local/databaseConnection';
import { observeDatabase } from '../../local/databaseInspection';
import type { DatabaseServers } from '../../local/DatabaseServers';
import { assertServiceName } from '../../service/names';
import { noLocalRuntime } from './noLocalRuntime';

/** The server of the local runtime. */
const LOCAL = 'local';
const MIN_VERSION = 15;
/** A new database takes 8 MB and its first week of write-ahead log some more. */
const MIN_FREE_BYTES = 500 * 1024 * 1024;

const schema = z.strictObject({
  service: z.string(),
  server: z.string().min(1).max(63).default(LOCAL),
  connectionLimit: z.number().int().min(1).max(10_000).optional(),
});

type Intent = Required<z.infer<typeof schema>>;
type Request = Pick<Effect, 'reference' | 'intent' | 'subject'>;

/** Reference of a service's database: `<server>/<service>`. */
export function databaseReference(service: string, server = LOCAL): string {
  return `${server}/${service}`;
}

/**
 * `postgres.database`: one database of one service with its owner, migration
 * and application roles. Intent: `{ service, server?, connectionLimit? }`.
 * Details name the credentials; nobody but a runtime in this backend can read
 * them.
 */
export class PostgresDatabaseHandler implements EffectHandler {
  readonly type = 'postgres.database';
  readonly title = 'PostgreSQL database';
  readonly retireOrder = 40;
  readonly #servers: DatabaseServers;
  readonly #connectionLimit: number;
  readonly #retentionMs: number;
  readonly #elsewhere: readonly string[];
  readonly #now: () => Date;

  constructor(options: {
    servers: DatabaseServers;
    /** For intents without one. */
    connectionLimit: number;
    /** How long a retired service's data is kept, in milliseconds. */
    retentionMs: number;
    /** Names of the environments on other runtimes than the local one. Default: none. */
    elsewhere?: readonly string[];
    now?: () => Date;
  }) {
    this.#servers = options.servers;
    this.#connectionLimit = options.connectionLimit;
    this.#retentionMs = options.retentionMs;
    this.#elsewhere = options.elsewhere ?? [];
    this.#now = options.now ?? (() => new Date());
  }

  parseIntent(intent: JsonObject): JsonObject {
    const result = schema.safeParse(intent);
    if (!result.success) {
      throw new InputError(
        result.error.issues
          .map(issue => `${issue.path.join('.') || 'intent'}: ${issue.message}`)
          .join('; '),
      );
    }
    const { service, server, connectionLimit } = result.data;
    assertServiceName(service, 'service');
    // Whether the local runtime is there is for the preflight to say.
    if (server !== LOCAL) this.#servers.get(server);
    return {
      service,
      server,
      connectionLimit: connectionLimit ?? this.#connectionLimit,
    };
  }

  describeUndo({ intent }: Pick<Effect, 'reference' | 'intent'>): string {
    const { service, server } = this.#intent(intent);
    return `Drop the database ${databaseName(
      service,
    )} on the server ${server} with its roles; its data is lost.`;
  }

  describeRetirement({ intent }: Pick<Effect, 'reference' | 'intent'>): string {
    const { service, server } = this.#intent(intent);
    const days = Math.round(this.#retentionMs / (24 * 60 * 60 * 1000));
    return `Closes the database ${databaseName(
      service,
    )} on the server ${server} to everybody; its data is kept for ${days} days and dropped then.`;
  }

  async preflight(request: Request): Promise<PreflightFinding[]> {
    const { service, server: serverName } = this.#intent(request.intent);
    const expected = databaseReference(service, serverName);
    if (request.reference !== expected) {
      return [
        {
          reason: 'reference-invalid',
          level: 'error',
          subject: request.reference,
          message: `The reference of the database of ${service} is ${expected}`,
        },
      ];
    }
    if (serverName === LOCAL && !this.#servers.has(LOCAL)) {
      return [noLocalRuntime(expected, this.#elsewhere)];
    }
    const server = this.#servers.get(serverName);
    const database = databaseName(service);
    const findings: PreflightFinding[] = [];
    const find = (
      reason: string,
      level: PreflightFinding['level'],
      message: string,
    ) => findings.push({ reason, level, subject: expected, message });
    try {
      const url = await server.databases.admin.connectionUrl();
      await withClient(url, async client => {
        const { rows } = await client.query(
          `SELECT current_setting('server_version_num')::int / 10000 AS version,
                  rolsuper OR (rolcreaterole AND rolcreatedb) AS able, rolname AS name
             FROM pg_roles WHERE rolname = current_user`,
        );
        const { version, able, name } = rows[0];
        if (version < MIN_VERSION) {
          find(
            'server-too-old',
            'error',
            `The server ${serverName} is PostgreSQL ${version}; ${MIN_VERSION} or newer is needed`,
          );
        }
        if (!able) {
          find(
            'credentials-insufficient',
            'error',
            `The role ${name} of the server ${serverName} may not create roles and databases: ALTER ROLE ${name} CREATEROLE CREATEDB, or configure another one`,
          );
        }
        const taken = await client.query(
          `SELECT pg_get_userbyid(datdba) AS owner, shobj_description(oid, 'pg_database') AS mark
             FROM pg_database WHERE datname = $1`,
          [database],
        );
        const roles = databaseRoles(database);
        if (taken.rows[0]) {
          const { owner, mark } = taken.rows[0];
          const ours =
            owner === roles.owner &&
            (mark === databaseMark(service, request.subject) ||
              mark === databaseMark(service));
          if (ours) {
            find(
              'database-exists',
              'ok',
              `The database ${database} is this service's already and is taken over as it is`,
            );
          } else {
            find(
              'name-taken',
              'error',
              `The database ${database} exists on the server ${serverName} and is another's (owner ${owner}${
                mark ? `, ${mark}` : ''
              }); choose another name for the service`,
            );
          }
          return;
        }
        const left = await client.query(
          'SELECT rolname FROM pg_roles WHERE rolname = ANY($1)',
          [Object.values(roles)],
        );
        const known = await server.databases.credentials(service).read();
        if (left.rowCount && !known) {
          find(
            'name-taken',
            'error',
            `The role ${left.rows[0].rolname} exists on the server ${serverName} and is not this service's; choose another name or drop the role`,
          );
        } else {
          find('name-free', 'ok', `The database name ${database} is free`);
        }
      });
    } catch (error) {
      find(
        'server-unreachable',
        'error',
        `The database server ${serverName} does not answer: ${
          (error as Error).message
        }`,
      );
      return findings;
    }
    if (server.directory) {
      const disk = await statfs(server.directory).catch(() => undefined);
      const free = disk && disk.bavail * disk.bsize;
      if (free !== undefined && free < MIN_FREE_BYTES) {
        find(
          'disk-full',
          'error',
          `Only ${Math.floor(
            free / 1024 / 1024,
          )} MiB are free where the server ${serverName} keeps its data; 500 MiB are needed`,
        );
      }
    }
    return findings;
  }

  async apply(effect: Effect, context: EffectContext): Promise<JsonObject> {
    const {
      service,
      server: name,
      connectionLimit,
    } = this.#intent(effect.intent);
    if (effect.reference !== databaseReference(service, name)) {
      throw new InputError(
        `reference: must be ${databaseReference(service, name)}`,
      );
    }
    const { databases } = this.#servers.get(name);
    await context.progress(`creating ${effect.reference}`);
    const access = await databases.ensure(service, {
      connectionLimit,
      subject: effect.subject,
    });
    const { hostname, port } = new URL(access.appUrl);
    const roles = databaseRoles(access.database);
    return {
      server: name,
      host: hostname,
      port: Number(port || 5432),
      database: access.database,
      roles: {
        owner: roles.owner,
        migration: roles.migration,
        application: roles.application,
      },
      credentialsRef: `rocket:database-credentials/${name}/${service}`,
      connectionLimit,
    };
  }

  async observe(effect: Effect): Promise<Observation> {
    const { service, server, connectionLimit } = this.#intent(effect.intent);
    return observeDatabase(this.#servers.get(server).databases, service, {
      connectionLimit,
      closed: effect.state === 'retained',
    });
  }

  async remove(
    effect: Effect,
    mode: 'undo' | 'retire',
    context: EffectContext,
  ): Promise<UndoResult> {
    const { service, server } = this.#intent(effect.intent);
    const { databases } = this.#servers.get(server);
    const until =
      effect.state === 'retained' && effect.retainedUntil
        ? new Date(effect.retainedUntil)
        : new Date(this.#now().getTime() + this.#retentionMs);
    try {
      if (mode === 'retire' && until > this.#now()) {
        await context.progress(`closing ${effect.reference}`);
        await databases.close(service);
        return {
          outcome: 'retained',
          until,
          message: `${
            effect.reference
          } refuses connections; its data is kept until ${until
            .toISOString()
            .slice(0, 10)} and dropped then`,
        };
      }
      await context.progress(`dropping ${effect.reference}`);
      await databases.drop(service);
      return { outcome: 'done', message: `${effect.reference} is dropped` };
    } catch (error) {
      if (error instanceof ConflictError) {
        return {
          outcome: 'manual',
          instruction: `${error.message}. It was left alone; look whether it can go.`,
        };
      }
      throw error;
    }
  }

  #intent(intent: JsonObject): Intent {
    return this.parseIntent(intent) as unknown as Intent;
  }
}

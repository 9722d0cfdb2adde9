import { ConflictError } from '@backstage/errors';
import { escapeIdentifier, escapeLiteral, type Client } from 'pg';
import {
  CredentialFile,
  nextPasswords,
  scramVerifier,
  type DatabasePasswords,
} from './DatabaseCredentials';
import { roleUrl, withClient } from './databaseConnection';
import {
  databaseName,
  databaseRoles,
  type DatabaseRoles,
} from './databaseNames';
import type { PostgresAdmin } from './PostgresServer';
import {
  databaseExists,
  disableLogin,
  isSuperuser,
  roleExists,
  setRole,
} from './roleStatements';

/** What a service gets to reach its database. Never leaves the backend but in the service's own environment. */
export interface DatabaseAccess {
  database: string;
  /** Application role: reads and writes rows, no DDL. */
  appUrl: string;
  /** Migration role: acts as the owner of the database. */
  migrationUrl: string;
  /** What a log must not show. */
  secrets: string[];
}

export interface DatabaseSettings {
  /** Connections to the database at the same time. Absent: what the database has. */
  connectionLimit?: number;
  /** Entity ref of the component, written on the database for people and for us. */
  subject?: string;
}

/** What is written on a database of ours. */
export function databaseMark(name: string, subject?: string): string {
  return `Rocket service ${name}${subject ? ` of ${subject}` : ''}`;
}

/**
 * One database per service with roles of its own: an owner that nobody logs in
 * as, a migration role that acts as the owner, and an application role that
 * reads and writes rows. The database is closed to everybody else (`PUBLIC` may
 * not connect), so no service reads another's.
 */
export class ServiceDatabases {
  readonly admin: PostgresAdmin;
  readonly #fileOf: (name: string) => string;

  /** @param fileOf - where the passwords of a service's database are kept */
  constructor(admin: PostgresAdmin, fileOf: (name: string) => string) {
    this.admin = admin;
    this.#fileOf = fileOf;
  }

  credentials(name: string): CredentialFile {
    return new CredentialFile(this.#fileOf(name));
  }

  /** Makes what is missing; repeating it changes nothing. */
  async ensure(
    name: string,
    settings: DatabaseSettings = {},
  ): Promise<DatabaseAccess> {
    const adminUrl = await this.admin.connectionUrl();
    const database = databaseName(name);
    const roles = databaseRoles(database);
    const db = escapeIdentifier(database);
    await withClient(adminUrl, async client => {
      await assertOurs(client, name, settings.subject);
      const passwords = await this.credentials(name).readOrCreate();
      // Inherits: as the database's owner it is a member of pg_database_owner, whose the schema `public` is.
      await setRole(client, roles.owner, 'NOLOGIN INHERIT PASSWORD NULL');
      await this.#logins(client, roles, passwords);
      await disableLogin(client, otherLogin(roles, passwords));
      const superuser = await isSuperuser(client);
      if (!superuser) {
        // An administrator who is none may only hand over and end what it is a member of.
        for (const each of Object.values(roles)) {
          if (await roleExists(client, each)) {
            await client.query(
              `GRANT ${escapeIdentifier(each)} TO CURRENT_USER`,
            );
          }
        }
      }
      const existing = await client.query(
        'SELECT datallowconn FROM pg_database WHERE datname = $1',
        [database],
      );
      if (!existing.rows[0]) {
        await client.query(
          `CREATE DATABASE ${db} OWNER ${escapeIdentifier(
            roles.owner,
          )} TEMPLATE template0 ENCODING 'UTF8'`,
        );
      } else if (!existing.rows[0].datallowconn) {
        await client.query(`ALTER DATABASE ${db} ALLOW_CONNECTIONS true`);
      }
      const migration = escapeIdentifier(roles.migration);
      const owner = escapeIdentifier(roles.owner);
      await client.query(`GRANT ${owner} TO ${migration}`);
      await client.query(
        `ALTER ROLE ${migration} IN DATABASE ${db} SET role = ${escapeLiteral(
          roles.owner,
        )}`,
      );
      await client.query(`REVOKE ALL ON DATABASE ${db} FROM PUBLIC`);
      await client.query(
        `GRANT CONNECT ON DATABASE ${db} TO ${escapeIdentifier(
          roles.application,
        )}, ${migration}`,
      );
      if (settings.connectionLimit !== undefined) {
        await client.query(
          `ALTER DATABASE ${db} CONNECTION LIMIT ${settings.connectionLimit}`,
        );
      }
    });
    const access = await this.#access(name, adminUrl);
    await withClient(access.migrationUrl, async client => {
      const a = escapeIdentifier(roles.application);
      await client.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
      const creators = await client.query(
        `SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND has_schema_privilege($1, oid, 'CREATE')`,
        [roles.application],
      );
      for (const { nspname } of creators.rows) {
        await client.query(
          `REVOKE CREATE ON SCHEMA ${escapeIdentifier(nspname)} FROM ${a}`,
        );
      }
      await client.query(`GRANT USAGE ON SCHEMA public TO ${a}`);
      for (const what of [
        `USAGE ON SCHEMAS`,
        `SELECT, INSERT, UPDATE, DELETE ON TABLES`,
        `USAGE, SELECT ON SEQUENCES`,
      ]) {
        await client.query(`ALTER DEFAULT PRIVILEGES GRANT ${what} TO ${a}`);
      }
      const { rows } = await client.query(
        `SELECT shobj_description(oid, 'pg_database') AS mark FROM pg_database WHERE datname = $1`,
        [database],
      );
      if (!rows[0]?.mark || settings.subject) {
        await client.query(
          `COMMENT ON DATABASE ${db} IS ${escapeLiteral(
            databaseMark(name, settings.subject),
          )}`,
        );
      }
    });
    return access;
  }

  /**
   * New passwords. Both logins of the application are valid while `changeOver`
   * brings the service to the new one; then the old one is refused, its
   * sessions ended. When `changeOver` fails, or the backend is killed in it,
   * everything stays as it was.
   */
  async rotate(
    name: string,
    changeOver: (access: DatabaseAccess) => Promise<void>,
  ): Promise<void> {
    await this.ensure(name);
    const adminUrl = await this.admin.connectionUrl();
    const file = this.credentials(name);
    const current = await file.readOrCreate();
    const next = nextPasswords(current);
    const roles = databaseRoles(databaseName(name));
    // The migration role has no sessions between deployments, so its password changes at the end.
    await withClient(adminUrl, client =>
      this.#logins(client, roles, {
        ...next,
        migration: current.migration,
      }),
    );
    try {
      await changeOver(accessOf(name, adminUrl, next));
    } catch (error) {
      await withClient(adminUrl, client =>
        disableLogin(client, otherLogin(roles, current)),
      ).catch(() => {});
      throw error;
    }
    await file.write(next);
    await withClient(adminUrl, async client => {
      await this.#logins(client, roles, next);
      await disableLogin(client, otherLogin(roles, next));
    });
  }

  /** Refuses every connection and ends those that are open; the data stays. */
  async close(name: string): Promise<void> {
    const database = databaseName(name);
    await withClient(await this.admin.connectionUrl(), async client => {
      await assertOurs(client, name);
      const roles = databaseRoles(database);
      for (const login of [
        roles.application,
        roles.applicationB,
        roles.migration,
      ]) {
        await disableLogin(client, login);
      }
      if (await databaseExists(client, database)) {
        await client.query(
          `ALTER DATABASE ${escapeIdentifier(
            database,
          )} ALLOW_CONNECTIONS false`,
        );
      }
    });
  }

  /** Drops the database, its roles and its credentials. What is not there is no error. */
  async drop(name: string): Promise<void> {
    const database = databaseName(name);
    await withClient(await this.admin.connectionUrl(), async client => {
      await assertOurs(client, name);
      await client.query(
        `DROP DATABASE IF EXISTS ${escapeIdentifier(database)} WITH (FORCE)`,
      );
      const roles = databaseRoles(database);
      for (const each of [
        roles.applicationB,
        roles.application,
        roles.migration,
        roles.owner,
      ]) {
        await client.query(`DROP ROLE IF EXISTS ${escapeIdentifier(each)}`);
      }
    });
    await this.credentials(name).remove();
  }

  async #logins(
    client: Client,
    roles: DatabaseRoles,
    passwords: DatabasePasswords,
  ) {
    const login = (password: string) =>
      `LOGIN PASSWORD ${escapeLiteral(scramVerifier(password))}`;
    await setRole(
      client,
      roles.migration,
      `NOINHERIT ${login(passwords.migration)}`,
    );
    if (passwords.slot === 'a') {
      await setRole(
        client,
        roles.application,
        `NOINHERIT ${login(passwords.application)}`,
      );
      return;
    }
    if (!(await roleExists(client, roles.application))) {
      await setRole(client, roles.application, 'NOINHERIT NOLOGIN');
    }
    await setRole(
      client,
      roles.applicationB,
      `INHERIT ${login(passwords.application)}`,
    );
    await client.query(
      `GRANT ${escapeIdentifier(roles.application)} TO ${escapeIdentifier(
        roles.applicationB,
      )}`,
    );
  }

  async #access(name: string, adminUrl: string): Promise<DatabaseAccess> {
    return accessOf(
      name,
      adminUrl,
      await this.credentials(name).readOrCreate(),
    );
  }
}

/** The application's login that these passwords are for. */
export function currentLogin(
  roles: DatabaseRoles,
  passwords: DatabasePasswords,
): string {
  return passwords.slot === 'a' ? roles.application : roles.applicationB;
}

function otherLogin(roles: DatabaseRoles, passwords: DatabasePasswords) {
  return passwords.slot === 'a' ? roles.applicationB : roles.application;
}

export function accessOf(
  name: string,
  adminUrl: string,
  passwords: DatabasePasswords,
): DatabaseAccess {
  const database = databaseName(name);
  const roles = databaseRoles(database);
  return {
    database,
    appUrl: roleUrl(
      adminUrl,
      database,
      currentLogin(roles, passwords),
      passwords.application,
    ),
    migrationUrl: roleUrl(
      adminUrl,
      database,
      roles.migration,
      passwords.migration,
    ),
    secrets: [passwords.migration, passwords.application],
  };
}

/** @throws ConflictError when a database of this name is there and is not this service's. */
async function assertOurs(client: Client, name: string, subject?: string) {
  const database = databaseName(name);
  const { rows } = await client.query(
    `SELECT pg_get_userbyid(datdba) AS owner, shobj_description(oid, 'pg_database') AS mark
       FROM pg_database WHERE datname = $1`,
    [database],
  );
  if (!rows[0]) return;
  const { owner, mark } = rows[0];
  if (owner !== databaseRoles(database).owner) {
    throw new ConflictError(
      `The database '${database}' exists and belongs to '${owner}', not to this service`,
    );
  }
  const ours = [databaseMark(name), databaseMark(name, subject)];
  if (mark && subject && !ours.includes(mark)) {
    throw new ConflictError(
      `The database '${database}' exists and is marked as: ${mark}`,
    );
  }
}

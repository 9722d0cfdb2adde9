import { createHash } from 'node:crypto';

/** PostgreSQL cuts longer identifiers. */
const MAX_BYTES = 63;

/** The roles of one service's database. */
export interface DatabaseRoles {
  /** Owns the database and what migrations make; nobody logs in as it. */
  owner: string;
  /** Logs in for migrations and acts as the owner. */
  migration: string;
  /** Holds the application's privileges: rows, no DDL. */
  application: string;
  /** Member of `application`: the other login, so that a rotation has both valid while versions change over. */
  applicationB: string;
}

function fit(name: string, hashOf: string, max: number): string {
  if (name.length <= max) return name;
  const hash = createHash('sha256').update(hashOf).digest('hex').slice(0, 10);
  return `${name.slice(0, max - 11)}_${hash}`;
}

/**
 * `svc_` keeps clear of `postgres` and of what else a shared server holds.
 * Longer names are cut and told apart by a hash.
 */
export function databaseName(service: string): string {
  return fit(`svc_${service.replaceAll('-', '_')}`, service, 56);
}

/** Names of the roles of a database as `databaseName` gives it. */
export function databaseRoles(database: string): DatabaseRoles {
  const role = (suffix: string) =>
    `${fit(database, database, MAX_BYTES - suffix.length)}${suffix}`;
  return {
    owner: role('_owner'),
    migration: role('_migration'),
    application: role('_app'),
    applicationB: role('_app_b'),
  };
}

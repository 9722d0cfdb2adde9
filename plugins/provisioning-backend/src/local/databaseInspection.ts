import type { Client } from 'pg';
import type {
  IsolationReport,
  IsolationViolation,
  Observation,
} from '@rocket/plugin-provisioning-common';
import { inDatabase, withClient } from './databaseConnection';
import { databaseName, databaseRoles } from './databaseNames';
import {
  accessOf,
  currentLogin,
  type ServiceDatabases,
} from './ServiceDatabases';

type Difference = NonNullable<Observation['differences']>[number];

/** Names of databases and roles that belong to services. */
const OURS = '^svc_';

async function names(client: Client, sql: string): Promise<string[]> {
  return (await client.query(sql, [OURS])).rows.map(row => row.name);
}

/** Whether the database of a service is as it was made, and what differs. */
export async function observeDatabase(
  databases: ServiceDatabases,
  name: string,
  settings: { connectionLimit?: number; closed?: boolean },
): Promise<Observation> {
  const observedAt = () => new Date().toISOString();
  const database = databaseName(name);
  const roles = databaseRoles(database);
  try {
    const adminUrl = await databases.admin.connectionUrl();
    const differences: Difference[] = [];
    const expect = (field: string, intended: unknown, found: unknown) => {
      if (String(intended) !== String(found)) {
        differences.push({
          field,
          intended: String(intended),
          found: String(found),
        });
      }
    };
    const exists = await withClient(adminUrl, async client => {
      const { rows } = await client.query(
        `SELECT pg_get_userbyid(datdba) AS owner, datallowconn, datconnlimit
           FROM pg_database WHERE datname = $1`,
        [database],
      );
      if (!rows[0]) return false;
      const [found] = rows;
      expect('owner', roles.owner, found.owner);
      expect(
        'connections',
        settings.closed ? 'refused' : 'allowed',
        found.datallowconn ? 'allowed' : 'refused',
      );
      if (settings.connectionLimit !== undefined) {
        expect('connectionLimit', settings.connectionLimit, found.datconnlimit);
      }
      const everybody = await client.query(
        `SELECT has_database_privilege('public', $1, 'CONNECT') AS may`,
        [database],
      );
      expect(
        'privileges of PUBLIC',
        'none',
        everybody.rows[0].may ? 'may connect' : 'none',
      );
      const passwords = await databases.credentials(name).read();
      const logins = await client.query(
        `SELECT rolname, rolcanlogin, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls AS powerful
           FROM pg_roles WHERE rolname = ANY($1)`,
        [Object.values(roles)],
      );
      const of = (rolname: string) =>
        logins.rows.find(row => row.rolname === rolname);
      const login = passwords && currentLogin(roles, passwords);
      for (const [what, rolname] of Object.entries(roles)) {
        const row = of(rolname);
        if (!row) {
          if (rolname !== roles.applicationB) {
            expect(`role ${rolname}`, 'there', 'missing');
          }
          continue;
        }
        const mayLogin =
          !settings.closed && (what === 'migration' || rolname === login);
        if (passwords || !mayLogin) {
          expect(
            `role ${rolname}`,
            mayLogin ? 'may log in' : 'may not log in',
            row.rolcanlogin ? 'may log in' : 'may not log in',
          );
        }
        expect(
          `attributes of ${rolname}`,
          'none',
          row.powerful ? 'more than a service needs' : 'none',
        );
      }
      if (!passwords) expect('credentials', 'kept by Rocket', 'missing');
      return true;
    });
    if (!exists) return { state: 'absent', observedAt: observedAt() };
    if (!settings.closed) {
      await withClient(inDatabase(adminUrl, database), async client => {
        const { rows } = await client.query(
          `SELECT n.nspname AS schema
             FROM pg_namespace n JOIN pg_roles r ON r.rolname = ANY($1)
            WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
              AND has_schema_privilege(r.oid, n.oid, 'CREATE')`,
          [[roles.application, roles.applicationB]],
        );
        for (const row of rows) {
          expect(
            `schema ${row.schema}`,
            'no DDL for the application',
            'the application may create',
          );
        }
      });
    }
    return differences.length
      ? { state: 'drifted', differences, observedAt: observedAt() }
      : { state: 'present', observedAt: observedAt() };
  } catch (error) {
    return {
      state: 'unknown',
      message: `The server did not answer: ${(error as Error).message}`,
      observedAt: observedAt(),
    };
  }
}

/**
 * Looks at every pair of a service's role and another service's database: what
 * the server's access lists allow and, where the password is known, what a real
 * connection gets. Changes nothing.
 *
 * @param services - names of services whose credentials are here
 */
export async function checkIsolation(
  databases: ServiceDatabases,
  services: string[],
  server = 'local',
): Promise<IsolationReport> {
  const adminUrl = await databases.admin.connectionUrl();
  const violations: IsolationViolation[] = [];
  let pairs = 0;
  let attempts = 0;
  const found = await withClient(adminUrl, async client => {
    const all = await names(
      client,
      'SELECT datname AS name FROM pg_database WHERE datname ~ $1 AND datallowconn ORDER BY 1',
    );
    const roles = await names(
      client,
      'SELECT rolname AS name FROM pg_roles WHERE rolname ~ $1 ORDER BY 1',
    );
    for (const role of roles) {
      for (const database of all) {
        const own = Object.values(databaseRoles(database));
        if (own.includes(role)) continue;
        pairs += 1;
        const { rows } = await client.query(
          `SELECT has_database_privilege($1, $2, 'CONNECT') AS connect,
                  ARRAY(SELECT r.rolname::text FROM pg_roles r
                         WHERE r.rolname = ANY($3) AND pg_has_role($1, r.oid, 'MEMBER')) AS member`,
          [role, database, own],
        );
        if (rows[0].connect) {
          violations.push({
            role,
            database,
            how: 'may connect: revoke CONNECT from it and from PUBLIC',
          });
        }
        for (const group of rows[0].member) {
          violations.push({
            role,
            database,
            how: `is a member of ${group}: revoke that`,
          });
        }
      }
    }
    const powerful = await client.query(
      `SELECT r.rolname AS name,
              rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls AS attributes,
              ARRAY(SELECT p.rolname::text FROM pg_roles p
                     WHERE p.rolname ~ '^pg_(read|write|execute|monitor|signal)' AND pg_has_role(r.oid, p.oid, 'MEMBER')) AS member
         FROM pg_roles r WHERE r.rolname ~ $1`,
      [OURS],
    );
    for (const row of powerful.rows) {
      if (row.attributes || row.member.length > 0) {
        violations.push({
          role: row.name,
          database: '*',
          how: row.attributes
            ? 'has attributes of an administrator: alter the role'
            : `is a member of ${row.member.join(', ')}: revoke that`,
        });
      }
    }
    return all;
  });
  for (const service of services) {
    const passwords = await databases.credentials(service).read();
    if (!passwords) continue;
    const own = databaseName(service);
    const access = accessOf(service, adminUrl, passwords);
    for (const database of found) {
      if (database === own) continue;
      for (const url of [access.appUrl, access.migrationUrl]) {
        attempts += 1;
        const refused = await refusal(inDatabase(url, database));
        if (refused) continue;
        violations.push({
          role: new URL(url).username,
          database,
          how: 'could connect with its own password',
        });
      }
    }
  }
  return {
    server,
    checkedAt: new Date().toISOString(),
    databases: found,
    pairs,
    attempts,
    violations,
    passed: violations.length === 0,
  };
}

/** Whether the server refuses the connection for want of a right; other failures are thrown. */
async function refusal(url: string): Promise<boolean> {
  try {
    await withClient(url, client => client.query('SELECT 1'));
    return false;
  } catch (error) {
    // 42501: no right to connect; 28000, 28P01: no such login or password.
    if (
      ['42501', '28000', '28P01'].includes(
        (error as { code?: string }).code ?? '',
      )
    ) {
      return true;
    }
    throw error;
  }
}

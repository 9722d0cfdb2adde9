import { escapeIdentifier, type Client } from 'pg';

const DANGEROUS =
  'rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls';

/** Makes the role, or gives it these attributes; takes from it what no service needs. */
export async function setRole(
  client: Client,
  name: string,
  attributes: string,
) {
  const { rows } = await client.query(
    `SELECT ${DANGEROUS} AS dangerous FROM pg_roles WHERE rolname = $1`,
    [name],
  );
  const id = escapeIdentifier(name);
  if (!rows[0]) {
    await client.query(`CREATE ROLE ${id} ${attributes}`);
    return;
  }
  await client.query(`ALTER ROLE ${id} ${attributes}`);
  if (rows[0].dangerous) {
    await client.query(
      `ALTER ROLE ${id} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS`,
    );
  }
}

/** Nobody logs in as it any more. */
export async function disableLogin(client: Client, name: string) {
  if (!(await roleExists(client, name))) return;
  await client.query(
    `ALTER ROLE ${escapeIdentifier(name)} NOLOGIN PASSWORD NULL`,
  );
  await client.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1',
    [name],
  );
}

export async function roleExists(
  client: Client,
  name: string,
): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT 1 FROM pg_roles WHERE rolname = $1',
    [name],
  );
  return rowCount === 1;
}

export async function databaseExists(client: Client, name: string) {
  const { rowCount } = await client.query(
    'SELECT 1 FROM pg_database WHERE datname = $1',
    [name],
  );
  return rowCount === 1;
}

export async function isSuperuser(client: Client): Promise<boolean> {
  const { rows } = await client.query(
    'SELECT rolsuper FROM pg_roles WHERE rolname = current_user',
  );
  return rows[0].rolsuper;
}

import pg from 'pg';
import { CHECKS } from '../../src/authorization/reconcile.ts';

/** What must hold after every test. How old an event may be depends on a publisher, which most tests do not run. */
export async function findViolations(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const found: string[] = [];
    for (const [name, { meaning, sql }] of Object.entries(CHECKS)) {
      if (name === 'A10') continue;
      const { rows } = await client.query<{ what: string }>(`${sql} LIMIT 3`);
      if (rows.length > 0) found.push(`${name}, ${meaning}: ${rows.map(row => row.what).join(', ')}`);
    }
    return found;
  } finally {
    await client.end();
  }
}

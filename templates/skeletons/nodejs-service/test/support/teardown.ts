import { findViolations } from './invariants.ts';

/** After all tests of all files: what must always hold of the database does, whatever was done to it. */
export default async function teardown(): Promise<void> {
  const { testDatabase } = globalThis;
  try {
    const violations = await findViolations(process.env.SERVICE_OWNER_URL!);
    if (violations.length > 0) throw new Error(`The database is broken after the tests: ${violations.join('; ')}`);
  } finally {
    await testDatabase?.cleanUp();
  }
}

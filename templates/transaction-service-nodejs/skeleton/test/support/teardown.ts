import { findViolations } from './invariants.ts';

/** After all tests of all files: the books must be in order, whatever was done to them. */
export default async function teardown(): Promise<void> {
  const { testDatabase } = globalThis;
  try {
    const violations = await findViolations(process.env.LEDGER_OWNER_URL!);
    if (violations.length > 0) throw new Error(`The ledger is broken after the tests: ${violations.join('; ')}`);
  } finally {
    await testDatabase?.cleanUp();
  }
}

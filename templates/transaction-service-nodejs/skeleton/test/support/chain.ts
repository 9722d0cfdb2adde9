import { expect } from '@jest/globals';
import { Sealer } from '../../src/audit/sealer.ts';
import type { Verification } from '../../src/audit/verify.ts';
import { verify } from '../../src/audit/verify.ts';
import type { Anchor } from '../../src/audit/anchors.ts';
import type { Harness } from './harness.ts';

/** Has the sealer of the service do all that there is to do. */
export async function seal(service: Harness): Promise<void> {
  const sealer = service.runtime.workers.find(worker => worker instanceof Sealer)!;
  while (await (sealer as Sealer).run());
}

/** Seals all that was written, once transactions of other databases on the server no longer hold the horizon up: blocks are full then. */
export async function sealAll(service: Harness): Promise<void> {
  const { pool } = service.runtime.database;
  const running = 'SELECT 1 FROM txn WHERE xact >= pg_snapshot_xmin(pg_current_snapshot()) LIMIT 1';
  while ((await pool.query(running)).rowCount !== 0);
  await seal(service);
}

export function verified(service: Harness, anchor?: Anchor): Promise<Verification> {
  return verify(service.config, 60_000, anchor);
}

/** The breaches that a verification names, as `kind block transaction`. */
export function named({ examples }: Verification): string[] {
  return examples.map(({ kind, block, transaction }) =>
    [kind, block, transaction].filter(part => part !== null).join(' '),
  );
}

export async function expectSound(service: Harness): Promise<Verification> {
  const result = await verified(service);
  expect(named(result)).toEqual([]);
  expect(result.ok).toBe(true);
  return result;
}

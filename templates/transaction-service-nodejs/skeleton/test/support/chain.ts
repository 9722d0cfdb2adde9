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

/** Seals until all that was written is sealed: transactions of other databases on the server may hold the horizon up for a moment. */
export async function sealAll(service: Harness): Promise<void> {
  do await seal(service);
  while ((await service.get('/v1/audit/head')).body.unsealed > 0);
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

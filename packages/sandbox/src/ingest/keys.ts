import { createHash, timingSafeEqual } from 'node:crypto';
import type { SandboxAccount } from '../store/EventStore';
import type { IngestStore } from './types';

/** The account that a license key opens; each key is compared in constant time. */
export function accountOf(
  store: Pick<IngestStore, 'accounts'>,
  licenseKey: string | undefined,
): SandboxAccount | undefined {
  if (!licenseKey) {
    return undefined;
  }
  const given = digest(licenseKey);
  return store.accounts.find(account =>
    timingSafeEqual(given, digest(account.licenseKey)),
  );
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

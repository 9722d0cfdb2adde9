import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './console.mts';

export interface Credentials {
  /** New Relic user key of the sandbox. */
  sandboxApiKey: string;
  /** New Relic license key of the sandbox, 40 characters as the agents expect. */
  sandboxLicenseKey: string;
}

const letters = (length: number) =>
  Array.from(
    { length },
    () => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'[randomInt(36)],
  ).join('');

/** Random keys of this installation, made once and readable by this user alone. */
export function loadCredentials(dataDir: string): Credentials {
  const file = join(dataDir, 'credentials.json');
  try {
    const parsed = JSON.parse(readFileSync(file, 'utf8'));
    if (parsed.sandboxApiKey && parsed.sandboxLicenseKey) return parsed;
    throw new Failure(
      `${file} lacks a key.`,
      'Delete the file; the next start makes a new one.',
    );
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new Failure(
        `${file} is not valid JSON.`,
        'Delete the file; the next start makes a new one.',
      );
    }
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const made: Credentials = {
    sandboxApiKey: `NRAK-${letters(27)}`,
    sandboxLicenseKey: randomBytes(20).toString('hex'),
  };
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(file, `${JSON.stringify(made, undefined, 2)}\n`, {
    mode: 0o600,
  });
  return made;
}

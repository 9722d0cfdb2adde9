import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What is secret of one service's database. */
export interface DatabasePasswords {
  migration: string;
  application: string;
  /** Which of the two application logins is in use. */
  slot: 'a' | 'b';
}

const newPassword = () => randomBytes(24).toString('base64url');

/** Another login for the application and new passwords for both roles. */
export function nextPasswords(current: DatabasePasswords): DatabasePasswords {
  return {
    migration: newPassword(),
    application: newPassword(),
    slot: current.slot === 'a' ? 'b' : 'a',
  };
}

/** The passwords of one database, in a file that only the backend's user can read. */
export class CredentialFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async read(): Promise<DatabasePasswords | undefined> {
    try {
      const known = JSON.parse(await readFile(this.path, 'utf8'));
      // Before there was a migration role: `owner` was the owner's own password.
      const application = known.application ?? known.app;
      if (typeof application !== 'string') return undefined;
      return {
        application,
        migration:
          typeof known.migration === 'string' ? known.migration : newPassword(),
        slot: known.slot === 'b' ? 'b' : 'a',
      };
    } catch {
      return undefined;
    }
  }

  /** Those of the file, or new ones, kept in it from now on. */
  async readOrCreate(): Promise<DatabasePasswords> {
    const passwords = (await this.read()) ?? {
      migration: newPassword(),
      application: newPassword(),
      slot: 'a' as const,
    };
    await this.write(passwords);
    return passwords;
  }

  async write(passwords: DatabasePasswords): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    await writeFile(`${this.path}.new`, JSON.stringify(passwords), {
      mode: 0o600,
    });
    await rename(`${this.path}.new`, this.path);
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }
}

/**
 * PostgreSQL's stored form of a SCRAM-SHA-256 password (RFC 5802, RFC 7677).
 * Statements carry this and not the password: a failing one ends up in the
 * server's log.
 */
export function scramVerifier(password: string): string {
  const iterations = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const hmac = (text: string) =>
    createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(hmac('Client Key')).digest();
  return `SCRAM-SHA-256$${iterations}:${salt.toString(
    'base64',
  )}$${stored.toString('base64')}:${hmac('Server Key').toString('base64')}`;
}

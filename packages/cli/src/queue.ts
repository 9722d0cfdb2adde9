import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CiError, EXIT, InputFileError } from './errors';
import type { PushRequest } from './types';

/** A push that nobody could take. Never holds a token: the caller that sends it later proves who it is itself. */
export interface QueuedPush {
  id: string;
  /** ISO 8601. */
  queuedAt: string;
  /** The portal that it is for. */
  portal: string;
  push: PushRequest;
}

const MAX_PUSHES = 200;
const MAX_BYTES = 50 * 1024 * 1024;
/** A process that died holds a lock no longer than this. */
const STALE_LOCK_MS = 30_000;
const LOCK_PATIENCE_MS = 10_000;

/** Pushes that wait in a file: one JSON object per line, the oldest first. Every change is written whole, synced and renamed. */
export class Queue {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  /** What waits, the oldest first. Throws InputFileError that names the line when the file is not one of ours. */
  read(): QueuedPush[] {
    if (!existsSync(this.file)) return [];
    if (statSync(this.file).size > MAX_BYTES)
      throw new InputFileError(
        this.file,
        `is larger than ${MAX_BYTES} bytes; it is no queue of rocket-ci`,
      );
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .flatMap((line, index) => {
        if (line.trim() === '') return [];
        let entry: QueuedPush | undefined;
        try {
          entry = JSON.parse(line);
        } catch {
          // Said below.
        }
        if (
          typeof entry?.id !== 'string' ||
          typeof entry.portal !== 'string' ||
          !entry.push?.source
        )
          throw new InputFileError(
            `${this.file}:${index + 1}`,
            'is no queued push; move the file away to go on without it',
          );
        return [entry];
      });
  }

  /** Puts a push behind the others. */
  async add(portal: string, push: PushRequest, now: Date): Promise<QueuedPush> {
    const entry = {
      id: randomUUID(),
      queuedAt: now.toISOString(),
      portal,
      push,
    };
    await this.#locked(() => {
      const entries = [...this.read(), entry];
      const text = lines(entries);
      if (entries.length > MAX_PUSHES || text.length > MAX_BYTES)
        throw new CiError(
          `${this.file} is full (${MAX_PUSHES} pushes or ${MAX_BYTES} bytes); send it with rocket-ci flush`,
          EXIT.away,
        );
      writeDurably(this.file, text);
    });
    return entry;
  }

  /** Takes a push out, because it was sent or will never be taken. */
  async remove(id: string): Promise<void> {
    await this.#locked(() => {
      const rest = this.read().filter(entry => entry.id !== id);
      if (rest.length > 0) {
        writeDurably(this.file, lines(rest));
      } else {
        rmSync(this.file, { force: true });
      }
    });
  }

  /** Keeps what the portal refused beside the queue, with the reason, so that nothing is lost. */
  async refuse(entry: QueuedPush, reason: string): Promise<string> {
    const file = `${this.file}.refused`;
    await this.#locked(() => {
      const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
      writeDurably(file, `${before}${lines([{ ...entry, reason } as any])}`);
    });
    await this.remove(entry.id);
    return file;
  }

  /** Jobs of one machine may share a file. */
  async #locked(change: () => void): Promise<void> {
    const lock = `${this.file}.lock`;
    mkdirSync(path.dirname(this.file), { recursive: true });
    const end = Date.now() + LOCK_PATIENCE_MS;
    for (;;) {
      try {
        closeSync(openSync(lock, 'wx', 0o600));
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        if (isStale(lock)) {
          rmSync(lock, { force: true });
          continue;
        }
        if (Date.now() > end)
          throw new InputFileError(
            lock,
            'another rocket-ci holds it; remove it when none runs',
          );
        await pause(20);
      }
    }
    try {
      change();
    } finally {
      rmSync(lock, { force: true });
    }
  }
}

function isStale(lock: string): boolean {
  try {
    return Date.now() - statSync(lock).mtimeMs > STALE_LOCK_MS;
  } catch {
    return false;
  }
}

function lines(entries: QueuedPush[]): string {
  return entries.map(entry => `${JSON.stringify(entry)}\n`).join('');
}

/** The file is whole, old or new, whatever happens: temporary file, sync, rename, sync of the folder. Only its owner reads it. */
export function writeDurably(file: string, text: string): void {
  const folder = path.dirname(file);
  mkdirSync(folder, { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = openSync(temporary, 'w', 0o600);
  try {
    const bytes = Buffer.from(text);
    for (let done = 0; done < bytes.length; )
      done += writeSync(handle, bytes, done);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temporary, file);
  try {
    const parent = openSync(folder, 'r');
    fsyncSync(parent);
    closeSync(parent);
  } catch {
    // Some file systems cannot sync a folder.
  }
}

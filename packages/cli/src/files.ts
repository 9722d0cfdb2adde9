import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { InputFileError } from './errors';

/** A file that was read whole. */
export interface ReadFile {
  bytes: Buffer;
  /** Its text; throws InputFileError when it is not UTF-8. */
  text(): string;
  /** `sha256:` and the digest. */
  digest(): string;
}

function problemOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOENT':
      return 'does not exist';
    case 'EACCES':
    case 'EPERM':
      return 'may not be read';
    case 'EISDIR':
      return 'is a folder';
    default:
      return error.message;
  }
}

/** Reads a file of at most `max` bytes; InputFileError begins with `shown`. */
export function readBounded(file: string, max: number, shown = file): ReadFile {
  const bytes = readAtMost(file, max, shown);
  return {
    bytes,
    text() {
      try {
        return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
      } catch {
        throw new InputFileError(shown, 'is not UTF-8 text');
      }
    },
    digest: () => `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
  };
}

function readAtMost(file: string, max: number, shown: string): Buffer {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (error) {
    throw new InputFileError(shown, problemOf(error as NodeJS.ErrnoException));
  }
  try {
    const stat = fstatSync(handle);
    if (!stat.isFile()) throw new InputFileError(shown, 'is not a file');
    if (stat.size > max)
      throw new InputFileError(
        shown,
        `is larger than ${max} bytes (${stat.size})`,
      );
    // One more than it says, in case it grows.
    const buffer = Buffer.alloc(stat.size + 1);
    let size = 0;
    for (let read = -1; read !== 0 && size < buffer.length; size += read)
      read = readSync(handle, buffer, size, buffer.length - size, size);
    return buffer.subarray(0, Math.min(size, stat.size));
  } catch (error) {
    if (error instanceof InputFileError) throw error;
    throw new InputFileError(shown, problemOf(error as NodeJS.ErrnoException));
  } finally {
    closeSync(handle);
  }
}

/** Digest of a file of any size, without holding it. */
export function digestOf(file: string, shown = file): string {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (error) {
    throw new InputFileError(shown, problemOf(error as NodeJS.ErrnoException));
  }
  try {
    if (!fstatSync(handle).isFile())
      throw new InputFileError(shown, 'is not a file');
    const hash = createHash('sha256');
    const buffer = Buffer.alloc(1024 * 1024);
    for (;;) {
      const read = readSync(handle, buffer, 0, buffer.length, null);
      if (read === 0) break;
      hash.update(buffer.subarray(0, read));
    }
    return `sha256:${hash.digest('hex')}`;
  } finally {
    closeSync(handle);
  }
}

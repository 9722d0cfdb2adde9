import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';

/** A CGI answer whose header has been read; the rest is in `body`. */
export interface CgiAnswer {
  status: number;
  headers: [string, string][];
  /** The part of the body that came with the header. */
  head: Buffer;
  body: Readable;
}

const MAX_HEADER_BYTES = 16 * 1024;

/** Starts a CGI program in its own process group, so that ending it ends its children too. */
export function startCgi(file: string, env: Record<string, string>) {
  const child = spawn(file, [], {
    env,
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', chunk => {
    stderr = (stderr + chunk).slice(-4096);
  });
  // It may end before it has read everything.
  child.stdin.on('error', () => {});
  const ended = new Promise<{ code: number | null }>(resolve => {
    child.once('error', error => {
      stderr = String(error);
      resolve({ code: -1 });
    });
    child.once('close', code => resolve({ code }));
  });
  return {
    stdin: child.stdin,
    ended,
    stderr: () => stderr.trim(),
    // It may end, or not even start, without an answer.
    answer: () =>
      Promise.race([
        readAnswer(child.stdout),
        ended.then(() => {
          throw new Error('git http-backend gave no answer');
        }),
      ]),
    kill() {
      if (!child.pid || child.exitCode !== null || child.signalCode !== null) {
        return;
      }
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has just ended.
      }
    },
  };
}

/** Reads up to the empty line. Rejects when the program ends without one. */
async function readAnswer(stdout: Readable): Promise<CgiAnswer> {
  let buffer = Buffer.alloc(0);
  let end = -1;
  // `read` leaves the rest in the stream, so that it can be piped with back-pressure.
  await once(stdout, 'readable');
  while (end < 0) {
    const chunk: Buffer | null = stdout.read();
    if (chunk) buffer = Buffer.concat([buffer, chunk]);
    end = buffer.indexOf('\r\n\r\n');
    if (end >= 0) break;
    if (buffer.length > MAX_HEADER_BYTES) {
      throw new Error('The header of git http-backend is too long');
    }
    if (!chunk) {
      if (stdout.readableEnded || stdout.destroyed) {
        throw new Error('git http-backend gave no answer');
      }
      await Promise.race([once(stdout, 'readable'), once(stdout, 'end')]);
    }
  }
  let status = 200;
  const headers: [string, string][] = [];
  for (const line of buffer.subarray(0, end).toString('latin1').split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const key = line.slice(0, colon).trim();
    const value = line.slice(colon + 1).trim();
    if (key.toLowerCase() === 'status') status = Number.parseInt(value, 10);
    else headers.push([key, value]);
  }
  return { status, headers, head: buffer.subarray(end + 4), body: stdout };
}

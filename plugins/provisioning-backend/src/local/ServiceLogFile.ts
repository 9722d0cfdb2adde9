import { appendFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { ServiceLog } from '@rocket/plugin-provisioning-common';

type Stream = ServiceLog['lines'][number]['stream'];

/** Where the output of a service's processes goes. */
export interface LogSink {
  write(stream: Stream, text: string): void;
  /** Takes the lines of a stream; `onLine` sees each, masked. */
  attach(
    stream: Stream,
    source: Readable,
    onLine?: (line: string) => void,
  ): void;
  /** The text without the service's secrets. */
  mask(text: string): string;
}

interface Entry {
  /** Number of the line, from 1, never used twice. */
  n: number;
  t: string;
  s: Stream;
  x: string;
}

const MAX_FILE_BYTES = 2 * 1024 * 1024;
const MAX_FILES = 5;
const MAX_LINE = 8 * 1024;
const MAX_PENDING = 1024 * 1024;

/**
 * A service's log: files of JSON lines in one directory, each named by the
 * number of its first line, the oldest dropped when there are five full ones
 * (so at most about 10 MiB per service).
 */
export class ServiceLogFile implements LogSink {
  readonly #directory: string;
  #secrets: string[] = [];
  #next = 1;
  #file: string | undefined;
  #fileBytes = 0;
  #pending: string[] = [];
  #pendingBytes = 0;
  #flushing: Promise<void> | undefined;
  readonly #paused = new Set<Readable>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(directory: string): Promise<ServiceLogFile> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const log = new ServiceLogFile(directory);
    const files = await log.#files();
    const last = files.at(-1);
    if (last !== undefined) {
      const entries = await log.#readFile(last);
      // Lines go on in a new file: the last one can end in half a line after a kill.
      log.#next = (entries.at(-1)?.n ?? last) + 1;
    }
    return log;
  }

  /** Strings that are replaced by *** from now on. */
  hide(secrets: string[]): void {
    for (const secret of secrets) {
      if (secret.length >= 6 && !this.#secrets.includes(secret)) {
        this.#secrets.push(secret);
      }
    }
  }

  mask(text: string): string {
    let masked = text;
    for (const secret of this.#secrets) {
      masked = masked.replaceAll(secret, '***');
    }
    return masked;
  }

  write(stream: Stream, text: string): void {
    this.#add(stream, this.mask(text));
  }

  attach(
    stream: Stream,
    source: Readable,
    onLine?: (line: string) => void,
  ): void {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    const emit = (line: string) => {
      const masked = this.mask(line.replace(/\r$/, ''));
      this.#add(stream, masked);
      onLine?.(masked);
    };
    source.on('data', (chunk: Buffer) => {
      const lines = (rest + decoder.write(chunk)).split('\n');
      rest = lines.pop()!;
      lines.forEach(emit);
      if (rest.length > 8 * MAX_LINE) {
        emit(rest);
        rest = '';
      }
      // A service that logs faster than the disk takes it waits.
      if (this.#pendingBytes > MAX_PENDING) {
        source.pause();
        this.#paused.add(source);
      }
    });
    source.on('end', () => {
      rest += decoder.end();
      if (rest) emit(rest);
      rest = '';
    });
    source.on('error', () => {});
  }

  /** Lines after the one numbered `after`; without it the last `limit` lines. */
  async read(request: { after?: number; limit: number }): Promise<ServiceLog> {
    await this.flush();
    const { after, limit } = request;
    const files = await this.#files();
    let entries: Entry[] = [];
    if (after === undefined) {
      for (const first of files.reverse()) {
        entries = [...(await this.#readFile(first)), ...entries];
        if (entries.length >= limit) break;
      }
      entries = entries.slice(-limit);
    } else {
      for (const [index, first] of files.entries()) {
        const following = files[index + 1];
        if (following !== undefined && following <= after + 1) continue;
        const found = (await this.#readFile(first)).filter(e => e.n > after);
        entries.push(...found);
        if (entries.length >= limit) break;
      }
      entries = entries.slice(0, limit);
    }
    return {
      lines: entries.map(e => ({ time: e.t, stream: e.s, text: e.x })),
      cursor: entries.at(-1)?.n ?? after ?? this.#next - 1,
    };
  }

  /** Waits until everything is on disk. */
  async flush(): Promise<void> {
    while (this.#flushing) await this.#flushing;
  }

  #add(stream: Stream, text: string): void {
    const time = new Date().toISOString();
    for (let at = 0; at === 0 || at < text.length; at += MAX_LINE) {
      const entry: Entry = {
        n: this.#next,
        t: time,
        s: stream,
        x: text.slice(at, at + MAX_LINE),
      };
      this.#next += 1;
      const line = `${JSON.stringify(entry)}\n`;
      this.#pending.push(line);
      this.#pendingBytes += line.length;
    }
    this.#flushing ??= this.#drain().finally(() => {
      this.#flushing = undefined;
    });
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0) {
      const lines = this.#pending;
      this.#pending = [];
      this.#pendingBytes = 0;
      for (const source of this.#paused) source.resume();
      this.#paused.clear();
      if (!this.#file || this.#fileBytes > MAX_FILE_BYTES) {
        const first = (JSON.parse(lines[0]) as Entry).n;
        this.#file = join(this.#directory, `${first}.log`);
        this.#fileBytes = 0;
        const old = (await this.#files()).slice(0, -(MAX_FILES - 1));
        for (const n of old) {
          await rm(join(this.#directory, `${n}.log`), { force: true });
        }
      }
      const text = lines.join('');
      this.#fileBytes += Buffer.byteLength(text);
      // A full disk loses log lines, not the service.
      await appendFile(this.#file, text, { mode: 0o600 }).catch(() => {});
    }
  }

  async #files(): Promise<number[]> {
    const names = await readdir(this.#directory).catch(() => []);
    return names
      .map(name => /^(\d+)\.log$/.exec(name)?.[1])
      .filter(n => n !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
  }

  async #readFile(first: number): Promise<Entry[]> {
    const text = await readFile(
      join(this.#directory, `${first}.log`),
      'utf8',
    ).catch(() => '');
    return text.split('\n').flatMap(line => {
      try {
        return line ? [JSON.parse(line) as Entry] : [];
      } catch {
        return [];
      }
    });
  }
}

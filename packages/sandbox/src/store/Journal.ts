import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import readline from 'node:readline';
import type { Application } from './applications';
import type { StoredEvent } from './EventStore';

const DAY = 86_400_000;
const FILE = /^events-(\d{4}-\d{2}-\d{2})\.jsonl$/;
const BATCH = 1000;

/** One line of a day file. */
interface Line extends StoredEvent {
  account: number;
}

/**
 * Keeps appended events on disk: one JSON document per line, one file per day
 * of arrival (UTC), only ever appended to. A line that a crash cut short is
 * skipped when the files are read.
 */
export class Journal {
  private pending: string[] = [];
  private writing: Promise<void> = Promise.resolve();
  private applications: Promise<void> = Promise.resolve();
  private failure: Error | undefined;
  /** Files whose last line is known to be whole. */
  private readonly whole = new Set<string>();

  constructor(
    /** Folder of the day files; made when it is missing. */
    private readonly dir: string,
    private readonly now: () => number = Date.now,
    /** Told of each write that failed; what it held is in memory only. */
    private readonly onFailure: (error: Error) => void = () => {},
  ) {}

  /** Queues the events to be written. */
  append(accountId: number, events: readonly StoredEvent[]): void {
    const lines = events.map(event =>
      JSON.stringify({ account: accountId, ...event } satisfies Line),
    );
    this.pending.push(`${lines.join('\n')}\n`);
    if (this.pending.length === 1) {
      this.writing = this.writing.then(() => this.write());
    }
  }

  /** Keeps the list of applications; the last call wins. */
  saveApplications(applications: readonly Application[]): void {
    const text = JSON.stringify(applications);
    this.applications = this.applications
      .then(async () => {
        await fs.mkdir(this.dir, { recursive: true });
        const file = path.join(this.dir, 'applications.json');
        await fs.writeFile(`${file}.new`, text);
        await fs.rename(`${file}.new`, file);
      })
      .catch(error => this.fail(error));
  }

  async readApplications(): Promise<Application[]> {
    try {
      const file = path.join(this.dir, 'applications.json');
      return JSON.parse(await fs.readFile(file, 'utf8'));
    } catch {
      // Missing or damaged: agents register again, names come from the events.
      return [];
    }
  }

  /** Reads all events with timestamp >= oldest (epoch ms), in batches. */
  async read(
    oldest: number,
    onEvents: (accountId: number, events: StoredEvent[]) => void,
  ): Promise<{ events: number; skippedLines: number }> {
    let count = 0;
    let skippedLines = 0;
    for (const { file } of await this.files()) {
      let account: number | undefined;
      let batch: StoredEvent[] = [];
      const flush = () => {
        if (account !== undefined && batch.length > 0) onEvents(account, batch);
        batch = [];
      };
      const lines = readline.createInterface({
        input: createReadStream(path.join(this.dir, file), 'utf8'),
        crlfDelay: Infinity,
      });
      for await (const text of lines) {
        const line = parseLine(text);
        if (!line) {
          if (text !== '') skippedLines += 1;
        } else if (line.timestamp >= oldest) {
          if (line.account !== account || batch.length === BATCH) flush();
          account = line.account;
          batch.push({
            eventType: line.eventType,
            timestamp: line.timestamp,
            attributes: line.attributes,
            weight: line.weight,
          });
          count += 1;
        }
      }
      flush();
    }
    return { events: count, skippedLines };
  }

  /** Deletes day files that hold nothing younger than `oldest` (epoch ms). */
  async prune(oldest: number): Promise<void> {
    for (const { file, day } of await this.files()) {
      // Events may be stamped a day ahead of their arrival.
      if (day + 2 * DAY <= oldest) await fs.rm(path.join(this.dir, file));
    }
  }

  /** Waits until all is written; throws what went wrong on the way. */
  async close(): Promise<void> {
    await this.writing;
    await this.applications;
    if (this.failure) throw this.failure;
  }

  private async write(): Promise<void> {
    const text = this.pending.join('');
    this.pending = [];
    const name = `events-${new Date(this.now())
      .toISOString()
      .slice(0, 10)}.jsonl`;
    const file = path.join(this.dir, name);
    try {
      await fs.mkdir(this.dir, { recursive: true });
      const prefix =
        this.whole.has(file) || (await endsWithNewline(file)) ? '' : '\n';
      await fs.appendFile(file, prefix + text);
      this.whole.add(file);
    } catch (error) {
      // Half a line may have been written.
      this.whole.delete(file);
      this.fail(error as Error);
    }
  }

  private fail(error: Error) {
    this.failure = error;
    this.onFailure(error);
  }

  private async files(): Promise<{ file: string; day: number }[]> {
    let names: string[];
    try {
      names = await fs.readdir(this.dir);
    } catch {
      return [];
    }
    return names.sort().flatMap(file => {
      const day = FILE.exec(file)?.[1];
      return day ? [{ file, day: Date.parse(`${day}T00:00:00Z`) }] : [];
    });
  }
}

function parseLine(text: string): Line | undefined {
  try {
    const line = JSON.parse(text);
    const usable =
      typeof line?.account === 'number' &&
      typeof line.eventType === 'string' &&
      typeof line.timestamp === 'number' &&
      typeof line.attributes === 'object' &&
      line.attributes !== null;
    return usable ? line : undefined;
  } catch {
    return undefined;
  }
}

async function endsWithNewline(file: string): Promise<boolean> {
  let handle;
  try {
    handle = await fs.open(file, 'r');
  } catch {
    return true;
  }
  try {
    const { size } = await handle.stat();
    if (size === 0) return true;
    const last = Buffer.alloc(1);
    await handle.read(last, 0, 1, size - 1);
    return last[0] === 0x0a;
  } finally {
    await handle.close();
  }
}

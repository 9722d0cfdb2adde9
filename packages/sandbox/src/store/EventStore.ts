import { NotFoundError } from '@backstage/errors';
import {
  Application,
  ApplicationRegistration,
  Applications,
} from './applications';
import { ServiceLevels } from './serviceLevels';
import { AttributeValue } from './Column';
import { Journal } from './Journal';
import { Segment } from './Segment';

export type { AttributeValue } from './Column';
export type { Application, ApplicationRegistration } from './applications';
export type { ServiceLevel } from './serviceLevels';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** An event as it is given to the store. */
export interface StoredEvent {
  /** For example `Transaction`. */
  eventType: string;
  /** Epoch milliseconds; may be out of order, and ahead of the clock. */
  timestamp: number;
  attributes: Record<string, AttributeValue>;
  /** Events it stands for, for EXTRAPOLATE. Default 1. */
  weight?: number;
}

/** An account of the sandbox with its two keys. */
export interface SandboxAccount {
  id: number;
  name: string;
  /** User key, for NerdGraph. */
  apiKey: string;
  /** License key, for agents and the ingest APIs. */
  licenseKey: string;
}

/** Writes many events of one type with the same attributes, cheaply. */
export interface RowWriter {
  /**
   * Adds one event. `values` are in the order of the attributes that the
   * writer was made with; undefined leaves an attribute out.
   */
  row(
    timestamp: number,
    values: readonly (AttributeValue | undefined)[],
    weight?: number,
  ): void;
}

/** Events by column, all of the same length. */
export interface EventColumns {
  /** Epoch milliseconds. */
  timestamp: ArrayLike<number>;
  /** By attribute name; undefined entries leave the attribute out. */
  attributes: Record<string, ArrayLike<AttributeValue | undefined>>;
  weight?: ArrayLike<number>;
}

/** Options of {@link EventStore}. */
export interface EventStoreOptions {
  accounts: SandboxAccount[];
  /** Events older than this are forgotten. Milliseconds, default 32 days. */
  retentionMs?: number;
  /** Keeps appended events on disk. Default: they are gone with the process. */
  journal?: Journal;
  /** Clock, epoch milliseconds. */
  now?: () => number;
}

interface Table {
  /** By begin of the segment. */
  segments: Map<number, Segment>;
  /** Begins in order; undefined after a segment came or went. */
  order: number[] | undefined;
}

/**
 * All events of the sandbox, in memory and by column: per account and event
 * type one table, cut into segments of one hour, so that a query touches only
 * the hours of its window.
 */
export class EventStore {
  readonly accounts: readonly SandboxAccount[];
  readonly applications = new Applications();
  readonly serviceLevels = new ServiceLevels();
  private readonly tables = new Map<number, Map<string, Table>>();
  private readonly retentionMs: number;
  private readonly journal: Journal | undefined;
  private readonly now: () => number;

  constructor(options: EventStoreOptions) {
    this.accounts = options.accounts;
    this.retentionMs = options.retentionMs ?? 32 * DAY;
    this.journal = options.journal;
    this.now = options.now ?? Date.now;
    for (const account of options.accounts) {
      this.tables.set(account.id, new Map());
    }
  }

  /** The account that a user key opens. */
  accountForApiKey(key: string | undefined): SandboxAccount | undefined {
    return key ? this.accounts.find(a => a.apiKey === key) : undefined;
  }

  /** The account that a license key writes to. */
  accountForLicenseKey(key: string | undefined): SandboxAccount | undefined {
    return key ? this.accounts.find(a => a.licenseKey === key) : undefined;
  }

  /**
   * Adds events as they come from agents and ingest APIs. They are journalled,
   * when the store has a journal; `journal: false` is for events that can be
   * made again. Throws `NotFoundError` for an account that does not exist.
   */
  append(
    accountId: number,
    events: readonly StoredEvent[],
    options?: { journal?: boolean },
  ): void {
    this.insert(accountId, events);
    if (this.journal && options?.journal !== false && events.length > 0) {
      this.journal.append(accountId, events);
    }
  }

  /** For generated events: never journalled. */
  writer(
    accountId: number,
    eventType: string,
    attributes: readonly string[],
  ): RowWriter {
    const table = this.table(accountId, eventType);
    const appName = attributes.indexOf('appName');
    return {
      row: (timestamp, values, weight = 1) => {
        const segment = segmentFor(table, timestamp);
        const row = segment.add(timestamp, weight);
        for (let i = 0; i < attributes.length; i += 1) {
          const value = values[i];
          if (value !== undefined) segment.set(row, attributes[i], value);
        }
        if (appName >= 0) {
          this.noteApplication(accountId, eventType, values[appName]);
        }
      },
    };
  }

  /** For generated events by column: never journalled. */
  appendTransactions(accountId: number, columns: EventColumns): void {
    const names = Object.keys(columns.attributes);
    const writer = this.writer(accountId, 'Transaction', names);
    const values = new Array<AttributeValue | undefined>(names.length);
    for (let i = 0; i < columns.timestamp.length; i += 1) {
      for (let c = 0; c < names.length; c += 1) {
        values[c] = columns.attributes[names[c]][i];
      }
      writer.row(columns.timestamp[i], values, columns.weight?.[i]);
    }
  }

  /** Makes an application known, with the labels of its agent as tags. */
  registerApplication(registration: ApplicationRegistration): Application {
    this.tablesOf(registration.accountId);
    const application = this.applications.register(registration);
    this.journal?.saveApplications(this.applications.list());
    return application;
  }

  /** Names of the event types of an account, those without events left out. */
  eventTypes(accountId: number): string[] {
    return [...this.tablesOf(accountId)]
      .filter(([, table]) => table.segments.size > 0)
      .map(([name]) => name)
      .sort();
  }

  /** Segments that may hold events with from <= timestamp < to, in order of time. */
  segments(
    accountId: number,
    eventType: string,
    from: number,
    to: number,
  ): Segment[] {
    const table = this.tablesOf(accountId).get(eventType);
    if (!table) return [];
    table.order ??= [...table.segments.keys()].sort((a, b) => a - b);
    return table.order
      .filter(begin => begin < to && begin + HOUR > from)
      .map(begin => table.segments.get(begin)!);
  }

  /** Reads what the journal kept. Call once, before events are appended. */
  async restore(): Promise<{ events: number; skippedLines: number }> {
    if (!this.journal) return { events: 0, skippedLines: 0 };
    const known = new Set(this.accounts.map(account => account.id));
    for (const application of await this.journal.readApplications()) {
      if (known.has(application.accountId)) {
        this.applications.register(application);
      }
    }
    const oldest = this.now() - this.retentionMs;
    return this.journal.read(oldest, (accountId, events) => {
      if (known.has(accountId)) this.insert(accountId, events);
    });
  }

  /** Forgets what is older than the retention, on disk too. */
  async prune(): Promise<void> {
    const oldest = this.now() - this.retentionMs;
    for (const tables of this.tables.values()) {
      for (const table of tables.values()) {
        for (const [begin, segment] of table.segments) {
          if (segment.end <= oldest) {
            table.segments.delete(begin);
            table.order = undefined;
          }
        }
      }
    }
    await this.journal?.prune(oldest);
  }

  /** Gives back spare memory of all segments but those of the last hour. */
  compact(): void {
    const recent = this.now() - HOUR;
    for (const tables of this.tables.values()) {
      for (const table of tables.values()) {
        for (const segment of table.segments.values()) {
          if (segment.end <= recent) segment.compact();
        }
      }
    }
  }

  /** Events and bytes held, by event type over all accounts. */
  stats(): { events: Record<string, number>; total: number; bytes: number } {
    const events: Record<string, number> = {};
    let total = 0;
    let bytes = 0;
    for (const tables of this.tables.values()) {
      for (const [name, table] of tables) {
        for (const segment of table.segments.values()) {
          events[name] = (events[name] ?? 0) + segment.length;
          total += segment.length;
          bytes += segment.byteLength;
        }
      }
    }
    return { events, total, bytes };
  }

  /** Writes out what the journal still holds in memory. */
  async close(): Promise<void> {
    await this.journal?.close();
  }

  private insert(accountId: number, events: readonly StoredEvent[]) {
    for (const event of events) {
      if (!Number.isFinite(event.timestamp)) continue;
      const table = this.table(accountId, event.eventType);
      const segment = segmentFor(table, event.timestamp);
      const row = segment.add(event.timestamp, event.weight ?? 1);
      for (const name of Object.keys(event.attributes)) {
        segment.set(row, name, event.attributes[name]);
      }
      this.noteApplication(
        accountId,
        event.eventType,
        event.attributes.appName,
      );
    }
  }

  private noteApplication(
    accountId: number,
    eventType: string,
    appName: AttributeValue | undefined,
  ) {
    if (eventType !== 'Transaction' || typeof appName !== 'string') return;
    if (!this.applications.get(accountId, appName)) {
      this.applications.register({ accountId, appName });
    }
  }

  private table(accountId: number, eventType: string): Table {
    const tables = this.tablesOf(accountId);
    let table = tables.get(eventType);
    if (!table) {
      table = { segments: new Map(), order: undefined };
      tables.set(eventType, table);
    }
    return table;
  }

  private tablesOf(accountId: number): Map<string, Table> {
    const tables = this.tables.get(accountId);
    if (!tables) {
      throw new NotFoundError(`The sandbox has no account ${accountId}`);
    }
    return tables;
  }
}

function segmentFor(table: Table, timestamp: number): Segment {
  const begin = Math.floor(timestamp / HOUR) * HOUR;
  let segment = table.segments.get(begin);
  if (!segment) {
    segment = new Segment(begin, begin + HOUR);
    table.segments.set(begin, segment);
    table.order = undefined;
  }
  return segment;
}

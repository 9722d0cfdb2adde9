import type { Database, Statement } from '../platform/db/database.ts';
import type { Caller } from '../platform/http/idempotency.ts';
import type { LedgerClock } from './clock.ts';
import type { Posting } from './postings.ts';
import type { Refusal } from './refusals.ts';

/** One request under one key: a transaction, or a batch of them. */
export type PostRequest = {
  caller: Caller;
  print: Buffer;
  isBatch: boolean;
  postings: Posting[];
};

/** A transaction as JSON text, in the form that it is answered, told and sealed in; or why it was refused. */
export type ItemResult = { id: string; document: string } | { refusal: Refusal };

export type PostResult =
  | { state: 'decided'; replayed: boolean; items: ItemResult[] }
  /** The key belongs to another request; its answer is no longer kept; somebody holds an account of it (only when asked not to wait). */
  | { state: 'mismatch' | 'expired' | 'busy' };

export type Waiting = {
  /** Do not wait for balances that somebody holds. */
  skipLocked: boolean;
  /** Milliseconds to wait for one; null: as long as the connection is set to. */
  lockTimeout: number | null;
};

/** Hours that answers are kept; a UUIDv7 that is older cannot be told from a repetition any more. */
export type KeyAge = { hours: number };

const TYPES =
  'text[],text[],bytea[],boolean[],boolean[],integer[],uuid[],text[],text[],text[],timestamptz[],timestamptz[],json[],integer[],' +
  'uuid[],integer[],bigint[],text[],boolean,integer';

const POST_BATCH: Statement = {
  name: 'ledger_post_batch',
  text: `SELECT ledger_post_batch(${TYPES.split(',').map((type, i) => `$${i + 1}::${type}`)}) AS result`,
};

const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Whether the key is a UUIDv7 that is older than answers are kept. */
export function isStale(key: string, now: number, { hours }: KeyAge): boolean {
  if (!UUID7.test(key)) return false;
  return Number.parseInt(key.slice(0, 8) + key.slice(9, 13), 16) < now - hours * 3_600_000;
}

/** An array literal of PostgreSQL. Elements are quoted, so that no text can end one. */
function texts(values: readonly (string | null)[]): string {
  return `{${values.map(value => (value === null ? 'NULL' : `"${value.replace(/[\\"]/g, '\\$&')}"`)).join(',')}}`;
}

/** The same for what needs no quotes: numbers, booleans, hexadecimal digits. */
function plain(values: readonly (string | number | bigint | boolean)[]): string {
  return `{${values.join(',')}}`;
}

type Answer = {
  at: string;
  states: ('fresh' | 'known' | 'mismatch' | 'expired' | 'busy')[];
  documents: Record<string, string> | null;
  refusals: (Refusal | null)[] | null;
  known: (Known | null)[] | null;
};

type KnownItem = { transaction: string } | { refusal: Refusal };
type Known = KnownItem | { items: KnownItem[] };

function fromKnown(item: KnownItem): ItemResult {
  if ('refusal' in item) return item;
  return { id: (JSON.parse(item.transaction) as { id: string }).id, document: item.transaction };
}

/** Arguments of ledger_post_batch for these requests; ids are made anew by each call. */
function encode(requests: readonly PostRequest[], clock: LedgerClock, keyAge: KeyAge, waiting: Waiting) {
  const postings = requests.flatMap(request => request.postings);
  const ids = postings.map(() => clock.newId());
  const accounts: string[] = [];
  const places = new Map<string, number>();
  const legAccounts: number[] = [];
  const amounts: bigint[] = [];
  const currencies: string[] = [];
  const firstLegs = [1];
  for (const { legs } of postings) {
    for (const { accountId, amount, currency } of legs) {
      let place = places.get(accountId);
      if (place === undefined) {
        place = accounts.push(accountId);
        places.set(accountId, place);
      }
      legAccounts.push(place);
      amounts.push(amount);
      currencies.push(currency);
    }
    firstLegs.push(amounts.length + 1);
  }
  const firstItems = [1];
  for (const request of requests) firstItems.push(firstItems.at(-1)! + request.postings.length);
  const now = clock.now();
  const values = [
    texts(requests.map(request => request.caller.clientId)),
    texts(requests.map(request => request.caller.idempotencyKey)),
    texts(requests.map(request => `\\x${request.print.toString('hex')}`)),
    plain(requests.map(request => isStale(request.caller.idempotencyKey, now, keyAge))),
    plain(requests.map(request => request.isBatch)),
    plain(firstItems),
    plain(ids),
    plain(postings.map(posting => posting.kind)),
    texts(postings.map(posting => posting.currency)),
    texts(postings.map(posting => posting.externalRef)),
    texts(postings.map(posting => posting.effectiveAt)),
    texts(postings.map(posting => posting.expiresAt)),
    texts(postings.map(posting => posting.metadata)),
    plain(firstLegs),
    plain(accounts),
    plain(legAccounts),
    plain(amounts),
    plain(currencies),
    waiting.skipLocked,
    waiting.lockTimeout,
  ];
  return { ids, values };
}

export type Run = <T extends Record<string, unknown>>(statement: Statement, values: unknown[]) => Promise<T[]>;

/** Decides requests in one statement, which is one transaction: all of what is accepted is written, or nothing. */
export async function postBatch(
  run: Run,
  clock: LedgerClock,
  keyAge: KeyAge,
  requests: readonly PostRequest[],
  waiting: Waiting = { skipLocked: false, lockTimeout: null },
): Promise<PostResult[]> {
  const { ids, values } = encode(requests, clock, keyAge, waiting);
  const sent = clock.started();
  const [row] = await run<{ result: Answer }>(POST_BATCH, values);
  const { at, states, documents, refusals, known } = row!.result;
  clock.observe(at, sent);
  let first = 0;
  return requests.map((request, r) => {
    const begin = first;
    first += request.postings.length;
    const state = states[r]!;
    if (state === 'fresh') {
      const items = request.postings.map((_, i): ItemResult => {
        const refusal = refusals?.[begin + i];
        if (refusal) return { refusal };
        const id = ids[begin + i]!;
        return { id, document: documents![id]! };
      });
      return { state: 'decided', replayed: false, items };
    }
    if (state !== 'known') return { state };
    const before = known![r]!;
    return { state: 'decided', replayed: true, items: ('items' in before ? before.items : [before]).map(fromKnown) };
  });
}

const codeOf = (error: unknown): unknown =>
  (error as { code?: unknown } | null)?.code ??
  ((error as Error | null)?.cause as { code?: unknown } | undefined)?.code;

/**
 * Runs `work`, and once more when its ids did not fit the database: because the clock here is wrong, or because the day has no partition
 * yet. `work` has to make new ids each time.
 */
export async function withDays<T>(database: Database, clock: LedgerClock, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    const noPartition = code === '23514' && /no partition of relation/.test((error as Error).message);
    if (code !== 'LG001' && !noPartition) throw error;
    await clock.synchronize(database);
    if (noPartition) await addDays(database);
    return work();
  }
}

/** Days that partitions are made for in advance. */
const AHEAD = 7;

/** Makes the partitions that are missing. Resolves to the number of days added. */
export async function addDays(database: Database): Promise<number> {
  const [row] = await database.run<{ added: number }>(
    { name: 'ledger_add_days', text: 'SELECT ledger_add_days($1) AS added' },
    [AHEAD],
  );
  return row!.added;
}

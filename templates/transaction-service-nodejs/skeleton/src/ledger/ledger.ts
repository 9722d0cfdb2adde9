import type { Database, Statement } from '../platform/db/database.ts';
import type { Caller, Decided } from '../platform/http/idempotency.ts';
import { decodeCursor, page, type Page } from '../platform/http/paging.ts';
import { fingerprint } from '../platform/ids.ts';
import { invalid, ProblemError } from '../platform/problems.ts';
import { Batcher } from './batcher.ts';
import { LedgerClock } from './clock.ts';
import { isStale, postBatch, withDays, type ItemResult, type PostRequest, type PostResult } from './post.ts';
import { knownCurrency, mustBalance, mustExpireInTime, toInstant, toPosting, type Posting } from './postings.ts';
import { toRefusal, type Refusal } from './refusals.ts';
import type {
  Account,
  Balance,
  Entry,
  NewAccount,
  NewPart,
  NewStatus,
  NewTransaction,
  NewVoid,
  Transaction,
  TransactionDetail,
  TrialBalance,
} from './schemas.ts';
import * as sql from './statements.ts';

export type LedgerOptions = {
  /** Statements that post at the same time. */
  flushers: number;
  /** Transactions in one statement. */
  batchSize: number;
  /** Transactions that may wait to be written. */
  queueLimit: number;
  /** Milliseconds that a statement with several requests waits for a locked balance before it goes around it. */
  batchLockTimeout: number;
  /** Hours that the answers to Idempotency-Keys are kept. */
  keyHours: number;
};

/** A written transaction: its id, and its document as JSON text. */
export type Written = { id: string; document: string };

/** What is asked of the strong ETag of a balance: the text between its quotes. */
export type Tagged<T> = { tag: string; body: T };

const HIGHEST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
const HIGHEST_VERSION = '9223372036854775807';

/** The operations of the ledger. Each is one statement; the rules live in `migrations/`. */
export class Ledger {
  readonly clock: LedgerClock;
  readonly #database: Database;
  readonly #options: LedgerOptions;
  readonly #batcher: Batcher;

  constructor(database: Database, options: LedgerOptions, clock = new LedgerClock()) {
    this.#database = database;
    this.#options = options;
    this.clock = clock;
    const run: Database['run'] = (statement, values) => database.run(statement, values);
    this.#batcher = new Batcher({
      ...options,
      lockTimeout: options.batchLockTimeout,
      post: (requests, waiting) =>
        withDays(database, clock, () => postBatch(run, clock, { hours: options.keyHours }, requests, waiting)),
    });
  }

  /** Transactions that wait to be written. */
  get waiting(): number {
    return this.#batcher.waiting;
  }

  /** Resolves when all that was taken is written. */
  idle(): Promise<void> {
    return this.#batcher.idle();
  }

  openAccount(caller: Caller, account: NewAccount): Promise<Decided<Account>> {
    knownCurrency(account.currency, '/currency');
    const debitNormal = account.kind === 'asset' || account.kind === 'expense';
    return this.#decideAccount(sql.OPEN_ACCOUNT, caller, fingerprint('accounts', account), [
      this.clock.newId(),
      account.name,
      account.kind,
      account.normalSide ?? (debitNormal ? 'debit' : 'credit'),
      account.currency,
      account.minAvailable ?? null,
      JSON.stringify(account.metadata ?? {}),
    ]);
  }

  setAccountStatus(caller: Caller, accountId: string, change: NewStatus): Promise<Decided<Account>> {
    const print = fingerprint(`accounts/${accountId}/status`, change);
    return this.#decideAccount(sql.SET_STATUS, caller, print, [accountId, change.status, change.reason]);
  }

  async post(caller: Caller, transaction: NewTransaction): Promise<Decided<Written>> {
    const posting = toPosting(transaction);
    await this.#mustExpireInTime(caller, [posting], () => '');
    const request = { caller, print: fingerprint('transactions', transaction), isBatch: false, postings: [posting] };
    const { replayed, items } = await this.#add(request);
    return { replayed, body: written(items[0]!, replayed) };
  }

  /** Each item is decided on its own; the answer has one result for each, in their order. */
  async postAll(caller: Caller, transactions: readonly NewTransaction[]): Promise<Decided<ItemResult[]>> {
    const postings = transactions.map((transaction, i) => toPosting(transaction, `/items/${i}`));
    await this.#mustExpireInTime(caller, postings, i => `/items/${i}`);
    const print = fingerprint('transactions:batch', transactions);
    const { replayed, items } = await this.#add({ caller, print, isBatch: true, postings });
    return { replayed, body: items };
  }

  /** Takes back a transaction that moved money. */
  reverse(caller: Caller, target: string, part: NewPart): Promise<Decided<Written>> {
    return this.#settle('reversal', caller, target, part);
  }

  /** Moves what a pending transaction holds, and releases the rest. */
  postPending(caller: Caller, target: string, part: NewPart): Promise<Decided<Written>> {
    return this.#settle('post', caller, target, part);
  }

  /** Releases what a pending transaction holds. */
  voidPending(caller: Caller, target: string, body: NewVoid): Promise<Decided<Written>> {
    return this.#settle('void', caller, target, body);
  }

  async account(id: string): Promise<Account> {
    const [row] = await this.#database.run<{ body: Account }>(sql.ACCOUNT, [id]);
    if (row === undefined) throw notFound('account', id);
    return row.body;
  }

  /** Now, or at a moment of business time (RFC 3339). */
  async balance(id: string, at?: string): Promise<Tagged<Balance>> {
    if (at === undefined) {
      const [row] = await this.#database.run<Tagged<Balance>>(sql.BALANCE, [id]);
      if (row === undefined) throw notFound('account', id);
      return row;
    }
    const moment = toInstant(at, '#/query/at');
    const [row] = await this.#database.run<Tagged<Balance> & { known: boolean }>(sql.BALANCE_AT, [id, moment]);
    if (row === undefined) throw notFound('account', id);
    if (!row.known) throw invalid('#/query/at', 'history-dropped', 'is before the days that are still kept');
    return row;
  }

  /** Newest first. `cursor` is the version below which to go on. */
  async entries(accountId: string, limit: number, cursor?: string): Promise<Page<Entry>> {
    const before = cursor === undefined ? HIGHEST_VERSION : decodeCursor(cursor, /^[0-9]{1,18}$/);
    const rows = await this.#database.run<{ body: Entry }>(sql.ENTRIES, [accountId, before, limit + 1]);
    if (rows.length === 0) await this.account(accountId);
    return page(rows, limit, entry => String(entry.accountVersion));
  }

  async transaction(id: string): Promise<TransactionDetail> {
    type Row = Pick<TransactionDetail, 'resolution'> & {
      body: Transaction;
      reversals: string[];
      remaining: { line: number; amount: string }[];
    };
    const [row] = await this.#database.run<Row>(sql.TRANSACTION, [id]);
    if (row === undefined) throw notFound('transaction', id);
    const { body, reversals, remaining, resolution } = row;
    const left = remaining.some(line => line.amount !== '0');
    const state = reversals.length === 0 ? 'none' : left ? 'partial' : 'full';
    return { ...body, reversal: { state, transactions: reversals, remaining }, resolution };
  }

  /** Newest first, of one external reference or of all. */
  async transactions(limit: number, externalRef?: string, cursor?: string): Promise<Page<Transaction>> {
    const before = cursor === undefined ? HIGHEST_ID : decodeCursor(cursor, /^[0-9a-f-]{36}$/);
    const rows =
      externalRef === undefined
        ? await this.#database.run<{ body: Transaction }>(sql.TRANSACTIONS, [before, limit + 1])
        : await this.#database.run<{ body: Transaction }>(sql.TRANSACTIONS_BY_REF, [before, limit + 1, externalRef]);
    return page(rows, limit, transaction => transaction.id);
  }

  async trialBalance(): Promise<TrialBalance> {
    type Row = TrialBalance['currencies'][number];
    const currencies = await this.#database.run<Row>(sql.TRIAL_BALANCE, []);
    return {
      asOf: new Date(this.clock.now()).toISOString(),
      balanced: currencies.every(row => row.difference === '0'),
      currencies,
    };
  }

  async #add(request: PostRequest): Promise<Extract<PostResult, { state: 'decided' }>> {
    const result = await this.#batcher.add(request);
    if (result.state !== 'decided') throw keyProblem(result.state);
    return result;
  }

  /** A repetition may come after the end that it names; only a new request has to be in time. */
  async #mustExpireInTime(caller: Caller, postings: Posting[], base: (i: number) => string): Promise<void> {
    try {
      postings.forEach((posting, i) => mustExpireInTime(posting, this.clock.now(), base(i)));
    } catch (error) {
      const known = await this.#database.run(sql.KEY_IS_KNOWN, [caller.clientId, caller.idempotencyKey]);
      if (known.length === 0) throw error;
    }
  }

  async #decideAccount(
    statement: Statement,
    caller: Caller,
    print: Buffer,
    rest: unknown[],
  ): Promise<Decided<Account>> {
    const { replayed, body } = await this.#decide<{ response: Account }>(statement, caller, print, rest);
    return { replayed, body: body.response };
  }

  async #decide<T extends object>(
    statement: Statement,
    caller: Caller,
    print: Buffer,
    rest: unknown[],
  ): Promise<Decided<T>> {
    const { clientId, idempotencyKey } = caller;
    const stale = isStale(idempotencyKey, this.clock.now(), { hours: this.#options.keyHours });
    type Row = { state: string; body: (T & { refusal?: Refusal }) | null };
    const [row] = await this.#database.run<Row>(statement, [clientId, idempotencyKey, print, stale, ...rest]);
    const { state, body } = row!;
    if (body === null) throw keyProblem(state);
    const replayed = state === 'known';
    if (body.refusal) throw toRefusal(body.refusal, replayed);
    return { replayed, body };
  }

  async #settle(kind: string, caller: Caller, target: string, request: NewPart): Promise<Decided<Written>> {
    const part = await this.#part(target, request);
    const print = fingerprint(`transactions/${target}/${kind}`, request);
    const { externalRef = null, effectiveAt, metadata = {} } = request;
    const { replayed, body } = await withDays(this.#database, this.clock, () =>
      this.#decide<{ transaction: string }>(sql.SETTLE, caller, print, [
        kind,
        this.clock.newId(),
        target,
        externalRef,
        effectiveAt === undefined ? null : toInstant(effectiveAt, '/effectiveAt'),
        JSON.stringify(metadata),
        part?.map(leg => leg.line) ?? null,
        part?.map(leg => leg.amount) ?? null,
      ]),
    );
    const { id } = JSON.parse(body.transaction) as { id: string };
    return { replayed, body: { id, document: body.transaction } };
  }

  /** The lines and amounts of a part; undefined for all that is left. The original never changes, so no lock is needed. */
  async #part(target: string, request: NewPart): Promise<{ line: number; amount: string }[] | undefined> {
    const { amount, legs } = request;
    if (amount === undefined && legs === undefined) return undefined;
    if (amount !== undefined && legs !== undefined) {
      throw invalid('/amount', 'exclusive', 'cannot be combined with legs');
    }
    const original = await this.transaction(target);
    if (amount !== undefined && original.legs.length !== 2) {
      throw invalid('/amount', 'ambiguous', 'works for transactions with two legs; name the legs instead');
    }
    const asked = legs ?? original.legs.map(leg => ({ line: leg.line, amount: amount! }));
    const signed = asked.map((part, i) => {
      const leg = original.legs.find(candidate => candidate.line === part.line);
      if (leg === undefined) throw invalid(`/legs/${i}/line`, 'unknown', `is not a line of transaction ${target}`);
      if (asked.findIndex(other => other.line === part.line) !== i) {
        throw invalid(`/legs/${i}/line`, 'duplicate', 'is named twice');
      }
      const { currency } = leg.amount;
      if (currency !== part.amount.currency) {
        const pointer = legs === undefined ? '/amount/currency' : `/legs/${i}/amount/currency`;
        throw new ProblemError('currency-mismatch', `Line ${leg.line} is in ${currency}.`, {
          errors: [{ pointer, code: 'currency-mismatch', message: `must be ${currency}` }],
        });
      }
      return { amount: BigInt(part.amount.value) * (leg.direction === 'debit' ? 1n : -1n), currency };
    });
    mustBalance(signed, '/legs');
    return asked.map(part => ({ line: part.line, amount: part.amount.value }));
  }
}

function written(item: ItemResult, replayed: boolean): Written {
  if ('refusal' in item) throw toRefusal(item.refusal, replayed);
  return item;
}

function notFound(what: string, id: string): ProblemError {
  return new ProblemError('not-found', `There is no ${what} ${id}.`);
}

function keyProblem(state: string): ProblemError {
  return state === 'mismatch'
    ? new ProblemError(
        'idempotency-mismatch',
        'This Idempotency-Key belongs to a request with another body. Use a new key.',
      )
    : new ProblemError(
        'idempotency-key-expired',
        'This Idempotency-Key is too old: what was answered to it is no longer kept. Nothing was done now.',
      );
}

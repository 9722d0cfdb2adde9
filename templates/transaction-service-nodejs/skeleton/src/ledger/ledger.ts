import type { Database, Statement } from '../platform/db/database.ts';
import type { Caller, Decided } from '../platform/http/idempotency.ts';
import { decodeCursor, page, type Page } from '../platform/http/paging.ts';
import { fingerprint, uuidv7 } from '../platform/ids.ts';
import { CURRENCY_EXPONENTS } from '../platform/money.ts';
import { invalid, ProblemError } from '../platform/problems.ts';
import { toRefusal, type Refusal } from './refusals.ts';
import type {
  Account,
  Balance,
  Entry,
  NewAccount,
  NewReversal,
  NewStatus,
  NewTransaction,
  Transaction,
  TransactionDetail,
  TrialBalance,
} from './schemas.ts';
import * as sql from './statements.ts';

const HIGHEST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
const HIGHEST_VERSION = '9223372036854775807';

/** The operations of the ledger. Each is one statement; the rules live in `migrations/`. */
export class Ledger {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  openAccount(caller: Caller, account: NewAccount): Promise<Decided<Account>> {
    knownCurrency(account.currency, '/currency');
    const debitNormal = account.kind === 'asset' || account.kind === 'expense';
    return this.#decide<Account>(sql.OPEN_ACCOUNT, caller, fingerprint('accounts', account), [
      uuidv7(),
      account.name,
      account.kind,
      account.normalSide ?? (debitNormal ? 'debit' : 'credit'),
      account.currency,
      account.minAvailable ?? null,
      account.metadata ?? {},
    ]);
  }

  setAccountStatus(caller: Caller, accountId: string, change: NewStatus): Promise<Decided<Account>> {
    const print = fingerprint(`accounts/${accountId}/status`, change);
    return this.#decide<Account>(sql.SET_STATUS, caller, print, [accountId, change.status, change.reason]);
  }

  post(caller: Caller, transaction: NewTransaction): Promise<Decided<Transaction>> {
    const { legs } = transaction;
    const amounts = legs.map(leg => BigInt(leg.amount.value) * (leg.direction === 'debit' ? 1n : -1n));
    const currencies = legs.map(leg => leg.amount.currency);
    currencies.forEach((code, i) => knownCurrency(code, `/legs/${i}/amount/currency`));
    mustBalance(amounts, currencies);
    return this.#decide<Transaction>(sql.POST, caller, fingerprint('transactions', transaction), [
      uuidv7(),
      new Set(currencies).size > 1 ? 'fx' : 'posting',
      transaction.externalRef ?? null,
      transaction.effectiveAt ?? null,
      transaction.metadata ?? {},
      legs.map(leg => leg.accountId),
      amounts.map(String),
      currencies,
    ]);
  }

  async reverse(caller: Caller, target: string, reversal: NewReversal): Promise<Decided<Transaction>> {
    const part = await this.#part(target, reversal);
    return this.#decide<Transaction>(sql.REVERSE, caller, fingerprint(`transactions/${target}/reversal`, reversal), [
      uuidv7(),
      target,
      reversal.externalRef ?? null,
      reversal.effectiveAt ?? null,
      reversal.metadata ?? {},
      part?.map(leg => leg.line) ?? null,
      part?.map(leg => leg.amount) ?? null,
    ]);
  }

  async account(id: string): Promise<Account> {
    return this.#one<Account>(sql.ACCOUNT, id, 'account');
  }

  async balance(id: string): Promise<Balance> {
    return this.#one<Balance>(sql.BALANCE, id, 'account');
  }

  /** Newest first. `cursor` is the version below which to go on. */
  async entries(accountId: string, limit: number, cursor?: string): Promise<Page<Entry>> {
    const before = cursor === undefined ? HIGHEST_VERSION : decodeCursor(cursor, /^[0-9]{1,18}$/);
    const rows = await this.#database.run<{ body: Entry }>(sql.ENTRIES, [accountId, before, limit + 1]);
    if (rows.length === 0) await this.account(accountId);
    return page(rows, limit, entry => String(entry.accountVersion));
  }

  async transaction(id: string): Promise<TransactionDetail> {
    type Row = { body: Transaction; reversals: string[]; remaining: { line: number; amount: string }[] };
    const [row] = await this.#database.run<Row>(sql.TRANSACTION, [id]);
    if (row === undefined) throw notFound('transaction', id);
    const left = row.remaining.some(line => line.amount !== '0');
    const state = row.reversals.length === 0 ? 'none' : left ? 'partial' : 'full';
    return { ...row.body, reversal: { state, transactions: row.reversals, remaining: row.remaining } };
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

  /** One statement, so it sees all accounts at the same moment. */
  async trialBalance(): Promise<TrialBalance> {
    type Row = TrialBalance['currencies'][number];
    const currencies = await this.#database.run<Row>(sql.TRIAL_BALANCE, []);
    return {
      asOf: new Date().toISOString(),
      balanced: currencies.every(row => row.difference === '0'),
      currencies,
    };
  }

  async #one<T>(statement: Statement, id: string, what: string): Promise<T> {
    const [row] = await this.#database.run<{ body: T }>(statement, [id]);
    if (row === undefined) throw notFound(what, id);
    return row.body;
  }

  async #decide<T>(statement: Statement, caller: Caller, print: Buffer, rest: unknown[]): Promise<Decided<T>> {
    type Row = { outcome: string; replayed: boolean; body: unknown };
    const [row] = await this.#database.run<Row>(statement, [caller.clientId, caller.idempotencyKey, print, ...rest]);
    if (row === undefined) throw new Error(`${statement.name} answered nothing`);
    if (row.outcome === 'mismatch') {
      throw new ProblemError(
        'idempotency-mismatch',
        'This Idempotency-Key belongs to a request with another body. Use a new key.',
      );
    }
    if (row.outcome === 'refused') throw toRefusal(row.body as Refusal, row.replayed);
    return { replayed: row.replayed, body: row.body as T };
  }

  /** The lines and amounts of a partial reversal; undefined for a full one. The original never changes, so no lock is needed. */
  async #part(target: string, reversal: NewReversal): Promise<{ line: number; amount: string }[] | undefined> {
    const { amount, legs } = reversal;
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
      if (leg.amount.currency !== part.amount.currency) {
        const pointer = legs === undefined ? '/amount/currency' : `/legs/${i}/amount/currency`;
        throw new ProblemError('currency-mismatch', `Line ${leg.line} is in ${leg.amount.currency}.`, {
          errors: [{ pointer, code: 'currency-mismatch', message: `must be ${leg.amount.currency}` }],
        });
      }
      return BigInt(part.amount.value) * (leg.direction === 'debit' ? -1n : 1n);
    });
    mustBalance(
      signed,
      asked.map(part => part.amount.currency),
    );
    return asked.map(part => ({ line: part.line, amount: part.amount.value }));
  }
}

function notFound(what: string, id: string): ProblemError {
  return new ProblemError('not-found', `There is no ${what} ${id}.`);
}

function knownCurrency(code: string, pointer: string): void {
  if (!CURRENCY_EXPONENTS.has(code)) throw invalid(pointer, 'unknown-currency', `${code} is not an ISO 4217 currency`);
}

function mustBalance(amounts: bigint[], currencies: string[]): void {
  const sums = new Map<string, bigint>();
  amounts.forEach((amount, i) => {
    const currency = currencies[i]!;
    sums.set(currency, (sums.get(currency) ?? 0n) + amount);
  });
  for (const [currency, sum] of sums) {
    if (sum !== 0n) {
      const more = sum > 0n ? 'debits' : 'credits';
      throw invalid(
        '/legs',
        'unbalanced',
        `are not balanced: ${more} in ${currency} are ${sum > 0n ? sum : -sum} higher`,
      );
    }
  }
}

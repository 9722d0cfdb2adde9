import { readFileSync } from 'node:fs';
import path from 'node:path';
import { CONTRACTS, type Contract } from '../contract';
import { uuidv7 } from '../client';
import {
  blockHash,
  canonicalJson,
  inclusionPath,
  leafHash,
  treeRoot,
  type Block,
} from '../merkle';
import {
  FakeHttp,
  Refusal,
  type Bugs,
  type Call,
  type Reply,
} from './FakeHttp';

type Side = 'debit' | 'credit';
type Account = {
  document: any;
  side: Side;
  floor: bigint | null;
  debits: bigint;
  credits: bigint;
  debitsPending: bigint;
  creditsPending: bigint;
  version: number;
  entries: any[];
};
type Part = {
  accountId: string;
  direction: Side;
  value: bigint;
  currency: string;
  reversesLine: number | null;
};

const LIMIT = 2n ** 63n - 1n;
const OPPOSITE = { debit: 'credit', credit: 'debit' } as const;
const now = () => new Date().toISOString().replace(/Z$/, '000Z');
const exponents = new Map<string, number>(
  Object.entries<string[]>(
    JSON.parse(readFileSync(path.join(CONTRACTS, 'money.json'), 'utf8'))
      .currencies,
  ).flatMap(([exponent, codes]) =>
    codes.map((code): [string, number] => [code, Number(exponent)]),
  ),
);

/** The transaction service in memory: right, unless it is given bugs. */
export class FakeLedger {
  readonly #contract: Contract;
  readonly #bugs: Bugs;
  readonly #accounts = new Map<string, Account>();
  readonly #transactions: any[] = [];
  readonly #byId = new Map<string, any>();
  /** Target → what settled it. */
  readonly #resolved = new Map<
    string,
    { state: string; transaction: string }
  >();
  readonly #reversals = new Map<string, string[]>();
  readonly #seen = new Set<string>();
  readonly #settlement = new Map<string, string>();
  readonly #blocks: {
    block: Block;
    leaves: { id: string; content: string }[];
  }[] = [];
  #sealed = 0;
  readonly #timer: NodeJS.Timeout;
  readonly http: FakeHttp;

  constructor(contract: Contract, bugs: Bugs = new Set()) {
    this.#contract = contract;
    this.#bugs = bugs;
    this.http = new FakeHttp(
      contract,
      {
        openAccount: call => this.#openAccount(call),
        getAccount: ({ params }) => ({
          body: this.#account(params.id).document,
        }),
        setAccountStatus: call => this.#setStatus(call),
        getBalance: call => this.#balance(call),
        listEntries: ({ params, query }) =>
          this.#page(
            [...this.#account(params.id).entries].reverse(),
            query,
            entry => String(entry.accountVersion),
          ),
        postTransaction: ({ body, client }) =>
          this.#created(this.#post(body, client)),
        listTransactions: ({ query }) =>
          this.#page(
            [...this.#transactions]
              .reverse()
              .filter(
                t =>
                  query.externalRef === undefined ||
                  t.externalRef === query.externalRef,
              ),
            query,
            t => t.id,
          ),
        postTransactions: call => this.#batch(call),
        getTransaction: ({ params }) => this.#detail(params.id),
        reverseTransaction: call => this.#created(this.#reverse(call)),
        postPending: call => this.#created(this.#settle(call, 'post')),
        voidPending: call => this.#created(this.#settle(call, 'void')),
        getAuditHead: () => ({
          body: {
            block: this.#blocks.at(-1)?.block ?? null,
            unsealed: this.#transactions.length - this.#sealed,
            lagSeconds: 0,
          },
        }),
        listAuditBlocks: ({ query }) =>
          this.#page(
            this.#blocks.map(({ block }) => block),
            query,
            block => String(block.seq),
          ),
        getAuditProof: ({ params }) => this.#proof(params.id),
        getTrialBalance: () => this.#trialBalance(),
        receiveEvent: call => this.#event(call),
      },
      bugs,
      () => (bugs.has('outbox stuck') ? 100_000 : 0),
    );
    this.#timer = setInterval(() => {
      this.#expire();
      this.#seal();
    }, 100);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.http.close();
  }

  #account(id: string): Account {
    const account = this.#accounts.get(id);
    if (!account) throw new Refusal('not-found');
    return account;
  }

  #created(document: any): Reply {
    return {
      status: 201,
      body: this.#shown(document),
      headers: { location: `/v1/transactions/${document.id}` },
    };
  }

  /** With the bug, money leaves as numbers. */
  #shown(document: any): any {
    if (!this.#bugs.has('money as numbers')) return document;
    return JSON.parse(JSON.stringify(document), (name, value) =>
      name === 'value' ? Number(value) : value,
    );
  }

  #openAccount({ body }: Call): Reply {
    if (!exponents.has(body.currency))
      throw new Refusal('validation-failed', '/currency');
    const debit = body.kind === 'asset' || body.kind === 'expense';
    const document = {
      id: uuidv7(Date.now()),
      name: this.#bugs.has('texts escaped')
        ? body.name.replaceAll('<', '&lt;').replaceAll("'", "''")
        : body.name,
      kind: body.kind,
      currency: body.currency,
      exponent: this.#bugs.has('two digits for all')
        ? 2
        : exponents.get(body.currency),
      normalSide: body.normalSide ?? (debit ? 'debit' : 'credit'),
      status: 'open',
      minAvailable: body.minAvailable ?? null,
      metadata: body.metadata ?? {},
      createdAt: now(),
    };
    this.#accounts.set(document.id, {
      document,
      side: document.normalSide,
      floor:
        document.minAvailable === null ? null : BigInt(document.minAvailable),
      debits: 0n,
      credits: 0n,
      debitsPending: 0n,
      creditsPending: 0n,
      version: 0,
      entries: [],
    });
    return {
      status: 201,
      body: { ...document },
      headers: { location: `/v1/accounts/${document.id}` },
    };
  }

  #setStatus({ params, body }: Call): Reply {
    const account = this.#account(params.id);
    if (account.document.status === 'closed')
      throw new Refusal('account-closed');
    const empty =
      account.debits === account.credits &&
      account.debitsPending + account.creditsPending === 0n;
    if (
      body.status === 'closed' &&
      !empty &&
      !this.#bugs.has('closes full accounts')
    )
      throw new Refusal('account-not-empty');
    account.document = { ...account.document, status: body.status };
    return {
      status: 201,
      body: account.document,
      headers: { location: `/v1/accounts/${params.id}` },
    };
  }

  #posted(account: Account): bigint {
    const sum = account.debits - account.credits;
    return account.side === 'debit' ? sum : -sum;
  }

  #pending(account: Account): bigint {
    return account.side === 'debit'
      ? account.creditsPending
      : account.debitsPending;
  }

  #balance({ params, query, headers }: Call): Reply {
    const account = this.#account(params.id);
    const { id, currency, exponent } = account.document;
    if (query.at !== undefined) {
      const entries = account.entries.filter(
        entry =>
          Date.parse(
            this.#bugs.has('past by writing time')
              ? entry.createdAt
              : entry.effectiveAt,
          ) <= Date.parse(query.at),
      );
      const total = (side: Side) =>
        entries
          .filter(entry => entry.direction === side)
          .reduce((sum, entry) => sum + BigInt(entry.amount.value), 0n);
      const sum = total('debit') - total('credit');
      return {
        body: {
          accountId: id,
          currency,
          exponent,
          posted: String(account.side === 'debit' ? sum : -sum),
          pending: null,
          available: null,
          debitsPosted: String(total('debit')),
          creditsPosted: String(total('credit')),
          version: entries.length,
          at: new Date(query.at).toISOString(),
        },
      };
    }
    const posted = this.#posted(account);
    const pending = this.#pending(account);
    const body = {
      accountId: id,
      currency,
      exponent,
      posted: String(posted),
      pending: String(pending),
      available: String(posted - pending),
      debitsPosted: String(account.debits),
      creditsPosted: String(account.credits),
      version: account.version,
      at: null,
    };
    const etag = this.#bugs.has('weak ETag')
      ? `W/"${account.version}"`
      : this.#bugs.has('ETag without pending')
      ? `"${account.version}"`
      : `"${account.version}-${account.debitsPending}-${account.creditsPending}"`;
    if (headers['if-none-match'] === etag)
      return { status: 304, headers: { etag } };
    return { body, headers: { etag } };
  }

  /** Keyset: the cursor is the key of the last item, and what comes after it in the list follows. */
  #page(items: any[], query: any, keyOf: (item: any) => string): Reply {
    let start = 0;
    if (query.cursor !== undefined) {
      const key = Buffer.from(query.cursor, 'base64url').toString();
      const index = items.findIndex(item => keyOf(item) === key);
      if (index < 0) throw new Refusal('validation-failed', '#/query/cursor');
      start = this.#bugs.has('cursor repeats') ? index : index + 1;
    }
    if (this.#bugs.has('offset paging') && query.cursor !== undefined)
      start = Number(Buffer.from(query.cursor, 'base64url').toString());
    const page = items.slice(start, start + query.limit);
    const more = items.length > start + query.limit;
    const last = this.#bugs.has('offset paging')
      ? String(start + query.limit)
      : page.length
      ? keyOf(page.at(-1))
      : '';
    return {
      body: {
        items: page.map(item => this.#shown(item)),
        nextCursor: more ? Buffer.from(last).toString('base64url') : null,
      },
    };
  }

  /** What can be said about a posting without looking at accounts. */
  #prepared(body: any): { kind: string; parts: Part[] } {
    const parts: Part[] = body.legs.map((leg: any) => ({
      accountId: leg.accountId.toLowerCase(),
      direction: leg.direction,
      value: this.#bugs.has('money rounded')
        ? BigInt(Number(leg.amount.value))
        : BigInt(leg.amount.value),
      currency: leg.amount.currency,
      reversesLine: null,
    }));
    parts.forEach((part, i) => {
      if (!exponents.has(part.currency))
        throw new Refusal('validation-failed', `/legs/${i}/amount/currency`);
    });
    this.#balanced(parts);
    const kind = body.pending
      ? 'pending'
      : new Set(parts.map(part => part.currency)).size > 1
      ? 'fx'
      : 'posting';
    if (body.kind !== undefined && body.kind !== kind)
      throw new Refusal('validation-failed', '/kind');
    if (body.pending) {
      const left = Date.parse(body.pending.expiresAt) - Date.now();
      if (left <= 0 || left > 366 * 86_400_000)
        throw new Refusal('validation-failed', '/pending/expiresAt');
    }
    return { kind, parts };
  }

  #post(body: any, actor: string): any {
    const { kind, parts } = this.#prepared(body);
    this.#usable(parts, kind === 'pending' ? 'hold' : 'move');
    return this.#write(kind, parts, body, actor, {
      expiresAt: body.pending
        ? new Date(body.pending.expiresAt).toISOString().replace(/Z$/, '000Z')
        : null,
    });
  }

  #balanced(parts: Part[]): void {
    if (this.#bugs.has('unbalanced taken')) return;
    const sums = new Map<string, bigint>();
    for (const part of parts) {
      const currency = this.#bugs.has('currencies mixed')
        ? 'all'
        : part.currency;
      sums.set(
        currency,
        (sums.get(currency) ?? 0n) +
          (part.direction === 'debit' ? part.value : -part.value),
      );
    }
    if ([...sums.values()].some(sum => sum !== 0n))
      throw new Refusal('validation-failed', '/legs');
  }

  /** What is wrong with an account comes before what is in it. */
  #usable(parts: Part[], what: 'move' | 'hold', released: Part[] = []): void {
    parts.forEach((part, i) => {
      const account = this.#accounts.get(part.accountId);
      if (!account)
        throw new Refusal('account-unknown', `/legs/${i}/accountId`);
      const { status, currency } = account.document;
      if (status === 'closed') throw new Refusal('account-closed');
      if (status === 'frozen' && !this.#bugs.has('frozen ignored'))
        throw new Refusal('account-frozen');
      if (currency !== part.currency) throw new Refusal('currency-mismatch');
    });
    for (const id of new Set(parts.map(part => part.accountId))) {
      const account = this.#accounts.get(id)!;
      const own = parts.filter(part => part.accountId === id);
      const change = own
        .filter(part => what === 'move' || part.direction !== account.side)
        .reduce(
          (sum, part) =>
            sum + (part.direction === account.side ? part.value : -part.value),
          0n,
        );
      const back = released
        .filter(
          part => part.accountId === id && part.direction !== account.side,
        )
        .reduce((sum, part) => sum + part.value, 0n);
      const available = this.#bugs.has('unlocked funds')
        ? this.#before(account)
        : this.#bugs.has('holds not counted')
        ? this.#posted(account)
        : this.#posted(account) - this.#pending(account) + back;
      if (
        change < 0n &&
        account.floor !== null &&
        available + change < account.floor &&
        !this.#bugs.has('funds not checked')
      )
        throw new Refusal('insufficient-funds');
      const total = (side: Side) =>
        own
          .filter(part => part.direction === side)
          .reduce((sum, part) => sum + part.value, 0n);
      if (
        what === 'move' &&
        (account.debits + total('debit') > LIMIT ||
          account.credits + total('credit') > LIMIT) &&
        !this.#bugs.has('more than 64 bits')
      )
        throw new Refusal('limit-exceeded');
    }
  }

  /** What was available a while ago: as a service sees it that reads before it locks. */
  #before(account: Account): bigint {
    const written = account.entries.filter(
      entry => Date.parse(entry.createdAt) < Date.now() - 30,
    );
    const last = written.at(-1);
    return last ? BigInt(last.balanceAfter) : 0n;
  }

  #write(
    kind: string,
    parts: Part[],
    body: any,
    actor: string,
    more: Record<string, unknown> = {},
  ): any {
    const moves =
      !['pending', 'void'].includes(kind) ||
      (kind === 'pending' && this.#bugs.has('pending moves'));
    const createdAt = now();
    const id = uuidv7(Date.now());
    const effectiveAt = body.effectiveAt
      ? new Date(body.effectiveAt).toISOString().replace(/Z$/, '000Z')
      : createdAt;
    const legs = parts.map((part, i) => {
      const account = this.#accounts.get(part.accountId)!;
      const amount = { value: String(part.value), currency: part.currency };
      let balanceAfter: string | null = null;
      let accountVersion: number | null = null;
      if (moves) {
        if (part.direction === 'debit') account.debits += part.value;
        else account.credits += part.value;
        account.version +=
          this.#bugs.has('versions with gaps') && account.version === 3 ? 2 : 1;
        balanceAfter = String(this.#posted(account));
        accountVersion = account.version;
        account.entries.push({
          transactionId: id,
          line: i + 1,
          direction: part.direction,
          amount,
          balanceAfter,
          accountVersion,
          effectiveAt,
          createdAt,
        });
      } else if (kind === 'pending') {
        if (part.direction === 'debit') account.debitsPending += part.value;
        else account.creditsPending += part.value;
      }
      return {
        line: i + 1,
        accountId: part.accountId,
        direction: part.direction,
        amount,
        balanceAfter,
        accountVersion,
        reversesLine: part.reversesLine,
      };
    });
    const document = {
      id,
      kind,
      externalRef: body.externalRef ?? null,
      effectiveAt,
      createdAt,
      actor,
      reverses: null,
      resolves: null,
      expiresAt: null,
      metadata: body.metadata ?? {},
      legs,
      ...more,
    };
    this.#transactions.push(document);
    this.#byId.set(id, document);
    return document;
  }

  #transaction(id: string): any {
    const found = this.#byId.get(id);
    if (!found) throw new Refusal('not-found');
    return found;
  }

  #remaining(document: any): { line: number; value: bigint }[] {
    if (!['posting', 'fx', 'post'].includes(document.kind)) return [];
    const taken = (this.#reversals.get(document.id) ?? []).flatMap(
      id => this.#byId.get(id).legs,
    );
    return document.legs.map((leg: any) => ({
      line: leg.line,
      value:
        BigInt(leg.amount.value) -
        taken
          .filter(other => other.reversesLine === leg.line)
          .reduce((sum, other) => sum + BigInt(other.amount.value), 0n),
    }));
  }

  #detail(id: string): Reply {
    const document = this.#transaction(id);
    const remaining = this.#remaining(document);
    const transactions = this.#reversals.get(id) ?? [];
    const left = remaining.some(line => line.value > 0n);
    return {
      body: this.#shown({
        ...document,
        reversal: {
          state: transactions.length === 0 ? 'none' : left ? 'partial' : 'full',
          transactions,
          remaining: remaining.map(({ line, value }) => ({
            line,
            amount: String(value),
          })),
        },
        resolution:
          document.kind === 'pending'
            ? this.#resolved.get(id) ?? { state: 'pending', transaction: null }
            : null,
      }),
    };
  }

  /** The part of a transaction that a reversal or a post asks for. */
  #part(
    document: any,
    body: any,
  ): { line: number; value: bigint }[] | undefined {
    if (body.amount === undefined && body.legs === undefined) return undefined;
    if (body.amount !== undefined && body.legs !== undefined)
      throw new Refusal('validation-failed', '/amount');
    if (body.amount !== undefined && document.legs.length !== 2)
      throw new Refusal('validation-failed', '/amount');
    const asked: any[] =
      body.legs ??
      document.legs.map((leg: any) => ({
        line: leg.line,
        amount: body.amount,
      }));
    const parts = asked.map((part, i) => {
      const leg = document.legs.find((one: any) => one.line === part.line);
      if (!leg) throw new Refusal('validation-failed', `/legs/${i}/line`);
      if (asked.findIndex(other => other.line === part.line) !== i)
        throw new Refusal('validation-failed', `/legs/${i}/line`);
      if (leg.amount.currency !== part.amount.currency)
        throw new Refusal('currency-mismatch');
      return {
        line: part.line,
        value: BigInt(part.amount.value),
        direction: leg.direction as Side,
        currency: leg.amount.currency as string,
        accountId: leg.accountId as string,
        reversesLine: null,
      };
    });
    this.#balanced(parts);
    return parts;
  }

  #reverse({ params, body, client }: Call): any {
    const document = this.#transaction(params.id);
    if (!['posting', 'fx', 'post'].includes(document.kind))
      throw new Refusal('not-reversible');
    const asked = this.#part(document, body);
    const remaining = this.#remaining(document);
    const wanted = asked ?? remaining.filter(line => line.value > 0n);
    if (
      !this.#bugs.has('reversed too often') &&
      (wanted.length === 0 ||
        wanted.some(
          part =>
            part.value > remaining.find(line => line.line === part.line)!.value,
        ))
    )
      throw new Refusal('already-reversed');
    const parts: Part[] = wanted.map(({ line, value }) => {
      const leg = document.legs[line - 1];
      return {
        accountId: leg.accountId,
        direction: OPPOSITE[leg.direction as Side],
        value,
        currency: leg.amount.currency,
        reversesLine: line,
      };
    });
    this.#usable(parts, 'move');
    const reversal = this.#write('reversal', parts, body, client, {
      reverses: params.id,
    });
    this.#reversals.set(params.id, [
      ...(this.#reversals.get(params.id) ?? []),
      reversal.id,
    ]);
    return reversal;
  }

  #settle({ params, body, client }: Call, what: 'post' | 'void'): any {
    const document = this.#transaction(params.id);
    if (document.kind !== 'pending') throw new Refusal('not-pending');
    if (
      Date.parse(document.expiresAt) <= Date.now() &&
      !this.#bugs.has('never expires')
    )
      throw new Refusal('pending-expired');
    if (this.#resolved.has(params.id) && !this.#bugs.has('settled twice'))
      throw new Refusal('already-resolved');
    const held: Part[] = document.legs.map((leg: any) => ({
      accountId: leg.accountId,
      direction: leg.direction,
      value: BigInt(leg.amount.value),
      currency: leg.amount.currency,
      reversesLine: null,
    }));
    if (what === 'void') {
      this.#release(held);
      const voided = this.#write('void', held, body, client, {
        resolves: params.id,
      });
      this.#resolved.set(params.id, {
        state: 'voided',
        transaction: voided.id,
      });
      return voided;
    }
    const asked = this.#part(document, body);
    const parts = held
      .map((part, i) => ({
        ...part,
        value: asked
          ? asked.find(one => one.line === i + 1)?.value ?? 0n
          : part.value,
      }))
      .filter(part => part.value > 0n);
    if (
      !this.#bugs.has('posts more than held') &&
      asked?.some(part => part.value > held[part.line - 1].value)
    )
      throw new Refusal('pending-exceeded');
    this.#usable(parts, 'move', held);
    this.#release(this.#bugs.has('rest stays held') ? parts : held);
    const posted = this.#write('post', parts, body, client, {
      resolves: params.id,
    });
    this.#resolved.set(params.id, { state: 'posted', transaction: posted.id });
    return posted;
  }

  #release(held: Part[]): void {
    for (const part of held) {
      const account = this.#accounts.get(part.accountId)!;
      if (part.direction === 'debit') account.debitsPending -= part.value;
      else account.creditsPending -= part.value;
    }
  }

  #expire(): void {
    if (this.#bugs.has('never expires')) return;
    for (const document of this.#transactions) {
      if (document.kind !== 'pending' || this.#resolved.has(document.id))
        continue;
      if (Date.parse(document.expiresAt) > Date.now()) continue;
      const held = document.legs.map((leg: any) => ({
        accountId: leg.accountId,
        direction: leg.direction,
        value: BigInt(leg.amount.value),
        currency: leg.amount.currency,
        reversesLine: null,
      }));
      this.#release(held);
      const voided = this.#write('void', held, {}, 'expiry', {
        resolves: document.id,
      });
      this.#resolved.set(document.id, {
        state: 'expired',
        transaction: voided.id,
      });
    }
  }

  #batch({ body, client }: Call): Reply {
    body.items.forEach((item: any, index: number) => {
      try {
        this.#prepared(item);
      } catch (error: any) {
        throw new Refusal(error.code, `/items/${index}${error.pointer ?? ''}`);
      }
    });
    const items = body.items.map((item: any, index: number) => {
      try {
        return {
          index,
          status: 201,
          transaction: this.#post(item, client),
          problem: null,
        };
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (this.#bugs.has('batch aborts')) throw error;
        const entry = this.#contract.problems.get(error.code)!;
        return {
          index,
          status: entry.status,
          transaction: null,
          problem: {
            type: `/problems/${error.code}`,
            title: entry.title,
            status: entry.status,
            detail: entry.meaning,
            code: error.code,
          },
        };
      }
    });
    return { status: 200, body: { items } };
  }

  #event({ body }: Call): Reply {
    const name = `${body.source}|${body.id}`;
    if (this.#seen.has(name) && !this.#bugs.has('events taken twice'))
      return { status: 200, body: { id: body.id, outcome: 'duplicate' } };
    const ignored = { status: 202, body: { id: body.id, outcome: 'ignored' } };
    if (body.type === 'authorization.captured.v1') {
      const { ledgerAccountId, amount, authorizationId } = body.data;
      if (ledgerAccountId === null) return ignored;
      if (
        !/^[1-9][0-9]{0,17}$/.test(
          typeof amount?.value === 'string' ? amount.value : '',
        ) ||
        !exponents.has(amount.currency) ||
        !/^[0-9a-f-]{36}$/.test(ledgerAccountId) ||
        typeof authorizationId !== 'string'
      )
        throw new Refusal('validation-failed', '/data');
      const { currency } = amount;
      if (!this.#settlement.has(currency)) {
        const opened = this.#openAccount({
          body: { name: `settlement ${currency}`, kind: 'liability', currency },
        } as Call);
        this.#settlement.set(currency, (opened.body as any).id);
      }
      this.#post(
        {
          legs: [
            { accountId: ledgerAccountId, direction: 'debit', amount },
            {
              accountId: this.#settlement.get(currency),
              direction: 'credit',
              amount,
            },
          ],
          externalRef: authorizationId,
          metadata: {
            networkRef: String(body.data.networkRef),
            seq: String(body.data.seq),
            ...(body.data.eventId ? { eventId: body.data.eventId } : {}),
          },
        },
        'events',
      );
      this.#seen.add(name);
      return { status: 202, body: { id: body.id, outcome: 'processed' } };
    }
    this.#seen.add(name);
    return ignored;
  }

  #seal(): void {
    const fresh = this.#transactions.slice(this.#sealed);
    if (fresh.length === 0) return;
    const leaves = fresh.map(document => ({
      id: document.id,
      content: this.#bugs.has('sealed without order')
        ? JSON.stringify(document)
        : canonicalJson(document),
    }));
    const before = this.#blocks.at(-1)?.block;
    const block: Block = {
      shard: 0,
      seq: (before?.seq ?? 0) + 1,
      version: 1,
      count: leaves.length,
      firstTransactionSeq: String(this.#sealed + 1),
      lastTransactionSeq: String(this.#transactions.length),
      merkleRoot: treeRoot(leaves.map(leaf => leafHash(leaf.content))).toString(
        'hex',
      ),
      prevHash:
        before && !this.#bugs.has('chain not linked')
          ? before.hash
          : '0'.repeat(64),
      sealedAt: now(),
      hash: '',
    };
    block.hash = blockHash(block);
    this.#blocks.push({ block, leaves });
    this.#sealed = this.#transactions.length;
    if (this.#bugs.has('changed after sealing'))
      for (const document of fresh) document.metadata = { changed: 'yes' };
  }

  #proof(id: string): Reply {
    const document = this.#transaction(id);
    const found = this.#blocks.find(({ leaves }) =>
      leaves.some(leaf => leaf.id === id),
    );
    if (!found) throw new Refusal('audit-not-sealed');
    const leafIndex = found.leaves.findIndex(leaf => leaf.id === id);
    const hashes = found.leaves.map(leaf => leafHash(leaf.content));
    return {
      body: {
        transactionId: id,
        document,
        leafHash: hashes[leafIndex].toString('hex'),
        leafIndex,
        path: inclusionPath(leafIndex, hashes).map(hash =>
          hash.toString('hex'),
        ),
        block: found.block,
      },
    };
  }

  #trialBalance(): Reply {
    const rows = new Map<
      string,
      { accounts: number; debits: bigint; credits: bigint }
    >();
    for (const { document, debits, credits } of this.#accounts.values()) {
      const row = rows.get(document.currency) ?? {
        accounts: 0,
        debits: 0n,
        credits: 0n,
      };
      rows.set(document.currency, {
        accounts: row.accounts + 1,
        debits: row.debits + debits,
        credits: row.credits + credits,
      });
    }
    const currencies = [...rows].map(([currency, row]) => ({
      currency,
      accounts: row.accounts,
      debits: String(row.debits),
      credits: String(row.credits),
      difference: String(row.debits - row.credits),
    }));
    return {
      body: {
        asOf: now(),
        balanced: currencies.every(row => row.difference === '0'),
        currencies,
      },
    };
  }
}

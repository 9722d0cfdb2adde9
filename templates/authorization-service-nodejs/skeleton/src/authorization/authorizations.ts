import type { Database, Statement } from '../platform/db/database.ts';
import type { Caller, Decided } from '../platform/http/idempotency.ts';
import { decodeCursor, page, type Page } from '../platform/http/paging.ts';
import { fingerprint, uuidv7 } from '../platform/ids.ts';
import { ProblemError } from '../platform/problems.ts';
import { Batcher } from './batcher.ts';
import { knownCurrency, notFound, toDecided, type Row } from './decisions.ts';
import type { RiskPartner } from './risk.ts';
import type { RuleSets } from './rule-sets.ts';
import { plan, planIncrement, wantsRisk, type CardFacts, type Plan, type Risk } from './rules.ts';
import type {
  Authorization,
  AuthorizationEvent,
  NetworkReversal,
  NewAuthorization,
  NewCapture,
  NewExpiry,
  NewIncrement,
  NewNetworkReversal,
  NewReversal,
} from './schemas.ts';
import * as sql from './statements.ts';

type Options = {
  database: Database;
  ruleSets: RuleSets;
  risk: RiskPartner;
  batch: { size: number; concurrency: number; maxWaiting: number };
};

/** One message on its way into a batch. `deadline`: on the clock of performance.now(). */
type Item = { fields: Record<string, unknown>; deadline: number | undefined };

type Filter = {
  limit: number;
  cursor?: string;
  networkRef?: string;
  cardId?: string;
  spendAccountId?: string;
};

type Message = {
  name: 'increment' | 'capture' | 'reverse' | 'expire';
  amount?: { value: string; currency: string } | undefined;
  final?: boolean | undefined;
  reference?: string | undefined;
};

const HIGHEST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
const UUID = /^[0-9a-f-]{36}$/;
/** A card that is changed faster than it can be read is left alone. */
const PLANS = 5;
const CACHED_CARDS = 20_000;

/** The operations on authorizations. Each is one statement; what it writes and locks is in `migrations/`. */
export class Authorizations {
  readonly #database: Database;
  readonly #ruleSets: RuleSets;
  readonly #risk: RiskPartner;
  readonly #batcher: Batcher<Item, Row>;
  /** By token. May be out of date: the database compares the versions under its lock and says so. */
  readonly #cards = new Map<string, CardFacts>();

  constructor({ database, ruleSets, risk, batch }: Options) {
    this.#database = database;
    this.#ruleSets = ruleSets;
    this.#risk = risk;
    this.#batcher = new Batcher({ ...batch, work: items => this.#decideAll(items) });
  }

  /** Messages that wait for a connection. */
  get waiting(): number {
    return this.#batcher.waiting;
  }

  /** `deadline`: when the caller stops waiting, on the clock of performance.now(). */
  async authorize(caller: Caller, request: NewAuthorization, deadline?: number): Promise<Decided<Authorization>> {
    knownCurrency(request.amount.currency, '/amount/currency');
    const { amount, merchant } = request;
    const kind = request.kind ?? 'request';
    const facts = {
      kind,
      amount: BigInt(amount.value),
      currency: amount.currency,
      mcc: merchant.mcc,
      country: merchant.country,
    };
    const fixed = {
      client_id: caller.clientId,
      key: caller.idempotencyKey,
      fingerprint: hex(fingerprint('authorizations', request)),
      id: uuidv7(),
      network_ref: request.networkRef,
      kind,
      card_token: request.cardToken,
      amount: amount.value,
      currency: amount.currency,
      merchant,
      channel: request.channel ?? null,
      metadata: request.metadata ?? {},
    };
    let card = await this.#card(request.cardToken);
    let risk: Risk | undefined;
    for (let plans = 0; plans < PLANS;) {
      const body = await this.#ruleSets.body(card?.ruleSetId, card?.activeVersion);
      let planned = plan(facts, card, body, risk);
      if (card !== undefined && risk === undefined && this.#risk.configured && wantsRisk(body, planned)) {
        const question = {
          requestId: fixed.id,
          cardId: card.id,
          amount,
          mcc: merchant.mcc,
          country: merchant.country,
          channel: request.channel ?? null,
        };
        risk = await this.#risk.score(question, deadline === undefined ? undefined : deadline - performance.now());
        planned = plan(facts, card, body, risk);
      }
      const candidate = await this.#ruleSets.body(card?.ruleSetId, card?.candidateVersion);
      const shadow = candidate && kind === 'request' ? plan(facts, card, candidate, risk) : undefined;
      const row = await this.#batcher.add({
        fields: { ...fixed, ...planFields(card, planned, shadow, risk) },
        deadline,
      });
      // Its twin went first in the same call.
      if (row.outcome === 'again') continue;
      if (row.outcome !== 'stale') return toDecided<Authorization>(row, '/networkRef');
      plans += 1;
      card = this.#remember(row.body as CardFacts | null, request.cardToken);
    }
    throw changing();
  }

  async increment(caller: Caller, id: string, increment: NewIncrement, deadline?: number) {
    const { cardId } = await this.get(id);
    let card = await this.#cardById(cardId);
    const message: Message = { name: 'increment', ...increment };
    for (let attempt = 0; attempt < PLANS; attempt++) {
      const body = await this.#ruleSets.body(card?.ruleSetId, card?.activeVersion);
      const steps = card === undefined ? [] : planIncrement(card, body);
      const left = deadline === undefined ? null : Math.max(0, Math.floor(deadline - performance.now()));
      const row = await this.#apply(caller, id, 'increments', increment, message, [
        JSON.stringify(steps),
        card?.version ?? null,
        card?.activeVersion ?? null,
        left,
      ]);
      if (row.outcome !== 'stale') return toDecided<AuthorizationEvent>(row, '/amount');
      card = this.#remember(row.body as CardFacts);
    }
    throw changing();
  }

  capture(caller: Caller, id: string, capture: NewCapture): Promise<Decided<AuthorizationEvent>> {
    return this.#message(caller, id, 'captures', capture, { name: 'capture', ...capture });
  }

  reverse(caller: Caller, id: string, reversal: NewReversal): Promise<Decided<AuthorizationEvent>> {
    return this.#message(caller, id, 'reversals', reversal, { name: 'reverse', ...reversal });
  }

  expire(caller: Caller, id: string, expiry: NewExpiry): Promise<Decided<AuthorizationEvent>> {
    return this.#message(caller, id, 'expire', expiry, { name: 'expire', ...expiry });
  }

  async reverseByNetworkRef(caller: Caller, reversal: NewNetworkReversal): Promise<Decided<NetworkReversal>> {
    const { networkRef, amount, reference } = reversal;
    if (amount) knownCurrency(amount.currency, '/amount/currency');
    const [row] = await this.#database.run<Row>(sql.REVERSE_REF, [
      caller.clientId,
      caller.idempotencyKey,
      fingerprint('reversals', reversal),
      uuidv7(),
      networkRef,
      amount?.value ?? null,
      amount?.currency ?? null,
      reference ?? null,
    ]);
    return toDecided<NetworkReversal>(row, amount ? '/amount' : '/networkRef');
  }

  async get(id: string): Promise<Authorization> {
    const [row] = await this.#database.run<{ body: Authorization }>(sql.AUTHORIZATION, [id]);
    if (row === undefined) throw notFound('authorization', id);
    return row.body;
  }

  async events(id: string): Promise<AuthorizationEvent[]> {
    const rows = await this.#database.run<{ body: AuthorizationEvent }>(sql.EVENTS, [id]);
    if (rows.length === 0) throw notFound('authorization', id);
    return rows.map(row => row.body);
  }

  /** Newest first; by at most one of the filters. */
  async list({ limit, cursor, ...filter }: Filter): Promise<Page<Authorization>> {
    const before = cursor === undefined ? HIGHEST_ID : decodeCursor(cursor, UUID);
    const given = Object.entries(filter) as [keyof typeof sql.AUTHORIZATIONS_BY, string][];
    const [first, second] = given;
    if (second !== undefined) {
      throw new ProblemError('validation-failed', `Give ${first![0]} or ${second[0]}, not both.`, {
        errors: [
          { pointer: `#/query/${second[0]}`, code: 'exclusive', message: `cannot be combined with ${first![0]}` },
        ],
      });
    }
    const [statement, values]: [Statement, unknown[]] =
      first === undefined
        ? [sql.AUTHORIZATIONS, [before, limit + 1]]
        : [sql.AUTHORIZATIONS_BY[first[0]], [before, limit + 1, first[1]]];
    const rows = await this.#database.run<{ body: Authorization }>(statement, values);
    return page(rows, limit, authorization => authorization.id);
  }

  async #message(caller: Caller, id: string, operation: string, body: object, message: Message) {
    const row = await this.#apply(caller, id, operation, body, message, [null, null, null, null]);
    return toDecided<AuthorizationEvent>(row, message.amount ? '/amount' : undefined);
  }

  async #apply(caller: Caller, id: string, operation: string, body: object, message: Message, rules: unknown[]) {
    const { name, amount, final, reference } = message;
    if (amount) knownCurrency(amount.currency, '/amount/currency');
    const [row] = await this.#database.run<Row>(sql.APPLY, [
      caller.clientId,
      caller.idempotencyKey,
      fingerprint(`authorizations/${id}/${operation}`, body),
      uuidv7(),
      name,
      id,
      amount?.value ?? null,
      amount?.currency ?? null,
      final ?? false,
      reference ?? null,
      ...rules,
    ]);
    if (row === undefined) throw new Error('the database answered nothing');
    return row;
  }

  /** One call for all of them. What is left of a deadline is taken as late as possible: the time in the queue counts. */
  async #decideAll(items: Item[]): Promise<Row[]> {
    const now = performance.now();
    const messages = items.map(({ fields, deadline }, n) => ({
      n,
      ...fields,
      deadline_ms: deadline === undefined ? null : Math.max(0, Math.floor(deadline - now)),
    }));
    const rows = await this.#database.run<Row & { n: number }>(sql.DECIDE, [JSON.stringify(messages)]);
    return rows.sort((a, b) => a.n - b.n);
  }

  async #card(token: string): Promise<CardFacts | undefined> {
    const known = this.#cards.get(token);
    if (known !== undefined) return known;
    const [row] = await this.#database.run<{ facts: CardFacts | null }>(sql.CARD_FACTS, [token, null]);
    return this.#remember(row?.facts ?? null);
  }

  async #cardById(id: string | null): Promise<CardFacts | undefined> {
    if (id === null) return undefined;
    const [row] = await this.#database.run<{ facts: CardFacts | null }>(sql.CARD_FACTS, [null, id]);
    return this.#remember(row?.facts ?? null);
  }

  #remember(facts: CardFacts | null, token?: string): CardFacts | undefined {
    if (facts === null) {
      if (token !== undefined) this.#cards.delete(token);
      return undefined;
    }
    // The oldest goes; which one it is matters little, it is read again when it is needed.
    if (this.#cards.size >= CACHED_CARDS) this.#cards.delete(this.#cards.keys().next().value!);
    this.#cards.set(facts.token, facts);
    return facts;
  }
}

function planFields(card: CardFacts | undefined, planned: Plan, shadow: Plan | undefined, risk: Risk | undefined) {
  return {
    card_id: card?.id ?? null,
    card_version: card?.version ?? null,
    rule_version: card?.activeVersion ?? null,
    candidate_version: card?.candidateVersion ?? null,
    steps: planned.steps,
    candidate_steps: shadow?.steps ?? null,
    counters: [...planned.steps, ...(shadow?.steps ?? [])].some(step => step.k === 'sum' || step.k === 'count'),
    risk_score: risk?.score ?? null,
    risk_source: risk?.source ?? null,
    hold_days: planned.holdDays,
    over_percent: planned.overPercent,
    over_up_to: String(planned.overUpTo),
  };
}

function hex(bytes: Buffer): string {
  return `\\x${bytes.toString('hex')}`;
}

function changing(): ProblemError {
  return new ProblemError('overloaded', 'The card or its rule set is being changed. Try again with the same key.', {
    retryAfterSeconds: 1,
  });
}

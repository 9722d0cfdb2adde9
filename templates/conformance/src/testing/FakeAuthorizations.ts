import { uuidv7 } from '../client';
import type { Contract } from '../contract';
import {
  FakeHttp,
  Refusal,
  type Bugs,
  type Call,
  type Reply,
} from './FakeHttp';

type Account = {
  document: any;
  balance: bigint;
  ledgerVersion: number;
  limit: bigint;
  unposted: bigint;
  version: number;
};
type Auth = {
  document: any;
  body: string;
  account: Account | undefined;
  percent: bigint;
  upTo: bigint;
  authorized: bigint;
  captured: bigint;
  reversed: bigint;
  released: bigint;
  expired: boolean;
  events: any[];
};
type Verdict = { reason: string; rule: string | null; trace: any[] };
type Rules = { version: number; mode: string; body: any; document: any };

const now = () => new Date().toISOString();
const max = (a: bigint, b: bigint) => (a > b ? a : b);
const DAY = 86_400_000;
const TIPS = ['5812', '5813', '5814', '7230', '4121'];
const CURRENCIES: Record<string, number> = { USD: 2, EUR: 2, JPY: 0, KWD: 3 };

function inList(mcc: string, list: string[] = []): boolean {
  return list.some(item => {
    const [from, to = from] = item.split('-');
    return mcc >= from && mcc <= to;
  });
}

/** The authorization service in memory: right, unless it is given bugs. */
export class FakeAuthorizations {
  readonly #bugs: Bugs;
  readonly #accounts = new Map<string, Account>();
  readonly #cards = new Map<string, any>();
  readonly #byToken = new Map<string, any>();
  readonly #auths: Auth[] = [];
  readonly #byRef = new Map<string, Auth>();
  readonly #tombstones = new Map<string, any>();
  readonly #rules = new Map<string, Rules[]>();
  readonly #shadows = new Map<string, any[]>();
  readonly #seen = new Set<string>();
  readonly http: FakeHttp;

  constructor(contract: Contract, bugs: Bugs = new Set()) {
    this.#bugs = bugs;
    this.#putRules('default', 'active', {}, undefined);
    this.http = new FakeHttp(
      contract,
      {
        authorize: call => this.#authorize(call),
        listAuthorizations: ({ query }) => this.#list(query),
        getAuthorization: ({ params }) => ({
          body: this.#shown(this.#auth(params.id)),
        }),
        listAuthorizationEvents: ({ params }) => ({
          body: { items: this.#auth(params.id).events },
        }),
        incrementAuthorization: call => this.#increment(call),
        captureAuthorization: call => this.#capture(call),
        reverseAuthorization: ({ params, body }) => ({
          status: 201,
          body: this.#reverse(this.#auth(params.id), body),
        }),
        expireAuthorization: call => this.#expire(call),
        reverseByNetworkRef: call => this.#reverseByRef(call),
        openSpendAccount: call => this.#openAccount(call),
        getSpendAccount: ({ params }) =>
          this.#tagged(this.#accountShown(this.#account(params.id))),
        setCreditLimit: call => this.#setLimit(call),
        addCard: call => this.#addCard(call),
        getCard: ({ params }) => this.#tagged(this.#card(params.id)),
        setCardStatus: call => this.#setStatus(call),
        setCardLimits: call => this.#setCardLimits(call),
        putRuleSet: call => this.#putRuleSet(call),
        getRuleSet: ({ params }) =>
          this.#tagged(this.#ruleSet(params.id).at(-1)!.document),
        getRuleSetVersion: ({ params }) => {
          const found = this.#ruleSet(params.id).find(
            ({ version }) => version === Number(params.version),
          );
          if (!found) throw new Refusal('not-found');
          return { body: found.document };
        },
        getShadowReport: ({ params }) => this.#report(params.id),
        receiveEvent: call => this.#event(call),
      },
      bugs,
      () => (bugs.has('outbox stuck') ? 100_000 : 0),
    );
  }

  async close(): Promise<void> {
    await this.http.close();
  }

  #tagged(body: any): Reply {
    return { body, headers: { etag: `"${body.version}"` } };
  }

  /** Who changes something says which version it knows. */
  #matches(headers: Call['headers'], version: number | undefined): void {
    const match = headers['if-match'];
    const none = headers['if-none-match'];
    if (this.#bugs.has('lost updates')) return;
    if (match === undefined && none === undefined)
      throw new Refusal('precondition-required');
    if (none !== undefined) {
      if (version !== undefined) throw new Refusal('precondition-failed');
      return;
    }
    if (version === undefined || (match !== '*' && match !== `"${version}"`))
      throw new Refusal('precondition-failed');
  }

  #account(id: string): Account {
    const account = this.#accounts.get(id);
    if (!account) throw new Refusal('not-found');
    return account;
  }

  #card(id: string): any {
    const card = this.#cards.get(id);
    if (!card) throw new Refusal('not-found');
    return card;
  }

  #auth(id: string): Auth {
    const auth = this.#auths.find(({ document }) => document.id === id);
    if (!auth) throw new Refusal('not-found');
    return auth;
  }

  #held(auth: Auth): bigint {
    return max(
      0n,
      auth.authorized - auth.reversed - auth.captured - auth.released,
    );
  }

  #heldOf(account: Account): bigint {
    return this.#auths
      .filter(auth => auth.account === account)
      .reduce((sum, auth) => sum + this.#held(auth), 0n);
  }

  #openToBuy(account: Account): bigint {
    return (
      account.balance + account.limit - this.#heldOf(account) - account.unposted
    );
  }

  #status(auth: Auth): string {
    if (auth.authorized === 0n) return 'DECLINED';
    if (this.#held(auth) > 0n) {
      if (auth.captured > 0n) return 'PARTIALLY_CAPTURED';
      return auth.reversed > 0n ? 'PARTIALLY_REVERSED' : 'AUTHORIZED';
    }
    if (auth.captured > 0n) return 'CAPTURED';
    return auth.expired ? 'EXPIRED' : 'REVERSED';
  }

  #state(auth: Auth) {
    return {
      status: this.#status(auth),
      authorized: String(auth.authorized),
      captured: String(auth.captured),
      reversed: String(auth.reversed),
      released: String(auth.released),
      held: String(this.#held(auth)),
      version: auth.events.length,
    };
  }

  #shown(auth: Auth) {
    return { ...auth.document, ...this.#state(auth) };
  }

  #accountShown(account: Account) {
    const open = this.#openToBuy(account);
    return {
      ...account.document,
      balance: String(account.balance),
      held: String(this.#heldOf(account)),
      unposted: String(account.unposted),
      creditLimit: String(account.limit),
      openToBuy: String(open),
      overdrawn: open < 0n,
      version: account.version,
    };
  }

  /** Checks in their order; the first that fails decides. */
  #verdict(
    body: any,
    headers: Call['headers'],
    rules: any,
    increment?: Auth,
  ): Verdict {
    const trace: any[] = [];
    const card = this.#byToken.get(body.cardToken);
    const account = card && this.#accounts.get(card.spendAccountId);
    const amount = BigInt(body.amount.value);
    const { mcc, country } = body.merchant;
    const limits = [rules.limits ?? {}, card?.limits ?? {}];
    const approvedOf = (since: number) =>
      this.#auths
        .filter(
          auth =>
            auth.document.cardId === card.id &&
            auth.authorized > 0n &&
            Date.parse(auth.document.createdAt) >= since,
        )
        .reduce((sum, auth) => sum + auth.authorized, 0n);
    const day = new Date().setUTCHours(0, 0, 0, 0);
    const exceeds = (window: string, since: number) =>
      limits.some(
        limit =>
          limit[window] && approvedOf(since) + amount > BigInt(limit[window]),
      );
    const checks: [string, string, () => boolean][] = [
      ['reversed-before', '96', () => this.#tombstones.has(body.networkRef)],
      ['deadline', '91', () => headers['x-deadline-ms'] === '0'],
      ['card-known', '14', () => !card || card.status === 'closed'],
      [
        'card-status',
        '62',
        () => card.status === 'frozen' && !this.#bugs.has('frozen cards pay'),
      ],
      ['card-expiry', '54', () => card.expiresOn < now().slice(0, 10)],
      ['currency', '57', () => card.currency !== body.amount.currency],
      [
        'category',
        '57',
        () =>
          inList(mcc, rules.mcc?.deny) ||
          (rules.mcc?.allow && !inList(mcc, rules.mcc.allow)),
      ],
      [
        'country',
        '62',
        () =>
          rules.country?.deny?.includes(country) ||
          (rules.country?.allow && !rules.country.allow.includes(country)),
      ],
      [
        'limit-per-transaction',
        '61',
        () =>
          limits.some(
            limit =>
              limit.perTransaction && amount > BigInt(limit.perTransaction),
          ),
      ],
      [
        'count-per-hour',
        '65',
        () =>
          limits.some(
            limit =>
              typeof limit.countPerHour === 'number' &&
              this.#auths.filter(
                auth =>
                  auth.document.cardId === card.id && auth.authorized > 0n,
              ).length >= limit.countPerHour,
          ),
      ],
      [
        'limit-per-day',
        '61',
        () => exceeds('perDay', day) && !this.#bugs.has('no daily limit'),
      ],
      ['limit-per-week', '61', () => exceeds('perWeek', day - 6 * DAY)],
      ['limit-per-month', '61', () => exceeds('perMonth', day - 30 * DAY)],
      [
        'funds',
        '51',
        () =>
          amount >
            (this.#bugs.has('holds not counted')
              ? account.balance + account.limit - account.unposted
              : this.#openToBuy(account)) &&
          !this.#bugs.has('funds not checked'),
      ],
    ];
    const skipped = increment
      ? [
          'card-status',
          'category',
          'country',
          'count-per-hour',
          'reversed-before',
        ]
      : [];
    for (const [rule, reason, fails] of checks) {
      if (skipped.includes(rule)) continue;
      if (fails()) {
        trace.push({ rule, outcome: 'fail', reasonCode: reason });
        return { reason, rule, trace };
      }
      trace.push({ rule, outcome: 'pass' });
    }
    return { reason: '00', rule: null, trace };
  }

  #ruleSet(id: string): Rules[] {
    const versions = this.#rules.get(id);
    if (!versions) throw new Refusal('not-found');
    return versions;
  }

  #authorize({ body, headers }: Call): Reply {
    if (!(body.amount.currency in CURRENCIES))
      throw new Refusal('validation-failed', '/amount/currency');
    const print = JSON.stringify(body);
    const known = this.#byRef.get(body.networkRef);
    if (known && !this.#bugs.has('each message anew')) {
      if (known.body !== print) throw new Refusal('network-ref-mismatch');
      return {
        status: 200,
        body: this.#shown(known),
        headers: { 'idempotent-replayed': 'true' },
      };
    }
    const card = this.#byToken.get(body.cardToken);
    const versions = this.#rules.get(card?.ruleSetId ?? 'default')!;
    const active = versions.filter(({ mode }) => mode === 'active').at(-1)!;
    const candidate =
      versions.at(-1)!.mode === 'shadow' ? versions.at(-1)! : undefined;
    const deciding =
      candidate && this.#bugs.has('the candidate decides') ? candidate : active;
    let verdict = this.#verdict(body, headers, deciding.body);
    const real = verdict.reason;
    const advice = body.kind === 'advice';
    if (advice && !['14', '96', '57'].includes(real))
      verdict = {
        ...verdict,
        reason: '00',
        rule: null,
        trace: verdict.trace.map(step => ({ ...step, outcome: 'pass' })),
      };
    const ok = verdict.reason === '00';
    const { mcc } = body.merchant;
    const account = card && this.#accounts.get(card.spendAccountId);
    const over = (active.body.overCapture as any[] | undefined)?.find(entry =>
      inList(mcc, entry.mccs),
    );
    const hold = (active.body.holds as any[] | undefined)?.find(entry =>
      inList(mcc, entry.mccs),
    );
    const days =
      hold?.days ?? (mcc === '7011' ? 31 : active.body.defaultHoldDays ?? 7);
    const createdAt = now();
    const auth: Auth = {
      body: print,
      account: ok ? account : undefined,
      percent: BigInt(over ? over.percent ?? 0 : TIPS.includes(mcc) ? 20 : 0),
      upTo: BigInt(over?.upTo ?? 0),
      authorized: ok ? BigInt(body.amount.value) : 0n,
      captured: 0n,
      reversed: 0n,
      released: 0n,
      expired: false,
      events: [],
      document: {
        id: uuidv7(Date.now()),
        networkRef: body.networkRef,
        kind: body.kind ?? 'request',
        cardId: card?.id ?? null,
        spendAccountId: card?.spendAccountId ?? null,
        amount: body.amount,
        merchant: body.merchant,
        channel: body.channel ?? null,
        decision: ok ? 'APPROVED' : 'DECLINED',
        reasonCode: verdict.reason,
        detail: ok ? 'approved' : `declined by ${verdict.rule}`,
        rule: verdict.rule,
        trace: verdict.trace,
        ruleSet: card
          ? { id: card.ruleSetId, version: deciding.version }
          : null,
        risk: null,
        overdrawn: false,
        metadata: body.metadata ?? {},
        createdAt,
        expiresAt: ok
          ? new Date(Date.parse(createdAt) + days * DAY).toISOString()
          : null,
      },
    };
    this.#auths.push(auth);
    this.#byRef.set(body.networkRef, auth);
    if (ok) auth.document.overdrawn = this.#openToBuy(account!) < 0n;
    this.#append(
      auth,
      ok ? (advice ? 'ADVICE' : 'AUTHORIZED') : 'DECLINED',
      body.amount,
      verdict,
    );
    if (candidate) {
      const shadow = this.#verdictWithout(auth, body, headers, candidate.body);
      this.#shadows.get(card.ruleSetId)!.push({
        authorizationId: auth.document.id,
        decision: auth.document.decision,
        reasonCode: verdict.reason,
        shadowDecision: shadow.reason === '00' ? 'APPROVED' : 'DECLINED',
        shadowReasonCode: shadow.reason,
        rule: shadow.rule,
        createdAt,
      });
    }
    if (!ok && this.#bugs.has('declines as errors'))
      throw new Refusal('limit-exceeded');
    return { status: 201, body: this.#shown(auth) };
  }

  /** What a candidate would have said, as if the authorization were not there yet. */
  #verdictWithout(
    auth: Auth,
    body: any,
    headers: Call['headers'],
    rules: any,
  ): Verdict {
    const { authorized } = auth;
    auth.authorized = 0n;
    const verdict = this.#verdict(body, headers, rules);
    auth.authorized = authorized;
    return verdict;
  }

  #append(
    auth: Auth,
    kind: string,
    amount: any,
    verdict: Verdict = { reason: '00', rule: null, trace: [] },
    more: { final?: boolean; reference?: string } = {},
  ): any {
    const account = auth.account;
    const event = {
      id: uuidv7(Date.now()),
      authorizationId: auth.document.id,
      networkRef: auth.document.networkRef,
      seq:
        auth.events.length +
        (this.#bugs.has('events with gaps') && auth.events.length > 1 ? 2 : 1),
      kind,
      amount,
      decision: verdict.reason === '00' ? 'APPROVED' : 'DECLINED',
      reasonCode: verdict.reason,
      detail: verdict.reason === '00' ? 'approved' : 'declined',
      rule: verdict.rule,
      trace: verdict.trace,
      final: more.final ?? false,
      overdrawn: account ? this.#openToBuy(account) < 0n : false,
      reference: more.reference ?? null,
      createdAt: now(),
      authorization: {} as any,
    };
    auth.events.push(event);
    event.authorization = this.#state(auth);
    if (account) account.version += 1;
    return event;
  }

  #open(auth: Auth): boolean {
    return ['AUTHORIZED', 'PARTIALLY_CAPTURED', 'PARTIALLY_REVERSED'].includes(
      this.#status(auth),
    );
  }

  #sameCurrency(auth: Auth, amount: any): void {
    if (amount && amount.currency !== auth.document.amount.currency)
      throw new Refusal('currency-mismatch');
  }

  #increment({ params, body, headers }: Call): Reply {
    const auth = this.#auth(params.id);
    this.#sameCurrency(auth, body.amount);
    if (!this.#open(auth)) throw new Refusal('authorization-not-open');
    const card = this.#card(auth.document.cardId);
    const verdict = this.#verdict(
      {
        cardToken: card.token,
        amount: body.amount,
        merchant: auth.document.merchant,
      },
      headers,
      this.#rules.get(card.ruleSetId)!.at(-1)!.body,
      auth,
    );
    const ok = verdict.reason === '00';
    if (ok) auth.authorized += BigInt(body.amount.value);
    return {
      status: 201,
      body: this.#append(
        auth,
        ok ? 'INCREMENTED' : 'INCREMENT_DECLINED',
        body.amount,
        verdict,
        body,
      ),
    };
  }

  #capture({ params, body }: Call): Reply {
    const auth = this.#auth(params.id);
    this.#sameCurrency(auth, body.amount);
    if (['REVERSED', 'DECLINED'].includes(this.#status(auth)))
      throw new Refusal('authorization-not-open');
    const amount = BigInt(body.amount.value);
    const base = auth.authorized - auth.reversed;
    const percent = this.#bugs.has('no tips') ? 0n : auth.percent;
    const limit = max((base * (100n + percent)) / 100n, auth.upTo);
    if (
      auth.captured + amount > limit &&
      !this.#bugs.has('captures without limit')
    )
      throw new Refusal('capture-exceeds-authorization');
    const open = this.#open(auth);
    if (!open && this.#bugs.has('late captures refused'))
      throw new Refusal('authorization-not-open');
    const held = this.#held(auth);
    auth.captured += amount;
    if (open && body.final && !this.#bugs.has('rest stays held'))
      auth.released += max(0n, held - amount);
    if (auth.account) auth.account.unposted += amount;
    const final = open ? body.final ?? false : true;
    return {
      status: 201,
      body: this.#append(
        auth,
        open ? 'CAPTURED' : 'FORCE_POSTED',
        body.amount,
        undefined,
        {
          ...body,
          final,
        },
      ),
    };
  }

  #reverse(auth: Auth, body: any): any {
    this.#sameCurrency(auth, body.amount);
    if (this.#status(auth) === 'DECLINED')
      throw new Refusal('authorization-not-open');
    const held = this.#held(auth);
    const amount = body.amount ? BigInt(body.amount.value) : held;
    if (
      (!this.#open(auth) || amount > held) &&
      !this.#bugs.has('reversed too often')
    )
      throw new Refusal('already-reversed');
    auth.reversed += amount;
    return this.#append(
      auth,
      'REVERSED',
      {
        value: String(amount > 0n ? amount : 1n),
        currency: auth.document.amount.currency,
      },
      undefined,
      body,
    );
  }

  #expire({ params, body }: Call): Reply {
    const auth = this.#auth(params.id);
    if (!this.#open(auth)) throw new Refusal('authorization-not-open');
    const held = this.#held(auth);
    auth.released += this.#bugs.has('expiry keeps the hold') ? 0n : held;
    auth.expired = true;
    return {
      status: 201,
      body: this.#append(
        auth,
        'EXPIRED',
        { value: String(held), currency: auth.document.amount.currency },
        undefined,
        body,
      ),
    };
  }

  #reverseByRef({ body }: Call): Reply {
    const known = this.#tombstones.get(body.networkRef);
    if (known)
      return {
        status: 200,
        body: known,
        headers: { 'idempotent-replayed': 'true' },
      };
    const auth = this.#byRef.get(body.networkRef);
    if (auth)
      return {
        status: 201,
        body: {
          networkRef: body.networkRef,
          outcome: 'reversed',
          event: this.#reverse(auth, body),
          createdAt: now(),
        },
      };
    if (body.amount) throw new Refusal('not-found');
    const noted = {
      networkRef: body.networkRef,
      outcome: 'recorded',
      event: null,
      createdAt: now(),
    };
    if (!this.#bugs.has('early reversals forgotten'))
      this.#tombstones.set(body.networkRef, noted);
    return { status: 201, body: noted };
  }

  #list(query: any): Reply {
    const items = [...this.#auths]
      .reverse()
      .filter(
        ({ document }) =>
          (query.networkRef === undefined ||
            document.networkRef === query.networkRef) &&
          (query.cardId === undefined || document.cardId === query.cardId) &&
          (query.spendAccountId === undefined ||
            document.spendAccountId === query.spendAccountId),
      );
    let start = 0;
    if (query.cursor !== undefined) {
      const id = Buffer.from(query.cursor, 'base64url').toString();
      start = items.findIndex(({ document }) => document.id === id) + 1;
      if (start === 0) throw new Refusal('validation-failed', '#/query/cursor');
    }
    const page = items.slice(start, start + query.limit);
    return {
      body: {
        items: page.map(auth => this.#shown(auth)),
        nextCursor:
          items.length > start + query.limit
            ? Buffer.from(page.at(-1)!.document.id).toString('base64url')
            : null,
      },
    };
  }

  #openAccount({ body }: Call): Reply {
    if (!(body.currency in CURRENCIES))
      throw new Refusal('validation-failed', '/currency');
    const taken = [...this.#accounts.values()].some(
      ({ document }) =>
        document.ledgerAccountId !== null &&
        document.ledgerAccountId === body.ledgerAccountId,
    );
    if (taken) throw new Refusal('already-exists');
    const account: Account = {
      document: {
        id: uuidv7(Date.now()),
        currency: body.currency,
        exponent: CURRENCIES[body.currency],
        ledgerAccountId: body.ledgerAccountId ?? null,
        ledgerSide: body.ledgerSide ?? 'credit',
        metadata: body.metadata ?? {},
        createdAt: now(),
      },
      balance: 0n,
      ledgerVersion: 0,
      limit: BigInt(body.creditLimit ?? '0'),
      unposted: 0n,
      version: 1,
    };
    this.#accounts.set(account.document.id, account);
    return { status: 201, body: this.#accountShown(account) };
  }

  #setLimit({ params, body, headers }: Call): Reply {
    const account = this.#account(params.id);
    this.#matches(headers, account.version);
    account.limit = BigInt(body.creditLimit);
    account.version += 1;
    return this.#tagged(this.#accountShown(account));
  }

  #addCard({ body }: Call): Reply {
    const account = this.#accounts.get(body.spendAccountId);
    if (!account) throw new Refusal('account-unknown');
    if (body.ruleSetId !== undefined && !this.#rules.has(body.ruleSetId))
      throw new Refusal('rule-set-unknown');
    if (this.#byToken.has(body.token)) throw new Refusal('already-exists');
    const card = {
      id: uuidv7(Date.now()),
      token: body.token,
      spendAccountId: body.spendAccountId,
      currency: account.document.currency,
      status: 'active',
      expiresOn: body.expiresOn,
      ruleSetId: body.ruleSetId ?? 'default',
      limits: body.limits ?? {},
      version: 1,
      metadata: body.metadata ?? {},
      createdAt: now(),
    };
    this.#cards.set(card.id, card);
    this.#byToken.set(card.token, card);
    return { status: 201, body: { ...card } };
  }

  #setStatus({ params, body }: Call): Reply {
    const card = this.#card(params.id);
    if (card.status === 'closed') throw new Refusal('card-closed');
    card.status = body.status;
    card.version += 1;
    return { status: 201, body: { ...card } };
  }

  #setCardLimits({ params, body, headers }: Call): Reply {
    const card = this.#card(params.id);
    if (card.status === 'closed') throw new Refusal('card-closed');
    this.#matches(headers, card.version);
    card.limits = body;
    card.version += 1;
    return this.#tagged({ ...card });
  }

  #putRules(
    id: string,
    mode: string,
    body: any,
    activeFrom: string | undefined,
  ): any {
    const versions = this.#rules.get(id) ?? [];
    const version = versions.length + 1;
    const active =
      mode === 'active'
        ? version
        : versions.filter(rules => rules.mode === 'active').at(-1)?.version ??
          null;
    const document = {
      id,
      version,
      mode,
      activeFrom: mode === 'active' ? activeFrom ?? now() : null,
      activeVersion: active,
      shadowVersion: mode === 'shadow' ? version : null,
      body,
      createdBy: 'conformance',
      createdAt: now(),
    };
    this.#rules.set(id, [...versions, { version, mode, body, document }]);
    if (mode === 'shadow') this.#shadows.set(id, []);
    return document;
  }

  #putRuleSet({ params, body, headers }: Call): Reply {
    this.#matches(headers, this.#rules.get(params.id)?.length);
    const { mode = 'active', activeFrom } = body;
    if (mode === 'shadow' && activeFrom !== undefined)
      throw new Refusal('validation-failed', '/activeFrom');
    if (body.body.limits && !body.body.currency)
      throw new Refusal('validation-failed', '/body/currency');
    return this.#tagged(this.#putRules(params.id, mode, body.body, activeFrom));
  }

  #report(id: string): Reply {
    const versions = this.#ruleSet(id);
    const all = this.#shadows.get(id) ?? [];
    const differences = all.filter(one => one.decision !== one.shadowDecision);
    return {
      body: {
        id,
        version: versions.at(-1)!.version,
        decisions: all.length,
        same: all.length - differences.length,
        wouldDecline: differences.filter(
          one => one.shadowDecision === 'DECLINED',
        ).length,
        wouldApprove: differences.filter(
          one => one.shadowDecision === 'APPROVED',
        ).length,
        differences: [...differences].reverse().slice(0, 50),
      },
    };
  }

  #event({ body }: Call): Reply {
    const name = `${body.source}|${body.id}`;
    if (this.#seen.has(name))
      return { status: 200, body: { id: body.id, outcome: 'duplicate' } };
    const facts: { accountId: string; balance: string; version: number }[] = [];
    if (body.type === 'balance.changed.v1') {
      const { accountId, posted, version } = body.data;
      if (
        typeof accountId !== 'string' ||
        typeof posted !== 'string' ||
        typeof version !== 'number'
      )
        throw new Refusal('validation-failed', '/data');
      facts.push({ accountId, balance: posted, version });
    } else if (body.type === 'transaction.posted.v1') {
      for (const leg of body.data.legs)
        facts.push({
          accountId: leg.accountId,
          balance: leg.balanceAfter,
          version: leg.accountVersion,
        });
    }
    this.#seen.add(name);
    let applied = false;
    for (const { accountId, balance, version } of facts) {
      const account = [...this.#accounts.values()].find(
        ({ document }) => document.ledgerAccountId === accountId,
      );
      if (!account) continue;
      applied = true;
      if (
        version > account.ledgerVersion ||
        this.#bugs.has('old balances win')
      ) {
        account.balance = BigInt(balance);
        account.ledgerVersion = version;
      }
      const eventId = body.data.metadata?.eventId;
      const posting = `posted|${eventId}`;
      const capture = this.#auths
        .flatMap(auth => auth.events)
        .find(
          event => event.id === eventId && /CAPTURED|FORCE/.test(event.kind),
        );
      if (capture && !this.#bugs.has('captures counted twice')) {
        if (!this.#seen.has(posting))
          account.unposted -= BigInt(capture.amount.value);
        this.#seen.add(posting);
      }
      account.version += 1;
    }
    return {
      status: 202,
      body: { id: body.id, outcome: applied ? 'processed' : 'ignored' },
    };
  }
}

import type { ReasonCode, TraceStep } from './schemas.ts';
import type { CardLimits } from './setting-schemas.ts';
import type { RuleSetBody } from './rule-schemas.ts';

/**
 * The rules: a pure function of request, card, counters and rule set.
 *
 * It has two halves, so that nothing is decided on figures that may race. `plan` reads the rule set and decides what cannot race (status,
 * currency, category, country, size of one amount, risk). What depends on counters, funds and today's date is left as comparisons, and
 * `migrations/0003_decide.sql` makes those under the lock of the account. `evaluate` makes the same comparisons here: for tests, which hold
 * the two against each other, and for anyone who wants to ask "what if".
 */

/** What a decision needs to know of a card; `card_facts` in migrations/ reads it. */
export type CardFacts = {
  id: string;
  token: string;
  status: 'active' | 'frozen' | 'closed';
  /** Of its spend account. */
  currency: string;
  limits: CardLimits;
  version: number;
  ruleSetId: string;
  /** The version of the rule set that decides now; null when none is active yet. */
  activeVersion: number | null;
  candidateVersion: number | null;
};

export type RuleRequest = {
  kind: 'request' | 'advice';
  /** Minor units, above zero. */
  amount: bigint;
  currency: string;
  mcc: string;
  country: string;
};

/** score 0 (harmless) to 100; null: the partner did not answer in time. undefined: it was not asked. */
export type Risk = { score: number | null; source: 'partner' | 'fallback' };

/** What can race, read under the lock. Amounts are minor units approved before this request. */
export type Facts = {
  /** YYYY-MM-DD, UTC. */
  today: string;
  expiresOn: string;
  openToBuy: bigint;
  day: bigint;
  week: bigint;
  month: bigint;
  /** Approvals in this clock hour. */
  hour: number;
};

type Refusal = { reason: ReasonCode; detail: string; rule: string };
type Static = { k: 'static'; trace: string } & Partial<Refusal>;
type Compared = Refusal &
  (
    | { k: 'expiry' | 'funds' }
    | { k: 'sum'; window: 'day' | 'week' | 'month'; limit: string }
    | { k: 'count' | 'total'; limit: string }
  );
/** One check, as `evaluate_steps` in migrations/ takes it. */
export type Step = Static | Compared;

export type Plan = {
  steps: Step[];
  holdDays: number;
  /** Percent that may be captured beyond what was authorized. */
  overPercent: number;
  /** Minor units that may be captured in all, however little was authorized. */
  overUpTo: bigint;
};

export type Verdict = {
  decision: 'APPROVED' | 'DECLINED';
  reasonCode: ReasonCode;
  detail: string;
  rule: string | null;
  trace: TraceStep[];
};

/** Gratuities: restaurants, bars, fast food, beauty, taxis. */
const DEFAULT_OVER_CAPTURE: NonNullable<RuleSetBody['overCapture']> = [
  { mccs: ['5812-5814', '7230', '4121'], percent: 20 },
];
/** Lodging: guests stay longer than a week. */
const DEFAULT_HOLDS: NonNullable<RuleSetBody['holds']> = [{ mccs: ['3501-3999', '7011'], days: 31 }];
const DEFAULT_HOLD_DAYS = 7;

/** Whether a category is in a list of categories and ranges. */
export function inMccs(mcc: string, ranges: readonly string[]): boolean {
  return ranges.some(range => {
    const [from, to = from] = range.split('-');
    // Four digits each, so text compares like numbers.
    return from! <= mcc && mcc <= to!;
  });
}

/** Collects steps until one has failed for good; what would come after it is never looked at. */
class Steps {
  readonly list: Step[] = [];
  #trace: TraceStep[] = [];
  failed = false;

  check(
    rule: string,
    ok: boolean,
    reason: ReasonCode,
    detail: string,
    facts: { observed?: string; limit?: string } = {},
  ) {
    if (this.failed) return;
    this.#trace.push(
      ok ? { rule, outcome: 'pass', ...facts } : { rule, outcome: 'fail', reasonCode: reason, detail, ...facts },
    );
    if (ok) return;
    this.#flush({ reason, detail, rule });
    this.failed = true;
  }

  skip(rule: string, detail: string) {
    if (!this.failed) this.#trace.push({ rule, outcome: 'skip', detail });
  }

  compare(step: Compared) {
    if (this.failed) return;
    this.#flush();
    this.list.push(step);
  }

  done(): Step[] {
    if (!this.failed) this.#flush();
    return this.list;
  }

  #flush(refusal: Partial<Refusal> = {}) {
    if (this.#trace.length === 0) return;
    const trace = this.#trace.map(element => JSON.stringify(element)).join(',');
    this.list.push({ k: 'static', trace, ...refusal });
    this.#trace = [];
  }
}

/** Absent and null both mean that there is no limit. */
function none<T>(limit: T | null | undefined): limit is null | undefined {
  return limit === undefined || limit === null;
}

type NamedLimits = readonly [prefix: string, limits: CardLimits][];
const WINDOWS = [
  ['day', 'perDay'],
  ['week', 'perWeek'],
  ['month', 'perMonth'],
] as const;

function sums(steps: Steps, limits: NamedLimits) {
  for (const [window, name] of WINDOWS) {
    for (const [prefix, { [name]: limit }] of limits) {
      if (none(limit)) continue;
      steps.compare({ k: 'sum', window, limit, rule: `${prefix}.${name}`, reason: '61', detail: `${window}-limit` });
    }
  }
}

function cardIsGood(steps: Steps, card: CardFacts, body: RuleSetBody | undefined) {
  steps.check('card.open', card.status !== 'closed', '14', 'card-closed');
  steps.check('card.active', card.status === 'active', '62', 'card-frozen');
  steps.compare({ k: 'expiry', rule: 'card.expiry', reason: '54', detail: 'card-expired' });
  steps.check('ruleSet.active', body !== undefined, '96', 'rule-set-not-active');
}

const FUNDS: Compared = { k: 'funds', rule: 'funds', reason: '51', detail: 'insufficient-funds' };

function hold(body: RuleSetBody, mcc: string): Omit<Plan, 'steps'> {
  const over = (body.overCapture ?? DEFAULT_OVER_CAPTURE).find(entry => inMccs(mcc, entry.mccs));
  const days = (body.holds ?? DEFAULT_HOLDS).find(entry => inMccs(mcc, entry.mccs))?.days;
  return {
    holdDays: days ?? body.defaultHoldDays ?? DEFAULT_HOLD_DAYS,
    overPercent: over?.percent ?? 0,
    overUpTo: BigInt(over?.upTo ?? 0),
  };
}

function assess(steps: Steps, rules: RuleSetBody['risk'], risk: Risk | undefined, amount: bigint) {
  if (rules === undefined) return;
  if (risk === undefined) {
    steps.skip('risk', 'not-asked');
  } else if (risk.score !== null) {
    const facts = { observed: String(risk.score), limit: String(rules.declineFrom) };
    steps.check('risk', risk.score < rules.declineFrom, '05', 'risk-too-high', facts);
  } else {
    const upTo = rules.unavailableUpTo;
    const ok = rules.whenUnavailable !== 'decline' && (upTo === undefined || amount <= BigInt(upTo));
    steps.check('risk', ok, '91', 'risk-unavailable', upTo === undefined ? {} : { limit: upTo });
  }
}

/** The checks of an authorization, in their order. No card: there is none with this token. No body: no rule set is active. */
export function plan(
  request: RuleRequest,
  card: CardFacts | undefined,
  body: RuleSetBody | undefined,
  risk?: Risk,
): Plan {
  const steps = new Steps();
  const rules = body ?? {};
  steps.check('card.known', card !== undefined, '14', 'card-unknown');
  // The network has approved in our place: the hold is a fact, whatever we would have said.
  if (request.kind === 'advice' || card === undefined) {
    if (card !== undefined) steps.check('currency', request.currency === card.currency, '57', 'currency-not-supported');
    return { steps: steps.done(), ...hold(rules, request.mcc) };
  }
  const { amount, mcc, country } = request;
  const { limits: ruleLimits = {}, currency = card.currency } = rules;
  const limits: NamedLimits = [
    ['ruleSet.limits', ruleLimits],
    ['card.limits', card.limits],
  ];

  cardIsGood(steps, card, body);
  steps.check(
    'currency',
    request.currency === card.currency && currency === card.currency,
    '57',
    'currency-not-supported',
  );
  if (rules.mcc?.deny) steps.check('ruleSet.mcc.deny', !inMccs(mcc, rules.mcc.deny), '57', 'category-denied');
  if (rules.mcc?.allow) steps.check('ruleSet.mcc.allow', inMccs(mcc, rules.mcc.allow), '57', 'category-not-allowed');
  const { deny, allow } = rules.country ?? {};
  if (deny) steps.check('ruleSet.country.deny', !deny.includes(country), '62', 'country-denied');
  if (allow) steps.check('ruleSet.country.allow', allow.includes(country), '62', 'country-not-allowed');
  for (const [prefix, { perTransaction }] of limits) {
    if (none(perTransaction)) continue;
    const facts = { observed: String(amount), limit: perTransaction };
    steps.check(`${prefix}.perTransaction`, amount <= BigInt(perTransaction), '61', 'transaction-limit', facts);
  }
  for (const [prefix, { countPerHour }] of limits) {
    if (none(countPerHour)) continue;
    const rule = `${prefix}.countPerHour`;
    steps.compare({ k: 'count', limit: String(countPerHour), rule, reason: '65', detail: 'hourly-count' });
  }
  sums(steps, limits);
  assess(steps, rules.risk, risk, amount);
  steps.compare(FUNDS);
  return { steps: steps.done(), ...hold(rules, mcc) };
}

/** The checks of an increment: the card must still be good, and all that concerns amounts holds for what it would come to. */
export function planIncrement(card: CardFacts, body: RuleSetBody | undefined): Step[] {
  const steps = new Steps();
  const limits: NamedLimits = [
    ['ruleSet.limits', body?.limits ?? {}],
    ['card.limits', card.limits],
  ];
  cardIsGood(steps, card, body);
  steps.check('currency', (body?.currency ?? card.currency) === card.currency, '57', 'currency-not-supported');
  for (const [prefix, { perTransaction }] of limits) {
    if (none(perTransaction)) continue;
    const rule = `${prefix}.perTransaction`;
    steps.compare({ k: 'total', limit: perTransaction, rule, reason: '61', detail: 'transaction-limit' });
  }
  sums(steps, limits);
  steps.compare(FUNDS);
  return steps.done();
}

/** Whether a score would change anything: the rule set asks for one and nothing has failed so far. */
export function wantsRisk(body: RuleSetBody | undefined, planned: Plan): boolean {
  return body?.risk !== undefined && planned.steps.every(step => step.k !== 'static' || step.reason === undefined);
}

/** Makes the comparisons; stops at the first that fails. `total` is what an authorization comes to, for increments. */
export function evaluate(steps: readonly Step[], amount: bigint, facts: Facts, total = amount): Verdict {
  const trace: TraceStep[] = [];
  for (const step of steps) {
    if (step.k === 'static') {
      trace.push(...(JSON.parse(`[${step.trace}]`) as TraceStep[]));
      if (step.reason !== undefined) return declined(step as Static & Refusal, trace);
      continue;
    }
    const [passed, observed, limit] = compare(step, amount, facts, total);
    const outcome = passed
      ? ({ outcome: 'pass' } as const)
      : ({ outcome: 'fail', reasonCode: step.reason, detail: step.detail } as const);
    trace.push({ rule: step.rule, ...outcome, observed, ...(limit === undefined ? {} : { limit }) });
    if (!passed) return declined(step, trace);
  }
  return { decision: 'APPROVED', reasonCode: '00', detail: 'approved', rule: null, trace };
}

function declined({ reason, detail, rule }: Refusal, trace: TraceStep[]): Verdict {
  return { decision: 'DECLINED', reasonCode: reason, detail, rule, trace };
}

function compare(step: Compared, amount: bigint, facts: Facts, total: bigint): [boolean, string, string?] {
  switch (step.k) {
    case 'expiry':
      return [facts.today <= facts.expiresOn, facts.today, facts.expiresOn];
    case 'sum': {
      const before = facts[step.window];
      return [before + amount <= BigInt(step.limit), String(before), step.limit];
    }
    case 'count':
      return [facts.hour + 1 <= Number(step.limit), String(facts.hour), step.limit];
    case 'total':
      return [total <= BigInt(step.limit), String(total - amount), step.limit];
    case 'funds':
      return [facts.openToBuy >= amount, String(facts.openToBuy)];
  }
}

/** The whole: decides a request on these facts. */
export function decide(
  request: RuleRequest,
  card: CardFacts | undefined,
  facts: Facts,
  body: RuleSetBody | undefined,
  risk?: Risk,
): Verdict {
  return evaluate(plan(request, card, body, risk).steps, request.amount, facts);
}

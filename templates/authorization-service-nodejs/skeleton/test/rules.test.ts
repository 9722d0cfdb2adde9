import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import {
  decide,
  evaluate,
  inMccs,
  plan,
  planIncrement,
  wantsRisk,
  type CardFacts,
  type Facts,
  type Risk,
  type RuleRequest,
} from '../src/authorization/rules.ts';
import type { RuleSetBody } from '../src/authorization/rule-schemas.ts';

const CARD: CardFacts = {
  id: '0199d5d0-0000-7000-8000-0000000000ca',
  token: 'tok_example',
  status: 'active',
  currency: 'USD',
  limits: {},
  version: 1,
  ruleSetId: 'default',
  activeVersion: 1,
  candidateVersion: null,
};
const FACTS: Facts = {
  today: '2026-11-21',
  expiresOn: '2027-01-31',
  openToBuy: 1_000n,
  day: 0n,
  week: 0n,
  month: 0n,
  hour: 0,
};
const REQUEST: RuleRequest = { kind: 'request', amount: 100n, currency: 'USD', mcc: '5411', country: 'MX' };

const outcome = (
  body: RuleSetBody,
  more: { card?: Partial<CardFacts>; facts?: Partial<Facts>; request?: Partial<RuleRequest>; risk?: Risk } = {},
) => {
  const { decision, reasonCode, rule } = decide(
    { ...REQUEST, ...more.request },
    { ...CARD, ...more.card },
    { ...FACTS, ...more.facts },
    body,
    more.risk,
  );
  return decision === 'APPROVED' ? '00' : `${reasonCode} ${rule}`;
};

describe('each rule', () => {
  it.each<[string, RuleSetBody, Parameters<typeof outcome>[1], string]>([
    ['nothing to object', {}, {}, '00'],
    ['the last unit', {}, { facts: { openToBuy: 100n } }, '00'],
    ['one unit too much', {}, { facts: { openToBuy: 99n } }, '51 funds'],
    ['the last day of the card', {}, { facts: { today: '2027-01-31' } }, '00'],
    ['the day after', {}, { facts: { today: '2027-02-01' } }, '54 card.expiry'],
    ['frozen', {}, { card: { status: 'frozen' } }, '62 card.active'],
    ['closed', {}, { card: { status: 'closed' } }, '14 card.open'],
    ['another currency', {}, { request: { currency: 'EUR' } }, '57 currency'],
    ['rules of another currency', { currency: 'EUR' }, {}, '57 currency'],
    ['a denied category', { mcc: { deny: ['5400-5499'] } }, {}, '57 ruleSet.mcc.deny'],
    ['a category not allowed', { mcc: { allow: ['5812'] } }, {}, '57 ruleSet.mcc.allow'],
    ['an allowed category', { mcc: { allow: ['5812', '5411'] } }, {}, '00'],
    ['denied although allowed', { mcc: { allow: ['5411'], deny: ['5411'] } }, {}, '57 ruleSet.mcc.deny'],
    ['a denied country', { country: { deny: ['MX'] } }, {}, '62 ruleSet.country.deny'],
    ['a country not allowed', { country: { allow: ['US'] } }, {}, '62 ruleSet.country.allow'],
    ['an amount at the limit', { currency: 'USD', limits: { perTransaction: '100' } }, {}, '00'],
    [
      'an amount above it',
      { currency: 'USD', limits: { perTransaction: '99' } },
      {},
      '61 ruleSet.limits.perTransaction',
    ],
    ['the limit of the card', {}, { card: { limits: { perTransaction: '99' } } }, '61 card.limits.perTransaction'],
    ['null is no limit', {}, { card: { limits: { perTransaction: null, countPerHour: null, perDay: null } } }, '00'],
    ['the count', { limits: { countPerHour: 3 } }, { facts: { hour: 2 } }, '00'],
    ['one more', { limits: { countPerHour: 3 } }, { facts: { hour: 3 } }, '65 ruleSet.limits.countPerHour'],
    ['a count of none', {}, { card: { limits: { countPerHour: 0 } } }, '65 card.limits.countPerHour'],
    ['the day to the unit', { limits: { perDay: '500' } }, { facts: { day: 400n } }, '00'],
    ['the day', { limits: { perDay: '500' } }, { facts: { day: 401n } }, '61 ruleSet.limits.perDay'],
    ['the week', { limits: { perWeek: '500' } }, { facts: { week: 401n } }, '61 ruleSet.limits.perWeek'],
    ['the month', {}, { card: { limits: { perMonth: '500' } }, facts: { month: 401n } }, '61 card.limits.perMonth'],
    ['a low score', { risk: { declineFrom: 80 } }, { risk: { score: 79, source: 'partner' } }, '00'],
    ['a high score', { risk: { declineFrom: 80 } }, { risk: { score: 80, source: 'partner' } }, '05 risk'],
    ['no score', { risk: { declineFrom: 80 } }, { risk: { score: null, source: 'fallback' } }, '00'],
    [
      'no score, strict',
      { risk: { declineFrom: 80, whenUnavailable: 'decline' } },
      { risk: { score: null, source: 'fallback' } },
      '91 risk',
    ],
    [
      'no score, small',
      { risk: { declineFrom: 80, unavailableUpTo: '100' } },
      { risk: { score: null, source: 'fallback' } },
      '00',
    ],
    [
      'no score, large',
      { risk: { declineFrom: 80, unavailableUpTo: '99' } },
      { risk: { score: null, source: 'fallback' } },
      '91 risk',
    ],
    ['a score nobody asked for', {}, { risk: { score: 99, source: 'partner' } }, '00'],
    [
      'an advice beyond everything',
      { limits: { perDay: '1' } },
      { request: { kind: 'advice' }, facts: { openToBuy: 0n } },
      '00',
    ],
  ])('%s', (_name, body, more, expected) => {
    expect(outcome(body, more)).toBe(expected);
  });

  it('knows no card, and no rule set', () => {
    expect(decide(REQUEST, undefined, FACTS, undefined)).toMatchObject({ reasonCode: '14', rule: 'card.known' });
    expect(decide(REQUEST, CARD, FACTS, undefined)).toMatchObject({ reasonCode: '96', rule: 'ruleSet.active' });
  });

  it('tells every check in order, up to the one that failed', () => {
    const body: RuleSetBody = {
      currency: 'USD',
      mcc: { deny: ['7995'] },
      limits: { perTransaction: '500', perDay: '150' },
    };
    const { trace } = decide(REQUEST, CARD, { ...FACTS, day: 51n }, body);
    expect(trace).toEqual([
      { rule: 'card.known', outcome: 'pass' },
      { rule: 'card.open', outcome: 'pass' },
      { rule: 'card.active', outcome: 'pass' },
      { rule: 'card.expiry', outcome: 'pass', observed: '2026-11-21', limit: '2027-01-31' },
      { rule: 'ruleSet.active', outcome: 'pass' },
      { rule: 'currency', outcome: 'pass' },
      { rule: 'ruleSet.mcc.deny', outcome: 'pass' },
      { rule: 'ruleSet.limits.perTransaction', outcome: 'pass', observed: '100', limit: '500' },
      {
        rule: 'ruleSet.limits.perDay',
        outcome: 'fail',
        reasonCode: '61',
        detail: 'day-limit',
        observed: '51',
        limit: '150',
      },
    ]);
  });
});

describe('holding times and tolerances', () => {
  const of = (mcc: string, body: RuleSetBody = {}) => {
    const { steps: _steps, ...rest } = plan({ ...REQUEST, mcc }, CARD, body);
    return rest;
  };
  it('have defaults, which a rule set replaces', () => {
    expect(of('5411')).toEqual({ holdDays: 7, overPercent: 0, overUpTo: 0n });
    expect(of('5812')).toEqual({ holdDays: 7, overPercent: 20, overUpTo: 0n });
    expect(of('3642')).toEqual({ holdDays: 31, overPercent: 0, overUpTo: 0n });
    const body: RuleSetBody = {
      currency: 'USD',
      defaultHoldDays: 3,
      holds: [{ mccs: ['7512'], days: 14 }],
      overCapture: [
        { mccs: ['5542'], upTo: '15000' },
        { mccs: ['5000-5999'], percent: 5 },
      ],
    };
    expect(of('7011', body)).toEqual({ holdDays: 3, overPercent: 0, overUpTo: 0n });
    expect(of('7512', body)).toEqual({ holdDays: 14, overPercent: 0, overUpTo: 0n });
    expect(of('5542', body)).toEqual({ holdDays: 3, overPercent: 0, overUpTo: 15000n });
    expect(of('5812', body)).toEqual({ holdDays: 3, overPercent: 5, overUpTo: 0n });
  });
  it('go by ranges with both ends', () => {
    expect(['3500', '3501', '3999', '4000'].map(mcc => inMccs(mcc, ['3501-3999']))).toEqual([false, true, true, false]);
  });
});

it('asks for a score only when it can change something', () => {
  const body: RuleSetBody = { risk: { declineFrom: 50 } };
  expect(wantsRisk(body, plan(REQUEST, CARD, body))).toBe(true);
  expect(wantsRisk({}, plan(REQUEST, CARD, {}))).toBe(false);
  expect(wantsRisk(body, plan(REQUEST, { ...CARD, status: 'frozen' }, body))).toBe(false);
});

// ---- properties

const minor = fc.bigInt({ min: 1n, max: 2_000n }).map(String);
const limits = fc.record(
  {
    perTransaction: minor,
    perDay: minor,
    perWeek: minor,
    perMonth: minor,
    countPerHour: fc.integer({ min: 0, max: 6 }),
  },
  { requiredKeys: [] },
);
const mccs = fc.uniqueArray(fc.constantFrom('5411', '5812', '7011', '3501-3999'), { minLength: 1 });
const bodies: fc.Arbitrary<RuleSetBody> = fc.record(
  {
    limits,
    mcc: fc.record({ allow: mccs, deny: mccs }, { requiredKeys: [] }),
    country: fc.record({ allow: fc.constant(['MX', 'US']), deny: fc.constant(['US']) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);
const cases = fc.record({
  body: bodies,
  card: fc.record({ limits, status: fc.constantFrom('active' as const, 'active' as const, 'frozen' as const) }),
  request: fc.record({
    kind: fc.constant('request' as const),
    amount: fc.bigInt({ min: 1n, max: 2_000n }),
    currency: fc.constantFrom('USD', 'USD', 'EUR'),
    mcc: fc.constantFrom('5411', '5812', '3600'),
    country: fc.constantFrom('MX', 'US'),
  }),
  facts: fc.record({
    openToBuy: fc.bigInt({ min: -100n, max: 3_000n }),
    day: fc.bigInt({ min: 0n, max: 2_000n }),
    week: fc.bigInt({ min: 0n, max: 2_000n }),
    month: fc.bigInt({ min: 0n, max: 2_000n }),
    hour: fc.integer({ min: 0, max: 7 }),
    today: fc.constantFrom('2026-11-21', '2027-02-01'),
  }),
});

describe('for any rules and facts', () => {
  const all = (check: (it: typeof cases extends fc.Arbitrary<infer T> ? T : never) => void) =>
    fc.assert(fc.property(cases, check), { numRuns: 500 });
  const run = (
    { body, card, request, facts }: typeof cases extends fc.Arbitrary<infer T> ? T : never,
    more: Partial<Facts> = {},
  ) => decide(request, { ...CARD, ...card }, { ...FACTS, ...facts, ...more }, body);

  it('the trace explains the decision: all pass, or exactly the last fails and names the reason', () => {
    all(example => {
      const verdict = run(example);
      const failed = verdict.trace.filter(({ outcome }) => outcome === 'fail');
      if (verdict.decision === 'APPROVED') {
        expect(failed).toEqual([]);
        expect(verdict.trace.at(-1)!.rule).toBe('funds');
      } else {
        expect(failed).toEqual([verdict.trace.at(-1)]);
        expect(failed[0]).toMatchObject({ rule: verdict.rule, reasonCode: verdict.reasonCode, detail: verdict.detail });
      }
    });
  });

  it('an approval stays one with more funds and smaller counters, and never exceeds the funds', () => {
    all(example => {
      if (run(example).decision === 'DECLINED') return;
      expect(example.request.amount <= example.facts.openToBuy).toBe(true);
      const more = { openToBuy: example.facts.openToBuy + 1n, day: 0n, week: 0n, month: 0n, hour: 0 };
      expect(run(example, more).decision).toBe('APPROVED');
    });
  });

  it('the same input gives the same answer, and the input is left alone', () => {
    all(example => {
      const before = JSON.stringify(example, (_key, v) => (typeof v === 'bigint' ? `${v}n` : v));
      expect(run(example)).toEqual(run(example));
      expect(JSON.stringify(example, (_key, v) => (typeof v === 'bigint' ? `${v}n` : v))).toBe(before);
    });
  });
});

describe('the comparisons in the database are these', () => {
  let client: pg.Client;
  beforeAll(async () => {
    client = new pg.Client({ connectionString: process.env.SERVICE_OWNER_URL });
    await client.connect();
  });
  afterAll(() => client.end());

  it('for any steps and facts, trace included', async () => {
    await fc.assert(
      fc.asyncProperty(cases, fc.boolean(), async ({ body, card, request, facts: some }, increment) => {
        const facts = { ...FACTS, ...some };
        const holder = { ...CARD, ...card };
        const steps = increment ? planIncrement(holder, body) : plan(request, holder, body).steps;
        const total = increment ? request.amount + 500n : request.amount;
        const { rows } = await client.query(
          `SELECT reason, detail, rule, ('[' || trace || ']')::json AS trace
             FROM evaluate_steps($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
          [
            JSON.stringify(steps),
            String(request.amount),
            String(total),
            String(facts.openToBuy),
            `${facts.today}T23:59:59.999Z`,
            facts.expiresOn,
            String(facts.day),
            String(facts.week),
            String(facts.month),
            facts.hour,
          ],
        );
        const { reasonCode, detail, rule, trace } = evaluate(steps, request.amount, facts, total);
        const reason = reasonCode === '00' ? null : reasonCode;
        expect(rows[0]).toEqual({ reason, detail: reason === null ? null : detail, rule, trace });
      }),
      { numRuns: 300 },
    );
  });
});

import fc from 'fast-check';
import { group } from '../checks';
import { newKey, type Client } from '../client';
import { equal, must } from '../expect';
import { accountAddsUp, balance, openAccount } from './ledger';

/** What the ledger has to know, kept as simply as possible: the oracle of the random histories. */
type Account = {
  id: string;
  currency: string;
  /** 'credit' counts credits as positive. */
  side: 'debit' | 'credit';
  floor: bigint | null;
  posted: bigint;
  outgoing: bigint;
  entries: number;
};
type Leg = { account: number; direction: 'debit' | 'credit'; value: bigint };
type Written = {
  id: string;
  kind: 'posting' | 'pending' | 'reversal' | 'post';
  legs: Leg[];
  left: bigint[];
  settled: boolean;
};
type Model = { accounts: Account[]; written: Written[] };

/** What a leg adds to the balance, from the normal side of its account. */
function change(account: Account, leg: Leg): bigint {
  return leg.direction === account.side ? leg.value : -leg.value;
}

/** Whether every account stays above its floor. `released`: what the legs were already holding. */
function allowed(model: Model, legs: Leg[], released: Leg[] = []): boolean {
  return model.accounts.every((account, i) => {
    const sum = (list: Leg[]) =>
      list
        .filter(leg => leg.account === i)
        .reduce((total, leg) => total + change(account, leg), 0n);
    const net = sum(legs);
    // Holds count only what goes out, leg by leg.
    const back = released
      .filter(leg => leg.account === i && leg.direction !== account.side)
      .reduce((total, leg) => total + leg.value, 0n);
    if (account.floor === null || net >= 0n) return true;
    return account.posted - account.outgoing + back + net >= account.floor;
  });
}

function post(model: Model, legs: Leg[]): void {
  for (const leg of legs) {
    const account = model.accounts[leg.account];
    account.posted += change(account, leg);
    account.entries += 1;
  }
}

function holdOrRelease(model: Model, legs: Leg[], sign: 1n | -1n): void {
  for (const leg of legs) {
    const account = model.accounts[leg.account];
    if (leg.direction !== account.side) account.outgoing += sign * leg.value;
  }
}

const opposite = { debit: 'credit', credit: 'debit' } as const;

/** How much of what is left is asked for. */
type Share = 'everything' | 'all' | 'one' | 'half' | 'more';

/** One request of a history. Numbers pick accounts and earlier transactions; they are taken modulo what there is. */
type Step =
  | {
      do: 'post' | 'hold';
      from: number;
      to: number;
      third: number;
      value: bigint;
      split: boolean;
    }
  | { do: 'reverse' | 'settle'; which: number; share: Share }
  | { do: 'void'; which: number }
  | { do: 'repeat' };

const value = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt({ min: 1n, max: 60n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 1n, max: 9_007_199_254_740_993n }) },
);
const index = fc.nat({ max: 1_000 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('post' as const, 'post' as const, 'hold' as const),
      from: index,
      to: index,
      third: index,
      value,
      split: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('reverse' as const, 'settle' as const),
      which: index,
      share: fc.constantFrom<Share>('everything', 'all', 'one', 'half', 'more'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('void' as const), which: index }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('repeat' as const) }) },
);

const wire = (model: Model, legs: Leg[]) =>
  legs.map(leg => ({
    accountId: model.accounts[leg.account].id,
    direction: leg.direction,
    amount: {
      value: String(leg.value),
      currency: model.accounts[leg.account].currency,
    },
  }));

/** Legs that are zero in each currency: two, or three when split. */
function legsOf(model: Model, s: Extract<Step, { from: number }>): Leg[] {
  const n = model.accounts.length;
  const from = s.from % n;
  const same = model.accounts
    .map((_, i) => i)
    .filter(i => model.accounts[i].currency === model.accounts[from].currency);
  // A hold on both sides of one account would hold nothing: what that means is left to the service.
  const others = s.do === 'hold' ? same.filter(i => i !== from) : same;
  const to = others[s.to % others.length];
  const third = others[s.third % others.length];
  const first: Leg = { account: from, direction: 'debit', value: s.value };
  if (!s.split || s.value < 2n)
    return [first, { account: to, direction: 'credit', value: s.value }];
  return [
    first,
    { account: to, direction: 'credit', value: s.value - 1n },
    { account: third, direction: 'credit', value: 1n },
  ];
}

type Request = {
  url: string;
  body: any;
  expected: string;
  apply: (id: string) => void;
};

/** Above zero, because an amount has to be. */
function amountFor(share: Exclude<Share, 'everything'>, left: bigint): bigint {
  const amount = { all: left, one: 1n, half: left / 2n, more: left + 1n }[
    share
  ];
  return amount > 0n ? amount : 1n;
}

/** What a step asks, what has to come of it, and what it does to the model. */
function request(
  model: Model,
  s: Exclude<Step, { do: 'repeat' }>,
): Request | undefined {
  if ('from' in s) {
    const legs = legsOf(model, s);
    const pending = s.do === 'hold';
    const out = legs.filter(
      leg => leg.direction !== model.accounts[leg.account].side,
    );
    const ok = allowed(model, pending ? out : legs);
    return {
      url: '/v1/transactions',
      body: {
        legs: wire(model, legs),
        ...(pending
          ? {
              pending: {
                expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
              },
            }
          : {}),
      },
      expected: ok ? '201' : 'insufficient-funds',
      apply: id => {
        if (pending) holdOrRelease(model, legs, 1n);
        else post(model, legs);
        model.written.push({
          id,
          kind: pending ? 'pending' : 'posting',
          legs,
          left: legs.map(leg => leg.value),
          settled: false,
        });
      },
    };
  }
  if (model.written.length === 0) return undefined;
  // Mostly one of the latest that it makes sense for: the same transaction has to be met again and again.
  const fitting = model.written.filter(({ kind }) =>
    s.do === 'reverse'
      ? ['posting', 'post'].includes(kind)
      : kind === 'pending',
  );
  const written =
    fitting.length === 0 || s.which % 5 === 0 ? model.written : fitting;
  const target =
    written[written.length - 1 - (s.which % Math.min(written.length, 3))];
  const url = `/v1/transactions/${target.id}`;
  const amountOf = (wanted: bigint) => ({
    amount: {
      value: String(wanted),
      currency: model.accounts[target.legs[0].account].currency,
    },
  });
  // An amount alone works for two legs only.
  const wanted =
    'share' in s && s.share !== 'everything' && target.legs.length === 2
      ? amountFor(s.share, target.left[0] ?? 1n)
      : null;
  const body = wanted === null ? {} : amountOf(wanted);
  if (s.do === 'reverse') {
    const reversible = target.kind === 'posting' || target.kind === 'post';
    const parts = target.legs
      .map((leg, i) => ({
        account: leg.account,
        direction: opposite[leg.direction],
        value: wanted ?? target.left[i],
        line: i,
      }))
      .filter(leg => leg.value > 0n);
    const tooMuch =
      parts.length === 0 ||
      parts.some(leg => leg.value > target.left[leg.line]);
    const expected = !reversible
      ? 'not-reversible'
      : tooMuch
      ? 'already-reversed'
      : allowed(model, parts)
      ? '201'
      : 'insufficient-funds';
    return {
      url: `${url}/reversal`,
      body,
      expected,
      apply: id => {
        post(model, parts);
        for (const leg of parts) target.left[leg.line] -= leg.value;
        model.written.push({
          id,
          kind: 'reversal',
          legs: parts,
          left: [],
          settled: false,
        });
      },
    };
  }
  const what = s.do === 'settle' ? 'post' : 'void';
  const closed =
    target.kind !== 'pending'
      ? 'not-pending'
      : target.settled
      ? 'already-resolved'
      : undefined;
  const parts = target.legs.map(leg => ({
    ...leg,
    value: wanted ?? leg.value,
  }));
  const exceeded = parts.some((leg, i) => leg.value > target.legs[i].value);
  const expected =
    closed ??
    (what === 'void'
      ? '201'
      : exceeded
      ? 'pending-exceeded'
      : allowed(model, parts, target.legs)
      ? '201'
      : 'insufficient-funds');
  return {
    url: `${url}/${what}`,
    body: what === 'post' ? body : {},
    expected,
    apply: id => {
      holdOrRelease(model, target.legs, -1n);
      target.settled = true;
      if (what === 'void') return;
      post(model, parts);
      model.written.push({
        id,
        kind: 'post',
        legs: parts,
        left: parts.map(leg => leg.value),
        settled: false,
      });
    },
  };
}

async function walk(client: Client, steps: Step[]): Promise<void> {
  const spec = [
    { kind: 'asset', currency: 'USD', floor: null, side: 'debit' },
    { kind: 'liability', currency: 'USD', floor: 0n, side: 'credit' },
    { kind: 'liability', currency: 'USD', floor: -50n, side: 'credit' },
    { kind: 'asset', currency: 'USD', floor: 0n, side: 'debit' },
    { kind: 'income', currency: 'KWD', floor: null, side: 'credit' },
    { kind: 'liability', currency: 'KWD', floor: 0n, side: 'credit' },
  ] as const;
  const model: Model = {
    written: [],
    accounts: await Promise.all(
      spec.map(async ({ kind, currency, floor, side }) => ({
        id: await openAccount(client, {
          kind,
          currency,
          minAvailable: floor === null ? null : String(floor),
        }),
        currency,
        side,
        floor,
        posted: 0n,
        outgoing: 0n,
        entries: 0,
      })),
    ),
  };
  let last:
    | { url: string; body: any; key: string; status: number; answer: any }
    | undefined;
  for (const s of steps) {
    if (s.do === 'repeat') {
      if (!last) continue;
      const again = await client.post(last.url, last.body, { key: last.key });
      equal(
        again.headers.get('idempotent-replayed'),
        'true',
        'Idempotent-Replayed of a repetition',
      );
      if (last.status === 201) {
        equal(again.status, 200, 'the status of a repetition');
        equal(again.body, last.answer, 'the body of a repetition');
      } else equal(again.status, last.status, 'the status of a repetition');
      continue;
    }
    const asked = request(model, s);
    if (!asked) continue;
    const key = newKey();
    const answer = await client.post(asked.url, asked.body, { key });
    const got = answer.status === 201 ? '201' : answer.body.code;
    equal(
      got,
      asked.expected,
      `the answer to ${asked.url} ${JSON.stringify(asked.body)}`,
    );
    if (answer.status === 201) asked.apply(answer.body.id);
    last = {
      url: asked.url,
      body: asked.body,
      key,
      status: answer.status,
      answer: answer.body,
    };
  }
  for (const account of model.accounts) {
    const now = await balance(client, account.id);
    equal(
      [now.posted, now.pending, now.available, now.version],
      [
        String(account.posted),
        String(account.outgoing),
        String(account.posted - account.outgoing),
        account.entries,
      ],
      `posted, pending, available and version of ${account.id}`,
    );
    await accountAddsUp(client, account.id);
  }
  for (const target of model.written) {
    const { reversal } = await client.expect(
      200,
      'GET',
      `/v1/transactions/${target.id}`,
    );
    if (target.left.length === 0 || target.kind === 'pending') continue;
    equal(
      reversal.remaining.map((line: any) => line.amount),
      target.left.map(String),
      `what remains of ${target.id}`,
    );
  }
}

export const propertyChecks = group('properties', {
  'random histories end as the model says': {
    timeout: 600_000,
    run: async ({ client, settings }) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 10, maxLength: 40 }),
          steps => walk(client, steps),
        ),
        {
          seed: settings.seed,
          numRuns: settings.histories,
          // Each step of shrinking walks a history anew: enough to be readable, not for ever.
          interruptAfterTimeLimit: 300_000,
          markInterruptAsFailure: false,
          endOnFailure: !settings.shrink,
        },
      );
      must(settings.histories > 0, 'no history was walked');
    },
  },
});

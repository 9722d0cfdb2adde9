import fc from 'fast-check';
import { group } from '../checks';
import { newKey, type Client } from '../client';
import { equal } from '../expect';
import {
  account,
  addsUp,
  newRef,
  payment,
  spender,
  url,
  usd,
  type Spender,
} from './desk';

/** One authorization as simply as possible: the oracle of the random orders. The rules are those of authorization-states.yaml. */
export type Auth = {
  id: string;
  ref: string;
  percent: bigint;
  authorized: bigint;
  captured: bigint;
  reversed: bigint;
  released: bigint;
  expired: boolean;
  version: number;
};

const max = (a: bigint, b: bigint) => (a > b ? a : b);
export const held = (a: Auth) =>
  max(0n, a.authorized - a.reversed - a.captured - a.released);
/** What may be captured in all. */
const limit = (a: Auth) =>
  ((a.authorized - a.reversed) * (100n + a.percent)) / 100n;

export function status(a: Auth): string {
  if (a.authorized === 0n) return 'DECLINED';
  if (held(a) > 0n) {
    if (a.captured > 0n) return 'PARTIALLY_CAPTURED';
    return a.reversed > 0n ? 'PARTIALLY_REVERSED' : 'AUTHORIZED';
  }
  if (a.captured > 0n) return 'CAPTURED';
  return a.expired ? 'EXPIRED' : 'REVERSED';
}

type Message =
  | {
      do: 'authorize';
      value: bigint;
      tips: boolean;
      advice: boolean;
      early: boolean;
    }
  | {
      do: 'increments' | 'captures' | 'reversals';
      which: number;
      value: bigint | 'rest' | 'more';
      final: boolean;
    }
  | { do: 'expire'; which: number }
  | { do: 'repeat' };

const value = fc.bigInt({ min: 1n, max: 120n });
const which = fc.nat({ max: 1_000 });
const step: fc.Arbitrary<Message> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('authorize' as const),
      value,
      tips: fc.boolean(),
      advice: fc.integer({ min: 0, max: 9 }).map(n => n === 0),
      early: fc.integer({ min: 0, max: 9 }).map(n => n === 0),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'increments' as const,
        'captures' as const,
        'captures' as const,
        'reversals' as const,
      ),
      which,
      value: fc.oneof(value, fc.constantFrom('rest' as const, 'more' as const)),
      final: fc.integer({ min: 0, max: 3 }).map(n => n === 0),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('expire' as const), which }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('repeat' as const) }) },
);

export type World = { who: Spender; funds: bigint; auths: Auth[] };

const openToBuy = ({ funds, auths }: World) =>
  auths.reduce((left, a) => left - held(a) - a.captured, funds);

/** Sends a message and gives its outcome: the kind of the event, or the code of the refusal. */
async function told(
  client: Client,
  id: string,
  what: string,
  body: Record<string, unknown>,
): Promise<{ got: string; answer: any; key: string }> {
  const key = newKey();
  const answer = await client.post(url(id, what), body, { key });
  return {
    got: answer.status === 201 ? answer.body.kind : answer.body.code,
    answer,
    key,
  };
}

/** What has to come of a message, and what it does then. */
export function follow(
  world: World,
  a: Auth,
  what: string,
  amount: bigint,
  final: boolean,
): string {
  const open = [
    'AUTHORIZED',
    'PARTIALLY_CAPTURED',
    'PARTIALLY_REVERSED',
  ].includes(status(a));
  if (what === 'increments') {
    if (!open) return 'authorization-not-open';
    a.version += 1;
    if (amount > openToBuy(world)) return 'INCREMENT_DECLINED';
    a.authorized += amount;
    return 'INCREMENTED';
  }
  if (what === 'captures') {
    if (['REVERSED', 'DECLINED'].includes(status(a)))
      return 'authorization-not-open';
    if (a.captured + amount > limit(a)) return 'capture-exceeds-authorization';
    a.version += 1;
    if (!open) {
      a.captured += amount;
      return 'FORCE_POSTED';
    }
    if (final) a.released += max(0n, held(a) - amount);
    a.captured += amount;
    return 'CAPTURED';
  }
  if (what === 'reversals') {
    if (status(a) === 'DECLINED') return 'authorization-not-open';
    if (!open || amount > held(a)) return 'already-reversed';
    a.version += 1;
    a.reversed += amount;
    return 'REVERSED';
  }
  if (!open) return 'authorization-not-open';
  a.version += 1;
  a.released += held(a);
  a.expired = true;
  return 'EXPIRED';
}

async function walk(client: Client, messages: Message[]): Promise<void> {
  const funds = 400n;
  const world: World = {
    who: await spender(client, { funds: String(funds) }),
    funds,
    auths: [],
  };
  const { auths, who } = world;
  let last:
    | { url: string; body: any; key: string; status: number; answer: any }
    | undefined;
  for (const m of messages) {
    if (m.do === 'repeat') {
      if (!last) continue;
      const again = await client.post(last.url, last.body, { key: last.key });
      equal(
        again.headers.get('idempotent-replayed'),
        'true',
        'Idempotent-Replayed of a repetition',
      );
      if (last.status === 201)
        equal(again.body, last.answer, 'the body of a repetition');
      else equal(again.status, last.status, 'the status of a repetition');
      continue;
    }
    if (m.do === 'authorize') {
      const ref = newRef();
      if (m.early)
        await client.expect(201, 'POST', '/v1/reversals', {
          body: { networkRef: ref },
        });
      const body = payment(who, m.value, {
        networkRef: ref,
        kind: m.advice ? 'advice' : 'request',
        merchant: { mcc: m.tips ? '5812' : '5411', country: 'US' },
      });
      const expected = m.early
        ? 'DECLINED 96'
        : m.advice || m.value <= openToBuy(world)
        ? 'APPROVED 00'
        : 'DECLINED 51';
      const key = newKey();
      const answer = await client.expect(201, 'POST', '/v1/authorizations', {
        body,
        key,
      });
      equal(
        `${answer.decision} ${answer.reasonCode}`,
        expected,
        'the decision',
      );
      auths.push({
        id: answer.id,
        ref,
        percent: m.tips ? 20n : 0n,
        authorized: expected === 'APPROVED 00' ? m.value : 0n,
        captured: 0n,
        reversed: 0n,
        released: 0n,
        expired: false,
        version: 1,
      });
      last = { url: '/v1/authorizations', body, key, status: 201, answer };
      continue;
    }
    if (auths.length === 0) continue;
    const a = auths[auths.length - 1 - (m.which % Math.min(auths.length, 3))];
    let amount = 0n;
    const body: Record<string, unknown> = {};
    if (m.do !== 'expire') {
      const whole = m.do === 'captures' ? limit(a) - a.captured : held(a);
      amount =
        m.value === 'rest' ? whole : m.value === 'more' ? whole + 1n : m.value;
      if (amount < 1n) amount = 1n;
      body.amount = usd(amount);
      if (m.do === 'captures') body.final = m.final;
    }
    const expected = follow(
      world,
      a,
      m.do,
      amount,
      m.do === 'captures' && m.final,
    );
    const { got, answer, key } = await told(client, a.id, m.do, body);
    equal(got, expected, `the answer to ${m.do} ${amount} of ${a.id}`);
    if (answer.status === 201)
      equal(
        [
          answer.body.authorization.status,
          answer.body.authorization.held,
          answer.body.authorization.captured,
          answer.body.authorization.version,
        ],
        [status(a), String(held(a)), String(a.captured), a.version],
        `status, hold, captured and version after ${m.do} ${amount} of ${a.id}`,
      );
    last = {
      url: url(a.id, m.do),
      body,
      key,
      status: answer.status,
      answer: answer.body,
    };
  }
  for (const a of auths) {
    const now = await addsUp(client, a.id);
    equal(
      [now.status, now.authorized, now.captured, now.reversed, now.released],
      [
        status(a),
        String(a.authorized),
        String(a.captured),
        String(a.reversed),
        String(a.released),
      ],
      `authorization ${a.id} at the end`,
    );
  }
  const now = await account(client, who.account);
  equal(
    [now.held, now.unposted, now.openToBuy],
    [
      String(auths.reduce((sum, a) => sum + held(a), 0n)),
      String(auths.reduce((sum, a) => sum + a.captured, 0n)),
      String(openToBuy(world)),
    ],
    'held, unposted and openToBuy of the account at the end',
  );
}

export const propertyChecks = group('properties', {
  'random orders of messages end as the model says': {
    timeout: 600_000,
    run: async ({ client, settings }) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 10, maxLength: 40 }),
          messages => walk(client, messages),
        ),
        {
          seed: settings.seed,
          numRuns: settings.histories,
          interruptAfterTimeLimit: 300_000,
          markInterruptAsFailure: false,
          endOnFailure: !settings.shrink,
        },
      );
    },
  },
});

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { parse } from 'yaml';
import { ROOT } from '../scripts/contract.ts';
import { STATE_TABLE } from '../src/authorization/state-table.ts';
import { startHarness, usd, type Answer, type Harness } from './support/harness.ts';
import { findViolations } from './support/invariants.ts';

/**
 * Random orders of messages against a model that is nothing but contracts/authorization-states.yaml: its expressions are evaluated as
 * they stand there. If table and service ever disagree about an answer or an amount, fast-check shrinks to the shortest such order.
 */

let service: Harness;
beforeAll(async () => {
  service = await startHarness();
});
afterAll(() => service.close());

type Amounts = Record<'authorized' | 'captured' | 'reversed' | 'released' | 'expired', number>;
type Table = {
  derive: { when: string; status: string }[];
  events: Record<string, Partial<Record<keyof Amounts, string | number>>>;
  transitions: Record<
    string,
    Record<
      string,
      { event?: string; declined?: string; refuse?: string; unless?: Record<string, string>; to?: string[] }
    >
  >;
};
const table = STATE_TABLE as unknown as Table;

/** The language of the table: sums, products, max, comparisons, `and`, `otherwise`. */
function evaluate(expression: string | number, scope: Record<string, number>): number {
  const code = String(expression)
    .replace(/\botherwise\b/g, 'true')
    .replace(/\band\b/g, '&&')
    .replace(/(?<![<>])=/g, '===')
    .replace(/\bmax\b/g, 'Math.max');
  return Number(new Function(...Object.keys(scope), `return (${code});`)(...Object.values(scope)));
}

const held = ({ authorized, reversed, captured, released }: Amounts) =>
  Math.max(0, authorized - reversed - captured - released);

class Model {
  amounts: Amounts = { authorized: 0, captured: 0, reversed: 0, released: 0, expired: 0 };
  status = 'none';
  funds: number;
  readonly percent: number;

  constructor(funds: number, percent: number) {
    this.funds = funds;
    this.percent = percent;
  }

  get open(): number {
    return this.funds - held(this.amounts) - this.amounts.captured;
  }

  send(message: string, asked: number | undefined, final: boolean): string {
    const move = table.transitions[this.status]![message]!;
    if (move.refuse) return move.refuse;
    const { amounts } = this;
    const left = amounts.authorized - amounts.reversed;
    const limit = left <= 0 ? 0 : Math.floor((left * (100 + this.percent)) / 100);
    const amount = asked ?? held(amounts);
    const scope = { ...amounts, held: held(amounts), amount, limit, final: final ? 1 : 0 };
    for (const [condition, code] of Object.entries(move.unless ?? {})) if (evaluate(condition, scope)) return code;
    const decides = move.declined !== undefined;
    const event = decides && amount > this.open ? move.declined! : move.event!;
    for (const [name, expression] of Object.entries(table.events[event]!)) {
      const value = evaluate(expression, scope);
      amounts[name as keyof Amounts] = name === 'expired' ? value : amounts[name as keyof Amounts] + value;
    }
    const derived = { ...amounts, held: held(amounts) };
    this.status = table.derive.find(({ when }) => evaluate(when, derived))!.status;
    // A declined increment changes nothing, so it needs no line of its own in `to`.
    if (!event.endsWith('DECLINED')) expect(move.to).toContain(this.status);
    return event;
  }
}

const value = fc.integer({ min: 1, max: 70 });
const step = fc.oneof(
  fc.record({ message: fc.constant('increment'), amount: value, final: fc.constant(false) }),
  fc.record({ message: fc.constant('capture'), amount: value, final: fc.boolean() }),
  fc.record({
    message: fc.constant('reverse'),
    amount: fc.option(value, { nil: undefined }),
    final: fc.constant(false),
  }),
  fc.record({ message: fc.constant('expire'), amount: fc.constant(undefined), final: fc.constant(false) }),
);
const OPERATIONS: Record<string, string> = {
  increment: 'increments',
  capture: 'captures',
  reverse: 'reversals',
  expire: 'expire',
};

const tell = ({ status, body }: Answer): string => (status === 201 ? body.kind : body.code);

it('random orders of messages end as the table says', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 120 }),
      fc.integer({ min: 1, max: 100 }),
      fc.constantFrom('5411', '5812'),
      fc.array(step, { minLength: 1, maxLength: 12 }),
      async (funds, amount, mcc, steps) => {
        const { account, token } = await service.funded(String(funds));
        const model = new Model(funds, mcc === '5812' ? 20 : 0);
        const first = await service.authorize(token, String(amount), { merchant: { mcc, country: 'MX' } });
        expect(first.body.decision === 'APPROVED' ? 'AUTHORIZED' : 'DECLINED').toBe(
          model.send('authorize', amount, false),
        );
        const { id } = first.body;
        for (const { message, amount: asked, final } of steps) {
          const body = {
            ...(asked === undefined ? {} : { amount: usd(String(asked)) }),
            ...(message === 'capture' ? { final } : {}),
          };
          const answer = await service.act(id, OPERATIONS[message]!, body);
          expect(tell(answer)).toBe(model.send(message, asked, final));
        }
        const { authorized, captured, reversed, released } = model.amounts;
        const amounts = { authorized, captured, reversed, released, held: held(model.amounts) };
        expect((await service.get(`/v1/authorizations/${id}`)).body).toMatchObject({
          status: model.status,
          ...Object.fromEntries(Object.entries(amounts).map(([name, number]) => [name, String(number)])),
        });
        expect(await service.account(account)).toMatchObject({
          held: String(amounts.held),
          unposted: String(captured),
          openToBuy: String(model.open),
          overdrawn: model.open < 0,
        });
      },
    ),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 60) },
  );
  expect(await findViolations(process.env.SERVICE_OWNER_URL!)).toEqual([]);
});

it('any interleaving of duplicates of one history ends in one state', async () => {
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray([0, 0, 0, 1, 1, 1, 2, 2, 3, 3], { minLength: 10 }), async order => {
      const { account, token } = await service.funded('1000');
      const keys = [0, 1, 2, 3].map(() => randomUUID());
      const networkRef = `ref-${randomUUID()}`;
      // The messages commute: whatever comes first, the sums are the same.
      const id = await service.approved(token, '100', { networkRef });
      const send = [
        () => service.act(id, 'captures', { amount: usd('10') }, { 'idempotency-key': keys[0]! }),
        () => service.act(id, 'captures', { amount: usd('20') }, { 'idempotency-key': keys[1]! }),
        () => service.act(id, 'reversals', { amount: usd('30') }, { 'idempotency-key': keys[2]! }),
        () => service.authorize(token, '100', { networkRef }),
      ];
      await Promise.all(order.map(which => send[which]!()));
      const { body } = await service.get(`/v1/authorizations/${id}`);
      expect(body).toMatchObject({ captured: '30', reversed: '30', held: '40', version: 4 });
      expect((await service.account(account)).openToBuy).toBe('930');
    }),
    { numRuns: 10 },
  );
});

it('the table of the contract is the one in code and in the database', async () => {
  const written = parse(await readFile(join(ROOT, 'contracts/authorization-states.yaml'), 'utf8'));
  expect(written).toEqual(table);
  const client = new pg.Client({ connectionString: process.env.SERVICE_OWNER_URL });
  await client.connect();
  const { rows } = await client.query('SELECT status, message, event, refusal FROM state_transition');
  await client.end();
  const expected = Object.entries(table.transitions)
    .filter(([status]) => status !== 'none')
    .flatMap(([status, moves]) =>
      Object.entries(moves).map(([message, { event = null, refuse = null }]) => ({
        status,
        message,
        event,
        refusal: refuse,
      })),
    );
  const order = (a: { status: string; message: string }, b: { status: string; message: string }) =>
    `${a.status} ${a.message}` < `${b.status} ${b.message}` ? -1 : 1;
  expect(rows.sort(order)).toEqual(expected.sort(order));
});

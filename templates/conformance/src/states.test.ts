import { readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { parse } from 'yaml';
import { follow, held, status, type Auth } from './authorization/properties';
import { CONTRACTS } from './contract';
import { must } from './expect';

/** contracts/authorization-states.yaml, interpreted as it is written, beside the model that the suite holds services against. */
const table = parse(
  readFileSync(path.join(CONTRACTS, 'authorization-states.yaml'), 'utf8'),
);

type Facts = Record<string, bigint>;

const max = (a: bigint, b: bigint) => (a > b ? a : b);
const compiled = new Map<string, (...values: unknown[]) => bigint | boolean>();

/** Value of an expression of the table: sums, comparisons, `and`, `max`. */
function evaluate(expression: string, facts: Facts): bigint | boolean {
  const names = ['max', ...Object.keys(facts)];
  const key = `${names} ${expression}`;
  let run = compiled.get(key);
  if (!run) {
    const source = expression
      .replace(/\band\b/g, '&&')
      .replace(/(?<![<>])=/g, '===')
      .replace(/\b\d+\b/g, '$&n');
    // The table is ours: a file of this repository.
    // eslint-disable-next-line no-new-func
    run = new Function(...names, `return ${source}`) as unknown as typeof run;
    compiled.set(key, run!);
  }
  return run!(max, ...Object.values(facts));
}

class Interpreter {
  facts: Facts = {
    authorized: 0n,
    captured: 0n,
    reversed: 0n,
    released: 0n,
    expired: 0n,
  };

  constructor(readonly percent: bigint) {}

  all(more: Facts = {}): Facts {
    const { authorized, captured, reversed, released } = this.facts;
    const left = authorized - reversed - captured - released;
    return {
      ...this.facts,
      held: left > 0n ? left : 0n,
      // As the head of the file says.
      limit: ((authorized - reversed) * (100n + this.percent)) / 100n,
      ...more,
    };
  }

  status(): string {
    const facts = this.all();
    return table.derive.find(
      ({ when }: { when: string }) =>
        when === 'otherwise' ||
        evaluate(when === 'expired' ? 'expired > 0' : when, facts),
    ).status;
  }

  append(kind: string, amount: bigint, final: boolean): void {
    const before = this.all({ amount, final: final ? 1n : 0n });
    for (const [name, expression] of Object.entries<string | number>(
      table.events[kind],
    ))
      this.facts[name] += evaluate(String(expression), before) as bigint;
  }

  /** The kind of event or the code of the refusal that a message leads to. */
  follow(message: string, amount: bigint, final: boolean, approved: boolean) {
    const from = this.status();
    const rule = table.transitions[from][message];
    if (rule.refuse) return rule.refuse;
    for (const [condition, code] of Object.entries<string>(rule.unless ?? {}))
      if (evaluate(condition, this.all({ amount }))) return code;
    if (!approved) return rule.declined;
    this.append(rule.event, amount, final);
    must(
      rule.to.includes(this.status()),
      `${message} leads from ${from} to ${this.status()}`,
    );
    return rule.event;
  }
}

const MESSAGES: Record<string, string> = {
  increments: 'increment',
  captures: 'capture',
  reversals: 'reverse',
  expire: 'expire',
};

describe('the state table of authorizations', () => {
  it('names an answer to every message in every status', () => {
    for (const from of table.statuses)
      for (const message of Object.values(MESSAGES)) {
        const rule = table.transitions[from][message];
        expect([from, message, Boolean(rule?.refuse ?? rule?.event)]).toEqual([
          from,
          message,
          true,
        ]);
        if (rule.event) expect(Object.keys(table.events)).toContain(rule.event);
        for (const to of rule.to ?? []) expect(table.statuses).toContain(to);
      }
  });

  it('leads where the model of the suite leads, in any order of messages', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 100n }),
        fc.constantFrom(0n, 20n),
        fc.array(
          fc.record({
            what: fc.constantFrom(...Object.keys(MESSAGES)),
            amount: fc.bigInt({ min: 1n, max: 120n }),
            final: fc.boolean(),
          }),
          { maxLength: 12 },
        ),
        (authorized, percent, messages) => {
          const model: Auth = {
            id: '',
            ref: '',
            percent,
            authorized,
            captured: 0n,
            reversed: 0n,
            released: 0n,
            expired: false,
            version: 1,
          };
          const world = { who: undefined as any, funds: 200n, auths: [model] };
          const interpreter = new Interpreter(percent);
          interpreter.append('AUTHORIZED', authorized, false);
          for (const { what, amount, final } of messages) {
            const last = what === 'captures' && final;
            const open = 200n - held(model) - model.captured;
            const from = status(model);
            const expected = follow(world, model, what, amount, last);
            const got = interpreter.follow(
              MESSAGES[what],
              what === 'expire' ? interpreter.all().held : amount,
              last,
              what !== 'increments' || amount <= open,
            );
            expect([from, what, got]).toEqual([from, what, expected]);
            expect(interpreter.status()).toBe(status(model));
            expect(interpreter.all().held).toBe(held(model));
            seen.add(`${from} ${what} ${got}`);
          }
        },
      ),
      { seed: 1, numRuns: 2_000 },
    );
    // The walk came by all that matters.
    for (const step of [
      'AUTHORIZED captures CAPTURED',
      'PARTIALLY_CAPTURED reversals REVERSED',
      'EXPIRED captures FORCE_POSTED',
      'CAPTURED captures FORCE_POSTED',
      'REVERSED captures authorization-not-open',
      'AUTHORIZED increments INCREMENT_DECLINED',
    ])
      expect([...seen]).toContain(step);
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createLogger } from '../../src/platform/logger.ts';
import { passesLuhn, scrubLine } from '../../src/platform/redact.ts';

function logged(...args: [unknown, ...unknown[]]): string {
  const lines: string[] = [];
  const log = createLogger({ logLevel: 'info', serviceName: 's' }, { write: line => lines.push(line) });
  (log.info as (...all: unknown[]) => void)(...args);
  const line = lines.join('');
  expect(() => JSON.parse(line) as unknown).not.toThrow();
  return line;
}

// Test numbers that the schemes publish.
const CARDS = ['4111111111111111', '5555555555554444', '378282246310005', '6011111111111117', '3530111333300000'];

describe('card numbers', () => {
  it.each(CARDS)('%s is not logged, wherever it stands', card => {
    const groups = card.length === 15 ? [4, 6, 5] : [4, 4, 4, 4];
    const split = (by: string) => {
      let at = 0;
      return groups.map(size => card.slice(at, (at += size))).join(by);
    };
    for (const written of [card, split(' '), split('-')]) {
      for (const line of [
        logged(`paid with ${written}, thanks`),
        logged({ deep: { list: [{ note: `x${written}`.replace('x', ' ') }] } }, 'x'),
        logged({ err: new Error(`no such card ${written}`) }, 'x'),
        logged('card %s', written),
        logged({ text: JSON.stringify({ number: written }) }, 'x'),
      ]) {
        expect(line).not.toContain(written);
        expect(line).toContain('[card number]');
      }
    }
    expect(logged({ number: Number(card) }, 'x')).not.toContain(card);
  });

  it('checks the digit as ISO 7812 says', () => {
    // 7992739871 with check digit 3 is the example of the standard's literature; all other digits are wrong.
    expect([...'0123456789'].filter(digit => passesLuhn(`7992739871${digit}`))).toEqual(['3']);
  });

  it('is not looked for behind the point of a number: the line stays JSON', () => {
    for (const value of [0.4111111111111111, -12.4111111111111111e-1, 0.5555555555554444, [1.4111111111111111, 2]]) {
      expect(JSON.parse(logged({ value }, 'x'))).toMatchObject({ value });
    }
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(number, value => {
        const line = scrubLine(JSON.stringify({ value }));
        expect(() => JSON.parse(line) as unknown).not.toThrow();
      }),
    );
    expect(logged('of v1.4111111111111111')).toContain('v1.[card number]');
  });

  it('is found in any text, and every other digit run stays', () => {
    const body = fc
      .tuple(fc.constantFrom('2', '3', '4', '5', '6'), fc.integer({ min: 11, max: 17 }))
      .chain(([first, n]) =>
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: n, maxLength: n }).map(rest => first + rest.join('')),
      );
    fc.assert(
      fc.property(body, fc.string(), (digits, around) => {
        const check = [...'0123456789'].find(digit => passesLuhn(digits + digit))!;
        const wrong = String((Number(check) + 1) % 10);
        const safe = around.replaceAll(/[\d%;]/g, '');
        expect(scrubLine(JSON.stringify({ text: `${safe} ${digits}${check} ${safe}` }))).not.toContain(digits);
        expect(scrubLine(JSON.stringify({ text: `${safe} ${digits}${wrong} ${safe}` }))).toContain(digits + wrong);
      }),
    );
  });

  it('leaves ids, times and amounts', () => {
    const fine = { id: '0199d5d0-0000-7000-8000-000000000002', at: 1795269823000, value: '999999999999999999', n: 12 };
    expect(JSON.parse(logged(fine, 'x'))).toMatchObject(fine);
  });
});

describe('secrets', () => {
  it('are cut out by the name of their field, at any depth and in any spelling', () => {
    const line = logged(
      {
        card: { cvv: '123', CVC2: 456, 'track-data': 'abc', pin_block: 'AA' },
        a: [{ b: { c: { Authorization: 'Bearer t0p', api_key: 'k3y', refreshToken: 'r3f' } } }],
        password: 'hunter2',
        token: null,
      },
      'x',
    );
    expect(line).not.toMatch(/123|456|abc|"AA"|t0p|k3y|r3f|hunter2/);
    expect(JSON.parse(line)).toMatchObject({ token: null, card: { cvv: '[redacted]' } });
  });

  it('are cut out of texts by their form', () => {
    const track1 = '%B4111111111111111^DOE/JANE^29011010000000000000?';
    const track2 = ';4111111111111111=29011010000000000000?';
    const line = logged(
      `swiped ${track1} ${track2} sent Authorization: Bearer abc.def-ghi to postgresql://app:s3cret@db/x`,
    );
    expect(line).not.toMatch(/4111|DOE|2901|abc\.def|s3cret/);
    expect(line).toContain('postgresql://app:[redacted]@db/x');
  });

  it('survives what cannot be walked through', () => {
    const circle: Record<string, unknown> = { name: 'x', cvv: '999' };
    circle.self = circle;
    const line = logged(circle, 'x');
    expect(line).not.toContain('999');
    expect(line).toContain('[too deep]');
    expect(logged({ when: new Date(0), map: Object.create(null) }, 'x')).toContain('1970-01-01');
  });

  it('does not print the connection that an error carries', () => {
    const error = Object.assign(new Error('lost'), { code: '57P01', client: { host: 'db.internal' } });
    const line = logged({ err: error }, 'x');
    expect(JSON.parse(line).err).toMatchObject({ type: 'Error', message: 'lost', code: '57P01' });
    expect(line).not.toContain('db.internal');
  });
});

import fc from 'fast-check';
import { nrql, nrqlIdentifier, nrqlNumber, nrqlString } from './nrql';

/** Reads one literal at the start; answers its value and what follows. */
function readLiteral(text: string): { value: string; rest: string } {
  expect(text[0]).toBe(`'`);
  let value = '';
  for (let i = 1; i < text.length; i++) {
    if (text[i] === '\\') {
      i += 1;
      value += text[i];
    } else if (text[i] === `'`) {
      return { value, rest: text.slice(i + 1) };
    } else {
      value += text[i];
    }
  }
  throw new Error('the literal does not end');
}

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(`'`, '\\', '"', '`', '%', ' OR 1', '$') }),
);

describe('nrqlString', () => {
  it.each([
    [`it's`, `'it\\'s'`],
    ['back\\slash', `'back\\\\slash'`],
    [`\\' OR 1 = 1 --`, `'\\\\\\' OR 1 = 1 --'`],
    ['100 % "sure" `x` ${y} {z}', `'100 % "sure" \`x\` \${y} {z}'`],
    ['Zürich 決済', `'Zürich 決済'`],
    ['', `''`],
  ])('escapes %j', (input, expected) => {
    expect(nrqlString(input)).toBe(expected);
  });

  it.each([
    'a\nb',
    'a\r',
    '\u0000',
    'a\u2028b',
    '\u202eevil',
    '\ud800',
    '\u200b',
  ])('refuses %j', input => {
    expect(() => nrqlString(input)).toThrow(/control or invisible/);
  });

  it('keeps any text inside its literal, or refuses it', () => {
    fc.assert(
      fc.property(hostile, fc.string(), (text, tail) => {
        let literal: string;
        try {
          literal = nrqlString(text);
        } catch {
          return;
        }
        expect(readLiteral(`${literal}${tail}`)).toEqual({
          value: text,
          rest: tail,
        });
      }),
      { numRuns: 2000 },
    );
  });
});

describe('nrqlIdentifier', () => {
  it.each([
    ['appName', 'appName'],
    ['http.statusCode', 'http.statusCode'],
    ['select', '`select`'],
    ['my-attribute', '`my-attribute`'],
    ['tags.nr/team name', '`tags.nr/team name`'],
  ])('allows %s', (input, expected) => {
    expect(nrqlIdentifier(input)).toBe(expected);
  });

  it.each([
    '',
    '1a',
    'a`b',
    "a'b",
    'a)b',
    'a,b',
    'a\\',
    'a\n',
    'ä',
    'a;b',
    'count(*)',
  ])('refuses %j', input => {
    expect(() => nrqlIdentifier(input)).toThrow(/not an attribute name/);
  });
});

describe('nrqlNumber', () => {
  it.each([
    [0, '0'],
    [-0, '0'],
    [1e-10, '0'],
    [0.000001, '0.000001'],
    [2 ** 0.25 / 1000, '0.001189207'],
    [16.384, '16.384'],
    [-1.5, '-1.5'],
    [1702899296789, '1702899296789'],
    [100, '100'],
  ])('writes %p without an exponent', (input, expected) => {
    expect(nrqlNumber(input)).toBe(expected);
  });

  it.each([NaN, Infinity, -Infinity, 1e21])('refuses %p', input => {
    expect(() => nrqlNumber(input)).toThrow(/number/);
  });
});

describe('nrql', () => {
  it('renders each kind of value', () => {
    const attribute = nrql.id('order-id');
    const conditions = nrql.join(
      [nrql`appName IN ${['a', `b'`]}`, nrql`${attribute} > ${0.5}`],
      ' AND ',
    );
    expect(
      nrql`FROM Transaction SELECT count(*) WHERE ${conditions} AND error IS ${true} SINCE ${new Date(
        1000,
      )}`.toString(),
    ).toBe(
      `FROM Transaction SELECT count(*) WHERE appName IN ('a', 'b\\'') AND \`order-id\` > 0.5 AND error IS TRUE SINCE 1000`,
    );
  });

  it('refuses an empty list and other values', () => {
    expect(() => nrql`IN ${[]}`).toThrow(/at least one/);
    expect(() => nrql`${{ toString: () => 'x' } as never}`).toThrow(
      /type object/,
    );
    expect(() => nrql`${undefined as never}`).toThrow(/type undefined/);
    expect(() => nrql`${null as never}`).toThrow(/type object/);
    expect(() => nrql`${new Date(NaN)}`).toThrow(/number/);
  });
});

import fc from 'fast-check';
import { Pattern, matchesAny } from './patterns';

const matches = (pattern: string, value: string, claims = {}, fold = false) =>
  new Pattern(pattern).matches(value, claims, fold);

it.each([
  ['main', 'main', true],
  ['main', 'mainly', false],
  ['main', 'xmain', false],
  ['release/*', 'release/1.2', true],
  ['release/*', 'release/1/2', false],
  ['release/**', 'release/1/2', true],
  ['**', 'any/thing', true],
  ['*', '', true],
  ['v?.?', 'v1.2', true],
  ['v?.?', 'v1/2', false],
  ['a.c', 'abc', false],
  ['(a+)+$', 'aaa', false],
  ['(a+)+$', '(a+)+$', true],
  ['[ab]', 'a', false],
  ['main\n', 'main', false],
])('%s for %s: %s', (pattern, value, expected) => {
  expect(matches(pattern, value)).toBe(expected);
});

it('takes a claim literally, and matches nothing without it', () => {
  expect(matches('{owner}', 'acme', { owner: 'acme' })).toBe(true);
  expect(matches('{owner}', 'anything', { owner: '**' })).toBe(false);
  expect(matches('{owner}-*', 'acme-x', { owner: 'acme' })).toBe(true);
  expect(matches('{id}', '7', { id: 7 })).toBe(true);
  for (const claims of [{}, { owner: '' }, { owner: null }, { owner: ['a'] }]) {
    expect(matches('{owner}', '', claims)).toBe(false);
    expect(matches('**{owner}', 'a', claims)).toBe(false);
  }
  expect(matches('{constructor}', 'x')).toBe(false);
  expect(matches('{Owner}', 'ACME', { Owner: 'acme' }, true)).toBe(true);
  expect(matches('Acme', 'acme')).toBe(false);
});

it('says why a text is no pattern', () => {
  expect(() => new Pattern('')).toThrow('1 to 300');
  expect(() => new Pattern('x'.repeat(301))).toThrow('1 to 300');
  expect(() => new Pattern('a*b'.repeat(11))).toThrow('10 wildcards');
  for (const text of ['{', '}', '{}', 'a{b', 'a}b', '{{a}']) {
    expect(() => new Pattern(text)).toThrow(/not a claim/);
  }
});

/** What the pattern means, as a regular expression; the oracle, for short texts only. */
function oracle(pattern: string): RegExp {
  const source = pattern
    .split(/(\*\*|\*|\?)/)
    .map(
      part =>
        ({ '**': '[^]*', '*': '[^/]*', '?': '[^/]' }[part] ??
        part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')),
    )
    .join('');
  return new RegExp(`^${source}$`, 'u');
}

const letter = fc.constantFrom('a', 'b', '/', '.', '-', 'é', '😀');
const text = fc.array(letter, { maxLength: 8 }).map(all => all.join(''));
const pattern = fc
  .array(fc.oneof(letter, fc.constantFrom('*', '**', '?')), {
    minLength: 1,
    maxLength: 7,
  })
  .map(all => all.join(''));

it('matches just what it means', () => {
  fc.assert(
    fc.property(pattern, text, (p, t) => {
      // Three stars in a row are read from the left, by both.
      expect(matches(p, t)).toBe(oracle(p).test(t));
    }),
    { numRuns: 2000 },
  );
});

it('matches a literal only with itself, whatever stands around it', () => {
  const literal = fc
    .string({ minLength: 1, maxLength: 30 })
    .filter(s => !/[*?{}]/.test(s));
  fc.assert(
    fc.property(literal, fc.string({ minLength: 1 }), (value, extra) => {
      expect(matches(value, value)).toBe(true);
      expect(matches(value, value + extra)).toBe(false);
      expect(matches(value, extra + value)).toBe(false);
      expect(matchesAny([new Pattern(value)], `${value}\n`)).toBe(false);
    }),
  );
});

it('takes no longer than pattern times value, whatever they are', () => {
  const hard = new Pattern(`${'**a'.repeat(10)}b`);
  // Exponential search would not come back from a thousand of these.
  for (let i = 0; i < 200; i++) {
    expect(hard.matches('a'.repeat(2000))).toBe(false);
  }
  expect(hard.matches('a'.repeat(2001))).toBe(false);
  expect(new Pattern('**').matches('a'.repeat(2001))).toBe(false);
});

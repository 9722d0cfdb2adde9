import fc from 'fast-check';
import {
  addRange,
  clipRanges,
  coveredMinutes,
  missingRanges,
  type MinuteRange,
} from './ranges';

const range = fc
  .tuple(fc.nat(60), fc.nat(20))
  .map(([from, length]): MinuteRange => [from, from + length]);

function minutesOf(ranges: MinuteRange[]): Set<number> {
  const set = new Set<number>();
  for (const [from, to] of ranges) {
    for (let m = from; m < to; m++) {
      set.add(m);
    }
  }
  return set;
}

describe('ranges', () => {
  it('behave as sets of minutes, in the shortest form', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), range, (parts, probe) => {
        const list = parts.reduce<MinuteRange[]>(
          (all, [from, to]) => addRange(all, from, to),
          [],
        );
        const set = minutesOf(parts);
        expect(minutesOf(list)).toEqual(set);
        list.forEach(([from, to], i) => {
          expect(from).toBeLessThan(to);
          expect(from).toBeGreaterThan(list[i - 1]?.[1] ?? -1);
        });
        const [from, to] = probe;
        const inside = [...set].filter(m => m >= from && m < to);
        expect(coveredMinutes(list, from, to)).toBe(inside.length);
        expect(minutesOf(clipRanges(list, from, to))).toEqual(new Set(inside));
        const missing = minutesOf(missingRanges(list, from, to));
        expect(missing.size + inside.length).toBe(to - from);
        expect(inside.some(m => missing.has(m))).toBe(false);
      }),
    );
  });
});

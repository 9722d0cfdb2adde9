/** A half-open range `[from, to)` in minutes since the epoch. */
export type MinuteRange = [from: number, to: number];

/** Adds a range to a sorted list of ranges that do not touch; the result is such a list again. */
export function addRange(
  ranges: readonly MinuteRange[],
  from: number,
  to: number,
): MinuteRange[] {
  if (to <= from) {
    return [...ranges];
  }
  const before = ranges.filter(r => r[1] < from);
  const after = ranges.filter(r => r[0] > to);
  const touching = ranges.slice(before.length, ranges.length - after.length);
  return [
    ...before,
    [
      Math.min(from, ...touching.map(r => r[0])),
      Math.max(to, ...touching.map(r => r[1])),
    ],
    ...after,
  ];
}

/** The parts of `[from, to)` that are in the list. */
export function clipRanges(
  ranges: readonly MinuteRange[],
  from: number,
  to: number,
): MinuteRange[] {
  return ranges
    .map<MinuteRange>(r => [Math.max(r[0], from), Math.min(r[1], to)])
    .filter(r => r[1] > r[0]);
}

/** The parts of `[from, to)` that are not in the list. */
export function missingRanges(
  ranges: readonly MinuteRange[],
  from: number,
  to: number,
): MinuteRange[] {
  const missing: MinuteRange[] = [];
  let next = from;
  for (const [start, end] of clipRanges(ranges, from, to)) {
    if (start > next) {
      missing.push([next, start]);
    }
    next = end;
  }
  if (next < to) {
    missing.push([next, to]);
  }
  return missing;
}

/** Number of minutes of `[from, to)` that are in the list. */
export function coveredMinutes(
  ranges: readonly MinuteRange[],
  from: number,
  to: number,
): number {
  let total = 0;
  for (const [start, end] of ranges) {
    const overlap = Math.min(end, to) - Math.max(start, from);
    if (overlap > 0) {
      total += overlap;
    }
  }
  return total;
}

/** The parts of the list that are in none of `minus`. */
export function subtractRanges(
  ranges: readonly MinuteRange[],
  minus: readonly MinuteRange[],
): readonly MinuteRange[] {
  if (minus.length === 0) {
    return ranges;
  }
  return ranges.flatMap(([from, to]) => missingRanges(minus, from, to));
}

/** Any ranges as a sorted list of ranges that do not touch. */
export function mergeRanges(ranges: readonly MinuteRange[]): MinuteRange[] {
  return ranges.reduce<MinuteRange[]>(
    (merged, [from, to]) => addRange(merged, from, to),
    [],
  );
}

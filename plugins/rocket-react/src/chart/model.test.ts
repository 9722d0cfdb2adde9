import { formatDuration } from '../format';
import {
  describeSeries,
  nearestIndex,
  readPoint,
  timesOf,
  unobservedRanges,
  valueDomain,
  type ChartPoint,
  markersWithin,
} from './model';

const text = (value: number) => formatDuration(value).text;

function points(values: (number | null | undefined)[]): ChartPoint[] {
  return values.map((value, index) => ({
    time: index * 1000,
    observed: value !== undefined,
    value: value ?? null,
  }));
}

describe('unobservedRanges', () => {
  it('joins neighbours and does not take an interval without requests for a gap', () => {
    expect(
      unobservedRanges(
        points([undefined, undefined, 1, null, undefined]),
        1000,
      ),
    ).toEqual([
      { from: 0, to: 2000 },
      { from: 4000, to: 5000 },
    ]);
  });
});

describe('nearestIndex', () => {
  it.each([
    [-5, 0],
    [0, 0],
    [14, 1],
    [15, 1],
    [16, 2],
    [999, 3],
  ])('finds the time next to %p', (wanted, index) => {
    expect(nearestIndex([0, 10, 20, 30], wanted)).toBe(index);
  });

  it('finds nothing among no times', () => {
    expect(nearestIndex([], 4)).toBe(-1);
  });
});

describe('words for points and lines', () => {
  it('tells figures, emptiness and ignorance apart', () => {
    const [figure, empty, unobserved] = points([12, null, undefined]);
    expect(readPoint(figure, text)).toBe('12 ms');
    expect(readPoint(empty, text)).toBe('no requests');
    expect(readPoint(unobserved, text)).toBe('not observed');
    expect(readPoint(undefined, text)).toBe('not observed');
  });

  it('never reads the value of a point that was not observed', () => {
    expect(readPoint({ time: 0, observed: false, value: 7 }, text)).toBe(
      'not observed',
    );
    expect(
      describeSeries(
        {
          id: 'a',
          label: 'A',
          points: [{ time: 0, observed: false, value: 7 }],
        },
        text,
      ),
    ).toBe('A: no data.');
  });

  it('describes a line with its ends and its gaps', () => {
    expect(
      describeSeries(
        { id: 'a', label: 'Path', points: points([40, 20, undefined, 30]) },
        text,
      ),
    ).toBe(
      'Path: latest 30 ms, lowest 20 ms, highest 40 ms. 1 of 4 intervals not observed.',
    );
  });
});

describe('timesOf', () => {
  it('merges lines that begin at different times', () => {
    const late = points([1, 2]).map(point => ({
      ...point,
      time: point.time + 1000,
    }));
    expect(
      timesOf([
        { id: 'a', label: 'a', points: points([1, 2]) },
        { id: 'b', label: 'b', points: late },
      ]),
    ).toEqual([0, 1000, 2000]);
  });
});

describe('valueDomain', () => {
  const domain = (
    values: (number | null | undefined)[],
    options: Partial<Parameters<typeof valueDomain>[0]> = {},
  ) =>
    valueDomain({
      series: [{ id: 'a', label: 'a', points: points(values) }],
      thresholds: [],
      minSpan: 0.002,
      ...options,
    });

  it('ends shares at their ceiling and keeps a flat line flat', () => {
    expect(domain([1, 1], { floor: 0, ceiling: 1 })).toEqual([0.998, 1]);
  });

  it('begins rates at zero and shows the threshold', () => {
    const [from, to] = domain([0.01], {
      floor: 0,
      thresholds: [{ value: 0.5, label: 'limit' }],
    });
    expect(from).toBe(0);
    expect(to).toBeGreaterThan(0.5);
  });

  it('has a range without any data', () => {
    expect(domain([undefined, null], { floor: 0 })).toEqual([
      0,
      expect.closeTo(0.00216, 5),
    ]);
  });
});

describe('markersWithin', () => {
  const marker = (time: number, until?: number, open?: boolean) => ({
    id: `${time}`,
    kind: 'incident' as const,
    time,
    until,
    open,
    label: 'x',
  });
  const within = (...markers: ReturnType<typeof marker>[]) =>
    markersWithin(markers, 100, 200).map(({ start, end }) => [start, end]);

  it('leaves out what was before or comes after', () => {
    expect(within(marker(99), marker(200), marker(10, 99))).toEqual([]);
  });

  it('cuts what lasts to the stretch, and lets what is open go on to its end', () => {
    expect(
      within(
        marker(100),
        marker(50, 150),
        marker(150, 500),
        marker(10, undefined, true),
      ),
    ).toEqual([
      [100, undefined],
      [100, 150],
      [150, 200],
      [100, 200],
    ]);
  });
});

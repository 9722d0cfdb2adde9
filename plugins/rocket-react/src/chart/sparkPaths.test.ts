import type { ChartPoint } from './model';
import { linearScale, sparkPaths } from './sparkPaths';

const points = (...values: (number | null | undefined)[]): ChartPoint[] =>
  values.map((value, index) => ({
    time: index,
    observed: value !== undefined,
    value: value ?? null,
  }));
const paths = (list: ChartPoint[]) =>
  sparkPaths(
    list,
    point => point.time * 10,
    value => 20 - value,
    20,
  );

describe('sparkPaths', () => {
  it('draws a line and the area down to the base', () => {
    expect(paths(points(1, 3.456, 2))).toEqual({
      line: 'M0,19L10,16.54L20,18',
      area: 'M0,19L10,16.54L20,18L20,20L0,20Z',
    });
  });

  it('leaves gaps for what was not observed or had nothing to measure', () => {
    expect(paths(points(1, 2, undefined, 3, 4, null, 5))).toEqual({
      line: 'M0,19L10,18M30,17L40,16M60,15Z',
      area: 'M0,19L10,18L10,20L0,20ZM30,17L40,16L40,20L30,20ZM60,15L60,20L60,20Z',
    });
  });

  it('draws nothing where there is nothing', () => {
    expect(paths(points(null, undefined))).toEqual({ line: '', area: '' });
  });
});

it('maps a domain onto pixels, upside down as well', () => {
  const y = linearScale([10, 20], [22, 2]);
  expect([10, 15, 20].map(y)).toEqual([22, 12, 2]);
  expect(linearScale([5, 5], [0, 94])(5)).toBe(47);
});

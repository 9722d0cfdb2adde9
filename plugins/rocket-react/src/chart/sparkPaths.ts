import { isDrawable, type ChartPoint } from './model';

/** Maps a domain onto pixels; what has no extent lies in the middle. */
export function linearScale(
  [from, to]: readonly [number, number],
  [start, end]: readonly [number, number],
): (value: number) => number {
  const span = to - from;
  return span === 0
    ? () => (start + end) / 2
    : value => start + ((value - from) / span) * (end - start);
}

// A hundredth of a pixel, without the trailing zeros of toFixed.
const px = (value: number) => Math.round(value * 100) / 100;

/**
 * The data of two SVG paths: the line through all points that can be drawn,
 * with a gap where one cannot, and the area between it and `base`. A board has
 * hundreds of these, so they are written without the help of the chart library.
 */
export function sparkPaths(
  points: ChartPoint[],
  x: (point: ChartPoint) => number,
  y: (value: number) => number,
  base: number,
): { line: string; area: string } {
  let line = '';
  let area = '';
  let first: number | undefined;
  let last = 0;
  const close = () => {
    if (first !== undefined) {
      // A point without neighbours is a dot, which the round cap of a closed path draws.
      line += first === last ? 'Z' : '';
      area += `L${last},${px(base)}L${first},${px(base)}Z`;
    }
    first = undefined;
  };
  for (const point of points) {
    if (!isDrawable(point)) {
      close();
      continue;
    }
    last = px(x(point));
    const to = `${first === undefined ? 'M' : 'L'}${last},${px(
      y(point.value),
    )}`;
    first ??= last;
    line += to;
    area += to;
  }
  close();
  return { line, area };
}

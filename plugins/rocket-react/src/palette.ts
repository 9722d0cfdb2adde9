import styles from './palette.module.css';

/** Class that defines the `--rocket-*` colours for an element and everything in it. */
export const paletteClass = styles.palette;

/** Number of line colours for applications; more lines begin again with another dash. */
export const SERIES_COLORS = 8;

/** Colour of the n-th application's line, the same on every chart of a page. */
export function seriesColor(index: number): string {
  return `var(--rocket-series-${(index % SERIES_COLORS) + 1})`;
}

/** Dash of the n-th application's line, so that colour is not the only difference. */
export function seriesDash(index: number): string | undefined {
  const dashes = [undefined, '5 3', '2 2.5', '8 3 2 3'];
  return dashes[(index + Math.floor(index / SERIES_COLORS)) % dashes.length];
}

import { startTransition, useEffect, useState } from 'react';

/** Height of a row and of what stands above the first one, in pixels, as boards have them at least. */
const ROW = 64;
const ABOVE = 330;
const FEWEST = 6;
/** Rows that are added at a time, between two frames. */
const STEP = 24;

/** Rows that fit on the reader's screen: what people wait for. */
const onScreen = () =>
  Math.max(FEWEST, Math.ceil((window.innerHeight - ABOVE) / ROW));

/**
 * The first rows at once and the rest as the browser finds time, so that a
 * board of hundreds of paths shows as fast as one of a few. All rows are there
 * a moment later: searching the page, printing and screen readers see them.
 * A list that only changes its figures or order keeps all its rows.
 */
export function useGrowingRows<T>(rows: T[]): { shown: T[]; more: boolean } {
  const [count, setCount] = useState(onScreen);
  const more = count < rows.length;
  useEffect(() => {
    if (!more) return undefined;
    const frame = requestAnimationFrame(() =>
      startTransition(() => setCount(current => current + STEP)),
    );
    return () => cancelAnimationFrame(frame);
  }, [more, count]);
  return { shown: more ? rows.slice(0, count) : rows, more };
}

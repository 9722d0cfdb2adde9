import { startTransition, useEffect, useState } from 'react';

/** Rows that fit on a tall screen: what people wait for. */
const FIRST = 12;
/** Rows that are added at a time, between two frames. */
const STEP = 24;

/**
 * The first rows at once and the rest as the browser finds time, so that a
 * board of hundreds of paths shows as fast as one of a few. All rows are there
 * a moment later: searching the page, printing and screen readers see them.
 * A list that only changes its figures or order keeps all its rows.
 */
export function useGrowingRows<T>(rows: T[]): { shown: T[]; more: boolean } {
  const [count, setCount] = useState(FIRST);
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

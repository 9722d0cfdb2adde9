import { useCallback, useRef, useState } from 'react';

/**
 * Width of an element in CSS pixels, followed while it changes. Before the
 * first measurement, and where the browser cannot measure, it is `initial`.
 */
export function useElementWidth(initial: number) {
  const [width, setWidth] = useState(initial);
  const observer = useRef<ResizeObserver>();
  const ref = useCallback((element: HTMLElement | null) => {
    observer.current?.disconnect();
    observer.current = undefined;
    if (!element || typeof ResizeObserver === 'undefined') {
      return;
    }
    const measure = (next: number) => {
      if (next > 0) {
        setWidth(Math.floor(next));
      }
    };
    measure(element.getBoundingClientRect().width);
    observer.current = new ResizeObserver(entries =>
      measure(entries[entries.length - 1].contentRect.width),
    );
    observer.current.observe(element);
  }, []);
  return [ref, width] as const;
}

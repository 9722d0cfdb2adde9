import { renderHook, waitFor } from '@testing-library/react';
import { useGrowingRows } from './useGrowingRows';

const rows = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('useGrowingRows', () => {
  it('begins with what fits on a screen and ends with everything, in order', async () => {
    const lengths: number[] = [];
    const all = rows(206);
    const { result } = renderHook(() => {
      const { shown } = useGrowingRows(all);
      lengths.push(shown.length);
      return shown;
    });
    expect(lengths[0]).toBeLessThan(30);
    await waitFor(() => expect(result.current).toEqual(all));
  });

  it('keeps all rows when only their figures change', async () => {
    const { result, rerender } = renderHook(
      ({ list }) => useGrowingRows(list).shown,
      { initialProps: { list: rows(100) } },
    );
    await waitFor(() => expect(result.current).toHaveLength(100));
    rerender({ list: rows(100).reverse() });
    expect(result.current).toHaveLength(100);
    expect(result.current[0]).toBe(99);
  });
});

import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router-dom';
import { readView, writeView, type DeliveryView } from '../../lib/deliveryView';

/** What the address says, and how to change it. */
export function useView() {
  const [params, setParams] = useSearchParams();
  const view = useMemo(() => readView(params), [params]);
  const change = useCallback(
    (next: Partial<DeliveryView>) =>
      setParams(
        current => writeView(current, { ...readView(current), ...next }),
        { replace: true },
      ),
    [setParams],
  );
  return { params, view, change };
}

import type {
  InfiniteData,
  UseInfiniteQueryResult,
  UseQueryResult,
} from '@tanstack/react-query';
import { useRef } from 'react';
import { useNow } from '../hooks/useNow';
import { REFRESH_SECONDS } from './QueryRoot';

/** An answer of a backend and how far it can be trusted. */
export interface Reading<T> {
  data?: T;
  /** Last failure, also while older data is still shown. */
  error?: Error;
  /** When the shown data arrived, milliseconds. */
  receivedAt: number;
  /** True when refreshing fails or has not happened for long: what is shown may be wrong by now. */
  outdated: boolean;
  /** True while an answer to another question stands in for the wanted one. */
  switching: boolean;
  /** True while nothing can be shown yet. */
  loading: boolean;
  refresh: () => void;
}

/** Refreshes that may be missed before the page says that its figures are old. */
const MISSED_REFRESHES = 4;

/** Says of a query's result how far it can be trusted. `live: false` is for what is not read again by itself. */
export function useReading<T>(
  query: UseQueryResult<T, Error> | UseInfiniteQueryResult<T, Error>,
  { live = true }: { live?: boolean } = {},
): Reading<T> {
  const now = useNow();
  const { data, dataUpdatedAt, isPlaceholderData, isPending, refetch } = query;
  // A new attempt forgets the error of the last one; without data that would
  // make the page jump between error and skeleton at every attempt.
  const lastError = useRef<Error | null>(null);
  if (query.error || data) {
    lastError.current = query.error;
  }
  const error = lastError.current;
  const silent =
    live && now - dataUpdatedAt > MISSED_REFRESHES * REFRESH_SECONDS * 1000;
  return {
    data,
    error: error ?? undefined,
    receivedAt: dataUpdatedAt,
    outdated: Boolean(data) && !isPlaceholderData && (Boolean(error) || silent),
    switching: isPlaceholderData,
    loading: isPending && !error,
    refresh: () => {
      refetch();
    },
  };
}

/** The items of all pages that were read so far. */
export function itemsOf<T>(
  data: InfiniteData<{ items: T[] }> | undefined,
): T[] {
  return data?.pages.flatMap(page => page.items) ?? [];
}

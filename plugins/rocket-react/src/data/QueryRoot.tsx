import { useState, type ReactNode } from 'react';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';

/** Seconds between two reads of a page that is looked at. */
export const REFRESH_SECONDS = 15;

/** One query client for everything below it: each page, tab and card has its own. */
export function QueryRoot({ children }: { children: ReactNode }) {
  const [client] = useState(
    () =>
      new QueryClient({
        defaultOptions: {
          queries: {
            refetchInterval: REFRESH_SECONDS * 1000,
            staleTime: 5_000,
            // The next read comes by itself; an error is worth showing at once.
            retry: false,
            // Otherwise an offline browser would keep old figures without a word.
            networkMode: 'always',
          },
        },
      }),
  );
  return <QueryClientProvider client={client}>{children}</QueryClientProvider>;
}

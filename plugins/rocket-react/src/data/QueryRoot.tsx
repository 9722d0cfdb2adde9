import { useState, type ReactNode } from 'react';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';

/** Seconds between two reads of a page that is looked at. */
export const REFRESH_SECONDS = 15;

/** Props of {@link QueryRoot}. */
export interface QueryRootProps {
  /** False where what is read does not change while it is looked at: in forms. */
  live?: boolean;
  children: ReactNode;
}

/** One query client for everything below it: each page, tab and card has its own. */
export function QueryRoot({ live = true, children }: QueryRootProps) {
  const [client] = useState(
    () =>
      new QueryClient({
        defaultOptions: {
          queries: {
            refetchInterval: live ? REFRESH_SECONDS * 1000 : false,
            staleTime: live ? 5_000 : 0,
            // The next read comes by itself; an error is worth showing at once.
            retry: false,
            // Otherwise an offline browser would keep old figures without a word.
            networkMode: 'always',
          },
          mutations: { networkMode: 'always' },
        },
      }),
  );
  return <QueryClientProvider client={client}>{children}</QueryClientProvider>;
}

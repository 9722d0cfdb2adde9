/** An NRQL query for one account, to be sent with others in one request. */
export interface NrqlQuery {
  /** Full NRQL text. Build it with `nrql` helpers; never from unescaped input. */
  nrql: string;
  /** Seconds New Relic may work on it, 5..120. Default: from configuration. */
  timeoutSeconds?: number;
}

/** Shape of `NrdbResultContainer`, as far as Rocket reads it. */
export interface NrqlResult {
  results: Record<string, unknown>[];
  totalResult: unknown;
  otherResult: unknown;
  metadata: {
    facets: string[] | null;
    messages: string[] | null;
    timeWindow: { begin: number | null; end: number | null } | null;
  };
}

/** One query's outcome: each alias of a batch fails alone. */
export type NrqlOutcome =
  | { ok: true; result: NrqlResult }
  | { ok: false; error: Error };

/** A configured account, without its key. */
export interface NewRelicAccount {
  /** Alias used in annotations and configuration. */
  name: string;
  id: number;
  region: 'US' | 'EU' | 'JP';
  /** Where people look at this account, e.g. the New Relic UI of the region. */
  uiBaseUrl: string;
}

/** The one way to New Relic. */
export interface NewRelicService {
  /** Configured accounts; empty when New Relic is not configured. */
  listAccounts(): NewRelicAccount[];
  /** By alias, or the default one. Throws `NotFoundError` naming the alias and the configured ones. */
  getAccount(name?: string): NewRelicAccount;
  /**
   * Runs the queries as aliased batches; outcomes are in the order of the
   * queries. Rejects only for faults that concern all of them (bad key, no
   * network after retries); a fault of one alias is that alias's outcome.
   */
  query(
    account: string | undefined,
    queries: NrqlQuery[],
    options?: { signal?: AbortSignal },
  ): Promise<NrqlOutcome[]>;
  /** Raw GraphQL with variables, for the fixed operations of other plugins. Errors with a `path` below an alias are returned beside the data. */
  graphql<T = unknown>(
    account: string | undefined,
    request: { query: string; variables?: Record<string, unknown> },
    options?: { signal?: AbortSignal; idempotent?: boolean },
  ): Promise<{ data: T | null; errors: NerdGraphError[] }>;
  /** Counters since the start, for tests, metrics and benchmarks. */
  stats(): { requests: number; retries: number; failures: number };
}

/** An entry of `errors`, deprecation notices already left out. */
export interface NerdGraphError {
  message: string;
  path?: (string | number)[];
  errorClass?: string;
}

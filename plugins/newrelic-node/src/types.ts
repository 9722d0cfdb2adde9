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
  /** Object with FACET, array with FACET and TIMESERIES, else null (or object). */
  totalResult: unknown;
  /** What the facets beyond the limit add up to; shaped like `totalResult`. */
  otherResult: unknown;
  metadata: {
    facets: string[] | null;
    messages: string[] | null;
    /** Epoch milliseconds. */
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
  /**
   * Where people look at this account, without a trailing slash. By default
   * the New Relic UI of the region; undefined for an account whose endpoint is
   * on this machine and that has no `uiBaseUrl` in the configuration, since
   * then no New Relic UI shows its data.
   */
  uiBaseUrl?: string;
}

/** Options of one call. */
export interface NewRelicCallOptions {
  /** Ends the call at any point, also while it waits for a turn or before a retry. */
  signal?: AbortSignal;
  /** Called before each HTTP request that the call makes, retries included. */
  onRequest?: () => void;
}

/** The one way to New Relic. */
export interface NewRelicService {
  /** Configured accounts; empty when New Relic is not configured. */
  listAccounts(): NewRelicAccount[];
  /** By alias, or the default one. Throws `NotFoundError` naming the alias and the configured ones. */
  getAccount(name?: string): NewRelicAccount;
  /**
   * Runs the queries as aliased batches; outcomes are in the order of the
   * queries. Rejects only for faults that concern all of them: a bad key, an
   * unknown account, an abort, or when no batch got an answer at all. A fault
   * of one alias is that alias's outcome; a fault of one batch among several is
   * the outcome of each of its queries.
   */
  query(
    account: string | undefined,
    queries: NrqlQuery[],
    options?: NewRelicCallOptions,
  ): Promise<NrqlOutcome[]>;
  /**
   * Raw GraphQL with variables, for the fixed operations of other plugins.
   * Errors with a `path` are returned beside the data; an error without one
   * concerns the whole request and is thrown. A mutation is sent once, unless
   * `idempotent` says that repeating it is harmless; a query is repeated
   * unless `idempotent` is false.
   */
  graphql<T = unknown>(
    account: string | undefined,
    request: { query: string; variables?: Record<string, unknown> },
    options?: NewRelicCallOptions & { idempotent?: boolean },
  ): Promise<{ data: T | null; errors: NerdGraphError[] }>;
  /**
   * Counters since the start, for tests, metrics and benchmarks: HTTP requests
   * sent (retries included), those among them that were retries, and queries and
   * operations that failed in the end.
   */
  stats(): { requests: number; retries: number; failures: number };
}

/** An entry of `errors`, deprecation notices already left out. */
export interface NerdGraphError {
  message: string;
  path?: (string | number)[];
  /** `extensions.errorClass`, else `error_code`, else `code`; for example `TIMEOUT`. */
  errorClass?: string;
  /** Fields that New Relic found invalid, when it says so. */
  validationErrors?: { name: string; reason: string }[];
}

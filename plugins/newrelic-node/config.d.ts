import type { HumanDuration } from '@backstage/types';

export interface Config {
  /** New Relic: where it is and how hard Rocket may use it. No part of this reaches the browser. */
  newrelic?: {
    /**
     * Time for one HTTP request, 1 to 180 seconds. Default: 20 seconds.
     * A request always gets at least 5 seconds more than its slowest query.
     */
    timeout?: HumanDuration | string;
    /**
     * Time New Relic may work on one NRQL query, 5 to 120 seconds. Default:
     * 15 seconds. A query that runs out of it is asked again with twice the time.
     */
    queryTimeout?: HumanDuration | string;
    /**
     * Requests at the same time for all accounts with the same key, 1 to 25.
     * Default: 10. New Relic allows 25 per user, so with several backend
     * replicas divide: replicas x maxConcurrency must stay below 25.
     */
    maxConcurrency?: number;
    /** NRQL queries put in one HTTP request, 1 to 20. Default: 5, as advised for queries with FACET or TIMESERIES. */
    maxAliasesPerRequest?: number;
    /** Largest answer that is read, in bytes after decompression, 65536 to 268435456. Default: 33554432 (32 MiB). */
    maxResponseBytes?: number;
    /** Longest wait that a Retry-After header may cause, 0 to 600 seconds. Default: 30 seconds. */
    maxRetryAfter?: HumanDuration | string;
    accounts?: Array<{
      /** Alias for annotations and `spec.steps[].telemetry.account`; unique. Letters, digits, '.', '_', '-'. */
      name: string;
      /** Number of the New Relic account; a string of digits when it comes from the environment. */
      id: number | string;
      /** Data centre of the account. Default: US. */
      region?: 'US' | 'EU' | 'JP';
      /**
       * NerdGraph URL that replaces the region's, for example of a proxy or of
       * the sandbox. Must be https unless it is on this machine.
       */
      endpoint?: string;
      /**
       * Where people look at the account. Default: the New Relic UI of the
       * region; none when the endpoint is on this machine.
       */
      uiBaseUrl?: string;
      /**
       * User key (NRAK-...) that may query the account.
       * @visibility secret
       */
      apiKey: string;
      /** True for the account that is meant when none is named; at most one. A single account needs no mark. */
      default?: boolean;
    }>;
  };
}

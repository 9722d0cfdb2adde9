import type { HumanDuration } from '@backstage/types';

export interface Config {
  criticalPaths?: {
    /** Prometheus, or what speaks its HTTP API (Thanos, Mimir, VictoriaMetrics), as a telemetry source. */
    prometheus?: {
      /**
       * Time for one HTTP request, 1 to 300 seconds. The server is told to stop
       * working on the query after it too. Default: 30 seconds.
       */
      timeout?: HumanDuration | string;
      /** Requests to one server at the same time, 1 to 20. Default: 4. */
      maxConcurrency?: number;
      /** Largest answer that is read, in bytes after decompression, 65536 to 268435456. Default: 33554432 (32 MiB). */
      maxResponseBytes?: number;
      servers?: Array<{
        /** Alias for annotations and `spec.steps[].telemetry.account`; unique. Letters, digits, '.', '_', '-'. */
        name: string;
        /** URL that `/api/v1/query_range` is below. Must be https unless it is on this machine or `insecure` is true. */
        baseUrl: string;
        /** True to allow http to another machine, for example inside a cluster. Default: false. */
        insecure?: boolean;
        /** Where people look at the server. Default: `baseUrl`; none when that is on this machine. */
        uiUrl?: string;
        /** True for the server that is meant when none is named; at most one. A single server needs no mark. */
        default?: boolean;
        auth?: {
          /**
           * Sent as `Authorization: Bearer`. Excludes username and password.
           * @visibility secret
           */
          token?: string;
          /** For basic authentication. */
          username?: string;
          /**
           * For basic authentication.
           * @visibility secret
           */
          password?: string;
        };
        /**
         * Headers of each request, for example `X-Scope-OrgID` for a tenant.
         * @deepVisibility secret
         */
        headers?: { [name: string]: string };
        metrics?: {
          /**
           * Classic histogram of request durations, without `_bucket`. Default:
           * `http_server_request_duration_seconds`, as OpenTelemetry's
           * `http.server.request.duration` is called in Prometheus.
           */
          duration?: string;
          /** Unit of the histogram. Default: seconds. */
          unit?: 'seconds' | 'milliseconds';
          /**
           * Counter of requests, when the histogram lacks the label with the
           * status; for example `http_requests_total`. Default: the histogram's
           * own count.
           */
          requests?: string;
        };
        labels?: {
          /** Holds the application's name. Default: `job`. */
          application?: string;
          /**
           * Holds the name of the critical path. Default: none; then all requests
           * of an application count for each of its paths, unless a step names an
           * operation.
           */
          criticalPath?: string;
          /** Holds the HTTP status. Default: `http_response_status_code`. */
          status?: string;
          /** Set when a request failed, also without a status. Default: `error_type`. */
          errorType?: string;
          /** Holds the HTTP method of an operation such as `POST /v1/transfers`. Default: `http_request_method`. */
          method?: string;
          /** Holds the route of an operation. Default: `http_route`. */
          route?: string;
        };
        /** Labels that every series must have, for example `{ env: prod }`. */
        match?: { [label: string]: string };
        /** Statuses that are no good answer, an RE2 expression for the whole label. Default: `5..`. */
        badStatus?: string;
        /**
         * How long a series may go without a sample, for example while its
         * application cannot be scraped, and still count as the same counter, 5
         * minutes to 24 hours. Longer costs the server more. Default: 1 hour.
         */
        lookback?: HumanDuration | string;
      }>;
    };
  };
}

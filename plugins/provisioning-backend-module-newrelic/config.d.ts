import type { HumanDuration } from '@backstage/types';

export interface Config {
  provisioning?: {
    /** What Rocket makes in New Relic for a service. The accounts themselves are in `newrelic.accounts`. */
    newrelic?: {
      /** False: nothing is made, templates say so and go on. Default: true when there is an account. */
      enabled?: boolean;
      /** Alias of the account in `newrelic.accounts`. Default: the default account there. */
      account?: string;
      /**
       * Objectives of a service whose template and critical path name none. Default: availability of 99.9 % and 99 % within
       * 500 ms, both over 28 days.
       */
      objectives?: Array<{
        sli: 'availability' | 'latency';
        /** Percent of the requests, from 50 to below 100. */
        target: number;
        /** Length of the rolling window in days; New Relic knows no others. */
        windowDays: 1 | 7 | 28;
        /** latency only, and needed there: a request at most this long is good, in milliseconds. */
        thresholdMs?: number;
      }>;
      alerts?: {
        /** Percent of failed requests in each of five minutes that opens an incident, above 0 to 100. Default: 5. */
        errorRatePercent?: number;
        /** 95th percentile in each of five minutes that opens an incident, in milliseconds, 1 to 600000. Default: 1000. */
        latencyMs?: number;
        /** Minutes without a request, after there were some, that open an incident, 1 to 2880. Default: 10. */
        noTrafficMinutes?: number;
        /** Requests a minute below which single failures do not count as a rate, 1 to 100000. Default: 20. */
        minimumRequests?: number;
      };
      reconcile?: {
        /** Time between two looks for entities that tags and service levels wait for, at least 10 seconds. Default: 1 minute. */
        frequency?: HumanDuration | string;
      };
      /** Marks deployments that Rocket's own runtimes made. Default: true. */
      deploymentMarkers?: boolean;
    };
  };
}

import type { HumanDuration } from '@backstage/types';
import type { SchedulerServiceTaskScheduleDefinitionConfig } from '@backstage/backend-plugin-api';

export interface Config {
  /** Critical paths: collection and storage of their golden signals. */
  criticalPaths?: {
    collector?: {
      /**
       * How often a collection cycle starts and how long one may hold its lock.
       * Default: every 15 seconds, at most 10 minutes.
       */
      schedule?: SchedulerServiceTaskScheduleDefinitionConfig;
      /** How long after a minute's end it is read. Default: 15 seconds. */
      delay?: HumanDuration | string;
      /**
       * How far back recent minutes are read again in each cycle, for data that
       * came late. Default: 5 minutes; at most 5 hours.
       */
      correction?: HumanDuration | string;
      /** How far back missing data is fetched from the source. Default: 30 days. */
      backfill?: HumanDuration | string;
      /** How long a cycle goes on with back-filling before it ends. Default: 45 seconds. */
      budget?: HumanDuration | string;
      /**
       * Number of requests to the telemetry sources after which a cycle does no
       * further back-filling. Default: 40.
       */
      maxRequests?: number;
    };
    /** Deployments and incidents, from sources that know them. */
    changes?: {
      /**
       * How often they are read. Each time what is new is read, with the half
       * hour before it again; the first time as far back as `collector.backfill`.
       * Default: every minute, at most 10 minutes.
       */
      schedule?: SchedulerServiceTaskScheduleDefinitionConfig;
    };
    /** Service levels that people keep at a source, held against our own figures. */
    serviceLevels?: {
      /** How often they are read. Default: every 30 minutes, at most 15 minutes. */
      schedule?: SchedulerServiceTaskScheduleDefinitionConfig;
    };
    /**
     * How long after a deployment the burned budget is told beside it. Default:
     * 60 minutes; at most a day.
     */
    afterDeployment?: HumanDuration | string;
    /** A feed that its source has not answered for this long is stale. Default: 5 minutes. */
    staleAfter?: HumanDuration | string;
    /**
     * A step that has seen no request for this long is stale, although its
     * source answers. Default: 15 minutes.
     */
    quietAfter?: HumanDuration | string;
    retention?: {
      /** How long minute rows are kept. Default: 3 days; at least 2 days. */
      minutes?: HumanDuration | string;
      /** How long hour rows are kept. Default: 100 days; at least 31 days. */
      hours?: HumanDuration | string;
      /**
       * How long day rows are kept, for the history of thirteen months. Default:
       * 400 days; at least as long as hours.
       */
      days?: HumanDuration | string;
      /** How long deployments, chaos runs and incidents are kept. Default: 400 days; at least 31 days. */
      changes?: HumanDuration | string;
    };
    /** Telling owners when error budget burns, by the notifications of Backstage. */
    alerts?: {
      /** Whether paths are looked at, once per minute. Default: true. */
      enabled?: boolean;
      /** Entity refs of users or groups that are told about every path, beside its owner. Default: nobody. */
      recipients?: string[];
      /** How long all rules must be quiet before a burn is over. Default: 5 minutes. */
      recoverAfter?: HumanDuration | string;
      /** After how long people are told again while a burn goes on; 0 seconds: never. Default: 4 hours. */
      repeat?: HumanDuration | string;
    };
    /** Answers of `GET /gate/…` to pipelines. */
    gate?: {
      /** What a spent error budget means for a deployment. Default: block. */
      exhausted?: 'block' | 'warn';
    };
    /** Synthetic workflows that walk the paths (`spec.workflows` of a CriticalPath). */
    workflows?: {
      /**
       * How often due workflows are looked for; when each one is due is said by
       * itself. Default: every 5 seconds, at most 5 minutes, 20 seconds after the start.
       */
      schedule?: SchedulerServiceTaskScheduleDefinitionConfig;
      /** Scheduled runs at the same time in one backend. Default: 4; from 1 to 50. */
      concurrency?: number;
      /**
       * Failed runs in a row after which the owner of the path is told. A
       * workflow may say otherwise. Default: 1; from 1 to 10.
       */
      alertAfter?: number;
      /** Bytes of an answer that are read at most. Default: 262144; from 1024 to 16777216. */
      maxResponseBytes?: number;
      /** How long runs are kept with their evidence. Default: 35 days; at least 2 days. */
      retention?: HumanDuration | string;
      /** Hosts that workflows may walk, by the name that workflows use. Nothing else is reachable but applications of the path itself. */
      targets?: {
        [name: string]: {
          /** http or https, with a path if need be; without credentials, query and fragment. */
          baseUrl: string;
          /**
           * Networks that are open although they are refused otherwise: loopback,
           * link-local with the metadata services of clouds, multicast, reserved.
           * For example 127.0.0.0/8.
           */
          allowAddresses?: string[];
          /**
           * Sent with every request to the target, and to no other host; kept
           * out of evidence and answers. Needs `paths`.
           * @deepVisibility secret
           */
          headers?: { [header: string]: string };
          /** Entity refs of the CriticalPaths that may use the target. Default: all, if it has no headers. */
          paths?: string[];
        };
      };
    };
  };
}

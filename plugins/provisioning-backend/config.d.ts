import type { HumanDuration } from '@backstage/types';

export interface Config {
  provisioning: {
    /**
     * Directory for everything the local Git host and the local runtime keep:
     * `git/`, `services/`, `postgres/`. One backend at a time. A relative path
     * begins at the backend's working directory.
     * @visibility backend
     */
    dataDir: string;
    /** How many things of a type an owner may have; checked before a run begins. Without a rule there is no limit. */
    quota?: Array<{
      /**
       * Type of effect, for example `git.repository`.
       * @visibility backend
       */
      type: string;
      /**
       * Entity ref of the owner that the rule is for. Default: every owner without a rule of its own.
       * @visibility backend
       */
      owner?: string;
      /**
       * Largest number of them.
       * @visibility backend
       */
      max: number;
    }>;
    reconcile?: {
      /**
       * Time between two looks at the same thing in an outside system. Default: 5 minutes.
       * @visibility backend
       */
      interval?: HumanDuration | string;
    };
    git?: {
      /**
       * How long a Git token is good. Default: 10 minutes.
       * @visibility backend
       */
      tokenTtl?: HumanDuration | string;
      /**
       * Longest time for one Git request. Default: 10 minutes.
       * @visibility backend
       */
      timeout?: HumanDuration | string;
      /**
       * Largest request body and largest pack, in bytes. Default: 209715200 (200 MiB).
       * @visibility backend
       */
      maxRequestBytes?: number;
      /**
       * Git requests served at the same time; more are answered with 503. Default: 16.
       * @visibility backend
       */
      maxConcurrent?: number;
    };
    /** Databases of services. */
    databases?: {
      /**
       * PostgreSQL servers (15 or newer) beside the local runtime's own, by name;
       * a `postgres.database` names one of them. `local` is taken.
       */
      servers?: {
        [name: string]: {
          /**
           * Connection URL of a role that may create roles and databases.
           * @visibility secret
           */
          url: string;
        };
      };
      /**
       * Connections to one database at the same time, for those that ask for no
       * number of their own. Two versions share them while one takes over from
       * the other. Default: 50.
       * @visibility backend
       */
      connectionLimit?: number;
      /**
       * How long the closed database of a retired service is kept before it is
       * dropped. Default: 30 days.
       * @visibility backend
       */
      retention?: HumanDuration | string;
    };
    local?: {
      /**
       * Whether services can run on the backend's own machine. Switch it off where
       * clusters run them. Default: true.
       * @visibility backend
       */
      enabled?: boolean;
      postgres?: {
        /**
         * Port of the embedded PostgreSQL on 127.0.0.1. Default: 7012.
         * @visibility backend
         */
        port?: number;
        /**
         * Another server (PostgreSQL 15 or newer) instead of the embedded one:
         * a connection URL of a role that may create roles and databases.
         * @visibility secret
         */
        url?: string;
      };
      /**
       * Ports for the services, both included. A service keeps its port; each of
       * its instances has one more, counted from the end, and for the time of a
       * deployment both versions have theirs.
       */
      ports?: {
        /**
         * Default: 7100.
         * @visibility backend
         */
        from?: number;
        /**
         * Default: 7199.
         * @visibility backend
         */
        to?: number;
      };
      /** Where the services' New Relic agents report to. Without it they are switched off. */
      newrelic?: {
        /**
         * Host of the collector. Default: the agent's own.
         * @visibility backend
         */
        host?: string;
        /**
         * HTTPS port of the collector. Default: the agent's own.
         * @visibility backend
         */
        port?: number;
        /**
         * License key for the agents.
         * @visibility secret
         */
        licenseKey: string;
        /**
         * File (PEM) with the CA of the collector's certificate.
         * @visibility backend
         */
        caFile?: string;
      };
      /**
       * Time until a started service must be ready. Default: 60 seconds.
       * @visibility backend
       */
      readyTimeout?: HumanDuration | string;
      /**
       * Time between two health checks of a running service. Default: 10 seconds.
       * @visibility backend
       */
      healthInterval?: HumanDuration | string;
      /**
       * Longest installation or migration. Default: 10 minutes.
       * @visibility backend
       */
      commandTimeout?: HumanDuration | string;
      /**
       * Time between SIGTERM and SIGKILL. Default: 10 seconds.
       * @visibility backend
       */
      stopGrace?: HumanDuration | string;
      /** How a new version takes over from the one that serves. */
      handOver?: {
        /**
         * How long the old version stays warm beside the new one, which is taken
         * back when it stops being ready in that time. A deployment is done when
         * it is over. Default: 10 seconds.
         * @visibility backend
         */
        watch?: HumanDuration | string;
        /**
         * Longest wait for requests that are under way at the old version.
         * Default: 15 seconds.
         * @visibility backend
         */
        drain?: HumanDuration | string;
        /**
         * Share of failed requests (5xx or no answer), above 0 and up to 1, from
         * which the new version is taken back in the watch time, when it has had
         * 20 and the old version failed less often. Default: 0.5.
         * @visibility backend
         */
        maxFailureShare?: number;
      };
      /**
       * Longest silence of a service while a request is under way; the client
       * gets 504 then. Default: 2 minutes.
       * @visibility backend
       */
      requestIdle?: HumanDuration | string;
      /**
       * Most instances of one service. Default: 4.
       * @visibility backend
       */
      maxInstances?: number;
      /** What happens when a service crashes. */
      restart?: {
        /**
         * Restarts in a row before the service counts as failed. Default: 5.
         * @visibility backend
         */
        max?: number;
        /**
         * Pause before the first restart, doubled for each further one. Default: 1 second.
         * @visibility backend
         */
        delay?: HumanDuration | string;
        /**
         * Longest pause. Default: 30 seconds.
         * @visibility backend
         */
        maxDelay?: HumanDuration | string;
        /**
         * A run this long makes earlier crashes forgotten. Default: 5 minutes.
         * @visibility backend
         */
        stableAfter?: HumanDuration | string;
      };
    };
    /**
     * Where services run, by name (a DNS label). Without any there is one,
     * `local`: the local runtime. A service in another environment than `local`
     * is deployed by an operation.
     */
    environments?: {
      [name: string]: {
        /**
         * What people call it. Default: the name.
         * @visibility backend
         */
        title?: string;
        /**
         * Id of the runtime. Default: local.
         * @visibility backend
         */
        runtime?: 'local' | 'kubernetes' | string;
        /**
         * How much depends on it. Default: development.
         * @visibility backend
         */
        tier?: 'development' | 'staging' | 'production';
        /**
         * Four-eyes: operations here wait for a person who did not ask for them. Not for `local`.
         * What is here is recognized by the cluster and namespace below, too; `{service}` stands for any name.
         */
        approval?: {
          /**
           * Whether operations wait. Default: false.
           * @visibility backend
           */
          required?: boolean;
          /**
           * Time after which a waiting operation ends. Default: 24 hours.
           * @visibility backend
           */
          expiry?: HumanDuration | string;
          /**
           * Entity refs of groups; a member of one of them decides. At least one when approval is required.
           * @visibility backend
           */
          approvers?: string[];
        };
        /**
         * Settings of the runtime `kubernetes`: cluster, namespace and url
         * (`{service}` and `{environment}` stand for their names),
         * createNamespace, externalSecrets.
         * @visibility backend
         */
        kubernetes?: object;
      };
    };
    /** Environments that people make for a branch, and that end by themselves. */
    onDemand?: {
      /**
       * Id of the runtime. Default: local.
       * @visibility backend
       */
      runtime?: 'local' | 'kubernetes' | string;
      /**
       * How long one stands when nobody says so. Default: 72 hours.
       * @visibility backend
       */
      ttl?: HumanDuration | string;
      /**
       * How long one can stand at most, extensions included. Default: 14 days.
       * @visibility backend
       */
      maxTtl?: HumanDuration | string;
      /**
       * How often one can be extended. Default: 2.
       * @visibility backend
       */
      extensions?: number;
      /**
       * Time that an extension adds. Default: 72 hours.
       * @visibility backend
       */
      extension?: HumanDuration | string;
      /**
       * How long before its end the owner is told. Default: 24 hours.
       * @visibility backend
       */
      notice?: HumanDuration | string;
      /**
       * Environments that an owner may have at a time; one that cannot be deleted counts. Default: 5.
       * @visibility backend
       */
      quotaPerOwner?: number;
      /**
       * What one costs per day, for people to see, in `currency`.
       * @visibility backend
       */
      costPerDay?: number;
      /**
       * Currency code of `costPerDay`, for example EUR.
       * @visibility backend
       */
      currency?: string;
      /**
       * Settings of the runtime `kubernetes`, as in `environments`.
       * @visibility backend
       */
      kubernetes?: object;
    };
  };
}

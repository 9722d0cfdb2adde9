import type { SchedulerServiceTaskScheduleDefinitionConfig } from '@backstage/backend-plugin-api';
import type { HumanDuration } from '@backstage/types';

export interface Config {
  /** What pipelines may push into the catalog. */
  ciRegistry?: {
    /**
     * Kinds of entities that may be pushed. Location is not possible, because the
     * catalog would fetch whatever address it names.
     * Default: Component, API, Resource, System.
     */
    allowedKinds?: string[];
    /** Entities in one request. Default: 500. */
    maxEntities?: number;
    /** Size of one request in bytes; API definitions are part of it. Default: 5242880 (5 MiB). */
    maxBodyBytes?: number;
    /**
     * Namespaces whose entities may not be pushed. Default: backstage, rocket.
     */
    reservedNamespaces?: string[];
    /**
     * Annotations that pushed entities must have. Default: none.
     */
    requiredAnnotations?: {
      /** Its key, for example rocket.internal/critical-path. */
      annotation: string;
      /** Kinds of entities that must have it. Default: Component. */
      kinds?: string[];
      /** Values of spec.type that must have it. Default: every one. */
      types?: string[];
      /** error refuses the push; warning tells the pusher. Default: error. */
      severity?: 'error' | 'warning';
    }[];
    /**
     * How bad it is when an entity names what does not exist: error refuses the push,
     * warning tells the pusher, off does not look.
     */
    checks?: {
      /** spec.owner. Default: warning. */
      owner?: 'error' | 'warning' | 'off';
      /** What else it names: system, dependsOn, providesApis and so on. Default: warning. */
      relations?: 'error' | 'warning' | 'off';
      /** The path and step that the annotations name. Default: error. */
      criticalPath?: 'error' | 'warning' | 'off';
    };
    /** Pushes a minute of one caller for one repository, on each backend. Default: 120. */
    pushesPerMinute?: number;
    /**
     * How long an entity that its repository gave up stays in the catalog, marked with
     * rocket.internal/gone-at. Default: 24 hours.
     */
    goneGraceTime?: HumanDuration | string;
    /**
     * How many days the changes of entities are kept, and entities that were removed.
     * The newest change of an entity stays. Default: 365.
     */
    historyRetentionDays?: number;
    /** Builds and deployments. */
    delivery?: {
      /**
       * Environments that serve users: their deployments are marked on the critical paths.
       * Default: production, local (the runtime of this portal).
       */
      liveEnvironments?: string[];
      /** How long builds and deployments are kept; what runs is kept longer. Default: 400 days. */
      retention?: HumanDuration | string;
    };
    /** DORA metrics (DevOps Research and Assessment). */
    dora?: {
      /** The environment that they are about, unless another one is asked for. Default: production. */
      environment?: string;
      /** Goal for the time from a commit to its deployment. Default: 45 minutes. */
      leadTimeGoal?: HumanDuration | string;
    };
    /** Whether what is registered is still true. */
    freshness?: {
      /** When it is looked at. Default: every 2 minutes. */
      schedule?: SchedulerServiceTaskScheduleDefinitionConfig;
      /** An entity whose last push is longer ago is stale. Default: 30 days. */
      maxAge?: HumanDuration | string;
      /** A component that gave no sign of life for so long does not run. Default: 1 day. */
      notRunningAfter?: HumanDuration | string;
      /** Entity refs of those who hear of what has no owner. Default: nobody. */
      recipients?: string[];
    };
  };
}

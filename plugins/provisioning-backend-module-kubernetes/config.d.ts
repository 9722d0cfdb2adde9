import type { HumanDuration } from '@backstage/types';

export interface Config {
  provisioning?: {
    /**
     * How Rocket deploys to Kubernetes. The clusters are those of
     * `kubernetes.clusterLocatorMethods`; which environment is on which one is
     * said at `provisioning.environments.<name>.kubernetes`.
     */
    kubernetes?: {
      /** Longest time for a new version to get ready. Default: 5 minutes. */
      readyTimeout?: HumanDuration | string;
      /** Longest time for its migration. Default: 15 minutes. */
      migrationTimeout?: HumanDuration | string;
      /** Longest time for the External Secrets Operator to make its Secrets. Default: 1 minute. */
      secretTimeout?: HumanDuration | string;
      /** How long a new version that has the requests has to stay ready; else the old one gets them back. Default: 1 minute. */
      watch?: HumanDuration | string;
      /** How long the old version stays without requests. Default: 30 minutes. */
      keep?: HumanDuration | string;
      /** Whether the gate of the critical paths is asked before a version gets the requests, and after the watch. Default: true. */
      gate?: boolean;
    };
    environments?: {
      [name: string]: {
        /** Settings of the runtime `kubernetes`. */
        kubernetes?: {
          /** Name of the cluster in `kubernetes.clusterLocatorMethods`. */
          cluster: string;
          /** `{service}` and `{environment}` stand for their names, the service's without the environment's. Default: `{service}-{environment}`. */
          namespace?: string;
          /** Where services answer, with the same two. Default: the address inside of the cluster. */
          url?: string;
          /** Whether Rocket makes the namespace, with quota, limits and denied traffic. False: it has to be there, several services may share it. Default: true. */
          createNamespace?: boolean;
          /** Whether the cluster has the External Secrets Operator. False: the Secrets have to be there. Default: true. */
          externalSecrets?: boolean;
        };
      };
    };
  };
}

import { describe } from '../manifest';
import { eachContainer, ofKind, selects, templatesOf, type Rule } from './rule';

const NEEDED_LABELS = [
  'app.kubernetes.io/name',
  'app.kubernetes.io/part-of',
  'backstage.io/kubernetes-id',
];

/** API versions that clusters of today serve. */
const VERSIONS: Record<string, string> = {
  ConfigMap: 'v1',
  CronJob: 'batch/v1',
  Deployment: 'apps/v1',
  ExternalSecret: 'external-secrets.io/v1',
  HTTPRoute: 'gateway.networking.k8s.io/v1',
  HorizontalPodAutoscaler: 'autoscaling/v2',
  Ingress: 'networking.k8s.io/v1',
  Job: 'batch/v1',
  LimitRange: 'v1',
  Namespace: 'v1',
  NetworkPolicy: 'networking.k8s.io/v1',
  PodDisruptionBudget: 'policy/v1',
  ResourceQuota: 'v1',
  Service: 'v1',
  ServiceAccount: 'v1',
};

/** Kinds that a service may have, by their API version. What else there is belongs to the platform. */
export const ALLOWED_KINDS: Readonly<Record<string, string>> = VERSIONS;

/** About rollouts, scaling, and what refers to what. */
export const workloadRules: Rule[] = [
  {
    id: 'allowed-kinds',
    title: 'Only kinds that a service may have, in their present version',
    check({ objects }, say) {
      for (const object of objects) {
        const version = VERSIONS[object.kind];
        // A rule of its own tells what to do instead.
        if (object.kind === 'Secret') continue;
        if (!version) say(object, 'is nothing that a service may have');
        else if (version !== object.apiVersion)
          say(object, `use ${version} instead of ${object.apiVersion}`);
      }
    },
  },
  {
    id: 'labels',
    title: 'Objects and pods can be found by their labels',
    check({ objects }, say) {
      for (const object of objects) {
        if (
          ['Namespace', 'ResourceQuota', 'LimitRange'].includes(object.kind) ||
          ['default', 'default-deny'].includes(object.metadata.name)
        )
          continue;
        for (const label of NEEDED_LABELS)
          if (!object.metadata.labels?.[label])
            say(object, `set the label ${label}`);
      }
      for (const { object, labels } of templatesOf(objects))
        for (const label of [...NEEDED_LABELS, 'app.kubernetes.io/component'])
          if (!labels[label]) say(object, `its pods need the label ${label}`);
    },
  },
  {
    id: 'selector',
    title: 'A workload selects its own pods and no others',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'Deployment', 'StatefulSet')) {
        const { selector } = object.spec;
        for (const other of templatesOf(objects)) {
          const own = other.object === object;
          const chosen =
            Object.keys(selector?.matchLabels ?? {}).length > 0 &&
            selects(selector, other.labels);
          if (own && !chosen) say(object, 'its selector misses its own pods');
          if (!own && chosen)
            say(object, `its selector takes pods of ${describe(other.object)}`);
        }
      }
    },
  },
  {
    id: 'service-selects',
    title: 'A Service leads to the pods of one workload, by a port they have',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'Service')) {
        const { selector, ports = [] } = object.spec;
        const hits = templatesOf(objects).filter(
          ({ labels }) =>
            selector && selects({ matchLabels: selector }, labels),
        );
        if (hits.length !== 1) {
          say(object, `selects pods of ${hits.length} workloads`);
          continue;
        }
        const known = (hits[0].spec.containers ?? []).flatMap((item: any) =>
          (item.ports ?? []).flatMap((port: any) => [
            port.name,
            port.containerPort,
          ]),
        );
        for (const { targetPort } of ports)
          if (!known.includes(targetPort))
            say(object, `no container has the port ${targetPort}`);
      }
    },
  },
  {
    id: 'service-internal',
    title: 'A Service is reached inside of the cluster only',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'Service'))
        if (
          (object.spec.type ?? 'ClusterIP') !== 'ClusterIP' ||
          object.spec.externalIPs?.length
        )
          say(object, 'use ClusterIP, and a route of the gateway');
    },
  },
  {
    id: 'rollout-keeps-capacity',
    title: 'A rollout never takes an instance away before there is another',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'Deployment')) {
        const { type, rollingUpdate = {} } = object.spec.strategy ?? {};
        if (type !== 'RollingUpdate' || rollingUpdate.maxUnavailable !== 0)
          say(object, 'set strategy.rollingUpdate.maxUnavailable: 0');
        if (!(object.spec.minReadySeconds > 0))
          say(object, 'set minReadySeconds');
      }
    },
  },
  {
    id: 'rollout-bounded',
    title: 'A rollout that does not go on is told, old ones are forgotten',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'Deployment')) {
        const { progressDeadlineSeconds, revisionHistoryLimit } = object.spec;
        if (!(progressDeadlineSeconds > 0 && progressDeadlineSeconds <= 900))
          say(object, 'set progressDeadlineSeconds, to 900 at most');
        if (!(revisionHistoryLimit >= 2 && revisionHistoryLimit <= 10))
          say(object, 'set revisionHistoryLimit, from 2 to 10');
      }
    },
  },
  {
    id: 'replicas-by-autoscaler',
    title: 'One of both decides on the number of instances',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'Deployment')) {
        const scaled = ofKind(objects, 'HorizontalPodAutoscaler').some(
          ({ spec }) =>
            spec.scaleTargetRef?.kind === 'Deployment' &&
            spec.scaleTargetRef?.name === object.metadata.name,
        );
        if (scaled && object.spec.replicas !== undefined)
          say(object, 'remove replicas: the autoscaler decides');
        if (!scaled && object.spec.replicas === undefined)
          say(object, 'no autoscaler targets it, and it has no replicas');
      }
    },
  },
  {
    id: 'autoscaler-bounded',
    title:
      'The autoscaler knows the least, the most, and how slowly to go down',
    check({ objects, tier }, say) {
      const least = { development: 1, staging: 2, production: 3 }[tier];
      for (const object of ofKind(objects, 'HorizontalPodAutoscaler')) {
        const { minReplicas, maxReplicas, behavior, metrics } = object.spec;
        if (!(minReplicas >= least))
          say(object, `minReplicas must be ${least} or more in ${tier}`);
        if (!(maxReplicas > minReplicas))
          say(object, 'maxReplicas must be more than minReplicas');
        if (!(behavior?.scaleDown?.stabilizationWindowSeconds >= 60))
          say(object, 'set behavior.scaleDown.stabilizationWindowSeconds');
        if (!metrics?.length) say(object, 'name a metric');
      }
    },
  },
  {
    id: 'disruption-budget',
    title: 'Maintenance takes one instance at a time, and broken ones always',
    check({ objects }, say) {
      const budgets = ofKind(objects, 'PodDisruptionBudget');
      for (const object of ofKind(objects, 'Deployment'))
        if (
          !budgets.some(({ spec }) =>
            selects(spec.selector, object.spec.template.metadata?.labels),
          )
        )
          say(object, 'no PodDisruptionBudget selects its pods');
      for (const object of budgets) {
        const { maxUnavailable, minAvailable, unhealthyPodEvictionPolicy } =
          object.spec;
        if (maxUnavailable !== 1 || minAvailable !== undefined)
          say(object, 'set maxUnavailable: 1, and no minAvailable');
        if (unhealthyPodEvictionPolicy !== 'AlwaysAllow')
          say(object, 'set unhealthyPodEvictionPolicy: AlwaysAllow');
      }
    },
  },
  {
    id: 'job-bounded',
    title: 'A Job ends, and is cleaned away',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'Job')) {
        const { backoffLimit, activeDeadlineSeconds, ttlSecondsAfterFinished } =
          object.spec;
        if (!(backoffLimit >= 0 && backoffLimit <= 6))
          say(object, 'set backoffLimit, to 6 at most');
        if (!(activeDeadlineSeconds > 0))
          say(object, 'set activeDeadlineSeconds');
        if (!(ttlSecondsAfterFinished >= 0))
          say(object, 'set ttlSecondsAfterFinished');
      }
    },
  },
  {
    id: 'external-secrets',
    title:
      'Every Secret that is read is made, refreshed, from a store of the namespace',
    check({ objects }, say) {
      const made = new Map(
        ofKind(objects, 'ExternalSecret').map(object => [
          object.spec.target?.name ?? object.metadata.name,
          (object.spec.data ?? []).map((item: any) => item.secretKey),
        ]),
      );
      for (const object of ofKind(objects, 'ExternalSecret')) {
        if (!/^[1-9]\d*[smh]/.test(object.spec.refreshInterval ?? ''))
          say(object, 'set refreshInterval');
        if (object.spec.secretStoreRef?.kind !== 'SecretStore')
          say(object, 'use a SecretStore of the namespace');
      }
      eachContainer(objects, (object, { name, env = [] }) => {
        for (const { name: variable, valueFrom } of env) {
          const { name: secret, key } = valueFrom?.secretKeyRef ?? {};
          if (secret && !made.get(secret)?.includes(key))
            say(
              object,
              `container ${name}: ${variable} reads ${key} of ${secret}, which no ExternalSecret makes`,
            );
        }
      });
    },
  },
];

import { skeleton, skeletonFiles } from '../__testUtils__/skeleton';
import { lintManifests, RULES } from './rules';
import type { Manifest } from './manifest';

/** Answers the broken objects, or has broken them. */
type Break = (objects: Manifest[]) => unknown;

const get = (objects: Manifest[], kind: string, name?: string) =>
  objects.find(
    object => object.kind === kind && (!name || object.metadata.name === name),
  )!;
const without =
  (kind: string, name?: string): Break =>
  objects =>
    objects.filter(object => object !== get(objects, kind, name));
const deployment =
  (change: (spec: any) => void): Break =>
  objects =>
    change(get(objects, 'Deployment').spec);
const pod = (change: (spec: any) => void): Break =>
  deployment(spec => change(spec.template.spec));
const container = (change: (container: any) => void): Break =>
  pod(spec => change(spec.containers[0]));
const kind =
  (name: string, change: (object: any) => void): Break =>
  objects =>
    change(get(objects, name));

/** For each rule, what breaks it and nothing else. */
const BAD: Record<string, Break[]> = {
  'namespace-restricted': [
    kind('Namespace', o => {
      o.metadata.labels['pod-security.kubernetes.io/enforce'] = 'baseline';
    }),
  ],
  'namespace-classified': [
    kind('Namespace', o => delete o.metadata.labels['rocket.internal/tier']),
    kind(
      'Namespace',
      o => delete o.metadata.labels['rocket.internal/data-class'],
    ),
  ],
  'namespace-bounded': [without('ResourceQuota'), without('LimitRange')],
  'default-account-without-token': [without('ServiceAccount', 'default')],
  'default-deny': [without('NetworkPolicy', 'default-deny')],
  'network-allowed': [
    without('NetworkPolicy', 'ledger'),
    objects => {
      get(objects, 'NetworkPolicy', 'ledger').spec.egress.shift();
    },
  ],
  'network-narrow': [
    objects => {
      delete get(objects, 'NetworkPolicy', 'ledger').spec.ingress[0].from;
    },
    objects => {
      const { egress } = get(objects, 'NetworkPolicy', 'ledger').spec;
      delete egress.at(-1).to[0].ipBlock.except;
    },
  ],
  'one-namespace': [
    kind('Service', o => {
      o.metadata.namespace = 'payroll';
    }),
    kind('Service', o => delete o.metadata.namespace),
  ],
  'image-by-digest': [
    container(c => {
      c.image = 'registry.example.com/ledger:1.2.3';
    }),
  ],
  'image-pull-policy': [
    container(c => {
      c.imagePullPolicy = 'Always';
    }),
  ],
  'run-as-non-root': [
    pod(spec => {
      spec.securityContext.runAsNonRoot = false;
    }),
    pod(spec => {
      spec.securityContext.runAsUser = 0;
    }),
    container(c => {
      c.securityContext.runAsUser = 0;
    }),
  ],
  seccomp: [pod(spec => delete spec.securityContext.seccompProfile)],
  'no-privilege-escalation': [
    container(c => delete c.securityContext.allowPrivilegeEscalation),
    container(c => {
      c.securityContext.privileged = true;
    }),
  ],
  'drop-capabilities': [
    container(c => {
      c.securityContext.capabilities.add = ['NET_ADMIN'];
    }),
    container(c => delete c.securityContext.capabilities),
  ],
  'read-only-root': [
    container(c => delete c.securityContext.readOnlyRootFilesystem),
  ],
  'no-host': [
    pod(spec => {
      spec.hostNetwork = true;
    }),
    pod(spec => {
      spec.volumes.push({ name: 'node', hostPath: { path: '/' } });
    }),
    container(c => {
      c.ports[0].hostPort = 80;
    }),
  ],
  'bounded-scratch': [
    pod(spec => {
      spec.volumes[0].emptyDir = {};
    }),
  ],
  'own-account': [
    pod(spec => {
      spec.serviceAccountName = 'default';
    }),
    pod(spec => delete spec.automountServiceAccountToken),
    objects => {
      delete get(objects, 'ServiceAccount', 'ledger')
        .automountServiceAccountToken;
    },
  ],
  'no-service-links': [pod(spec => delete spec.enableServiceLinks)],
  'resources-requested': [
    container(c => {
      c.resources.requests.cpu = 'much';
    }),
    container(c => delete c.resources.requests['ephemeral-storage']),
  ],
  'memory-limit': [
    container(c => {
      c.resources.limits.memory = '1Gi';
    }),
  ],
  'no-cpu-limit': [
    container(c => {
      c.resources.limits.cpu = '1';
    }),
  ],
  probes: [
    container(c => delete c.startupProbe),
    container(c => delete c.livenessProbe),
  ],
  'liveness-alone': [
    container(c => {
      c.livenessProbe.httpGet.path = '/readyz';
    }),
  ],
  'probe-ports': [
    container(c => {
      c.readinessProbe.httpGet.port = 'admin';
    }),
  ],
  'graceful-end': [
    pod(spec => {
      spec.terminationGracePeriodSeconds = 30;
    }),
    container(c => delete c.lifecycle),
  ],
  spread: [
    pod(spec => spec.topologySpreadConstraints.pop()),
    pod(spec => {
      spec.topologySpreadConstraints[0].labelSelector.matchLabels = {
        app: 'other',
      };
    }),
  ],
  'secrets-by-reference': [
    container(c =>
      c.env.push({ name: 'PARTNER', value: 'https://me:secret@example.com' }),
    ),
    container(c => c.env.push({ name: 'API_TOKEN', value: 'abc' })),
    objects => {
      const { metadata } = get(objects, 'Service');
      return [
        ...objects,
        { apiVersion: 'v1', kind: 'Secret', metadata: { ...metadata } },
      ];
    },
  ],
  'allowed-kinds': [
    objects => {
      const { metadata } = get(objects, 'Service');
      return [
        ...objects,
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRole',
          metadata: { ...metadata },
        },
      ];
    },
    kind('PodDisruptionBudget', o => {
      o.apiVersion = 'policy/v1beta1';
    }),
  ],
  labels: [
    kind(
      'Service',
      o => delete o.metadata.labels['backstage.io/kubernetes-id'],
    ),
    deployment(
      spec => delete spec.template.metadata.labels['app.kubernetes.io/part-of'],
    ),
  ],
  selector: [
    deployment(spec => {
      spec.selector.matchLabels = { 'app.kubernetes.io/name': 'ledger' };
    }),
    deployment(spec => {
      spec.selector.matchLabels.version = '2';
    }),
  ],
  'service-selects': [
    kind('Service', o => {
      o.spec.selector = { 'app.kubernetes.io/name': 'other' };
    }),
    kind('Service', o => {
      o.spec.ports[0].targetPort = 9090;
    }),
  ],
  'service-internal': [
    kind('Service', o => {
      o.spec.type = 'LoadBalancer';
    }),
  ],
  'rollout-keeps-capacity': [
    deployment(spec => {
      spec.strategy = { type: 'Recreate' };
    }),
    deployment(spec => delete spec.minReadySeconds),
  ],
  'rollout-bounded': [
    deployment(spec => delete spec.progressDeadlineSeconds),
    deployment(spec => {
      spec.revisionHistoryLimit = 0;
    }),
  ],
  'replicas-by-autoscaler': [
    deployment(spec => {
      spec.replicas = 3;
    }),
    without('HorizontalPodAutoscaler'),
  ],
  'autoscaler-bounded': [
    kind('HorizontalPodAutoscaler', o => {
      o.spec.minReplicas = 2;
    }),
    kind('HorizontalPodAutoscaler', o => {
      o.spec.maxReplicas = 3;
    }),
    kind('HorizontalPodAutoscaler', o => delete o.spec.behavior),
  ],
  'disruption-budget': [
    without('PodDisruptionBudget'),
    kind('PodDisruptionBudget', o => {
      o.spec.maxUnavailable = 0;
    }),
    kind('PodDisruptionBudget', o => delete o.spec.unhealthyPodEvictionPolicy),
  ],
  'job-bounded': [
    kind('Job', o => delete o.spec.activeDeadlineSeconds),
    kind('Job', o => delete o.spec.ttlSecondsAfterFinished),
  ],
  'external-secrets': [
    without('ExternalSecret', 'ledger-database'),
    kind('ExternalSecret', o => {
      o.spec.secretStoreRef.kind = 'ClusterSecretStore';
    }),
    kind('ExternalSecret', o => delete o.spec.refreshInterval),
  ],
};

describe('rules of manifests', () => {
  it.each([
    ['dev', 'development', 'log'],
    ['staging', 'staging', 'rabbitmq'],
    ['production', 'production', 'sns'],
  ] as const)('the skeleton keeps them all: %s', (overlay, tier, broker) => {
    expect(
      lintManifests({
        objects: skeleton(overlay, skeletonFiles({ broker })),
        tier,
      }),
    ).toEqual([]);
  });

  it('has a unique id, a title and a breach to try for each', () => {
    const ids = RULES.map(({ id }) => id);
    expect(ids).toHaveLength(40);
    expect(new Set(ids).size).toBe(40);
    expect(Object.keys(BAD).sort()).toEqual([...ids].sort());
    for (const { title } of RULES) expect(title).not.toBe('');
  });

  const breaches = Object.entries(BAD).flatMap(([id, all]) =>
    all.map((change, index) => ({ id, index, change })),
  );
  it.each(breaches)('tells of $id alone ($index)', ({ id, change }) => {
    const before = skeleton();
    const made = change(before);
    const objects = Array.isArray(made) ? made : before;
    const findings = lintManifests({ objects, tier: 'production' });
    expect([...new Set(findings.map(({ rule }) => rule))]).toEqual([id]);
    for (const { message } of findings) expect(message).toMatch(/\w{3}/);
  });
});

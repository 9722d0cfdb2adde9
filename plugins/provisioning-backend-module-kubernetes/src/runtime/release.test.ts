import { FIELD_MANAGER } from '@rocket/kubernetes-node';
import { IMAGE, skeletonFiles } from '../__testUtils__/skeleton';
import { differencesOf } from './drift';
import { MARKS } from './marks';
import { ownedPart } from './owned';
import { buildRelease, coloured, find, neededSecrets } from './release';
import { placeOf, type Place } from './settings';

const PLACE: Place = {
  cluster: 'one',
  namespace: 'team-room',
  environment: 'staging',
  tier: 'staging',
  ownsNamespace: true,
  externalSecrets: true,
  url: 'http://ledger',
};

function release(
  change: (files: Map<string, string>) => void = () => {},
  place: Partial<Place> = {},
) {
  const files = skeletonFiles();
  change(files);
  return buildRelease({
    service: 'ledger',
    entityRef: 'component:default/ledger',
    owner: 'group:default/payments',
    commit: 'c'.repeat(40),
    image: IMAGE,
    run: 'task:1',
    place: { ...PLACE, ...place },
    files,
  });
}

const edit =
  (file: string, from: string | RegExp, to: string) =>
  (files: Map<string, string>) => {
    const text = files.get(file)!;
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    files.set(file, changed);
  };
const add = (text: string) => (files: Map<string, string>) => {
  files.set('base/more.yaml', text);
  edit(
    'base/kustomization.yaml',
    'resources:',
    'resources:\n  - more.yaml',
  )(files);
};
const D = 'base/deployment.yaml';

describe('buildRelease', () => {
  it("puts everything into the environment's namespace, marked and in order", () => {
    const { objects } = release();
    expect(objects.map(({ kind }) => kind)).toEqual([
      'Namespace',
      'ResourceQuota',
      'LimitRange',
      'ServiceAccount',
      'ServiceAccount',
      'NetworkPolicy',
      'NetworkPolicy',
      'ExternalSecret',
      'ExternalSecret',
      'ExternalSecret',
      'Job',
      'Deployment',
      'Service',
      'HorizontalPodAutoscaler',
      'PodDisruptionBudget',
    ]);
    for (const object of objects) {
      const { name, namespace } = object.metadata;
      expect(object.kind === 'Namespace' ? name : namespace).toBe('team-room');
      expect(object.metadata.labels).toMatchObject({
        'app.kubernetes.io/managed-by': 'rocket',
        [MARKS.service]: 'ledger',
        [MARKS.environment]: 'staging',
      });
      expect(object.metadata.annotations).toMatchObject({
        [MARKS.commit]: 'c'.repeat(40),
        [MARKS.run]: 'task:1',
        [MARKS.entity]: 'component:default/ledger',
      });
    }
    const job = find(objects, 'Job')!;
    expect(job.metadata.name).toBe('ledger-migrate-cccccccc');
    expect(job.spec.template.spec.containers[0].image).toBe(IMAGE);
    expect(neededSecrets(objects).sort()).toEqual([
      'ledger-database',
      'ledger-migration',
    ]);
  });

  it("leaves the platform's namespace and Secrets to the platform", () => {
    const kinds = release(() => {}, {
      ownsNamespace: false,
      externalSecrets: false,
    }).objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(kinds).toEqual([
      'ServiceAccount/ledger',
      'NetworkPolicy/ledger',
      'Job/ledger-migrate-cccccccc',
      'Deployment/ledger',
      'Service/ledger',
      'HorizontalPodAutoscaler/ledger',
      'PodDisruptionBudget/ledger',
    ]);
  });

  it('colours what there is twice, and lets the Service choose', () => {
    const green = coloured(release(), 'green');
    const deployment = find(green, 'Deployment')!;
    expect(deployment.metadata.name).toBe('ledger-green');
    expect(deployment.spec.selector.matchLabels).toMatchObject({
      [MARKS.colour]: 'green',
    });
    expect(deployment.spec.template.metadata.labels[MARKS.colour]).toBe(
      'green',
    );
    const scaler = find(green, 'HorizontalPodAutoscaler')!;
    expect(scaler.spec.scaleTargetRef.name).toBe('ledger-green');
    expect(find(green, 'Service')!.spec.selector[MARKS.colour]).toBe('green');
    expect(
      find(green, 'PodDisruptionBudget')!.spec.selector.matchLabels[
        MARKS.colour
      ],
    ).toBeUndefined();
  });

  it.each([
    [
      'rights over the cluster',
      add(
        'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}\n',
      ),
      /ClusterRole all: is nothing that a service may have \(allowed-kinds\)/,
    ],
    [
      'rights in the namespace',
      add(
        'apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: all}\n',
      ),
      /RoleBinding all/,
    ],
    [
      'a Secret in Git',
      add('apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n'),
      /Secret s: use an ExternalSecret/,
    ],
    [
      "the node's files",
      edit(D, 'emptyDir:\n            sizeLimit: 64Mi', 'hostPath: {path: /}'),
      /volume tmp: hostPath is not allowed/,
    ],
    [
      "the node's network",
      edit(D, 'enableServiceLinks: false', 'hostNetwork: true'),
      /hostNetwork must not be set/,
    ],
    ['root', edit(D, 'runAsUser: 10001', 'runAsUser: 0'), /runAsUser/],
    [
      'more rights',
      edit(D, 'allowPrivilegeEscalation: false', 'privileged: true'),
      /not privileged/,
    ],
    [
      'an image by tag',
      edit(D, 'image: service', 'image: nginx:latest'),
      /nginx:latest has no digest/,
    ],
    [
      'an open door',
      edit('base/service.yaml', 'ClusterIP', 'LoadBalancer'),
      /use ClusterIP/,
    ],
    [
      "another one's pods",
      (files: Map<string, string>) =>
        add(files.get(D)!.replaceAll('ledger', 'second'))(files),
      /Deployment ledger: its selector takes pods of Deployment second/,
    ],
    [
      'no workload',
      edit('base/kustomization.yaml', '  - deployment.yaml\n', ''),
      /must have one Deployment/,
    ],
    [
      'files of the machine',
      edit('base/kustomization.yaml', 'service.yaml', '../../../etc/passwd'),
      /leads out of the folder/,
    ],
  ])('refuses %s', (_, change, reason) => {
    expect(() => release(change)).toThrow(reason);
  });

  it("refuses objects for another team's namespace", () => {
    const change = (files: Map<string, string>) => {
      edit(
        'overlays/staging/kustomization.yaml',
        /^namespace: .*$/m,
        '',
      )(files);
      edit(
        'base/service.yaml',
        'metadata:',
        'metadata:\n  namespace: payroll',
      )(files);
    };
    expect(() => release(change)).toThrow(
      /for several namespaces, .*payroll|payroll/,
    );
  });
});

describe('placeOf', () => {
  const environment = (settings: object) => ({
    name: 'staging',
    tier: 'staging' as const,
    settings: settings as {},
  });

  it('fills in names and defaults', () => {
    expect(placeOf('ledger', environment({ cluster: 'one' }))).toEqual({
      ...PLACE,
      namespace: 'ledger-staging',
      url: 'http://ledger.ledger-staging.svc.cluster.local',
    });
    expect(
      placeOf(
        'ledger',
        environment({
          cluster: 'one',
          namespace: '{environment}-{service}',
          url: 'https://{service}.{environment}.example.com',
          createNamespace: false,
          externalSecrets: false,
        }),
      ),
    ).toMatchObject({
      namespace: 'staging-ledger',
      url: 'https://ledger.staging.example.com',
      ownsNamespace: false,
      externalSecrets: false,
    });
    // As the records of services are called in an environment.
    expect(
      placeOf('ledger-staging', environment({ cluster: 'one' }), 'ledger'),
    ).toMatchObject({
      namespace: 'ledger-staging',
      url: 'http://ledger.ledger-staging.svc.cluster.local',
    });
    expect(placeOf('staging', environment({ cluster: 'one' })).namespace).toBe(
      'staging-staging',
    );
    expect(
      placeOf('l'.repeat(63), environment({ cluster: 'one' })).namespace,
    ).toHaveLength(63);
  });

  it.each([
    [{}, /staging\.kubernetes\.cluster: is missing/],
    [{ cluster: 'one', namespace: 'A_B' }, /namespace: must be 1 to 63/],
    [{ cluster: 'one', namespace: 'kube-system' }, /belongs to the cluster/],
    [{ cluster: 'one', namespace: 7 }, /namespace: must be a text/],
    [
      { cluster: 'one', createNamespace: 'no' },
      /createNamespace: must be true/,
    ],
  ])('names what is wrong: %j', (settings, reason) => {
    expect(() => placeOf('ledger', environment(settings))).toThrow(reason);
  });

  it('needs an environment', () => {
    expect(() => placeOf('ledger', undefined)).toThrow(/needs an environment/);
  });
});

describe('ownedPart', () => {
  it('is what Rocket applied, of lists by key too, and nothing of others', () => {
    const object = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'ledger',
        namespace: 'n',
        uid: 'u',
        labels: { a: '1', b: '2' },
        managedFields: [
          {
            manager: FIELD_MANAGER,
            operation: 'Apply' as const,
            fieldsV1: {
              'f:metadata': { 'f:labels': { 'f:a': {} } },
              'f:spec': {
                'f:selector': {},
                'f:ports': {
                  'k:{"port":80,"protocol":"TCP"}': {
                    '.': {},
                    'f:port': {},
                    'f:protocol': {},
                  },
                },
                'f:finalizers': { 'v:"mine"': {} },
              },
            },
          },
          {
            manager: 'other',
            operation: 'Update' as const,
            fieldsV1: { 'f:spec': { 'f:type': {} } },
          },
        ],
      },
      spec: {
        type: 'ClusterIP',
        clusterIP: '10.0.0.1',
        selector: { x: 'y' },
        ports: [
          { port: 81, protocol: 'TCP' },
          { port: 80, protocol: 'TCP', targetPort: 80 },
        ],
        finalizers: ['theirs', 'mine'],
      },
    };
    expect(ownedPart(object)).toEqual({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'ledger', namespace: 'n', labels: { a: '1' } },
      spec: {
        selector: { x: 'y' },
        ports: [{ port: 80, protocol: 'TCP' }],
        finalizers: ['mine'],
      },
    });
  });
});

describe('differencesOf', () => {
  const object = (spec: object, metadata: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'ledger', ...metadata },
    spec,
  });

  it('names each field with both values, items of lists by their name', () => {
    expect(
      differencesOf(
        object({ type: 'ClusterIP', env: [{ name: 'A', value: '1' }] }),
        object({ type: 'NodePort', env: [{ name: 'A', value: '2' }] }),
      ),
    ).toEqual([
      {
        field: 'Service ledger: spec.type',
        intended: 'ClusterIP',
        found: 'NodePort',
      },
      { field: 'Service ledger: spec.env[A].value', intended: '1', found: '2' },
    ]);
  });

  it('does not tell of what servers keep', () => {
    expect(
      differencesOf(
        object({}, { resourceVersion: '1', managedFields: [] }),
        object({}, { resourceVersion: '2' }),
      ),
    ).toEqual([]);
  });
});

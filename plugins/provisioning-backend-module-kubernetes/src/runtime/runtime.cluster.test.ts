import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { mockServices } from '@backstage/backend-test-utils';
import type {
  KubernetesClient,
  KubernetesObject,
  KubernetesService,
} from '@rocket/kubernetes-node';
import {
  connect,
  describeOnCluster,
  KubeletSimulator,
  type PodBehaviour,
} from '@rocket/kubernetes-node/testUtils';
import type { DeployPhase } from '@rocket/plugin-provisioning-common';
import type { RuntimeTarget } from '@rocket/plugin-provisioning-node';
import { IMAGE, skeleton, skeletonFiles } from '../__testUtils__/skeleton';
import { playOperator } from '../__testUtils__/operator';
import type { GateAnswer } from './BlueGreen';
import { KubernetesRuntime } from './KubernetesRuntime';
import { MARKS } from './marks';
import { DEFAULT_SETTINGS } from './settings';

jest.setTimeout(120_000);

const COMMITS = ['1', '2', '3'].map(digit => digit.repeat(40));
const imageOf = (commit: string) =>
  IMAGE.replace(/@.*/, `@sha256:${commit.slice(0, 32).repeat(2)}`);

describeOnCluster('the runtime on a real API server', cluster => {
  let client: KubernetesClient;
  let close: () => void;
  let operator: { stop(): Promise<void> };
  let simulator: KubeletSimulator | undefined;
  let gate: jest.Mock<Promise<GateAnswer>, [string]>;

  beforeAll(async () => {
    ({ client, close } = connect(cluster));
    operator = await playOperator(client);
  });
  afterEach(async () => {
    await simulator?.stop();
    simulator = undefined;
  });
  afterAll(async () => {
    await operator?.stop();
    close?.();
  });

  function start(
    settings: Partial<typeof DEFAULT_SETTINGS> = {},
    template = 'transaction-service-nodejs',
  ) {
    gate = jest.fn<Promise<GateAnswer>, [string]>(async () => ({
      decision: 'allow',
      reasons: [],
    }));
    const kubernetes: KubernetesService = {
      listClusters: () => [{ name: 'real', url: cluster.url }],
      getClient: () => client,
    };
    const service = `s${randomBytes(4).toString('hex')}`;
    const runtime = new KubernetesRuntime({
      kubernetes,
      settings: {
        ...DEFAULT_SETTINGS,
        pollMs: 100,
        watchMs: 300,
        readyTimeoutMs: 40_000,
        ...settings,
      },
      logger: mockServices.logger.mock(),
      gate,
    });
    const namespace = `${service}-test`;
    const target = (
      commit: string,
      change: (files: Map<string, string>) => void = () => {},
      extra: Partial<RuntimeTarget> = {},
    ): RuntimeTarget => ({
      name: service,
      entityRef: `component:default/${service}`,
      owner: 'group:default/payments',
      environment: {
        name: 'test',
        tier: 'development',
        settings: { cluster: 'real' },
      },
      commit,
      image: imageOf(commit),
      async checkout(directory) {
        const files = skeletonFiles({ name: service, template });
        change(files);
        for (const [file, text] of files) {
          const to = path.join(directory, 'deploy/kubernetes', file);
          mkdirSync(path.dirname(to), { recursive: true });
          writeFileSync(to, text);
        }
      },
      ...extra,
    });
    const behave = (behaviour: (image: string) => PodBehaviour) => {
      simulator = new KubeletSimulator(client, namespace, pod => {
        const [{ name, image }] = pod.spec.containers;
        return name === 'migrate' ? 'succeeded' : behaviour(image);
      });
    };
    const phases: DeployPhase[] = [];
    const deploy = (to: RuntimeTarget) =>
      runtime.deploy(to, {
        signal: AbortSignal.timeout(90_000),
        onPhase: async phase => {
          if (phases.at(-1) !== phase) phases.push(phase);
        },
      });
    const get = (kind: string, name: string, apiVersion = 'v1') =>
      client.get<KubernetesObject & { spec: any }>({
        apiVersion,
        kind,
        ...(kind === 'Namespace' ? {} : { namespace }),
        name,
      });
    const colour = async () =>
      (await get('Service', service))?.spec.selector[MARKS.colour];
    const removed = async (to: RuntimeTarget) => {
      for (;;) {
        const result = await runtime.remove(to);
        if (result.outcome !== 'retry') return result;
        await new Promise(resolve => setTimeout(resolve, 100));
      }
    };
    return {
      runtime,
      service,
      namespace,
      target,
      behave,
      deploy,
      phases,
      get,
      colour,
      removed,
    };
  }

  /** Everything on the server with our label, of whatever kind. */
  async function everything(service: string): Promise<string[]> {
    const { resources } = await client.listResources();
    const names: string[] = [];
    for (const { apiVersion, kind, verbs } of resources) {
      if (!verbs.includes('list')) continue;
      const items = await client.listAll({
        apiVersion,
        kind,
        labelSelector: { [MARKS.service]: service },
      });
      names.push(...items.map(item => `${kind}/${item.metadata.name}`));
    }
    return names;
  }

  it.each(['transaction-service-nodejs', 'authorization-service-nodejs'])(
    'brings a service up, healthy, as its manifests say, and leaves nothing when it is removed: %s',
    async template => {
      const { target, behave, deploy, phases, get, service, ...rest } = start(
        {},
        template,
      );
      behave(() => 'ready');
      const endpoint = await deploy(target(COMMITS[0]));
      expect(endpoint.url).toBe(
        `http://${service}.${rest.namespace}.svc.cluster.local`,
      );
      expect(phases).toEqual([
        'checkout',
        'install',
        'database',
        'migrate',
        'start',
        'health',
      ]);
      const deployment = (await get(
        'Deployment',
        `${service}-blue`,
        'apps/v1',
      )) as any;
      expect(deployment.spec.template.spec.containers[0].image).toBe(
        imageOf(COMMITS[0]),
      );
      expect(deployment.status.availableReplicas).toBe(1);
      expect(deployment.metadata.annotations[MARKS.commit]).toBe(COMMITS[0]);
      await expect(rest.colour()).resolves.toBe('blue');
      expect(
        (await get('Namespace', rest.namespace))?.metadata.labels,
      ).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
      const live = await everything(service);
      expect(live.map(name => name.split('/')[0]).sort()).toEqual(
        expect.arrayContaining([
          'Deployment',
          'ExternalSecret',
          'HorizontalPodAutoscaler',
          'Job',
          'LimitRange',
          'Namespace',
          'NetworkPolicy',
          'Pod',
          'PodDisruptionBudget',
          'ResourceQuota',
          'Service',
          'ServiceAccount',
        ]),
      );
      const signal = new AbortController().signal;
      await expect(
        rest.runtime.observe(target(COMMITS[0]), { signal }),
      ).resolves.toMatchObject({ state: 'present' });
      await rest.removed(target(COMMITS[0]));
      await expect(everything(service)).resolves.toEqual([]);
      await expect(
        rest.runtime.observe(target(COMMITS[0]), { signal }),
      ).resolves.toMatchObject({ state: 'absent' });
    },
  );

  it('puts a new version beside the old one, changes the requests over, and keeps the old one for a while', async () => {
    const { runtime, target, behave, deploy, get, service, colour, removed } =
      start({ keepMs: 1 });
    behave(() => 'ready');
    await deploy(target(COMMITS[0]));
    await deploy(target(COMMITS[1]));
    await expect(colour()).resolves.toBe('green');
    const old = await get('Deployment', `${service}-blue`, 'apps/v1');
    expect(old?.metadata.annotations?.[MARKS.retireAt]).toBeDefined();
    expect(gate).toHaveBeenCalledWith(`component:default/${service}`);
    await runtime.sweep();
    await expect(
      get('Deployment', `${service}-blue`, 'apps/v1'),
    ).resolves.toBeUndefined();
    await expect(
      get('Deployment', `${service}-green`, 'apps/v1'),
    ).resolves.toBeDefined();
    // Back to a recorded version is a deployment of it.
    await deploy(target(COMMITS[0]));
    await expect(colour()).resolves.toBe('blue');
    await removed(target(COMMITS[0]));
  });

  it.each([
    ['crash-loop', /ends again and again after its start/],
    ['image-pull-backoff', /cannot be pulled: is it in the registry/],
  ] as const)(
    'goes back from a broken version: %s',
    async (behaviour, reason) => {
      const { target, behave, deploy, get, service, colour, removed } = start();
      behave(image => (image === imageOf(COMMITS[1]) ? behaviour : 'ready'));
      await deploy(target(COMMITS[0]));
      const attempt = deploy(
        target(COMMITS[1], files => {
          files.set(
            'base/network-policy.yaml',
            files
              .get('base/network-policy.yaml')!
              .replace('port: 5432', 'port: 6432'),
          );
        }),
      );
      await expect(attempt).rejects.toThrow(reason);
      await expect(attempt).rejects.toThrow(
        /The version before it \(blue\) has the requests/,
      );
      await expect(colour()).resolves.toBe('blue');
      // The shared objects are as the old version wants them, too.
      const policy = await get(
        'NetworkPolicy',
        service,
        'networking.k8s.io/v1',
      );
      expect(JSON.stringify(policy?.spec)).toContain('5432');
      expect(JSON.stringify(policy?.spec)).not.toContain('6432');
      await expect(
        get('Deployment', `${service}-green`, 'apps/v1'),
      ).resolves.toBeUndefined();
      await removed(target(COMMITS[0]));
    },
  );

  it('goes back when the gate says block, and when the new version turns unready', async () => {
    const { target, behave, deploy, colour, removed } = start({
      watchMs: 20_000,
    });
    behave(() => 'ready');
    await deploy(target(COMMITS[0]));
    gate.mockResolvedValueOnce({
      decision: 'block',
      reasons: ['the budget of wallet-top-up is spent'],
    });
    await expect(deploy(target(COMMITS[1]))).rejects.toThrow(
      /the gate says no: the budget of wallet-top-up is spent/,
    );
    await expect(colour()).resolves.toBe('blue');
    const turn = ({ name, image }: { name: string; image: string }) => {
      if (name === 'migrate') return 'succeeded';
      return image === imageOf(COMMITS[2]) ? 'not-ready' : 'ready';
    };
    gate.mockImplementation(async () => {
      // Asked when it is ready: from then on it is not.
      simulator!.behave(pod => turn(pod.spec.containers[0]));
      return { decision: 'allow', reasons: [] };
    });
    await expect(deploy(target(COMMITS[2]))).rejects.toThrow(
      /turned unready after it got the requests/,
    );
    await expect(colour()).resolves.toBe('blue');
    await removed(target(COMMITS[0]));
  });

  it('writes nothing when the API server would refuse one object', async () => {
    const { target, behave, deploy, service, removed } = start();
    const wrong = target(COMMITS[0], files => {
      files.set(
        'base/service.yaml',
        files
          .get('base/service.yaml')!
          .replace('appProtocol', 'applicationProtocol'),
      );
      files.set(
        'base/deployment.yaml',
        files
          .get('base/deployment.yaml')!
          .replace('containerPort: 8080', 'containerPort: 80800'),
      );
    });
    const attempt = deploy(wrong);
    await expect(attempt).rejects.toThrow(/applicationProtocol/);
    await expect(attempt).rejects.toThrow(/containerPort/);
    await expect(attempt).rejects.toThrow(/nothing was changed/);
    // Once it can be applied, the namespace that was made for the question is no obstacle.
    behave(() => 'ready');
    await deploy(target(COMMITS[1]));
    await removed(target(COMMITS[1]));
    await expect(everything(service)).resolves.toEqual([]);
  });

  it("leaves alone what it did not make: another one's namespace, another one's object", async () => {
    const { target, deploy, service, namespace } = start();
    await client.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { team: 'payroll' } },
    });
    await expect(deploy(target(COMMITS[0]))).rejects.toThrow(
      /Namespace .* is there already and is not made by Rocket/,
    );
    await client.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: service, namespace },
      spec: { ports: [{ port: 1 }] },
    });
    const shared = target(COMMITS[0], undefined, {
      environment: {
        name: 'test',
        tier: 'development',
        settings: { cluster: 'real', createNamespace: false },
      },
    });
    await expect(deploy(shared)).rejects.toThrow(
      /Service .* is there already and is not made by Rocket/,
    );
    await expect(everything(service)).resolves.toEqual([]);
    await client.delete({
      apiVersion: 'v1',
      kind: 'Namespace',
      name: namespace,
    });
  });

  it('finds and tells drift, scales within bounds, stops and starts', async () => {
    const {
      runtime,
      target,
      behave,
      deploy,
      get,
      service,
      namespace,
      removed,
    } = start();
    behave(() => 'ready');
    const to = target(COMMITS[0]);
    await deploy(to);
    const signal = AbortSignal.timeout(60_000);
    await expect(runtime.scale(to, 3, { signal })).rejects.toThrow(
      /from 1 to 2/,
    );
    await runtime.scale(to, 2, { signal });
    const scaled = await get('Deployment', `${service}-blue`, 'apps/v1');
    expect(scaled?.spec.replicas).toBe(2);
    await client.mergePatch(
      { apiVersion: 'v1', kind: 'Service', namespace, name: service },
      {
        spec: {
          ports: [
            { name: 'http', port: 80, protocol: 'TCP', targetPort: 9090 },
          ],
        },
      },
    );
    const { state, differences } = await runtime.observe(to, { signal });
    expect(state).toBe('drifted');
    expect(differences).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          field: `Service ${service}: spec.ports[http].targetPort`,
          intended: 'http',
          found: '9090',
        }),
      ]),
    );
    await runtime.stop(service);
    const stopped = await get('Deployment', `${service}-blue`, 'apps/v1');
    expect(stopped?.spec.replicas).toBe(0);
    await runtime.start(to, { signal });
    const started = await get('Deployment', `${service}-blue`, 'apps/v1');
    expect(started?.spec.replicas).toBe(2);
    // The next deployment is what the manifests say again.
    await deploy(to);
    await expect(runtime.observe(to, { signal })).resolves.toMatchObject({
      state: 'present',
    });
    await removed(to);
  });

  it('tells what holds up a namespace, never forces it, and is done when that is gone', async () => {
    const { runtime, target, behave, deploy, namespace, removed } = start();
    behave(() => 'ready');
    const to = target(COMMITS[0]);
    await deploy(to);
    const held = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace,
      name: 'held',
    };
    await client.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'held',
        namespace,
        finalizers: ['example.com/never'],
      },
    });
    let message = '';
    while (!/ConfigMap held \(waits for example.com\/never\)/.test(message)) {
      const result = await runtime.remove(to);
      expect(result.outcome).toBe('retry');
      message = (result as { message: string }).message;
    }
    expect(message).toContain(`the namespace ${namespace} is being deleted`);
    const found = await client.get(held);
    expect(found?.metadata.finalizers).toEqual(['example.com/never']);
    await client.mergePatch(held, { metadata: { finalizers: null } });
    await expect(removed(to)).resolves.toMatchObject({ outcome: 'done' });
  });

  it('removes what an earlier version had and the new one has not', async () => {
    const { target, behave, deploy, get, service, removed } = start({
      keepMs: 0,
    });
    behave(() => 'ready');
    await deploy(
      target(COMMITS[0], files => {
        files.set(
          'base/extra.yaml',
          `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${service}-extra}\n`,
        );
        files.set(
          'base/kustomization.yaml',
          files
            .get('base/kustomization.yaml')!
            .replace('resources:', 'resources:\n  - extra.yaml'),
        );
      }),
    );
    await expect(get('ConfigMap', `${service}-extra`)).resolves.toBeDefined();
    await deploy(target(COMMITS[1]));
    await expect(get('ConfigMap', `${service}-extra`)).resolves.toBeUndefined();
    await expect(
      get('Deployment', `${service}-blue`, 'apps/v1'),
    ).resolves.toBeUndefined();
    await removed(target(COMMITS[1]));
  });

  it.each(['dev', 'staging', 'production'])(
    'the API server takes every object of every broker: %s',
    async overlay => {
      for (const broker of ['log', 'rabbitmq', 'sns']) {
        const name = `s${randomBytes(4).toString('hex')}`;
        const objects = skeleton(overlay, skeletonFiles({ name, broker }));
        const [namespace] = objects.splice(
          objects.findIndex(({ kind }) => kind === 'Namespace'),
          1,
        );
        await client.apply(namespace);
        for (const object of objects) {
          const { object: taken } = await client.apply(object, {
            dryRun: true,
          });
          expect(taken.metadata.uid).toBeDefined();
        }
        await client.delete({
          apiVersion: 'v1',
          kind: 'Namespace',
          name: namespace.metadata.name,
        });
      }
    },
  );
});

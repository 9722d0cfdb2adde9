import { randomBytes } from 'node:crypto';
import type {
  KubernetesClient,
  KubernetesService,
} from '@rocket/kubernetes-node';
import {
  connect,
  describeOnCluster,
  KubeletSimulator,
} from '@rocket/kubernetes-node/testUtils';
import type { Effect } from '@rocket/plugin-provisioning-common';
import type {
  EffectContext,
  EffectHandler,
} from '@rocket/plugin-provisioning-node';
import { playOperator } from '../__testUtils__/operator';
import { IMAGE, skeletonFiles } from '../__testUtils__/skeleton';
import { MARKS } from '../runtime/marks';
import { DEFAULT_SETTINGS } from '../runtime/settings';
import { NamespaceHandler } from './NamespaceHandler';
import { WorkloadHandler } from './WorkloadHandler';

jest.setTimeout(180_000);

describeOnCluster('the effects of Kubernetes on a real API server', cluster => {
  let client: KubernetesClient;
  let close: () => void;
  let operator: { stop(): Promise<void> };
  let kubernetes: KubernetesService;
  const context: EffectContext = {
    signal: new AbortController().signal,
    progress: async () => {},
  };

  beforeAll(async () => {
    ({ client, close } = connect(cluster));
    operator = await playOperator(client);
    kubernetes = {
      listClusters: () => [{ name: 'real', url: cluster.url }],
      getClient: () => client,
    };
  });
  afterAll(async () => {
    await operator?.stop();
    close?.();
  });

  function setup() {
    const name = `s${randomBytes(4).toString('hex')}`;
    const namespace = `${name}-room`;
    const handlers = {
      namespace: new NamespaceHandler({ kubernetes }),
      workload: new WorkloadHandler({
        kubernetes,
        settings: { ...DEFAULT_SETTINGS, pollMs: 100, gate: false },
      }),
    };
    const effect = (type: string, intent: object): Effect =>
      ({
        id: `${type}-${name}`,
        type,
        reference: `real/${namespace}`,
        subject: `component:default/${name}`,
        owner: 'group:default/payments',
        run: 'task:1',
        intent,
        details: {},
      } as unknown as Effect);
    const namespaceEffect = effect('namespace', {
      cluster: 'real',
      namespace,
      tier: 'development',
    });
    const workloadEffect = effect('workload', {
      cluster: 'real',
      namespace,
      environment: 'test',
      tier: 'development',
      service: name,
      commit: 'd'.repeat(40),
      image: IMAGE,
      createNamespace: false,
      files: Object.fromEntries(skeletonFiles({ name })),
    });
    const removed = async (handler: EffectHandler, of: Effect) => {
      for (;;) {
        const result = await handler.remove(of, 'undo', context);
        if (result.outcome !== 'retry') return result;
        await new Promise(resolve => setTimeout(resolve, 100));
      }
    };
    const get = (kind: string, object: string) =>
      client.get({
        apiVersion: 'v1',
        kind,
        name: object,
        ...(kind === 'Namespace' ? {} : { namespace }),
      });
    return {
      name,
      namespace,
      namespaceEffect,
      workloadEffect,
      removed,
      get,
      handlers,
    };
  }

  it('makes a namespace and what runs in it, finds drift, and takes both back', async () => {
    const t = setup();
    const { namespaceEffect, workloadEffect, handlers } = t;
    await expect(
      handlers.namespace.preflight(namespaceEffect, context),
    ).resolves.toMatchObject([{ level: 'ok', reason: 'name-free' }]);
    namespaceEffect.details = await handlers.namespace.apply(
      namespaceEffect,
      context,
    );
    expect(namespaceEffect.details).toMatchObject({
      uid: expect.stringMatching(/-/),
    });
    // Done again it is the same one.
    await expect(
      handlers.namespace.apply(namespaceEffect, context),
    ).resolves.toEqual(namespaceEffect.details);
    await expect(
      handlers.namespace.observe(namespaceEffect, context),
    ).resolves.toMatchObject({ state: 'present' });

    await expect(
      handlers.workload.preflight(workloadEffect, context),
    ).resolves.toMatchObject([{ level: 'ok', reason: 'dry-run' }]);
    const simulator = new KubeletSimulator(client, t.namespace, pod =>
      pod.spec.containers[0].name === 'migrate' ? 'succeeded' : 'ready',
    );
    try {
      workloadEffect.details = await handlers.workload.apply(
        workloadEffect,
        context,
      );
    } finally {
      await simulator.stop();
    }
    expect(workloadEffect.details).toMatchObject({
      colour: 'blue',
      objects: expect.arrayContaining([
        { kind: 'Service', name: t.name, uid: expect.stringMatching(/-/) },
      ]),
    });
    await expect(
      handlers.workload.observe(workloadEffect, context),
    ).resolves.toMatchObject({ state: 'present' });
    await client.mergePatch(
      {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        namespace: t.namespace,
        name: 'rocket',
      },
      { spec: { hard: { pods: '400' } } },
    );
    await expect(
      handlers.namespace.observe(namespaceEffect, context),
    ).resolves.toMatchObject({
      state: 'drifted',
      differences: [
        {
          field: 'ResourceQuota rocket: spec.hard.pods',
          intended: '40',
          found: '400',
        },
      ],
    });

    await t.removed(handlers.workload, workloadEffect);
    await expect(t.get('Service', t.name)).resolves.toBeUndefined();
    await expect(t.get('Namespace', t.namespace)).resolves.toBeDefined();
    await expect(
      handlers.workload.observe(workloadEffect, context),
    ).resolves.toMatchObject({ state: 'absent' });
    await t.removed(handlers.namespace, namespaceEffect);
    await expect(t.get('Namespace', t.namespace)).resolves.toBeUndefined();
    // Taken back again, nothing is left to do.
    await expect(
      t.removed(handlers.namespace, namespaceEffect),
    ).resolves.toMatchObject({ outcome: 'done' });
  });

  it("never touches a namespace that only looks like its own, nor another one's", async () => {
    const t = setup();
    await client.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: t.namespace,
        labels: { [MARKS.managedBy]: 'rocket', [MARKS.effect]: 'other' },
      },
    });
    await expect(
      t.handlers.namespace.preflight(t.namespaceEffect, context),
    ).resolves.toMatchObject([{ level: 'error', reason: 'name-taken' }]);
    await expect(
      t.handlers.namespace.apply(t.namespaceEffect, context),
    ).rejects.toThrow(/is there already/);
    await expect(
      t.handlers.namespace.remove(t.namespaceEffect, 'undo', context),
    ).resolves.toMatchObject({
      outcome: 'done',
      message: expect.stringMatching(/left alone/),
    });
    // Its mark, but made anew by somebody: another uid.
    t.namespaceEffect.details = { uid: 'of-the-first-one' };
    await client.mergePatch(
      { apiVersion: 'v1', kind: 'Namespace', name: t.namespace },
      { metadata: { labels: { [MARKS.effect]: t.namespaceEffect.id } } },
    );
    await expect(
      t.handlers.namespace.remove(t.namespaceEffect, 'undo', context),
    ).resolves.toMatchObject({ outcome: 'done' });
    const there = await t.get('Namespace', t.namespace);
    expect(there?.metadata.deletionTimestamp).toBeUndefined();
    await client.delete({
      apiVersion: 'v1',
      kind: 'Namespace',
      name: t.namespace,
    });
  });

  it('refuses what a run must not ask for, before anything is written', async () => {
    const { handlers, workloadEffect } = setup();
    const { intent } = workloadEffect;
    const parse = (change: object) => () =>
      handlers.workload.parseIntent({ ...intent, ...change });
    expect(parse({ namespace: 'kube-system' })).toThrow(
      /belongs to the cluster/,
    );
    expect(parse({ image: 'nginx:latest' })).toThrow(/by its digest/);
    expect(parse({ commit: 'main' })).toThrow(/full SHA/);
    expect(parse({ files: {} })).toThrow(/no kustomization/);
    expect(
      parse({
        files: {
          'overlays/dev/kustomization.yaml': 'resources: [../../../../etc]',
        },
      }),
    ).toThrow(/leads out/);
    expect(
      handlers.workload.parseIntent(handlers.workload.parseIntent(intent)),
    ).toEqual(handlers.workload.parseIntent(intent));
  });
});

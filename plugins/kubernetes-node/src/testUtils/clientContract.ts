import { KubernetesError, KubernetesFieldConflictError } from '../errors';
import type {
  KubernetesClient,
  KubernetesObject,
  ObjectChange,
} from '../types';
import { KubeletSimulator } from './KubeletSimulator';

/** What an API server may lack. */
export type Ability =
  | 'built-in schemas'
  | 'defaulting'
  | 'garbage collection'
  | 'pod security'
  | 'quota'
  | 'workload controllers';

/** An API server under the contract. */
export interface ContractSubject {
  client: KubernetesClient;
  /** Of a user without any role, and that user's name. */
  stranger: { client: KubernetesClient; user: string };
  /** Breaks all connections at once, as a network does. */
  cutConnections(): void;
  close(): Promise<void>;
}

const GROUP = 'contract.rocket.internal';
const WIDGETS = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `widgets.${GROUP}` },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: {
      kind: 'Widget',
      listKind: 'WidgetList',
      plural: 'widgets',
      singular: 'widget',
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            required: ['spec'],
            properties: {
              spec: {
                type: 'object',
                required: ['size'],
                properties: {
                  size: { type: 'integer', minimum: 1, maximum: 9 },
                  mode: { type: 'string', enum: ['fast', 'safe'] },
                },
              },
              status: {
                type: 'object',
                properties: { phase: { type: 'string' } },
              },
            },
          },
        },
      },
    ],
  },
};
const PATIENCE = { deadlineMs: 60_000 };
const HELD = 'contract.rocket.internal/held';

/** The error of a call that must fail. */
async function errorOf(call: Promise<unknown>): Promise<KubernetesError> {
  const error = await call.then(
    () => undefined,
    e => e,
  );
  expect(error).toBeInstanceOf(KubernetesError);
  return error;
}

/**
 * What every API server does for the client. It runs on the real one and on the
 * fake, so that the fake stays honest; what a server cannot do is in `cannot`,
 * with the reason, and is reported as not run.
 */
export function clientContract(
  title: string,
  start: () => Promise<ContractSubject>,
  cannot: Partial<Record<Ability, string>> = {},
): void {
  const needs =
    (ability: Ability) => (name: string, test: () => Promise<void>) => {
      const reason = cannot[ability];
      if (reason) it.skip(`${name}: NOT RUN, because ${reason}`, test);
      else it(name, test);
    };

  describe(title, () => {
    const namespace = `contract-${Math.random().toString(36).slice(2, 8)}`;
    let subject: ContractSubject;
    let client: KubernetesClient;
    let count = 0;

    const map = (
      data: Record<string, string>,
      metadata: Partial<KubernetesObject['metadata']> = {},
    ) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `map-${++count}`, namespace, ...metadata },
      data,
    });
    const widget = (spec: Record<string, unknown>) => ({
      apiVersion: `${GROUP}/v1`,
      kind: 'Widget',
      metadata: { name: `widget-${++count}`, namespace },
      spec,
    });
    const refOf = ({ apiVersion, kind, metadata }: KubernetesObject) => ({
      apiVersion,
      kind,
      name: metadata.name!,
      namespace: metadata.namespace,
    });
    const maps = (labelSelector?: Record<string, string>) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace,
      labelSelector,
    });
    const makeNamespace = async (name: string, labels = {}) => {
      await client.apply({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name, labels },
      });
      return name;
    };
    const namespaceRef = (name: string) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      name,
    });
    const gone = (name: string) =>
      client.waitUntil(
        {
          apiVersion: 'v1',
          kind: 'Namespace',
          fieldSelector: `metadata.name=${name}`,
        },
        items => (items.length ? undefined : true),
        PATIENCE,
      );

    beforeAll(async () => {
      subject = await start();
      client = subject.client;
      await makeNamespace(namespace);
      await client.apply(WIDGETS);
      await client.waitUntil(
        {
          apiVersion: WIDGETS.apiVersion,
          kind: WIDGETS.kind,
          fieldSelector: `metadata.name=${WIDGETS.metadata.name}`,
        },
        ([definition]) =>
          (definition?.status as any)?.conditions?.find(
            (c: any) => c.type === 'Established' && c.status === 'True',
          ),
        PATIENCE,
      );
    }, 90_000);

    afterAll(async () => {
      await client.delete(namespaceRef(namespace));
      await gone(namespace);
      await client.delete(refOf(WIDGETS));
      await subject.close();
    }, 90_000);

    describe('apply', () => {
      it('creates, then changes, and leaves alone what is as it should be', async () => {
        const object = map({ a: '1' });
        const first = await client.apply(object);
        expect(first.created).toBe(true);
        expect(first.object).toMatchObject({
          kind: 'ConfigMap',
          data: { a: '1' },
        });
        const again = await client.apply(object);
        expect(again.created).toBe(false);
        expect(again.object.metadata.resourceVersion).toBe(
          first.object.metadata.resourceVersion,
        );
        const changed = await client.apply({ ...object, data: { a: '2' } });
        expect(changed.object.data).toEqual({ a: '2' });
        expect(changed.object.metadata.uid).toBe(first.object.metadata.uid);
        expect(changed.object.metadata.resourceVersion).not.toBe(
          first.object.metadata.resourceVersion,
        );
      });

      it('takes back the fields that it no longer names, and nobody else’s', async () => {
        const object = map({ a: '1', b: '2' });
        await client.apply(object);
        await client.apply(
          { ...object, data: { c: '3' } as Record<string, string> },
          { fieldManager: 'other' },
        );
        const { object: left } = await client.apply({
          ...object,
          data: { a: '1' },
        });
        expect(left.data).toEqual({ a: '1', c: '3' });
      });

      it('tells who owns a field that it would change, and takes it over by force alone', async () => {
        const object = map({ a: '1', b: '1' });
        await client.apply(object, { fieldManager: 'other' });
        const error = await errorOf(
          client.apply({ ...object, data: { a: '2', b: '1' } }),
        );
        expect(error).toBeInstanceOf(KubernetesFieldConflictError);
        expect((error as KubernetesFieldConflictError).conflicts).toEqual([
          { field: '.data.a', manager: 'other' },
        ]);
        expect(error.retryable).toBe(false);
        expect((await client.get(refOf(object)))!.data).toEqual({
          a: '1',
          b: '1',
        });

        const forced = await client.apply(
          { ...object, data: { a: '2', b: '1' } },
          { force: true },
        );
        expect(forced.object.data).toEqual({ a: '2', b: '1' });
        const back = await errorOf(
          client.apply(object, { fieldManager: 'other' }),
        );
        expect((back as KubernetesFieldConflictError).conflicts).toEqual([
          { field: '.data.a', manager: 'rocket-provisioner' },
        ]);
      });

      it('names who changed a field in another way', async () => {
        const object = map({ a: '1' });
        await client.create(object);
        const error = await errorOf(
          client.apply(
            { ...object, data: { a: '2' } },
            { fieldManager: 'other' },
          ),
        );
        expect((error as KubernetesFieldConflictError).conflicts).toEqual([
          {
            field: '.data.a',
            manager: 'rocket-provisioner',
            detail: 'using v1',
          },
        ]);
      });

      it('stores nothing in a dry run, and refuses there what it would refuse', async () => {
        const object = map({ a: '1' });
        const tried = await client.apply(object, { dryRun: true });
        expect(tried).toMatchObject({
          created: true,
          object: { data: { a: '1' } },
        });
        expect(await client.get(refOf(object))).toBeUndefined();
        await client.apply(object, { fieldManager: 'other' });
        expect(
          (
            await errorOf(
              client.apply({ ...object, data: { a: '2' } }, { dryRun: true }),
            )
          ).kind,
        ).toBe('field-conflict');
        expect((await client.get(refOf(object)))!.data).toEqual({ a: '1' });
      });

      it('takes a field that the kind does not have for a mistake, not for a fault', async () => {
        const error = await errorOf(
          client.apply(widget({ size: 1, colour: 'red' })),
        );
        expect(error).toMatchObject({
          kind: 'validation',
          status: 500,
          retryable: false,
        });
        expect(error.fields.map(f => f.field)).toEqual(['.spec.colour']);
        expect(error.message).toContain(
          '.spec.colour: the kind has no such field',
        );
      });

      needs('built-in schemas')(
        'knows the fields of built-in kinds and their types',
        async () => {
          const error = await errorOf(
            client.apply({
              ...deployment('a'),
              spec: { ...deployment('a').spec, replicaz: 2, replicas: 'two' },
            }),
          );
          expect(error).toMatchObject({ kind: 'validation', retryable: false });
          expect(error.fields.map(f => f.field).sort()).toEqual([
            '.spec.replicas',
            '.spec.replicaz',
          ]);
        },
      );

      it('names the fields whose values are not valid', async () => {
        const error = await errorOf(client.apply(widget({ mode: 'wild' })));
        expect(error).toMatchObject({
          kind: 'validation',
          status: 422,
          reason: 'Invalid',
          retryable: false,
        });
        expect(error.fields.map(f => f.field).sort()).toEqual([
          'spec.mode',
          'spec.size',
        ]);
      });

      needs('built-in schemas')(
        'shows no value of a Secret that is refused',
        async () => {
          const secret = (fields: object) => ({
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: { name: 'refused', namespace },
            ...fields,
          });
          for (const fields of [
            { stringData: { password: { value: 'hunter2hunter2' } } },
            { data: { password: 'hunter2hunter2!' } },
            {
              type: 'kubernetes.io/tls',
              stringData: { 'tls.crt': 'hunter2hunter2' },
            },
          ]) {
            const error = await errorOf(client.apply(secret(fields)));
            expect(error.kind).toBe('validation');
            expect(
              JSON.stringify([error, error.message, error.stack]),
            ).not.toContain('hunter2');
          }
        },
      );

      it('can be held to the object that it was', async () => {
        const object = map({ a: '1' });
        const { object: made } = await client.apply(object);
        const uid = made.metadata.uid!;
        expect(
          (await client.apply({ ...object, data: { a: '2' } }, { uid }))
            .created,
        ).toBe(false);
        await client.delete(refOf(object));
        expect((await errorOf(client.apply(object, { uid }))).kind).toBe(
          'conflict',
        );
        expect(await client.get(refOf(object))).toBeUndefined();
      });

      needs('defaulting')('answers with what the server adds', async () => {
        const { object } = await client.apply(deployment('defaults'), {
          dryRun: true,
        });
        expect(object.spec).toMatchObject({
          revisionHistoryLimit: 10,
          strategy: { type: 'RollingUpdate' },
        });
      });
    });

    function deployment(name: string, image = 'service:1') {
      const labels = { app: name };
      return {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace },
        spec: {
          minReadySeconds: 10,
          replicas: 2,
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: { containers: [{ name: 'service', image }] },
          },
        } as Record<string, unknown>,
      };
    }

    describe('create, change and delete', () => {
      it('creates once, with fields that the kind has', async () => {
        const object = map({ a: '1' });
        expect((await client.create(object, { dryRun: true })).data).toEqual({
          a: '1',
        });
        await client.create(object);
        expect(await errorOf(client.create(object))).toMatchObject({
          kind: 'already-exists',
          status: 409,
        });
        const error = await errorOf(
          client.create(widget({ size: 1, colour: 'red' })),
        );
        expect(error.kind).toBe('validation');
        expect(error.fields.map(f => f.field)).toEqual(['spec.colour']);
      });

      it('merges a patch, status apart from the rest', async () => {
        const object = widget({ size: 1, mode: 'fast' });
        const { object: made } = await client.apply<KubernetesObject>(object);
        const ref = refOf(object);
        await client.mergePatch(ref, {
          spec: { size: 2, mode: null },
          status: { phase: 'no' },
        });
        const changed = await client.mergePatch(
          ref,
          { spec: { size: 3 }, status: { phase: 'ok' } },
          { subresource: 'status' },
        );
        expect(changed.spec).toEqual({ size: 2 });
        expect(changed.status).toEqual({ phase: 'ok' });
        expect(
          await errorOf(
            client.mergePatch(ref, {
              metadata: { resourceVersion: made.metadata.resourceVersion! },
              spec: { size: 4 },
            }),
          ),
        ).toMatchObject({ kind: 'conflict', retryable: false });
      });

      it('deletes the object that is meant, and what is not there is no error', async () => {
        const object = map({});
        const { object: made } = await client.apply(object);
        expect(
          (await errorOf(client.delete(refOf(object), { uid: 'another' })))
            .kind,
        ).toBe('conflict');
        expect(await client.delete(refOf(object), { dryRun: true })).toEqual({
          state: 'deleted',
        });
        expect(await client.get(refOf(object))).toBeDefined();
        expect(
          await client.delete(refOf(object), { uid: made.metadata.uid }),
        ).toEqual({ state: 'deleted' });
        expect(await client.delete(refOf(object))).toEqual({ state: 'absent' });
      });

      it('says that a finalizer holds an object, until it is gone', async () => {
        const object = map({}, { finalizers: [HELD] });
        await client.apply(object);
        const result = await client.delete(refOf(object));
        expect(result).toMatchObject({
          state: 'terminating',
          object: {
            metadata: {
              finalizers: [HELD],
              deletionTimestamp: expect.any(String),
            },
          },
        });
        expect(await client.get(refOf(object))).toBeDefined();
        await client.mergePatch(refOf(object), {
          metadata: { finalizers: null },
        });
        expect(await client.get(refOf(object))).toBeUndefined();
      });

      needs('garbage collection')(
        'deletes what an object owned, or leaves it when told',
        async () => {
          for (const [propagation, left] of [
            ['Background', 0],
            ['Orphan', 1],
          ] as const) {
            const owner = (await client.apply(map({}))).object;
            const owned = map(
              {},
              {
                labels: { owned: propagation },
                ownerReferences: [
                  {
                    apiVersion: 'v1',
                    kind: 'ConfigMap',
                    name: owner.metadata.name!,
                    uid: owner.metadata.uid!,
                  },
                ],
              },
            );
            await client.apply(owned);
            await client.delete(refOf(owner), { propagation });
            await client.waitUntil(
              { ...maps(), labelSelector: undefined },
              items => {
                const found = items.filter(
                  i => i.metadata.labels?.owned === propagation,
                );
                const orphaned = found.every(i => !i.metadata.ownerReferences);
                const ownerGone = !items.some(
                  i => i.metadata.uid === owner.metadata.uid,
                );
                return (
                  (found.length === left && orphaned && ownerGone) || undefined
                );
              },
              PATIENCE,
            );
          }
        },
      );
    });

    describe('namespaces', () => {
      it('refuse new objects and stay while something holds them, then go with all that is in them', async () => {
        const name = await makeNamespace(`${namespace}-held`);
        const held = map({}, { namespace: name, finalizers: [HELD] });
        await client.apply(held);
        await client.apply(map({}, { namespace: name }));
        expect((await client.delete(namespaceRef(name))).state).toBe(
          'terminating',
        );
        expect(
          await errorOf(client.apply(map({}, { namespace: name }))),
        ).toMatchObject({ kind: 'terminating', retryable: false });
        const message = await client.waitUntil(
          {
            apiVersion: 'v1',
            kind: 'Namespace',
            fieldSelector: `metadata.name=${name}`,
          },
          ([found]) =>
            (found?.status as any)?.conditions?.find(
              (c: any) =>
                c.type === 'NamespaceFinalizersRemaining' &&
                c.status === 'True',
            )?.message as string | undefined,
          PATIENCE,
        );
        expect(message).toContain(HELD);
        expect(
          (await client.listAll({ ...maps(), namespace: name })).map(
            i => i.metadata.name,
          ),
        ).toContain(held.metadata.name);
        await client.mergePatch(refOf(held), {
          metadata: { finalizers: null },
        });
        await gone(name);
        expect(await client.listAll({ ...maps(), namespace: name })).toEqual(
          [],
        );
      }, 90_000);

      it('must exist', async () => {
        const error = await errorOf(
          client.apply(map({}, { namespace: 'never-made' }), { dryRun: true }),
        );
        expect(error).toMatchObject({ kind: 'not-found', retryable: false });
        expect(error.message).toContain('never-made');
      });
    });

    describe('lists and watches', () => {
      it('lists by labels, in pages or all', async () => {
        const labels = { page: 'yes' };
        const made = [1, 2, 3, 4, 5].map(() => map({}, { labels }));
        for (const object of made) await client.apply(object);
        const query = maps(labels);
        const first = await client.list({ ...query, limit: 2 });
        expect(first.items).toHaveLength(2);
        expect(first.items[0]).toMatchObject({
          apiVersion: 'v1',
          kind: 'ConfigMap',
        });
        const second = await client.list({
          ...query,
          limit: 4,
          continue: first.continue,
        });
        expect(second.items).toHaveLength(3);
        expect(second.continue).toBeUndefined();
        const names = made.map(object => object.metadata.name).sort();
        expect(
          [...first.items, ...second.items].map(i => i.metadata.name).sort(),
        ).toEqual(names);
        const all = await client.listAll(query, { pageSize: 2 });
        expect(all.map(i => i.metadata.name).sort()).toEqual(names);
        expect(await client.listAll(maps({ page: 'no' }))).toEqual([]);
      });

      it('reports changes of what matches, also those while the connection was broken', async () => {
        const labels = { watched: 'yes' };
        const before = map({ a: '1' }, { labels });
        await client.apply(before);
        const changes: string[] = [];
        const waiting: (() => void)[] = [];
        const watch = client.watch(maps(labels), {
          onChange: ({ type, object }: ObjectChange) => {
            changes.push(`${type} ${object.metadata.name}`);
            waiting.forEach(look => look());
          },
        });
        const seen = (...expected: string[]) =>
          new Promise<void>(done => {
            const look = () =>
              expected.every(e => changes.includes(e)) && done();
            waiting.push(look);
            look();
          });
        try {
          await watch.synced;
          expect(changes).toEqual([`added ${before.metadata.name}`]);
          await client.apply({ ...before, data: { a: '2' } });
          const later = map({}, { labels });
          await client.apply(map({}, { labels: { watched: 'no' } }));
          await client.apply(later);
          await seen(
            `modified ${before.metadata.name}`,
            `added ${later.metadata.name}`,
          );
          subject.cutConnections();
          await client.delete(refOf(before));
          const last = map({}, { labels });
          await client.apply(last);
          await seen(
            `deleted ${before.metadata.name}`,
            `added ${last.metadata.name}`,
          );
          expect(
            watch
              .items()
              .map(i => i.metadata.name)
              .sort(),
          ).toEqual([later.metadata.name, last.metadata.name].sort());
          expect(new Set(changes).size).toBe(changes.length);
        } finally {
          await watch.stop();
        }
        const known = changes.length;
        await client.apply(map({}, { labels }));
        expect(changes).toHaveLength(known);
      });

      it('waits until something is so, or says that it is not', async () => {
        const object = map({ ready: 'no' }, { labels: { awaited: 'yes' } });
        await client.apply(object);
        const wait = (deadlineMs: number) =>
          client.waitUntil(
            maps({ awaited: 'yes' }),
            ([found]) => (found?.data as any)?.ready === 'yes' || undefined,
            { deadlineMs },
          );
        expect((await errorOf(wait(300))).kind).toBe('timeout');
        const waiting = wait(PATIENCE.deadlineMs);
        await client.apply({ ...object, data: { ready: 'yes' } });
        expect(await waiting).toBe(true);
      });

      it('gives the events of an object, newest first', async () => {
        const about = (name: string, reason: string, lastTimestamp: string) =>
          client.create({
            apiVersion: 'v1',
            kind: 'Event',
            metadata: { name: `event-${++count}`, namespace },
            involvedObject: { apiVersion: 'v1', kind: 'Pod', name, namespace },
            type: 'Warning',
            reason,
            message: `${reason} happened`,
            count: 3,
            lastTimestamp,
          });
        await about('one', 'Early', '2026-01-01T00:00:00Z');
        await about('one', 'Late', '2026-01-02T00:00:00Z');
        await about('two', 'Other', '2026-01-03T00:00:00Z');
        const events = await client.events({
          namespace,
          name: 'one',
          kind: 'Pod',
        });
        expect(events.map(e => e.reason)).toEqual(['Late', 'Early']);
        expect(events[0]).toMatchObject({
          type: 'Warning',
          message: 'Late happened',
          count: 3,
          object: { kind: 'Pod', name: 'one' },
        });
      });
    });

    describe('what is served and allowed', () => {
      it('finds kinds, custom ones too, and says what it does not know', async () => {
        expect(
          await client.findResource({
            apiVersion: `${GROUP}/v1`,
            kind: 'Widget',
          }),
        ).toMatchObject({ plural: 'widgets', namespaced: true });
        expect(
          await client.findResource({
            apiVersion: `${GROUP}/v1`,
            kind: 'Gadget',
          }),
        ).toBeUndefined();
        const error = await errorOf(
          client.apply({
            ...map({}),
            apiVersion: `${GROUP}/v2`,
            kind: 'Widget',
          }),
        );
        expect(error.kind).toBe('not-served');
        expect(error.message).toContain(`${GROUP}/v2 Widget`);
        const { resources, failed } = await client.listResources();
        expect(failed).toEqual([]);
        const names = resources.map(r => `${r.apiVersion} ${r.plural}`);
        expect(names).toEqual(
          expect.arrayContaining([
            'v1 pods',
            'apps/v1 deployments',
            `${GROUP}/v1 widgets`,
          ]),
        );
        expect(await client.version()).toMatch(/^v1\.\d+\./);
      });

      it('says what it may do, and that something is forbidden', async () => {
        const ask = { verb: 'create', resource: 'configmaps', namespace };
        expect(await client.canI(ask)).toMatchObject({ allowed: true });
        const { client: stranger } = subject.stranger;
        expect(await stranger.canI(ask)).toMatchObject({ allowed: false });
        const error = await errorOf(stranger.apply(map({ a: '1' })));
        expect(error).toMatchObject({
          kind: 'forbidden',
          status: 403,
          retryable: false,
        });
        expect(error.message).toContain('configmaps');
      });

      needs('pod security')(
        'refuses a pod that the namespace does not allow',
        async () => {
          const name = await makeNamespace(`${namespace}-strict`, {
            'pod-security.kubernetes.io/enforce': 'restricted',
          });
          const error = await errorOf(
            client.apply(
              {
                apiVersion: 'v1',
                kind: 'Pod',
                metadata: { name: 'root', namespace: name },
                spec: { containers: [{ name: 'a', image: 'a' }] },
              },
              { dryRun: true },
            ),
          );
          expect(error).toMatchObject({
            kind: 'denied',
            status: 403,
            retryable: false,
          });
          expect(error.message).toContain('runAsNonRoot');
          await client.delete(namespaceRef(name));
        },
      );

      needs('quota')('refuses what exceeds a quota', async () => {
        const name = await makeNamespace(`${namespace}-quota`);
        await client.apply({
          apiVersion: 'v1',
          kind: 'ResourceQuota',
          metadata: { name: 'few', namespace: name },
          spec: { hard: { 'count/secrets': '0' } },
        });
        await client.waitUntil(
          { apiVersion: 'v1', kind: 'ResourceQuota', namespace: name },
          ([quota]) => (quota?.status as any)?.used?.['count/secrets'],
          PATIENCE,
        );
        const error = await errorOf(
          client.apply({
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: { name: 'one', namespace: name },
          }),
        );
        expect(error).toMatchObject({
          kind: 'quota',
          status: 403,
          retryable: false,
        });
        expect(error.message).toContain('count/secrets');
        await client.delete(namespaceRef(name));
      });

      needs('workload controllers')(
        'brings a Deployment up, and shows why one does not come up',
        async () => {
          const kubelet = new KubeletSimulator(client, namespace, pod =>
            pod.spec.containers[0].image === 'service:2'
              ? 'image-pull-backoff'
              : 'ready',
          );
          const query = {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            namespace,
          };
          const status = (items: KubernetesObject[]) => items[0]?.status as any;
          try {
            await client.apply(deployment('up'));
            await client.waitUntil(
              query,
              items => status(items)?.availableReplicas === 2 || undefined,
              PATIENCE,
            );
            await client.apply(deployment('up', 'service:2'));
            await client.waitUntil(
              query,
              items => status(items)?.updatedReplicas === 1 || undefined,
              PATIENCE,
            );
            const reason = await client.waitUntil(
              { apiVersion: 'v1', kind: 'Pod', namespace },
              pods =>
                pods
                  .flatMap(pod => (pod.status as any)?.containerStatuses ?? [])
                  .map(container => container.state?.waiting?.reason)
                  .find(Boolean),
              PATIENCE,
            );
            expect(reason).toBe('ImagePullBackOff');
            const [found] = await client.listAll(query);
            // The version before it still serves.
            expect((found.status as any).availableReplicas).toBe(2);
          } finally {
            await client.delete(refOf(deployment('up')));
            await kubelet.stop();
          }
        },
      );
    });
  });
}

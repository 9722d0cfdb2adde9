/* eslint-disable jest/no-export, jest/no-standalone-expect -- a suite for several test files */
import {
  errorOf,
  refOf,
  namespaceRef,
  PATIENCE,
  HELD,
  type ContractContext,
} from './context';

export function objectCases({
  client,
  namespace,
  needs,
  map,
  widget,
  maps,
  makeNamespace,
  gone,
}: ContractContext): void {
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
      const { object: made } = await client.apply(object);
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
        (await errorOf(client.delete(refOf(object), { uid: 'another' }))).kind,
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
              c.type === 'NamespaceFinalizersRemaining' && c.status === 'True',
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
      expect(await client.listAll({ ...maps(), namespace: name })).toEqual([]);
    }, 90_000);

    it('must exist', async () => {
      const error = await errorOf(
        client.apply(map({}, { namespace: 'never-made' }), { dryRun: true }),
      );
      expect(error).toMatchObject({ kind: 'not-found', retryable: false });
      expect(error.message).toContain('never-made');
    });
  });
}

/* eslint-disable jest/no-export, jest/no-standalone-expect -- a suite for several test files */
import { KubernetesFieldConflictError } from '../../errors';
import { errorOf, refOf, type ContractContext } from './context';

export function applyCases({
  client,
  namespace,
  needs,
  map,
  widget,
  deployment,
}: ContractContext): void {
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
      const owners = forced.object.metadata
        .managedFields!.filter(({ fieldsV1 }) =>
          Object.hasOwn((fieldsV1?.['f:data'] ?? {}) as object, 'f:a'),
        )
        .map(({ manager }) => manager);
      expect(owners).toEqual(['rocket-provisioner']);
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
        // One at a time: which of several is found first is chance.
        for (const wrong of [{ replicaz: 2 }, { replicas: 'two' }]) {
          const object = deployment('a');
          const error = await errorOf(
            client.apply({ ...object, spec: { ...object.spec, ...wrong } }),
          );
          expect(error).toMatchObject({ kind: 'validation', retryable: false });
          expect(error.fields.map(f => f.field)).toEqual([
            `.spec.${Object.keys(wrong)[0]}`,
          ]);
        }
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
        (await client.apply({ ...object, data: { a: '2' } }, { uid })).created,
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
}

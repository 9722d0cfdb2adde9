import { randomUUID } from 'node:crypto';
import {
  applyFields,
  mergePatch,
  same,
  updateFields,
  type Json,
  type Manager,
} from './fakeFields';
import { kindsOfDefinition, schemaProblems, unknownFields } from './fakeKinds';
import {
  apiVersionOf,
  FakeObjects,
  now,
  resourceOf,
  type Stored,
  type Target,
} from './fakeObjects';
import { Refusal } from './Refusal';

export interface Write {
  manager: string;
  dryRun: boolean;
  force?: boolean;
}

/** The objects of the fake, and what happens to them. */
export class FakeStore extends FakeObjects {
  constructor() {
    super();
    for (const name of ['default', 'kube-system'])
      this.create(
        this.target('Namespace', name),
        { metadata: { name } },
        { manager: 'kube-apiserver', dryRun: false },
      );
  }

  create(target: Target, body: Json, write: Write): Json {
    const name =
      body.metadata?.name ??
      `${body.metadata?.generateName}${randomUUID().slice(0, 5)}`;
    const at = { ...target, name };
    if (this.objects.has(this.key(at)))
      throw new Refusal(
        409,
        'AlreadyExists',
        `${resourceOf(at.kind)} "${name}" already exists`,
      );
    const unknown = unknownFields(at.kind.schema, body);
    if (unknown.length)
      throw new Refusal(
        400,
        'BadRequest',
        `strict decoding error: ${unknown
          .map(field => `unknown field "${field.slice(1)}"`)
          .join(', ')}`,
      );
    const given = this.#born(at, body);
    return this.#put(at, undefined, given, write, managers =>
      updateFields({}, given, managers, {
        manager: write.manager,
        time: now(),
      }),
    );
  }

  apply(
    target: Target,
    body: Json,
    write: Write,
  ): { object: Json; created: boolean } {
    const stored = this.objects.get(this.key(target));
    const unknown = unknownFields(target.kind.schema, body);
    if (unknown.length) {
      throw new Refusal(
        500,
        undefined,
        `failed to create typed patch object (${target.namespace ?? ''}/${
          target.name
        }; ${apiVersionOf(target.kind)}, Kind=${target.kind.kind}): ${
          unknown.sort()[0]
        }: field not declared in schema`,
      );
    }
    if (body.metadata?.uid && body.metadata.uid !== stored?.object.metadata.uid)
      throw new Refusal(
        409,
        'Conflict',
        `uid mismatch: the provided object specified uid ${body.metadata.uid}`,
      );
    const { status: _, ...wanted } = body;
    const applied = applyFields(
      stored?.object ?? this.#born(target, {}),
      stored?.managers ?? [],
      wanted,
      write.manager,
      write.force ?? false,
      now(),
    );
    if (applied.conflicts.length)
      throw new Refusal(
        409,
        'Conflict',
        `Apply failed with ${applied.conflicts.length} conflicts`,
        {
          causes: applied.conflicts.map(({ field, manager }) => ({
            reason: 'FieldManagerConflict',
            message: `conflict with "${manager.manager}"${
              manager.operation === 'Update'
                ? ` using ${apiVersionOf(target.kind)}`
                : ''
            }`,
            field,
          })),
        },
      );
    return {
      object: this.#put(
        target,
        stored,
        applied.object,
        write,
        () => applied.managers,
      ),
      created: !stored,
    };
  }

  merge(target: Target, patch: Json, write: Write): Json {
    const stored = this.need(target);
    const { uid, resourceVersion } = patch.metadata ?? {};
    const { metadata } = stored.object;
    if (
      (uid && uid !== metadata.uid) ||
      (resourceVersion && resourceVersion !== metadata.resourceVersion)
    )
      throw new Refusal(
        409,
        'Conflict',
        `Operation cannot be fulfilled on ${resourceOf(target.kind)} "${
          target.name
        }": the object has been modified`,
      );
    const after = mergePatch(stored.object, patch);
    if (target.kind.hasStatus) {
      if (target.subresource === 'status')
        Object.assign(after, { spec: stored.object.spec });
      else after.status = stored.object.status;
    }
    return this.#put(target, stored, after, write, managers =>
      updateFields(stored.object, after, managers, {
        manager: write.manager,
        time: now(),
        subresource: target.subresource,
      }),
    );
  }

  /** @returns the object while finalizers hold it, else undefined */
  delete(target: Target, options: Json = {}): Json | undefined {
    const stored = this.need(target);
    const { uid, resourceVersion } = options.preconditions ?? {};
    const { metadata } = stored.object;
    if (
      (uid && uid !== metadata.uid) ||
      (resourceVersion && resourceVersion !== metadata.resourceVersion)
    )
      throw new Refusal(
        409,
        'Conflict',
        `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid})`,
      );
    const isNamespace = target.kind.kind === 'Namespace';
    const held = isNamespace || metadata.finalizers?.length;
    if (options.dryRun?.length)
      return held ? this.view(target.kind, stored) : undefined;
    if (!held) {
      this.remove(target, stored);
      return undefined;
    }
    if (!metadata.deletionTimestamp) {
      const after = structuredClone(stored.object);
      after.metadata.deletionTimestamp = now();
      if (isNamespace) after.status = { phase: 'Terminating' };
      this.store(target, stored, after, stored.managers);
      // A controller's work, after the answer.
      if (isNamespace) setImmediate(() => this.#empty(target.name));
    }
    return this.view(target.kind, this.objects.get(this.key(target))!);
  }

  /** A new object before anybody's fields. */
  #born({ kind, namespace, name }: Target, body: Json): Json {
    if (namespace) {
      const home = this.objects.get(
        this.key(this.target('Namespace', namespace)),
      );
      if (!home)
        throw new Refusal(
          404,
          'NotFound',
          `namespaces "${namespace}" not found`,
        );
      if (home.object.metadata.deletionTimestamp)
        throw new Refusal(
          403,
          'Forbidden',
          `${kind.plural} "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
          {
            causes: [
              { reason: 'NamespaceTerminating', field: 'metadata.namespace' },
            ],
          },
        );
    }
    const isNamespace = kind.kind === 'Namespace';
    return {
      ...body,
      ...(isNamespace ? { status: { phase: 'Active' } } : {}),
      metadata: {
        ...body.metadata,
        ...(isNamespace
          ? {
              labels: {
                ...body.metadata?.labels,
                'kubernetes.io/metadata.name': name,
              },
            }
          : {}),
        name,
        namespace,
        uid: randomUUID(),
        creationTimestamp: now(),
      },
    };
  }

  #put(
    target: Target,
    stored: Stored | undefined,
    after: Json,
    { dryRun }: Write,
    managersOf: (before: Manager[]) => Manager[],
  ): Json {
    const causes = schemaProblems(target.kind.schema, after);
    if (causes.length)
      throw new Refusal(
        422,
        'Invalid',
        `${target.kind.kind} "${target.name}" is invalid: ${causes
          .map(c => `${c.field}: ${c.message}`)
          .join(', ')}`,
        { causes },
      );
    const managers = managersOf(stored?.managers ?? []);
    const unchanged =
      stored &&
      same(stored.object, after) &&
      same(
        stored.managers.map(m => ({ ...m, fields: [...m.fields].sort() })),
        managers.map(m => ({ ...m, fields: [...m.fields].sort() })),
      );
    if (unchanged) return this.view(target.kind, stored);
    if (dryRun) return this.view(target.kind, { object: after, managers });
    this.store(target, stored, after, managers);
    const { metadata } = after;
    if (target.kind.kind === 'CustomResourceDefinition') this.#define(after);
    if (metadata.deletionTimestamp && !metadata.finalizers?.length) {
      const last = this.objects.get(this.key(target))!;
      if (target.kind.kind !== 'Namespace') this.remove(target, last);
      if (target.namespace) setImmediate(() => this.#empty(target.namespace!));
    }
    return this.view(target.kind, { object: after, managers });
  }

  #define(definition: Json): void {
    const { name } = definition.metadata;
    definition.status = {
      conditions: [{ type: 'Established', status: 'True' }],
    };
    this.kinds = [
      ...this.kinds.filter(k => `${k.plural}.${k.group}` !== name),
      ...kindsOfDefinition(definition),
    ];
  }

  /** The namespace controller: deletes what is in it, then the namespace, unless finalizers hold something. */
  #empty(name: string): void {
    const target = this.target('Namespace', name);
    const stored = this.objects.get(this.key(target));
    if (!stored?.object.metadata.deletionTimestamp) return;
    const left: Json[] = [];
    for (const kind of this.kinds.filter(k => k.namespaced))
      for (const { metadata } of this.list(kind, name)) {
        const held = this.delete({
          kind,
          namespace: name,
          name: metadata.name,
        });
        if (held) left.push({ kind, finalizers: metadata.finalizers });
      }
    if (!left.length) {
      this.remove(target, stored);
      return;
    }
    const after = structuredClone(stored.object);
    const condition = (type: string, message: string) => ({
      type,
      status: 'True',
      reason: 'SomeResourcesRemain',
      message,
    });
    after.status.conditions = [
      condition(
        'NamespaceContentRemaining',
        `Some resources are remaining: ${left
          .map(({ kind }) => `${resourceOf(kind)} has 1 resource instances`)
          .join(', ')}`,
      ),
      condition(
        'NamespaceFinalizersRemaining',
        `Some content in the namespace has finalizers remaining: ${left
          .flatMap(({ finalizers }) => finalizers)
          .map(f => `${f} in 1 resource instances`)
          .join(', ')}`,
      ),
    ];
    if (!same(after, stored.object))
      this.store(target, stored, after, stored.managers);
  }
}

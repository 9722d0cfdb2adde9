import type { Json, Manager } from './fakeFields';
import { fieldsV1, same } from './fakeFields';
import { builtInKinds, type FakeKind } from './fakeKinds';
import { Refusal } from './Refusal';

export interface Target {
  kind: FakeKind;
  namespace?: string;
  name: string;
  subresource?: string;
}

export interface Stored {
  object: Json;
  managers: Manager[];
}

/** One change, for watches; `before` says what a selector matched. */
export interface Change {
  version: number;
  prefix: string;
  before?: Json;
  after?: Json;
}

export const now = () => `${new Date().toISOString().slice(0, 19)}Z`;
export const apiVersionOf = ({ group, version }: FakeKind) =>
  group ? `${group}/${version}` : version;
export const resourceOf = ({ plural, group }: FakeKind) =>
  group ? `${plural}.${group}` : plural;
/** Versions of a kind share their objects. */
export const prefixOf = (kind: FakeKind) => `${kind.group}/${kind.plural}/`;

/** The objects of the fake, their versions and the history for watches. */
export class FakeObjects {
  kinds = builtInKinds();
  readonly changes: Change[] = [];
  /** Watches from before it are refused as too old. */
  oldest = 0;
  onChange: (change: Change) => void = () => {};
  protected readonly objects = new Map<string, Stored>();
  protected lastVersion = 100;

  get version() {
    return this.lastVersion;
  }

  target(kind: string, name: string, namespace?: string): Target {
    return { kind: this.kinds.find(k => k.kind === kind)!, name, namespace };
  }

  list(kind: FakeKind, namespace?: string): Json[] {
    const prefix = prefixOf(kind) + (namespace ? `${namespace}/` : '');
    return [...this.objects.keys()]
      .filter(key => key.startsWith(prefix))
      .sort()
      .map(key => this.view(kind, this.objects.get(key)!));
  }

  get(target: Target): Json {
    return this.view(target.kind, this.need(target));
  }

  protected key({ kind, namespace, name }: Target): string {
    return `${prefixOf(kind)}${namespace ? `${namespace}/` : ''}${name}`;
  }

  protected need(target: Target): Stored {
    const stored = this.objects.get(this.key(target));
    if (stored) return stored;
    throw new Refusal(
      404,
      'NotFound',
      `${resourceOf(target.kind)} "${target.name}" not found`,
    );
  }

  protected view(kind: FakeKind, { object, managers }: Stored): Json {
    return {
      ...structuredClone(object),
      apiVersion: apiVersionOf(kind),
      kind: kind.kind,
      metadata: {
        ...structuredClone(object.metadata),
        managedFields: managers.map(({ fields, ...manager }) => ({
          ...manager,
          apiVersion: apiVersionOf(kind),
          fieldsType: 'FieldsV1',
          fieldsV1: fieldsV1(fields),
        })),
      },
    };
  }

  protected store(
    target: Target,
    stored: Stored | undefined,
    after: Json,
    managers: Manager[],
  ): void {
    const generation = stored?.object.metadata.generation ?? 0;
    const same1 = stored && same(stored.object.spec, after.spec);
    after.metadata.generation = same1 ? generation : generation + 1;
    after.metadata.resourceVersion = String(++this.lastVersion);
    const next = { object: after, managers };
    const before = stored && this.view(target.kind, stored);
    this.objects.set(this.key(target), next);
    this.record(target, before, this.view(target.kind, next));
  }

  protected remove(target: Target, stored: Stored): void {
    this.objects.delete(this.key(target));
    const before = this.view(target.kind, stored);
    before.metadata.resourceVersion = String(++this.lastVersion);
    this.record(target, before, undefined);
    if (target.kind.kind === 'CustomResourceDefinition')
      this.kinds = this.kinds.filter(
        k => `${k.plural}.${k.group}` !== target.name,
      );
  }

  protected record({ kind }: Target, before: Json, after: Json): void {
    const change = {
      version: this.lastVersion,
      prefix: prefixOf(kind),
      before,
      after,
    };
    this.changes.push(change);
    this.onChange(change);
  }
}

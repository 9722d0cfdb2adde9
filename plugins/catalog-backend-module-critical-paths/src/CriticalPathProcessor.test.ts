import type { Entity } from '@backstage/catalog-model';
import type { CatalogProcessorResult } from '@backstage/plugin-catalog-node';
import fc from 'fast-check';
import { CriticalPathProcessor } from './CriticalPathProcessor';

const processor = new CriticalPathProcessor();

type Json = Record<string, any>;

function path(change: (entity: Json) => void = () => {}): Entity {
  const entity: Json = {
    apiVersion: 'rocket.internal/v1alpha1',
    kind: 'CriticalPath',
    metadata: { name: 'posting' },
    spec: {
      owner: 'ledger',
      businessModel: 'payments',
      type: 'transaction',
      lifecycle: 'production',
      steps: [
        { name: 'post', component: 'transaction-service' },
        { name: 'book', component: 'component:default/ledger-service' },
      ],
      objectives: [
        { sli: 'availability', target: 99.9, windowDays: 28 },
        { sli: 'latency', target: 95, thresholdMs: 300, windowDays: 7 },
      ],
    },
  };
  change(entity);
  return entity as Entity;
}

function component(annotations: Record<string, string>): Entity {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: { name: 'wallet', namespace: 'default', annotations },
    spec: { type: 'service', lifecycle: 'production', owner: 'a' },
  };
}

async function relations(entity: Entity): Promise<string[]> {
  const found: string[] = [];
  await processor.postProcessEntity(
    entity,
    { type: 'url', target: 'x' },
    (result: CatalogProcessorResult) => {
      if (result.type === 'relation') {
        const { source, type, target } = result.relation;
        found.push(
          `${source.kind}:${source.namespace}/${source.name} ${type} ${target.kind}:${target.namespace}/${target.name}`,
        );
      }
    },
  );
  return found;
}

describe('CriticalPathProcessor', () => {
  it.each<[string, (entity: Json) => void, string]>([
    [
      'no owner',
      e => delete e.spec.owner,
      'spec.owner must be an entity ref of a Group or User, for example group:default/payments, was missing',
    ],
    [
      'an owner of the wrong kind',
      e => (e.spec.owner = 'system:default/x'),
      'spec.owner must be an entity ref of a Group or User, for example group:default/payments, was "system:default/x"',
    ],
    [
      'no business model',
      e => delete e.spec.businessModel,
      'spec.businessModel must be an entity ref of a Domain',
    ],
    [
      'an unknown lifecycle',
      e => (e.spec.lifecycle = 'beta'),
      'spec.lifecycle must be experimental, production or deprecated, was "beta"',
    ],
    [
      'no type',
      e => (e.spec.type = ' '),
      'spec.type must be a kind of flow, for example transaction, was " "',
    ],
    [
      'an unknown sli',
      e => (e.spec.objectives[0].sli = 'uptime'),
      'spec.objectives[0].sli must be availability, latency or throughput, was "uptime"',
    ],
    [
      'a target of 101 %',
      e => (e.spec.objectives[0].target = 101),
      'spec.objectives[0].target must be a percentage above 0 and at most 100, was 101',
    ],
    [
      'a target that is text',
      e => (e.spec.objectives[0].target = '99.9'),
      'spec.objectives[0].target must be a number above 0, was "99.9"',
    ],
    [
      'a target of 0',
      e => (e.spec.objectives[0].target = 0),
      'spec.objectives[0].target must be a number above 0, was 0',
    ],
    [
      'a window of 14 days',
      e => (e.spec.objectives[0].windowDays = 14),
      'spec.objectives[0].windowDays must be 1, 7, 28 or 30, was 14',
    ],
    [
      'an aggregation that there is not',
      e => (e.spec.aggregation = 'average'),
      'spec.aggregation must be measured, serial, weighted or worst, was "average"',
    ],
    [
      'a weight that nothing looks at',
      e => (e.spec.steps[0].weight = 3),
      'spec.steps[0].weight must be left out unless spec.aggregation is weighted, was 3',
    ],
    [
      'latency without a threshold',
      e => delete e.spec.objectives[1].thresholdMs,
      'spec.objectives[1].thresholdMs must be a number of milliseconds above 0 for a latency objective, was missing',
    ],
    [
      'a threshold on availability',
      e => (e.spec.objectives[0].thresholdMs = 100),
      'spec.objectives[0].thresholdMs must be left out of an objective about availability; it belongs to latency, was 100',
    ],
    [
      'a percentile of 100',
      e => (e.spec.objectives[1].percentile = 100),
      'spec.objectives[1].percentile must be a percentile above 0 and below 100, was 100',
    ],
    [
      'a typing error in an objective',
      e => {
        e.spec.objectives[1].treshold = 3;
      },
      'spec.objectives[1] has no field treshold; it may have sli, target, thresholdMs, percentile or windowDays',
    ],
    [
      'no steps',
      e => (e.spec.steps = []),
      'spec.steps must be a list of at least one step, was []',
    ],
    [
      'steps that are no list',
      e => (e.spec.steps = 'ledger'),
      'spec.steps must be a list of at least one step, was "ledger"',
    ],
    [
      'a step without a component',
      e => delete e.spec.steps[1].component,
      'spec.steps[1].component must be an entity ref of a Component, for example component:default/ledger, was missing',
    ],
    [
      'a step of another kind',
      e => (e.spec.steps[1].component = 'api:default/x'),
      'spec.steps[1].component must be an entity ref of a Component, for example component:default/ledger, was "api:default/x"',
    ],
    [
      'a component with spaces',
      e => (e.spec.steps[0].component = 'my service'),
      'spec.steps[0].component must be an entity ref of a Component',
    ],
    [
      'a step name in capitals',
      e => (e.spec.steps[0].name = 'Post'),
      'spec.steps[0].name must be lower-case letters, digits and dashes, at most 63 characters, was "Post"',
    ],
    [
      'two steps of the same name',
      e => (e.spec.steps[1].name = 'post'),
      'spec.steps[1].name must differ from the name of spec.steps[0], was "post"',
    ],
    [
      'the same component twice without names',
      e => (e.spec.steps = [{ component: 'a' }, { component: 'a' }]),
      'spec.steps[1].name must differ from the name of spec.steps[0], was "a" (from its component); give the step a name',
    ],
    [
      'a wrong apiVersion',
      e => (e.apiVersion = 'rocket.internal/v1'),
      'apiVersion must be rocket.internal/v1alpha1, was "rocket.internal/v1"',
    ],
    [
      'a name with spaces',
      e => (e.metadata.name = 'my path'),
      'metadata.name must be letters and digits separated by any of -_. and at most 63 characters, was "my path"',
    ],
    [
      'a name of 64 characters',
      e => (e.metadata.name = 'a'.repeat(64)),
      'metadata.name must be letters',
    ],
    ['no spec', e => delete e.spec, 'spec must be an object, was missing'],
  ])('refuses %s', async (_, change, message) => {
    const attempt = processor.validateEntityKind(path(change));
    await expect(attempt).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringContaining(message),
    });
  });

  it('names every fault at once', async () => {
    await expect(
      processor.validateEntityKind(
        path(e => {
          delete e.spec.owner;
          e.spec.objectives[0].windowDays = 14;
        }),
      ),
    ).rejects.toThrow(/spec\.owner .*; spec\.objectives\[0\]\.windowDays /);
  });

  it('takes any path that keeps to the rules', async () => {
    const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
    const ref = (kind: string) =>
      fc
        .tuple(fc.boolean(), fc.option(name), name)
        .map(
          ([withKind, namespace, n]) =>
            `${withKind ? `${kind}:` : ''}${
              namespace ? `${namespace}/` : ''
            }${n}`,
        );
    const windowDays = fc.constantFrom(1, 7, 28, 30);
    const percent = fc.double({ min: 0.001, max: 100, noNaN: true });
    const optional = <T>(arb: fc.Arbitrary<T>) =>
      fc.option(arb, { nil: undefined });
    const objective = fc.oneof(
      fc.record({
        sli: fc.constant('availability'),
        target: percent,
        windowDays,
      }),
      fc.record({
        sli: fc.constant('latency'),
        target: percent,
        thresholdMs: fc.integer({ min: 1, max: 60_000 }),
        percentile: optional(fc.constantFrom(50, 95, 99, 99.9)),
        windowDays,
      }),
      fc.record({
        sli: fc.constant('throughput'),
        target: fc.double({ min: 0.01, max: 1e6, noNaN: true }),
        windowDays,
      }),
    );
    const text = fc.stringMatching(/^[A-Za-z][A-Za-z0-9 /]{0,30}$/);
    const steps = fc.uniqueArray(
      fc.record({
        name,
        component: ref('component'),
        title: optional(text),
        operation: optional(text),
        telemetry: optional(
          fc.record({ source: optional(name), appName: optional(text) }),
        ),
      }),
      { minLength: 1, maxLength: 12, selector: step => step.name },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          owner: fc.oneof(ref('group'), ref('user')),
          businessModel: ref('domain'),
          type: name,
          lifecycle: fc.constantFrom(
            'experimental',
            'production',
            'deprecated',
          ),
          steps,
          objectives: optional(fc.array(objective, { maxLength: 6 })),
        }),
        async spec => {
          const entity = path(e => (e.spec = spec));
          await expect(processor.validateEntityKind(entity)).resolves.toBe(
            true,
          );
          const emitted = await relations(entity);
          const components = new Set(
            emitted.filter(r => r.includes(' dependsOn ')),
          );
          expect(components.size).toBeGreaterThan(0);
          expect(emitted).toHaveLength(4 + 2 * components.size);
        },
      ),
    );
  });

  it('relates a path both ways and leaves other kinds alone', async () => {
    expect(await relations(path())).toEqual([
      'criticalpath:default/posting ownedBy group:default/ledger',
      'group:default/ledger ownerOf criticalpath:default/posting',
      'criticalpath:default/posting partOf domain:default/payments',
      'domain:default/payments hasPart criticalpath:default/posting',
      'criticalpath:default/posting dependsOn component:default/transaction-service',
      'component:default/transaction-service dependencyOf criticalpath:default/posting',
      'criticalpath:default/posting dependsOn component:default/ledger-service',
      'component:default/ledger-service dependencyOf criticalpath:default/posting',
    ]);
    const api = { ...component({}), kind: 'API' };
    expect(await processor.validateEntityKind(api)).toBe(false);
    expect(await processor.validateEntityKind(component({}))).toBe(false);
    expect(await relations(component({}))).toEqual([]);
  });

  it('relates a component that joins a path', async () => {
    const joining = component({
      'rocket.internal/critical-path': 'criticalpath:default/posting',
      'rocket.internal/critical-path-step': 'post',
    });
    expect(await processor.validateEntityKind(joining)).toBe(false);
    expect(await relations(joining)).toEqual([
      'criticalpath:default/posting dependsOn component:default/wallet',
      'component:default/wallet dependencyOf criticalpath:default/posting',
    ]);
  });

  it.each<[Record<string, string>, string]>([
    [
      {
        'rocket.internal/critical-path': 'not a ref',
        'rocket.internal/critical-path-step': 'post',
      },
      'metadata.annotations["rocket.internal/critical-path"] must be an entity ref of a CriticalPath, for example criticalpath:default/transaction-posting, was "not a ref"',
    ],
    [
      {
        'rocket.internal/critical-path': 'component:default/x',
        'rocket.internal/critical-path-step': 'post',
      },
      'must be an entity ref of a CriticalPath',
    ],
    [
      { 'rocket.internal/critical-path': 'posting' },
      'metadata.annotations["rocket.internal/critical-path-step"] must be the name of a step of posting, was missing',
    ],
    [
      { 'rocket.internal/critical-path-step': 'post' },
      'metadata.annotations["rocket.internal/critical-path"] must name the path that step "post" belongs to',
    ],
  ])('refuses a component with %j', async (annotations, message) => {
    const entity = component(annotations);
    await expect(processor.validateEntityKind(entity)).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringContaining(message),
    });
    expect(await relations(entity)).toEqual([]);
  });
});

import type { Entity } from '@backstage/catalog-model';
import { indexComponents, readJoinRequest, resolvePath } from './members';
import { isEntityRef, parseCriticalPath } from './parse';

function path(spec: object = {}): Entity {
  return {
    apiVersion: 'rocket.internal/v1alpha1',
    kind: 'CriticalPath',
    metadata: { name: 'Posting', title: 'Posting', namespace: 'Bank' },
    spec: {
      owner: 'ledger',
      businessModel: 'default/payments',
      type: 'transaction',
      lifecycle: 'production',
      aggregation: 'measured',
      steps: [
        { component: 'poster', operation: 'POST /v1' },
        {
          name: 'book',
          component: 'component:default/Ledger.Core',
          telemetry: { appName: 'ledger-eu', account: 'eu' },
        },
        { component: 'ghost' },
      ],
      ...spec,
    },
  } as Entity;
}

function component(
  name: string,
  namespace: string,
  annotations: Record<string, string> = {},
): Entity {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: { name, namespace, annotations },
  };
}

const joins = (step: string, ref = 'criticalpath:bank/posting') => ({
  'rocket.internal/critical-path': ref,
  'rocket.internal/critical-path-step': step,
});

describe('parseCriticalPath', () => {
  it('fills in defaults and completes refs', () => {
    expect(parseCriticalPath(path())).toEqual({
      entityRef: 'criticalpath:bank/posting',
      namespace: 'bank',
      name: 'Posting',
      title: 'Posting',
      description: undefined,
      owner: 'group:bank/ledger',
      businessModel: 'domain:default/payments',
      type: 'transaction',
      lifecycle: 'production',
      aggregation: 'measured',
      steps: [
        {
          name: 'poster',
          title: 'poster',
          componentRef: 'component:bank/poster',
          operation: 'POST /v1',
          weight: 1,
          telemetry: { source: 'newrelic', criticalPath: 'Posting' },
        },
        {
          name: 'book',
          title: 'book',
          componentRef: 'component:default/ledger.core',
          operation: undefined,
          weight: 1,
          telemetry: {
            source: 'newrelic',
            criticalPath: 'Posting',
            appName: 'ledger-eu',
            account: 'eu',
          },
        },
        {
          name: 'ghost',
          title: 'ghost',
          componentRef: 'component:bank/ghost',
          operation: undefined,
          weight: 1,
          telemetry: { source: 'newrelic', criticalPath: 'Posting' },
        },
      ],
      objectives: [],
      workflows: [],
    });
  });

  it('takes an aggregation with weights', () => {
    const steps = [{ component: 'poster', weight: 3 }, { component: 'book' }];
    const parsed = parseCriticalPath(path({ aggregation: 'weighted', steps }));
    expect(parsed.aggregation).toBe('weighted');
    expect(parsed.steps.map(step => step.weight)).toEqual([3, 1]);
  });

  it.each([
    [
      { aggregation: 'mean' },
      'spec.aggregation must be measured, serial, weighted or worst, was "mean"',
    ],
    [
      { aggregation: 'weighted', steps: [{ component: 'a', weight: 0 }] },
      'spec.steps[0].weight must be a number above 0, was 0',
    ],
    [
      { aggregation: 'serial', steps: [{ component: 'a', weight: 2 }] },
      'spec.steps[0].weight must be left out unless spec.aggregation is weighted, was 2',
    ],
  ])('refuses %j', (spec, message) => {
    expect(() => parseCriticalPath(path(spec))).toThrow(message);
  });

  it('reports faults as issues with their field', () => {
    let issues: unknown;
    try {
      parseCriticalPath(path({ owner: 3, steps: [{ component: '../x' }] }));
    } catch (error) {
      issues = (error as { issues: { field: string }[] }).issues.map(
        i => i.field,
      );
    }
    expect(issues).toEqual(['spec.owner', 'spec.steps[0].component']);
  });
});

describe('isEntityRef', () => {
  it.each([
    ['a', true],
    ['ns/a', true],
    ['component:ns/a.b-c_d', true],
    ['', false],
    ['a b', false],
    ['../a', false],
    ['a/b/c', false],
    [':a', false],
    ['component:', false],
    ['$' + '{{ x }}', false],
    ['a;rm', false],
    ['x'.repeat(64), false],
  ])('%s: %s', (text, valid) => {
    expect(isEntityRef(text)).toBe(valid);
  });
});

describe('resolvePath', () => {
  it('finds named, joined and unknown components and how they are told apart', () => {
    const resolved = resolvePath(
      parseCriticalPath(path()),
      indexComponents([
        component('Poster', 'bank', {
          'rocket.internal/newrelic-app': 'poster-prod',
          'rocket.internal/newrelic-account': 'us',
        }),
        component('ledger.core', 'default', joins('book')),
        component('zeta', 'default', joins('poster')),
        component('alpha', 'bank', joins('poster', 'posting')),
        component('lost', 'bank', joins('settle')),
        component('other', 'bank', joins('poster', 'criticalpath:default/x')),
        component('broken', 'bank', joins('poster', 'not a ref')),
      ]),
    );
    expect(
      resolved.steps.map(s => [
        s.name,
        s.entry,
        s.members.map(m => [m.entityRef, m.known, m.joined]),
      ]),
    ).toEqual([
      [
        'poster',
        true,
        [
          ['component:bank/poster', true, false],
          ['component:bank/alpha', true, true],
          ['component:default/zeta', true, true],
        ],
      ],
      // It asks to join the step that names it: once is enough.
      ['book', false, [['component:default/ledger.core', true, false]]],
      ['ghost', false, [['component:bank/ghost', false, false]]],
    ]);
    expect(resolved.unknownComponents).toEqual(['component:bank/ghost']);
    expect(resolved.problems).toEqual([
      'component:bank/lost asks to join step "settle", but the steps are poster, book, ghost',
    ]);
    expect(resolved.steps[0].members[0].selection).toEqual({
      source: 'newrelic',
      account: 'us',
      appName: 'poster-prod',
      criticalPath: 'Posting',
      operation: 'POST /v1',
    });
    expect(resolved.steps[0].members[1].selection).toEqual({
      source: 'newrelic',
      account: undefined,
      appName: 'alpha',
      criticalPath: 'Posting',
      operation: undefined,
    });
    expect(resolved.steps[1].members[0].selection).toMatchObject({
      account: 'eu',
      appName: 'ledger-eu',
    });
  });
});

describe('readJoinRequest', () => {
  it('is nothing for a component without the annotations', () => {
    expect(readJoinRequest(component('a', 'default'))).toBeUndefined();
    expect(
      readJoinRequest(component('a', 'default', joins(' ')))!.error,
    ).toMatch('must be the name of a step of criticalpath:bank/posting');
  });
});

it('takes what a component is called at the source that its step is measured by', () => {
  const annotations = {
    'rocket.internal/newrelic-account': 'us',
    'rocket.internal/newrelic-app': 'Poster (prod)',
    'rocket.internal/prometheus-server': 'main',
    'rocket.internal/prometheus-app': 'bank/poster',
  };
  const selection = (source: string) =>
    resolvePath(
      parseCriticalPath(
        path({ steps: [{ component: 'poster', telemetry: { source } }] }),
      ),
      indexComponents([component('poster', 'bank', annotations)]),
    ).steps[0].members[0].selection;
  expect(selection('newrelic')).toMatchObject({
    account: 'us',
    appName: 'Poster (prod)',
  });
  expect(selection('prometheus')).toMatchObject({
    account: 'main',
    appName: 'bank/poster',
  });
  expect(selection('other')).toMatchObject({
    account: undefined,
    appName: 'poster',
  });
});

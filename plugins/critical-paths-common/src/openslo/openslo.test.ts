import fc from 'fast-check';
import type { CriticalPathObjective } from '../kind';
import { fromOpenSlo, toOpenSlo } from '.';

const PATH = { namespace: 'default', name: 'posting' };
const REF = 'criticalpath:default/posting';

function slo(change: (document: any) => void = () => {}): any {
  const document = {
    apiVersion: 'openslo/v1',
    kind: 'SLO',
    metadata: { name: 'web-shop-slo' },
    spec: {
      service: 'web-shop',
      indicator: {
        metadata: { name: 'ratio' },
        spec: { ratioMetric: { counter: true, good: {}, total: {} } },
      },
      timeWindow: [{ duration: '4w', isRolling: true }],
      budgetingMethod: 'Occurrences',
      objectives: [{ target: 0.999 }],
    },
  };
  change(document);
  return document;
}

const windowDays = fc.constantFrom(1, 7, 28, 30);
const percent = fc
  .integer({ min: 1, max: 100_000 })
  .map(thousandths => thousandths / 1000);
const objective = fc.oneof(
  fc.record({
    sli: fc.constant('availability'),
    target: percent,
    windowDays,
  }),
  fc.record(
    {
      sli: fc.constant('latency'),
      target: percent,
      thresholdMs: fc.integer({ min: 1, max: 60_000 }),
      percentile: fc.integer({ min: 1, max: 99 }),
      windowDays,
    },
    { requiredKeys: ['sli', 'target', 'thresholdMs', 'windowDays'] },
  ),
  fc.record({
    sli: fc.constant('throughput'),
    target: fc.integer({ min: 1, max: 10_000 }),
    windowDays,
  }),
) as fc.Arbitrary<CriticalPathObjective>;

describe('OpenSLO', () => {
  it('gives every objective back', () => {
    fc.assert(
      fc.property(
        fc.array(objective, { minLength: 1, maxLength: 10 }),
        objectives => {
          const documents = toOpenSlo([
            { entityRef: REF, title: 'Posting', objectives },
          ]);
          const read = fromOpenSlo(JSON.parse(JSON.stringify(documents)), PATH);
          const sorted = (list: CriticalPathObjective[]) =>
            list.map(o => JSON.stringify(o, Object.keys(o).sort())).sort();
          expect(sorted(read.objectives)).toEqual(sorted(objectives));
          expect(read.notes).toEqual([]);
        },
      ),
    );
  });

  it('writes only names and targets that the specification allows', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            entityRef: fc
              .tuple(
                fc.constantFrom('default', 'Cards'),
                fc.stringMatching(
                  /^[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/,
                ),
              )
              .map(([namespace, name]) => `criticalpath:${namespace}/${name}`),
            title: fc.string(),
            objectives: fc.array(objective, { maxLength: 4 }),
          }),
          { maxLength: 5 },
        ),
        paths => {
          const documents = toOpenSlo(paths);
          for (const kind of ['Service', 'SLO']) {
            const names = documents
              .filter(d => d.kind === kind)
              .map(d => d.metadata.name);
            expect(new Set(names).size).toBe(names.length);
            for (const name of names) {
              expect(name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
            }
          }
          const targets = documents
            .filter(d => d.kind === 'SLO')
            .map(d => (d.spec.objectives as any[])[0].targetPercent);
          expect(targets.every(target => target < 100)).toBe(true);
        },
      ),
    );
  });

  it('reads what others wrote: references, weeks, shares and seconds', () => {
    const read = fromOpenSlo(
      [
        slo(),
        { apiVersion: 'openslo/v1', kind: 'AlertPolicy', metadata: {} },
        {
          apiVersion: 'openslo/v1',
          kind: 'SLI',
          metadata: { name: 'search-latency' },
          spec: { thresholdMetric: {} },
        },
        slo(d => {
          delete d.spec.indicator;
          d.metadata.annotations = { 'rocket.internal/unit': 's' };
          d.spec.indicatorRef = 'search-latency';
          d.spec.timeWindow[0].duration = '168h';
          d.spec.objectives = [{ op: 'lt', value: 0.5, targetPercent: 95 }];
        }),
      ],
      PATH,
    );
    expect(read.objectives).toEqual([
      { sli: 'availability', target: 99.9, windowDays: 28 },
      { sli: 'latency', target: 95, thresholdMs: 500, windowDays: 7 },
    ]);
    expect(read.notes).toEqual([
      'documents[1] is of kind AlertPolicy, which says nothing about objectives, and was left out',
      'documents[3].spec.objectives[0].op is lt; it was read as lte',
    ]);
  });

  it('takes the SLOs of the path when there are others', () => {
    const read = fromOpenSlo(
      [
        slo(),
        slo(d => {
          d.spec.service = 'posting';
          d.spec.objectives = [{ targetPercent: 90 }, { target: 0.57 }];
        }),
      ],
      PATH,
    );
    expect(read.objectives.map(o => o.target)).toEqual([90, 57]);
    expect(read.notes).toEqual([
      'documents[0] is about the service web-shop and was left out',
    ]);
    expect(() =>
      fromOpenSlo([slo(), slo(d => (d.spec.service = 'other'))], PATH),
    ).toThrow(
      'documents must have SLOs of the service posting, or of one service only, was ["web-shop","other"]',
    );
  });

  it.each<[string, unknown[], string]>([
    ['no documents', [], 'documents must hold at least one SLO, was missing'],
    ['text', ['x'], 'documents[0] must be an OpenSLO document, was "x"'],
    [
      'another version',
      [slo(d => (d.apiVersion = 'openslo/v2alpha'))],
      'documents[0].apiVersion must be openslo/v1, was "openslo/v2alpha"',
    ],
    [
      'an unknown kind',
      [slo(d => (d.kind = 'Slo'))],
      'documents[0].kind must be SLO, SLI, Service,',
    ],
    [
      'a window of two weeks',
      [slo(d => (d.spec.timeWindow[0].duration = '2w'))],
      'documents[0].spec.timeWindow[0].duration must be 1d, 7d, 28d or 30d, was "2w"',
    ],
    [
      'a calendar window',
      [slo(d => (d.spec.timeWindow = [{ duration: '1M', calendar: {} }]))],
      'documents[0].spec.timeWindow[0].isRolling must be true',
    ],
    [
      'time slices',
      [slo(d => (d.spec.budgetingMethod = 'Timeslices'))],
      'documents[0].spec.budgetingMethod must be Occurrences, was "Timeslices"',
    ],
    [
      'two targets',
      [slo(d => (d.spec.objectives[0].targetPercent = 99))],
      'documents[0].spec.objectives[0] must have either target or targetPercent',
    ],
    [
      'a percentage as share',
      [slo(d => (d.spec.objectives[0].target = 99.9))],
      'documents[0].spec.objectives[0].target must be a number above 0 and below 1, was 99.9',
    ],
    [
      'a missing SLI',
      [
        slo(d => {
          delete d.spec.indicator;
          d.spec.indicatorRef = 'gone';
        }),
      ],
      'documents[0].spec.indicatorRef must be the name of an SLI among the documents, or an indicator must be given, was "gone"',
    ],
    [
      'a latency upside down',
      [
        slo(d => {
          d.spec.indicator.spec = { thresholdMetric: {} };
          d.spec.objectives = [{ op: 'gte', value: 3, target: 0.9 }];
        }),
      ],
      'documents[0].spec.objectives[0].op must be lte for a latency, was "gte"',
    ],
    [
      'other objectives that are wrong',
      [
        slo(),
        {
          apiVersion: 'openslo/v1',
          kind: 'Service',
          metadata: {
            name: 'web-shop',
            annotations: {
              'rocket.internal/other-objectives': '[{"sli":"uptime"}]',
            },
          },
        },
      ],
      'spec.objectives[1].sli must be availability, latency or throughput, was "uptime"',
    ],
  ])('refuses %s', (_, documents, message) => {
    expect(() => fromOpenSlo(documents, PATH)).toThrow(message);
  });
});

import type { NrqlResult } from '@rocket/newrelic-node';
import {
  histogramCount,
  histogramOf,
} from '@rocket/plugin-critical-paths-common';
import type { TelemetryTarget } from '@rocket/plugin-critical-paths-node';
import fc from 'fast-check';
import { rowOf } from './__tests__/nrqlText';
import { planQueries } from './planQueries';
import { readAnswer } from './readAnswer';

const T0 = 1_700_000_040;
const TARGET: TelemetryTarget = {
  key: 'ts',
  appName: 'transaction-service',
  criticalPath: 'transaction-posting',
  thresholdsMs: [250],
};
const FACET = [TARGET.criticalPath, TARGET.appName];

function queryFor(targets: TelemetryTarget[]) {
  return planQueries(targets, {
    targets,
    from: new Date(T0 * 1000),
    to: new Date((T0 + 180) * 1000),
    stepSeconds: 60,
  }).queries[0];
}

const QUERY = queryFor([TARGET]);

function resultOf(
  rows: Record<string, unknown>[],
  overrides: Partial<NrqlResult> = {},
): NrqlResult {
  return {
    results: rows,
    totalResult: [],
    otherResult: [],
    metadata: { facets: null, messages: null, timeWindow: null },
    ...overrides,
  };
}

const row = (
  durationsMs: number[],
  overrides: Record<string, unknown> = {},
  start = T0,
): Record<string, unknown> => ({
  ...rowOf(QUERY.nrql, FACET, start, durationsMs),
  ...overrides,
});

const read = (rows: Record<string, unknown>[], overrides = {}) =>
  readAnswer(QUERY, resultOf(rows, overrides)).get('ts')!;

describe('readAnswer', () => {
  it('turns cumulative columns into the buckets of the latency scale', () => {
    const durations = [0.2, 1, 1.1, 40, 40, 249, 251, 13_000, 14_000, 90_000];
    expect(read([row(durations, { good: 8 })])).toEqual([
      {
        start: T0,
        valid: 10,
        good: 8,
        histogram: histogramOf(durations),
        withinThreshold: { 250: 6 },
      },
    ]);
  });

  it('agrees with the histogram of any durations', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 60_000, noNaN: true }), {
          minLength: 1,
          maxLength: 30,
        }),
        durations => {
          // Microseconds, which is how precisely the bounds are asked for.
          const rounded = durations.map(ms => Math.floor(ms) + 0.5);
          expect(read([row(rounded)])[0].histogram).toEqual(
            histogramOf(rounded),
          );
        },
      ),
      { numRuns: 100 },
    );
  });

  it('keeps the total and no negative bucket when sampling makes columns disagree', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.array(fc.double({ min: 0, max: 2000, noNaN: true }), {
          minLength: 58,
          maxLength: 58,
        }),
        (n, noise) => {
          const noisy: Record<string, unknown> = { n, good: noise[56] };
          for (let i = 0; i < 56; i++) noisy[`b${i}`] = noise[i];
          noisy.t250 = noise[57];
          const [bucket] = read([row([], noisy)]);
          expect(bucket.valid).toBe(n);
          expect(histogramCount(bucket.histogram)).toBe(n);
          expect(
            Object.values(bucket.histogram).every(
              count => Number.isInteger(count) && count > 0,
            ),
          ).toBe(true);
          expect(bucket.good).toBeLessThanOrEqual(n);
          expect(bucket.withinThreshold[250]).toBeLessThanOrEqual(n);
        },
      ),
    );
  });

  it('leaves out buckets without requests, whatever their other columns hold', () => {
    const empty = row([], { good: null, b0: null, t250: null }, T0 + 60);
    const nothing = row([], { n: null, good: null }, T0 + 120);
    expect(read([row([5]), empty, nothing]).map(b => b.start)).toEqual([T0]);
  });

  it('takes a target without a facet as one without traffic', () => {
    const idle = { ...TARGET, key: 'idle', appName: 'idle-service' };
    const query = queryFor([TARGET, idle]);
    const answer = readAnswer(query, resultOf([row([5])]));
    expect(answer.get('ts')).toHaveLength(1);
    expect(answer.get('idle')).toEqual([]);
    expect(readAnswer(query, resultOf([])).get('ts')).toEqual([]);
  });

  it('leaves out facets that nobody asked for', () => {
    const stranger = row([5, 6], { facet: ['other-path', TARGET.appName] });
    expect(read([stranger])).toEqual([]);
  });

  it('accepts attribute names instead of a facet list', () => {
    const { facet, ...named } = row([5], {
      appName: TARGET.appName,
      criticalPath: TARGET.criticalPath,
    });
    expect(read([named])[0].valid).toBe(1);
    expect(read([{ ...named, facet: 'transaction-posting' }])[0].valid).toBe(1);
  });

  it('ignores percentile objects and other columns it did not ask for', () => {
    expect(
      read([row([5], { lat: { '95': 0.45 }, inspectedCount: 7 })])[0].valid,
    ).toBe(1);
  });

  it('gives two targets on the same facet their own thresholds', () => {
    const twin = { ...TARGET, key: 'twin', thresholdsMs: [100] };
    const query = queryFor([TARGET, twin]);
    const answer = readAnswer(
      query,
      resultOf([rowOf(query.nrql, FACET, T0, [50, 150, 300])]),
    );
    expect(answer.get('ts')![0].withinThreshold).toEqual({ 250: 2 });
    expect(answer.get('twin')![0].withinThreshold).toEqual({ 100: 1 });
  });

  it('tells operations of one application apart', () => {
    const post = { ...TARGET, key: 'post', operation: 'POST /v1' };
    const get = { ...TARGET, key: 'get', operation: 'GET /v1' };
    const query = queryFor([post, get]);
    const answer = readAnswer(
      query,
      resultOf([
        rowOf(query.nrql, [...FACET, 'POST /v1'], T0, [1, 2]),
        rowOf(query.nrql, [...FACET, 'GET /v1'], T0, [3]),
        rowOf(query.nrql, [...FACET, 'PUT /v1'], T0, [4, 5, 6]),
      ]),
    );
    expect(answer.get('post')![0].valid).toBe(2);
    expect(answer.get('get')![0].valid).toBe(1);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['no start', { beginTimeSeconds: undefined }, /bucket that starts at null/],
    ['a start off the clock', { beginTimeSeconds: T0 + 7 }, /not a step/],
    ['a start before the window', { beginTimeSeconds: T0 - 60 }, /not a step/],
    ['a start after the window', { beginTimeSeconds: T0 + 180 }, /not a step/],
    ['no count', { n: undefined }, /column 'n'/],
    ['a count in words', { n: 'many' }, /column 'n'/],
    ['no good column', { good: undefined }, /column 'good'.*with requests/],
    ['null for good', { good: null }, /column 'good'.*with requests/],
    ['null in the scale', { b20: null }, /column 'b20'/],
    ['no threshold', { t250: undefined }, /column 't250'/],
    ['a facet of the wrong shape', { facet: ['one'] }, /facets cannot be told/],
    ['a null facet', { facet: [null, 'a'] }, /facets cannot be told/],
  ])('refuses a row with %s', (_, overrides, message) => {
    expect(() => read([row([5], overrides)])).toThrow(message);
  });

  it('refuses the same bucket twice', () => {
    expect(() => read([row([5]), row([6])])).toThrow(/twice/);
  });

  it.each([
    ['an object', { n: 3 }],
    ['an array', [{ n: 0 }, { n: 3 }]],
  ])('refuses an answer with facets left out, told by %s', (_, otherResult) => {
    expect(() => read([row([5])], { otherResult })).toThrow(/left facets out/);
  });

  it.each([
    ['null', null],
    ['an empty object', { n: 0 }],
    ['empty buckets', [{ n: 0 }, { n: null }]],
  ])('accepts %s as nothing left out', (_, otherResult) => {
    expect(read([row([5])], { otherResult })).toHaveLength(1);
  });

  it('refuses an answer with as many facets as there can be', () => {
    const rows = Array.from({ length: 5000 }, (_, i) => ({
      facet: ['p', `a${i}`],
      beginTimeSeconds: T0,
    }));
    expect(() => read(rows)).toThrow(/left facets out/);
    expect(read(rows.slice(1))).toEqual([]);
  });
});

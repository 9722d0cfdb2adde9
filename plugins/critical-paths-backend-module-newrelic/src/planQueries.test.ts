import type {
  TelemetryRequest,
  TelemetryTarget,
} from '@rocket/plugin-critical-paths-node';
import fc from 'fast-check';
import { splitLiterals } from './__tests__/nrqlText';
import { MAX_BUCKETS, MAX_ROWS, planQueries } from './planQueries';

const T0 = 1_700_000_040;

function target(overrides: Partial<TelemetryTarget> = {}): TelemetryTarget {
  const appName = overrides.appName ?? 'transaction-service';
  return {
    key: `${overrides.criticalPath}/${appName}/${overrides.operation}`,
    appName,
    criticalPath: 'transaction-posting',
    thresholdsMs: [],
    ...overrides,
  };
}

function plan(
  targets: TelemetryTarget[],
  {
    minutes,
    ...request
  }: Partial<TelemetryRequest> & { minutes?: number } = {},
) {
  return planQueries(targets, {
    targets,
    from: new Date(T0 * 1000),
    to: new Date((T0 + (minutes ?? 6) * 60) * 1000),
    stepSeconds: 60,
    ...request,
  });
}

/** The text without the fifty-six columns of the latency scale. */
function shorten(nrql: string): string {
  return nrql.replace(
    / filter\(count\(\*\), WHERE duration <= [0-9.]+\) AS 'b\d+',?/g,
    '',
  );
}

const many = (count: number, overrides: Partial<TelemetryTarget> = {}) =>
  Array.from({ length: count }, (_, i) =>
    target({
      appName: `application-with-a-name-${i}`,
      criticalPath: `path-${Math.floor(i / 10)}`,
      ...overrides,
    }),
  );

describe('planQueries', () => {
  it('asks for all signals of several applications in one query', () => {
    const { queries, refused } = plan([
      target({ thresholdsMs: [250] }),
      target({ appName: 'ledger-service', thresholdsMs: [250, 40.5] }),
      target({ appName: 'ledger-service', criticalPath: 'instant-transfer' }),
    ]);
    expect(refused).toEqual([]);
    expect(queries).toHaveLength(1);
    expect(shorten(queries[0].nrql)).toBe(
      `FROM Transaction SELECT count(*) AS 'n', ` +
        `filter(count(*), WHERE numeric(http.statusCode) < 500 OR (http.statusCode IS NULL AND (error IS FALSE OR error IS NULL))) AS 'good', ` +
        `filter(count(*), WHERE duration <= 0.0405) AS 't40_5', ` +
        `filter(count(*), WHERE duration <= 0.25) AS 't250' ` +
        `WHERE appName IN ('ledger-service', 'transaction-service') AND criticalPath IN ('instant-transfer', 'transaction-posting') ` +
        `FACET criticalPath, appName TIMESERIES 1 minute ` +
        `SINCE 1700000040000 UNTIL 1700000400000 LIMIT MAX EXTRAPOLATE`,
    );
    expect(queries[0].thresholdsMs).toEqual([40.5, 250]);
  });

  it('counts cumulatively up to each bound of the latency scale but the last', () => {
    const { nrql } = plan([target()]).queries[0];
    const columns = [
      ...nrql.matchAll(/WHERE duration <= ([0-9.]+)\) AS 'b(\d+)'/g),
    ].map(([, seconds, index]) => [Number(index), Number(seconds)]);
    expect(columns).toHaveLength(56);
    columns.forEach(([index, seconds], i) => {
      expect(index).toBe(i);
      expect(seconds).toBeCloseTo(2 ** (i / 4) / 1000, 6);
    });
  });

  it('keeps targets with an operation apart and facets them by name', () => {
    const { queries } = plan([
      target({ operation: 'POST /v1/transactions' }),
      target(),
      target({ appName: 'ledger-service', operation: 'POST /v1/entries' }),
    ]);
    expect(
      queries.map(({ nrql }) => shorten(nrql).split(' WHERE ').pop()),
    ).toEqual([
      `appName IN ('transaction-service') AND criticalPath IN ('transaction-posting') ` +
        `FACET criticalPath, appName TIMESERIES 1 minute SINCE 1700000040000 UNTIL 1700000400000 LIMIT MAX EXTRAPOLATE`,
      `appName IN ('ledger-service', 'transaction-service') AND criticalPath IN ('transaction-posting') ` +
        `AND name IN ('POST /v1/entries', 'POST /v1/transactions') ` +
        `FACET criticalPath, appName, name TIMESERIES 1 minute SINCE 1700000040000 UNTIL 1700000400000 LIMIT MAX EXTRAPOLATE`,
    ]);
    expect(queries.map(q => q.facets.length)).toEqual([2, 3]);
  });

  it('asks by the hour', () => {
    const from = Date.UTC(2026, 0, 1);
    const { queries } = plan([target()], {
      stepSeconds: 3600,
      from: new Date(from),
      to: new Date(from + 24 * 3_600_000),
    });
    expect(queries).toHaveLength(1);
    expect(queries[0].nrql).toContain(
      `TIMESERIES 1 hour SINCE ${from} UNTIL ${from + 86_400_000} `,
    );
  });

  it('cuts a long window into aligned parts that touch', () => {
    const { queries } = plan([target()], { minutes: 1000 });
    expect(queries).toHaveLength(3);
    let next = T0;
    for (const { from, to } of queries) {
      expect(from).toBe(next);
      expect((to - from) % 60).toBe(0);
      expect((to - from) / 60).toBeLessThanOrEqual(MAX_BUCKETS);
      next = to;
    }
    expect(next).toBe(T0 + 1000 * 60);
  });

  it('asks nothing about an empty window or no targets', () => {
    expect(plan([target()], { minutes: 0 }).queries).toEqual([]);
    expect(plan([]).queries).toEqual([]);
  });

  it('has every target exactly once per window, within all limits', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            appName: fc.string({ minLength: 1, maxLength: 60 }),
            criticalPath: fc.constantFrom('a', 'b', 'c', 'd'.repeat(60)),
            operation: fc.option(fc.string({ minLength: 1, maxLength: 80 }), {
              nil: undefined,
            }),
            thresholdsMs: fc.subarray([5, 100, 250, 500, 1000]),
          }),
          { maxLength: 40 },
        ),
        fc.integer({ min: 1, max: 800 }),
        (specs, minutes) => {
          const targets = specs.map((spec, i) => ({ ...spec, key: `k${i}` }));
          const { queries, refused } = plan(targets, { minutes });
          const minutesOf: Record<string, number> = {};
          for (const query of queries) {
            const buckets = (query.to - query.from) / 60;
            expect(query.nrql.length).toBeLessThanOrEqual(4000);
            expect(buckets).toBeLessThanOrEqual(366);
            const combinations = (
              ['appName', 'criticalPath', 'operation'] as const
            ).reduce(
              (product, name) =>
                product * new Set(query.targets.map(t => t[name])).size,
              1,
            );
            expect(combinations).toBeLessThan(5000);
            expect(combinations * buckets).toBeLessThanOrEqual(MAX_ROWS);
            for (const { key } of query.targets) {
              minutesOf[key] = (minutesOf[key] ?? 0) + buckets;
            }
          }
          for (const { key } of targets) {
            const isRefused = refused.some(r => r.key === key);
            expect(minutesOf[key] ?? 0).toBe(isRefused ? 0 : minutes);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('splits by the length of the text', () => {
    const { queries } = plan(many(100));
    expect(queries.length).toBeGreaterThan(1);
    expect(queries.length).toBeLessThanOrEqual(10);
    expect(queries.flatMap(q => q.targets)).toHaveLength(100);
  });

  it.each([
    ['appName', 'a\nb'],
    ['criticalPath', '\u0000'],
    ['operation', 'x\u2028'],
  ])(
    'refuses only the target whose %s has control characters',
    (field, value) => {
      const { queries, refused } = plan([
        target({ key: 'bad', [field]: value }),
        target({ key: 'fine' }),
      ]);
      expect(refused).toEqual([
        {
          key: 'bad',
          message: expect.stringContaining('control or invisible characters'),
        },
      ]);
      expect(queries.flatMap(q => q.targets.map(t => t.key))).toEqual(['fine']);
    },
  );

  it('refuses what cannot be asked and says why', () => {
    const { queries, refused } = plan([
      target({ key: 'empty', appName: '' }),
      target({ key: 'long', appName: 'x'.repeat(3000) }),
      target({ key: 'nan', thresholdsMs: [NaN] }),
      target({ key: 'zero', thresholdsMs: [0] }),
    ]);
    expect(queries).toEqual([]);
    expect(
      Object.fromEntries(refused.map(({ key, message }) => [key, message])),
    ).toEqual({
      empty: 'The application name is empty',
      long: expect.stringContaining('more than 4000 characters'),
      nan: expect.stringContaining('threshold NaN'),
      zero: expect.stringContaining('threshold 0'),
    });
  });

  describe('hostile names', () => {
    const benign = splitLiterals(
      plan([target({ appName: 'a', criticalPath: 'b', operation: 'c' })])
        .queries[0].nrql,
    );

    /** Undefined when the names were refused, and so nothing is asked. */
    function ask(appName: string, criticalPath: string, operation: string) {
      const { queries, refused } = plan([
        target({ appName, criticalPath, operation }),
      ]);
      expect(queries.length + refused.length).toBe(1);
      if (refused.length > 0) return undefined;
      const { skeleton, literals } = splitLiterals(queries[0].nrql);
      return { skeleton, names: literals.slice(-3) };
    }

    it.each([
      `') OR 1 = 1 --`,
      `\\`,
      `\\'`,
      `\\\\') SINCE 1 year ago //`,
      '100 % %a%',
      '`backtick`',
      '"}) { account(id: 1) { name } } #',
      '$q0 ${account}',
      'Zürich 決済 🚀',
      `' UNION SELECT *`,
    ])('stay inside their literals: %s', name => {
      expect(ask(name, name, name)).toEqual({
        skeleton: benign.skeleton,
        names: [name, name, name],
      });
    });

    it('stay inside their literals, whatever they are', () => {
      const name = fc.oneof(
        fc.string({ minLength: 1, unit: 'binary', maxLength: 50 }),
        fc.string({
          minLength: 1,
          maxLength: 50,
          unit: fc.constantFrom(`'`, '\\', '"', '`', '%', ')', ' ', 'a', '\n'),
        }),
      );
      fc.assert(
        fc.property(name, name, name, (...names) => {
          const expected = { skeleton: benign.skeleton, names };
          expect([undefined, expected]).toContainEqual(ask(...names));
        }),
        { numRuns: 500 },
      );
    });
  });
});

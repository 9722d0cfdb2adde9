import fc from 'fast-check';
import { AttributeValue, EventStore, StoredEvent } from '../store/EventStore';
import { ACCOUNT, MINUTE, NOW, storeOf } from './__testUtils__/events';
import { runNrql } from './runNrql';

/** Every attribute may be missing, and `mixed` changes its type. */
const eventArbitrary = fc
  .record({
    ago: fc.integer({ min: -10, max: 200 * MINUTE }),
    app: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
    status: fc.option(fc.constantFrom('200', '404', '500'), { nil: undefined }),
    duration: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
    error: fc.option(fc.boolean(), { nil: undefined }),
    mixed: fc.option(fc.constantFrom<AttributeValue>(1, '1', true, 5), {
      nil: undefined,
    }),
    weight: fc.constantFrom(1, 1, 3),
  })
  .map(({ ago, weight, ...values }): StoredEvent => {
    const attributes: Record<string, AttributeValue> = {};
    for (const [name, value] of Object.entries(values)) {
      if (value !== undefined) attributes[name] = value;
    }
    return {
      eventType: 'Transaction',
      timestamp: NOW - ago,
      attributes,
      weight,
    };
  });
const eventsArbitrary = fc.array(eventArbitrary, { maxLength: 60 });

/** A condition as NRQL and as a plain function, made side by side. */
interface Both {
  nrql: string;
  js: (e: Record<string, AttributeValue>) => boolean;
}
const order = {
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
};
const numberAttribute = fc.constantFrom('duration', 'mixed', 'status', 'none');
const anyAttribute = fc.constantFrom('app', 'mixed', 'error', 'duration');

const leaf: fc.Arbitrary<Both> = fc.oneof(
  fc
    .record({
      name: numberAttribute,
      op: fc.constantFrom(...(Object.keys(order) as (keyof typeof order)[])),
      limit: fc.integer({ min: -1, max: 21 }),
    })
    .map(({ name, op, limit }) => ({
      nrql: `${name} ${op} ${limit}`,
      js: (e: Record<string, AttributeValue>) => {
        const value = e[name];
        return typeof value === 'number' && order[op](value, limit);
      },
    })),
  fc.constantFrom(300, 404, 500).map(limit => ({
    nrql: `numeric(status) < ${limit}`,
    js: (e: Record<string, AttributeValue>) =>
      e.status !== undefined && Number(e.status) < limit,
  })),
  fc
    .record({
      name: anyAttribute,
      value: fc.constantFrom<string | number>('a', '1', 1, 5),
      negated: fc.boolean(),
    })
    .map(({ name, value, negated }) => ({
      nrql: `${name} ${negated ? '!=' : '='} ${
        typeof value === 'string' ? `'${value}'` : value
      }`,
      js: (e: Record<string, AttributeValue>) =>
        e[name] !== undefined && (e[name] === value) !== negated,
    })),
  fc
    .record({ name: anyAttribute, negated: fc.boolean() })
    .map(({ name, negated }) => ({
      nrql: `${name} ${negated ? 'NOT IN' : 'IN'} ('a', 'c', 1)`,
      js: (e: Record<string, AttributeValue>) =>
        e[name] !== undefined &&
        ['a', 'c', 1].includes(e[name] as string) !== negated,
    })),
  anyAttribute.map(name => ({
    nrql: `${name} IS NULL`,
    js: (e: Record<string, AttributeValue>) => e[name] === undefined,
  })),
  fc.boolean().map(value => ({
    nrql: `error IS ${value ? 'TRUE' : 'FALSE'}`,
    js: (e: Record<string, AttributeValue>) => e.error === value,
  })),
);

const condition: fc.Arbitrary<Both> = fc.letrec<{ node: Both }>(tie => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    tie('node').map(a => ({
      nrql: `NOT (${a.nrql})`,
      js: (e: Record<string, AttributeValue>) => !a.js(e),
    })),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => ({
      nrql: `(${a.nrql} AND ${b.nrql})`,
      js: (e: Record<string, AttributeValue>) => a.js(e) && b.js(e),
    })),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => ({
      nrql: `(${a.nrql} OR ${b.nrql})`,
      js: (e: Record<string, AttributeValue>) => a.js(e) || b.js(e),
    })),
  ),
})).node;

function ask(store: EventStore, nrql: string) {
  return runNrql(store, [ACCOUNT], nrql, NOW);
}

const SINCE = 'SINCE 3 hours ago';
const inWindow = (events: StoredEvent[], hours = 3) =>
  events.filter(
    ({ timestamp }) =>
      timestamp >= NOW - hours * 60 * MINUTE && timestamp < NOW,
  );
/** Equal but for the last digits. */
const about = (value: number | null): unknown =>
  value === null ? null : expect.closeTo(value);
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

describe('NRQL', () => {
  it('agrees with a plain filter over the events', async () => {
    await fc.assert(
      fc.asyncProperty(
        eventsArbitrary,
        condition,
        condition,
        async (events, where, filter) => {
          const matched = inWindow(events).filter(e => where.js(e.attributes));
          const filtered = matched.filter(e => filter.js(e.attributes));
          const durations = filtered.flatMap(({ attributes, weight }) =>
            typeof attributes.duration === 'number'
              ? [{ value: attributes.duration, weight: weight! }]
              : [],
          );
          const { results } = await ask(
            storeOf(events),
            `SELECT count(*) AS n, filter(count(*), WHERE ${filter.nrql}) AS f, filter(count(*), WHERE duration <= 7 AND ${filter.nrql}) AS rung, filter(sum(duration), WHERE ${filter.nrql}) AS s, filter(max(duration), WHERE ${filter.nrql}) AS top, filter(uniqueCount(mixed), WHERE ${filter.nrql}) AS u FROM Transaction WHERE ${where.nrql} ${SINCE} EXTRAPOLATE`,
          );
          expect(results).toEqual([
            {
              n: sum(matched.map(e => e.weight!)),
              f: sum(filtered.map(e => e.weight!)),
              rung: sum(durations.filter(d => d.value <= 7).map(d => d.weight)),
              s: sum(durations.map(d => d.value * d.weight)),
              top: durations.length
                ? Math.max(...durations.map(d => d.value))
                : null,
              u: new Set(
                filtered
                  .map(e => e.attributes.mixed)
                  .filter(value => value !== undefined),
              ).size,
            },
          ]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('splits a count into a filter and its complement', async () => {
    await fc.assert(
      fc.asyncProperty(eventsArbitrary, condition, async (events, c) => {
        const { results } = await ask(
          storeOf(events),
          `SELECT count(*) AS n, filter(count(*), WHERE ${c.nrql}) AS yes, filter(count(*), WHERE NOT (${c.nrql})) AS no, percentage(count(*), WHERE ${c.nrql}) AS share FROM Transaction ${SINCE}`,
        );
        const { n, yes, no, share } = results[0] as Record<string, number>;
        expect(yes + no).toBe(n);
        expect(share).toEqual(about(n === 0 ? null : (yes / n) * 100));
      }),
    );
  });

  it('adds up over buckets, facets and what is not shown', async () => {
    await fc.assert(
      fc.asyncProperty(
        eventsArbitrary,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 180 }),
        fc.constantFrom('app', 'app, error', 'duration', 'mixed'),
        async (events, limit, minutes, facet) => {
          const store = storeOf(events);
          const select = 'SELECT count(*) AS n, sum(duration) AS s';
          const series = await ask(
            store,
            `${select} FROM Transaction FACET ${facet} TIMESERIES ${minutes} minutes ${SINCE} LIMIT ${limit}`,
          );
          const { begin, end } = series.metadata.timeWindow;
          const whole = await ask(
            store,
            `${select} FROM Transaction FACET ${facet} SINCE ${begin} UNTIL ${end} LIMIT ${limit}`,
          );
          const plain = await ask(
            store,
            `${select} FROM Transaction SINCE ${begin} UNTIL ${end}`,
          );
          const buckets = Math.floor(180 / minutes);
          expect(series.results).toHaveLength(whole.results.length * buckets);
          expect(series.totalResult).toHaveLength(buckets);
          expect(whole.totalResult).toEqual(plain.results[0]);
          for (const key of ['n', 's']) {
            const add = (rows: unknown) =>
              sum((rows as Record<string, number>[]).map(row => row[key]));
            expect(add(whole.results) + add([whole.otherResult])).toBe(
              add(plain.results),
            );
            expect(add(series.results)).toBe(add(whole.results));
            expect(add(series.otherResult)).toBe(add([whole.otherResult]));
            expect(add(series.totalResult)).toBe(add(plain.results));
          }
        },
      ),
    );
  });

  it('gives percentiles by nearest rank and histograms that add up', async () => {
    await fc.assert(
      fc.asyncProperty(
        eventsArbitrary,
        fc.integer({ min: 0, max: 100 }),
        async (events, point) => {
          const values = inWindow(events)
            .flatMap(({ attributes: { duration } }) =>
              typeof duration === 'number' ? [duration] : [],
            )
            .sort((a, b) => a - b);
          const { results } = await ask(
            storeOf(events),
            `SELECT percentile(duration, ${point}) AS p, histogram(duration, 10, 5) AS h, average(duration) AS mean FROM Transaction ${SINCE}`,
          );
          const row = results[0] as {
            p: Record<string, number | null>;
            h: number[];
            mean: number | null;
          };
          const rank = Math.max(Math.ceil((point / 100) * values.length), 1);
          expect(row.p[point]).toBe(values[rank - 1] ?? null);
          expect(row.h).toEqual(
            [0, 1, 2, 3, 4].map(
              bin =>
                values.filter(
                  value => Math.min(Math.floor(value / 2), 4) === bin,
                ).length,
            ),
          );
          expect(row.mean).toEqual(
            about(values.length ? sum(values) / values.length : null),
          );
        },
      ),
    );
  });

  it('counts the same by many thresholds as one at a time', async () => {
    await fc.assert(
      fc.asyncProperty(
        eventsArbitrary,
        fc.uniqueArray(fc.integer({ min: -2, max: 22 }), {
          minLength: 1,
          maxLength: 8,
        }),
        async (events, thresholds) => {
          const columns = thresholds.flatMap((t, i) => [
            `filter(count(*), WHERE duration <= ${t}) AS a${i}`,
            `filter(count(*), WHERE duration < ${t}) AS b${i}`,
            // Not a plain threshold, so it is counted on its own.
            `filter(count(*), WHERE duration <= ${t} OR duration < ${t}) AS c${i}`,
          ]);
          const { results } = await ask(
            storeOf(events),
            `SELECT ${columns.join(', ')} FROM Transaction ${SINCE}`,
          );
          const values = inWindow(events).map(e => e.attributes.duration);
          thresholds.forEach((t, i) => {
            const least = values.filter(v => typeof v === 'number' && v <= t);
            const less = values.filter(v => typeof v === 'number' && v < t);
            expect(results[0][`a${i}`]).toBe(least.length);
            expect(results[0][`b${i}`]).toBe(less.length);
            expect(results[0][`c${i}`]).toBe(least.length);
          });
        },
      ),
    );
  });

  it('never breaks on a query, whatever its text', async () => {
    const words = fc.constantFrom(
      ...'SELECT FROM WHERE FACET TIMESERIES SINCE UNTIL LIMIT EXTRAPOLATE AS AND OR NOT IN LIKE IS NULL TRUE count(*) average(a) filter( percentage( ( ) , * + - / < >= = a T 1 5 minutes ago MAX AUTO'.split(
        ' ',
      ),
      "'x'",
      '`b`',
    );
    const store = storeOf([]);
    await fc.assert(
      fc.asyncProperty(fc.array(words, { maxLength: 12 }), async tail => {
        const nrql = `SELECT count(*) FROM T ${tail.join(' ')}`;
        const outcome = await ask(store, nrql).then(
          () => 'answered',
          error => error.name,
        );
        expect(['answered', 'NrqlError']).toContain(outcome);
      }),
      { numRuns: 500 },
    );
  });
});

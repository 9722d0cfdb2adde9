import fc from 'fast-check';
import { desiredConditions } from './desired/conditions';
import { desiredDashboard } from './desired/dashboard';
import { desiredServiceLevels } from './desired/serviceLevels';
import { IntentReader, type Objective } from './intents';
import { markOf, isMarked } from './mark';

const reader = new IntentReader({
  objectives: [
    { sli: 'availability', target: 99.9, windowDays: 28 },
    { sli: 'latency', target: 99, windowDays: 7, thresholdMs: 300 },
  ],
  thresholds: {
    errorRatePercent: 5,
    latencyMs: 800,
    noTrafficMinutes: 15,
    minimumRequests: 20,
  },
});
const MARK = 'Made by Rocket for component:default/wallets: ';
const conditionsOf = (intent: object = {}) =>
  desiredConditions(reader.alertPolicy({ appName: "o'hara", ...intent }), MARK);
const named = (name: string, intent?: object) =>
  conditionsOf(intent).find(condition => condition.name === name)!;

const GOOD =
  'numeric(http.statusCode) < 500 OR (http.statusCode IS NULL AND (error IS FALSE OR error IS NULL))';

describe('the conditions of a service', () => {
  it('are the standard ones and two burn alerts per objective', () => {
    expect(conditionsOf().map(({ name }) => name)).toEqual([
      'Error rate',
      'Latency',
      'No traffic',
      'Fast burn: availability 99.9 % over 28 days',
      'Slow burn: availability 99.9 % over 28 days',
      'Fast burn: latency 99 % within 300 ms over 7 days',
      'Slow burn: latency 99 % within 300 ms over 7 days',
    ]);
    for (const { description } of conditionsOf()) {
      expect(description.startsWith(MARK)).toBe(true);
    }
  });

  it('escape what is in names', () => {
    expect(named('Latency').nrql.query).toBe(
      "SELECT percentile(duration, 95) FROM Transaction WHERE appName = 'o\\'hara'",
    );
    expect(named('Latency').terms[0].threshold).toBe(0.8);
  });

  it('open an incident when the signal is lost, and only there', () => {
    expect(named('No traffic').expiration).toEqual({
      openViolationOnExpiration: true,
      closeViolationsOnExpiration: false,
      expirationDuration: 900,
    });
    expect(named('Error rate').expiration.expirationDuration).toBeNull();
  });

  // 2 % in 1 h: 0.02 x 28 x 24 = 13.44 times; 5 % in 6 h: 0.05 x 28 x 4 = 5.6 times.
  // At least 5 bad events: 5 / 0.01344 = 372.02, 5 / 0.0056 = 892.86.
  it.each([
    ['Fast', 3600, 60, 1.344, 373],
    ['Slow', 21_600, 900, 0.56, 893],
  ])(
    '%s burn of 99.9 %% over 28 days',
    (word, window, slideBy, threshold, minimum) => {
      const condition = named(`${word} burn: availability 99.9 % over 28 days`);
      expect(condition.terms).toEqual([
        {
          priority: 'CRITICAL',
          operator: 'ABOVE_OR_EQUALS',
          threshold,
          thresholdDuration: window,
          thresholdOccurrences: 'AT_LEAST_ONCE',
        },
      ]);
      expect(condition.signal).toMatchObject({
        aggregationWindow: window,
        slideBy,
      });
      expect(condition.nrql.query).toBe(
        `SELECT (count(*) - filter(count(*), WHERE ${GOOD})) * 100 / clamp_min(count(*), ${minimum}) FROM Transaction WHERE appName = 'o\\'hara'`,
      );
    },
  );

  it('count slow requests as bad for a latency objective', () => {
    // 3.36 x 1 %, and 5 / 0.0336 = 148.8.
    const condition = named(
      'Fast burn: latency 99 % within 300 ms over 7 days',
    );
    expect(condition.terms[0].threshold).toBe(3.36);
    expect(condition.nrql.query).toContain(
      'WHERE duration <= 0.3)) * 100 / clamp_min(count(*), 149)',
    );
  });

  it('never ask for more than all requests bad, nor for a window longer than six hours', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 5_000_000, max: 9_999_999 }),
        fc.constantFrom(1, 7, 28),
        (target, windowDays) => {
          const objectives = [
            { sli: 'availability', target: target / 1e5, windowDays },
          ];
          const conditions = conditionsOf({ objectives });
          for (const { terms, signal, name } of conditions) {
            expect(terms[0].threshold).toBeGreaterThan(0);
            expect(terms[0].threshold).toBeLessThanOrEqual(100);
            expect(signal.slideBy !== null).toBe(name.includes('burn'));
            expect(signal.aggregationWindow % (signal.slideBy ?? 60)).toBe(0);
            expect(signal.aggregationWindow).toBeLessThanOrEqual(21_600);
            expect(terms[0].thresholdDuration % signal.aggregationWindow).toBe(
              0,
            );
          }
        },
      ),
    );
  });
});

describe('service levels', () => {
  it('count good requests among those of the application', () => {
    const [availability, latency] = desiredServiceLevels(
      reader.serviceLevels({ appName: 'wallets' }),
      MARK,
    );
    expect(availability).toEqual({
      name: 'Availability over 28 days',
      description: `${MARK}availability 99.9 % over 28 days.`,
      events: {
        validEvents: { from: 'Transaction', where: "appName = 'wallets'" },
        goodEvents: {
          from: 'Transaction',
          where: `appName = 'wallets' AND (${GOOD})`,
        },
      },
      objectives: [
        {
          target: 99.9,
          timeWindow: { rolling: { count: 28, unit: 'DAY' } },
        },
      ],
    });
    expect(latency.events.goodEvents.where).toBe(
      "appName = 'wallets' AND (duration <= 0.3)",
    );
  });
});

it('lays out the dashboard within twelve columns and without overlaps', () => {
  const { pages } = desiredDashboard(reader.dashboard({ appName: 'wallets' }), {
    name: 'x',
    mark: MARK,
    accountId: 7,
  });
  const cells = new Set<string>();
  for (const { layout, rawConfiguration } of pages[0].widgets) {
    expect(layout.column + layout.width).toBeLessThanOrEqual(13);
    expect(rawConfiguration.nrqlQueries[0].accountIds).toEqual([7]);
    for (let x = 0; x < layout.width; x++) {
      for (let y = 0; y < layout.height; y++) {
        const cell = `${layout.column + x} ${layout.row + y}`;
        expect(cells.has(cell)).toBe(false);
        cells.add(cell);
      }
    }
  }
  expect(pages[0].widgets.length).toBe(8);
});

it('does not take the mark of one component for that of another', () => {
  const names = ['a', 'a.b', 'a-b', 'ab'];
  for (const name of names) {
    const description = `${markOf({ subject: `component:default/${name}` })}x`;
    for (const other of names) {
      expect(
        isMarked(
          { description },
          markOf({ subject: `component:default/${other}` }),
        ),
      ).toBe(name === other);
    }
  }
});

describe('intents', () => {
  const objective: Objective = {
    sli: 'availability',
    target: 99,
    windowDays: 28,
  };

  it('are complete: what the configuration says is filled in', () => {
    expect(reader.alertPolicy({ appName: 'a' })).toEqual({
      appName: 'a',
      objectives: expect.any(Array),
      thresholds: {
        errorRatePercent: 5,
        latencyMs: 800,
        noTrafficMinutes: 15,
        minimumRequests: 20,
      },
    });
  });

  it.each([
    [{}, 'intent.appName'],
    [{ appName: 'a\nb' }, 'intent.appName'],
    [
      { appName: 'a', objectives: [{ ...objective, target: 100 }] },
      'intent.objectives.0.target',
    ],
    [
      { appName: 'a', objectives: [{ ...objective, target: 99.9999999 }] },
      'intent.objectives.0.target',
    ],
    [
      { appName: 'a', objectives: [{ ...objective, windowDays: 30 }] },
      'intent.objectives.0.windowDays: must be 1, 7 or 28',
    ],
    [
      { appName: 'a', objectives: [{ ...objective, sli: 'latency' }] },
      'intent.objectives.0.thresholdMs',
    ],
    [
      { appName: 'a', objectives: [objective, { ...objective, target: 98 }] },
      'intent.objectives: two are about the same',
    ],
    [
      { appName: 'a', thresholds: { latencyMs: 0 } },
      'intent.thresholds.latencyMs',
    ],
    [{ appName: 'a', runbookUrl: 'ftp://example.com' }, 'intent.runbookUrl'],
    [{ appName: 'a', more: 1 }, 'more'],
  ])('refuse %j', (intent, text) => {
    expect(() => reader.alertPolicy(intent as never)).toThrow(text);
  });

  it.each([
    [{}, 'intent.tags'],
    [{ owner: 'group:default/x' }, 'intent.tags.owner: must be without :'],
    [{ 'a b': 'x' }, 'intent.tags.a b'],
  ])('refuse the tags %j', (tags, text) => {
    expect(() => reader.tags({ appName: 'a', tags } as never)).toThrow(text);
  });
});

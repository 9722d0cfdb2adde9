import fc from 'fast-check';
import type { Criterion, Experiment } from './experiment';
import {
  BEFORE_MINUTES,
  windowsOf,
  type CriterionMinute,
  type RunTimes,
} from './phases';
import { evaluateRun } from './verdict';

const MINUTE = 60_000;
const T0 = Date.parse('2026-11-24T10:00:00Z');

const availability: Criterion = {
  criticalPath: 'criticalpath:default/card-authorization',
  sli: 'availability',
  bound: 99,
  critical: true,
};

type Judged = Pick<
  Experiment,
  'hypothesis' | 'fault' | 'recovery' | 'minimumEventsPerMinute'
>;

function experiment(
  criteria: Criterion[] = [availability],
  overrides: Partial<Judged> = {},
): Judged {
  return {
    hypothesis: { text: 'It holds', criteria },
    fault: { type: 'stop' },
    recovery: { withinSeconds: 300, stableMinutes: 3 },
    minimumEventsPerMinute: 5,
    ...overrides,
  };
}

/** The fault is in place from 10:00:07 to 10:02:07: minutes 0, 1 and 2. */
const times: RunTimes = {
  injectedAt: T0 + 7_000,
  endedAt: T0 + 127_000,
};

/** Minutes -10 to 11 with 100 events each; `bad` by minute, null for a minute that nobody answered for. */
function minutes(bad: Record<number, number | null> = {}): CriterionMinute[] {
  return Array.from({ length: 22 }, (_, at) => at - BEFORE_MINUTES).map(n => ({
    start: T0 + n * MINUTE,
    observed: bad[n] !== null,
    valid: bad[n] === null ? 0 : 100,
    good: bad[n] === null ? 0 : 100 - (bad[n] ?? 0),
  }));
}

const judge = (
  bad: Record<number, number | null>,
  changed: Partial<RunTimes> = {},
) => evaluateRun(experiment(), [minutes(bad)], { ...times, ...changed });

describe('evaluateRun', () => {
  it('counts whole minutes: what the fault touches belongs to it', () => {
    const { before, during, after } = windowsOf(times, experiment().recovery);
    expect(before).toEqual({ from: T0 - 10 * MINUTE, to: T0 });
    expect(during).toEqual({ from: T0, to: T0 + 3 * MINUTE });
    // 10:02:07 + 300 s = 10:07:07, whole minute 10:08, and three more to see.
    expect(after).toEqual({ from: T0 + 3 * MINUTE, to: T0 + 11 * MINUTE });
  });

  it('passes when everything held, at the bound as well', () => {
    const { verdict, recoverySeconds, criteria } = judge({ 1: 1 });
    expect(verdict).toBe('passed');
    expect(recoverySeconds).toBeUndefined();
    expect(criteria[0].during).toMatchObject({
      events: 300,
      worst: 99,
      held: true,
    });
    expect(criteria[0].budgetSpent).toBe(0);
  });

  it('fails when a critical criterion was breached, and says how it came back', () => {
    // By hand: bad in minutes 1, 2, 3; good from minute 4 (10:04:00) on.
    const { verdict, reasons, recoverySeconds, detectionSeconds, criteria } =
      judge({ 1: 40, 2: 50, 3: 2 }, { alertAt: T0 + 2.5 * MINUTE });
    expect(verdict).toBe('failed');
    expect(reasons[0]).toContain('went down to 50');
    // 10:04:00 - 10:02:07
    expect(recoverySeconds).toBe(113);
    // 10:02:30 - 10:01:00
    expect(detectionSeconds).toBe(90);
    // Minutes 0 to 3: 400 events, 92 bad, 4 allowed.
    expect(criteria[0].budgetSpent).toBeCloseTo(88, 9);
  });

  it('fails when it held during the fault and did not come back after it', () => {
    const after = Object.fromEntries(
      [3, 4, 5, 6, 7, 8, 9, 10].map(n => [n, 10]),
    );
    const { verdict, reasons, recoverySeconds } = judge(after);
    expect(verdict).toBe('failed');
    expect(reasons[0]).toContain('not back for 3 minutes in a row');
    expect(recoverySeconds).toBeUndefined();
  });

  it('fails when it came back too late', () => {
    // Deadline 10:07:07; good from minute 8 on.
    const bad = Object.fromEntries([3, 4, 5, 6, 7].map(n => [n, 10]));
    expect(judge(bad).verdict).toBe('failed');
    // Good from minute 7 on is in time.
    delete bad[7];
    expect(judge(bad).verdict).toBe('passed');
  });

  it.each([
    ['was bad already', { [-3]: 20 }, 'no steady state'],
    [
      'was unknown before',
      Object.fromEntries(Array.from({ length: 10 }, (_, n) => [n - 10, null])),
      'Nothing is known',
    ],
    [
      'went blind during the fault',
      { 1: null, 2: null },
      'Telemetry was missing',
    ],
  ])('is inconclusive when it %s', (_, bad, reason) => {
    const { verdict, reasons } = judge(bad as Record<number, number | null>);
    expect(verdict).toBe('inconclusive');
    expect(reasons[0]).toContain(reason);
  });

  it('is inconclusive, never passed, when the source goes blind after the fault', () => {
    const blind = Object.fromEntries(
      [3, 4, 5, 6, 7, 8, 9, 10].map(n => [n, null]),
    );
    expect(judge(blind).verdict).toBe('inconclusive');
    // One bad minute and then silence: nobody knows either.
    expect(judge({ ...blind, 3: 30 }).verdict).toBe('inconclusive');
    // Minutes that were not handed over at all are unknown too.
    const cut = minutes().filter(({ start }) => start < T0 + 3 * MINUTE);
    expect(evaluateRun(experiment(), [cut], times).verdict).toBe(
      'inconclusive',
    );
  });

  it('bears one blind minute', () => {
    expect(judge({ 1: null }).verdict).toBe('passed');
  });

  it('is inconclusive with too little traffic', () => {
    const few = minutes().map(minute => ({ ...minute, valid: 4, good: 4 }));
    expect(evaluateRun(experiment(), [few], times).verdict).toBe(
      'inconclusive',
    );
  });

  it('judges missing traffic by a bound of throughput', () => {
    const criterion: Criterion = {
      ...availability,
      sli: 'throughput',
      bound: 50,
    };
    const dry = minutes().map(minute =>
      minute.start >= T0 && minute.start < T0 + 3 * MINUTE
        ? { ...minute, valid: 0, good: 0 }
        : minute,
    );
    const { verdict, criteria } = evaluateRun(
      experiment([criterion]),
      [dry],
      times,
    );
    expect(verdict).toBe('failed');
    expect(criteria[0].during.value).toBe(0);
    expect(criteria[0].budgetSpent).toBe(0);
  });

  it('notes a breach of what is not critical and fails nothing by it', () => {
    const minor = { ...availability, critical: false, bound: 99.9 };
    const { verdict, reasons } = evaluateRun(
      experiment([availability, minor]),
      [minutes({ 1: 1 }), minutes({ 1: 1 })],
      times,
    );
    expect(verdict).toBe('passed');
    expect(reasons[1]).toContain('Not critical');
  });

  it('says aborted before anything else', () => {
    expect(judge({ 1: 90 }, { aborted: 'fast burn' })).toMatchObject({
      verdict: 'aborted',
      reasons: [expect.stringContaining('fast burn')],
    });
  });

  it('counts recovery of what happens once from the moment it happened', () => {
    const at = T0 + 7_000;
    const { recoverySeconds } = evaluateRun(
      experiment(undefined, { fault: { type: 'kill' } }),
      [minutes({ 0: 50, 1: 20 })],
      { injectedAt: at, endedAt: at },
    );
    // 10:02:00 - 10:00:07
    expect(recoverySeconds).toBe(113);
  });

  it('wants the minutes of every criterion', () => {
    expect(() => evaluateRun(experiment(), [], times)).toThrow(
      'There are 1 criteria and the minutes of 0',
    );
  });

  const anyMinutes = fc
    .array(
      fc.record({
        observed: fc.boolean(),
        valid: fc.nat(200),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      { minLength: 22, maxLength: 22 },
    )
    .map(list =>
      list.map(
        ({ observed, valid, share }, n): CriterionMinute => ({
          start: T0 + (n - BEFORE_MINUTES) * MINUTE,
          observed,
          valid: observed ? valid : 0,
          good: observed ? Math.round(valid * share) : 0,
        }),
      ),
    );

  const during = (given: CriterionMinute[]) =>
    given.filter(({ start }) => start >= T0 && start < T0 + 3 * MINUTE);

  it('never passes on more than one blind minute, on a minute below the bound, nor without a recovery', () => {
    const passesRightly = (given: CriterionMinute[]) => {
      const { verdict, criteria } = evaluateRun(experiment(), [given], times);
      return (
        verdict !== 'passed' ||
        (during(given).filter(({ observed }) => !observed).length <= 1 &&
          during(given).every(
            ({ valid, good }) => valid < 5 || good / valid >= 0.99,
          ) &&
          criteria[0].recoveredAt !== undefined)
      );
    };
    fc.assert(
      fc.property(anyMinutes, given => expect(passesRightly(given)).toBe(true)),
      { numRuns: 500 },
    );
  });

  it('turns no failure into a pass when telemetry of the time after the fault is taken away', () => {
    const staysUnknown = (given: CriterionMinute[], from: number) => {
      const cut = given.filter(({ start }) => start < T0 + (3 + from) * MINUTE);
      const verdict = (list: CriterionMinute[]) =>
        evaluateRun(experiment(), [list], times).verdict;
      return verdict(given) !== 'failed' || verdict(cut) !== 'passed';
    };
    fc.assert(
      fc.property(anyMinutes, fc.nat(3), (given, from) =>
        expect(staysUnknown(given, from)).toBe(true),
      ),
    );
  });

  it('does not depend on the order of the minutes', () => {
    fc.assert(
      fc.property(anyMinutes, fc.infiniteStream(fc.nat()), (given, seeds) => {
        const shuffled = given
          .map(minute => ({ minute, at: seeds.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ minute }) => minute);
        expect(evaluateRun(experiment(), [shuffled], times)).toEqual(
          evaluateRun(experiment(), [given], times),
        );
      }),
      { numRuns: 100 },
    );
  });
});

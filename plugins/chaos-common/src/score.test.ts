import fc from 'fast-check';
import {
  freshnessOf,
  pointsOf,
  scoreOf,
  type Cell,
  type RunSummary,
} from './score';
import { VERDICTS } from './verdict';

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-24T12:00:00Z');

const cell = (step: string, overrides: Partial<Cell> = {}): Cell => ({
  criticalPath: 'criticalpath:default/card-authorization',
  step,
  component: `component:default/${step}`,
  team: 'group:default/cards',
  kind: 'shutdown',
  weight: 1,
  ...overrides,
});

const run = (
  step: string,
  verdict: RunSummary['verdict'],
  days: number,
): RunSummary => ({
  criticalPath: 'criticalpath:default/card-authorization',
  step,
  kind: 'shutdown',
  verdict,
  at: NOW - days * DAY,
});

describe('scoreOf', () => {
  it('is the mean that a person can compute by hand', () => {
    const cells = ['a', 'b', 'c', 'd', 'e'].map(step => cell(step));
    const { score, covered, required, fresh } = scoreOf(
      cells,
      [
        run('a', 'passed', 1),
        run('b', 'passed', 10),
        run('c', 'failed', 2),
        run('d', 'passed', 40),
        // e: never
      ],
      NOW,
    );
    // (100 + 75 + 50 + 60 + 0) / 5
    expect(score).toBe(57);
    expect({ covered, required, fresh }).toEqual({
      covered: 4,
      required: 5,
      fresh: 2,
    });
  });

  it('weighs by the path', () => {
    const cells = [cell('a', { weight: 3 }), cell('b')];
    expect(scoreOf(cells, [run('a', 'passed', 1)], NOW).score).toBe(75);
  });

  it('takes the newest run that counts, and none from the future', () => {
    const runs = [
      run('a', 'passed', 5),
      run('a', 'failed', 3),
      run('a', 'inconclusive', 1),
      run('a', 'not-run', 0),
      run('a', 'passed', -1),
    ];
    const [{ last, points }] = scoreOf([cell('a')], runs, NOW).cells;
    expect(last?.verdict).toBe('failed');
    expect(points).toBe(50);
  });

  it('has no score without cells', () => {
    expect(scoreOf([], [], NOW).score).toBeNull();
  });

  it('draws the borders after 7 and 30 days', () => {
    expect(freshnessOf(NOW - 7 * DAY, NOW)).toBe('fresh');
    expect(freshnessOf(NOW - 7 * DAY - 1, NOW)).toBe('expired');
    expect(freshnessOf(NOW - 30 * DAY, NOW)).toBe('expired');
    expect(freshnessOf(NOW - 30 * DAY - 1, NOW)).toBe('long-expired');
    expect(freshnessOf(undefined, NOW)).toBe('none');
  });

  it('puts a failed run above none, and an expired pass below a pass', () => {
    for (const age of ['fresh', 'expired', 'long-expired'] as const) {
      expect(pointsOf('failed', age)).toBeGreaterThan(
        pointsOf(undefined, 'none'),
      );
      expect(pointsOf('passed', age)).toBeGreaterThan(pointsOf('failed', age));
      expect(pointsOf('aborted', age)).toBe(pointsOf('failed', age));
    }
    expect(pointsOf('passed', 'expired')).toBeLessThan(
      pointsOf('passed', 'fresh'),
    );
    expect(pointsOf('passed', 'long-expired')).toBeLessThan(
      pointsOf('passed', 'expired'),
    );
  });

  it('stays within 0 and 100, and does not rise by waiting', () => {
    const anyRun = fc
      .record({
        step: fc.constantFrom('a', 'b', 'c'),
        verdict: fc.constantFrom(...VERDICTS),
        days: fc.double({ min: 0, max: 60, noNaN: true }),
      })
      .map(({ step, verdict, days }) => run(step, verdict, days));
    const cells = ['a', 'b', 'c'].map((step, n) =>
      cell(step, { weight: n + 1 }),
    );
    fc.assert(
      fc.property(
        fc.array(anyRun, { maxLength: 20 }),
        fc.double({ min: 0, max: 90, noNaN: true }),
        (runs, days) => {
          const today = scoreOf(cells, runs, NOW).score!;
          const later = scoreOf(cells, runs, NOW + days * DAY).score!;
          expect(today).toBeGreaterThanOrEqual(0);
          expect(today).toBeLessThanOrEqual(100);
          expect(later).toBeLessThanOrEqual(today);
        },
      ),
    );
  });
});

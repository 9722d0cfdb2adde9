import fc from 'fast-check';
import { DateTime } from 'luxon';
import { FAULT_KINDS } from './faults';
import {
  byNeed,
  hoursOf,
  outsideHours,
  planRotation,
  type Adjustment,
  type TeamPlan,
  type WorkingHours,
} from './rotation';
import type { Cell, RunSummary } from './score';
import { parseIsoWeek } from './weeks';

const berlin: WorkingHours = {
  timeZone: 'Europe/Berlin',
  days: [2, 3, 4],
  fromHour: 10,
  toHour: 16,
};
const weeks = ['2026-W48', '2026-W49', '2026-W50', '2026-W51'].map(key =>
  parseIsoWeek(key, 'Europe/Berlin'),
);

function cellsOf(team: string, paths: string[], steps: string[]): Cell[] {
  return paths.flatMap(path =>
    steps.flatMap(step =>
      FAULT_KINDS.map(kind => ({
        criticalPath: `criticalpath:default/${path}`,
        step,
        component: `component:default/${step}`,
        team,
        kind,
        weight: 1,
      })),
    ),
  );
}

const teams: TeamPlan[] = ['cards', 'ledger', 'risk', 'app'].map(name => ({
  team: `group:default/${name}`,
  cells: cellsOf(`group:default/${name}`, ['card-authorization'], [name]),
  hours: berlin,
  perWeek: 2,
}));

const plan = (overrides: Partial<Parameters<typeof planRotation>[0]> = {}) =>
  planRotation({
    weeks,
    teams,
    runs: [],
    freezes: [],
    adjustments: [],
    ...overrides,
  });

describe('the weekly rotation', () => {
  it('gives every team its turns in every week, in its working hours', () => {
    const turns = plan();
    expect(turns).toHaveLength(4 * 4 * 2);
    for (const turn of turns) {
      expect(outsideHours(turn.at!, berlin)).toBeUndefined();
      const week = weeks.find(({ key }) => key === turn.week)!;
      expect(turn.at).toBeGreaterThanOrEqual(week.start);
      expect(turn.at).toBeLessThan(week.end);
    }
  });

  it('takes every kind of fault once before any comes again', () => {
    // Two turns a week and four kinds: two weeks for all of them.
    const kinds = plan()
      .filter(({ team }) => team === 'group:default/cards')
      .sort((a, b) => a.at! - b.at!)
      .map(({ cell }) => cell.kind);
    expect(new Set(kinds.slice(0, 4))).toEqual(new Set(FAULT_KINDS));
    expect(new Set(kinds.slice(4))).toEqual(new Set(FAULT_KINDS));
  });

  it('never breaks one path twice in an hour', () => {
    const hours = plan().map(({ at }) => at);
    expect(new Set(hours).size).toBe(hours.length);
  });

  it('prefers what was never tried, then the oldest evidence', () => {
    const cells = cellsOf('t', ['p'], ['s']);
    const run = (kind: Cell['kind'], at: number, verdict = 'passed') =>
      ({
        criticalPath: 'criticalpath:default/p',
        step: 's',
        kind,
        at,
        verdict,
      } as RunSummary);
    const order = byNeed(
      cells,
      [
        run('shutdown', 300),
        run('traffic-peak', 100),
        run('injection', 200),
        // What taught nothing is no evidence.
        run('resource-pressure', 900, 'inconclusive'),
      ],
      '2026-W48',
    ).map(({ kind }) => kind);
    expect(order).toEqual([
      'resource-pressure',
      'traffic-peak',
      'injection',
      'shutdown',
    ]);
  });

  it('says why nothing happens in a frozen week', () => {
    const turns = plan({
      freezes: [{ from: '2026-12-14', to: '2026-12-20', reason: 'Year-end' }],
    });
    const frozen = turns.filter(({ week }) => week === '2026-W51');
    expect(frozen).toHaveLength(8);
    frozen.forEach(turn => {
      expect(turn.at).toBeUndefined();
      expect(turn.note).toContain('frozen');
    });
  });

  it('keeps what people moved or skipped, with their reason', () => {
    const [first] = plan();
    const to = first.at! + 86_400_000;
    const adjustments: Adjustment[] = [
      { slot: first.slot, action: 'move', to, reason: 'Audit on Tuesday' },
      {
        slot: '2026-W49/group:default/risk/1',
        action: 'skip',
        reason: 'The team is away',
      },
    ];
    const turns = plan({ adjustments });
    expect(turns.find(({ slot }) => slot === first.slot)).toMatchObject({
      at: to,
      note: 'Audit on Tuesday',
    });
    const skipped = turns.find(
      ({ slot }) => slot === '2026-W49/group:default/risk/1',
    )!;
    expect(skipped.at).toBeUndefined();
    expect(skipped.note).toBe('The team is away');
    // Nobody was put on the hour that a person chose.
    const others = turns.filter(({ slot }) => slot !== first.slot);
    expect(others.map(({ at }) => at)).not.toContain(to);
  });

  it('has no hour that the clock leaves out', () => {
    const spring = parseIsoWeek('2026-W13', 'Europe/Berlin');
    const sunday = { ...berlin, days: [7], fromHour: 0, toHour: 6 };
    const local = hoursOf(spring, sunday, []).map(
      time => DateTime.fromMillis(time, { zone: 'Europe/Berlin' }).hour,
    );
    expect(local).toEqual([0, 1, 3, 4, 5]);
  });

  it('is the same for the same input, whatever the order of teams, and never doubles an hour', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(teams, { minLength: 1 }),
        fc.integer({ min: 1, max: 5 }),
        (some, perWeek) => {
          const busy = some.map(team => ({ ...team, perWeek }));
          const turns = plan({ teams: busy });
          expect(plan({ teams: [...busy].reverse() })).toEqual(turns);
          const hours = turns.flatMap(({ at }) => at ?? []);
          expect(new Set(hours).size).toBe(hours.length);
          turns.forEach(turn =>
            expect(turn.at !== undefined || Boolean(turn.note)).toBe(true),
          );
        },
      ),
      { numRuns: 50 },
    );
  });
});

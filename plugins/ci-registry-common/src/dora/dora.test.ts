import fc from 'fast-check';
import {
  DORA_DEFINITIONS,
  countDora,
  doraMetrics,
  incidentTimeToRecover,
  leadTimeByWeek,
  quantile,
} from './metrics';
import { doraSamples, type DoraDeployment, type DoraHistory } from './samples';
import { isoWeek, isoWeeks } from './weeks';

const MINUTE = 60_000;
const T0 = Date.parse('2026-11-02T00:00:00Z'); // a Monday
const DAY = 24 * 60;

/** A deployment that takes five minutes and ends at `minute`. */
function deploy(
  id: string,
  commit: string,
  minute: number,
  extra: Partial<DoraDeployment> = {},
): DoraDeployment {
  return {
    id,
    commit,
    outcome: 'succeeded',
    startedAt: T0 + (minute - 5) * MINUTE,
    finishedAt: T0 + minute * MINUTE,
    remediates: [],
    brought: [],
    ...extra,
  };
}

function history(
  deployments: DoraDeployment[],
  contents: Record<string, string[]> = {},
  commitMinutes: Record<string, number> = {},
): DoraHistory {
  return {
    deployments,
    contents: new Map(Object.entries(contents)),
    commitTimes: new Map(
      Object.entries(commitMinutes).map(([sha, minute]) => [
        sha,
        T0 + minute * MINUTE,
      ]),
    ),
  };
}

const leadMinutes = (of: DoraHistory) =>
  Object.fromEntries(
    doraSamples(of).leadTimes.map(({ sha, seconds }) => [sha, seconds / 60]),
  );
const failures = (of: DoraHistory) =>
  doraSamples(of)
    .changes.filter(change => change.failure)
    .map(({ id }) => id);
const recoveryMinutes = (of: DoraHistory) =>
  Object.fromEntries(
    doraSamples(of).recoveries.map(({ id, seconds }) => [id, seconds / 60]),
  );

describe('lead time', () => {
  it('is that of each commit to the first successful deployment that contains it', () => {
    // c2 and c3 are built, c2's own deployment fails; d3 brings both.
    expect(
      leadMinutes(
        history(
          [
            deploy('d1', 'c1', 10),
            deploy('d2', 'c2', 30, { outcome: 'failed' }),
            deploy('d3', 'c3', 60),
          ],
          { c2: ['c1'], c3: ['c2'] },
          { c1: 0, c2: 15, c3: 40 },
        ),
      ),
    ).toEqual({ c2: 45, c3: 20 });
  });

  it('counts of the first known deployment only what it says it brought', () => {
    const contents = { c2: ['c1', 'c0'] };
    const times = { c0: -9_000, c1: 1, c2: 2 };
    expect(
      leadMinutes(history([deploy('d1', 'c2', 12)], contents, times)),
    ).toEqual({});
    expect(
      leadMinutes(
        history(
          [deploy('d1', 'c2', 12, { brought: ['c2', 'c1'] })],
          contents,
          times,
        ),
      ),
    ).toEqual({ c1: 11, c2: 10 });
  });

  it('counts a commit once: redeployed, rolled back to, and rolled forward again', () => {
    expect(
      leadMinutes(
        history(
          [
            deploy('d1', 'c1', 10),
            deploy('d2', 'c2', 20),
            deploy('d2-again', 'c2', 30),
            deploy('back', 'c1', 40),
            deploy('forward', 'c2', 50),
            deploy('d3', 'c3', 60),
          ],
          { c2: ['c1'], c3: ['c2', 'c1'] },
          { c1: 0, c2: 14, c3: 51 },
        ),
      ),
    ).toEqual({ c2: 6, c3: 9 });
  });

  it('counts a revert as a commit of its own, and what it reverts as deployed', () => {
    expect(
      leadMinutes(
        history(
          [
            deploy('d1', 'c1', 10),
            deploy('d2', 'bad', 20),
            deploy('d3', 'revert', 45),
          ],
          { bad: ['c1'], revert: ['bad', 'c1'] },
          { bad: 12, revert: 30 },
        ),
      ),
    ).toEqual({ bad: 8, revert: 15 });
  });

  it('knows of a squash merge the one commit that is on the branch', () => {
    // f1 and f2 were built on a branch and never deployed as such.
    expect(
      leadMinutes(
        history(
          [deploy('d1', 'c1', 10), deploy('d2', 'squashed', 40)],
          { f2: ['f1', 'c1'], squashed: ['c1'] },
          { f1: 11, f2: 12, squashed: 25 },
        ),
      ),
    ).toEqual({ squashed: 15 });
  });

  it('moves to the next deployment when the first one was rolled back', () => {
    expect(
      leadMinutes(
        history(
          [
            deploy('d1', 'c1', 10),
            deploy('d2', 'c2', 20, { outcome: 'rolled-back' }),
            deploy('d3', 'c3', 50),
          ],
          { c2: ['c1'], c3: ['c2'] },
          { c2: 15, c3: 30 },
        ),
      ),
    ).toEqual({ c2: 35, c3: 20 });
  });

  it('is never negative, and left out where the time of a commit is not known', () => {
    expect(
      leadMinutes(
        history(
          [deploy('d1', 'c1', 10), deploy('d2', 'c2', 20)],
          { c2: ['c1', 'unknown'] },
          { c2: 25 },
        ),
      ),
    ).toEqual({ c2: 0 });
  });
});

describe('failures and recoveries', () => {
  it('takes a failed deployment to the next successful one', () => {
    const of = history([
      deploy('d1', 'c1', 10),
      deploy('d2', 'c2', 20, { outcome: 'failed' }),
      deploy('d3', 'c3', 50, { outcome: 'failed' }),
      deploy('d4', 'c4', 70),
    ]);
    expect(failures(of)).toEqual(['d2', 'd3']);
    expect(recoveryMinutes(of)).toEqual({ d2: 50, d3: 20 });
    expect(doraSamples(of).open).toEqual([]);
  });

  it('counts the deployment that a later one makes good', () => {
    const of = history([
      deploy('d1', 'c1', 10),
      deploy('d2', 'c2', 20),
      deploy('d3', 'c3', 30),
      deploy('fix', 'c4', 65, { remediates: ['d2', 'later', 'fix'] }),
      deploy('later', 'c5', 90),
    ]);
    expect(failures(of)).toEqual(['d2']);
    expect(recoveryMinutes(of)).toEqual({ d2: 45 });
  });

  it('waits for a remedy that works', () => {
    const of = history([
      deploy('d1', 'c1', 10),
      deploy('fix1', 'c2', 20, { outcome: 'failed', remediates: ['d1'] }),
      deploy('fix2', 'c3', 40, { remediates: ['d1'] }),
    ]);
    expect(recoveryMinutes(of)).toEqual({ d1: 30, fix1: 20 });
  });

  it('sees that an earlier version was put back, and counts that deployment neither as change nor as failure', () => {
    for (const contents of [{ c2: ['c1'] }, {}] as Record<string, string[]>[]) {
      const of = history(
        [
          deploy('d1', 'c1', 10),
          deploy('d2', 'c2', 20),
          deploy('back', 'c1', 33),
          deploy('d2-again', 'c2', 60),
        ],
        contents,
      );
      expect(doraSamples(of).changes.map(({ id }) => id)).toEqual([
        'd1',
        'd2',
        'd2-again',
      ]);
      expect(failures(of)).toEqual(['d2']);
      expect(recoveryMinutes(of)).toEqual({ d2: 13 });
    }
  });

  it('sees a roll-back to a version that never ran here, by what contains it', () => {
    const of = history([deploy('d3', 'c3', 20), deploy('back', 'c2', 30)], {
      c3: ['c2'],
    });
    expect(failures(of)).toEqual(['d3']);
  });

  it('takes a deployment that rolled itself back from its start to its end, once', () => {
    const of = history([
      deploy('d1', 'c1', 10),
      deploy('d2', 'c2', 30, {
        outcome: 'rolled-back',
        startedAt: T0 + 18 * MINUTE,
      }),
      // The pipeline reports the way back as a deployment as well.
      deploy('back', 'c1', 31),
      deploy('retry', 'c2', 50),
    ]);
    expect(doraSamples(of).changes.map(({ id }) => id)).toEqual([
      'd1',
      'd2',
      'retry',
    ]);
    expect(failures(of)).toEqual(['d2']);
    expect(recoveryMinutes(of)).toEqual({ d2: 12 });
  });

  it('takes the same version deployed again for a change', () => {
    const of = history([deploy('d1', 'c1', 10), deploy('again', 'c1', 20)]);
    expect(failures(of)).toEqual([]);
    expect(doraSamples(of).changes).toHaveLength(2);
  });

  it('tells of a failure that nothing made good', () => {
    const of = history([
      deploy('d1', 'c1', 10),
      deploy('d2', 'c2', 20, { outcome: 'failed' }),
    ]);
    expect(doraSamples(of).open).toEqual([{ at: T0 + 20 * MINUTE, id: 'd2' }]);
    const { timeToRecover } = doraMetrics([doraSamples(of)], {
      from: T0,
      to: T0 + DAY * MINUTE,
    });
    expect(timeToRecover).toEqual({
      value: null,
      samples: 0,
      minimumSamples: 3,
      note: 'No recoveries from failed deployments in the window; a figure takes at least 3. 1 failed deployment is not made good yet',
    });
  });
});

describe('doraMetrics', () => {
  // By hand: 10 days; d1..d5 on days 1 to 5, d3 fails and d4 makes it good a day later.
  const of = history(
    [1, 2, 3, 4, 5].map(day =>
      deploy(`d${day}`, `c${day}`, day * DAY, {
        outcome: day === 3 ? 'failed' : 'succeeded',
      }),
    ),
    { c2: ['c1'], c3: ['c2'], c4: ['c3'], c5: ['c4'] },
    {
      c1: 0,
      c2: 2 * DAY - 30,
      c3: 3 * DAY - 20,
      c4: 4 * DAY - 40,
      c5: 5 * DAY - 50,
    },
  );
  const samples = [doraSamples(of)];
  const window = { from: T0, to: T0 + 10 * DAY * MINUTE };

  it('is what it is by hand', () => {
    const metrics = doraMetrics(samples, window);
    expect(metrics.deploymentFrequency).toEqual({
      value: 0.4,
      samples: 4,
      minimumSamples: 3,
    });
    // c2 30, c4 40, c5 50, and c3 a day and 20 minutes: the median is 45 minutes.
    expect(metrics.leadTime).toMatchObject({ value: 45 * 60, samples: 4 });
    // Rank 2.85 of 30, 40, 50, 1460: 50 + 0.85 * 1410.
    expect(metrics.leadTime.p95).toBeCloseTo((50 + 0.85 * 1410) * 60, 6);
    expect(metrics.changeFailureRate).toEqual({
      value: 0.2,
      samples: 5,
      minimumSamples: 3,
    });
    expect(metrics.timeToRecover).toMatchObject({ value: null, samples: 1 });
  });

  it('makes no figure of two samples', () => {
    const two = doraMetrics(samples, {
      from: T0 + 4 * DAY * MINUTE,
      to: window.to,
    });
    for (const figure of [two.deploymentFrequency, two.changeFailureRate]) {
      expect(figure).toMatchObject({ value: null, samples: 2 });
      expect(figure.note).toMatch(
        /^2 .* in the window; a figure takes at least 3$/,
      );
    }
    // d4 brought two commits and d5 one, so these three are enough.
    expect(two.leadTime).toMatchObject({ value: 50 * 60, samples: 3 });
    const one = doraMetrics(samples, {
      from: T0 + 5 * DAY * MINUTE,
      to: window.to,
    });
    expect(one.leadTime).toMatchObject({ value: null, p95: null, samples: 1 });
  });

  it('adds components up instead of averaging them', () => {
    const twice = doraMetrics([...samples, ...samples], window);
    expect(twice.deploymentFrequency).toMatchObject({ value: 0.8, samples: 8 });
    expect(twice.changeFailureRate).toMatchObject({ value: 0.2, samples: 10 });
    expect(twice.leadTime.value).toBe(45 * 60);
  });

  it('prints a definition of each metric', () => {
    expect(Object.keys(DORA_DEFINITIONS).sort()).toEqual(
      Object.keys(doraMetrics([], window)).sort(),
    );
  });

  it('tells the weeks apart and has no figure for an empty one', () => {
    expect(leadTimeByWeek(samples, window)).toEqual([
      { week: '2026-W45', median: 45 * 60, samples: 4 },
      { week: '2026-W46', median: null, samples: 0 },
    ]);
  });
});

it('counts incidents that ended by recovery in the window', () => {
  const at = (minute: number) => T0 + minute * MINUTE;
  const incident = (closed: number, minutes?: number) => ({
    closedAt: at(closed),
    seconds: minutes === undefined ? undefined : minutes * 60,
  });
  const incidents = [
    incident(10, 5),
    incident(20, 30),
    incident(30, 20),
    incident(40, undefined),
    incident(99, 500),
    {},
  ];
  expect(incidentTimeToRecover(incidents, { from: at(0), to: at(50) })).toEqual(
    {
      value: 20 * 60,
      samples: 3,
      minimumSamples: 3,
      note: '1 ended for another reason and is not counted',
    },
  );
  expect(
    incidentTimeToRecover(incidents, { from: at(15), to: at(50) }),
  ).toMatchObject({ value: null, samples: 2 });
});

describe('properties', () => {
  const deployment = fc.record({
    commit: fc.constantFrom('c0', 'c1', 'c2', 'c3', 'c4'),
    minute: fc.integer({ min: 0, max: 1000 }),
    outcome: fc.constantFrom('succeeded', 'succeeded', 'failed', 'rolled-back'),
    remedy: fc.integer({ min: 0, max: 9 }),
  });
  const arbitrary = fc.array(deployment, { maxLength: 10 }).map(list =>
    list.map(({ commit, minute, outcome, remedy }, index) =>
      deploy(`d${index}`, commit, minute, {
        outcome: outcome as DoraDeployment['outcome'],
        remediates: remedy < index && remedy % 3 === 0 ? [`d${remedy}`] : [],
      }),
    ),
  );
  const contents = {
    c1: ['c0'],
    c2: ['c1'],
    c3: ['c2', 'c0'],
    c4: ['c3'],
  };
  const times = { c0: 0, c1: 100, c2: 200, c3: 300, c4: 400 };

  it('does not depend on the order of the reports', () => {
    fc.assert(
      fc.property(
        arbitrary.chain(list =>
          fc.tuple(
            fc.constant(list),
            fc.shuffledSubarray(list, { minLength: list.length }),
          ),
        ),
        ([list, shuffled]) => {
          expect(doraSamples(history(shuffled, contents, times))).toEqual(
            doraSamples(history(list, contents, times)),
          );
        },
      ),
    );
  });

  it('counts in two halves what it counts in the whole', () => {
    fc.assert(
      fc.property(
        arbitrary,
        fc.integer({ min: 0, max: 1001 }),
        (list, middle) => {
          const samples = [doraSamples(history(list, contents, times))];
          const count = (from: number, to: number) =>
            countDora(samples, {
              from: T0 + from * MINUTE,
              to: T0 + to * MINUTE,
            });
          const whole = count(0, 1001);
          const halves = [count(0, middle), count(middle, 1001)];
          for (const key of [
            'changes',
            'successes',
            'failures',
            'open',
          ] as const) {
            expect(halves[0][key] + halves[1][key]).toBe(whole[key]);
          }
          for (const key of ['leadTimes', 'recoveries'] as const) {
            const sorted = (values: number[]) => values.sort((a, b) => a - b);
            expect(sorted([...halves[0][key], ...halves[1][key]])).toEqual(
              sorted(whole[key]),
            );
          }
        },
      ),
    );
  });

  it('keeps every commit once, every failure recovered or open, and every figure in its bounds', () => {
    fc.assert(
      fc.property(arbitrary, list => {
        const samples = doraSamples(history(list, contents, times));
        const shas = samples.leadTimes.map(({ sha }) => sha);
        expect(new Set(shas).size).toBe(shas.length);
        const told = [...samples.recoveries, ...samples.open].map(
          one => one.id,
        );
        expect(new Set(told).size).toBe(told.length);
        const failed = samples.changes.filter(change => change.failure);
        expect(told).toEqual(expect.arrayContaining(failed.map(one => one.id)));
        for (const { seconds } of [
          ...samples.leadTimes,
          ...samples.recoveries,
        ]) {
          expect(seconds).toBeGreaterThanOrEqual(0);
        }
        const { changeFailureRate } = doraMetrics([samples], {
          from: T0,
          to: T0 + 1001 * MINUTE,
        });
        expect(changeFailureRate.value ?? 0).toBeGreaterThanOrEqual(0);
        expect(changeFailureRate.value ?? 0).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('has a median between the smallest and the largest, that half of the values reach', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 1 }), values => {
        const median = quantile(values, 0.5)!;
        expect(
          values.filter(value => value <= median).length * 2,
        ).toBeGreaterThanOrEqual(values.length);
        expect(
          values.filter(value => value >= median).length * 2,
        ).toBeGreaterThanOrEqual(values.length);
      }),
    );
  });
});

it.each([
  ['2026-01-01T00:00:00Z', '2026-W01'],
  ['2027-01-01T00:00:00Z', '2026-W53'],
  ['2024-12-30T00:00:00Z', '2025-W01'],
  ['2026-11-22T23:59:59Z', '2026-W47'],
  ['1969-12-31T00:00:00Z', '1970-W01'],
])('knows the ISO week of %s', (time, week) => {
  expect(isoWeek(Date.parse(time))).toBe(week);
});

it('lists the weeks over the turn of a year', () => {
  expect(
    isoWeeks(Date.parse('2026-12-27T12:00Z'), Date.parse('2027-01-04T00:00Z')),
  ).toEqual(['2026-W52', '2026-W53']);
});

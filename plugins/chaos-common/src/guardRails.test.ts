import fc from 'fast-check';
import { parseExperiment } from './experiment';
import {
  GUARD_RAILS,
  judgeGuardRails,
  reachedInstances,
  type GuardContext,
  type GuardRail,
} from './guardRails';

const experiment = parseExperiment({
  title: 'Half of the ledger is down',
  hypothesis: {
    text: 'Cards are still authorized',
    criteria: [
      {
        criticalPath: 'criticalpath:default/card-authorization',
        sli: 'availability',
        bound: 99,
      },
    ],
  },
  fault: { type: 'stop' },
  target: {
    criticalPath: 'criticalpath:default/card-authorization',
    step: 'book',
    component: 'component:default/ledger',
    environment: 'staging',
  },
  blastRadius: { percent: 50 },
  durationSeconds: 60,
});

/** Tuesday, 11:00 in Berlin: everything is well. */
const calm: GuardContext = {
  now: Date.parse('2026-11-24T10:00:00Z'),
  environment: { name: 'staging', tier: 'staging', allowed: true },
  instances: { running: 4, reached: 2 },
  maxPercent: 50,
  activeRuns: [],
  hours: {
    timeZone: 'Europe/Berlin',
    days: [2, 3, 4],
    fromHour: 10,
    toHour: 16,
  },
  freezes: [],
  paths: [
    {
      criticalPath: 'criticalpath:default/card-authorization',
      state: 'healthy',
      burning: false,
      telemetryAgeSeconds: 60,
      openIncidents: 0,
    },
  ],
};

const rails = (context: Partial<GuardContext>, of = experiment) =>
  judgeGuardRails(of, { ...calm, ...context }).map(({ rail }) => rail);

const path = (overrides: Partial<GuardContext['paths'][number]>) => ({
  paths: [{ ...calm.paths[0], ...overrides }],
});

describe('judgeGuardRails', () => {
  it('lets a careful experiment begin', () => {
    expect(judgeGuardRails(experiment, calm)).toEqual([]);
  });

  it.each<[string, GuardRail, Partial<GuardContext>]>([
    ['an unknown environment', 'staging-only', { environment: undefined }],
    [
      'production, even when it is on the list',
      'staging-only',
      {
        environment: { name: 'production', tier: 'production', allowed: true },
      },
    ],
    [
      'staging that is not on the list',
      'staging-only',
      { environment: { name: 'staging', tier: 'staging', allowed: false } },
    ],
    [
      'a namespace without the label',
      'staging-only',
      {
        environment: {
          name: 'staging',
          tier: 'staging',
          allowed: true,
          labelled: false,
        },
      },
    ],
    [
      'a target of which nothing runs',
      'blast-radius',
      { instances: { running: 0, reached: 0 } },
    ],
    [
      'a fault that leaves no instance',
      'blast-radius',
      { instances: { running: 1, reached: 1 } },
    ],
    ['a fault that reaches too many', 'blast-radius', { maxPercent: 25 }],
    [
      'a second run on the path',
      'one-per-path',
      { activeRuns: [{ id: 'r1', criticalPath: 'card-authorization' }] },
    ],
    ['a Monday', 'working-hours', { now: Date.parse('2026-11-23T10:00:00Z') }],
    [
      'an hour too early in the team’s own time zone',
      'working-hours',
      { now: Date.parse('2026-11-24T08:59:00Z') },
    ],
    [
      'a freeze, on its last day too',
      'freeze',
      {
        freezes: [{ from: '2026-11-20', to: '2026-11-24', reason: 'Audit' }],
      },
    ],
    ['a path at risk', 'health', path({ state: 'at-risk' })],
    ['a path that burns', 'health', path({ burning: true })],
    ['a source that is blind', 'telemetry', path({ telemetryAgeSeconds: 301 })],
    [
      'a path without telemetry',
      'telemetry',
      path({ telemetryAgeSeconds: undefined }),
    ],
    ['an open incident', 'open-incident', path({ openIncidents: 1 })],
    [
      'a target that was just deployed',
      'recent-deployment',
      { lastDeploymentAt: calm.now - 14 * 60_000 },
    ],
  ])('refuses %s, and nothing else', (_, rail, context) => {
    expect(rails(context)).toEqual([rail]);
  });

  it('allows to lose all of it when the hypothesis is about that', () => {
    const total = {
      ...experiment,
      blastRadius: { percent: 100, totalLoss: true },
    };
    expect(rails({ instances: { running: 1, reached: 1 } }, total)).toEqual([]);
  });

  it('tells everything that is in the way at once', () => {
    const found = rails({
      environment: { name: 'p', tier: 'production', allowed: true },
      now: Date.parse('2026-11-23T10:00:00Z'),
      activeRuns: [{ id: 'r1', criticalPath: 'p' }],
      freezes: [{ from: '2026-11-23', to: '2026-11-23', reason: 'Audit' }],
      lastDeploymentAt: Date.parse('2026-11-23T09:59:00Z'),
      instances: { running: 0, reached: 0 },
      paths: [
        { ...calm.paths[0], state: 'exhausted', openIncidents: 2 },
        { ...calm.paths[0], telemetryAgeSeconds: undefined },
      ],
    });
    expect(new Set(found)).toEqual(new Set(GUARD_RAILS));
  });

  it('reaches at least one instance and never more than run', () => {
    expect(reachedInstances({ percent: 50, totalLoss: false }, 3)).toBe(2);
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 100, noNaN: true }),
        fc.integer({ min: 1, max: 500 }),
        (percent, running) => {
          const reached = reachedInstances(
            { percent, totalLoss: false },
            running,
          );
          expect(reached).toBeGreaterThanOrEqual(1);
          expect(reached).toBeLessThanOrEqual(running);
        },
      ),
    );
  });
});

describe('parseExperiment', () => {
  const { abort: _a, recovery: _r, ...given } = experiment;
  const wrong = (change: object) => () =>
    parseExperiment({ ...given, ...change });

  it('fills in what is not said', () => {
    expect(parseExperiment(given)).toEqual(experiment);
    expect(experiment.recovery).toEqual({
      withinSeconds: 600,
      stableMinutes: 3,
    });
  });

  it('refuses what has no hypothesis, or one that nothing can fail', () => {
    expect(wrong({ hypothesis: undefined })).toThrow(/^hypothesis: /);
    expect(wrong({ hypothesis: { text: 'It holds', criteria: [] } })).toThrow(
      'hypothesis.criteria: must name at least one SLI',
    );
    expect(
      wrong({
        hypothesis: {
          text: 'It holds',
          criteria: [{ ...experiment.hypothesis.criteria[0], critical: false }],
        },
      }),
    ).toThrow('at least one critical criterion');
  });

  it.each([
    [{ durationSeconds: undefined }, 'durationSeconds: is needed'],
    [{ durationSeconds: 601 }, 'durationSeconds: must be at most 600 seconds'],
    [{ fault: { type: 'kill' } }, 'durationSeconds: must be left out'],
    [{ fault: { type: 'format-disk' } }, 'fault.type: '],
    [{ fault: { type: 'errors', status: 200, percent: 5 } }, 'fault.status: '],
    [
      { fault: { type: 'traffic', requestsPerSecond: 5, path: '//evil' } },
      'fault.path: must be a path',
    ],
    [
      { target: { ...experiment.target, component: 'ledger' } },
      'target.component: must be a full entity ref',
    ],
    [{ blastRadius: { percent: 0 } }, 'blastRadius.percent: must be above 0'],
  ])('names the field: %j', (change, message) => {
    expect(wrong(change)).toThrow(message);
  });
});

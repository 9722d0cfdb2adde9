import fc from 'fast-check';
import type { ObjectiveResult, WorkflowSummary } from './api';
import { evaluateState, type ApplicationFeed, type StateInput } from './states';

describe('evaluateState', () => {
  const limits = { staleAfterSeconds: 300, quietAfterSeconds: 900 };
  const feed = (over: Partial<ApplicationFeed> = {}): ApplicationFeed => ({
    label: 'component:default/ledger',
    steps: ['book'],
    known: true,
    ageSeconds: 30,
    quietSeconds: 45,
    ...over,
  });
  const result = (budgetRemaining: number | null): ObjectiveResult => ({
    objective: { sli: 'availability', target: 99.9, windowDays: 28 },
    actual: budgetRemaining === null ? null : 100 - 0.1 * (1 - budgetRemaining),
    met: budgetRemaining === null ? null : budgetRemaining >= 0,
    budgetRemaining,
    valid: 1,
    good: 1,
  });
  const workflow = (status: WorkflowSummary['status']): WorkflowSummary => ({
    status,
    title: 'pay',
    lastRunAt: null,
    durationMs: null,
    completed: null,
    runs: 0,
  });
  const input = (over: Partial<StateInput> = {}): StateInput => ({
    steps: ['book'],
    feeds: [feed()],
    validInWindow: 100,
    objectives: [result(0.8)],
    limits,
    ...over,
  });

  it.each<[string, Partial<StateInput>, string, string | undefined]>([
    ['all well', {}, 'healthy', undefined],
    ['no objective', { objectives: [] }, 'no-objective', 'no objective is set'],
    [
      'little budget',
      { objectives: [result(0.1)] },
      'at-risk',
      '10 % of the error budget left: availability 99.9 % over 28 days',
    ],
    [
      'budget just spent',
      { objectives: [result(0)] },
      'exhausted',
      'error budget spent: availability 99.9 % over 28 days, measured 99.9 %',
    ],
    [
      'overspent',
      { objectives: [result(0.9), result(-3)] },
      'exhausted',
      undefined,
    ],
    [
      'missed throughput',
      {
        objectives: [
          {
            objective: { sli: 'throughput', target: 10, windowDays: 1 },
            actual: 3,
            met: false,
            budgetRemaining: null,
            valid: 1,
            good: 1,
          },
        ],
      },
      'at-risk',
      'missed: throughput 10 per minute over 1 day, measured 3',
    ],
    [
      'old feed',
      { feeds: [feed({ ageSeconds: 301, lastError: 'timeout' })] },
      'stale',
      'component:default/ledger was last measured 5 min ago: timeout',
    ],
    [
      'a feed just in time',
      { feeds: [feed({ ageSeconds: 300 })] },
      'healthy',
      undefined,
    ],
    ['broken age', { feeds: [feed({ ageSeconds: NaN })] }, 'stale', undefined],
    [
      'quiet feed',
      { feeds: [feed({ quietSeconds: 3600 })] },
      'stale',
      'no requests at step book for 60 min',
    ],
    [
      'never measured',
      {
        feeds: [
          feed({
            ageSeconds: undefined,
            quietSeconds: undefined,
            lastError: 'bad key',
          }),
        ],
      },
      'unknown',
      'component:default/ledger was never measured: bad key',
    ],
    [
      'unknown component',
      {
        feeds: [
          feed(),
          feed({ label: 'component:default/ghost', known: false }),
        ],
      },
      'unknown',
      'the catalog has no component:default/ghost',
    ],
    [
      'unknown component and nothing measured',
      {
        feeds: [
          feed({
            label: 'component:default/ghost',
            known: false,
            quietSeconds: undefined,
          }),
        ],
        validInWindow: 0,
        objectives: [result(null)],
      },
      'unknown',
      'the catalog has no component:default/ghost',
    ],
    ['nothing serves it', { feeds: [] }, 'unknown', 'no application serves it'],
    [
      'empty window',
      { validInWindow: 0, objectives: [result(null)] },
      'no-data',
      'no requests in the window',
    ],
    [
      'undecided objective',
      { objectives: [result(null)] },
      'no-data',
      'no requests in the last 28 days to judge availability 99.9 % over 28 days',
    ],
    [
      'a step without data',
      {
        steps: ['book', 'notify'],
        feeds: [
          feed(),
          feed({ label: 'n', steps: ['notify'], quietSeconds: undefined }),
        ],
      },
      'unknown',
      'step notify has no data',
    ],
    [
      'a joined application without requests beside one that has them',
      { feeds: [feed(), feed({ label: 'new', quietSeconds: undefined })] },
      'healthy',
      undefined,
    ],
    [
      'a step that the aggregation needs had no requests',
      {
        objectives: [
          { ...result(null), valid: 5, missingSteps: ['book', 'notify'] },
        ],
      },
      'unknown',
      'no requests at step book, notify to judge availability 99.9 % over 28 days',
    ],
    [
      'a rule that fires',
      {
        alerts: [
          { severity: 'ticket', message: 'slowly' },
          { severity: 'page', message: 'quickly' },
        ],
      },
      'at-risk',
      'quickly',
    ],
    [
      'planned downtime',
      {
        maintenance: { to: '2026-03-10T13:00:00Z', reason: 'ledger upgrade' },
        validInWindow: 0,
        feeds: [feed({ ageSeconds: 301 })],
      },
      'maintenance',
      'planned downtime until 2026-03-10T13:00:00Z: ledger upgrade',
    ],
    [
      'planned downtime of a path that has spent its budget',
      {
        maintenance: { to: '2026-03-10T13:00:00Z', reason: 'ledger upgrade' },
        objectives: [result(-1)],
      },
      'exhausted',
      undefined,
    ],
    [
      'a failed workflow',
      {
        workflow: {
          ...workflow('failed'),
          failedStep: 'confirm',
          message: 'answered 500',
        },
      },
      'at-risk',
      'workflow pay failed at step confirm: answered 500',
    ],
    [
      'a workflow that has not run',
      { workflow: workflow('not-run') },
      'unknown',
      'workflow pay has not run',
    ],
    [
      'a workflow that no longer runs',
      { workflow: workflow('stale') },
      'stale',
      'workflow pay did not run when it was due',
    ],
    [
      'a workflow that passes',
      { workflow: workflow('passed') },
      'healthy',
      undefined,
    ],
    [
      'spent budget and a dead feed',
      { feeds: [feed({ ageSeconds: 9999 })], objectives: [result(-1)] },
      'exhausted',
      undefined,
    ],
  ])('%s', (_, over, state, reason) => {
    const outcome = evaluateState(input(over));
    expect(outcome.state).toBe(state);
    expect(outcome.reasons.length === 0).toBe(state === 'healthy');
    expect(outcome.reasons[0]).toBe(reason ?? outcome.reasons[0]);
  });

  it('is never healthy when anything is missing, late or spent', () => {
    const seconds = fc.option(fc.integer({ min: 0, max: 5000 }), {
      nil: undefined,
    });
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            known: fc.boolean(),
            ageSeconds: seconds,
            quietSeconds: seconds,
            steps: fc.constantFrom<string[]>(['a'], ['b'], ['a', 'b']),
          }),
          { maxLength: 5 },
        ),
        fc.array(
          fc.option(fc.double({ min: -2, max: 1, noNaN: true }), { nil: null }),
          { maxLength: 3 },
        ),
        fc.nat(3),
        (feeds, budgets, validInWindow) => {
          const outcome = evaluateState({
            steps: ['a', 'b'],
            feeds: feeds.map((f, i) => ({ label: `f${i}`, ...f })),
            validInWindow,
            objectives: budgets.map(result),
            limits,
          });
          const everythingIsFine =
            validInWindow > 0 &&
            budgets.length > 0 &&
            budgets.every(b => b !== null && b >= 0.25) &&
            ['a', 'b'].every(step =>
              feeds.some(
                f =>
                  f.steps.includes(step) &&
                  f.quietSeconds !== undefined &&
                  f.quietSeconds <= 900,
              ),
            ) &&
            feeds.every(
              f => f.known && f.ageSeconds !== undefined && f.ageSeconds <= 300,
            );
          expect(outcome.state === 'healthy').toBe(everythingIsFine);
          expect(outcome.reasons.length === 0).toBe(everythingIsFine);
        },
      ),
      { numRuns: 500 },
    );
  });
});

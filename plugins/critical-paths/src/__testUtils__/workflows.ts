import type {
  WorkflowRunDetail,
  WorkflowRunSummary,
  WorkflowStepEvidence,
  WorkflowView,
} from '@rocket/plugin-critical-paths-common';
import type { WorkflowsApi } from '../api/workflowsApi';

const STEPS = [
  {
    name: 'open',
    title: 'Open an account',
    method: 'POST' as const,
    path: '/v1/accounts',
  },
  {
    name: 'post',
    title: 'Post a transaction',
    method: 'POST' as const,
    path: '/v1/transactions',
  },
  {
    name: 'read',
    title: 'Read the balance back',
    method: 'GET' as const,
    path: '/v1/accounts/{{account}}/balance',
  },
];

function makeRun(now: number, index: number): WorkflowRunSummary {
  const started = now - index * 300_000 - 40_000;
  const failed = index < 2 || index === 17;
  return {
    id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    status: index === 9 ? 'aborted' : (failed && 'failed') || 'passed',
    trigger: index === 0 ? 'manual' : 'schedule',
    ...(index === 0 && { startedBy: 'user:default/guest' }),
    startedAt: new Date(started).toISOString(),
    endedAt: new Date(started + 240 + index).toISOString(),
    durationMs: 240 + index,
    ...(failed && {
      failedStep: 'post',
      message: 'expected status is 201, found 503',
    }),
    ...(index === 9 && { message: 'the backend ended during the run' }),
  };
}

/** A workflow that began to fail two runs ago. */
export function makeWorkflow(
  now: number,
  over: Partial<WorkflowView> = {},
): WorkflowView {
  const runs = Array.from({ length: 30 }, (_, index) => makeRun(now, index));
  return {
    name: 'post-and-read',
    title: 'Post a transaction and read it back',
    criticality: 'required',
    target: 'component:default/transaction-service',
    everySeconds: 300,
    deadlineMs: 60_000,
    alertAfter: 1,
    steps: STEPS.map(step => ({
      ...step,
      target: 'component:default/transaction-service',
      checks: 2,
    })),
    status: 'failed',
    message: 'expected status is 201, found 503',
    running: false,
    failures: 2,
    nextRunAt: new Date(now + 260_000).toISOString(),
    uptime: { runs: 287, passed: 284, completed: 284 / 287 },
    runs,
    ...over,
  };
}

/** A workflow that nothing can be run against. */
export function makeIdleWorkflow(now: number): WorkflowView {
  return makeWorkflow(now, {
    name: 'refund',
    title: 'Refund a payment',
    criticality: 'informational',
    target: 'component:default/wallet-transactions',
    status: 'not-run',
    message: 'no target: component:default/wallet-transactions is not deployed',
    failures: 0,
    uptime: { runs: 0, passed: 0, completed: null },
    runs: [],
  });
}

/** The evidence of a run. */
export function makeRunDetail(now: number, id: string): WorkflowRunDetail {
  const run = makeRun(now, Number(id.slice(-12)));
  const failed = run.status === 'failed';
  const base = 'http://127.0.0.1:7101';
  const steps: WorkflowStepEvidence[] = [
    {
      name: 'open',
      title: 'Open an account',
      status: 'passed',
      target: 'component:default/transaction-service',
      request: `POST ${base}/v1/accounts`,
      idempotencyKey: `${id}-open`,
      httpStatus: 201,
      startedAfterMs: 0,
      durationMs: 84,
      checks: [
        { check: 'status is 201', passed: true, found: '201' },
        { check: 'answered within 800 ms', passed: true, found: '84 ms' },
      ],
      extracted: { account: '0b6c1f9e', session: '[redacted]' },
    },
    {
      name: 'post',
      title: 'Post a transaction',
      status: failed ? 'failed' : 'passed',
      target: 'component:default/transaction-service',
      request: `POST ${base}/v1/transactions`,
      idempotencyKey: `${id}-post`,
      httpStatus: failed ? 503 : 201,
      startedAfterMs: 85,
      durationMs: 121,
      checks: [
        {
          check: 'status is 201',
          passed: !failed,
          found: failed ? '503' : '201',
        },
      ],
      extracted: {},
      ...(failed && { error: 'expected status is 201, found 503' }),
    },
    {
      name: 'read',
      title: 'Read the balance back',
      status: failed ? 'not-reached' : 'passed',
      target: 'component:default/transaction-service',
      ...(!failed && {
        request: `GET ${base}/v1/accounts/0b6c1f9e/balance`,
        httpStatus: 200,
      }),
      startedAfterMs: 207,
      durationMs: failed ? 0 : 33,
      checks: failed
        ? []
        : [
            {
              check: 'json /posted equals "540"',
              passed: true,
              found: '"540"',
            },
          ],
      extracted: {},
    },
  ];
  return {
    ...run,
    pathRef: 'criticalpath:default/transaction-posting',
    workflow: 'post-and-read',
    steps: run.status === 'aborted' ? [] : steps,
  };
}

/** The API over the given workflows; every path has them. */
export function mockWorkflowsApi(
  now: number,
  workflows: WorkflowView[],
  mayRun = true,
): WorkflowsApi {
  return {
    getWorkflows: async ({ namespace, name }, options = {}) => ({
      pathRef: `criticalpath:${namespace}/${name}`,
      window: options.window ?? '24h',
      generatedAt: new Date(now).toISOString(),
      mayRun,
      workflows,
    }),
    getWorkflowRun: async (_, id) => makeRunDetail(now, id),
    getWorkflowScript: async () => '// script',
    startWorkflowRun: async () => ({ id: workflows[0].runs[0].id }),
  };
}

import type {
  Effect,
  Environment,
  Operation,
  OperationPlan,
} from '@rocket/plugin-provisioning-common';

const SUBJECT = 'component:default/card-limits';
const OWNER = 'group:default/cards';

/** A live repository that is as it should be. */
export function effect(overrides: Partial<Effect> = {}): Effect {
  return {
    id: 'effect-1',
    type: 'git.repository',
    reference: 'card-limits',
    subject: SUBJECT,
    owner: OWNER,
    run: 'task:4711',
    step: 'publish',
    sequence: 1,
    intent: { defaultBranch: 'main' },
    details: { cloneUrl: 'http://localhost:7007/git/card-limits.git' },
    state: 'live',
    undo: 'The repository and its history are deleted.',
    observation: { state: 'present', observedAt: new Date().toISOString() },
    actor: 'user:default/guest',
    createdAt: '2026-11-20T08:00:00.000Z',
    updatedAt: '2026-11-20T08:00:02.000Z',
    ...overrides,
  };
}

/** An alert policy whose threshold somebody changed by hand. */
export function driftedEffect(): Effect {
  return effect({
    id: 'effect-2',
    type: 'newrelic.alert-policy',
    reference: 'card-limits (local)',
    environment: 'local',
    step: 'monitor',
    sequence: 2,
    observation: {
      state: 'drifted',
      observedAt: new Date().toISOString(),
      differences: [
        { field: 'Fast burn: threshold', intended: '14.4', found: '50' },
      ],
    },
    undo: 'The policy and its conditions are deleted.',
  });
}

/** The plan of a retirement. */
export function plan(overrides: Partial<OperationPlan> = {}): OperationPlan {
  return {
    kind: 'retire',
    subject: SUBJECT,
    input: {},
    steps: [
      {
        id: 'alerts',
        title: 'New Relic alerts',
        change: 'remove',
        detail: 'The policy is switched off first, then deleted.',
      },
      {
        id: 'data',
        title: 'PostgreSQL database svc_card_limits',
        change: 'keep',
        detail: 'Closed to everybody, deleted after 90 days.',
      },
    ],
    warnings: [],
    digest: 'seen-1',
    ...overrides,
  };
}

/** A deployment to production that waits for a second person. */
export function operation(overrides: Partial<Operation> = {}): Operation {
  return {
    id: 'operation-1',
    kind: 'deploy',
    subject: SUBJECT,
    owner: OWNER,
    environment: 'production',
    input: { ref: 'main' },
    steps: [
      {
        id: 'deploy',
        title: 'Deploy abcdef012345',
        change: 'change',
        detail: 'Blue-green; the version before it stays warm.',
        status: 'pending',
      },
    ],
    state: 'waiting',
    reason: 'New limits for travellers',
    requestedBy: 'user:default/alice',
    requestedAt: new Date(Date.now() - 60_000).toISOString(),
    approvers: ['group:default/reliability'],
    expiresAt: '2026-11-22T08:00:00.000Z',
    ...overrides,
  };
}

/** An environment of a branch, and the one of the configuration. */
export function environments(): Environment[] {
  return [
    {
      name: 'local',
      title: 'This machine',
      runtime: 'local',
      tier: 'development',
    },
    {
      name: 'pr-31-travel',
      title: 'pr-31-travel',
      runtime: 'local',
      tier: 'development',
      onDemand: {
        state: 'ready',
        owner: OWNER,
        subject: SUBJECT,
        branch: 'travel',
        commit: 'abcdef012345'.padEnd(40, '0'),
        requestedBy: 'user:default/alice',
        createdAt: new Date(Date.now() - 3_600_000).toISOString(),
        expiresAt: '2026-11-24T08:00:00.000Z',
        extensionsLeft: 1,
        cost: {
          note: 'One process and one database.',
          perDay: 2,
          currency: 'EUR',
        },
        url: 'http://127.0.0.1:7101',
      },
    },
  ];
}

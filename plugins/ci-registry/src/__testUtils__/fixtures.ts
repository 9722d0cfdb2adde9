import type {
  ApiDocumentVersion,
  Build,
  CommitReport,
  Deployment,
  EntityChange,
  EntityVersion,
  IdentityDecision,
  RunningVersion,
} from '@rocket/plugin-ci-registry-common';

export const REPOSITORY = 'https://github.com/meridian-pay/ledger-service';
export const COMPONENT = 'component:default/ledger-service';

/** A commit id that begins with the given digits. */
export function sha(start: string): string {
  return start.padEnd(40, '0');
}

function digest(start: string): string {
  return `sha256:${start.padEnd(64, '0')}`;
}

/** Everything below is told at this time. */
export interface Moment {
  now: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function ago({ now }: Moment, ms: number): string {
  return new Date(now - ms).toISOString();
}

export function makeCommits(at: Moment): CommitReport[] {
  return [
    {
      sha: sha('c0ffee01'),
      time: ago(at, 3 * HOUR),
      subject: 'Refuse postings in another currency',
      author: 'Mara Okafor',
    },
    {
      sha: sha('c0ffee02'),
      time: ago(at, 5 * HOUR),
      subject: 'Keep the idempotency key for 30 days',
      author: 'Jonas Weber',
    },
  ];
}

export function makeDeployment(
  at: Moment,
  part: Partial<Deployment> = {},
): Deployment {
  return {
    id: 'deploy-381',
    component: COMPONENT,
    environment: 'production',
    version: '2.4.0',
    commit: sha('c0ffee01'),
    digest: digest('5f2a91c07d3e'),
    startedAt: ago(at, 2 * HOUR + 4 * MINUTE),
    finishedAt: ago(at, 2 * HOUR),
    outcome: 'succeeded',
    replaced: { version: '2.3.1', commit: sha('bada55e0') },
    repository: REPOSITORY,
    branch: 'main',
    pipeline:
      'https://github.com/meridian-pay/ledger-service/actions/runs/9123',
    reportedBy: 'repo:meridian-pay/ledger-service:environment:production',
    firstReportedAt: ago(at, 2 * HOUR),
    lastReportedAt: ago(at, 2 * HOUR),
    ...part,
  };
}

export function makeDeployments(at: Moment): Deployment[] {
  return [
    makeDeployment(at, {
      id: 'deploy-382',
      version: '2.5.0',
      commit: sha('ace0fba5'),
      startedAt: ago(at, 3 * MINUTE),
      finishedAt: undefined,
      outcome: 'in-progress',
      replaced: undefined,
    }),
    makeDeployment(at),
    makeDeployment(at, {
      id: 'deploy-380',
      version: '2.3.2',
      commit: sha('deadbee1'),
      startedAt: ago(at, 26 * HOUR),
      finishedAt: ago(at, 26 * HOUR - 7 * MINUTE),
      outcome: 'failed',
      reason: 'The new tasks did not become ready within 5 minutes',
    }),
    makeDeployment(at, {
      id: 'deploy-379',
      environment: 'staging',
      pipeline: 'nightly 41',
      startedAt: ago(at, 3 * DAY),
      finishedAt: ago(at, 3 * DAY - 2 * MINUTE),
      remediates: ['deploy-377'],
    }),
  ];
}

export function makeBuilds(at: Moment): Build[] {
  return [
    {
      id: 'b-1',
      component: COMPONENT,
      version: '2.4.0',
      repository: REPOSITORY,
      commit: sha('c0ffee01'),
      branch: 'main',
      pipeline:
        'https://github.com/meridian-pay/ledger-service/actions/runs/9122',
      startedAt: ago(at, 2 * HOUR + 30 * MINUTE),
      finishedAt: ago(at, 2 * HOUR + 24 * MINUTE),
      outcome: 'succeeded',
      tests: [
        { name: 'unit', passed: 412, failed: 0, skipped: 3, duration: 41 },
        { name: 'conformance', passed: 96, failed: 0, skipped: 0 },
      ],
      coverage: {
        lines: { covered: 1_742, total: 2_010 },
        branches: { covered: 402, total: 560 },
      },
      scans: [
        {
          tool: 'grype',
          critical: 0,
          high: 1,
          medium: 4,
          low: 0,
          unknown: 0,
          fixable: 3,
        },
      ],
      artifacts: [
        {
          type: 'container-image',
          name: 'ghcr.io/meridian-pay/ledger-service',
          tag: '2.4.0',
          digest: digest('5f2a91c07d3e'),
          sbom: {
            format: 'cyclonedx',
            digest: digest('77aa01'),
            url: 'https://github.com/meridian-pay/ledger-service/sbom.json',
            components: 214,
          },
        },
      ],
      firstReportedAt: ago(at, 2 * HOUR + 24 * MINUTE),
      lastReportedAt: ago(at, 2 * HOUR + 24 * MINUTE),
    },
    {
      id: 'b-2',
      component: COMPONENT,
      repository: REPOSITORY,
      commit: sha('deadbee1'),
      branch: 'retry-postings',
      // Whatever a pipeline says, only an address that can be followed safely becomes a link.
      // eslint-disable-next-line no-script-url
      pipeline: 'javascript:alert(1)',
      outcome: 'failed',
      tests: [{ name: 'unit', passed: 409, failed: 2, skipped: 3 }],
      firstReportedAt: ago(at, 27 * HOUR),
      lastReportedAt: ago(at, 27 * HOUR),
    },
  ];
}

export function makeVersions(at: Moment): RunningVersion[] {
  const [build] = makeBuilds(at);
  return [
    {
      component: COMPONENT,
      environment: 'staging',
      deployment: makeDeployment(at, {
        id: 'deploy-383',
        environment: 'staging',
        version: '2.5.0',
        commit: sha('ace0fba5'),
        digest: digest('aa12'),
        pipeline: 'nightly 42',
      }),
      since: ago(at, 40 * MINUTE),
      commits: [],
      behind: 0,
    },
    {
      component: COMPONENT,
      environment: 'production',
      deployment: makeDeployment(at),
      since: ago(at, 2 * HOUR),
      build,
      previous: {
        version: '2.3.1',
        commit: sha('bada55e0'),
        deploymentId: 'deploy-370',
      },
      difference: {
        added: makeCommits(at),
        removed: [],
        digests: [
          {
            name: 'ghcr.io/meridian-pay/ledger-service',
            before: digest('1c44e0'),
            after: digest('5f2a91c07d3e'),
          },
        ],
        lineCoverage: { before: 0.862, after: 1_742 / 2_010 },
      },
      commits: makeCommits(at),
      inProgress: makeDeployments(at)[0],
      behind: 3,
    },
  ];
}

export function makeSystemVersions(at: Moment): RunningVersion[] {
  const gateway = 'component:default/card-gateway';
  return [
    ...makeVersions(at),
    {
      component: gateway,
      environment: 'production',
      deployment: makeDeployment(at, {
        component: gateway,
        version: '1.12.3',
        commit: sha('f00dcafe'),
      }),
      since: ago(at, 9 * DAY),
      commits: [],
      behind: null,
    },
  ];
}

export function makeHistory(at: Moment): EntityChange[] {
  const source = {
    repository: REPOSITORY,
    commit: sha('c0ffee01'),
    branch: 'main',
    pipeline:
      'https://github.com/meridian-pay/ledger-service/actions/runs/9123',
    time: ago(at, 2 * HOUR),
  };
  const actor = 'repo:meridian-pay/ledger-service:ref:refs/heads/main';
  return [
    {
      entityRef: COMPONENT,
      version: 3,
      kind: 'updated',
      time: ago(at, 2 * HOUR),
      actor,
      source,
      changes: [
        {
          op: 'replace',
          path: '/spec/owner',
          before: 'group:default/payments',
          after: 'group:default/ledger',
        },
        {
          op: 'add',
          path: '/metadata/annotations/rocket.internal~1critical-path',
          after: 'transaction-posting',
        },
        {
          op: 'replace',
          path: '/metadata/description',
          before: 'Books postings.\nKeeps balances.',
          after: 'Books postings in double entry.\nKeeps balances.',
        },
      ],
    },
    {
      entityRef: COMPONENT,
      version: 2,
      kind: 'restored',
      time: ago(at, 4 * DAY),
      actor,
      source: { ...source, commit: sha('bada55e0'), pipeline: undefined },
      changes: [],
    },
    {
      entityRef: COMPONENT,
      version: 1,
      kind: 'created',
      time: ago(at, 30 * DAY),
      actor: 'user:default/guest',
      source: { ...source, commit: sha('0ddba11'), pipeline: 'task 7' },
      changes: [
        {
          op: 'add',
          path: '',
          after: { apiVersion: 'backstage.io/v1alpha1', kind: 'Component' },
        },
      ],
    },
  ];
}

export function makeEntityVersion(at: Moment, version: number): EntityVersion {
  const change = makeHistory(at).find(item => item.version === version);
  if (!change) {
    throw new Error(`There is no version ${version} in the fixtures`);
  }
  return {
    change,
    hash: 'ab'.repeat(32),
    entity: {
      apiVersion: 'backstage.io/v1alpha1',
      kind: 'Component',
      metadata: { name: 'ledger-service', namespace: 'default' },
      spec: { type: 'service', owner: 'group:default/ledger' },
    },
  };
}

export function makeDocumentVersions(at: Moment): ApiDocumentVersion[] {
  const base = {
    api: 'api:default/ledger-api',
    format: 'openapi' as const,
    hash: 'cd'.repeat(32),
    pipeline:
      'https://github.com/meridian-pay/ledger-service/actions/runs/9123',
  };
  return [
    {
      ...base,
      version: 3,
      commit: sha('c0ffee01'),
      pushedAt: ago(at, 2 * HOUR),
      changes: [
        {
          severity: 'compatible',
          location: 'GET /v1/accounts/{id}',
          message: 'the response has a new optional field, closedAt',
        },
        {
          severity: 'breaking',
          location: 'POST /v1/transactions › body › currency',
          message: 'the field became required',
        },
        {
          severity: 'warning',
          location: 'GET /v1/balances',
          message: 'the operation is deprecated',
        },
      ],
    },
    {
      ...base,
      version: 2,
      commit: sha('bada55e0'),
      pushedAt: ago(at, 4 * DAY),
      changes: [],
    },
    {
      ...base,
      version: 1,
      commit: sha('0ddba11'),
      pushedAt: ago(at, 30 * DAY),
      changes: null,
    },
  ];
}

export function makeDecisions(at: Moment): IdentityDecision[] {
  return [
    {
      id: 'd-2',
      time: ago(at, 6 * MINUTE),
      allowed: false,
      code: 'wrong-audience',
      reason: 'The token was made for another audience than this portal',
      identity: {
        type: 'github',
        subject: 'repo:somebody/else:ref:refs/heads/main',
        issuer: 'https://token.actions.githubusercontent.com',
      },
      request: { method: 'POST', path: '/pushes', repository: REPOSITORY },
    },
    {
      id: 'd-1',
      time: ago(at, 2 * HOUR),
      allowed: true,
      code: 'allowed',
      reason: 'The rule lets the repository register what it owns',
      rule: 'github-own-repository',
      identity: {
        type: 'github',
        subject: 'repo:meridian-pay/ledger-service:ref:refs/heads/main',
        issuer: 'https://token.actions.githubusercontent.com',
        repository: REPOSITORY,
        branch: 'main',
        pipeline:
          'https://github.com/meridian-pay/ledger-service/actions/runs/9123',
      },
      request: {
        method: 'POST',
        path: '/pushes',
        repository: REPOSITORY,
        entityRefs: [COMPONENT, 'api:default/ledger-api', 'api:default/v2'],
        environments: ['production'],
      },
    },
  ];
}

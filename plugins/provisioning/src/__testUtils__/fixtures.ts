import type {
  DeployPhase,
  ServiceStatus,
} from '@rocket/plugin-provisioning-common';

/** A healthy service. */
export function serviceStatus(
  overrides: Partial<ServiceStatus> = {},
): ServiceStatus {
  const phases: DeployPhase[] = [
    'queued',
    'checkout',
    'install',
    'database',
    'migrate',
    'start',
    'health',
  ];
  return {
    name: 'card-limits',
    entityRef: 'component:default/card-limits',
    owner: 'group:default/cards',
    repository: 'card-limits',
    commit: 'abcdef012345'.padEnd(40, '0'),
    state: 'healthy',
    phases: phases.map(phase => ({
      phase,
      status: 'done',
      startedAt: '2026-11-20T08:00:00.000Z',
      finishedAt: '2026-11-20T08:00:02.500Z',
    })),
    url: 'http://127.0.0.1:7100',
    docsUrl: 'http://127.0.0.1:7100/docs',
    database: 'svc_card_limits',
    restarts: 2,
    startedAt: new Date(Date.now() - 120_000).toISOString(),
    updatedAt: '2026-11-20T08:00:20.000Z',
    ...overrides,
  };
}

import {
  DEPLOY_PHASES,
  type DeployPhase,
  type PhaseStatus,
  type ServiceStatus,
} from '@rocket/plugin-provisioning-common';
import type { ServiceRecord } from './ServiceStore';

/** What the API shows of a record. */
export function toStatus(record: ServiceRecord): ServiceStatus {
  const commit =
    record.deployStatus === 'failed'
      ? record.runningCommit ?? record.deployCommit
      : record.deployCommit;
  return {
    name: record.name,
    entityRef: record.entityRef,
    owner: record.owner,
    repository: record.repository,
    environment: record.environment,
    image: record.image,
    replicas: record.replicas,
    commit,
    state: record.state,
    message: record.message,
    phases: record.phases,
    deployment: record.deployCommit
      ? {
          commit: record.deployCommit,
          status: record.deployStatus ?? 'done',
          message: record.deployMessage,
        }
      : undefined,
    url: record.url,
    docsUrl: record.docsUrl,
    database: record.database,
    restarts: record.restarts,
    startedAt: record.startedAt,
    updatedAt: record.updatedAt,
  };
}

/** All phases of a deployment that was asked for at `queuedAt`, by default just now. */
export function newPhases(
  queuedAt: string = new Date().toISOString(),
): PhaseStatus[] {
  return DEPLOY_PHASES.map((phase, index) =>
    index === 0
      ? { phase, status: 'running', startedAt: queuedAt }
      : { phase, status: 'pending' },
  );
}

/** What runs is done. */
export function finishPhases(phases: PhaseStatus[]): PhaseStatus[] {
  const now = new Date().toISOString();
  return phases.map(p =>
    p.status === 'running' ? { ...p, status: 'done', finishedAt: now } : p,
  );
}

/** The phases before are done, this one runs. */
export function enterPhase(
  phases: PhaseStatus[],
  phase: DeployPhase,
  message?: string,
): PhaseStatus[] {
  const startedAt = new Date().toISOString();
  return finishPhases(phases).map(p =>
    p.phase === phase ? { phase, status: 'running', startedAt, message } : p,
  );
}

/** What runs has failed. */
export function failPhases(
  phases: PhaseStatus[],
  message: string,
): PhaseStatus[] {
  const finishedAt = new Date().toISOString();
  return phases.map(p =>
    p.status === 'running'
      ? { ...p, status: 'failed', finishedAt, message }
      : p,
  );
}

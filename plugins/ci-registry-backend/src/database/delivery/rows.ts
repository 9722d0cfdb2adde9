import { createHash } from 'node:crypto';
import type {
  Build,
  BuildReport,
  Deployment,
  DeploymentReport,
} from '@rocket/plugin-ci-registry-common';
import { valuesOf, type Fields } from './fields';

type Time = number | string;

export interface BuildRow {
  id: string;
  component: string;
  commit: string;
  repository: string;
  branch: string | null;
  pipeline: string | null;
  time: Time;
  fields: string;
  first_reported_at: Time;
  last_reported_at: Time;
}

export interface DeploymentRow {
  component: string;
  id: string;
  environment: string;
  commit: string;
  outcome: string;
  started_at: Time;
  finished_at: Time | null;
  repository: string;
  branch: string | null;
  pipeline: string | null;
  reported_by: string;
  fields: string;
  first_reported_at: Time;
  last_reported_at: Time;
}

export interface OutboxRow {
  component: string;
  id: string;
  revision: number;
  attempts: number;
  next_attempt_at: Time;
  last_error: string | null;
}

/** A build is told apart by component, commit and pipeline. */
export function buildIdOf(
  component: string,
  commit: string,
  pipeline: string | undefined,
): string {
  return createHash('sha256')
    .update(JSON.stringify([component, commit, pipeline ?? '']))
    .digest('hex')
    .slice(0, 32);
}

export const toIso = (time: Time) => new Date(Number(time)).toISOString();

/** `silentSince`: a build that runs and of which nothing was heard since then (ms since 1970) is unfinished. */
export function toBuild(row: BuildRow, silentSince: number): Build {
  const fields: Fields = JSON.parse(row.fields);
  const outcome =
    (valuesOf(fields).outcome as BuildReport['outcome']) ?? 'running';
  return {
    id: row.id,
    component: row.component,
    ...(valuesOf(fields) as Partial<BuildReport>),
    outcome:
      outcome === 'running' && Number(row.last_reported_at) < silentSince
        ? 'unfinished'
        : outcome,
    repository: row.repository,
    commit: row.commit,
    branch: row.branch ?? undefined,
    pipeline: row.pipeline ?? undefined,
    firstReportedAt: toIso(row.first_reported_at),
    lastReportedAt: toIso(row.last_reported_at),
  };
}

export function toDeployment(row: DeploymentRow): Deployment {
  const values = valuesOf(JSON.parse(row.fields)) as unknown as Omit<
    DeploymentReport,
    'id' | 'component' | 'environment'
  >;
  return {
    id: row.id,
    component: row.component,
    environment: row.environment,
    ...values,
    version: values.version ?? row.commit,
    commit: row.commit,
    repository: row.repository,
    branch: row.branch ?? undefined,
    pipeline: row.pipeline ?? undefined,
    reportedBy: row.reported_by,
    firstReportedAt: toIso(row.first_reported_at),
    lastReportedAt: toIso(row.last_reported_at),
  };
}

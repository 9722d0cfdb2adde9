import { Card, CardBody, CardHeader, Text } from '@backstage/ui';
import type {
  PhaseStatus,
  ServiceStatus,
} from '@rocket/plugin-provisioning-common';
import { formatTimestamp } from '@rocket/rocket-react';
import { Note } from '../shared/Note';
import styles from './DeploymentCard.module.css';
import { PhaseMark } from './states';

const TITLES: Record<PhaseStatus['phase'], string> = {
  queued: 'Wait for its turn',
  checkout: 'Check out the commit',
  install: 'Install what it needs',
  database: 'Make its database',
  migrate: 'Migrate the database',
  start: 'Start the process',
  health: 'Wait until it is ready',
};

function duration(phase: PhaseStatus): string {
  if (!phase.startedAt || !phase.finishedAt) {
    return '';
  }
  const ms = Date.parse(phase.finishedAt) - Date.parse(phase.startedAt);
  return ms < 60_000
    ? `${(ms / 1000).toFixed(1)} s`
    : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** The phases of the last deployment, with how long each took. */
export function DeploymentCard({ service }: { service: ServiceStatus }) {
  const { deployment, phases } = service;
  const began = phases.find(phase => phase.startedAt)?.startedAt;
  const stillOld =
    deployment?.status === 'failed' &&
    (service.state === 'healthy' || service.state === 'unhealthy');
  return (
    <Card>
      <CardHeader>
        <Text as="h3" variant="title-x-small" weight="bold">
          Last deployment
        </Text>
        <Text as="p" variant="body-small" color="secondary">
          {began ? `Began ${formatTimestamp(began)}` : 'Not begun yet'}
          {deployment ? ` · commit ${deployment.commit.slice(0, 12)}` : ''}
        </Text>
      </CardHeader>
      <CardBody>
        {deployment?.status === 'failed' && (
          <div className={styles.note}>
            <Note tone="negative">
              {deployment.message ?? 'It failed.'}
              {stillOld
                ? ` The earlier commit ${service.commit?.slice(
                    0,
                    12,
                  )} still runs.`
                : ''}
            </Note>
          </div>
        )}
        <ol className={styles.phases} aria-label="Phases">
          {phases.map(phase => (
            <li key={phase.phase} className={styles.phase}>
              <span className={styles.title}>{TITLES[phase.phase]}</span>
              <span className={styles.duration}>{duration(phase)}</span>
              <PhaseMark status={phase.status} />
              {phase.message && (
                <span className={styles.message}>{phase.message}</span>
              )}
            </li>
          ))}
        </ol>
      </CardBody>
    </Card>
  );
}

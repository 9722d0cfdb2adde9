import { ResponseError } from '@backstage/errors';
import type {
  BoardWindow,
  PathName,
} from '@rocket/plugin-critical-paths-common';
import { Alert, Button, Text } from '@backstage/ui';
import { describeWindow } from '../shared/WindowPicker';
import { useWorkflows } from './useWorkflows';
import { WorkflowCard } from './WorkflowCard';
import styles from './Workflow.module.css';

/** The synthetic workflows of a path; nothing for a path without any. */
export function WorkflowSection({
  path,
  window,
}: {
  path: PathName;
  window: BoardWindow;
}) {
  const { data, error, refetch } = useWorkflows(path, window);
  if (!error && !data?.workflows.length) {
    return null;
  }
  return (
    <section className={styles.section}>
      <div>
        <Text as="h2" variant="title-x-small" weight="bold">
          Workflow checks
        </Text>
        <p className={styles.sub}>
          Synthetic runs of the real flow. They are counted by themselves and
          are no part of the uptime by requests.
        </p>
      </div>
      {error && (
        <Alert
          status={data ? 'warning' : 'danger'}
          icon
          title={
            data
              ? 'The workflow checks could not be refreshed'
              : 'The workflow checks could not be read'
          }
          description={
            error instanceof ResponseError ? error.cause.message : error.message
          }
          customActions={
            <Button
              size="small"
              variant="secondary"
              onPress={() => {
                refetch();
              }}
            >
              Try again
            </Button>
          }
        />
      )}
      {data && (
        <ul className={styles.cards} aria-label="Workflow checks">
          {data.workflows.map(workflow => (
            <WorkflowCard
              key={workflow.name}
              path={path}
              workflow={workflow}
              window={describeWindow(data.window)}
              mayRun={data.mayRun}
              outdated={Boolean(error)}
            />
          ))}
        </ul>
      )}
    </section>
  );
}

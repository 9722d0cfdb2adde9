import type { WorkflowRunSummary } from '@rocket/plugin-critical-paths-common';
import {
  formatDuration,
  formatTimestamp,
  paletteClass,
} from '@rocket/rocket-react';
import { lookOf } from './status';
import styles from './Workflow.module.css';

function describe(run: WorkflowRunSummary): string {
  return [
    `${lookOf(run.status).label} run of ${formatTimestamp(run.startedAt)}`,
    run.durationMs === null ? undefined : formatDuration(run.durationMs).text,
    run.failedStep && `at step ${run.failedStep}`,
    run.message,
    run.trigger === 'manual' && `started by hand`,
  ]
    .filter(Boolean)
    .join(', ');
}

/** The last runs, the oldest first; each opens its evidence. Shape and height tell as much as colour. */
export function RunStrip({
  runs,
  label,
  onOpen,
}: {
  runs: WorkflowRunSummary[];
  label: string;
  onOpen: (id: string) => void;
}) {
  return (
    <ol className={`${paletteClass} ${styles.strip}`} aria-label={label}>
      {[...runs].reverse().map(run => {
        const { tone, Icon } = lookOf(run.status);
        return (
          <li key={run.id}>
            <button
              type="button"
              className={styles.run}
              data-tone={tone}
              title={describe(run)}
              aria-label={describe(run)}
              onClick={() => onOpen(run.id)}
            >
              <Icon size={14} aria-hidden />
            </button>
          </li>
        );
      })}
    </ol>
  );
}

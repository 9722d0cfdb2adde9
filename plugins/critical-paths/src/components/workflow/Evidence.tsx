import type {
  WorkflowRunDetail,
  WorkflowStepEvidence,
} from '@rocket/plugin-critical-paths-common';
import { RiCheckLine, RiCloseLine } from '@remixicon/react';
import { VisuallyHidden } from '@backstage/ui';
import {
  formatDuration,
  formatTimestamp,
  paletteClass,
} from '@rocket/rocket-react';
import { sentence } from '../../lib/figures';
import { lookOf, StatusLabel } from './status';
import styles from './Workflow.module.css';

/** When each step ran and how long it took, to scale. */
function Timeline({ run }: { run: WorkflowRunDetail }) {
  const total = Math.max(
    1,
    ...run.steps.map(step => step.startedAfterMs + step.durationMs),
  );
  const share = (ms: number) => `${(ms / total) * 100}%`;
  return (
    <ol className={styles.timeline} aria-label="Timeline">
      {run.steps.map(step => (
        <li key={step.name}>
          <span className={styles.timelineName}>{step.title}</span>
          <span className={styles.track} aria-hidden>
            {step.status !== 'not-reached' && (
              <span
                className={styles.bar}
                data-tone={lookOf(step.status).tone}
                style={{
                  marginInlineStart: share(step.startedAfterMs),
                  width: share(step.durationMs),
                }}
              />
            )}
          </span>
          <span className={styles.timelineTime}>
            {step.status === 'not-reached'
              ? 'not reached'
              : formatDuration(step.durationMs).text}
          </span>
        </li>
      ))}
    </ol>
  );
}

function Step({ step }: { step: WorkflowStepEvidence }) {
  const extracted = Object.entries(step.extracted);
  return (
    <li className={styles.step}>
      <div className={styles.stepHead}>
        <h4>{step.title}</h4>
        <StatusLabel status={step.status} />
        {step.httpStatus !== undefined && (
          <span className={styles.sub}>
            HTTP {step.httpStatus} in {formatDuration(step.durationMs).text}
          </span>
        )}
      </div>
      {step.request && <code className={styles.code}>{step.request}</code>}
      {step.idempotencyKey && (
        <p className={styles.sub}>
          Idempotency-Key <code>{step.idempotencyKey}</code>
        </p>
      )}
      {step.error && <p className={styles.error}>{sentence(step.error)}</p>}
      {step.checks.length > 0 && (
        <ul className={styles.checks} aria-label={`Checks of ${step.title}`}>
          {step.checks.map(({ check, passed, found }, index) => (
            <li key={index} data-tone={passed ? 'positive' : 'negative'}>
              {passed ? (
                <RiCheckLine size={14} aria-hidden />
              ) : (
                <RiCloseLine size={14} aria-hidden />
              )}
              <VisuallyHidden>{passed ? 'Passed' : 'Failed'}: </VisuallyHidden>
              <span>
                {check}
                <span className={styles.sub}> · found {found}</span>
              </span>
            </li>
          ))}
        </ul>
      )}
      {extracted.length > 0 && (
        <dl className={styles.extracted}>
          {extracted.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <code>{value}</code>
              </dd>
            </div>
          ))}
        </dl>
      )}
    </li>
  );
}

/** One run, step by step. */
export function Evidence({ run }: { run: WorkflowRunDetail }) {
  return (
    <div className={`${paletteClass} ${styles.evidence}`}>
      <div className={styles.stepHead}>
        <StatusLabel status={run.status} />
        <span className={styles.sub}>
          {formatTimestamp(run.startedAt)}
          {run.durationMs !== null &&
            `, ${formatDuration(run.durationMs).text}`}
          {run.trigger === 'manual'
            ? `, started by ${run.startedBy ?? 'hand'}`
            : ', on schedule'}
        </span>
      </div>
      {run.message && (
        <p className={styles.error}>
          {run.failedStep
            ? `Failed at step ${run.failedStep}: ${run.message}.`
            : sentence(run.message)}
        </p>
      )}
      {run.status === 'running' && (
        <p className={styles.sub}>The evidence is there when the run ends.</p>
      )}
      {run.steps.length > 0 && (
        <>
          <Timeline run={run} />
          <ol className={styles.steps} aria-label="Steps of the run">
            {run.steps.map(step => (
              <Step key={step.name} step={step} />
            ))}
          </ol>
        </>
      )}
    </div>
  );
}

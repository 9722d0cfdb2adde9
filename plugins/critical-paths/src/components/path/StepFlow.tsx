import type {
  PathApplication,
  PathDetail,
  PathStepDetail,
} from '@rocket/plugin-critical-paths-common';
import { paletteClass, StateBadge } from '@rocket/rocket-react';
import { RiArrowRightLine, RiQuestionLine } from '@remixicon/react';
import { EntityName } from '../shared/EntityName';
import styles from './StepFlow.module.css';

interface StepProps {
  step: PathStepDetail;
  number: number;
  applications: Map<string, PathApplication>;
  outdated: boolean;
}

function Step({ step, number, applications, outdated }: StepProps) {
  return (
    <>
      <div className={styles.head}>
        <span className={styles.number}>{number}</span>
        <span className={styles.title}>{step.title}</span>
      </div>
      {step.operation && (
        <code className={styles.operation}>{step.operation}</code>
      )}
      <ul className={styles.applications}>
        {step.applications.map(ref => {
          const application = applications.get(ref);
          if (!application || !application.known) {
            return (
              <li key={ref} className={styles.unknown}>
                <span className={styles.unknownName}>
                  <RiQuestionLine size={14} /> {ref}
                </span>
                <span className={styles.help}>
                  The catalog has no such component, so this step cannot be
                  seen. Register the component, or correct the step in the
                  path’s definition.
                </span>
              </li>
            );
          }
          return (
            <li key={ref} className={styles.application}>
              <EntityName entityRef={ref} title={application.title} />
              <StateBadge
                state={application.state}
                reasons={application.stateReasons}
                outdated={outdated}
              />
            </li>
          );
        })}
      </ul>
      {step.entry && (
        <span className={styles.entry}>
          The figures of the whole path are measured here.
        </span>
      )}
    </>
  );
}

/** The ordered steps of a path with the applications that serve them. */
export function StepFlow(props: { path: PathDetail; outdated: boolean }) {
  const { path, outdated } = props;
  const applications = new Map(
    path.applicationDetails.map(application => [
      application.entityRef,
      application,
    ]),
  );
  return (
    <ol className={`${paletteClass} ${styles.flow}`} aria-label="Steps">
      {path.steps.map((step, index) => (
        <li
          key={step.name}
          className={styles.step}
          data-entry={step.entry || undefined}
        >
          <Step
            step={step}
            number={index + 1}
            applications={applications}
            outdated={outdated}
          />
          {index < path.steps.length - 1 && (
            <RiArrowRightLine
              size={18}
              className={styles.arrow}
              aria-hidden="true"
            />
          )}
        </li>
      ))}
    </ol>
  );
}

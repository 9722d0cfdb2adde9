import type {
  OperationStep,
  PlanStep,
} from '@rocket/plugin-provisioning-common';
import { ToneBadge } from '@rocket/rocket-react';
import { CHANGES, STEP_STATES } from './looks';
import styles from './Operations.module.css';

function statusOf(step: PlanStep | OperationStep) {
  return 'status' in step ? step.status : undefined;
}

/** The steps of a plan, or of an operation with how far each is. */
export function Steps(props: {
  steps: (PlanStep | OperationStep)[];
  label: string;
}) {
  return (
    <ol className={styles.steps} aria-label={props.label}>
      {props.steps.map(step => {
        const status = statusOf(step);
        const message = 'message' in step ? step.message : undefined;
        return (
          <li key={step.id} className={styles.step}>
            <span className={styles.change} data-change={step.change}>
              {CHANGES[step.change]}
            </span>
            <span className={styles.what}>
              <strong>{step.title}</strong>
              <span className={styles.detail}>{step.detail}</span>
              {message && <span className={styles.message}>{message}</span>}
            </span>
            {status && <ToneBadge subject="Step" {...STEP_STATES[status]} />}
          </li>
        );
      })}
    </ol>
  );
}

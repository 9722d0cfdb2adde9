import type { IncidentSummary } from '@rocket/plugin-critical-paths-common';
import { paletteClass } from '@rocket/rocket-react';
import { RiAlarmWarningLine } from '@remixicon/react';
import { formatMinutes } from '../../lib/figures';
import styles from './notes.module.css';

/** Alerts of an application's own monitoring: how many are open, how long it took to recover, and from how many that is known. */
export function Incidents({
  incidents,
}: {
  incidents: IncidentSummary | null;
}) {
  if (!incidents) {
    return (
      <span
        className={styles.sub}
        title="No telemetry source tells of incidents of this application, so nobody knows whether an alert is open."
      >
        no source
      </span>
    );
  }
  const { open, closed, timeToRecoverMinutes } = incidents;
  return (
    <span className={`${paletteClass} ${styles.incidents}`}>
      {open > 0 ? (
        <span className={styles.effect} data-effect="block">
          <RiAlarmWarningLine size={14} aria-hidden="true" />
          {open} open
        </span>
      ) : (
        <span>none open</span>
      )}{' '}
      <span
        className={styles.sub}
        title="Mean from opening to recovery, over the incidents of the window that were closed by recovery"
      >
        {timeToRecoverMinutes === null
          ? 'no recovery in this window'
          : `recovers in ${formatMinutes(
              timeToRecoverMinutes,
            )} (mean of ${closed})`}
      </span>
    </span>
  );
}

import { useState } from 'react';
import type { PathDetail } from '@rocket/plugin-critical-paths-common';
import { Button, Skeleton, Text } from '@backstage/ui';
import { useAlerts } from '../../query/hooks';
import { AlertItem } from '../shared/AlertItem';
import { ReadingNotice } from '../shared/ReadingNotice';
import styles from '../shared/notes.module.css';

/** Alerts that are over and shown at once. */
const FIRST = 3;

/** What the owner of a path was told about its burning budget: what is open, and how the last ones ended. */
export function AlertsSection({ path }: { path: PathDetail }) {
  const [all, setAll] = useState(false);
  const reading = useAlerts({ pathRef: path.entityRef });
  const { data, loading } = reading;
  const alerts = data?.alerts ?? [];
  const open = alerts.filter(alert => !alert.closedAt);
  const over = alerts.filter(alert => alert.closedAt);
  return (
    <section className={styles.section}>
      <Text as="h2" variant="title-x-small" weight="bold">
        Alerts
      </Text>
      <ReadingNotice reading={reading} />
      {loading && <Skeleton width="100%" height={48} />}
      {data && open.length === 0 && (
        <Text as="p" color="secondary">
          No page or ticket is open.
          {over.length === 0 &&
            ' None was raised as far back as they are kept.'}
        </Text>
      )}
      {alerts.length > 0 && (
        <ul className={styles.list} aria-label="Pages and tickets">
          {[...open, ...(all ? over : over.slice(0, FIRST))].map(alert => (
            <AlertItem key={alert.id} alert={alert} />
          ))}
        </ul>
      )}
      {over.length > FIRST && (
        <div>
          <Button size="small" variant="tertiary" onPress={() => setAll(!all)}>
            {all ? 'Show fewer' : `Show all ${over.length} that are over`}
          </Button>
        </div>
      )}
    </section>
  );
}

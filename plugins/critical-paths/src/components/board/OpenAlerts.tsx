import { useMemo, useState } from 'react';
import type { Alert } from '@rocket/plugin-critical-paths-common';
import { parseEntityRef } from '@backstage/catalog-model';
import { Button, Link, Text } from '@backstage/ui';
import { useNow, tableStyles as table } from '@rocket/rocket-react';
import { useAlerts } from '../../query/hooks';
import { AlertItem } from '../shared/AlertItem';
import { EntityName } from '../shared/EntityName';
import { ReadingNotice } from '../shared/ReadingNotice';
import styles from '../shared/notes.module.css';
import { usePathHref } from './PathSummary';

/** Recoveries are news for this long. */
const NEWS_MS = 24 * 60 * 60_000;
/** So many are shown at once: the paths below are not to be pushed out of sight. */
const FIRST = 4;

/** `2 pages, 1 ticket`; empty when there is none. */
export function countAlerts(alerts: Alert[]): string {
  return (['page', 'ticket'] as const)
    .map(severity => ({
      severity,
      count: alerts.filter(alert => alert.severity === severity).length,
    }))
    .filter(({ count }) => count > 0)
    .map(({ severity, count }) => `${count} ${severity}${count > 1 ? 's' : ''}`)
    .join(', ');
}

/** Those of one path beside each other, paths in the order of their first. */
function byPath(alerts: Alert[]): Alert[] {
  const groups = new Map<string, Alert[]>();
  for (const alert of alerts) {
    groups.set(alert.pathRef, [...(groups.get(alert.pathRef) ?? []), alert]);
  }
  return [...groups.values()].flat();
}

function Subject({ alert, window }: { alert: Alert; window: string }) {
  const { pathRef, pathTitle, owner } = alert;
  const href = usePathHref(window)(parseEntityRef(pathRef));
  return (
    <>
      {href ? (
        <Link href={href} className={table.titleLink} standalone>
          {pathTitle}
        </Link>
      ) : (
        <span className={table.title}>{pathTitle}</span>
      )}
      {' · '}
      <EntityName entityRef={owner} />
    </>
  );
}

/** The pages and tickets of the shown paths, one per path: those that are open, and what recovered within a day. */
export function OpenAlerts({
  paths,
  window,
}: {
  /** Entity refs of the paths that are shown. */
  paths: string[];
  window: string;
}) {
  const [all, setAll] = useState(false);
  const reading = useAlerts();
  const { data } = reading;
  const now = useNow();
  const shown = useMemo(() => {
    const wanted = new Set(paths);
    return (data?.alerts ?? []).filter(alert => wanted.has(alert.pathRef));
  }, [data, paths]);
  const open = shown.filter(alert => !alert.closedAt);
  const recovered = shown.filter(
    ({ closedAt, closeReason }) =>
      closedAt !== null &&
      closeReason === 'recovered' &&
      now - Date.parse(closedAt) < NEWS_MS,
  );
  const listed = byPath([...open, ...recovered]);
  const first = all ? listed : listed.slice(0, FIRST);
  return (
    <section className={styles.section} aria-label="Pages and tickets">
      <ReadingNotice reading={reading} />
      {!reading.error && (
        <Text as="p" variant="body-small" color="secondary">
          {!data && 'Pages and tickets are being read.'}
          {data && open.length === 0 && 'No page or ticket is open.'}
          {open.length > 0 && `Open: ${countAlerts(open)}.`}
          {recovered.length > 0 &&
            ` Recovered within a day: ${recovered.length}.`}
        </Text>
      )}
      {listed.length > 0 && (
        <ul className={styles.list} aria-label="Pages and tickets by path">
          {first.map(alert => (
            <AlertItem
              key={alert.id}
              alert={alert}
              title={<Subject alert={alert} window={window} />}
            />
          ))}
        </ul>
      )}
      {listed.length > FIRST && (
        <div>
          <Button size="small" variant="tertiary" onPress={() => setAll(!all)}>
            {all ? 'Show fewer' : `Show all ${listed.length}`}
          </Button>
        </div>
      )}
    </section>
  );
}

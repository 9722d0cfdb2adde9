import type { ReactNode } from 'react';
import type { Alert } from '@rocket/plugin-critical-paths-common';
import { formatTimestamp, paletteClass, useNow } from '@rocket/rocket-react';
import {
  RiAlarmWarningLine,
  RiCheckLine,
  RiTicketLine,
} from '@remixicon/react';
import { formatMinutes } from '../../lib/figures';
import styles from './notes.module.css';

const minutesOf = (from: string, to: number) =>
  formatMinutes(Math.max(0, (to - Date.parse(from)) / 60_000));

function Kind({ alert }: { alert: Alert }) {
  const label = alert.severity === 'page' ? 'Page' : 'Ticket';
  if (alert.closedAt) {
    return (
      <span className={styles.effect} data-effect="unknown">
        <RiCheckLine size={16} aria-hidden="true" />
        {label}, over
      </span>
    );
  }
  const Icon = alert.severity === 'page' ? RiAlarmWarningLine : RiTicketLine;
  return (
    <span
      className={styles.effect}
      data-effect={alert.severity === 'page' ? 'block' : 'warn'}
    >
      <Icon size={16} aria-hidden="true" />
      {label}
    </span>
  );
}

/** How long it lasts or lasted, and how it ended. */
function Course({ alert }: { alert: Alert }) {
  const now = useNow();
  const { openedAt, closedAt, closeReason } = alert;
  if (!closedAt) {
    return (
      <>
        open since {formatTimestamp(openedAt)} ({minutesOf(openedAt, now)})
      </>
    );
  }
  const lasted = minutesOf(openedAt, Date.parse(closedAt));
  return (
    <>
      {closeReason === 'recovered'
        ? `recovered after ${lasted}`
        : `withdrawn after ${lasted}: the path or its objective is gone`}
      , {formatTimestamp(openedAt)} to {formatTimestamp(closedAt)}
    </>
  );
}

/** One burn of error budget that the owner is told of: how urgent, since when, by which rule, and whether anybody knows. */
export function AlertItem({
  alert,
  title,
}: {
  alert: Alert;
  /** What it is about, where that is not plain from the place. */
  title?: ReactNode;
}) {
  const { messages, notifiedAt, closedAt } = alert;
  return (
    <li className={`${paletteClass} ${styles.item}`}>
      <Kind alert={alert} />
      <div>
        {title}
        {title && ' · '}
        <Course alert={alert} />
        {messages.map(message => (
          <p key={message} className={styles.sub}>
            {message}
          </p>
        ))}
        {!closedAt && (
          <p className={styles.sub}>
            {notifiedAt
              ? `Told last at ${formatTimestamp(notifiedAt)}.`
              : 'Nobody could be told yet; the notification is sent again every minute.'}
          </p>
        )}
      </div>
    </li>
  );
}

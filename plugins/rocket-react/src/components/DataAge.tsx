import { formatAge, formatTimestamp, NO_DATA } from '../format';
import { useNow } from '../hooks/useNow';
import styles from './DataAge.module.css';

/** Props of {@link DataAge}. */
export interface DataAgeProps {
  /** Age in seconds when the answer was made; null when nothing was ever read. */
  ageSeconds: number | null;
  /** When the answer arrived, milliseconds on this machine's clock. The age grows from here. */
  receivedAt: number;
  /** The absolute time that the data reaches, ISO 8601, shown on hovering. */
  at?: string | null;
  /** Marks it as too old, in words as well. */
  late?: boolean;
}

/**
 * How old data is. It counts on between refreshes and does not depend on the
 * reader's clock being right: the server says the age, the browser adds to it.
 */
export function DataAge(props: DataAgeProps) {
  const { ageSeconds, receivedAt, at, late } = props;
  const now = useNow();
  if (ageSeconds === null) {
    return <span className={styles.missing}>{NO_DATA}</span>;
  }
  const seconds = ageSeconds + Math.max(0, (now - receivedAt) / 1000);
  return (
    <time
      className={styles.age}
      data-late={late || undefined}
      dateTime={at ?? undefined}
      title={at ? `Measured up to ${formatTimestamp(at)}` : undefined}
    >
      {formatAge(seconds)}
      {late && <span className={styles.late}> late</span>}
    </time>
  );
}

import type {
  PathDetail,
  ServiceLevelComparison,
  ServiceLevelCounts,
} from '@rocket/plugin-critical-paths-common';
import { Link, Skeleton, Text } from '@backstage/ui';
import {
  formatCount,
  formatTimestamp,
  paletteClass,
  ScrollRegion,
  tableStyles as table,
} from '@rocket/rocket-react';
import {
  RiCheckLine,
  RiErrorWarningLine,
  RiExternalLinkLine,
  RiProhibitedLine,
} from '@remixicon/react';
import { SOURCES } from '../../lib/figures';
import { useServiceLevels } from '../../query/hooks';
import { EntityName } from '../shared/EntityName';
import { ReadingNotice } from '../shared/ReadingNotice';
import styles from '../shared/notes.module.css';

function Counted({ counts }: { counts: ServiceLevelCounts | null }) {
  if (!counts || counts.percent === null) {
    return <span className={styles.sub}>no figure</span>;
  }
  return (
    <>
      <span className={styles.number}>{formatPercent(counts.percent)}</span>
      <span className={table.sub}>
        {formatCount(counts.good)} of {formatCount(counts.valid)}
      </span>
    </>
  );
}

/** Three decimals, as the difference has them, and never rounded up to 100. */
function formatPercent(percent: number): string {
  return `${(Math.floor(percent * 1000 + 1e-6) / 1000).toFixed(3)} %`;
}

/** Percentage points with their sign: `+0.013`. */
function formatPoints(points: number): string {
  const text = points.toFixed(3);
  return Number(text) > 0 ? `+${text}` : text;
}

function Agreement({ level }: { level: ServiceLevelComparison }) {
  const { agrees, deltaPoints, comparison } = level;
  if (agrees === null || deltaPoints === null) {
    return (
      <>
        <span className={styles.effect} data-effect="unknown">
          <RiProhibitedLine size={16} aria-hidden="true" /> not comparable
        </span>
        <span className={table.sub}>{comparison}</span>
      </>
    );
  }
  return (
    <>
      <span className={styles.effect} data-effect={agrees ? 'allow' : 'block'}>
        {agrees ? (
          <RiCheckLine size={16} aria-hidden="true" />
        ) : (
          <RiErrorWarningLine size={16} aria-hidden="true" />
        )}
        {agrees ? 'agree' : 'differ'}
      </span>{' '}
      <span className={styles.number}>{formatPoints(deltaPoints)} points</span>
      <span className={table.sub}>{comparison}</span>
    </>
  );
}

function Level({ level }: { level: ServiceLevelComparison }) {
  const source = SOURCES[level.source] ?? level.source;
  return (
    <tr>
      <th scope="row">
        <span className={table.title}>{level.name}</span>
        <span className={table.sub}>
          <EntityName entityRef={level.entityRef} />
          {level.url && (
            <>
              {' · '}
              <Link
                href={level.url}
                target="_blank"
                rel="noopener noreferrer"
                variant="body-small"
                aria-label={`${level.name} in ${source}, opens in a new tab`}
              >
                {source} <RiExternalLinkLine size={12} aria-hidden="true" />
              </Link>
            </>
          )}
        </span>
      </th>
      <td>
        <span className={styles.number}>{level.target} %</span>
        <span className={`${table.sub} ${styles.number}`}>
          over {level.windowDays} d
        </span>
      </td>
      <td>
        <Counted counts={level.theirs} />
      </td>
      <td>
        <Counted counts={level.ours} />
      </td>
      <td className={styles.sentences}>
        <Agreement level={level} />
      </td>
      <td className={styles.sentences}>
        <span className={table.sub}>
          {formatTimestamp(level.from)} to {formatTimestamp(level.to)}, read at{' '}
          {formatTimestamp(level.readAt)}
        </span>
        <details className={table.sub}>
          <summary>Query</summary>
          <code>{level.query}</code>
        </details>
      </td>
    </tr>
  );
}

/** Service levels that people keep at the telemetry source, beside what Rocket counted of the same hours. */
export function ServiceLevelsSection({ path }: { path: PathDetail }) {
  const reading = useServiceLevels(path);
  const { data, loading } = reading;
  const rows = data?.rows ?? [];
  const differing = rows.filter(row => row.agrees === false).length;
  const compared = rows.filter(row => row.agrees !== null).length;
  return (
    <section className={`${paletteClass} ${styles.section}`}>
      <Text as="h2" variant="title-x-small" weight="bold">
        Service levels at the source
      </Text>
      <ReadingNotice reading={reading} />
      {loading && <Skeleton width="100%" height={48} />}
      {data && rows.length === 0 && (
        <Text as="p" color="secondary">
          No service level is known that is kept elsewhere for an application of
          this path.
        </Text>
      )}
      {rows.length > 0 && (
        <>
          <Text as="p" variant="body-small" color="secondary">
            {compared === 0
              ? 'None of them can be compared yet; each says why.'
              : `${
                  compared - differing
                } of ${compared} that can be compared agree: at most 0.1 points and 5 % of the requests apart over the same hours.`}
          </Text>
          <ScrollRegion
            label="Service levels at the source"
            className={table.box}
          >
            <table className={table.table}>
              <caption className={table.caption}>
                Service levels of the applications of {path.title}: what the
                source measured, what Rocket counted, and the difference.
              </caption>
              <thead>
                <tr>
                  <th scope="col">Service level</th>
                  <th scope="col">Target</th>
                  <th scope="col">At the source</th>
                  <th scope="col">In Rocket</th>
                  <th scope="col">
                    Difference
                    <span className={table.hint}>Rocket less source</span>
                  </th>
                  <th scope="col">Hours</th>
                </tr>
              </thead>
              <tbody>
                {rows.map(level => (
                  <Level
                    key={`${level.source} ${level.id} ${level.entityRef}`}
                    level={level}
                  />
                ))}
              </tbody>
            </table>
          </ScrollRegion>
        </>
      )}
    </section>
  );
}

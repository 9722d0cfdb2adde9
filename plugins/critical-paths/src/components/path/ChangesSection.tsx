import { useState } from 'react';
import type {
  ChangeKind,
  ChangeMarker,
  PathDetail,
} from '@rocket/plugin-critical-paths-common';
import { Button, Link, Text } from '@backstage/ui';
import {
  formatCount,
  formatTimestamp,
  MARKER_LETTERS,
  paletteClass,
  type ChartMarker,
} from '@rocket/rocket-react';
import { RiExternalLinkLine } from '@remixicon/react';
import { formatMinutes } from '../../lib/figures';
import { EntityName } from '../shared/EntityName';
import styles from './BudgetSection.module.css';

const KINDS: Record<ChangeKind, string> = {
  deployment: 'Deployment',
  chaos: 'Chaos experiment',
  incident: 'Incident',
  maintenance: 'Planned downtime',
  'budget-reset': 'Budget reset',
};

/** Share of a path's budget, percent, from which a deployment stands out. */
const HEAVY_PERCENT = 1;
const FIRST = 8;

/** The changes of a path as marks on its charts. */
export function markersOf(path: PathDetail): ChartMarker[] {
  return path.changes.map(change => ({
    id: change.id,
    kind: change.kind,
    time: Date.parse(change.at),
    until: change.until ? Date.parse(change.until) : undefined,
    open: change.kind === 'incident' && !change.until,
    label: `${KINDS[change.kind]}: ${change.title}`,
  }));
}

function lasted({ at, until }: ChangeMarker): string | undefined {
  return until
    ? formatMinutes((Date.parse(until) - Date.parse(at)) / 60_000)
    : undefined;
}

function Burned({ change }: { change: ChangeMarker }) {
  const { burn } = change;
  if (!burn) {
    return null;
  }
  const heavy = (burn.budgetPercent ?? 0) >= HEAVY_PERCENT;
  return (
    <div className={styles.burned} data-heavy={heavy || undefined}>
      {burn.budgetPercent === null
        ? `${formatCount(Math.round(burn.excessEvents))} failures`
        : `${burn.budgetPercent.toFixed(1)} % of the budget`}
      <p className={styles.sub}>
        in the {burn.minutes} min after it
        {!burn.complete && ', not over yet'}
      </p>
    </div>
  );
}

/** What happened in the window, the newest first, and what each deployment cost. */
export function ChangesSection({ path }: { path: PathDetail }) {
  const [all, setAll] = useState(false);
  const changes = [...path.changes].reverse();
  const shown = all ? changes : changes.slice(0, FIRST);
  return (
    <section className={`${paletteClass} ${styles.section}`}>
      <Text as="h2" variant="title-x-small" weight="bold">
        What happened
      </Text>
      {changes.length === 0 ? (
        <Text as="p" color="secondary">
          No deployment, incident, chaos experiment or downtime in this window.
        </Text>
      ) : (
        <ul className={styles.changes}>
          {shown.map(change => (
            <li key={`${change.kind}-${change.id}`} className={styles.change}>
              <span
                className={styles.letter}
                data-kind={change.kind}
                aria-hidden="true"
              >
                {MARKER_LETTERS[change.kind]}
              </span>
              <div>
                <strong>
                  {KINDS[change.kind]}: {change.title}
                </strong>{' '}
                {change.url && (
                  <Link href={change.url} target="_blank" rel="noreferrer">
                    <RiExternalLinkLine size={14} aria-hidden="true" /> open at{' '}
                    {change.source}
                  </Link>
                )}
                <p className={styles.sub}>
                  {formatTimestamp(change.at)}
                  {change.kind === 'incident' &&
                    (change.until
                      ? `, over after ${lasted(change)}`
                      : ', open')}
                  {change.kind !== 'incident' &&
                    change.until &&
                    `, for ${lasted(change)}`}
                  {' · '}
                  <EntityName entityRef={change.entityRef} />
                  {change.detail && ` · ${change.detail}`} · from{' '}
                  {change.source}
                </p>
              </div>
              <Burned change={change} />
            </li>
          ))}
        </ul>
      )}
      {changes.length > FIRST && (
        <div>
          <Button size="small" variant="tertiary" onPress={() => setAll(!all)}>
            {all ? 'Show fewer' : `Show all ${changes.length}`}
          </Button>
        </div>
      )}
    </section>
  );
}

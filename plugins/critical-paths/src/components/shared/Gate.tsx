import type { GateResponse } from '@rocket/plugin-critical-paths-common';
import { Skeleton, Text } from '@backstage/ui';
import { paletteClass } from '@rocket/rocket-react';
import { RiAlertLine, RiCheckLine, RiForbidLine } from '@remixicon/react';
import { useGate } from '../../query/hooks';
import { ReadingNotice } from './ReadingNotice';
import styles from './notes.module.css';

const EFFECTS: Record<
  GateResponse['decision'],
  { label: string; decision: string; Icon: typeof RiCheckLine }
> = {
  allow: {
    label: 'Allows',
    decision: 'The gate lets deployments pass.',
    Icon: RiCheckLine,
  },
  warn: {
    label: 'Warns',
    decision: 'The gate lets deployments pass with a warning.',
    Icon: RiAlertLine,
  },
  block: {
    label: 'Blocks',
    decision: 'The gate stops deployments.',
    Icon: RiForbidLine,
  },
};

/** What the gate would answer a pipeline now, with every reason; figures that cannot be read let nothing pass. */
export function Gate({
  entityRef,
  about,
}: {
  /** A Component, or a CriticalPath. */
  entityRef: string;
  /** Whose deployments are meant. */
  about: string;
}) {
  const reading = useGate(entityRef);
  const { data, loading, outdated } = reading;
  return (
    <section className={`${paletteClass} ${styles.section}`}>
      <Text as="h2" variant="title-x-small" weight="bold">
        Gate for deployments
      </Text>
      <ReadingNotice reading={reading} />
      {loading && <Skeleton width="100%" height={48} />}
      {data && (
        <>
          <Text as="p">
            {EFFECTS[data.decision].decision}{' '}
            <Text as="span" color="secondary">
              {about}
            </Text>
          </Text>
          <ul className={styles.list} aria-label="Reasons of the gate">
            {data.reasons.map(({ effect, message, rule }) => {
              const { label, Icon } = EFFECTS[effect];
              return (
                <li key={`${rule} ${message}`} className={styles.item}>
                  <span
                    className={styles.effect}
                    data-effect={
                      outdated && effect === 'allow' ? 'unknown' : effect
                    }
                  >
                    <Icon size={16} aria-hidden="true" />
                    {label}
                  </span>
                  <span>{message}</span>
                </li>
              );
            })}
          </ul>
        </>
      )}
    </section>
  );
}

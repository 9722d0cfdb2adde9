import type { ReactNode } from 'react';
import { Button, Skeleton, Text } from '@backstage/ui';
import { ReadingNotice } from '../data/ReadingNotice';
import type { Reading } from '../data/reading';
import { formatAge, formatTimestamp } from '../format';
import { useNow } from '../hooks/useNow';
import styles from './parts.module.css';

/** Parts of a page one below the other. */
export function Page({ children }: { children: ReactNode }) {
  return <div className={styles.page}>{children}</div>;
}

/** Props of {@link Section}. */
export interface SectionProps {
  title: string;
  /** Below the title. */
  hint?: ReactNode;
  /** Beside the title. */
  tools?: ReactNode;
  /** 3 for a part of another section. Default: 2. */
  level?: 2 | 3;
  children: ReactNode;
}

/** A part of a page with its heading. */
export function Section(props: SectionProps) {
  const { title, hint, tools, level = 2, children } = props;
  return (
    <section className={styles.section}>
      <div className={styles.head}>
        <div>
          <Text
            as={level === 2 ? 'h2' : 'h3'}
            variant={level === 2 ? 'title-x-small' : 'body-large'}
            weight="bold"
          >
            {title}
          </Text>
          {hint && (
            <Text as="p" variant="body-small" color="secondary">
              {hint}
            </Text>
          )}
        </div>
        {tools && <div className={styles.tools}>{tools}</div>}
      </div>
      {children}
    </section>
  );
}

/** Stands in for what is being read. */
export function Waiting({
  lines = 1,
  height = 96,
}: {
  lines?: number;
  height?: number;
}) {
  return (
    <div className={styles.waiting} role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => (
        <Skeleton key={line} width="100%" height={height} />
      ))}
    </div>
  );
}

/** Says that there is nothing, and how to change that. */
export function Empty({
  title,
  children,
}: {
  title: string;
  children?: ReactNode;
}) {
  return (
    <div className={styles.empty}>
      <Text as="p" weight="bold">
        {title}
      </Text>
      {children && (
        <Text as="p" color="secondary">
          {children}
        </Text>
      )}
    </div>
  );
}

/** Props of {@link ReadingState}. */
export interface ReadingStateProps {
  reading: Reading<unknown>;
  /** What is read, in the plural and as it begins a sentence: `The versions`. */
  subject: string;
  /** Name of the permission that the backend asks for. */
  permission: string;
  /** Placeholders shown while there is nothing, and the height of each in pixels. */
  lines?: number;
  height?: number;
}

/** What is wrong with a reading, and a placeholder while there is none. */
export function ReadingState(props: ReadingStateProps) {
  const { reading, subject, permission, lines, height } = props;
  return (
    <>
      <ReadingNotice
        reading={reading}
        subject={subject}
        permission={permission}
      />
      {reading.loading && <Waiting lines={lines} height={height} />}
    </>
  );
}

/** Reads the next page of a list. */
export function MoreButton(props: {
  list: { hasMore: boolean; loadingMore: boolean; loadMore: () => void };
  /** What there is more of, in the plural. */
  what: string;
}) {
  const { list, what } = props;
  if (!list.hasMore) {
    return null;
  }
  return (
    <div>
      <Button
        variant="secondary"
        size="small"
        isDisabled={list.loadingMore}
        onPress={list.loadMore}
      >
        {list.loadingMore ? 'Reading…' : `Show older ${what}`}
      </Button>
    </div>
  );
}

/** A moment as its age; the time itself is shown on hovering. It counts on by itself. */
export function Ago({ at }: { at: string }) {
  const now = useNow();
  return (
    <time className={styles.time} dateTime={at} title={formatTimestamp(at)}>
      {formatAge(Math.max(0, (now - Date.parse(at)) / 1000))}
    </time>
  );
}

/** How long something has lasted: from a moment until now, or until its end. */
export function secondsBetween(from: string, to: string | number): number {
  const end = typeof to === 'number' ? to : Date.parse(to);
  return Math.max(0, (end - Date.parse(from)) / 1000);
}

/** One line of {@link Facts}: the name of something and what it is; left out without a value. */
export interface Fact {
  label: string;
  value: ReactNode;
}

/** Names and values side by side. */
export function Facts({ facts }: { facts: (Fact | false | undefined)[] }) {
  return (
    <dl className={styles.facts}>
      {facts.map(
        fact =>
          fact && (
            <FactPair key={fact.label} label={fact.label} value={fact.value} />
          ),
      )}
    </dl>
  );
}

function FactPair({ label, value }: Fact) {
  return (
    <>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </>
  );
}

import {
  Button,
  Card,
  CardBody,
  CardHeader,
  Flex,
  Skeleton,
  Text,
} from '@backstage/ui';
import { RiPauseLine, RiPlayLine } from '@remixicon/react';
import { paletteClass, ScrollRegion } from '@rocket/rocket-react';
import { useEffect, useRef, useState } from 'react';
import { Note } from '../shared/Note';
import { CopyButton } from './CopyButton';
import styles from './ServiceLogCard.module.css';
import { useServiceLog, type LogLine } from './useServiceLog';

const AT_END_PX = 40;

function clock(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime())
    ? time
    : date.toLocaleTimeString('en-GB', { hour12: false });
}

function Line({ line }: { line: LogLine }) {
  return (
    <div className={styles.line} data-stream={line.stream}>
      <time dateTime={line.time} className={styles.time}>
        {clock(line.time)}
      </time>
      <span className={styles.stream}>{line.stream}</span>
      <span className={styles.text}>{line.text}</span>
    </div>
  );
}

/** The log of a service as it grows. Scrolling up stops it from jumping to the end. */
export function ServiceLogCard({ name }: { name: string }) {
  const [paused, setPaused] = useState(false);
  const { lines, error } = useServiceLog(name, paused);
  const region = useRef<HTMLDivElement>(null);
  const following = useRef(true);

  useEffect(() => {
    const box = region.current;
    if (!box) {
      return undefined;
    }
    if (following.current) {
      box.scrollTop = box.scrollHeight;
    }
    const onScroll = () => {
      following.current =
        box.scrollHeight - box.scrollTop - box.clientHeight < AT_END_PX;
    };
    box.addEventListener('scroll', onScroll, { passive: true });
    return () => box.removeEventListener('scroll', onScroll);
  }, [lines]);

  const asText = () =>
    (lines ?? [])
      .map(line => `${line.time} ${line.stream} ${line.text}`)
      .join('\n');

  return (
    <Card>
      <CardHeader>
        <Flex align="center" justify="between" gap="2" className={styles.head}>
          <Text as="h3" variant="title-x-small" weight="bold">
            Log
          </Text>
          <Flex align="center" gap="1">
            <Button
              size="small"
              variant="tertiary"
              iconStart={paused ? <RiPlayLine /> : <RiPauseLine />}
              onPress={() => setPaused(!paused)}
            >
              {paused ? 'Go on' : 'Pause'}
            </Button>
            <CopyButton label="Copy the log" text={asText} />
          </Flex>
        </Flex>
      </CardHeader>
      <CardBody>
        <Flex direction="column" gap="2">
          {error && (
            <Note tone="negative" live>
              The log could not be read: {error.message}
              {lines ? '. What is shown is older.' : ''}
            </Note>
          )}
          {!lines && !error && <Skeleton height={160} aria-hidden="true" />}
          {lines?.length === 0 && (
            <Note tone="neutral">Nothing was written yet.</Note>
          )}
          {lines && lines.length > 0 && (
            <ScrollRegion
              ref={region}
              label={`Log of ${name}`}
              className={`${paletteClass} ${styles.log}`}
            >
              {lines.map(line => (
                <Line key={line.key} line={line} />
              ))}
            </ScrollRegion>
          )}
          {paused && (
            <Note tone="neutral" live>
              Paused. The service goes on writing.
            </Note>
          )}
        </Flex>
      </CardBody>
    </Card>
  );
}

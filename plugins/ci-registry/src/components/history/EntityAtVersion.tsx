import { useMemo } from 'react';
import { Button, Text } from '@backstage/ui';
import { RiArrowLeftLine } from '@remixicon/react';
import { ScrollRegion, statusOf, Empty, Section } from '@rocket/rocket-react';
import { stringify } from 'yaml';
import { useEntityVersion } from '../../query/hooks';
import { RegistryState } from '../shared/RegistryState';
import { ChangeOrigin } from './ChangeItem';
import { Diff } from './Diff';
import styles from './History.module.css';

/** An entity as it was at a version, and what that version changed. */
export function EntityAtVersion(props: {
  entityRef: string;
  version: number;
  onBack: () => void;
}) {
  const { entityRef, version, onBack } = props;
  const reading = useEntityVersion(entityRef, version);
  const { data } = reading;
  const yaml = useMemo(
    () => data && stringify(data.entity, { lineWidth: 0 }),
    [data],
  );
  const unknown = !data && statusOf(reading.error) === 404;
  return (
    <Section
      title={`The entity at version ${version}`}
      hint={data && <ChangeOrigin change={data.change} />}
      tools={
        <Button
          size="small"
          variant="secondary"
          iconStart={<RiArrowLeftLine />}
          onPress={onBack}
        >
          All changes
        </Button>
      }
    >
      {unknown ? (
        <Empty title={`There is no version ${version}`}>
          It may be older than the history is kept. Go back to all changes.
        </Empty>
      ) : (
        <RegistryState reading={reading} subject="The version" height={240} />
      )}
      {data && yaml && (
        <>
          {data.change.changes.some(({ path }) => path !== '') && (
            <>
              <Text as="h3" variant="body-medium" weight="bold">
                What it changed
              </Text>
              <Diff changes={data.change.changes} />
            </>
          )}
          <Text as="h3" variant="body-medium" weight="bold">
            The whole entity
          </Text>
          <ScrollRegion
            label={`Entity at version ${version}`}
            className={styles.entity}
          >
            <pre>{yaml}</pre>
          </ScrollRegion>
          <p className={styles.origin}>
            SHA-256 of its canonical JSON (RFC 8785):{' '}
            <span className={styles.hash}>{data.hash}</span>
          </p>
        </>
      )}
    </Section>
  );
}

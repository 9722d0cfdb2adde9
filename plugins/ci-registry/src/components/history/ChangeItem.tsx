import type { EntityChange } from '@rocket/plugin-ci-registry-common';
import { Button, Text } from '@backstage/ui';
import { formatTimestamp, ToneBadge, Ago } from '@rocket/rocket-react';
import { CHANGE_KINDS } from '../../lib/looks';
import { CommitLink, PipelineName, RepositoryLink } from '../shared/Source';
import { Diff } from './Diff';
import styles from './History.module.css';

/** Who made a change, from where and when. */
export function ChangeOrigin({ change }: { change: EntityChange }) {
  const { source } = change;
  return (
    <>
      {formatTimestamp(change.time)} (<Ago at={change.time} />) by{' '}
      {change.actor} · <RepositoryLink repository={source.repository} />
      {source.branch && `, ${source.branch}`} ·{' '}
      <CommitLink repository={source.repository} sha={source.commit} /> ·{' '}
      <PipelineName pipeline={source.pipeline} />
    </>
  );
}

/** One change of an entity; what it changed unfolds. */
export function ChangeItem(props: {
  change: EntityChange;
  open: boolean;
  onShow: (version: number) => void;
}) {
  const { change, open, onShow } = props;
  const { changes, version, kind } = change;
  return (
    <li className={styles.change}>
      <div className={styles.head}>
        <Text as="h3" variant="body-medium" weight="bold">
          Version {version}
        </Text>
        <ToneBadge subject="Change" {...CHANGE_KINDS[kind]} />
        <Button
          size="small"
          variant="tertiary"
          className={styles.show}
          aria-label={`Show the entity at version ${version}`}
          onPress={() => onShow(version)}
        >
          Show the entity
        </Button>
      </div>
      <p className={styles.origin}>
        <ChangeOrigin change={change} />
      </p>
      {changes.length > 0 && (
        <details className={styles.details} open={open}>
          <summary>
            {changes.length === 1
              ? '1 field changed'
              : `${changes.length} fields changed`}
          </summary>
          <Diff changes={changes} />
        </details>
      )}
    </li>
  );
}

import { useState } from 'react';
import { stringifyEntityRef } from '@backstage/catalog-model';
import { useEntity } from '@backstage/plugin-catalog-react';
import {
  ANNOTATION_SOURCE_REPOSITORY,
  type ApiChange,
  type ApiDocumentVersion,
  type ChangeSeverity,
} from '@rocket/plugin-ci-registry-common';
import { Button, Text } from '@backstage/ui';
import {
  QueryRoot,
  ScrollRegion,
  statusOf,
  ToneBadge,
  Ago,
  Empty,
  Page,
  Section,
} from '@rocket/rocket-react';
import { SEVERITIES } from '../../lib/looks';
import { useDocument, useDocumentVersions } from '../../query/hooks';
import { RegistryState } from '../shared/RegistryState';
import { CommitLink, Digest, PipelineName } from '../shared/Source';
import styles from './ApiVersions.module.css';

const FIRST = 8;
const ORDER = Object.keys(SEVERITIES) as ChangeSeverity[];

/** How many changes of each severity, in words for one: `2 breaking, 1 compatible`. */
export function countChanges(changes: ApiChange[]) {
  return ORDER.map(severity => ({
    severity,
    count: changes.filter(change => change.severity === severity).length,
  })).filter(({ count }) => count > 0);
}

function Changes({ changes }: { changes: ApiChange[] }) {
  const [all, setAll] = useState(false);
  const sorted = [...changes].sort(
    (a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity),
  );
  const shown = all ? sorted : sorted.slice(0, FIRST);
  return (
    <>
      <ul className={styles.changes}>
        {shown.map((change, index) => (
          // Two changes can read the same.
          // eslint-disable-next-line react/no-array-index-key
          <li key={index} className={styles.change}>
            <div>
              <ToneBadge subject="Severity" {...SEVERITIES[change.severity]} />
            </div>
            <div>
              <code className={styles.location}>{change.location}</code>
              <div>{change.message}</div>
            </div>
          </li>
        ))}
      </ul>
      {sorted.length > FIRST && (
        <div>
          <Button size="small" variant="tertiary" onPress={() => setAll(!all)}>
            {all ? 'Show fewer' : `Show all ${sorted.length}`}
          </Button>
        </div>
      )}
    </>
  );
}

function Comparison({ version }: { version: ApiDocumentVersion }) {
  const { changes, notCompared } = version;
  if (changes === null) {
    return (
      <Text as="p" color="secondary">
        {notCompared ??
          'The first version; there is nothing to compare it with.'}
      </Text>
    );
  }
  if (changes.length === 0) {
    return (
      <Text as="p" color="secondary">
        Nothing changed for those who call it.
      </Text>
    );
  }
  return <Changes changes={changes} />;
}

function Document(props: { api: string; version: number }) {
  const { api, version } = props;
  const reading = useDocument(api, version);
  return (
    <>
      <RegistryState reading={reading} subject="The document" height={160} />
      {reading.data !== undefined && (
        <ScrollRegion
          label={`Document of version ${version}`}
          className={styles.document}
        >
          <pre>{reading.data}</pre>
        </ScrollRegion>
      )}
    </>
  );
}

function VersionItem({
  version,
  repository,
}: {
  version: ApiDocumentVersion;
  repository?: string;
}) {
  const [open, setOpen] = useState(false);
  return (
    <li className={styles.version}>
      <div className={styles.head}>
        <Text as="h3" variant="body-large" weight="bold">
          Version {version.version}
        </Text>
        <div className={styles.counts}>
          {countChanges(version.changes ?? []).map(({ severity, count }) => {
            const { tone, Icon, label } = SEVERITIES[severity];
            return (
              <ToneBadge
                key={severity}
                subject="Changes"
                tone={tone}
                Icon={Icon}
                label={`${count} ${label.toLocaleLowerCase('en')}`}
              />
            );
          })}
        </div>
      </div>
      <p className={styles.origin}>
        <Ago at={version.pushedAt} /> · {version.format} ·{' '}
        <CommitLink repository={repository} sha={version.commit} /> ·{' '}
        <PipelineName pipeline={version.pipeline} /> ·{' '}
        <Digest digest={`sha256:${version.hash}`} />
      </p>
      <Comparison version={version} />
      <div>
        <Button
          size="small"
          variant="tertiary"
          aria-expanded={open}
          onPress={() => setOpen(!open)}
        >
          {`${open ? 'Hide' : 'Show'} the document of version ${
            version.version
          }`}
        </Button>
      </div>
      {open && <Document api={version.api} version={version.version} />}
    </li>
  );
}

function ApiVersions() {
  const { entity } = useEntity();
  const reading = useDocumentVersions(stringifyEntityRef(entity));
  const unknown = !reading.data && statusOf(reading.error) === 404;
  const items = reading.data?.items ?? [];
  const repository =
    entity.metadata.annotations?.[ANNOTATION_SOURCE_REPOSITORY];
  return (
    <Page>
      <Section
        title="Versions"
        hint="Each push of the document, compared with the one before it."
      >
        {!unknown && (
          <RegistryState reading={reading} subject="The versions" lines={2} />
        )}
        {(unknown || (reading.data && items.length === 0)) && (
          <Empty title="No pipeline pushed a document of this API yet">
            Let the pipeline of the component that provides it call{' '}
            <code>rocket-ci register</code> with the document; from the second
            version on, breaking changes are listed here.
          </Empty>
        )}
        {items.length > 0 && (
          <ol className={styles.versions} aria-label="Versions">
            {items.map(version => (
              <VersionItem
                key={version.version}
                version={version}
                repository={repository}
              />
            ))}
          </ol>
        )}
      </Section>
    </Page>
  );
}

/** Tab of an API: its versions, and what each changed for those who call it. */
export function ApiVersionsContent() {
  return (
    <QueryRoot>
      <ApiVersions />
    </QueryRoot>
  );
}

import { useState } from 'react';
import { stringifyEntityRef } from '@backstage/catalog-model';
import { useApi } from '@backstage/frontend-plugin-api';
import { useEntity } from '@backstage/plugin-catalog-react';
import { Alert, Button } from '@backstage/ui';
import { RiDownloadLine } from '@remixicon/react';
import {
  itemsOf,
  QueryRoot,
  reasonOf,
  statusOf,
  Empty,
  MoreButton,
  Page,
  Section,
} from '@rocket/rocket-react';
import { useSearchParams } from 'react-router-dom';
import { ciRegistryApiRef } from '../../api/CiRegistryApi';
import { saveFile } from '../../lib/save';
import { useHistory } from '../../query/hooks';
import { RegistryState } from '../shared/RegistryState';
import { ChangeItem } from './ChangeItem';
import { EntityAtVersion } from './EntityAtVersion';
import styles from './History.module.css';

/** The version that the address names. */
function useVersionParam() {
  const [params, setParams] = useSearchParams();
  const wanted = params.get('version') ?? '';
  const version = /^[1-9]\d{0,8}$/.test(wanted) ? Number(wanted) : undefined;
  const show = (next: number | undefined) =>
    setParams(current => {
      const changed = new URLSearchParams(current);
      if (next === undefined) {
        changed.delete('version');
      } else {
        changed.set('version', String(next));
      }
      return changed;
    });
  return { version, show };
}

function ExportButton({
  entityRef,
  name,
}: {
  entityRef: string;
  name: string;
}) {
  const api = useApi(ciRegistryApiRef);
  const [failure, setFailure] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const download = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      saveFile(await api.exportHistory(entityRef), `${name}-history.ndjson`);
    } catch (error) {
      setFailure(error as Error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button
        variant="secondary"
        size="small"
        iconStart={<RiDownloadLine />}
        isDisabled={busy}
        onPress={download}
      >
        Export as NDJSON
      </Button>
      {failure && (
        <Alert
          status="danger"
          icon
          title="The history could not be exported"
          description={`${reasonOf(failure)} Try again.`}
        />
      )}
    </>
  );
}

function Changes(props: {
  entityRef: string;
  name: string;
  onShow: (version: number) => void;
}) {
  const { entityRef, name, onShow } = props;
  const list = useHistory(entityRef);
  const changes = itemsOf(list.reading.data);
  const unknown = !list.reading.data && statusOf(list.reading.error) === 404;
  return (
    <Section
      title="History"
      hint="Every change that a pipeline, a person or a service made to this entry."
      tools={
        changes.length > 0 && <ExportButton entityRef={entityRef} name={name} />
      }
    >
      {!unknown && (
        <RegistryState reading={list.reading} subject="The changes" lines={3} />
      )}
      {(unknown || (list.reading.data && changes.length === 0)) && (
        <Empty title="No pipeline pushed this entry, so nothing is known of its changes">
          Let a pipeline call <code>rocket-ci register</code> in its repository;
          from then on every change is kept with who made it.
        </Empty>
      )}
      {changes.length > 0 && (
        <ol className={styles.changes} aria-label="Changes">
          {changes.map((change, index) => (
            <ChangeItem
              key={change.version}
              change={change}
              open={index === 0}
              onShow={onShow}
            />
          ))}
        </ol>
      )}
      <MoreButton list={list} what="changes" />
    </Section>
  );
}

function History() {
  const { entity } = useEntity();
  const entityRef = stringifyEntityRef(entity);
  const { version, show } = useVersionParam();
  return (
    <Page>
      {version === undefined ? (
        <Changes
          entityRef={entityRef}
          name={entity.metadata.name}
          onShow={show}
        />
      ) : (
        <EntityAtVersion
          entityRef={entityRef}
          version={version}
          onBack={() => show(undefined)}
        />
      )}
    </Page>
  );
}

/** Tab of an entity: every change with who, from where and when. */
export function HistoryContent() {
  return (
    <QueryRoot>
      <History />
    </QueryRoot>
  );
}

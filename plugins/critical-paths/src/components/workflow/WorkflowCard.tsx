import { toastApiRef, useApi } from '@backstage/frontend-plugin-api';
import { ResponseError } from '@backstage/errors';
import type {
  PathName,
  WorkflowView,
} from '@rocket/plugin-critical-paths-common';
import {
  Alert,
  Button,
  Dialog,
  DialogBody,
  DialogFooter,
  DialogHeader,
  Skeleton,
} from '@backstage/ui';
import { RiDownloadLine, RiPlayLine } from '@remixicon/react';
import {
  formatAvailability,
  formatCount,
  formatDuration,
  formatTimestamp,
  paletteClass,
} from '@rocket/rocket-react';
import { useEffect, useRef, useState } from 'react';
import { workflowsApiRef } from '../../api/workflowsApi';
import { sentence } from '../../lib/figures';
import { Evidence } from './Evidence';
import { RunStrip } from './RunStrip';
import { StatusLabel } from './status';
import { useStartRun, useWorkflowRun } from './useWorkflows';
import styles from './Workflow.module.css';

function wordsOf(error: Error): string {
  return error instanceof ResponseError ? error.cause.message : error.message;
}

function every(seconds: number): string {
  if (seconds % 3600 === 0) {
    return seconds === 3600 ? 'every hour' : `every ${seconds / 3600} hours`;
  }
  if (seconds % 60 === 0) {
    return seconds === 60 ? 'every minute' : `every ${seconds / 60} minutes`;
  }
  return `every ${seconds} seconds`;
}

function save(text: string, filename: string): void {
  const url = URL.createObjectURL(
    new Blob([text], { type: 'text/javascript' }),
  );
  const link = document.createElement('a');
  link.href = url;
  link.download = filename;
  link.click();
  URL.revokeObjectURL(url);
}

/** Props of {@link WorkflowCard}. */
export interface WorkflowCardProps {
  path: PathName;
  workflow: WorkflowView;
  /** Name of the window for people, for example `last 24 hours`. */
  window: string;
  mayRun: boolean;
  outdated: boolean;
}

/** One synthetic workflow: how it is, its last runs with their evidence, and what can be done with it. */
export function WorkflowCard(props: WorkflowCardProps) {
  const { path, workflow, window, mayRun, outdated } = props;
  const name = {
    namespace: path.namespace,
    name: path.name,
    workflow: workflow.name,
  };
  const api = useApi(workflowsApiRef);
  const toast = useApi(toastApiRef);
  const [open, setOpen] = useState<string>();
  const run = useWorkflowRun(name, open);
  const start = useStartRun(name);
  const box = useRef<HTMLLIElement>(null);
  const anchor = `workflow-${workflow.name}`;

  // A notification leads here; the workflows come after the page.
  useEffect(() => {
    if (globalThis.location.hash === `#${anchor}`) {
      box.current?.scrollIntoView?.({ block: 'center' });
    }
  }, [anchor]);

  const fail = (title: string) => (error: Error) =>
    toast.post({ title, description: wordsOf(error), status: 'danger' });
  const { uptime, runs } = workflow;
  const last = runs.find(({ status }) => status !== 'running');
  const completed = formatAvailability(uptime.completed);

  return (
    <li ref={box} id={anchor} className={`${paletteClass} ${styles.card}`}>
      <div className={styles.head}>
        <div>
          <h3>{workflow.title}</h3>
          <p className={styles.sub}>
            {workflow.steps.length} steps, {every(workflow.everySeconds)},
            against {workflow.target}
            {workflow.criticality === 'informational' &&
              ' · does not change the state of the path'}
          </p>
        </div>
        <StatusLabel
          status={workflow.running ? 'running' : workflow.status}
          outdated={outdated}
        />
      </div>
      {workflow.message && (
        <p
          className={workflow.status === 'failed' ? styles.error : styles.note}
        >
          {workflow.status === 'failed' && last?.failedStep
            ? `Failed at step ${last.failedStep}: ${workflow.message}.`
            : sentence(workflow.message)}
        </p>
      )}
      <dl className={styles.facts}>
        <div>
          <dt>Synthetic uptime, {window}</dt>
          <dd>
            {completed.hasData ? (
              <>
                <strong>{completed.text}</strong> of {formatCount(uptime.runs)}{' '}
                runs completed
              </>
            ) : (
              'no runs'
            )}
          </dd>
        </div>
        <div>
          <dt>Last run</dt>
          <dd>
            {last
              ? `${formatTimestamp(last.startedAt)}${
                  last.durationMs === null
                    ? ''
                    : `, ${formatDuration(last.durationMs).text}`
                }`
              : 'none yet'}
          </dd>
        </div>
        <div>
          <dt>Next run</dt>
          <dd>
            {workflow.nextRunAt ? formatTimestamp(workflow.nextRunAt) : 'soon'}
          </dd>
        </div>
      </dl>
      {runs.length > 0 && (
        <RunStrip
          runs={runs}
          label={`Last runs of ${workflow.title}, the newest last`}
          onOpen={setOpen}
        />
      )}
      <div className={styles.actions}>
        {mayRun && (
          <Button
            size="small"
            variant="secondary"
            iconStart={<RiPlayLine />}
            isDisabled={workflow.running}
            isPending={start.isPending}
            aria-label={`Run ${workflow.title} now`}
            onPress={() =>
              start.mutate(undefined, {
                onError: fail(`Could not run ${workflow.title}`),
                onSuccess: ({ id }) => setOpen(id),
              })
            }
          >
            Run now
          </Button>
        )}
        <Button
          size="small"
          variant="tertiary"
          iconStart={<RiDownloadLine />}
          aria-label={`Export ${workflow.title} as a New Relic scripted API monitor`}
          onPress={() =>
            api
              .getWorkflowScript(name)
              .then(
                text => save(text, `${workflow.name}.newrelic.js`),
                fail(`Could not export ${workflow.title}`),
              )
          }
        >
          New Relic monitor
        </Button>
      </div>
      <Dialog
        isOpen={open !== undefined}
        onOpenChange={isOpen => {
          if (!isOpen) {
            setOpen(undefined);
          }
        }}
        width={720}
      >
        <DialogHeader>{workflow.title}</DialogHeader>
        <DialogBody>
          {run.error && (
            <Alert
              status="danger"
              icon
              title="The run could not be read"
              description={wordsOf(run.error)}
            />
          )}
          {run.data && <Evidence run={run.data} />}
          {run.isPending && <Skeleton width="100%" height={200} />}
        </DialogBody>
        <DialogFooter>
          <Button variant="secondary" onPress={() => setOpen(undefined)}>
            Close
          </Button>
        </DialogFooter>
      </Dialog>
    </li>
  );
}

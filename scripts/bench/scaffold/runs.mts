/** From the submitted form to a service that answers, and where the time went. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../../lib/paths.mts';
import { pause, type PortalApi, type TaskEvent } from './portalApi.mts';

export const TEMPLATE = 'transaction-service-nodejs';
export const OWNER = 'group:default/ledger';

/** Seconds. */
export interface ScaffoldRun {
  service: string;
  url: string;
  /** From the submitted form until `/readyz` of the service answers 200. */
  healthy: number;
  /** Until the task has ended: registered, too. */
  completed: number;
  steps: Record<string, number>;
  /** Phases of the deployment. */
  phases: Record<string, number>;
  /** What the service itself needs, whoever brings it up: its installation, its migrations, its start. */
  serviceOwn: number;
  /** Steps of Rocket's actions without that. */
  rocketOwn: number;
}

interface Step {
  id: string;
  action: string;
}

function stepsOfTemplate(): Step[] {
  const file = join(ROOT, 'templates', TEMPLATE, 'template.yaml');
  return (parse(readFileSync(file, 'utf8')) as { spec: { steps: Step[] } }).spec
    .steps;
}

/** Seconds between the first and the last that the log says of each step. */
export function stepSeconds(events: TaskEvent[]): Record<string, number> {
  const spans = new Map<string, { from: number; to: number }>();
  for (const { createdAt, body } of events) {
    if (!body.stepId) continue;
    const at = Date.parse(
      // SQLite's own times carry no zone; they are UTC.
      /Z|[+-]\d\d:?\d\d$/.test(createdAt) ? createdAt : `${createdAt}Z`,
    );
    const span = spans.get(body.stepId);
    if (!span) spans.set(body.stepId, { from: at, to: at });
    else span.to = Math.max(span.to, at);
  }
  return Object.fromEntries(
    [...spans].map(([id, { from, to }]) => [id, (to - from) / 1000]),
  );
}

export async function scaffoldOnce(api: PortalApi): Promise<ScaffoldRun> {
  const service = `bench-ledger-${randomBytes(3).toString('hex')}`;
  const started = performance.now();
  const since = () => (performance.now() - started) / 1000;
  const task = await api.startTask(TEMPLATE, {
    name: service,
    owner: OWNER,
    description: 'Keeps the books of a benchmark.',
    businessModel: 'domain:default/payments',
    criticalPathStep: {
      criticalPath: 'criticalpath:default/transaction-posting',
      step: 'post',
    },
    ci: 'github',
    broker: 'log',
  });
  let healthy = NaN;
  let url = '';
  let over = false;
  const watching = (async () => {
    while (!over && !(healthy > 0)) {
      await pause(100);
      const found = await api.service(service).catch(() => undefined);
      if (found?.state !== 'healthy' || !found.url) continue;
      url = found.url;
      const ready = await fetch(`${url}/readyz`).catch(() => undefined);
      if (ready?.ok) healthy = since();
    }
  })();
  let events: TaskEvent[];
  try {
    events = await api.endOfTask(task, 600);
  } finally {
    over = true;
  }
  const completed = since();
  await watching;
  const steps = stepSeconds(events);
  const phases = Object.fromEntries(
    (await api.service(service)).phases.map(
      ({ phase, startedAt, finishedAt }) => [
        phase,
        (Date.parse(finishedAt ?? '') - Date.parse(startedAt ?? '')) / 1000 ||
          0,
      ],
    ),
  );
  const serviceOwn = ['install', 'migrate', 'start', 'health'].reduce(
    (sum, phase) => sum + (phases[phase] ?? 0),
    0,
  );
  const inActions = stepsOfTemplate()
    .filter(({ action }) => action.startsWith('rocket:'))
    .reduce((sum, { id }) => sum + (steps[id] ?? 0), 0);
  return {
    service,
    url,
    healthy,
    completed,
    steps,
    phases,
    serviceOwn,
    rocketOwn: Math.max(0, inActions - serviceOwn),
  };
}

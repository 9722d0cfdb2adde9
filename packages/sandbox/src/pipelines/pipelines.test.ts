import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import {
  doraMetrics,
  doraSamples,
  pushRequestSchema,
  type PushRequest,
} from '@rocket/plugin-ci-registry-common';
import { loadScenario, TrafficModel } from '../traffic';
import { startPipelines } from './PipelinePlayer';
import { pipelineRuns } from './pipelineRuns';

const DAY = 86_400_000;
const ANCHOR = Date.parse('2026-11-20T00:00:00Z') / DAY;
const NOW = ANCHOR * DAY + DAY / 2;

async function demo() {
  const model = new TrafficModel(
    await loadScenario(
      path.resolve(__dirname, '../../../../examples/traffic.yaml'),
    ),
    ANCHOR,
  );
  return {
    markersBetween: (from: number, to: number) =>
      model.markersBetween(from, to),
    runs: pipelineRuns(model.markersBetween(NOW - 30 * DAY, NOW)),
  };
}

it('gives the same runs each time, of the shape that the registry takes', async () => {
  const { runs, markersBetween } = await demo();
  expect(runs.length).toBeGreaterThan(50);
  expect(pipelineRuns(markersBetween(NOW - 30 * DAY, NOW))).toEqual(runs);
  for (const { push } of runs) {
    expect(pushRequestSchema.safeParse(push).error).toBeUndefined();
  }
  const ids = runs.flatMap(({ push }) =>
    push.deployments!.map(one => `${one.component} ${one.id}`),
  );
  expect(new Set(ids).size).toBe(ids.length);
});

it('rolls the deployment back that caused the incident, when it ended', async () => {
  const { runs } = await demo();
  const rolledBack = runs.flatMap(({ push }) =>
    push.deployments!.filter(one => one.outcome === 'rolled-back'),
  );
  expect(rolledBack.length).toBeGreaterThan(0);
  for (const one of rolledBack) {
    expect(one).toMatchObject({
      component: 'component:default/authorization-service',
      version: expect.stringContaining('-hotfix.1'),
      reason: 'Alert: Server errors above 5 %',
    });
    // Four minutes until the errors began, and the 38 minutes of the incident.
    expect(
      (Date.parse(one.finishedAt!) - Date.parse(one.startedAt)) / 60_000,
    ).toBe(42);
  }
});

it('makes figures of every DORA metric', async () => {
  const { runs } = await demo();
  const reports = runs.flatMap(({ push }) =>
    push
      .deployments!.filter(one => one.environment === 'production')
      .map(one => ({ push, one })),
  );
  const samples = [...new Set(reports.map(({ one }) => one.component))].map(
    component => {
      const own = reports.filter(({ one }) => one.component === component);
      return doraSamples({
        deployments: own.map(({ one }) => ({
          id: one.id,
          commit: one.commit!,
          outcome: one.outcome as 'succeeded',
          startedAt: Date.parse(one.startedAt),
          finishedAt: Date.parse(one.finishedAt!),
          remediates: one.remediates ?? [],
          brought: [],
        })),
        contents: new Map(
          own.map(({ push }) => [
            push.source.commit,
            [
              ...push.builds![0].commits!.map(({ sha }) => sha),
              ...(push.source.ancestors ?? []),
            ],
          ]),
        ),
        commitTimes: new Map(
          own.flatMap(({ push }) =>
            push.builds![0].commits!.map(({ sha, time }) => [
              sha,
              Date.parse(time),
            ]),
          ),
        ),
      });
    },
  );
  const metrics = doraMetrics(samples, { from: NOW - 28 * DAY, to: NOW });
  for (const figure of Object.values(metrics)) {
    expect(figure.value).not.toBeNull();
  }
  expect(metrics.changeFailureRate.value).toBeLessThan(0.3);
});

describe('startPipelines', () => {
  let server: http.Server;
  let answer: (push: PushRequest, attempt: number) => number;
  let pushes: PushRequest[];
  let attempts: number;

  beforeEach(async () => {
    pushes = [];
    attempts = 0;
    answer = () => 200;
    server = http.createServer((req, res) => {
      let text = '';
      req.on('data', part => (text += part));
      req.on('end', () => {
        attempts += 1;
        const push = JSON.parse(text);
        const status = answer(push, attempts);
        if (status === 200) pushes.push(push);
        res.writeHead(status).end('{}');
      });
    });
    await new Promise<void>(resolve =>
      server.listen(0, '127.0.0.1', () => resolve()),
    );
  });
  afterEach(() => new Promise(resolve => server.close(resolve)));

  async function start() {
    const { markersBetween } = await demo();
    const warn = jest.fn();
    const pipelines = startPipelines({
      markersBetween,
      historyDays: 30,
      portalUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      token: 'secret',
      retryMs: 1,
      logger: { info: jest.fn(), warn },
      now: () => NOW,
    });
    await pipelines.ready;
    await pipelines.stop();
    return warn;
  }

  it('pushes the history in order, also when the portal is not up yet', async () => {
    answer = (_, attempt) => (attempt <= 3 ? 503 : 200);
    const warn = await start();
    const { markersBetween } = await demo();
    // The runs before the history say which commit came before.
    const runs = pipelineRuns(markersBetween(NOW - 45 * DAY, NOW + DAY));
    expect(pushes).toEqual(
      runs
        .filter(({ at }) => at >= NOW - 30 * DAY && at < NOW)
        .map(({ push }) => JSON.parse(JSON.stringify(push))),
    );
    expect(warn).not.toHaveBeenCalled();
  });

  it('stops when it is not let in, and passes over what is refused', async () => {
    answer = () => 403;
    const forbidden = await start();
    expect(attempts).toBe(1);
    expect(forbidden).toHaveBeenCalledTimes(1);
    answer = (_, attempt) => (attempt === 2 ? 400 : 200);
    const refused = await start();
    expect(refused).toHaveBeenCalledTimes(1);
    expect(pushes.length).toBeGreaterThan(50);
  });
});

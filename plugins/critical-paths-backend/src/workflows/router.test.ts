import { createContext, Script } from 'node:vm';
import {
  TestDatabases,
  mockCredentials,
  mockErrorHandler,
  mockServices,
} from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type {
  WorkflowRunDetail,
  WorkflowsResponse,
} from '@rocket/plugin-critical-paths-common';
import express from 'express';
import request from 'supertest';
import { PathDirectory } from '../service/PathDirectory';
import { DatabaseSignalStore } from '../store/DatabaseSignalStore';
import { componentEntity, pathEntity } from '../testing/entities';
import { POSTING, startLedger, startTarget } from '../testing/workflows';
import { DatabaseWorkflowStore } from './DatabaseWorkflowStore';
import { createWorkflowRouter } from './router';
import { readWorkflowSettings } from './settings';
import { TargetResolver } from './TargetResolver';
import { WorkflowExecutor } from './WorkflowExecutor';
import { WorkflowService } from './WorkflowService';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3'] });
const BASE = '/paths/default/posting/workflows';

describe('workflow routes', () => {
  const closers: (() => void)[] = [];
  afterEach(() => closers.splice(0).forEach(close => close()));

  async function start(
    baseUrl: string,
    options: {
      deny?: string;
      hidden?: boolean;
      headers?: Record<string, string>;
    } = {},
  ) {
    const knex = await databases.init('SQLITE_3');
    const database = mockServices.database({ knex });
    await DatabaseSignalStore.create({ database });
    const store = await DatabaseWorkflowStore.create({ database });
    const settings = readWorkflowSettings(
      mockServices.rootConfig({
        data: {
          criticalPaths: {
            workflows: {
              targets: {
                ledger: {
                  baseUrl,
                  allowAddresses: ['127.0.0.1'],
                  paths: ['posting'],
                  ...(options.headers && { headers: options.headers }),
                },
              },
            },
          },
        },
      }),
    );
    const catalog = catalogServiceMock({
      entities: [
        pathEntity('posting', ['ledger'], { workflows: [POSTING] }),
        pathEntity('stranger', ['ledger'], { workflows: [POSTING] }),
        pathEntity('plain', ['ledger']),
        componentEntity('ledger'),
      ],
    });
    const logger = mockServices.logger.mock();
    const auth = mockServices.auth();
    const directory = new PathDirectory({ catalog, auth, logger });
    if (options.hidden) {
      jest.spyOn(directory, 'visibleTo').mockResolvedValue(new Set());
    }
    const targets = new TargetResolver({
      settings,
      auth,
      provisioning: { getService: jest.fn() },
    });
    const executor = new WorkflowExecutor({
      store,
      targets,
      notifier: { ran: async () => {} },
      settings,
      logger,
    });
    const app = express()
      .use(
        createWorkflowRouter({
          workflows: new WorkflowService({
            store,
            directory,
            executor,
            targets,
            settings,
          }),
          httpAuth: mockServices.httpAuth(),
          permissions: mockServices.permissions.mock({
            authorize: async asked =>
              asked.map(({ permission }) => ({
                result:
                  permission.name === options.deny
                    ? AuthorizeResult.DENY
                    : AuthorizeResult.ALLOW,
              })),
          }),
          auditor: mockServices.auditor.mock({
            createEvent: async () => ({
              success: async () => {},
              fail: async () => {},
            }),
          }),
        }),
      )
      .use(mockErrorHandler());
    return { app, executor };
  }

  it('runs a workflow now and shows it with its evidence', async () => {
    const ledger = await startLedger();
    closers.push(ledger.close);
    const { app, executor } = await start(ledger.url);
    const before: WorkflowsResponse = (await request(app).get(BASE)).body;
    expect(before.workflows).toEqual([
      expect.objectContaining({
        name: 'post-and-read',
        status: 'not-run',
        message: 'it has not run yet',
        alertAfter: 1,
        nextRunAt: null,
        uptime: { runs: 0, passed: 0, completed: null },
        runs: [],
      }),
    ]);
    const started = await request(app).post(`${BASE}/post-and-read/runs`);
    expect(started.status).toBe(202);
    await executor.idle();

    const detail: WorkflowRunDetail = (
      await request(app).get(`${BASE}/post-and-read/runs/${started.body.id}`)
    ).body;
    expect(detail).toMatchObject({
      status: 'passed',
      trigger: 'manual',
      startedBy: 'user:default/mock',
      pathRef: 'criticalpath:default/posting',
    });
    expect(detail.steps.map(s => s.name)).toEqual(['open', 'post', 'read']);
    const after: WorkflowsResponse = (await request(app).get(BASE)).body;
    expect(after.mayRun).toBe(true);
    expect(after.workflows[0]).toMatchObject({
      status: 'passed',
      running: false,
      uptime: { runs: 1, passed: 1, completed: 1 },
      runs: [{ id: started.body.id, status: 'passed' }],
    });
    const page = await request(app).get(`${BASE}/post-and-read/runs?limit=1`);
    expect(page.body.runs).toHaveLength(1);
    const next = await request(app).get(
      `${BASE}/post-and-read/runs?limit=1&before=${page.body.nextBefore}`,
    );
    expect(next.body).toEqual({ runs: [], nextBefore: null });
    expect(
      (await request(app).get('/paths/default/plain/workflows')).body,
    ).toMatchObject({ workflows: [] });
  });

  it('starts no second run beside one, and none where it may not go', async () => {
    let asked = () => {};
    const first = new Promise<void>(resolve => (asked = resolve));
    const slow = await startTarget(() => asked());
    closers.push(slow.close);
    const { app, executor } = await start(slow.url);
    await request(app).post(`${BASE}/post-and-read/runs`).expect(202);
    await first;
    const second = await request(app).post(`${BASE}/post-and-read/runs`);
    expect(second.status).toBe(409);
    expect(second.body.error.message).toBe(
      'Workflow post-and-read is running already; look at that run',
    );
    const stranger = await request(app).post(
      '/paths/default/stranger/workflows/post-and-read/runs',
    );
    expect(stranger.status).toBe(409);
    expect(stranger.body.error.message).toBe(
      'Workflow post-and-read cannot run: the path is not in criticalPaths.workflows.targets.ledger.paths',
    );
    await executor.stop();
  });

  it.each([
    ['get', `${BASE}/other/runs`, 404, 'has no workflow other'],
    ['get', '/paths/default/none/workflows', 404, 'There is no'],
    [
      'get',
      `${BASE}/post-and-read/runs/00000000-0000-4000-8000-000000000000`,
      404,
      'has no run',
    ],
    [
      'get',
      `${BASE}/post-and-read/runs/7`,
      400,
      'path parameter id must be the id of a run, was "7"',
    ],
    [
      'get',
      `${BASE}/post-and-read/runs?limit=0`,
      400,
      'query parameter limit must be a whole number from 1 to 200, was "0"',
    ],
    [
      'get',
      `${BASE}/post-and-read/runs?before=yesterday`,
      400,
      'query parameter before must be a time in ISO 8601, was "yesterday"',
    ],
    ['get', `${BASE}?window=2h`, 400, 'query parameter window must be 1h'],
    ['post', `${BASE}/Evil!/runs`, 400, 'path parameter workflow must be'],
  ] as const)('%s %s answers %d', async (method, url, status, message) => {
    const { app } = await start('http://127.0.0.1:1');
    const response = await request(app)[method](url);
    expect(response.status).toBe(status);
    expect(response.body.error.message).toContain(message);
  });

  it('asks for sign-in and permission on every route, and hides paths', async () => {
    const calls = (app: express.Express) => [
      request(app).get(BASE),
      request(app).get(`${BASE}/post-and-read/runs`),
      request(app).get(
        `${BASE}/post-and-read/runs/00000000-0000-4000-8000-000000000000`,
      ),
      request(app).get(`${BASE}/post-and-read/newrelic.js`),
      request(app).post(`${BASE}/post-and-read/runs`),
    ];
    const open = await start('http://127.0.0.1:1');
    for (const call of calls(open.app)) {
      const none = await call.set(
        'authorization',
        mockCredentials.none.header(),
      );
      expect(none.status).toBe(401);
    }
    const read = await start('http://127.0.0.1:1', {
      deny: 'critical-paths.read',
    });
    for (const call of calls(read.app).slice(0, 4)) {
      expect((await call).status).toBe(403);
    }
    const run = await start('http://127.0.0.1:1', {
      deny: 'critical-paths.workflow.run',
    });
    const refused = await request(run.app).post(`${BASE}/post-and-read/runs`);
    expect(refused.status).toBe(403);
    expect((await request(run.app).get(BASE)).body.mayRun).toBe(false);
    const hidden = await start('http://127.0.0.1:1', { hidden: true });
    for (const call of calls(hidden.app)) {
      expect((await call).status).toBe(404);
    }
  });

  it.each([
    ['passes on the ledger', true, undefined, /^All 3 steps passed$/],
    [
      'fails on a broken one',
      false,
      'Step post: expected {"status":201}',
      /^post: 500 /,
    ],
  ])(
    'exports a script for New Relic that %s, as its own run does',
    async (_, healthy, message, lastLine) => {
      const ledger = healthy
        ? await startLedger()
        : await startTarget(({ url }) =>
            url === '/v1/accounts'
              ? {
                  status: 201,
                  headers: { location: '/v1/accounts/a' },
                  body: {},
                }
              : { status: 500, body: {} },
          );
      closers.push(ledger.close);
      const { app, executor } = await start(ledger.url, {
        headers: { authorization: 'Bearer top-secret-token' },
      });
      const own = await request(app).post(`${BASE}/post-and-read/runs`);
      await executor.idle();
      const run: WorkflowRunDetail = (
        await request(app).get(`${BASE}/post-and-read/runs/${own.body.id}`)
      ).body;
      expect(run.status).toBe(healthy ? 'passed' : 'failed');

      const exported = await request(app).get(
        `${BASE}/post-and-read/newrelic.js`,
      );
      expect(exported.headers['content-disposition']).toBe(
        'attachment; filename="post-and-read.newrelic.js"',
      );
      expect(exported.text).not.toContain('top-secret-token');
      const ownRequests = ledger.seen.splice(0);
      const { lines, failure } = await runMonitor(exported.text);
      expect(failure?.message).toBe(message);
      expect(lines.at(-1)).toMatch(lastLine);
      const shape = (r: (typeof ownRequests)[number]) => [
        r.method,
        r.url.replace(/a-\d+/, 'a-n'),
        r.headers.authorization,
        r.headers['x-rocket-synthetic'],
        r.headers['content-type'],
        Object.keys(r.body ?? {}),
      ];
      expect(ledger.seen.map(shape)).toEqual(ownRequests.map(shape));
      expect(ledger.seen[0].headers.authorization).toBe(
        'Bearer top-secret-token',
      );
    },
  );
});

/** Runs a script as a New Relic monitor does: `$http` asks and calls back, a thrown error is the failure. */
async function runMonitor(script: string) {
  const lines: string[] = [];
  let failure: Error | undefined;
  let open = 0;
  const guard = (work: () => void) => {
    try {
      work();
    } catch (error) {
      failure = error as Error;
    }
  };
  const done = new Promise<void>(resolve => {
    const $http = (options: any, callback: Function) => {
      open += 1;
      fetch(options.url, {
        method: options.method,
        headers: options.headers,
        body: options.body,
        redirect: 'manual',
        signal: AbortSignal.timeout(options.timeout),
      })
        .then(async response => ({
          response: {
            statusCode: response.status,
            headers: Object.fromEntries(response.headers),
          },
          body: await response.text(),
        }))
        .then(
          ({ response, body }) => guard(() => callback(null, response, body)),
          error => guard(() => callback(error)),
        )
        .finally(() => {
          open -= 1;
          if (open === 0) {
            resolve();
          }
        });
    };
    guard(() =>
      new Script(script).runInContext(
        createContext({
          require,
          URL,
          BigInt,
          console: { log: (line: string) => lines.push(line) },
          $secure: { ROCKET_LEDGER_AUTHORIZATION: 'Bearer top-secret-token' },
          $http,
        }),
      ),
    );
  });
  await done;
  return { lines, failure };
}

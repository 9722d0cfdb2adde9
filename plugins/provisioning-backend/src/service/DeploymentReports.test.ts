import { resolvePackagePath } from '@backstage/backend-plugin-api';
import { TestDatabases, mockServices } from '@backstage/backend-test-utils';
import { ConflictError, ServiceUnavailableError } from '@backstage/errors';
import type { Runtime } from '@rocket/plugin-provisioning-node';
import type { GitHost } from '../git/GitHost';
import { Deployer } from './Deployer';
import { DeploymentReports } from './DeploymentReports';
import type { ServiceRecord, ServiceStore } from './ServiceStore';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3'] });
const OLD = 'a'.repeat(40);
const NEW = 'b'.repeat(40);
const QUEUED = '2026-11-21T08:00:00.000Z';

const record: ServiceRecord = {
  name: 'ledger',
  entityRef: 'component:default/ledger',
  owner: 'group:default/money',
  repository: 'ledger-repo',
  runtime: 'local',
  desired: 'running',
  runningCommit: OLD,
  deployCommit: NEW,
  deployStatus: 'running',
  phases: [{ phase: 'queued', status: 'running', startedAt: QUEUED }],
  state: 'deploying',
  restarts: 0,
  createdBy: 'user:default/guest',
  updatedAt: QUEUED,
};

async function setUp() {
  const db = await databases.init('SQLITE_3');
  await db.migrate.latest({
    directory: resolvePackagePath(
      '@rocket/plugin-provisioning-backend',
      'migrations',
    ),
  });
  const push = jest.fn();
  const commits = [
    { sha: NEW, time: '2026-11-21T07:50:00Z', subject: 'Post twice at most' },
  ];
  const log = jest.fn(async () => commits);
  const clock = { now: Date.parse('2026-11-21T08:01:00.000Z') };
  const logger = mockServices.logger.mock();
  const reports = new DeploymentReports({
    db,
    host: { log },
    registry: { push },
    auth: mockServices.auth(),
    logger,
    now: () => clock.now,
  });
  const deploy = jest.fn();
  const update = jest.fn(async () => {});
  const deployer = new Deployer({
    store: { update, addVersion: update } as unknown as ServiceStore,
    host: {} as GitHost,
    runtimes: new Map([
      [
        'local',
        { deploy, start: async () => ({ url: '' }) } as unknown as Runtime,
      ],
    ]),
    listener: reports,
    logger,
  });
  const told = () =>
    push.mock.calls.map(([body]) => {
      const { id, outcome } = body.deployments[0];
      return [id, outcome];
    });
  return {
    clock,
    commits,
    db,
    deploy,
    deployer,
    log,
    logger,
    push,
    reports,
    told,
  };
}

const never = new AbortController().signal;
const ID = `local:bbbbbbbbbbbb:${QUEUED}`;

it('tells the start and the end of a deployment, with what it brings', async () => {
  const { commits, deploy, deployer, log, push, reports, told } = await setUp();
  deploy.mockResolvedValue({ url: 'http://127.0.0.1:7100' });
  await deployer.deploy(record, NEW, never);
  await reports.send();
  expect(told()).toEqual([
    [ID, 'in-progress'],
    [ID, 'succeeded'],
  ]);
  expect(log).toHaveBeenCalledWith('ledger-repo', NEW, {
    after: OLD,
    limit: 200,
  });
  expect(push.mock.calls[1][0]).toEqual({
    source: {
      repository: 'ledger-repo',
      commit: NEW,
      pipeline: `local-runtime:ledger:${QUEUED}`,
      time: '2026-11-21T08:01:00.000Z',
    },
    deployments: [
      {
        id: ID,
        component: 'component:default/ledger',
        environment: 'local',
        commit: NEW,
        startedAt: QUEUED,
        finishedAt: '2026-11-21T08:01:00.000Z',
        outcome: 'succeeded',
        replaced: { commit: OLD },
        commits,
      },
    ],
  });
});

it('tells why one failed, and that one was called off', async () => {
  const { deploy, deployer, push, reports } = await setUp();
  deploy.mockRejectedValue(new Error('GET /health answered 500'));
  await deployer.deploy(record, NEW, never);
  const stop = new AbortController();
  stop.abort(new Error('The service was stopped meanwhile'));
  await deployer.deploy(record, NEW, stop.signal);
  await reports.send();
  expect(
    push.mock.calls.map(([body]) => [
      body.deployments[0].outcome,
      body.deployments[0].reason,
    ]),
  ).toEqual([
    ['in-progress', undefined],
    ['failed', 'GET /health answered 500'],
    ['in-progress', undefined],
    ['cancelled', 'The service was stopped meanwhile'],
  ]);
});

it('keeps the order and loses nothing while the registry is away', async () => {
  const { clock, db, deploy, deployer, push, reports, told } = await setUp();
  push.mockRejectedValue(new ServiceUnavailableError('away'));
  deploy.mockResolvedValue({ url: '' });
  await deployer.deploy(record, NEW, never);
  // The second report was a reason to try at once; from here on there is none.
  await reports.send();
  await reports.send();
  expect(await db('deployment_reports')).toHaveLength(2);
  const tried = push.mock.calls.length;
  // Not again before its time.
  await reports.send();
  expect(push).toHaveBeenCalledTimes(tried);
  push.mockReset();
  push.mockResolvedValue({});
  clock.now += 300_000;
  await reports.send();
  expect(told()).toEqual([
    [ID, 'in-progress'],
    [ID, 'succeeded'],
  ]);
  expect(await db('deployment_reports')).toEqual([]);
});

it('passes over what the registry refuses for good', async () => {
  const { deploy, deployer, logger, push, reports, told } = await setUp();
  push.mockRejectedValueOnce(new ConflictError('belongs to another'));
  deploy.mockResolvedValue({ url: '' });
  await deployer.deploy(record, NEW, never);
  await reports.send();
  expect(told()).toHaveLength(2);
  expect(logger.error).toHaveBeenCalledWith(
    expect.stringContaining('belongs to another'),
  );
});

it('does not let a deployment fail that cannot be noted', async () => {
  const { db, deploy, deployer, logger } = await setUp();
  await db.schema.dropTable('deployment_reports');
  deploy.mockResolvedValue({ url: '' });
  await deployer.deploy(record, NEW, never);
  expect(deploy).toHaveBeenCalledTimes(1);
  expect(logger.error).toHaveBeenCalledWith(
    expect.stringContaining('could not be noted'),
  );
});

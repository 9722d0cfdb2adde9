import { TestDatabases, mockServices } from '@backstage/backend-test-utils';
import { NotFoundError } from '@backstage/errors';
import type { NotificationSendOptions } from '@backstage/plugin-notifications-node';
import {
  parseCriticalPath,
  resolvePath,
  indexComponents,
  type ResolvedPath,
  type Workflow,
} from '@rocket/plugin-critical-paths-common';
import type { PathModel } from '../service/PathDirectory';
import { DatabaseSignalStore } from '../store/DatabaseSignalStore';
import { componentEntity, pathEntity } from '../testing/entities';
import { POSTING, startLedger, startTarget } from '../testing/workflows';
import { DatabaseWorkflowStore } from './DatabaseWorkflowStore';
import { readWorkflowSettings } from './settings';
import { StoredWorkflowReader } from './summaries';
import { TargetResolver } from './TargetResolver';
import { WorkflowCycle } from './WorkflowCycle';
import { WorkflowExecutor } from './WorkflowExecutor';
import { WorkflowNotifier } from './WorkflowNotifier';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const PATH = 'criticalpath:default/posting';
const EVERY = 300_000;

describe.each(databases.eachSupportedId())('workflows on %p', databaseId => {
  let now: number;
  let store: DatabaseWorkflowStore;
  let sent: NotificationSendOptions['payload'][];
  let recipients: NotificationSendOptions['recipients'][];
  let notificationsUp: boolean;
  let downtime: { to: string; reason: string } | undefined;
  const closers: (() => void)[] = [];

  beforeEach(async () => {
    now = Date.parse('2026-11-01T10:00:00Z');
    const knex = await databases.init(databaseId);
    const database = mockServices.database({ knex });
    await DatabaseSignalStore.create({ database });
    store = await DatabaseWorkflowStore.create({ database });
    sent = [];
    recipients = [];
    notificationsUp = true;
    downtime = undefined;
  });
  afterEach(() => closers.splice(0).forEach(close => close()));

  function model(...workflows: Workflow[]): PathModel {
    const entity = pathEntity('posting', ['ledger'], { workflows });
    const path: ResolvedPath = resolvePath(
      parseCriticalPath(entity),
      indexComponents([componentEntity('ledger')]),
    );
    return { paths: new Map([[PATH, path]]), components: new Map() };
  }

  /** One backend with its own executor over the shared database. */
  function replica(
    url: string | undefined,
    paths: PathModel,
    options: {
      concurrency?: number;
      leaseMs?: number;
      services?: Record<string, string>;
    } = {},
  ) {
    const { leaseMs, services = {} } = options;
    const settings = readWorkflowSettings(
      mockServices.rootConfig({
        data: {
          criticalPaths: {
            workflows: {
              concurrency: options.concurrency ?? 4,
              ...(url && {
                targets: {
                  ledger: { baseUrl: url, allowAddresses: ['127.0.0.0/8'] },
                },
              }),
            },
          },
        },
      }),
    );
    const logger = mockServices.logger.mock();
    const directory = { model: async () => paths };
    const executor = new WorkflowExecutor({
      store,
      targets: new TargetResolver({
        settings,
        auth: mockServices.auth(),
        provisioning: {
          async getService(name) {
            if (!services[name]) {
              throw new NotFoundError(`no service ${name}`);
            }
            return {
              name,
              entityRef: `component:default/${name}`,
              url: services[name],
            } as any;
          },
        },
      }),
      notifier: new WorkflowNotifier({
        notifications: {
          async send(notification) {
            if (!notificationsUp) {
              throw new Error('notifications are down');
            }
            sent.push(notification.payload);
            recipients.push(notification.recipients);
          },
        },
        store,
        settings,
        logger,
      }),
      settings,
      logger,
      now: () => now,
      leaseMs,
    });
    const cycle = new WorkflowCycle({
      store,
      directory,
      executor,
      settings,
      downtime: async () => downtime,
      logger,
      now: () => now,
      leaseMs,
    });
    const reader = new StoredWorkflowReader({ store, directory });
    return {
      executor,
      cycle,
      /** What the board shows over an hour. */
      summary: async () => (await reader.summaries(60, now)).get(PATH),
      async tick() {
        await cycle.tick();
        await executor.idle();
      },
    };
  }

  const runs = async (workflow = 'post-and-read') =>
    (await store.listRuns({ pathRef: PATH, workflow }, { limit: 50 })).map(
      r => r.status,
    );

  it('runs what is due, on one of two replicas, on schedule', async () => {
    const ledger = await startLedger();
    closers.push(ledger.close);
    const paths = model(POSTING);
    const a = replica(ledger.url, paths);
    const b = replica(ledger.url, paths);
    expect(await a.summary()).toMatchObject({
      status: 'not-run',
      title: 'Post and read back',
      completed: null,
      runs: 0,
    });
    await Promise.all([a.tick(), b.tick()]);
    expect(await runs()).toEqual(['passed']);
    expect(ledger.seen).toHaveLength(3);
    now += EVERY - 1;
    await Promise.all([a.tick(), b.tick()]);
    expect(await runs()).toHaveLength(1);
    now += 1;
    await Promise.all([b.tick(), a.tick()]);
    expect(await runs()).toEqual(['passed', 'passed']);
    expect(await b.summary()).toMatchObject({
      status: 'passed',
      completed: 1,
      runs: 2,
      lastRunAt: '2026-11-01T10:05:00.000Z',
    });
    expect(sent).toEqual([]);
  });

  it('tells the owner once when it fails and once when it works again', async () => {
    let up = false;
    const server = await startTarget(() =>
      up ? { status: 200, body: {} } : { status: 503, body: {} },
    );
    closers.push(server.close);
    const { tick, summary } = replica(
      server.url,
      model({
        name: 'walk',
        target: 'ledger',
        steps: [{ name: 'ask', title: 'Ask the ledger', path: '/' }],
      }),
    );
    await tick();
    expect(await summary()).toMatchObject({
      status: 'failed',
      failedStep: 'ask',
      message: 'expected status is 2xx, found 503',
      completed: 0,
    });
    expect(recipients).toEqual([
      { type: 'entity', entityRef: 'group:default/ledger' },
    ]);
    expect(sent).toEqual([
      {
        title: 'posting: workflow walk failed at step Ask the ledger',
        description:
          'expected status is 2xx, found 503. Run of 2026-11-01T10:00:00.000Z, 1 in a row.',
        link: '/critical-paths/default/posting#workflow-walk',
        severity: 'high',
        topic: 'critical-paths',
        scope: `workflow:${PATH}/walk`,
      },
    ]);
    now += EVERY;
    await tick();
    expect(sent).toHaveLength(1);
    up = true;
    now += EVERY;
    await tick();
    now += EVERY;
    await tick();
    expect(sent.slice(1)).toEqual([
      expect.objectContaining({
        title: 'posting: workflow walk completes again',
        severity: 'normal',
        scope: `workflow:${PATH}/walk`,
      }),
    ]);
    expect(await summary()).toMatchObject({ status: 'passed', completed: 0.5 });
  });

  it('waits for the second failure when it is told to, and tells later when it could not', async () => {
    const gone = await startTarget(() => {});
    gone.close();
    const { tick } = replica(
      gone.url,
      model({
        name: 'walk',
        target: 'ledger',
        criticality: 'informational',
        alertAfter: 2,
        steps: [{ name: 'ask', path: '/' }],
      }),
    );
    await tick();
    expect(sent).toEqual([]);
    notificationsUp = false;
    now += EVERY;
    await tick();
    notificationsUp = true;
    now += EVERY;
    await tick();
    expect(sent).toEqual([
      expect.objectContaining({
        severity: 'normal',
        description:
          'the connection was refused. Run of 2026-11-01T10:10:00.000Z, 3 in a row.',
      }),
    ]);
  });

  it('says why there is nothing to run against, and is neither red nor green', async () => {
    const onComponent = { ...POSTING, target: 'component:ledger' };
    const paths = model(onComponent);
    const { tick, summary, executor } = replica(undefined, paths);
    await tick();
    expect(await summary()).toMatchObject({
      status: 'not-run',
      message: 'no target: component:default/ledger is not deployed',
    });
    expect(await runs()).toEqual([]);
    await expect(
      executor.start(
        paths.paths.get(PATH)!,
        paths.paths.get(PATH)!.path.workflows[0],
        {
          trigger: 'manual',
        },
      ),
    ).resolves.toEqual({
      status: 'no-target',
      reason: 'no target: component:default/ledger is not deployed',
    });

    const stranger = replica(
      undefined,
      model({ ...POSTING, target: 'component:somebody-else' }),
      { services: { 'somebody-else': 'http://127.0.0.1:1' } },
    );
    now += EVERY;
    await stranger.tick();
    expect(await stranger.summary()).toMatchObject({
      status: 'not-run',
      message: 'component:default/somebody-else is no application of the path',
    });

    const ledger = await startLedger();
    closers.push(ledger.close);
    const deployed = replica(undefined, paths, {
      services: { ledger: ledger.url },
    });
    now += EVERY;
    await deployed.tick();
    expect(await deployed.summary()).toMatchObject({ status: 'passed' });
  });

  it('leaves planned downtime out', async () => {
    const { tick, summary } = replica('http://127.0.0.1:1', model(POSTING));
    downtime = { to: '2026-11-01T12:00:00Z', reason: 'new database' };
    await tick();
    expect(await summary()).toMatchObject({
      status: 'not-run',
      message: 'planned downtime until 2026-11-01T12:00:00Z: new database',
    });
    expect(await runs()).toEqual([]);
    downtime = undefined;
    now += EVERY;
    await tick();
    expect(await runs()).toEqual(['failed']);
  });

  it('marks the run of a killed backend as aborted after the restart, and runs again', async () => {
    let hang = true;
    let asked = () => {};
    const first = new Promise<void>(resolve => (asked = resolve));
    const server = await startTarget(() => {
      asked();
      return hang ? undefined : { body: {} };
    });
    closers.push(server.close);
    const paths = model({
      name: 'walk',
      target: 'ledger',
      steps: [{ name: 'ask', path: '/' }],
    });
    // A killed process renews nothing: its heartbeat is longer than the test.
    const killed = replica(server.url, paths, { leaseMs: 600_000 });
    await killed.cycle.tick();
    await first;
    expect(await runs('walk')).toEqual(['running']);

    hang = false;
    const restarted = replica(server.url, paths, { leaseMs: 600_000 });
    now += 600_000;
    await restarted.tick();
    expect(await runs('walk')).toEqual(['passed', 'aborted']);
    expect(await restarted.summary()).toMatchObject({ runs: 1, completed: 1 });
    expect(sent).toEqual([]);
    server.close();
    await killed.executor.idle();
    expect(await runs('walk')).toEqual(['passed', 'aborted']);
  });

  it('ends without a verdict when the backend is stopped', async () => {
    let asked = () => {};
    const first = new Promise<void>(resolve => (asked = resolve));
    const server = await startTarget(() => asked());
    closers.push(server.close);
    const { cycle, executor, summary } = replica(
      server.url,
      model({
        name: 'walk',
        target: 'ledger',
        steps: [{ name: 'ask', path: '/' }],
      }),
    );
    await cycle.tick();
    await first;
    await executor.stop();
    expect(await runs('walk')).toEqual(['aborted']);
    expect(await summary()).toMatchObject({ status: 'not-run', runs: 0 });
  });

  it('starts no more at a time than it may, and the rest when there is room', async () => {
    let waiting: (() => void)[] = [];
    const server = await startTarget((_, res) => {
      waiting.push(() => res.writeHead(200).end('{}'));
    });
    closers.push(server.close);
    const { cycle, executor } = replica(
      server.url,
      model(
        ...['a', 'b', 'c'].map(name => ({
          name,
          target: 'ledger',
          steps: [{ name: 'ask', path: '/' }],
        })),
      ),
      { concurrency: 2 },
    );
    await cycle.tick();
    expect(executor.active).toBe(2);
    await cycle.tick();
    expect(executor.active).toBe(2);
    const release = async () => {
      while (executor.active > 0) {
        waiting.forEach(answer => answer());
        waiting = [];
        await new Promise(resolve => setImmediate(resolve));
      }
    };
    await release();
    await cycle.tick();
    expect(executor.active).toBe(1);
    await release();
    expect(await Promise.all(['a', 'b', 'c'].map(name => runs(name)))).toEqual([
      ['passed'],
      ['passed'],
      ['passed'],
    ]);
  });

  it('is stale when it should have run since', async () => {
    const ledger = await startLedger();
    closers.push(ledger.close);
    const { tick, summary } = replica(ledger.url, model(POSTING));
    await tick();
    now += 2 * EVERY + 120_000;
    expect(await summary()).toMatchObject({ status: 'passed' });
    now += 1;
    expect(await summary()).toMatchObject({
      status: 'stale',
      message: 'the last run ended at 2026-11-01T10:00:00.000Z',
    });
  });
});

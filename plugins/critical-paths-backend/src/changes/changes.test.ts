import { TestDatabases, mockServices } from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import type {
  ChangeFeedRequest,
  SourceDeployment,
  SourceIncident,
  SourceServiceLevel,
  TelemetrySource,
} from '@rocket/plugin-critical-paths-node';
import { PathDirectory } from '../service/PathDirectory';
import { DatabaseSignalStore } from '../store/DatabaseSignalStore';
import { componentEntity, pathEntity } from '../testing/entities';
import { FakeSource } from '../testing/FakeSource';
import { ChangeCollector } from './ChangeCollector';
import type { StoredChange } from './ChangeStore';
import { DatabaseChangeStore } from './DatabaseChangeStore';
import { ServiceLevelCollector } from './ServiceLevelCollector';

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const never = new AbortController().signal;
const NOW = Date.parse('2026-03-10T12:00:30Z') / 1000;
const HOUR = 3600;
const DAY = 86_400;
const LEDGER = 'component:default/ledger';
const NOTIFY = 'component:default/notify';

/** A source that knows changes: everything of it in the window that is asked for. */
class ChangingSource extends FakeSource {
  deployments: (Omit<SourceDeployment, 'key' | 'at'> & {
    app: string;
    at: number;
  })[] = [];
  incidents: (Omit<SourceIncident, 'key'> & { app: string })[] = [];
  levels: (Omit<SourceServiceLevel, 'key'> & { app: string })[] = [];
  asked: ChangeFeedRequest[] = [];
  failingApp?: string;
  down?: string;

  async fetchChanges(request: ChangeFeedRequest) {
    this.asked.push(request);
    if (this.down) throw new Error(this.down);
    const inside = (date: Date) => date >= request.from && date < request.to;
    const keyOf = (app: string) =>
      request.applications.find(a => a.appName === app)?.key;
    const answered = (one: { app: string }) =>
      keyOf(one.app) !== undefined && one.app !== this.failingApp;
    return {
      deployments: this.deployments
        .filter(answered)
        .map(({ app, at, ...rest }) => ({
          ...rest,
          key: keyOf(app)!,
          at: new Date(at * 1000),
        }))
        .filter(({ at }) => inside(at)),
      incidents: this.incidents
        .filter(answered)
        .filter(i => inside(i.openedAt) || (i.closedAt && inside(i.closedAt)))
        .map(({ app, ...rest }) => ({ ...rest, key: keyOf(app)! })),
      failures: this.failingApp
        ? [{ keys: [keyOf(this.failingApp)!], message: 'account eu: refused' }]
        : [],
      requests: 2,
    };
  }

  async fetchServiceLevels(request: {
    applications: { key: string; appName: string }[];
  }) {
    return {
      levels: this.levels.flatMap(({ app, ...level }) =>
        request.applications
          .filter(({ appName }) => appName === app)
          .map(({ key }) => ({ ...level, key })),
      ),
      failures: [],
      requests: 3,
    };
  }
}

const incident = (
  app: string,
  id: string,
  openedAt: number,
  more: Partial<SourceIncident> = {},
) => ({
  app,
  id,
  title: `${app}: errors above 5 %`,
  priority: 'critical' as const,
  muted: false,
  openedAt: new Date(openedAt * 1000),
  ...more,
});

describe.each(databases.eachSupportedId())('changes on %p', databaseId => {
  let store: DatabaseChangeStore;
  let signals: DatabaseSignalStore;
  let source: ChangingSource;
  let now: number;
  let entities: Entity[];
  const warnings: string[] = [];

  beforeEach(async () => {
    const database = mockServices.database({
      knex: await databases.init(databaseId),
    });
    signals = await DatabaseSignalStore.create({ database });
    store = new DatabaseChangeStore(await database.getClient());
    source = new ChangingSource();
    now = NOW;
    warnings.length = 0;
    entities = [
      pathEntity('posting', ['ledger', 'notify']),
      componentEntity('ledger'),
      componentEntity('notify'),
    ];
  });

  const options = () => ({
    store,
    signals,
    directory: new PathDirectory({
      catalog: catalogServiceMock({ entities }),
      auth: mockServices.auth(),
      logger: mockServices.logger.mock(),
    }),
    sources: new Map<string, TelemetrySource>([[source.id, source]]),
    settings: { backfillMinutes: 30 * 1440 },
    logger: mockServices.logger.mock({
      warn: message => void warnings.push(message),
    }),
    now: () => now * 1000,
  });
  const collect = () => new ChangeCollector(options()).runCycle(never);
  const list = (over: Partial<Parameters<typeof store.listChanges>[0]> = {}) =>
    store.listChanges({
      entityRefs: [LEDGER, NOTIFY],
      from: NOW - 40 * DAY,
      to: NOW + 40 * DAY,
      ...over,
    });
  const ids = (changes: StoredChange[]) => changes.map(c => c.externalId);

  it('reads everything once, then what is new with the last half hour again', async () => {
    source.deployments = [
      { app: 'ledger', id: 'd1', at: NOW - 20 * DAY, version: '1.0.0' },
      { app: 'notify', id: 'd2', at: NOW - HOUR, version: '2.0.0', user: 'ci' },
    ];
    source.incidents = [incident('ledger', 'i1', NOW - 2 * HOUR)];
    expect(await collect()).toMatchObject({
      applications: 2,
      requests: 2,
      changes: 3,
    });
    expect(source.asked[0].from).toEqual(new Date((NOW - 30 * DAY) * 1000));
    now += 60;
    // Told late: its time is before the last reading.
    source.deployments.push({ app: 'ledger', id: 'd3', at: NOW - 600 });
    source.incidents = [
      incident('ledger', 'i1', NOW - 2 * HOUR, {
        closedAt: new Date((NOW + 30) * 1000),
        degradedAt: new Date((NOW - 2 * HOUR - 180) * 1000),
        recoveredAt: new Date((NOW - 60) * 1000),
        closeCause: 'EVALUATOR',
      }),
    ];
    expect((await collect()).changes).toBe(2);
    expect(source.asked).toHaveLength(2);
    expect(source.asked[1].from).toEqual(new Date((NOW - 1800) * 1000));
    expect((await collect()).changes).toBe(0);
    expect(ids(await list())).toEqual(['d1', 'i1', 'd2', 'd3']);
    expect((await list({ entityRefs: [NOTIFY] }))[0]).toEqual({
      kind: 'deployment',
      source: 'newrelic',
      externalId: 'd2',
      entityRef: NOTIFY,
      startTime: NOW - HOUR,
      title: 'notify 2.0.0',
      version: '2.0.0',
      detail: 'by ci',
    });
    expect((await list({ kinds: ['incident'] }))[0]).toMatchObject({
      startTime: NOW - 2 * HOUR,
      endTime: NOW + 30,
      incident: {
        degradedTime: NOW - 2 * HOUR - 180,
        recoveredTime: NOW - 60,
        closeCause: 'EVALUATOR',
      },
    });
  });

  it('loses nothing to an outage of the source, and says so once', async () => {
    await collect();
    source.down = 'New Relic cannot be reached';
    const collector = new ChangeCollector(options());
    for (let minute = 0; minute < 3; minute++) {
      now += 2 * HOUR;
      const report = await collector.runCycle(never);
      expect([...report.failures]).toEqual([
        ['New Relic cannot be reached', 2],
      ]);
    }
    expect(warnings).toEqual([expect.stringContaining('cannot be reached')]);
    source.deployments = [
      { app: 'ledger', id: 'missed', at: NOW + HOUR, version: '1.0.1' },
    ];
    source.down = undefined;
    now += 60;
    expect((await collector.runCycle(never)).changes).toBe(1);
    expect(ids(await list())).toEqual(['missed']);
    const [feed] = await store.listFeeds([
      { source: 'newrelic', appName: 'ledger' },
    ]);
    expect(feed).toMatchObject({
      readUntilTime: now,
      lastError: 'New Relic cannot be reached',
    });
  });

  it('keeps a failing application from the others', async () => {
    source.failingApp = 'notify';
    source.deployments = [
      { app: 'ledger', id: 'd1', at: NOW - 60 },
      { app: 'notify', id: 'd2', at: NOW - 60 },
    ];
    const report = await collect();
    expect([...report.failures]).toEqual([['account eu: refused', 1]]);
    expect(ids(await list())).toEqual(['d1']);
    source.failingApp = undefined;
    now += 5 * HOUR;
    await collect();
    expect(ids(await list())).toEqual(['d1', 'd2']);
  });

  it('shows what overlaps a window, the newest when there are too many', async () => {
    const chaos = (id: string, startTime: number, endTime?: number) => ({
      kind: 'chaos' as const,
      source: 'chaos',
      externalId: id,
      entityRef: LEDGER,
      startTime,
      endTime,
      title: id,
    });
    await store.saveChanges(
      [
        chaos('before', NOW - 100, NOW - 50),
        chaos('into', NOW - 100, NOW + 10),
        chaos('running', NOW - 100),
        chaos('forgotten', NOW - 2 * DAY),
        chaos('inside', NOW + 20, NOW + 30),
        chaos('after', NOW + 100, NOW + 200),
        { ...chaos('moment', NOW - 1), kind: 'deployment' },
        { ...chaos('open', NOW - 20 * DAY), kind: 'incident' },
      ],
      NOW,
    );
    const window = { from: NOW, to: NOW + 100 };
    expect(ids(await list(window))).toEqual([
      'open',
      'into',
      'running',
      'inside',
    ]);
    expect(ids(await list({ ...window, limit: 2 }))).toEqual([
      'running',
      'inside',
    ]);
    expect(ids(await list({ ...window, kinds: ['incident'] }))).toEqual([
      'open',
    ]);
  });

  it('takes a deployment that two sources tell as one', async () => {
    const deployment = (of: Partial<StoredChange>) => ({
      kind: 'deployment' as const,
      source: 'ci-registry',
      externalId: 'x',
      entityRef: LEDGER,
      startTime: NOW,
      title: 'ledger',
      version: '1.4.2',
      ...of,
    });
    await store.saveChanges([deployment({})], NOW);
    const told = (over: Partial<StoredChange>) =>
      store.saveChanges(
        [deployment({ source: 'newrelic', externalId: 'y', ...over })],
        NOW,
      );
    expect(await told({ startTime: NOW + 300 })).toBe(0);
    expect(await told({ startTime: NOW + 300 })).toBe(0);
    // Another version, another application, a redeployment: not the same.
    expect(
      await store.saveChanges(
        [
          deployment({ source: 'newrelic', externalId: 'y' }),
          deployment({
            source: 'newrelic',
            externalId: 'y2',
            version: '1.4.3',
          }),
        ],
        NOW,
      ),
    ).toBe(1);
    expect(await told({ entityRef: NOTIFY })).toBe(1);
    expect(await told({ startTime: NOW + HOUR, externalId: 'y3' })).toBe(1);
    expect(ids(await list({ entityRefs: [LEDGER] }))).toEqual([
      'x',
      'y2',
      'y3',
    ]);
  });

  it('ends an incident whose end was never told', async () => {
    source.incidents = [incident('ledger', 'lost', NOW - 20 * DAY)];
    await collect();
    now += 10 * DAY;
    await collect();
    expect((await list())[0].endTime).toBeUndefined();
    now += DAY;
    await collect();
    const [lost] = await list();
    expect(lost.endTime).toBe(NOW + 10 * DAY);
    expect(lost.incident?.notCounted).toBe('Fake never told its end');
  });

  it('prunes what is over, and no open incident', async () => {
    source.incidents = [incident('ledger', 'open', NOW - 20 * DAY)];
    source.deployments = [
      { app: 'ledger', id: 'old', at: NOW - 20 * DAY },
      { app: 'ledger', id: 'new', at: NOW - DAY },
    ];
    await collect();
    await store.prune(NOW - 10 * DAY);
    expect(ids(await list())).toEqual(['open', 'new']);
  });

  it('tells the replicas that boards are out of date, when something is new', async () => {
    source.deployments = [{ app: 'ledger', id: 'd1', at: NOW - 60 }];
    await collect();
    const { changes } = await signals.changesSince(0);
    expect(changes).toHaveLength(1);
    await collect();
    expect((await signals.changesSince(changes[0].seq)).changes).toEqual([]);
  });

  it('holds service levels against our own hours, and says where it cannot', async () => {
    const to = Math.floor((NOW - 600) / HOUR) * HOUR;
    const level = (over: Partial<SourceServiceLevel>) => ({
      app: 'ledger',
      id: 'a',
      name: 'Ledger availability',
      sli: 'availability' as const,
      target: 99.9,
      windowDays: 1,
      from: new Date((to - DAY) * 1000),
      to: new Date(to * 1000),
      valid: 1000,
      good: 998,
      query: 'SELECT sum(newrelic.sli.good) FROM Metric',
      ...over,
    });
    source.levels = [
      level({}),
      level({ id: 'b', criticalPath: 'other' }),
      level({ id: 'c', sli: 'latency', thresholdMs: 300, good: 900 }),
      level({ id: 'd', sli: 'latency', thresholdMs: 250 }),
      level({ id: 'e', sli: 'other' }),
      level({ id: 'f', valid: null, good: null }),
      level({ id: 'g', from: new Date((to - 2 * DAY) * 1000) }),
    ];
    const [series] = await signals.registerSeries(
      [
        {
          pathRef: 'criticalpath:default/posting',
          componentRef: LEDGER,
          step: 'ledger',
          selection: {
            source: source.id,
            appName: 'ledger',
            criticalPath: 'posting',
          },
        },
      ],
      NOW,
    );
    await signals.replaceWindow({
      level: 'hour',
      from: (to - DAY) / 60,
      to: to / 60,
      time: NOW,
      entries: [
        {
          seriesId: series.id,
          cells: [
            {
              at: (to - HOUR) / 60,
              valid: 1000,
              good: 997,
              histogram: [10, 1000],
              thresholds: [{ threshold: 300, within: 901, of: 1000 }],
            },
          ],
        },
      ],
    });
    const report = await new ServiceLevelCollector(options()).runCycle(never);
    expect(report).toMatchObject({ levels: 7, requests: 3 });
    const figures = (await store.listServiceLevels([LEDGER])).map(l => [
      l.externalId,
      l.ourGood,
      l.ourValid,
      l.comparison,
    ]);
    expect(figures).toEqual([
      [
        'a',
        997,
        1000,
        'Availability over all critical paths of the application',
      ],
      ['b', null, null, 'Nothing is collected of the critical path other'],
      [
        'c',
        901,
        1000,
        'Requests within 300 ms over all critical paths of the application',
      ],
      ['d', null, null, expect.stringContaining('no objective of the path')],
      ['e', null, null, expect.stringContaining('none that Rocket counts by')],
      ['f', null, null, 'Nothing was measured yet'],
      ['g', null, null, 'Only 50 % of its time is collected'],
    ]);
    // One that was deleted at the source goes.
    source.levels = [level({})];
    await new ServiceLevelCollector(options()).runCycle(never);
    expect(await store.listServiceLevels([LEDGER])).toHaveLength(1);
  });
});

import type {
  NewRelicService,
  NrqlOutcome,
  NrqlQuery,
} from '@rocket/newrelic-node';
import { MAX_EVENTS } from './changeQueries';
import { splitLiterals } from './__tests__/nrqlText';
import { NewRelicChanges } from './NewRelicChanges';
import { whyNotCounted } from './readChanges';

const FROM = new Date('2026-03-01T00:00:00Z');
const TO = new Date('2026-03-02T00:00:00Z');
const T = FROM.getTime() + 3_600_000;

type Rows = Record<string, unknown>[];
const outcomeOf = (results: Rows): NrqlOutcome => ({
  ok: true,
  result: {
    results,
    totalResult: null,
    otherResult: null,
    metadata: { facets: null, messages: null, timeWindow: null },
  },
});
const window = ({ nrql }: NrqlQuery) => ({
  from: Number(/SINCE (\d+)/.exec(nrql)![1]),
  to: Number(/UNTIL (\d+)/.exec(nrql)![1]),
  type: /FROM (\w+)/.exec(nrql)![1],
});

class FakeNewRelic implements NewRelicService {
  readonly asked: { account?: string; nrql: string }[] = [];
  rows: (query: ReturnType<typeof window>, account: string) => Rows | Error =
    () => [];
  data: (query: string, variables: Record<string, any>) => unknown = () => null;

  listAccounts() {
    return [];
  }
  getAccount(name: string = 'main') {
    if (name !== 'main' && name !== 'eu') {
      throw new Error(`There is no New Relic account named '${name}'`);
    }
    return {
      name,
      id: name === 'main' ? 1 : 2,
      region: 'US' as const,
      uiBaseUrl: 'https://one.newrelic.com',
    };
  }
  async query(
    account: string | undefined,
    queries: NrqlQuery[],
    options?: { onRequest?: () => void },
  ) {
    options?.onRequest?.();
    return queries.map((query): NrqlOutcome => {
      this.asked.push({ account, nrql: query.nrql });
      const rows = this.rows(window(query), account!);
      return rows instanceof Error
        ? { ok: false, error: rows }
        : outcomeOf(rows);
    });
  }
  async graphql<D>(
    _account: string | undefined,
    request: { query: string; variables?: Record<string, unknown> },
    options?: { onRequest?: () => void },
  ) {
    options?.onRequest?.();
    return {
      data: this.data(request.query, request.variables ?? {}) as D,
      errors: [],
    };
  }
  stats() {
    return { requests: 0, retries: 0, failures: 0 };
  }
}

const applications = [
  { key: 'a', appName: 'authorization-service' },
  { key: 'l', appName: 'ledger', account: 'eu' },
];

describe('changes from New Relic', () => {
  let newrelic: FakeNewRelic;
  let changes: NewRelicChanges;
  beforeEach(() => {
    newrelic = new FakeNewRelic();
    changes = new NewRelicChanges(newrelic);
  });
  const fetch = (asked = applications) =>
    changes.fetchChanges({ applications: asked, from: FROM, to: TO });

  it('asks each account for its own applications, with both ends and all rows', async () => {
    await fetch();
    expect(newrelic.asked).toHaveLength(6);
    for (const { account, nrql } of newrelic.asked) {
      expect(nrql).toContain(
        account === 'eu'
          ? "entity.name IN ('ledger')"
          : "entity.name IN ('authorization-service')",
      );
      expect(nrql).toContain(
        ` SINCE ${FROM.getTime()} UNTIL ${TO.getTime()} LIMIT MAX`,
      );
    }
  });

  it('pairs open and close, in any order and letter case', async () => {
    const open = {
      'entity.name': 'authorization-service',
      incidentId: 'i1',
      event: 'open',
      timestamp: T,
      openTime: T,
      degradationTime: T - 180_000,
      priority: 'critical',
      title: 'Server errors',
      muted: false,
    };
    const close = {
      ...open,
      event: 'Close',
      timestamp: T + 600_000,
      closeTime: T + 600_000,
      recoveryTime: T + 420_000,
      closeCause: 'EVALUATOR',
    };
    const other = { ...open, incidentId: 'i2', priority: 'WARNING' };
    for (const rows of [
      [close, open, other],
      [other, open, close],
    ]) {
      newrelic.rows = ({ type }, account) =>
        type === 'NrAiIncident' && account === 'main' ? rows : [];
      const { incidents, failures } = await fetch();
      expect(failures).toEqual([]);
      expect(incidents).toHaveLength(2);
      expect(incidents).toEqual(
        expect.arrayContaining([
          expect.objectContaining({
            key: 'a',
            id: 'i1',
            openedAt: new Date(T),
            closedAt: new Date(T + 600_000),
            degradedAt: new Date(T - 180_000),
            recoveredAt: new Date(T + 420_000),
            closeCause: 'EVALUATOR',
            notCounted: undefined,
          }),
          expect.objectContaining({
            id: 'i2',
            priority: 'warning',
            closedAt: undefined,
          }),
        ]),
      );
    }
  });

  it.each([
    ['EVALUATOR', undefined],
    ['USER', undefined],
    ['LOSS_OF_SIGNAL', undefined],
    [undefined, undefined],
    ['EXPIRED', 'it expired'],
    ['expired', 'it expired'],
    ['CONDITION_DELETED', 'its condition was deleted'],
    ['CONDITION_DISABLED', 'its condition was disabled'],
    ['CONDITION_MODIFIED', 'its condition was changed'],
    ['CONDITION_MOVED', 'its condition is no longer what it was'],
    ['POLICY_DELETED', 'its policy was deleted'],
  ])('counts a close cause %s: %s', (cause, why) => {
    expect(whyNotCounted(cause)).toBe(why);
  });

  it('reads deployments of both kinds, each once', async () => {
    newrelic.rows = ({ type }, account) => {
      if (account !== 'main' || type === 'NrAiIncident') return [];
      const row = {
        'entity.name': 'authorization-service',
        version: '1.4.2',
        commit: 'abc',
        user: 'ci',
      };
      return type === 'Deployment'
        ? [
            { ...row, timestamp: T, deploymentId: 'd1', description: 'x' },
            { ...row, timestamp: T + 3_600_000, deploymentId: 'd2' },
            // Somebody else's with a name that only looks alike.
            { ...row, timestamp: T, 'entity.name': 'Authorization-Service' },
          ]
        : [
            // The first one again, as change tracking tells it.
            { ...row, timestamp: T + 5_000, changeTrackingId: 'c1' },
            {
              ...row,
              timestamp: T + 9_000,
              changeTrackingId: 'c2',
              version: '1.4.3',
              deepLink: 'data:text/html,x',
            },
          ];
    };
    const { deployments } = await fetch();
    expect(deployments.map(d => [d.id, d.version, d.url])).toEqual([
      ['d1', '1.4.2', undefined],
      ['d2', '1.4.2', undefined],
      ['c2', '1.4.3', undefined],
    ]);
    const [query] = newrelic.asked.filter(q =>
      q.nrql.includes('FROM ChangeTrackingEvent'),
    );
    expect(query.nrql).toContain("category LIKE 'deployment'");
  });

  it('halves a window whose answer was cut off, until it has all', async () => {
    const total = 9_000;
    const times = Array.from(
      { length: total },
      (_, i) => FROM.getTime() + i * 9_000,
    );
    newrelic.rows = ({ from, to, type }, account) =>
      type === 'Deployment' && account === 'main'
        ? times
            .filter(at => at >= from && at < to)
            .slice(0, MAX_EVENTS)
            .map(at => ({
              'entity.name': 'authorization-service',
              timestamp: at,
              deploymentId: `d${at}`,
            }))
        : [];
    const { deployments, failures } = await fetch();
    expect(failures).toEqual([]);
    expect(new Set(deployments.map(d => d.id)).size).toBe(total);
  });

  it('fails an account with its reason, keeps the other, and refuses odd names', async () => {
    newrelic.rows = ({ type }, account) =>
      account === 'eu' && type === 'NrAiIncident'
        ? new Error('NRDB query duration exceeded the set timeout')
        : [];
    const { failures } = await fetch([
      ...applications,
      { key: 'x', appName: 'bad\u0000name' },
      { key: 'y', appName: 'z', account: 'nowhere' },
    ]);
    expect(failures).toEqual([
      { keys: ['x'], message: expect.stringContaining('invisible characters') },
      { keys: ['y'], message: expect.stringContaining('nowhere') },
      { keys: ['l'], message: expect.stringContaining('timeout') },
    ]);
  });

  it('lets a name be nothing but a name', async () => {
    const name = "it's \\ ' OR 1=1 --";
    await fetch([{ key: 'q', appName: name }]);
    for (const { nrql } of newrelic.asked) {
      expect(splitLiterals(nrql).literals[0]).toBe(name);
    }
  });
});

describe('service levels from New Relic', () => {
  const AT = new Date('2026-03-20T12:00:00Z');
  const DAY = 86_400_000;
  const indicator = (over: object = {}, events: object = {}) => ({
    guid: 'SL1',
    name: 'Availability',
    createdAt: AT.getTime() - 100 * DAY,
    events: {
      validEvents: {
        from: 'Transaction',
        where: "appName = 'authorization-service'",
      },
      goodEvents: {
        from: 'Transaction',
        where: 'numeric(http.statusCode) < 500',
      },
      badEvents: null,
      ...events,
    },
    objectives: [
      { target: 99.9, timeWindow: { rolling: { count: 7, unit: 'DAY' } } },
    ],
    ...over,
  });
  const serve = (indicators: object[] | null, rows: Rows) => {
    const newrelic = new FakeNewRelic();
    newrelic.data = (query, { cursor }) =>
      query.includes('entitySearch')
        ? {
            actor: {
              entitySearch: {
                results: {
                  nextCursor: cursor ? null : 'more',
                  entities: [
                    {
                      guid: 'SL1',
                      tags: [
                        { key: 'nr.associatedEntityGuid', values: ['APP'] },
                        { key: 'category', values: ['availability'] },
                      ],
                    },
                  ],
                },
              },
            },
          }
        : {
            actor: {
              g0: [
                {
                  guid: 'APP',
                  name: 'authorization-service',
                  serviceLevel: { indicators },
                },
                { guid: 'OTHER', name: 'other', serviceLevel: { indicators } },
              ],
            },
          };
    newrelic.rows = () => rows;
    return {
      newrelic,
      fetch: () =>
        new NewRelicChanges(newrelic).fetchServiceLevels({
          applications: applications.slice(0, 1),
          at: AT,
        }),
    };
  };
  const row = { facet: 'SL1', valid: 1000, good: 990, bad: 3 };

  it('reads definition and counts', async () => {
    const { fetch, newrelic } = serve([indicator()], [row]);
    const { levels, failures, requests } = await fetch();
    expect(failures).toEqual([]);
    expect(levels).toEqual([
      {
        key: 'a',
        id: 'SL1',
        name: 'Availability',
        sli: 'availability',
        thresholdMs: undefined,
        criticalPath: undefined,
        target: 99.9,
        windowDays: 7,
        from: new Date(AT.getTime() - 7 * DAY),
        to: AT,
        valid: 1000,
        good: 990,
        query: newrelic.asked[0].nrql,
        url: 'https://one.newrelic.com/redirect/entity/SL1',
      },
    ]);
    // Two pages, one request for definitions, one for counts.
    expect(requests).toBe(4);
  });

  it('tells latency, bad events, a path and what it cannot tell', async () => {
    const read = async (over: object, events: object) =>
      (await serve([indicator(over, events)], [row]).fetch()).levels[0];
    expect(
      await read({}, { goodEvents: { where: 'duration <= 0.25' } }),
    ).toMatchObject({ sli: 'latency', thresholdMs: 250 });
    expect(
      await read(
        {},
        { goodEvents: null, badEvents: { where: 'error IS TRUE' } },
      ),
    ).toMatchObject({ sli: 'availability', valid: 1000, good: 997 });
    expect(
      await read(
        {},
        {
          validEvents: {
            where: "appName = 'x' AND criticalPath = 'card\\'s'",
          },
        },
      ),
    ).toMatchObject({ criticalPath: "card's" });
    expect(
      await read({}, { goodEvents: { where: "name LIKE '%x%'" } }),
    ).toMatchObject({ sli: 'other' });
    expect(
      await read(
        {},
        { goodEvents: { where: 'duration < 0.2 AND error IS FALSE' } },
      ),
    ).toMatchObject({ sli: 'other', thresholdMs: undefined });
  });

  it('says nothing where nothing was measured, and takes null for no indicators', async () => {
    expect((await serve([indicator()], []).fetch()).levels[0]).toMatchObject({
      valid: null,
      good: null,
    });
    expect((await serve(null, []).fetch()).levels).toEqual([]);
  });

  it('measures a young one from a mark after it was made, together with others', async () => {
    const young = (guid: string, hoursAgo: number) =>
      indicator({ guid, createdAt: AT.getTime() - hoursAgo * 3_600_000 });
    const { fetch, newrelic } = serve(
      [young('SL1', 50), young('SL2', 58), young('SL3', 1)],
      [row],
    );
    const { levels } = await fetch();
    expect(newrelic.asked).toHaveLength(1);
    const midnight = new Date('2026-03-19T00:00:00Z');
    expect(levels.map(l => [l.id, l.from, l.valid])).toEqual([
      ['SL1', midnight, 1000],
      ['SL2', midnight, null],
      ['SL3', AT, null],
    ]);
  });
});

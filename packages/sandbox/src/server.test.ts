import http from 'node:http';
import { resolve as resolvePath } from 'node:path';
import { createMockDirectory } from '@backstage/backend-test-utils';
import { RunningSandbox, startSandbox } from './server';

const directory = createMockDirectory();
const ACCOUNT = {
  id: 1000001,
  name: 'demo',
  apiKey: 'NRAK-0123456789',
  licenseKey: 'f'.repeat(40),
};
const TOKEN = 'admin-token';

let sandbox: RunningSandbox;
beforeAll(async () => {
  sandbox = await startSandbox({
    port: 0,
    collectorPort: 0,
    dataDir: directory.path,
    accounts: [ACCOUNT],
    adminToken: TOKEN,
  });
  await sandbox.ready;
  const { guid } = sandbox.store.registerApplication({
    accountId: ACCOUNT.id,
    appName: 'ledger-service',
    language: 'java',
    labels: { Team: 'ledger', CriticalPath: 'card-authorization' },
  });
  sandbox.store.registerApplication({
    accountId: ACCOUNT.id,
    appName: "it's quiet",
    language: 'go',
  });
  sandbox.store.append(
    ACCOUNT.id,
    [1, 2, 3, 4].map(minute => ({
      eventType: 'Transaction',
      timestamp: Date.now() - minute * 60_000,
      attributes: {
        appName: 'ledger-service',
        entityGuid: guid,
        duration: minute / 10,
        error: minute === 4,
      },
    })),
  );
});
afterAll(() => sandbox.close());
afterEach(() => sandbox.misbehaviour.clear());

async function post(
  body: unknown,
  headers: Record<string, string> = { 'API-Key': ACCOUNT.apiKey },
) {
  const response = await fetch(`${sandbox.url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** Data and errors of an operation, which has to be answered with 200. */
async function graphql(query: string, variables?: Record<string, unknown>) {
  const { status, body } = await post({ query, variables });
  expect(status).toBe(200);
  return body;
}

const BATCH = `query B($account: Int!, $q0: Nrql!, $q1: Nrql!, $timeout: Seconds) {
  actor { account(id: $account) {
    first: nrql(query: $q0, timeout: $timeout) { results totalResult otherResult metadata { facets messages timeWindow { begin end } } }
    second: nrql(query: $q1, timeout: $timeout) { results }
  } }
}`;
const COUNT = 'SELECT count(*) FROM Transaction';
const batch = (variables: Record<string, unknown> = {}) =>
  graphql(BATCH, { account: ACCOUNT.id, q0: COUNT, q1: COUNT, ...variables });

describe('keys', () => {
  it.each([
    ['no key', {}],
    ['a wrong key', { 'API-Key': 'NRAK-wrong' }],
    ['a license key', { 'API-Key': ACCOUNT.licenseKey }],
  ])('answers %s with 401 and the known body', async (_, headers) => {
    expect(await post({ query: '{ actor { user { id } } }' }, headers)).toEqual(
      {
        status: 401,
        body: {
          errors: [
            {
              extensions: { error_code: 'BAD_API_KEY' },
              message: 'Bad API Key or no API Key provided',
            },
          ],
        },
      },
    );
  });

  it('takes the header in any letter case and never shows the whole key', async () => {
    const { body } = await post(
      {
        query:
          '{ requestContext { userId apiKey } actor { accounts { id name } } }',
      },
      { 'api-KEY': ACCOUNT.apiKey },
    );
    expect(body.data.actor.accounts).toEqual([{ id: 1000001, name: 'demo' }]);
    expect(JSON.stringify(body)).not.toContain(ACCOUNT.apiKey);
  });
});

describe('NRQL', () => {
  it('answers a batch of aliases', async () => {
    const { data, errors } = await batch({
      q0: `${COUNT} FACET appName`,
      timeout: 20,
    });
    expect(errors).toBeUndefined();
    expect(data.actor.account).toEqual({
      first: {
        results: [
          { facet: 'ledger-service', appName: 'ledger-service', count: 4 },
        ],
        totalResult: { count: 4 },
        otherResult: { count: 0 },
        metadata: {
          facets: ['appName'],
          messages: [],
          timeWindow: {
            begin: expect.any(Number),
            end: expect.any(Number),
          },
        },
      },
      second: { results: [{ count: 4 }] },
    });
  });

  it('lets one alias fail alone', async () => {
    const { data, errors } = await batch({ q1: 'SELECT FORM' });
    expect(data.actor.account).toEqual({
      first: expect.objectContaining({ results: [{ count: 4 }] }),
      second: null,
    });
    expect(errors).toEqual([
      expect.objectContaining({
        message:
          'NRQL Syntax Error: Error at line 1 position 12, unexpected end of query',
        path: ['actor', 'account', 'second'],
        locations: [expect.any(Object)],
      }),
    ]);
  });

  it('answers across accounts, by entity and with all that the container has', async () => {
    const [{ guid }] = sandbox.store.applications.list();
    const { data, errors } = await graphql(
      `
        query X($q: Nrql!, $guid: EntityGuid!) {
          actor {
            nrql(accounts: [1000001], query: $q, options: {}, timeout: 70) {
              results
            }
            account(id: 1000001) {
              id
              name
              reportingEventTypes
              nrql(query: $q, async: true) {
                nrql
                results
                currentResults
                previousResults
                rawResponse
                queryProgress {
                  completed
                  queryId
                  resultExpiration
                  retryAfter
                  retryDeadline
                }
                metadata {
                  eventTypes
                  timeWindow {
                    since
                    until
                    compareWith
                  }
                }
              }
            }
            entity(guid: $guid) {
              nrdbQuery(nrql: $q) {
                results
              }
            }
          }
        }
      `,
      { q: COUNT, guid },
    );
    expect(errors).toBeUndefined();
    expect(data.actor).toMatchObject({
      nrql: { results: [{ count: 4 }] },
      account: {
        id: 1000001,
        name: 'demo',
        reportingEventTypes: expect.arrayContaining(['Transaction']),
        nrql: {
          nrql: COUNT,
          currentResults: null,
          previousResults: null,
          queryProgress: {
            completed: true,
            queryId: null,
            resultExpiration: null,
            retryAfter: null,
            retryDeadline: null,
          },
          metadata: {
            eventTypes: ['Transaction'],
            timeWindow: {
              since: '60 MINUTES AGO',
              until: 'NOW',
              compareWith: null,
            },
          },
          rawResponse: {
            performanceStats: { inspectedCount: 4, matchCount: 4 },
          },
        },
      },
      entity: { nrdbQuery: { results: [{ count: 4 }] } },
    });
  });

  it.each<[Record<string, unknown>, string, string[]]>([
    [
      { account: 5 },
      'You are not authorized to query account 5',
      ['actor', 'account'],
    ],
    [
      { q0: '' },
      "Validation error on 'nrql': a query must be specified",
      ['actor', 'account', 'first'],
    ],
    [
      { timeout: 200 },
      'timeout must be between 5 and 120 seconds, got 200',
      ['actor', 'account', 'first'],
    ],
  ])('refuses %j', async (variables, message, path) => {
    const { errors } = await batch(variables);
    expect(errors[0]).toMatchObject({ message, path });
  });

  it.each<[string, string]>([
    ['{ actor { nope } }', 'Cannot query field "nope" on type "Actor".'],
    [
      'mutation { alertsMutingRuleDelete(accountId: 1) { id } }',
      'Cannot query field "alertsMutingRuleDelete" on type "RootMutationType".',
    ],
    [
      '{ actor { account(id: 1) { nrql { results } } } }',
      'argument "query" of type "Nrql!" is required',
    ],
    ['{ actor {', 'Syntax Error'],
    [`{ ${'a '.repeat(21_000)} }`, 'token'],
  ])('answers %s with 200 and an error only', async (query, message) => {
    const body = await graphql(query);
    expect(body.data).toBeUndefined();
    expect(body.errors[0].message).toContain(message);
  });
});

describe('HTTP', () => {
  it.each<[string, string, number]>([
    ['no JSON', '{', 400],
    ['no query', '{}', 400],
    ['too much', JSON.stringify({ query: 'x'.repeat(1_100_000) }), 413],
  ])('answers %s with a status and a sentence', async (_, body, status) => {
    const answer = await post(body);
    expect(answer.status).toBe(status);
    expect(answer.body.errors[0].message).toEqual(expect.any(String));
  });

  it('knows its addresses and methods', async () => {
    const get = async (path: string) =>
      (await fetch(sandbox.url + path)).status;
    expect(await get('/healthz')).toBe(200);
    expect(await get('/nothing')).toBe(404);
    expect(await get('/graphql')).toBe(405);
    expect(await get('/sandbox/misbehave')).toBe(401);
  });

  it('tells how much it holds and did', async () => {
    const before = await (await fetch(`${sandbox.url}/sandbox/status`)).json();
    await batch({ q1: 'nonsense' });
    const after = await (await fetch(`${sandbox.url}/sandbox/status`)).json();
    expect(after).toMatchObject({
      ready: true,
      events: { Transaction: 4 },
      requests: before.requests + 1,
      queries: before.queries + 2,
      failedQueries: before.failedQueries + 1,
    });
    expect(JSON.stringify(after)).not.toContain(ACCOUNT.apiKey);
  });

  it('takes events over the Event API and answers them over NRQL', async () => {
    const response = await fetch(
      `${sandbox.url}/v1/accounts/${ACCOUNT.id}/events`,
      {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          'Api-Key': ACCOUNT.licenseKey,
        },
        body: JSON.stringify([{ eventType: 'Coverage', linesPct: 81.5 }]),
      },
    );
    expect(response.status).toBe(200);
    const { data } = await batch({
      q0: `SELECT latest(linesPct) AS pct FROM Coverage UNTIL ${
        Date.now() + 5000
      }`,
    });
    expect(data.actor.account.first.results).toEqual([{ pct: 81.5 }]);
  });

  it('answers at most 25 requests of a key at a time', async () => {
    sandbox.misbehaviour.add({ kind: 'slow', delayMs: 300, count: 25 });
    const statuses = await Promise.all(
      Array.from({ length: 26 }, async () => {
        const { status } = await post({ query: '{ actor { user { id } } }' });
        return status;
      }),
    );
    expect(statuses.filter(status => status === 429)).toHaveLength(1);
    expect(statuses.filter(status => status === 200)).toHaveLength(25);
    // And is free again afterwards.
    expect((await post({ query: '{ actor { user { id } } }' })).status).toBe(
      200,
    );
  });
});

describe('entities', () => {
  const FIELDS = `count results { nextCursor entities { guid accountId name domain type entityType reporting tags { key values }
    ... on AlertableEntityOutline { alertSeverity }
    ... on ApmApplicationEntityOutline { applicationId language apmSummary { throughput errorRate responseTimeAverage apdexScore } } } }`;
  const search = (query: string) =>
    graphql(
      `query S($q: String!) { actor { entitySearch(query: $q) { ${FIELDS} } } }`,
      { q: query },
    );

  it('shows an application with its tags and signals', async () => {
    const { data, errors } = await search(
      "domain IN ('APM','EXT') AND type IN ('APPLICATION','SERVICE') AND tags.CriticalPath='card-authorization' AND reporting='true'",
    );
    expect(errors).toBeUndefined();
    expect(data.actor.entitySearch).toMatchObject({
      count: 1,
      results: {
        nextCursor: null,
        entities: [
          {
            accountId: 1000001,
            name: 'ledger-service',
            domain: 'APM',
            type: 'APPLICATION',
            entityType: 'APM_APPLICATION_ENTITY',
            reporting: true,
            alertSeverity: 'NOT_CONFIGURED',
            language: 'java',
            tags: expect.arrayContaining([{ key: 'Team', values: ['ledger'] }]),
            apmSummary: {
              throughput: expect.closeTo(4 / 30),
              errorRate: 25,
              responseTimeAverage: expect.closeTo(0.25),
              apdexScore: 1,
            },
          },
        ],
      },
    });
  });

  it.each<[string, number]>([
    ['', 2],
    ["name = 'ledger-service'", 1],
    ["name = 'LEDGER-SERVICE'", 1],
    ["name LIKE 'ledger'", 1],
    ["name LIKE 'ledger%'", 1],
    ["name LIKE '%ledger'", 0],
    [String.raw`name = 'it\'s quiet'`, 1],
    ["reporting = 'false'", 1],
    ["tags.team = 'ledger' AND tags.language IN ('java')", 1],
    ["tags.`Team` = 'ledger'", 1],
    ["`tags.Team` = 'ledger'", 1],
    ["tags.Team = 'cards'", 0],
    ["(domain = 'APM') AND accountId = 1000001", 2],
  ])('finds by %s', async (query, count) => {
    const { data } = await search(query);
    expect(data.actor.entitySearch.count).toBe(count);
  });

  it.each(["name = 'a' OR name = 'b'", 'name', "owner = 'x'", "name = 'a"])(
    'refuses to search for %s',
    async query => {
      const { data, errors } = await search(query);
      expect(data.actor.entitySearch).toBeNull();
      expect(errors[0]).toMatchObject({
        path: ['actor', 'entitySearch'],
        message: expect.stringContaining('Invalid entity search query'),
        extensions: { errorClass: 'BAD_USER_INPUT' },
      });
    },
  );

  it('gives an entity by GUID with golden metrics that can be run', async () => {
    const [, { guid }] = sandbox.store.applications.list();
    const { data } = await graphql(
      `
        query E($g: EntityGuid!) {
          actor {
            entity(guid: $g) {
              name
              goldenMetrics {
                metrics {
                  name
                  unit
                  query
                }
              }
              ... on ApmApplicationEntity {
                language
              }
            }
            missing: entity(guid: "bm90aGluZw") {
              name
            }
            entities(guids: [$g]) {
              guid
            }
          }
        }
      `,
      { g: guid },
    );
    expect(data.actor).toMatchObject({
      entity: { name: "it's quiet", language: 'go' },
      missing: null,
      entities: [{ guid }],
    });
    for (const { query } of data.actor.entity.goldenMetrics.metrics) {
      const answer = await batch({ q0: query });
      expect(answer.errors).toBeUndefined();
    }
  });
});

describe('change tracking', () => {
  const guid = () => sandbox.store.applications.list()[0].guid;
  const rows = async (nrql: string) => {
    const { data } = await batch({
      q0: `${nrql} SINCE 1 hour ago UNTIL ${Date.now() + 60_000}`,
    });
    return data.actor.account.first.results;
  };

  it('stores a deployment', async () => {
    const timestamp = Date.now() - 1000;
    const { data, errors } = await graphql(
      `
        mutation D($d: ChangeTrackingDeploymentInput!) {
          changeTrackingCreateDeployment(
            deployment: $d
            dataHandlingRules: { validationFlags: [FAIL_ON_FIELD_LENGTH] }
          ) {
            deploymentId
            entityGuid
            timestamp
            version
            deploymentType
            commit
          }
        }
      `,
      {
        d: {
          entityGuid: guid(),
          version: '1.2.3',
          commit: 'abc',
          deploymentType: 'ROLLING',
          timestamp,
        },
      },
    );
    expect(errors).toBeUndefined();
    expect(data.changeTrackingCreateDeployment).toEqual({
      deploymentId: expect.any(String),
      entityGuid: guid(),
      timestamp,
      version: '1.2.3',
      deploymentType: 'ROLLING',
      commit: 'abc',
    });
    expect(
      await rows(
        `FROM Deployment SELECT timestamp, version WHERE entity.guid = '${guid()}'`,
      ),
    ).toEqual([{ timestamp, version: '1.2.3' }]);
  });

  const EVENT = `mutation E($e: ChangeTrackingCreateEventInput!, $r: ChangeTrackingDataHandlingRules) {
    changeTrackingCreateEvent(changeTrackingEvent: $e, dataHandlingRules: $r) {
      messages
      changeTrackingEvent { changeTrackingId category type categoryAndType timestamp customAttributes entity { guid name }
        ... on ChangeTrackingDeploymentEvent { version commit } } } }`;
  const input = (more = {}) => ({
    categoryAndTypeData: {
      kind: { category: 'deployment', type: 'basic' },
      categoryFields: { deployment: { version: '9', commit: 'c0ffee' } },
    },
    entitySearch: { query: `id = '${guid()}'` },
    customAttributes: { ring: 2, blue: true },
    ...more,
  });

  it('stores a change event', async () => {
    const { data, errors } = await graphql(EVENT, { e: input() });
    expect(errors).toBeUndefined();
    expect(data.changeTrackingCreateEvent.changeTrackingEvent).toMatchObject({
      category: 'Deployment',
      type: 'Basic',
      version: '9',
      commit: 'c0ffee',
      customAttributes: { ring: 2, blue: true },
      entity: { guid: guid(), name: 'ledger-service' },
    });
    expect(
      await rows(
        "FROM ChangeTrackingEvent SELECT count(*) WHERE category = 'Deployment' AND ring = 2 AND blue IS TRUE AND version = '9'",
      ),
    ).toEqual([{ count: 1 }]);
  });

  it.each<[string, () => object, string]>([
    [
      'an entity that is not there',
      () => ({ entitySearch: { query: "name = 'x'" } }),
      'it matches 0',
    ],
    [
      'several entities',
      () => ({ entitySearch: { query: "domain = 'APM'" } }),
      'it matches 2',
    ],
    [
      'an unknown category',
      () => ({
        categoryAndTypeData: { kind: { category: 'party', type: 'big' } },
      }),
      "Unknown category 'party'",
    ],
    [
      'a time long ago',
      () => ({ timestamp: Date.now() - 2 * 86_400_000 }),
      'within 24 hours',
    ],
    [
      'nested attributes',
      () => ({ customAttributes: { a: {} } }),
      'customAttributes.a must be',
    ],
  ])('refuses %s', async (_, more, message) => {
    const { data, errors } = await graphql(EVENT, { e: input(more()) });
    expect(data.changeTrackingCreateEvent).toBeNull();
    expect(errors[0].message).toContain(message);
  });

  it('takes own categories when it is told so', async () => {
    const { errors } = await graphql(EVENT, {
      e: input({
        categoryAndTypeData: { kind: { category: 'party', type: 'big' } },
      }),
      r: { validationFlags: ['ALLOW_CUSTOM_CATEGORY_OR_TYPE'] },
    });
    expect(errors).toBeUndefined();
  });
});

describe('misbehaviour', () => {
  const order = async (body: unknown, token = TOKEN) => {
    const response = await fetch(`${sandbox.url}/sandbox/misbehave`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  };

  it.each([
    ['badKey', 401],
    ['http429', 429],
    ['http500', 500],
  ])('%s is answered with %i, as often as asked', async (kind, status) => {
    expect((await order({ kind, count: 2 })).status).toBe(200);
    const query = { query: '{ actor { user { id } } }' };
    const statuses = [];
    for (let i = 0; i < 3; i += 1) statuses.push((await post(query)).status);
    expect(statuses).toEqual([status, status, 200]);
  });

  it('down breaks the connection off, and is over after its time', async () => {
    expect((await order({ kind: 'down', count: 2 })).status).toBe(200);
    const query = { query: '{ actor { user { id } } }' };
    await expect(post(query)).rejects.toThrow('fetch failed');
    await expect(post(query)).rejects.toThrow('fetch failed');
    expect((await post(query)).status).toBe(200);
    // Other routes are not concerned.
    await order({ kind: 'down' });
    expect((await fetch(`${sandbox.url}/healthz`)).status).toBe(200);
  });

  it.each([
    ['timeout', 'TIMEOUT'],
    ['serverError', 'SERVER_ERROR'],
  ])('%s fails each alias it has a count for', async (kind, errorClass) => {
    await order({ kind });
    const { data, errors } = await batch();
    expect(errors).toEqual([
      expect.objectContaining({
        path: ['actor', 'account', 'first'],
        extensions: { errorClass },
      }),
    ]);
    expect(data.actor.account.first).toBeNull();
    expect(data.actor.account.second.results).toEqual([{ count: 4 }]);
    expect((await batch()).errors).toBeUndefined();
  });

  it('partialError fails the alias that is named by its index', async () => {
    await order({
      rules: [
        {
          kind: 'partialError',
          aliasIndex: 1,
          errorClass: 'TOO_MANY_REQUESTS',
          message: 'slow down',
        },
      ],
    });
    const { data, errors } = await batch();
    expect(data.actor.account.first.results).toEqual([{ count: 4 }]);
    expect(errors).toEqual([
      expect.objectContaining({
        message: 'slow down',
        path: ['actor', 'account', 'second'],
        extensions: { errorClass: 'TOO_MANY_REQUESTS' },
      }),
    ]);
  });

  it('nullResult leaves an alias null without an error, only where it matches', async () => {
    await order({ kind: 'nullResult', match: 'max(' });
    const { data, errors } = await batch({
      q1: 'SELECT max(duration) FROM Transaction',
    });
    expect(errors).toBeUndefined();
    expect(data.actor.account.first.results).toEqual([{ count: 4 }]);
    expect(data.actor.account.second).toBeNull();
  });

  it('a gap hides events and keeps the buckets', async () => {
    const end = Date.now();
    const nrql = `SELECT count(*) FROM Transaction TIMESERIES 5 minutes SINCE ${
      end - 600_000
    } UNTIL ${end}`;
    const counts = async () => {
      const { data } = await batch({ q0: nrql });
      return data.actor.account.first.results.map(
        (row: { count: number }) => row.count,
      );
    };
    expect(await counts()).toEqual([0, 4]);
    await order({ kind: 'gap', from: end - 150_000, to: end });
    expect(await counts()).toEqual([0, 2]);
    expect(await counts()).toEqual([0, 2]);
    const response = await fetch(`${sandbox.url}/sandbox/misbehave`, {
      method: 'DELETE',
      headers: { Authorization: `Bearer ${TOKEN}` },
    });
    expect(await response.json()).toEqual({ rules: [] });
    expect(await counts()).toEqual([0, 4]);
  });

  it.each<[string, unknown, number]>([
    ['an unknown kind', { kind: 'explode' }, 400],
    ['an unknown field', { kind: 'slow', seconds: 3 }, 400],
    ['a gap without times', { kind: 'gap' }, 400],
    ['a count of nothing', { kind: 'slow', count: 0 }, 400],
  ])('refuses %s', async (_, body, status) => {
    const answer = await order(body);
    expect(answer.status).toBe(status);
    expect(answer.body.error).toEqual(expect.any(String));
    expect(sandbox.misbehaviour.pending()).toEqual([]);
  });

  it('listens to nobody without the token', async () => {
    expect((await order({ kind: 'http500' }, 'guess')).status).toBe(401);
    expect(sandbox.misbehaviour.pending()).toEqual([]);
  });
});

describe('life of the process', () => {
  it('listens on the loopback address only and frees its ports when it ends', async () => {
    const other = await startSandbox({
      port: 0,
      collectorPort: 0,
      dataDir: directory.path,
      accounts: [ACCOUNT],
    });
    expect(new URL(other.url).hostname).toBe('127.0.0.1');
    expect(new URL(other.collectorUrl).hostname).toBe('127.0.0.1');
    // Without an admin token there is no such route.
    const response = await fetch(`${other.url}/sandbox/misbehave`);
    expect(response.status).toBe(404);
    await other.close();
    await expect(fetch(other.url)).rejects.toThrow();
    const { port } = new URL(other.url);
    const probe = http.createServer();
    await new Promise<void>(resolve =>
      probe.listen(Number(port), '127.0.0.1', resolve),
    );
    await new Promise(resolve => probe.close(resolve));
  });

  it('answers no query before its history is there, and can be ended meanwhile', async () => {
    const options = {
      port: 0,
      collectorPort: 0,
      dataDir: directory.resolve('with-traffic'),
      accounts: [ACCOUNT],
      scenarioFile: resolvePath(__dirname, '../../../examples/traffic.yaml'),
    };
    const ask = async (url: string) => {
      const [health, answer] = await Promise.all([
        fetch(`${url}/healthz`),
        fetch(`${url}/graphql`, {
          method: 'POST',
          headers: { 'API-Key': ACCOUNT.apiKey },
          body: JSON.stringify({
            query: BATCH,
            variables: { account: ACCOUNT.id, q0: COUNT, q1: COUNT },
          }),
        }),
      ]);
      return [health.status, answer.status];
    };
    const unfinished = await startSandbox({ ...options, historyDays: 30 });
    expect(await ask(unfinished.url)).toEqual([503, 503]);
    await unfinished.close();

    const other = await startSandbox({ ...options, historyDays: 0 });
    await other.ready;
    expect(await ask(other.url)).toEqual([200, 200]);
    await other.close();
  });

  it('keeps what agents and pipelines sent over a restart', async () => {
    const options = {
      port: 0,
      collectorPort: 0,
      dataDir: directory.resolve('restart'),
      accounts: [ACCOUNT],
    };
    const first = await startSandbox(options);
    first.store.append(ACCOUNT.id, [
      { eventType: 'Coverage', timestamp: Date.now(), attributes: { pct: 80 } },
    ]);
    await first.close();
    const second = await startSandbox(options);
    expect(second.store.stats().events).toEqual({ Coverage: 1 });
    await second.close();
  });

  it('does not start halfway when a port is taken', async () => {
    const port = Number(new URL(sandbox.collectorUrl).port);
    await expect(
      startSandbox({
        port: 0,
        collectorPort: port,
        dataDir: directory.path,
        accounts: [ACCOUNT],
      }),
    ).rejects.toMatchObject({ code: 'EADDRINUSE', port });
  });
});

import { readFileSync, writeFileSync } from 'node:fs';
import { createMockDirectory } from '@backstage/backend-test-utils';
import { type RunningSandbox, startSandbox } from './server';

jest.setTimeout(60_000);

const directory = createMockDirectory();
const ACCOUNT = {
  id: 1000001,
  name: 'demo',
  apiKey: 'NRAK-0123456789',
  licenseKey: 'f'.repeat(40),
};

let sandbox: RunningSandbox;
let guid: string;
const start = () =>
  startSandbox({
    port: 0,
    collectorPort: 0,
    dataDir: directory.path,
    accounts: [ACCOUNT],
  });

beforeEach(async () => {
  sandbox = await start();
  await sandbox.ready;
  guid = sandbox.store.registerApplication({
    accountId: ACCOUNT.id,
    appName: 'ledger-service',
    labels: { team: 'ledger' },
  }).guid;
});
afterEach(async () => {
  await sandbox.close();
  directory.clear();
});

async function graphql(query: string, variables: object = {}): Promise<any> {
  const response = await fetch(`${sandbox.url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'API-Key': ACCOUNT.apiKey },
    body: JSON.stringify({ query, variables }),
  });
  expect(response.status).toBe(200);
  return response.json();
}

const POLICY = `mutation P($account: Int!, $policy: AlertsPolicyInput!) {
  alertsPolicyCreate(accountId: $account, policy: $policy) { id name incidentPreference entityGuid }
}`;
const CONDITION = `mutation C($account: Int!, $policyId: ID!, $condition: AlertsNrqlConditionStaticInput!) {
  alertsNrqlConditionStaticCreate(accountId: $account, policyId: $policyId, condition: $condition) {
    id name enabled policyId type entityGuid violationTimeLimitSeconds
    signal { aggregationWindow aggregationMethod aggregationDelay fillOption slideBy }
    terms { operator priority threshold thresholdDuration thresholdOccurrences }
  }
}`;
const SEARCH = `query S($account: Int!, $name: String, $policyId: ID, $cursor: String) {
  actor { account(id: $account) { alerts {
    policiesSearch(searchCriteria: { name: $name }) { totalCount nextCursor policies { id name } }
    nrqlConditionsSearch(searchCriteria: { policyId: $policyId }, cursor: $cursor) {
      totalCount nextCursor nrqlConditions { id name enabled terms { threshold } }
    }
  } } }
}`;
const condition = (changes: object = {}) => ({
  name: 'Errors',
  enabled: true,
  nrql: { query: 'SELECT count(*) FROM Transaction' },
  terms: [
    {
      operator: 'ABOVE',
      priority: 'CRITICAL',
      threshold: 5,
      thresholdDuration: 300,
      thresholdOccurrences: 'ALL',
    },
  ],
  ...changes,
});
const account = ACCOUNT.id;

async function createPolicy(name: string) {
  const { data } = await graphql(POLICY, {
    account,
    policy: { name, incidentPreference: 'PER_CONDITION' },
  });
  return data.alertsPolicyCreate;
}
const createCondition = (policyId: string, changes?: object) =>
  graphql(CONDITION, { account, policyId, condition: condition(changes) });

describe('alerts', () => {
  it('keeps policies and conditions over a restart, and finds policies by name in any case', async () => {
    const policy = await createPolicy('Payments');
    await createPolicy('Cards');
    const made = await createCondition(policy.id);
    expect(made.data.alertsNrqlConditionStaticCreate).toMatchObject({
      policyId: policy.id,
      type: 'STATIC',
      violationTimeLimitSeconds: 259_200,
      signal: {
        aggregationWindow: 60,
        aggregationMethod: 'EVENT_FLOW',
        aggregationDelay: 120,
        fillOption: 'NONE',
        slideBy: null,
      },
    });
    await sandbox.close();
    sandbox = await start();
    const { data } = await graphql(SEARCH, {
      account,
      name: 'pAyments',
      policyId: policy.id,
    });
    const { alerts } = data.actor.account;
    expect(alerts.policiesSearch).toEqual({
      totalCount: 1,
      nextCursor: null,
      policies: [{ id: policy.id, name: 'Payments' }],
    });
    expect(alerts.nrqlConditionsSearch.nrqlConditions).toHaveLength(1);
    // Ids of before are not given again.
    expect((await createPolicy('Third')).id).not.toBe(policy.id);
  });

  it('changes only what an update names, and deletes the conditions with their policy', async () => {
    const policy = await createPolicy('Payments');
    const { id } = (await createCondition(policy.id)).data
      .alertsNrqlConditionStaticCreate;
    await graphql(
      `
        mutation U($account: Int!, $id: ID!) {
          alertsNrqlConditionStaticUpdate(
            accountId: $account
            id: $id
            condition: { enabled: false }
          ) {
            id
          }
        }
      `,
      { account, id },
    );
    const search = async () =>
      (await graphql(SEARCH, { account, policyId: policy.id })).data.actor
        .account.alerts;
    expect((await search()).nrqlConditionsSearch.nrqlConditions).toEqual([
      { id, name: 'Errors', enabled: false, terms: [{ threshold: 5 }] },
    ]);
    await graphql(
      `
        mutation D($account: Int!, $id: ID!) {
          alertsPolicyDelete(accountId: $account, id: $id) {
            id
          }
        }
      `,
      { account, id: policy.id },
    );
    const left = await search();
    expect(left.policiesSearch.totalCount).toBe(0);
    expect(left.nrqlConditionsSearch.totalCount).toBe(0);
    const again = await graphql(
      `
        mutation D($account: Int!, $id: ID!) {
          alertsConditionDelete(accountId: $account, id: $id) {
            id
          }
        }
      `,
      { account, id },
    );
    expect(again.errors[0]).toMatchObject({
      message: 'Not Found',
      extensions: { code: 'BAD_USER_INPUT' },
    });
  });

  it('answers conditions page by page', async () => {
    const { id } = await createPolicy('Payments');
    for (let i = 0; i < 101; i++) await createCondition(id, { name: `c${i}` });
    const page = async (cursor?: string) =>
      (await graphql(SEARCH, { account, policyId: id, cursor })).data.actor
        .account.alerts.nrqlConditionsSearch;
    const first = await page();
    expect([first.totalCount, first.nrqlConditions.length]).toEqual([101, 100]);
    const second = await page(first.nextCursor);
    expect(second.nextCursor).toBeNull();
    expect(second.nrqlConditions.map((c: any) => c.name)).toEqual(['c100']);
  });

  it.each([
    [
      'a window that is too long',
      { signal: { aggregationWindow: 21_660 } },
      'signal.aggregationWindow',
    ],
    [
      'a slide that does not divide the window',
      { signal: { aggregationWindow: 3600, slideBy: 70 } },
      'signal.slideBy',
    ],
    [
      'a duration that is no multiple of the window',
      { signal: { aggregationWindow: 3600, slideBy: 60 } },
      'terms.0.thresholdDuration',
    ],
    [
      'loss of signal without a time',
      { expiration: { openViolationOnExpiration: true } },
      'expiration.expirationDuration',
    ],
    ['no terms', { terms: [] }, 'terms'],
    ['no name', { name: ' ' }, 'name'],
    ['wrong NRQL', { nrql: { query: 'SELECT FORM x' } }, 'nrql.query'],
    [
      'a series',
      { nrql: { query: 'SELECT count(*) FROM Transaction TIMESERIES' } },
      'nrql.query',
    ],
  ])('refuses %s and keeps nothing', async (_, changes, field) => {
    const { id } = await createPolicy('Payments');
    const { data, errors } = await createCondition(id, changes);
    expect(data.alertsNrqlConditionStaticCreate).toBeNull();
    expect(errors[0]).toMatchObject({
      message: 'Validation Error',
      extensions: {
        errorClass: 'BAD_USER_INPUT',
        validationErrors: expect.arrayContaining([
          { name: field, reason: expect.any(String) },
        ]),
      },
    });
    const after = await graphql(SEARCH, { account, policyId: id });
    expect(
      after.data.actor.account.alerts.nrqlConditionsSearch.totalCount,
    ).toBe(0);
  });

  it('lets nobody into another account', async () => {
    const { errors } = await graphql(POLICY, {
      account: 2,
      policy: { name: 'x', incidentPreference: 'PER_POLICY' },
    });
    expect(errors[0].extensions.errorClass).toBe('ACCESS_DENIED');
  });
});

describe('dashboards', () => {
  const CREATE = `mutation D($account: Int!, $dashboard: DashboardInput!) {
    dashboardCreate(accountId: $account, dashboard: $dashboard) { entityResult { guid name } errors { type description } }
  }`;
  const dashboard = (layout = { column: 1, row: 1, width: 12, height: 3 }) => ({
    name: 'Ledger',
    description: 'of the test',
    permissions: 'PUBLIC_READ_ONLY',
    pages: [
      {
        name: 'Signals',
        widgets: [
          {
            title: 'Requests',
            layout,
            visualization: { id: 'viz.line' },
            rawConfiguration: {
              nrqlQueries: [
                {
                  accountIds: [account],
                  query: 'SELECT count(*) FROM Transaction',
                },
              ],
            },
          },
        ],
      },
    ],
  });

  it('is an entity that a search finds and that is read whole', async () => {
    const made = await graphql(CREATE, { account, dashboard: dashboard() });
    expect(made.data.dashboardCreate.errors).toBeNull();
    const own = made.data.dashboardCreate.entityResult.guid;
    expect(Buffer.from(own, 'base64').toString()).toMatch(
      /^1000001\|VIZ\|DASHBOARD\|/,
    );
    const { data } = await graphql(
      `
        query F($guid: EntityGuid!) {
          actor {
            entitySearch(query: "type = 'DASHBOARD' AND name = 'Ledger'") {
              results {
                entities {
                  guid
                  ... on DashboardEntityOutline {
                    dashboardParentGuid
                  }
                }
              }
            }
            entity(guid: $guid) {
              name
              ... on DashboardEntity {
                description
                pages {
                  name
                  widgets {
                    title
                    layout {
                      width
                    }
                    rawConfiguration
                  }
                }
              }
            }
          }
        }
      `,
      { guid: own },
    );
    expect(data.actor.entitySearch.results.entities).toEqual([
      { guid: own, dashboardParentGuid: null },
    ]);
    expect(data.actor.entity).toMatchObject({
      description: 'of the test',
      pages: [
        {
          widgets: [
            {
              layout: { width: 12 },
              rawConfiguration: { nrqlQueries: [{ accountIds: [account] }] },
            },
          ],
        },
      ],
    });
    const DELETE = `mutation X($guid: EntityGuid!) { dashboardDelete(guid: $guid) { status errors { type } } }`;
    expect((await graphql(DELETE, { guid: own })).data.dashboardDelete).toEqual(
      { status: 'SUCCESS', errors: null },
    );
    expect((await graphql(DELETE, { guid: own })).data.dashboardDelete).toEqual(
      { status: 'FAILURE', errors: [{ type: 'DASHBOARD_NOT_FOUND' }] },
    );
  });

  it('tells what is wrong in errors of the answer', async () => {
    const wide = { column: 8, row: 1, width: 6, height: 3 };
    const { data, errors } = await graphql(CREATE, {
      account,
      dashboard: dashboard(wide),
    });
    expect(errors).toBeUndefined();
    expect(data.dashboardCreate).toMatchObject({
      entityResult: null,
      errors: [{ type: 'INVALID_INPUT' }],
    });
  });
});

describe('tags and service levels', () => {
  const ADD = `mutation T($guid: EntityGuid!, $tags: [TaggingTagInput!]!) { taggingAddTagsToEntity(guid: $guid, tags: $tags) { errors { type } } }`;
  const tags = async () => {
    const { data } = await graphql(
      `
        query E($guid: EntityGuid!) {
          actor {
            entity(guid: $guid) {
              tags {
                key
                values
              }
            }
          }
        }
      `,
      { guid },
    );
    return Object.fromEntries(
      data.actor.entity.tags.map((tag: any) => [tag.key, tag.values]),
    );
  };

  it('adds to the labels of the agent, which nobody else can delete', async () => {
    const add = (key: string, value: string) =>
      graphql(ADD, { guid, tags: [{ key, values: [value] }] });
    await add('team', 'payments');
    await add('criticalPath', 'posting');
    expect(await tags()).toMatchObject({
      team: ['ledger', 'payments'],
      criticalPath: ['posting'],
    });
    const found = await graphql(
      `
        {
          actor {
            entitySearch(query: "tags.criticalPath = 'posting'") {
              count
            }
          }
        }
      `,
    );
    expect(found.data.actor.entitySearch.count).toBe(1);
    await graphql(
      `
        mutation X($guid: EntityGuid!) {
          taggingDeleteTagFromEntity(
            guid: $guid
            tagKeys: ["team", "criticalPath"]
          ) {
            errors {
              type
            }
          }
        }
      `,
      { guid },
    );
    const left = await tags();
    expect(left.team).toEqual(['ledger']);
    expect(left.criticalPath).toBeUndefined();
  });

  it.each([
    ['team', 'group:default/x', 'INVALID_VALUE'],
    ['a:b', 'x', 'INVALID_KEY'],
  ])('refuses %s = %s', async (key, value, type) => {
    const { data } = await graphql(ADD, {
      guid,
      tags: [{ key, values: [value] }],
    });
    expect(data.taggingAddTagsToEntity.errors).toEqual([{ type }]);
    expect((await tags()).team).toEqual(['ledger']);
  });

  const LEVEL = `mutation L($guid: EntityGuid!, $indicator: ServiceLevelIndicatorCreateInput!) {
    serviceLevelCreate(entityGuid: $guid, indicator: $indicator) { guid name }
  }`;
  const indicator = (changes: object = {}) => ({
    name: 'Availability',
    events: {
      accountId: account,
      validEvents: { from: 'Transaction', where: "appName = 'ledger-service'" },
      badEvents: { from: 'Transaction', where: 'error IS TRUE' },
    },
    objectives: [
      { target: 99.9, timeWindow: { rolling: { count: 28, unit: 'DAY' } } },
    ],
    ...changes,
  });

  it('attaches a service level to its application, as an entity of its own', async () => {
    const made = await graphql(LEVEL, { guid, indicator: indicator() });
    const own = made.data.serviceLevelCreate.guid;
    const { data } = await graphql(
      `
        query E($guid: EntityGuid!) {
          actor {
            entity(guid: $guid) {
              serviceLevel {
                indicators {
                  guid
                  createdAt
                  events {
                    badEvents {
                      where
                    }
                    goodEvents {
                      where
                    }
                  }
                  objectives {
                    target
                    timeWindow {
                      rolling {
                        count
                      }
                    }
                  }
                }
              }
            }
            entitySearch(query: "type = 'SERVICE_LEVEL'") {
              results {
                entities {
                  guid
                  tags {
                    key
                    values
                  }
                }
              }
            }
          }
        }
      `,
      { guid },
    );
    expect(data.actor.entity.serviceLevel.indicators).toMatchObject([
      {
        guid: own,
        events: { badEvents: { where: 'error IS TRUE' }, goodEvents: null },
        objectives: [{ target: 99.9, timeWindow: { rolling: { count: 28 } } }],
      },
    ]);
    expect(data.actor.entitySearch.results.entities[0].tags).toContainEqual({
      key: 'nr.associatedEntityGuid',
      values: [guid],
    });
  });

  it.each([
    [
      'good and bad events at once',
      {
        events: { ...indicator().events, goodEvents: { from: 'Transaction' } },
      },
    ],
    [
      'a window of 14 days',
      {
        objectives: [
          { target: 99, timeWindow: { rolling: { count: 14, unit: 'DAY' } } },
        ],
      },
    ],
    [
      'a target above 100',
      {
        objectives: [
          { target: 101, timeWindow: { rolling: { count: 7, unit: 'DAY' } } },
        ],
      },
    ],
  ])('refuses %s', async (_, changes) => {
    const { data, errors } = await graphql(LEVEL, {
      guid,
      indicator: indicator(changes),
    });
    expect(data.serviceLevelCreate).toBeNull();
    expect(errors[0].message).toBe('Validation Error');
  });
});

describe('misbehaviour of mutations', () => {
  it('refuses the one that is named, and does nothing', async () => {
    sandbox.misbehaviour.add({ kind: 'refused', match: 'alertsPolicyCreate' });
    const input = {
      account,
      policy: { name: 'x', incidentPreference: 'PER_POLICY' },
    };
    expect((await graphql(POLICY, input)).errors[0].extensions.errorClass).toBe(
      'SERVER_ERROR',
    );
    const search = await graphql(SEARCH, { account });
    expect(search.data.actor.account.alerts.policiesSearch.totalCount).toBe(0);
    expect((await graphql(POLICY, input)).errors).toBeUndefined();
  });

  it('loses the answer of what it did', async () => {
    sandbox.misbehaviour.add({ kind: 'lost', match: '"name":"lost one"' });
    await createPolicy('another one');
    await expect(createPolicy('lost one')).rejects.toThrow();
    const { data } = await graphql(SEARCH, { account, name: 'lost one' });
    expect(data.actor.account.alerts.policiesSearch.totalCount).toBe(1);
  });
});

it('does not start over a damaged file, and says which one', async () => {
  await createPolicy('Payments');
  await sandbox.close();
  const file = `${directory.path}/sandbox/managed.json`;
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.slice(0, -5));
  await expect(start()).rejects.toThrow(`${file} is damaged`);
  writeFileSync(file, text);
  sandbox = await start();
});

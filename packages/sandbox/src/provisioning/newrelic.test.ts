import {
  createMockDirectory,
  TestDatabases,
} from '@backstage/backend-test-utils';
import { type RunningSandbox, startSandbox } from '../server';
import { ACCOUNT, makeWorld, OWNER, SUBJECT } from './__testUtils__/world';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3'] });
const directory = createMockDirectory();
const POLICY = 'wallets (Rocket)';

let sandbox: RunningSandbox;
let world: Awaited<ReturnType<typeof makeWorld>>;

beforeEach(async () => {
  sandbox = await startSandbox({
    port: 0,
    collectorPort: 0,
    dataDir: directory.path,
    accounts: [ACCOUNT],
  });
  await sandbox.ready;
  world = await makeWorld(sandbox, await databases.init('SQLITE_3'));
});
afterEach(async () => {
  await sandbox.close();
  directory.clear();
});

/** What people see in New Relic. */
async function outside() {
  const { actor } = await world.graphql(
    `query Look($account: Int!) { actor {
      account(id: $account) { alerts {
        policiesSearch { policies { id name } }
        nrqlConditionsSearch { nrqlConditions { id name enabled policyId terms { threshold } } }
      } }
      dashboards: entitySearch(query: "type = 'DASHBOARD'") { results { entities { guid name } } }
      levels: entitySearch(query: "type = 'SERVICE_LEVEL'") { results { entities { guid name } } }
    } }`,
  );
  const { alerts } = actor.account;
  return {
    policies: alerts.policiesSearch.policies,
    conditions: alerts.nrqlConditionsSearch.nrqlConditions,
    dashboards: actor.dashboards.results.entities,
    levels: actor.levels.results.entities,
  };
}

async function tagsOf(guid: string): Promise<Record<string, string[]>> {
  const { actor } = await world.graphql(
    `query T($guid: EntityGuid!) { actor { entity(guid: $guid) { tags { key values } } } }`,
    { guid },
  );
  return Object.fromEntries(
    actor.entity.tags.map((tag: any) => [tag.key, tag.values]),
  );
}

const report = (labels: Record<string, string> = {}) =>
  sandbox.store.registerApplication({
    accountId: ACCOUNT.id,
    appName: 'wallets',
    labels,
  }).guid;

async function policyOf(name: string) {
  const { alertsPolicyCreate } = await world.graphql(
    `mutation P($account: Int!, $name: String!) {
      alertsPolicyCreate(accountId: $account, policy: { name: $name, incidentPreference: PER_POLICY }) { id }
    }`,
    { name },
  );
  return alertsPolicyCreate.id as string;
}

async function foreignCondition(policyId: string, name = 'Of the team') {
  await world.graphql(
    `mutation C($account: Int!, $policyId: ID!, $name: String!) {
      alertsNrqlConditionStaticCreate(accountId: $account, policyId: $policyId, condition: {
        name: $name, enabled: true, nrql: { query: "SELECT count(*) FROM Transaction" },
        terms: [{ operator: ABOVE, priority: CRITICAL, threshold: 1, thresholdDuration: 60, thresholdOccurrences: ALL }]
      }) { id }
    }`,
    { policyId, name },
  );
}

const CONDITIONS = [
  'Error rate',
  'Latency',
  'No traffic',
  'Fast burn: availability 99.9 % over 28 days',
  'Slow burn: availability 99.9 % over 28 days',
  'Fast burn: latency 99 % within 500 ms over 28 days',
  'Slow burn: latency 99 % within 500 ms over 28 days',
];

describe('a service that is born', () => {
  it('has policy, conditions and dashboard at once, and the rest after its first telemetry', async () => {
    const { passed, findings } = await world.preflight();
    expect(findings.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['name-free', 'entity-pending']),
    );
    expect(passed).toBe(true);
    const before = await outside();
    expect(before).toEqual({
      policies: [],
      conditions: [],
      dashboards: [],
      levels: [],
    });

    const effects = await world.performAll();
    expect(effects.map(({ state }) => state)).toEqual(Array(4).fill('live'));
    const born = await outside();
    expect(born.policies).toEqual([{ id: expect.any(String), name: POLICY }]);
    expect(born.conditions.map((c: any) => c.name)).toEqual(CONDITIONS);
    // 2 % of the budget in 1 h of 28 days at 99.9 %: 13.44 x 0.1 %; 5 % in 6 h: 5.6 x 0.1 %.
    expect(
      born.conditions.slice(3, 5).map((c: any) => c.terms[0].threshold),
    ).toEqual([1.344, 0.56]);
    expect(born.dashboards).toEqual([
      { guid: expect.any(String), name: POLICY },
    ]);
    expect(born.levels).toEqual([]);
    expect(effects[2].details.pending).toContain('first telemetry');
    expect(effects[3].details.pending).toContain('first telemetry');

    // Waiting is as intended; nobody is to be alarmed by it.
    for (const { id } of effects) {
      const { observation } = await world.ledger.observe(id);
      expect(observation!.state).toBe('present');
    }
    // Nothing reports yet: a round makes nothing and costs one request.
    const { requests } = world.newrelic.stats();
    expect(await world.pending.run()).toBe(0);
    expect(world.newrelic.stats().requests - requests).toBe(1);

    const guid = report({ owner: 'somebody' });
    expect(await world.pending.run()).toBe(2);
    expect((await outside()).levels.map((l: any) => l.name)).toEqual([
      'Availability over 28 days',
      'Latency within 500 ms over 28 days',
    ]);
    expect(await tagsOf(guid)).toMatchObject({
      managedBy: ['rocket'],
      component: ['component/default/wallets'],
      owner: ['somebody', 'group/default/payments'],
      team: ['payments'],
      criticalPath: ['posting'],
      businessModel: ['payments'],
    });
    const settled = await world.ledger.list({ subject: SUBJECT });
    expect(settled.map(({ details }) => details.pending)).toEqual(
      Array(4).fill(undefined),
    );
    expect(await world.pending.run()).toBe(0);
  });

  it('is found again: the same run makes nothing twice, also when the ledger forgot', async () => {
    report();
    await world.performAll();
    const first = await outside();
    await world.performAll();
    expect(await outside()).toEqual(first);

    world = await makeWorld(sandbox, await databases.init('SQLITE_3'));
    await world.performAll();
    expect(await outside()).toEqual(first);
  });

  it('asks New Relic few times', async () => {
    report();
    const before = world.newrelic.stats().requests;
    await world.performAll();
    const made = world.newrelic.stats().requests;
    // 1 search, 1 policy, 7 conditions; 1 and 1; 2 and 2; 1 and 1.
    expect(made - before).toBeLessThanOrEqual(17);
    for (const { id } of await world.ledger.list({})) {
      await world.ledger.observe(id);
    }
    expect(world.newrelic.stats().requests - made).toBeLessThanOrEqual(6);
  });
});

describe('drift', () => {
  const look = async (type: string) => {
    const [{ id }] = await world.ledger.list({ type });
    return (await world.ledger.observe(id)).observation!;
  };

  it('shows a changed threshold and a deleted condition, and applying again mends them', async () => {
    await world.perform('newrelic.alert-policy');
    expect(await look('newrelic.alert-policy')).toMatchObject({
      state: 'present',
    });
    const { conditions, policies } = await outside();
    const by = (name: string) =>
      conditions.find((c: any) => c.name === name).id;
    await world.graphql(
      `mutation U($account: Int!, $id: ID!) { alertsNrqlConditionStaticUpdate(accountId: $account, id: $id, condition: { enabled: false, terms: [
        { operator: ABOVE, priority: CRITICAL, threshold: 50, thresholdDuration: 300, thresholdOccurrences: ALL }] }) { id } }`,
      { id: by('Error rate') },
    );
    await world.graphql(
      `mutation D($account: Int!, $id: ID!) { alertsConditionDelete(accountId: $account, id: $id) { id } }`,
      { id: by('No traffic') },
    );
    await foreignCondition(policies[0].id);
    const { state, differences } = await look('newrelic.alert-policy');
    expect(state).toBe('drifted');
    expect(differences).toEqual([
      {
        field: "condition 'Error rate': enabled",
        intended: 'true',
        found: 'false',
      },
      {
        field: "condition 'Error rate': terms.threshold",
        intended: '5',
        found: '50',
      },
      {
        field: "condition 'No traffic'",
        intended: 'once',
        found: 'nothing',
      },
    ]);
    await world.perform('newrelic.alert-policy');
    expect(await look('newrelic.alert-policy')).toMatchObject({
      state: 'present',
    });
    const mended = await outside();
    expect(mended.policies).toEqual(policies);
    expect(mended.conditions).toHaveLength(CONDITIONS.length + 1);
  });

  it('takes a policy that was renamed for its own, and names it again', async () => {
    const { details } = await world.perform('newrelic.alert-policy');
    await world.graphql(
      `mutation R($account: Int!, $id: ID!) { alertsPolicyUpdate(accountId: $account, id: $id, policy: { name: "mine" }) { id } }`,
      { id: details.policyId },
    );
    expect(await look('newrelic.alert-policy')).toMatchObject({
      state: 'drifted',
      differences: [{ field: 'policy.name', intended: POLICY, found: 'mine' }],
    });
    await world.perform('newrelic.alert-policy');
    expect((await outside()).policies).toEqual([
      { id: details.policyId, name: POLICY },
    ]);
  });

  it('shows what is gone as absent, and makes it again once', async () => {
    const { details } = await world.perform('newrelic.dashboard');
    await world.graphql(
      `mutation D($guid: EntityGuid!) { dashboardDelete(guid: $guid) { status } }`,
      { guid: details.guid },
    );
    expect(await look('newrelic.dashboard')).toMatchObject({ state: 'absent' });
    await world.perform('newrelic.dashboard');
    expect((await outside()).dashboards).toHaveLength(1);
    expect(await look('newrelic.dashboard')).toMatchObject({
      state: 'present',
    });
  });

  it('shows a lowered target and a missing tag', async () => {
    const guid = report();
    await world.performAll();
    const [level] = (await outside()).levels;
    await world.graphql(
      `mutation L($guid: EntityGuid!) { serviceLevelUpdate(guid: $guid, indicator: { objectives: [{ target: 90, timeWindow: { rolling: { count: 28, unit: DAY } } }] }) { guid } }`,
      { guid: level.guid },
    );
    expect((await look('newrelic.service-levels')).differences).toEqual([
      {
        field: "service level 'Availability over 28 days': objectives.target",
        intended: '99.9',
        found: '90',
      },
    ]);
    await world.graphql(
      `mutation T($guid: EntityGuid!) { taggingDeleteTagFromEntity(guid: $guid, tagKeys: ["team"]) { errors { type } } }`,
      { guid },
    );
    expect((await look('newrelic.tags')).differences).toEqual([
      { field: "tag 'team'", intended: 'payments', found: 'nothing' },
    ]);
    await world.performAll();
    expect((await look('newrelic.service-levels')).state).toBe('present');
    expect((await look('newrelic.tags')).state).toBe('present');
  });

  it('calls what New Relic does not answer unknown, never absent', async () => {
    await world.perform('newrelic.alert-policy');
    sandbox.misbehaviour.add({ kind: 'down', durationMs: 60_000 });
    const { state, message } = await look('newrelic.alert-policy');
    expect(state).toBe('unknown');
    expect(message).toContain("'demo' cannot be reached");
    sandbox.misbehaviour.clear();
    expect((await look('newrelic.alert-policy')).state).toBe('present');
  });

  it('follows changed objectives: new conditions come, old ones go', async () => {
    report();
    await world.performAll();
    const objectives = [
      { sli: 'availability' as const, target: 99.5, windowDays: 7 as const },
    ];
    await world.performAll({ objectives });
    const { conditions, levels } = await outside();
    expect(conditions.map((c: any) => [c.name, c.terms[0].threshold])).toEqual([
      ['Error rate', 5],
      ['Latency', 1],
      ['No traffic', 1],
      // 3.36 x 0.5 % and 1.4 x 0.5 %.
      ['Fast burn: availability 99.5 % over 7 days', 1.68],
      ['Slow burn: availability 99.5 % over 7 days', 0.7],
    ]);
    expect(levels.map((l: any) => l.name)).toEqual([
      'Availability over 7 days',
    ]);
  });
});

describe('New Relic in trouble', () => {
  describe.each(CONDITIONS.map((_, index) => index))(
    'refusing condition %i',
    index => {
      let refusal: Error | undefined;
      beforeEach(async () => {
        refusal = undefined;
        sandbox.misbehaviour.add({
          kind: 'refused',
          match: `"name":"${CONDITIONS[index]}"`,
          errorClass: 'ACCESS_DENIED',
          message: 'You may not do this',
        });
        await world.perform('newrelic.alert-policy').catch(error => {
          refusal = error;
        });
      });

      it('leaves what exists known, and can be undone', async () => {
        expect(refusal?.message).toContain('You may not do this');
        const [failed] = await world.ledger.list({});
        expect(failed.state).toBe('failed');
        expect(failed.message).toContain('You may not do this');
        const half = await outside();
        expect(half.policies).toHaveLength(1);
        expect(half.conditions).toHaveLength(index);
        await world.removeAll('undo');
        expect((await outside()).policies).toEqual([]);
        expect((await outside()).conditions).toEqual([]);
      });

      it('can be gone on with', async () => {
        const { policies } = await outside();
        await world.perform('newrelic.alert-policy');
        const whole = await outside();
        expect(whole.policies).toEqual(policies);
        expect(whole.conditions.map((c: any) => c.name)).toEqual(CONDITIONS);
      });
    },
  );

  it.each([
    ['newrelic.alert-policy', 'alertsPolicyCreate'],
    ['newrelic.alert-policy', '"name":"Latency"'],
    ['newrelic.dashboard', 'dashboardCreate'],
    ['newrelic.service-levels', 'serviceLevelCreate'],
    ['newrelic.tags', 'taggingAddTagsToEntity'],
  ])(
    'losing the answer of %s (%s) makes nothing double',
    async (type, match) => {
      report();
      sandbox.misbehaviour.add({ kind: 'lost', match });
      await world.perform(type);
      const after = await outside();
      expect(after.policies.length).toBeLessThanOrEqual(1);
      expect(after.dashboards.length).toBeLessThanOrEqual(1);
      expect(new Set(after.conditions.map((c: any) => c.name)).size).toBe(
        after.conditions.length,
      );
      expect(new Set(after.levels.map((l: any) => l.name)).size).toBe(
        after.levels.length,
      );
      expect(sandbox.misbehaviour.pending()).toEqual([]);
      const [{ id }] = await world.ledger.list({ type });
      expect((await world.ledger.observe(id)).observation?.state).toBe(
        'present',
      );
    },
  );

  it('does not guess when it is not known whether something was made', async () => {
    sandbox.misbehaviour.add({
      kind: 'refused',
      match: 'alertsPolicyCreate',
      errorClass: 'SERVER_ERROR',
    });
    await expect(world.perform('newrelic.alert-policy')).rejects.toThrow(
      /It is not known whether New Relic made the alert policy 'wallets \(Rocket\)'.*Repeat the step/,
    );
    expect((await outside()).policies).toEqual([]);
    await world.perform('newrelic.alert-policy');
    expect((await outside()).policies).toHaveLength(1);
  });

  it('tells what dashboards and tags refuse with HTTP 200', async () => {
    report();
    sandbox.misbehaviour.add({
      kind: 'refused',
      match: 'dashboardCreate',
      message: 'Not with this user',
    });
    await expect(world.perform('newrelic.dashboard')).rejects.toThrow(
      'refused dashboardCreate: Not with this user (FORBIDDEN_OPERATION)',
    );
    sandbox.misbehaviour.add({ kind: 'refused', match: 'taggingAdd' });
    await expect(world.perform('newrelic.tags')).rejects.toThrow(
      'NOT_PERMITTED',
    );
    const states = (await world.ledger.list({})).map(({ state }) => state);
    expect(states).toEqual(['failed', 'failed']);
  });

  it('stops a run beforehand when it is away or refuses the key', async () => {
    sandbox.misbehaviour.add({ kind: 'badKey', durationMs: 60_000 });
    const refused = await world.preflight();
    expect(refused.passed).toBe(false);
    expect(
      refused.findings.filter(f => f.level === 'error').map(f => f.reason),
    ).toEqual(Array(4).fill('credentials-insufficient'));
    expect(JSON.stringify(refused)).not.toContain(ACCOUNT.apiKey);
    sandbox.misbehaviour.clear();
    sandbox.misbehaviour.add({ kind: 'http500', durationMs: 60_000 });
    expect(
      (await world.preflight()).findings
        .filter(f => f.level === 'error')
        .map(f => f.reason),
    ).toEqual(Array(4).fill('newrelic-unavailable'));
  });
});

describe('names', () => {
  it('leaves a policy of the name that somebody else made alone', async () => {
    const id = await policyOf(POLICY);
    await foreignCondition(id);
    const { passed, findings } = await world.preflight();
    expect(passed).toBe(false);
    expect(findings.find(f => f.level === 'error')).toMatchObject({
      reason: 'name-taken',
      message: expect.stringContaining(`(${id})`),
    });
    const before = await outside();
    await expect(world.perform('newrelic.alert-policy')).rejects.toThrow(
      `was not made for ${SUBJECT}`,
    );
    await world.removeAll('undo');
    expect(await outside()).toEqual(before);
  });

  it('does not choose between two of one name', async () => {
    const ids = [await policyOf(POLICY), await policyOf(POLICY)];
    await expect(world.perform('newrelic.alert-policy')).rejects.toThrow(
      `There are 2 alert policies '${POLICY}' in New Relic account 'demo': ${ids.join(
        ', ',
      )}`,
    );
    expect((await outside()).conditions).toEqual([]);
  });

  it('does not choose between two applications of one name', async () => {
    report();
    const other = sandbox.store.registerApplication({
      accountId: ACCOUNT.id,
      appName: 'twin',
    });
    other.appName = 'wallets';
    const { passed, findings } = await world.preflight();
    expect(passed).toBe(false);
    expect(findings.map(f => f.reason)).toContain('entity-ambiguous');
    await expect(world.perform('newrelic.tags')).rejects.toThrow(
      "has 2 applications named 'wallets'",
    );
    expect((await outside()).levels).toEqual([]);
  });

  it('finds an empty policy that a killed run left', async () => {
    const id = await policyOf(POLICY);
    const { details } = await world.perform('newrelic.alert-policy');
    expect(details.policyId).toBe(id);
  });
});

describe('undo and retire', () => {
  it('undo leaves New Relic as it was, and can be repeated', async () => {
    const guid = report({ team: 'payments' });
    await world.graphql(
      `mutation T($guid: EntityGuid!) { taggingAddTagsToEntity(guid: $guid, tags: [{ key: "owner", values: ["group/default/payments", "x"] }]) { errors { type } } }`,
      { guid },
    );
    const before = { ...(await outside()), tags: await tagsOf(guid) };
    await world.performAll();
    const undone = await world.removeAll('undo');
    expect(undone.map(({ state }) => state)).toEqual(Array(4).fill('undone'));
    expect({ ...(await outside()), tags: await tagsOf(guid) }).toEqual(before);
    await world.removeAll('undo');
    expect({ ...(await outside()), tags: await tagsOf(guid) }).toEqual(before);
  });

  it('goes on with an undo that New Relic stopped halfway', async () => {
    const { id } = await world.perform('newrelic.alert-policy');
    sandbox.misbehaviour.add({
      kind: 'refused',
      match: 'alertsPolicyDelete',
      errorClass: 'FORBIDDEN',
      message: 'not now',
    });
    await expect(world.remove(id)).rejects.toThrow('not now');
    expect((await world.ledger.get(id))!.state).toBe('undoing');
    expect((await outside()).conditions).toEqual([]);
    const { effect } = await world.remove(id);
    expect(effect.state).toBe('undone');
    expect((await outside()).policies).toEqual([]);
  });

  it('keeps conditions of other people, and says what is left to do', async () => {
    const { id, details } = await world.perform('newrelic.alert-policy');
    await foreignCondition(String(details.policyId));
    const { effect } = await world.remove(id);
    expect(effect.state).toBe('manual');
    expect(effect.instruction).toContain('Of the team');
    const left = await outside();
    expect(left.conditions.map((c: any) => c.name)).toEqual(['Of the team']);
    expect(left.policies).toHaveLength(1);
  });

  it('retire switches alerts off before anything is deleted', async () => {
    await world.performAll();
    expect(world.ledger.retireOrder('newrelic.alert-policy')).toBe(20);
    sandbox.misbehaviour.add({
      kind: 'refused',
      match: 'alertsConditionDelete',
      errorClass: 'FORBIDDEN',
      message: 'not now',
    });
    await expect(world.removeAll('retire')).rejects.toThrow('not now');
    const off = await outside();
    expect(off.conditions.map((c: any) => c.enabled)).toEqual(
      Array(CONDITIONS.length).fill(false),
    );
    const retired = await world.removeAll('retire');
    expect(retired.map(({ state }) => state)).toEqual(Array(4).fill('undone'));
    expect((await outside()).policies).toEqual([]);
    expect((await outside()).dashboards).toEqual([]);
  });
});

describe('deployment markers', () => {
  const deployment = (changes: object = {}) => ({
    id: 'local:abc:1',
    component: SUBJECT,
    environment: 'local',
    version: 'abc123',
    commit: 'a'.repeat(40),
    startedAt: new Date(Date.now() - 120_000).toISOString(),
    finishedAt: new Date(Date.now() - 60_000).toISOString(),
    outcome: 'succeeded',
    pipeline: 'local-runtime:wallets:x',
    reportedBy: 'plugin:provisioning',
    ...changes,
  });
  const marked = async () => {
    const [outcome] = await world.newrelic.query(undefined, [
      {
        nrql: 'SELECT groupId, version, outcome FROM ChangeTrackingEvent SINCE 1 day ago',
      },
    ]);
    if (!outcome.ok) throw outcome.error;
    return outcome.result.results;
  };

  it('marks each deployment of a runtime once, when there is an entity to mark', async () => {
    await world.perform('newrelic.alert-policy');
    const all = [
      deployment(),
      deployment({ id: 'local:def:2', version: 'def456', outcome: 'failed' }),
      deployment({
        id: 'running',
        finishedAt: undefined,
        outcome: 'in-progress',
      }),
      deployment({
        id: 'of a pipeline',
        pipeline: 'https://ci.example/1',
        reportedBy: 'repo:x',
      }),
      deployment({ id: 'unknown', component: 'component:default/other' }),
      deployment({
        id: 'old',
        finishedAt: new Date(Date.now() - 90_000_000).toISOString(),
      }),
    ];
    const markers = world.markers(all);
    expect(await markers.run()).toBe(0);
    report();
    expect(await markers.run()).toBe(2);
    expect(await markers.run()).toBe(0);
    // Another replica, or the same after a restart.
    expect(await world.markers(all).run()).toBe(0);
    expect(
      (await marked()).map(({ version, outcome }) => [version, outcome]).sort(),
    ).toEqual([
      ['abc123', 'succeeded'],
      ['def456', 'failed'],
    ]);
  });

  it('does not mark again what was marked and not answered', async () => {
    await world.perform('newrelic.alert-policy');
    report();
    const markers = world.markers([deployment()]);
    sandbox.misbehaviour.add({ kind: 'lost', match: 'changeTracking' });
    expect(await markers.run()).toBe(0);
    expect(world.logger.warn).toHaveBeenCalledWith(
      expect.stringContaining('1 deployments could not be marked'),
    );
    expect(await markers.run()).toBe(0);
    expect(await marked()).toHaveLength(1);
  });
});

it('keeps the owner in the plan', () => {
  expect(world.requests().map(({ owner }) => owner)).toEqual(
    Array(4).fill(OWNER),
  );
});

import { createBackendPlugin } from '@backstage/backend-plugin-api';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import {
  type EffectHandler,
  provisioningEffectsExtensionPoint,
  provisioningServiceRef,
} from '@rocket/plugin-provisioning-node';
import { createServiceFactory } from '@backstage/backend-plugin-api';
import request from 'supertest';
import provisioningModuleNewRelic from './index';

const ACCOUNT = {
  name: 'demo',
  id: 1000001,
  endpoint: 'http://127.0.0.1:9/graphql',
  apiKey: 'NRAK-of-the-test',
};
const SUBJECT = 'component:default/wallets';
const PLAN = {
  name: 'wallets',
  subject: SUBJECT,
  owner: 'group:default/payments',
  criticalPath: 'criticalpath:default/posting',
};

const path = {
  apiVersion: 'rocket.internal/v1alpha1',
  kind: 'CriticalPath',
  metadata: { name: 'posting', namespace: 'default' },
  spec: {
    owner: 'group:default/payments',
    objectives: [
      { sli: 'availability', target: 99.95, windowDays: 30 },
      { sli: 'latency', target: 99, thresholdMs: 250, windowDays: 7 },
      { sli: 'throughput', target: 10, windowDays: 7 },
    ],
  },
};

async function start(
  options: {
    newrelic?: object;
    settings?: object;
    effects?: object[];
    deny?: boolean;
  } = {},
) {
  const handlers: EffectHandler[] = [];
  const listed: unknown[] = [];
  const scheduler = mockServices.scheduler.mock();
  const { server } = await startTestBackend({
    features: [
      createBackendPlugin({
        pluginId: 'provisioning',
        register(env) {
          env.registerExtensionPoint(provisioningEffectsExtensionPoint, {
            addEffectHandler: handler => void handlers.push(handler),
          });
          env.registerInit({ deps: {}, async init() {} });
        },
      }),
      provisioningModuleNewRelic,
      scheduler.factory,
      catalogServiceMock.factory({ entities: [path] as never }),
      createServiceFactory({
        service: provisioningServiceRef,
        deps: {},
        factory: () =>
          ({
            listEffects: async (query: unknown) => {
              listed.push(query);
              return options.effects ?? [];
            },
          } as never),
      }),
      ...(options.deny
        ? [mockServices.permissions.factory({ result: AuthorizeResult.DENY })]
        : []),
      mockServices.rootConfig.factory({
        data: {
          newrelic: options.newrelic ?? { accounts: [ACCOUNT] },
          provisioning: { newrelic: options.settings ?? {} },
        } as never,
      }),
    ],
  });
  const tasks = scheduler.scheduleTask.mock.calls.map(([task]) => task.id);
  return { server, handlers, listed, tasks };
}

describe('the New Relic module of provisioning', () => {
  it('adds its types of effects, alerts first in retirement, and two tasks', async () => {
    const { handlers, tasks } = await start();
    expect(
      handlers.map(({ type, retireOrder }) => [type, retireOrder]),
    ).toEqual([
      ['newrelic.alert-policy', 20],
      ['newrelic.dashboard', 24],
      ['newrelic.service-levels', 22],
      ['newrelic.tags', 26],
    ]);
    expect(tasks).toEqual([
      'provisioning-newrelic-pending',
      'provisioning-newrelic-markers',
    ]);
    expect(
      (await start({ settings: { deploymentMarkers: false } })).tasks,
    ).toEqual(['provisioning-newrelic-pending']);
  });

  it('plans by the objectives of the critical path', async () => {
    const { server } = await start();
    const { body, status } = await request(server)
      .post('/api/provisioning/newrelic/plan')
      .send({ ...PLAN, environment: 'staging' });
    expect(status).toBe(200);
    expect(body.skipped).toBeUndefined();
    expect(body.effects.map((e: any) => [e.type, e.reference])).toEqual([
      ['newrelic.alert-policy', 'wallets in staging'],
      ['newrelic.dashboard', 'wallets in staging'],
      ['newrelic.service-levels', 'wallets in staging'],
      ['newrelic.tags', 'wallets in staging'],
    ]);
    // 30 days are no window of New Relic's, and throughput no service level.
    expect(body.effects[0].intent.objectives).toEqual([
      { sli: 'availability', target: 99.95, windowDays: 28 },
      { sli: 'latency', target: 99, thresholdMs: 250, windowDays: 7 },
    ]);
    expect(body.effects[3].intent.tags).toEqual({
      managedBy: 'rocket',
      component: 'component/default/wallets',
      owner: 'group/default/payments',
      team: 'payments',
      criticalPath: 'posting',
    });
    expect(body.summary[0]).toContain(
      "alert policy 'wallets in staging (Rocket)' with 7 conditions",
    );
  });

  it('plans by own objectives, else by the configured ones', async () => {
    const own = [{ sli: 'availability', target: 99, windowDays: 7 }];
    const { server } = await start({ settings: { objectives: own } });
    const plan = async (changes: object) =>
      (
        await request(server)
          .post('/api/provisioning/newrelic/plan')
          .send({ ...PLAN, ...changes })
      ).body.effects[0].intent.objectives;
    expect(await plan({ criticalPath: undefined })).toEqual(own);
    const given = [{ sli: 'availability', target: 98, windowDays: 1 }];
    expect(await plan({ objectives: given })).toEqual(given);
  });

  it.each([
    [{ newrelic: { accounts: [] } }, 'no account is configured'],
    [{ settings: { enabled: false } }, 'switched off'],
  ])('plans nothing with %j and says why', async (options, text) => {
    const { server, tasks } = await start(options);
    const { body } = await request(server)
      .post('/api/provisioning/newrelic/plan')
      .send(PLAN);
    expect(body.effects).toEqual([]);
    expect(body.skipped).toContain(text);
    expect(tasks).toEqual([]);
  });

  it.each([
    [{ name: 'A' }, 'body.name'],
    [{ subject: 'wallets' }, 'body.subject'],
    [{ objectives: [] }, 'body.objectives'],
    [{ extra: 1 }, 'extra'],
  ])('refuses a plan with %j', async (changes, text) => {
    const { server } = await start();
    const { body, status } = await request(server)
      .post('/api/provisioning/newrelic/plan')
      .send({ ...PLAN, ...changes });
    expect(status).toBe(400);
    expect(body.error.message).toContain(text);
  });

  it('gives out what a component has as Terraform', async () => {
    const { server, listed } = await start({
      effects: [
        {
          type: 'newrelic.tags',
          reference: 'wallets',
          subject: SUBJECT,
          intent: { appName: 'wallets', tags: { team: 'payments' } },
        },
        {
          type: 'newrelic.alert-policy',
          reference: 'wallets',
          subject: SUBJECT,
          intent: { appName: 'wallets' },
        },
        { type: 'git.repository', reference: 'wallets', intent: {} },
      ],
    });
    const { text, status, headers } = await request(server).get(
      `/api/provisioning/newrelic/${encodeURIComponent(SUBJECT)}/terraform`,
    );
    expect(status).toBe(200);
    expect(headers['content-disposition']).toContain('wallets.tf');
    expect(text).toContain('resource "newrelic_alert_policy" "wallets"');
    expect(text).toContain('account_id          = 1000001');
    expect(text).not.toContain(ACCOUNT.apiKey);
    expect(listed).toEqual([
      {
        subject: SUBJECT,
        state: ['planned', 'applying', 'live', 'failed'],
      },
    ]);
  });

  it('answers 404 for a component without, 400 for what is no ref', async () => {
    const { server } = await start();
    const get = (subject: string) =>
      request(server).get(`/api/provisioning/newrelic/${subject}/terraform`);
    expect((await get(encodeURIComponent(SUBJECT))).status).toBe(404);
    expect((await get('wallets')).status).toBe(400);
  });

  it('asks for permission', async () => {
    const { server, listed } = await start({ deny: true });
    const plan = await request(server)
      .post('/api/provisioning/newrelic/plan')
      .send(PLAN);
    const file = await request(server).get(
      `/api/provisioning/newrelic/${encodeURIComponent(SUBJECT)}/terraform`,
    );
    expect([plan.status, file.status]).toEqual([403, 403]);
    expect(file.body.error.message).toContain('provisioning.read');
    expect(listed).toEqual([]);
  });

  it.each([
    [{ account: 'nope' }, "no New Relic account named 'nope'"],
    [{ alerts: { latencyMs: 0 } }, 'provisioning.newrelic.alerts.latencyMs'],
    [{ reconcile: { frequency: { seconds: 1 } } }, 'at least 10 seconds'],
    [
      { objectives: [{ sli: 'availability', target: 100, windowDays: 28 }] },
      'provisioning.newrelic.objectives.0.target',
    ],
  ])('does not start with %j', async (settings, text) => {
    await expect(start({ settings })).rejects.toThrow(text);
  });
});

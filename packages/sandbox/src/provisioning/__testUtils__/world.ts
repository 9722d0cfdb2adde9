/* eslint-disable @backstage/no-forbidden-package-imports, @backstage/no-mixed-plugin-imports --
   The plugins export themselves alone. What is tried here is their ledger and
   their handlers against the real server, without the rest of a backend. */
import { mockServices, TestDatabases } from '@backstage/backend-test-utils';
import { DefaultNewRelicService } from '@rocket/newrelic-node/src/DefaultNewRelicService';
import { readNewRelicSettings } from '@rocket/newrelic-node/src/config';
import { readSettings } from '@rocket/plugin-provisioning-backend-module-newrelic/src/config';
import { DeploymentMarkers } from '@rocket/plugin-provisioning-backend-module-newrelic/src/DeploymentMarkers';
import { AlertPolicyHandler } from '@rocket/plugin-provisioning-backend-module-newrelic/src/handlers/AlertPolicyHandler';
import { DashboardHandler } from '@rocket/plugin-provisioning-backend-module-newrelic/src/handlers/DashboardHandler';
import { ServiceLevelsHandler } from '@rocket/plugin-provisioning-backend-module-newrelic/src/handlers/ServiceLevelsHandler';
import { TagsHandler } from '@rocket/plugin-provisioning-backend-module-newrelic/src/handlers/TagsHandler';
import { IntentReader } from '@rocket/plugin-provisioning-backend-module-newrelic/src/intents';
import { AlertsApi } from '@rocket/plugin-provisioning-backend-module-newrelic/src/nerdgraph/alerts';
import { EntitiesApi } from '@rocket/plugin-provisioning-backend-module-newrelic/src/nerdgraph/entities';
import { NerdGraph } from '@rocket/plugin-provisioning-backend-module-newrelic/src/nerdgraph/NerdGraph';
import { PendingEffects } from '@rocket/plugin-provisioning-backend-module-newrelic/src/PendingEffects';
import { makePlan } from '@rocket/plugin-provisioning-backend-module-newrelic/src/plan';
import { makeLedger } from '@rocket/plugin-provisioning-backend/src/__testUtils__/effects';
import type { NewRelicPlanRequest } from '@rocket/plugin-provisioning-common';
import type { RunningSandbox } from '../../server';

export const ACCOUNT = {
  id: 1000001,
  name: 'demo',
  apiKey: 'NRAK-of-the-test',
  licenseKey: 'c'.repeat(40),
};
export const SUBJECT = 'component:default/wallets';
export const OWNER = 'group:default/payments';
const actor = { name: 'user:default/mock' };
const own = async () => ({ principal: {} } as never);

/** The ledger of provisioning with New Relic's handlers, before a running sandbox. */
export async function makeWorld(
  sandbox: RunningSandbox,
  knex: Awaited<ReturnType<TestDatabases['init']>>,
) {
  const config = mockServices.rootConfig({
    data: {
      newrelic: {
        timeout: { seconds: 5 },
        accounts: [
          {
            name: ACCOUNT.name,
            id: ACCOUNT.id,
            endpoint: `${sandbox.url}/graphql`,
            apiKey: ACCOUNT.apiKey,
          },
        ],
      },
    },
  });
  const logger = mockServices.logger.mock();
  const newrelic = new DefaultNewRelicService({
    settings: readNewRelicSettings(config),
    logger,
    delay: async (_, signal) => signal?.throwIfAborted(),
  });
  const settings = readSettings(config, newrelic);
  // Looks after a lost answer, without waiting for them.
  const nerdGraph = new NerdGraph(newrelic, async () => {});
  const entities = new EntitiesApi(nerdGraph);
  const deps = {
    nerdGraph,
    entities,
    alerts: new AlertsApi(nerdGraph),
    intents: new IntentReader(settings),
  };
  const { ledger } = await makeLedger(knex, {
    handlers: [
      new AlertPolicyHandler(deps),
      new DashboardHandler(deps),
      new ServiceLevelsHandler(deps),
      new TagsHandler(deps),
    ],
    entities: {
      entities: [
        {
          apiVersion: 'backstage.io/v1alpha1',
          kind: 'Group',
          metadata: { name: 'payments', namespace: 'default' },
        },
      ],
    } as never,
  });
  const provisioning = {
    listEffects: ({ state, ...filter }: any) =>
      ledger.list({ ...filter, states: state }),
    observeEffect: (id: string) => ledger.observe(id),
    requestEffect: (request: any) => ledger.perform(request, actor),
  };

  /** Requests for all that a service gets. */
  const requests = (changes: Partial<NewRelicPlanRequest> = {}) =>
    makePlan(
      {
        name: 'wallets',
        subject: SUBJECT,
        owner: OWNER,
        criticalPath: 'criticalpath:default/posting',
        businessModel: 'domain:default/payments',
        ...changes,
      },
      { settings, pathObjectives: [] },
    ).effects.map(effect => ({
      ...effect,
      run: 'task:1',
      step: 'observability',
    }));

  return {
    ledger,
    newrelic,
    requests,
    async preflight(changes?: Partial<NewRelicPlanRequest>) {
      return ledger.preflight(requests(changes), actor);
    },
    /** One effect by its type. */
    perform(type: string, changes?: Partial<NewRelicPlanRequest>) {
      const request = requests(changes).find(known => known.type === type)!;
      return ledger.perform(request, actor);
    },
    async performAll(changes?: Partial<NewRelicPlanRequest>) {
      for (const request of requests(changes)) {
        await ledger.perform(request, actor);
      }
      return ledger.list({ subject: SUBJECT });
    },
    async removeAll(mode: 'undo' | 'retire') {
      const effects = await ledger.list({ subject: SUBJECT });
      effects.sort((a, b) =>
        mode === 'undo'
          ? b.sequence - a.sequence
          : ledger.retireOrder(a.type) - ledger.retireOrder(b.type),
      );
      for (const { id } of effects) await ledger.remove(id, mode, actor);
      return ledger.list({ subject: SUBJECT });
    },
    remove: (id: string, mode: 'undo' | 'retire' = 'undo') =>
      ledger.remove(id, mode, actor),
    pending: new PendingEffects({
      provisioning: provisioning as never,
      nerdGraph,
      entities,
      credentials: own,
      logger,
    }),
    markers: (deployments: any[]) =>
      new DeploymentMarkers({
        provisioning: provisioning as never,
        deployments: async () => ({ items: deployments }),
        newrelic,
        nerdGraph,
        entities,
        credentials: own,
        logger,
      }),
    logger,
    async graphql(query: string, variables: object = {}): Promise<any> {
      const { data, errors } = await newrelic.graphql(undefined, {
        query,
        variables: { account: ACCOUNT.id, ...variables },
      });
      expect(errors).toEqual([]);
      return data;
    },
  };
}

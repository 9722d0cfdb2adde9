/* eslint-disable @backstage/no-forbidden-package-imports, @backstage/no-mixed-plugin-imports --
   The plugin's own way to start a backend with a Git host and a ledger is in its tests. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createServiceFactory } from '@backstage/backend-plugin-api';
import {
  createMockDirectory,
  mockServices,
} from '@backstage/backend-test-utils';
import { newRelicServiceRef } from '@rocket/newrelic-node';
import { DefaultNewRelicService } from '@rocket/newrelic-node/src/DefaultNewRelicService';
import { readNewRelicSettings } from '@rocket/newrelic-node/src/config';
import provisioningModuleNewRelic from '@rocket/plugin-provisioning-backend-module-newrelic';
import {
  makeDatabase,
  OWNER,
  startBackend,
} from '@rocket/plugin-provisioning-backend/src/__testUtils__/backend';
import { startSandbox } from '../server';
import { ACCOUNT, SUBJECT } from './__testUtils__/world';

jest.setTimeout(120_000);

const directory = createMockDirectory();

it('sets a service up over the API, and what waits follows by itself', async () => {
  const sandbox = await startSandbox({
    port: 0,
    collectorPort: 0,
    dataDir: directory.path,
    accounts: [ACCOUNT],
  });
  await sandbox.ready;
  const knex = makeDatabase();
  const scheduler = mockServices.scheduler.mock();
  const portal = await startBackend({
    dataDir: `${directory.path}/portal`,
    knex,
    config: { local: { enabled: false } },
    features: [
      provisioningModuleNewRelic,
      scheduler.factory,
      createServiceFactory({
        service: newRelicServiceRef,
        deps: {},
        factory: () =>
          new DefaultNewRelicService({
            settings: readNewRelicSettings(
              mockServices.rootConfig({
                data: {
                  newrelic: {
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
              }),
            ),
            logger: mockServices.logger.mock(),
          }),
      }),
    ],
  });
  /** Asks until something is so; the test's own time is the bound. */
  const until = async (condition: (effect: any) => boolean, id: string) => {
    for (;;) {
      const { body } = await portal.call('GET', `/effects/${id}`);
      if (condition(body)) return body;
      if (body.state === 'failed') throw new Error(body.message);
      await sleep(20);
    }
  };
  try {
    const { status, body: plan } = await portal.call('POST', '/newrelic/plan', {
      name: 'wallets',
      subject: SUBJECT,
      owner: OWNER,
    });
    expect(status).toBe(200);
    const made: Record<string, any> = {};
    for (const effect of plan.effects) {
      const { status: accepted, body } = await portal.call('POST', '/effects', {
        ...effect,
        run: 'task:1',
        step: 'observability',
      });
      expect(accepted).toBe(202);
      made[effect.type] = await until(({ state }) => state === 'live', body.id);
    }
    expect(made['newrelic.alert-policy'].details.conditions).toHaveLength(7);
    expect(made['newrelic.tags'].details.pending).toContain("'wallets'");

    sandbox.store.registerApplication({
      accountId: ACCOUNT.id,
      appName: 'wallets',
    });
    const task = scheduler.scheduleTask.mock.calls
      .map(([given]) => given)
      .find(({ id }) => id === 'provisioning-newrelic-pending')!;
    await task.fn(new AbortController().signal);
    for (const type of ['newrelic.tags', 'newrelic.service-levels']) {
      const settled = await until(
        ({ state, details }) => state === 'live' && !details.pending,
        made[type].id,
      );
      expect(settled.details.entity).toBe(
        sandbox.store.applications.get(ACCOUNT.id, 'wallets')!.guid,
      );
      // Still the run's own, so that its undo takes it back.
      expect(settled.run).toBe('task:1');
    }

    const file = await fetch(
      `${portal.url}/newrelic/${encodeURIComponent(SUBJECT)}/terraform`,
    );
    expect(file.status).toBe(200);
    expect(await file.text()).toContain(
      'resource "newrelic_service_level" "wallets_availability_over_28_days"',
    );
  } finally {
    await portal.stop();
    await knex.destroy();
    await sandbox.close();
  }
});

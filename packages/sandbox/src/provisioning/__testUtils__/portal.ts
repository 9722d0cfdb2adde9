/* eslint-disable @backstage/no-mixed-plugin-imports -- A whole backend, as packages/backend starts it. */
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import catalogModuleTemplateKind from '@backstage/plugin-catalog-backend-module-scaffolder-entity-model';
import { eventsServiceRef } from '@backstage/plugin-events-node';
import scaffolderPlugin from '@backstage/plugin-scaffolder-backend';
import {
  clusterConfig,
  type TestCluster,
} from '@rocket/kubernetes-node/testUtils';
import catalogModuleCiRegistry from '@rocket/plugin-catalog-backend-module-ci-registry';
import catalogModuleCriticalPaths from '@rocket/plugin-catalog-backend-module-critical-paths';
import catalogModuleRocketTemplates from '@rocket/plugin-catalog-backend-module-rocket-templates';
import ciRegistryPlugin from '@rocket/plugin-ci-registry-backend';
import criticalPathsPlugin from '@rocket/plugin-critical-paths-backend';
import criticalPathsModuleNewRelic from '@rocket/plugin-critical-paths-backend-module-newrelic';
import provisioningPlugin from '@rocket/plugin-provisioning-backend';
import provisioningModuleKubernetes from '@rocket/plugin-provisioning-backend-module-kubernetes';
import provisioningModuleNewRelic from '@rocket/plugin-provisioning-backend-module-newrelic';
import scaffolderModuleRocket from '@rocket/plugin-scaffolder-backend-module-rocket';
import type { RunningSandbox } from '../../server';
import { ACCOUNT } from './world';

/** Longer than anything here takes; what does not come then tells where it stands. */
const WAIT_MS = 60_000;

const ROOT = resolve(__dirname, '../../../../..');
const KINDS = [
  ...['API', 'Component', 'CriticalPath', 'Domain', 'Group', 'Location'],
  ...['Resource', 'System', 'Template', 'User'],
];

export type Portal = Awaited<ReturnType<typeof startPortal>>;

/**
 * The portal of a company whose services run on a cluster: the demo
 * organisation, the golden templates, no local runtime, and the environment
 * `staging`. Its New Relic is the sandbox.
 */
export async function startPortal(options: {
  dataDir: string;
  cluster: TestCluster;
  sandbox: RunningSandbox;
  /** Entity ref of the group that the user of the test is in. */
  owner: string;
}) {
  const { dataDir, cluster, sandbox, owner } = options;
  // What fetch parses is made outside of Jest's realm, and the scaffolder takes no foreign arrays.
  jest
    .spyOn(Response.prototype, 'json')
    .mockImplementation(async function json(this: Response) {
      return JSON.parse(await this.text());
    });
  const bus = mockServices.events();
  // One for all plugins, so that the test can say when a task is due.
  const scheduler = mockServices.scheduler();
  const file = (target: string) => ({
    type: 'file',
    target: resolve(ROOT, target),
  });
  const backend = await startTestBackend({
    features: [
      catalogPlugin,
      catalogModuleTemplateKind,
      catalogModuleCiRegistry,
      catalogModuleCriticalPaths,
      catalogModuleRocketTemplates,
      scaffolderPlugin,
      scaffolderModuleRocket,
      ciRegistryPlugin,
      criticalPathsPlugin,
      criticalPathsModuleNewRelic,
      provisioningPlugin,
      provisioningModuleKubernetes,
      provisioningModuleNewRelic,
      // One for all plugins, as in a real backend.
      createServiceFactory({
        service: eventsServiceRef,
        deps: {},
        factory: () => bus,
      }),
      createServiceFactory({
        service: coreServices.scheduler,
        deps: {},
        factory: () => scheduler,
      }),
      mockServices.userInfo.mock({
        getUserInfo: async () => ({
          userEntityRef: 'user:default/mock',
          ownershipEntityRefs: ['user:default/mock', owner],
        }),
      }).factory,
      mockServices.rootConfig.factory({
        data: {
          backend: { baseUrl: 'http://localhost' },
          ...clusterConfig(cluster),
          catalog: {
            rules: [{ allow: KINDS }],
            locations: [file('examples/all.yaml'), file('templates/all.yaml')],
            stitchingStrategy: { pollingInterval: { milliseconds: 100 } },
          },
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
          provisioning: {
            dataDir: `${dataDir}/portal`,
            local: { enabled: false },
            kubernetes: { watch: { seconds: 1 } },
            environments: {
              staging: {
                title: 'Staging',
                runtime: 'kubernetes',
                tier: 'staging',
                kubernetes: { cluster: cluster.name },
              },
            },
          },
        },
      }),
    ],
  });
  const { port } = backend.server.address() as AddressInfo;
  const call = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : {} };
  };

  return {
    scheduler,
    call,
    stop: () => backend.stop(),
    /** The answer to a read, once it is as wanted; the test's own time is the bound. */
    async until(path: string, isWanted: (answer: any) => boolean) {
      const end = Date.now() + WAIT_MS;
      for (;;) {
        const { status, body } = await call('GET', path);
        if (status === 200 && isWanted(body)) return body;
        if (Date.now() > end) {
          throw new Error(
            `${path} answers for ${
              WAIT_MS / 1000
            } s: ${status} ${JSON.stringify(body).slice(-2_000)}`,
          );
        }
        await sleep(50);
      }
    },
    /** Runs a template to its end. @throws with its log when that is no good one */
    async scaffold(template: string, values: Record<string, unknown>) {
      const templateRef = `template:default/${template}`;
      for (const ref of [templateRef, owner]) {
        await this.until(
          `catalog/entities/by-name/${ref.replace(':', '/')}`,
          () => true,
        );
      }
      const { status, body } = await call('POST', 'scaffolder/v2/tasks', {
        templateRef,
        values,
      });
      if (status !== 201) throw new Error(JSON.stringify(body));
      const task = await this.until(`scaffolder/v2/tasks/${body.id}`, one =>
        ['completed', 'failed', 'cancelled'].includes(one.status),
      );
      const { body: events } = await call(
        'GET',
        `scaffolder/v2/tasks/${body.id}/events`,
      );
      const log = events.map((event: any) => event.body.message).join('\n');
      if (task.status !== 'completed') throw new Error(log.slice(-3000));
      return { output: events.at(-1).body.output, log };
    },
    /** Shows the plan, asks for what it says, and waits for the end. */
    async operate(request: Record<string, unknown>) {
      const { status, body: plan } = await call(
        'POST',
        'provisioning/plans',
        request,
      );
      if (status !== 200) throw new Error(plan.error.message);
      const { body: asked } = await call('POST', 'provisioning/operations', {
        ...request,
        digest: plan.digest,
      });
      const operation = await this.until(
        `provisioning/operations/${asked.id}`,
        ({ state }) => !['waiting', 'running'].includes(state),
      );
      return { plan, operation };
    },
  };
}

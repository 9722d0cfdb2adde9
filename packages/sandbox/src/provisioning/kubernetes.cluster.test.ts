import { randomBytes } from 'node:crypto';
import { createMockDirectory } from '@backstage/backend-test-utils';
import {
  connect,
  describeOnCluster,
  KubeletSimulator,
} from '@rocket/kubernetes-node/testUtils';
import { playOperator } from '@rocket/plugin-provisioning-backend-module-kubernetes/testUtils';
import { startSandbox, type RunningSandbox } from '../server';
import { startPortal, type Portal } from './__testUtils__/portal';
import { ACCOUNT } from './__testUtils__/world';

jest.setTimeout(120_000);

const OWNER = 'group:default/ledger';
/** What every object of a service on a cluster has. */
const LABEL = 'rocket.internal/service';
const DIGEST = `sha256:${randomBytes(32).toString('hex')}`;
const GOLDEN = [
  {
    template: 'transaction-service-nodejs',
    criticalPathStep: {
      criticalPath: 'criticalpath:default/transaction-posting',
      step: 'post',
    },
    businessModel: 'domain:default/payments',
  },
  {
    template: 'authorization-service-nodejs',
    criticalPathStep: {
      criticalPath: 'criticalpath:default/card-authorization',
      step: 'authorize',
    },
    businessModel: 'domain:default/issuing',
  },
];

describeOnCluster('a golden service on a real API server', cluster => {
  const directory = createMockDirectory();
  const { client, close } = connect(cluster);
  let operator: { stop(): Promise<void> } | undefined;
  let sandbox: RunningSandbox;
  let portal: Portal;
  let simulator: KubeletSimulator | undefined;

  beforeAll(async () => {
    operator = await playOperator(client);
    sandbox = await startSandbox({
      port: 0,
      collectorPort: 0,
      dataDir: directory.path,
      accounts: [ACCOUNT],
    });
    await sandbox.ready;
    portal = await startPortal({
      dataDir: directory.path,
      cluster,
      sandbox,
      owner: OWNER,
    });
  });
  afterEach(async () => {
    await simulator?.stop();
    simulator = undefined;
  });
  afterAll(async () => {
    await portal?.stop();
    await sandbox?.close();
    await operator?.stop();
    close();
  });

  /** Everything on the server with our label, of whatever kind. */
  async function onCluster(service: string): Promise<string[]> {
    const { resources } = await client.listResources();
    const found: string[] = [];
    for (const { apiVersion, kind, verbs } of resources) {
      if (!verbs.includes('list')) continue;
      const items = await client.listAll({
        apiVersion,
        kind,
        labelSelector: { [LABEL]: service },
      });
      found.push(...items.map(({ metadata }) => `${kind}/${metadata.name}`));
    }
    return found;
  }

  const effectsOf = async (subject: string): Promise<any[]> => {
    const { body } = await portal.call(
      'GET',
      `provisioning/effects?subject=${encodeURIComponent(subject)}`,
    );
    return body.items;
  };
  const ownStates = async (subject: string) =>
    Object.fromEntries(
      (await effectsOf(subject)).map(({ type, environment, state }) => [
        environment ? `${type} in ${environment}` : type,
        state,
      ]),
    );
  const graphql = async (query: string): Promise<any> => {
    const response = await fetch(`${sandbox.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'api-key': ACCOUNT.apiKey,
      },
      body: JSON.stringify({ query }),
    });
    const { data, errors } = (await response.json()) as any;
    if (errors) throw new Error(JSON.stringify(errors));
    return data.actor;
  };
  /** Names of the alert policies and dashboards that the sandbox has of it. */
  const inNewRelic = async (name: string): Promise<string[]> => {
    const { account, entitySearch } = await graphql(`{ actor {
      account(id: ${ACCOUNT.id}) { alerts { policiesSearch { policies { name } } } }
      entitySearch(query: "type = 'DASHBOARD'") { results { entities { name } } }
    } }`);
    return [
      ...account.alerts.policiesSearch.policies,
      ...entitySearch.results.entities,
    ]
      .map((one: { name: string }) => one.name)
      .filter((found: string) => found.includes(name));
  };

  it.each(GOLDEN)(
    'comes from the form to healthy, monitored and registered, and goes again: $template',
    async ({ template, ...answers }) => {
      const name = `svc-${randomBytes(4).toString('hex')}`;
      const subject = `component:default/${name}`;
      const about = `subject=${encodeURIComponent(subject)}`;

      // The form.
      const task = await portal.scaffold(template, {
        name,
        owner: OWNER,
        description: 'Is made by a test.',
        ...answers,
        ci: 'github',
        broker: 'log',
      });
      expect(task.log).toContain(
        'deploy to staging once the pipeline has built an image',
      );
      expect(
        task.output.links.map(({ title }: { title: string }) => title),
      ).not.toContain('Running service');
      await expect(ownStates(subject)).resolves.toEqual({
        'git.repository': 'live',
        'newrelic.alert-policy': 'live',
        'newrelic.dashboard': 'live',
        'newrelic.service-levels': 'live',
        'newrelic.tags': 'live',
        'catalog.entity': 'live',
      });
      await expect(inNewRelic(name)).resolves.toHaveLength(2);
      const entity = await portal.until(
        `catalog/entities/by-name/component/default/${name}`,
        () => true,
      );
      expect(entity.spec.owner).toBe(OWNER);
      const [{ intent }] = (await effectsOf(subject)).filter(
        ({ type }) => type === 'git.repository',
      );
      const { commit } = intent;

      // Nothing to deploy before its pipeline has built it.
      const request = {
        kind: 'deploy',
        subject,
        environment: 'staging',
        input: { commit },
      };
      await expect(portal.operate(request)).rejects.toThrow(
        /No pipeline registered an image/,
      );
      const push = await portal.call('POST', 'ci-registry/pushes', {
        source: {
          repository: name,
          commit,
          branch: 'main',
          pipeline: 'build-1',
          time: new Date().toISOString(),
        },
        builds: [
          {
            component: subject,
            outcome: 'succeeded',
            artifacts: [
              {
                type: 'container-image',
                name: `registry.example.com/meridian/${name}`,
                digest: DIGEST,
              },
            ],
          },
        ],
      });
      expect(push).toMatchObject({ status: 200 });

      // The deployment.
      const service = `${name}-staging`;
      const plan = await planOf(request);
      expect(plan.steps).toMatchObject([
        { change: 'create', detail: expect.stringContaining(DIGEST) },
      ]);
      simulator = new KubeletSimulator(client, service, pod =>
        pod.spec.containers[0].name === 'migrate' ? 'succeeded' : 'ready',
      );
      const { operation } = await portal.operate(request);
      expect(operation).toMatchObject({
        state: 'done',
        steps: [
          {
            message: expect.stringContaining(
              `is healthy at http://${name}.${service}.svc.cluster.local`,
            ),
          },
        ],
      });
      const [deployment] = await client.listAll<any>({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        labelSelector: { [LABEL]: service },
      });
      expect(deployment.spec.template.spec.containers[0].image).toBe(
        `registry.example.com/meridian/${name}@${DIGEST}`,
      );
      expect(deployment.status.availableReplicas).toBeGreaterThan(0);
      await expect(
        client.get({
          apiVersion: 'v1',
          kind: 'Service',
          name,
          namespace: service,
        }),
      ).resolves.toBeDefined();
      // Its database and its keys come by reference; nothing secret is in what was applied.
      const secrets = await client.listAll<any>({
        apiVersion: 'external-secrets.io/v1',
        kind: 'ExternalSecret',
        labelSelector: { [LABEL]: service },
      });
      expect(
        secrets.flatMap(({ spec }) =>
          spec.data.map(({ remoteRef }: any) => remoteRef.key),
        ),
      ).toEqual(
        expect.arrayContaining([
          `${name}/database`,
          `${name}/migration`,
          'newrelic',
        ]),
      );
      const { body: status } = await portal.call(
        'GET',
        `provisioning/services/${service}`,
      );
      expect(status).toMatchObject({ state: 'healthy', commit });
      const delivered = await portal.until(
        `ci-registry/deployments?component=${encodeURIComponent(subject)}`,
        ({ items }) => items[0]?.outcome === 'succeeded',
      );
      expect(delivered.items).toMatchObject([
        { environment: 'staging', commit, digest: DIGEST },
      ]);

      // Its first telemetry; what waited for it in New Relic follows.
      sandbox.store.registerApplication({
        accountId: ACCOUNT.id,
        appName: name,
      });
      await portal.scheduler.triggerTask('provisioning-newrelic-pending');
      await portal.until(`provisioning/effects?${about}`, ({ items }) =>
        items.every(
          ({ state, details }: any) => state === 'live' && !details.pending,
        ),
      );
      await expect(ownStates(subject)).resolves.toMatchObject({
        'kubernetes.service in staging': 'live',
      });
      await portal.scheduler.triggerTask('provisioning-newrelic-markers');
      const { account } = await graphql(`{ actor { account(id: ${ACCOUNT.id}) {
        nrql(query: "SELECT entity.name, outcome FROM ChangeTrackingEvent SINCE 1 day ago") { results }
      } } }`);
      expect(account.nrql.results).toContainEqual(
        expect.objectContaining({ 'entity.name': name, outcome: 'succeeded' }),
      );

      // And away with it.
      const { operation: retired } = await portal.operate({
        kind: 'retire',
        subject,
        input: {},
      });
      expect(retired).toMatchObject({ state: 'done' });
      const left = Object.values(await ownStates(subject));
      expect(left.filter(state => state !== 'undone')).toEqual([]);
      await expect(onCluster(service)).resolves.toEqual([]);
      await expect(inNewRelic(name)).resolves.toEqual([]);
    },
  );

  async function planOf(request: object) {
    const { body } = await portal.call('POST', 'provisioning/plans', request);
    return body;
  }
});

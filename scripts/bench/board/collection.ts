/**
 * Counts the NerdGraph requests of one collection cycle: real collector, real
 * client, and the sandbox over HTTP with several accounts. Prints one JSON line.
 */
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import criticalPathsPlugin from '@rocket/plugin-critical-paths-backend';
import newRelicModule from '@rocket/plugin-critical-paths-backend-module-newrelic';
import { startSandbox } from '@rocket/sandbox';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ACCOUNTS = 3;
const PATHS = 30;
const APPLICATIONS_PER_PATH = 10;

const accountName = (index: number) => `account-${index % ACCOUNTS}`;

function entities() {
  const made = [];
  for (let path = 0; path < PATHS; path++) {
    const steps = [];
    for (let step = 0; step < APPLICATIONS_PER_PATH; step++) {
      const name = `application-${path}-${step}`;
      steps.push({ component: `component:default/${name}` });
      made.push({
        apiVersion: 'backstage.io/v1alpha1',
        kind: 'Component',
        metadata: {
          name,
          namespace: 'default',
          annotations: {
            // Each path crosses all accounts: the hard case for batching.
            'rocket.internal/newrelic-account': accountName(step),
          },
        },
        spec: { type: 'service', lifecycle: 'production', owner: 'team' },
      });
    }
    made.push({
      apiVersion: 'rocket.internal/v1alpha1',
      kind: 'CriticalPath',
      metadata: { name: `path-${path}`, namespace: 'default' },
      spec: {
        owner: 'group:default/team',
        businessModel: 'domain:default/payments',
        type: 'transaction',
        lifecycle: 'production',
        steps,
        objectives: [
          { sli: 'availability', target: 99.9, windowDays: 28 },
          { sli: 'latency', target: 95, thresholdMs: 250, windowDays: 28 },
        ],
      },
    });
  }
  return made;
}

async function main() {
  const dataDir = await mkdtemp(join(tmpdir(), 'rocket-bench-collection-'));
  const accounts = Array.from({ length: ACCOUNTS }, (_, index) => ({
    id: 2000000 + index,
    name: accountName(index),
    apiKey: `bench-user-key-${index}`,
    licenseKey: `bench-license-key-${index}`,
  }));
  const sandbox = await startSandbox({
    port: 0,
    collectorPort: 0,
    dataDir,
    accounts,
  });
  await sandbox.ready;
  const now = Date.now();
  accounts.forEach((account, index) => {
    const events = [];
    for (let path = 0; path < PATHS; path++) {
      for (let step = 0; step < APPLICATIONS_PER_PATH; step++) {
        if (step % ACCOUNTS !== index) continue;
        for (let minute = 1; minute <= 120; minute++) {
          events.push({
            eventType: 'Transaction',
            timestamp: now - minute * 60_000,
            attributes: {
              appName: `application-${path}-${step}`,
              criticalPath: `path-${path}`,
              name: 'POST /v1/transactions',
              'http.statusCode': '201',
              duration: 0.05,
              error: false,
            },
          });
        }
      }
    }
    sandbox.store.append(account.id, events);
  });

  const requests = async () => {
    const response = await fetch(`${sandbox.url}/sandbox/status`);
    return (await response.json()).requests as number;
  };
  // A cycle is over when New Relic is asked nothing more.
  const settled = async () => {
    let last = await requests();
    for (;;) {
      await sleep(2500);
      const next = await requests();
      if (next === last) return next;
      last = next;
    }
  };

  const backend = await startTestBackend({
    features: [
      criticalPathsPlugin,
      newRelicModule,
      catalogServiceMock.factory({ entities: entities() }),
      mockServices.rootConfig.factory({
        data: {
          newrelic: {
            accounts: accounts.map(({ id, name, apiKey }, index) => ({
              id,
              name,
              apiKey,
              region: 'US',
              endpoint: `${sandbox.url}/graphql`,
              default: index === 0,
            })),
          },
          criticalPaths: {
            collector: {
              schedule: {
                frequency: { trigger: 'manual' },
                timeout: { minutes: 10 },
              },
              backfill: { hours: 2 },
            },
          },
        },
      }),
    ],
  });
  try {
    const { port } = backend.server.address() as { port: number };
    const api = `http://127.0.0.1:${port}/api/critical-paths`;
    const cycles: number[] = [];
    for (let cycle = 0; cycle < 3; cycle++) {
      const before = await requests();
      const asked = await fetch(`${api}/collect`, { method: 'POST' });
      if (asked.status !== 202) {
        throw new Error(`POST /collect answered ${asked.status}`);
      }
      cycles.push((await settled()) - before);
    }
    const board = await (await fetch(`${api}/paths?window=1h`)).json();
    const measured = board.rows.filter(
      (row: { signals: { valid: number } }) => row.signals.valid > 0,
    ).length;
    process.stdout.write(
      `${JSON.stringify({
        applications: PATHS * APPLICATIONS_PER_PATH,
        accounts: ACCOUNTS,
        requestsFirstCycle: cycles[0],
        requestsPerCycle: Math.max(...cycles.slice(1)),
        pathsMeasured: measured,
        paths: PATHS,
      })}\n`,
    );
  } finally {
    await backend.stop();
    await sandbox.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

main().then(
  () => process.exit(0),
  error => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);

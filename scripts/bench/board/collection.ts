/**
 * Counts the NerdGraph requests of one collection cycle and takes its time: real
 * collector, real client, and the sandbox over HTTP with several accounts.
 * Prints one JSON line.
 */
import newRelicModule from '@rocket/plugin-critical-paths-backend-module-newrelic';
import { startSandbox } from '@rocket/sandbox';
import knexFactory from 'knex';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchBackend } from '../../../plugins/critical-paths-backend/dev/bench/backend';
import { round } from '../../../plugins/critical-paths-backend/dev/bench/load';

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
  const knex = knexFactory({
    client: 'better-sqlite3',
    connection: { filename: join(dataDir, 'critical-paths.sqlite') },
    useNullAsDefault: true,
  });
  const backend = await benchBackend({
    knex,
    entities: entities(),
    source: [newRelicModule],
    config: {
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
    },
    criticalPaths: { collector: { backfill: { hours: 2 } } },
  });
  try {
    const cycles: { requests: number; seconds: number }[] = [];
    for (let cycle = 0; cycle < 3; cycle++) {
      // Without a new minute a cycle would have nothing to ask for.
      if (cycle > 0) await backend.forgetNewest();
      const before = await requests();
      const started = performance.now();
      await backend.collect();
      cycles.push({
        requests: (await requests()) - before,
        seconds: round((performance.now() - started) / 1000),
      });
    }
    const board = await (await fetch(`${backend.base}/paths?window=1h`)).json();
    const measured = board.rows.filter(
      (row: { signals: { valid: number } }) => row.signals.valid > 0,
    ).length;
    process.stdout.write(
      `${JSON.stringify({
        applications: PATHS * APPLICATIONS_PER_PATH,
        accounts: ACCOUNTS,
        requestsFirstCycle: cycles[0].requests,
        requestsPerCycle: Math.max(...cycles.slice(1).map(c => c.requests)),
        secondsFirstCycle: cycles[0].seconds,
        secondsPerCycle: Math.max(...cycles.slice(1).map(c => c.seconds)),
        pathsMeasured: measured,
        paths: PATHS,
      })}\n`,
    );
  } finally {
    await backend.stop();
    await knex.destroy();
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

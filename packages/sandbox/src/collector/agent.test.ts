import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventStore } from '../store/EventStore';
import { startCollector, type RunningCollector } from './startCollector';

const ACCOUNT = 1000001;
const LICENSE = 'license-of-the-test';

/** Polls until the condition holds; fails after the deadline with what it last saw. */
async function eventually<T>(
  read: () => T,
  holds: (value: T) => boolean,
  deadlineMs: number,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = read();
    if (holds(value)) {
      return value;
    }
    if (Date.now() > end) {
      throw new Error(
        `Not reached within ${deadlineMs} ms; last: ${JSON.stringify(value)}`,
      );
    }
    await sleep(100);
  }
}

function eventsOf(store: EventStore, type: string) {
  return store.segments(ACCOUNT, type, 0, Number.MAX_SAFE_INTEGER).flatMap(s =>
    Array.from({ length: s.length }, (_, row) => ({
      ...s.attributes(row),
      timestamp: s.timestamps[row],
      weight: s.weights?.[row] ?? 1,
    })),
  ) as Record<string, unknown>[];
}

describe('the real newrelic agent', () => {
  let dataDir: string;
  let store: EventStore;
  let collector: RunningCollector;
  let app: ChildProcess | undefined;
  let output = '';

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'rocket-collector-'));
    store = new EventStore({
      accounts: [
        { id: ACCOUNT, name: 'demo', apiKey: 'unused', licenseKey: LICENSE },
      ],
    });
    collector = await startCollector({
      store,
      dataDir,
      port: 0,
      reportPeriodMs: 500,
    });
  });

  afterEach(async () => {
    if (app && app.exitCode === null) {
      const exited = new Promise(resolve => app!.once('exit', resolve));
      app.kill('SIGKILL');
      await exited;
    }
    app = undefined;
    await collector.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  /** Starts the fixture with the agent and answers its base URL. */
  async function startApp(env: Record<string, string> = {}): Promise<string> {
    output = '';
    const child = spawn(
      process.execPath,
      [
        '-r',
        require.resolve('newrelic'),
        join(__dirname, '__testUtils__', 'app.cjs'),
      ],
      {
        cwd: dataDir,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env.PATH,
          NODE_EXTRA_CA_CERTS: collector.caFile,
          NEW_RELIC_APP_NAME: 'payment-test',
          NEW_RELIC_LICENSE_KEY: LICENSE,
          NEW_RELIC_HOST: collector.host,
          NEW_RELIC_PORT: String(collector.port),
          NEW_RELIC_LABELS: 'Team:ledger;CriticalPath:transaction-posting',
          NEW_RELIC_NO_CONFIG_FILE: 'true',
          NEW_RELIC_LOG: 'stdout',
          NEW_RELIC_LOG_LEVEL: 'info',
          NEW_RELIC_UTILIZATION_DETECT_AWS: 'false',
          NEW_RELIC_UTILIZATION_DETECT_GCP: 'false',
          NEW_RELIC_UTILIZATION_DETECT_AZURE: 'false',
          NEW_RELIC_UTILIZATION_DETECT_PCF: 'false',
          NEW_RELIC_UTILIZATION_DETECT_DOCKER: 'false',
          NEW_RELIC_UTILIZATION_DETECT_KUBERNETES: 'false',
          ...env,
        },
      },
    );
    app = child;
    const keep = (text: string) => {
      output += text;
    };
    child.stdout!.setEncoding('utf8').on('data', keep);
    child.stderr!.setEncoding('utf8').on('data', keep);
    const match = await eventually(
      () => /listening on (\d+)/.exec(output)?.[1] ?? output.slice(-300),
      port => /^\d+$/.test(port),
      60_000,
    );
    return `http://127.0.0.1:${match}`;
  }

  it('reports each transaction with status, critical path and duration', async () => {
    const url = await startApp();
    await eventually(
      () => output.slice(-500),
      () => /Connected to .* with agent run ID/.test(output),
      60_000,
    );
    for (const status of [200, 404, 500]) {
      const response = await fetch(`${url}/answer?status=${status}`);
      expect(response.status).toBe(status);
      await response.text();
    }

    const transactions = await eventually(
      () => eventsOf(store, 'Transaction'),
      list => list.length >= 3,
      60_000,
    );

    expect(transactions.map(t => t['http.statusCode']).sort()).toEqual([
      '200',
      '404',
      '500',
    ]);
    for (const transaction of transactions) {
      expect(transaction).toMatchObject({
        appName: 'payment-test',
        criticalPath: 'transaction-posting',
        transactionType: 'Web',
        'tags.Team': 'ledger',
        'tags.CriticalPath': 'transaction-posting',
        weight: 1,
      });
      // The fixture answers after 20 ms; the duration is in seconds.
      expect(transaction.duration).toBeGreaterThan(0.01);
      expect(transaction.duration).toBeLessThan(10);
      expect(Math.abs(Number(transaction.timestamp) - Date.now())).toBeLessThan(
        120_000,
      );
    }
    const byStatus = new Map(
      transactions.map(t => [t['http.statusCode'], t.error]),
    );
    expect(byStatus.get('500')).toBe(true);
    expect(byStatus.get('404')).toBe(false);

    const application = store.applications.get(ACCOUNT, 'payment-test');
    expect(application).toMatchObject({
      language: 'nodejs',
      labels: { Team: 'ledger', CriticalPath: 'transaction-posting' },
    });
    expect(new Set(transactions.map(t => t.entityGuid))).toEqual(
      new Set([application!.guid]),
    );

    // The custom event of the fixture, and an error for the 500.
    await eventually(
      () => [
        eventsOf(store, 'FixtureEvent'),
        eventsOf(store, 'TransactionError'),
      ],
      ([custom, errors]) => custom.length === 3 && errors.length === 1,
      30_000,
    );
    expect(eventsOf(store, 'TransactionError')[0]).toMatchObject({
      appName: 'payment-test',
      criticalPath: 'transaction-posting',
    });
    // Nothing is counted twice by a later report.
    expect(eventsOf(store, 'Transaction')).toHaveLength(3);
  }, 180_000);

  it('goes on after the collector forgot its run', async () => {
    const url = await startApp();
    await eventually(
      () => output.slice(-500),
      () => /Connected to .* with agent run ID/.test(output),
      60_000,
    );
    const { port } = collector;
    await collector.stop();
    collector = await startCollector({
      store,
      dataDir,
      port,
      reportPeriodMs: 500,
    });
    // The report with the old run is refused, the agent connects anew.
    await eventually(
      async () => {
        await (await fetch(`${url}/answer?status=200`)).text();
      },
      () =>
        /Connected to .* with agent run ID[\s\S]*Connected to .* with agent run ID/.test(
          output,
        ),
      90_000,
    );
    const before = eventsOf(store, 'Transaction').length;
    await (await fetch(`${url}/answer?status=200`)).text();
    const after = await eventually(
      () => eventsOf(store, 'Transaction').length,
      count => count > before,
      60_000,
    );
    expect(after).toBeGreaterThan(before);
  }, 240_000);

  it('is refused with a wrong license key and leaves the application alone', async () => {
    const url = await startApp({ NEW_RELIC_LICENSE_KEY: 'wrong' });
    await eventually(
      () => output.slice(-800),
      () => /license key appears to be invalid/.test(output),
      60_000,
    );
    expect((await fetch(`${url}/answer?status=200`)).status).toBe(200);
    expect(store.eventTypes(ACCOUNT)).toEqual([]);
  }, 120_000);
});

/**
 * An offline New Relic in a process of its own with steady traffic of a made-up
 * organisation, so that neither its work nor its failures are the portal's.
 * Prints its address as one JSON line and ends with its standard input.
 *
 * node --require @backstage/cli/config/nodeTransform.cjs sandbox.ts PATHS APPLICATIONS
 */
import { startSandbox } from '@rocket/sandbox';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seedSeries } from '../../../plugins/critical-paths-backend/dev/bench/seed';

const ACCOUNT = 1000001;
/** Every application has a request this often. */
const EVERY_MS = 30_000;
const HISTORY_MS = 2 * 3_600_000;

async function main([paths, applications]: string[]) {
  const dataDir = await mkdtemp(join(tmpdir(), 'rocket-bench-sandbox-'));
  const sandbox = await startSandbox({
    port: 0,
    collectorPort: 0,
    dataDir,
    accounts: [
      {
        id: ACCOUNT,
        name: 'bench',
        apiKey: process.env.BENCH_API_KEY!,
        licenseKey: 'bench-license-key',
      },
    ],
    adminToken: process.env.BENCH_ADMIN_TOKEN!,
  });
  await sandbox.ready;
  const series = seedSeries({
    paths: Number(paths),
    applicationsPerPath: Number(applications),
    days: 0,
  });
  const traffic = (timestamp: number) =>
    sandbox.store.append(
      ACCOUNT,
      series.map(({ selection }) => ({
        eventType: 'Transaction',
        timestamp,
        attributes: {
          appName: selection.appName,
          criticalPath: selection.criticalPath,
          name: 'POST /v1/transactions',
          'http.statusCode': '201',
          duration: 0.05,
          error: false,
        },
      })),
    );
  const now = Date.now();
  for (let at = now - HISTORY_MS; at <= now; at += EVERY_MS) {
    traffic(at);
  }
  setInterval(() => traffic(Date.now()), EVERY_MS);
  process.stdout.write(
    `${JSON.stringify({ url: sandbox.url, account: ACCOUNT })}\n`,
  );
  process.stdin.resume();
  process.stdin.once('end', async () => {
    await sandbox.close();
    await rm(dataDir, { recursive: true, force: true });
    process.exit(0);
  });
}

main(process.argv.slice(2)).catch(error => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});

/**
 * `./rocket test [PART ...]`: everything CI runs, cheap parts first. The last
 * line counts all tests: `N passed, N failed`.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { NoControlPlane } from './k8s/build.mts';
import { withTestCluster } from './k8s/testCluster.mts';
import { findChromium } from './lib/chromium.mts';
import { Failure, printFailure, say, seconds } from './lib/console.mts';
import { ROOT, STATE } from './lib/paths.mts';
import { buildPortal } from './lib/portalBuild.mts';
import { startPortal } from './lib/portal.mts';
import { NODE_TRANSFORM } from './lib/processes.mts';
import { prepareTechDocs } from './lib/techdocs.mts';
import { startTestPostgres } from './lib/testPostgres.mts';

interface Count {
  passed: number;
  failed: number;
  /** Why the part could not run on this machine at all; it is then neither. */
  notRun?: string;
}

/** Runs a command with its output on the console; resolves with its exit code. */
function run(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<number> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, CI: 'true', ...env },
    });
    child.once('error', fail);
    child.once('close', code => done(code ?? 1));
  });
}

const oneCheck = async (command: string, args: string[]): Promise<Count> => {
  const code = await run(command, args);
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
};

const add = (counts: Count[]): Count => ({
  passed: counts.reduce((sum, c) => sum + c.passed, 0),
  failed: counts.reduce((sum, c) => sum + c.failed, 0),
});

const results = (name: string) => {
  mkdirSync(join(STATE, 'test'), { recursive: true });
  return join(STATE, 'test', name);
};

async function unit(): Promise<Count> {
  const postgres = await startTestPostgres();
  const output = results('jest.json');
  rmSync(output, { force: true });
  try {
    const code = await run(
      'yarn',
      [
        'backstage-cli',
        'repo',
        'test',
        '--watchAll=false',
        '--maxWorkers=2',
        '--testTimeout=60000',
        '--json',
        `--outputFile=${output}`,
      ],
      {
        BACKSTAGE_TEST_DATABASE_POSTGRES18_CONNECTION_STRING: postgres.url,
        BACKSTAGE_TEST_DISABLE_DOCKER: '1',
        NODE_OPTIONS: '--max-old-space-size=6144',
      },
    );
    return jestCount(output, code);
  } finally {
    await postgres.stop();
  }
}

/** What Jest wrote to `output` before it ended with `code`. */
function jestCount(output: string, code: number): Count {
  if (!existsSync(output)) return { passed: 0, failed: 1 };
  const report = JSON.parse(readFileSync(output, 'utf8'));
  // A suite that does not even load has no failed test of its own.
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  return {
    passed: report.numPassedTests,
    failed: failed || (code === 0 ? 0 : 1),
  };
}

/** The steps of the templates alone, in contexts of their own; the unit tests hold them too. */
async function actions(): Promise<Count> {
  const output = results('jest-actions.json');
  rmSync(output, { force: true });
  const code = await run('yarn', [
    'workspace',
    '@rocket/plugin-scaffolder-backend-module-rocket',
    'test',
    '--watchAll=false',
    '--testTimeout=60000',
    '--json',
    `--outputFile=${output}`,
  ]);
  return jestCount(output, code);
}

/** Runs a command that ends with `N passed, N failed` and takes its count. */
async function counting(args: string[]): Promise<Count> {
  let last = '';
  const code = await new Promise<number>((done, fail) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, CI: 'true' },
    });
    child.stdout.on('data', chunk => {
      process.stdout.write(chunk);
      last = (last + chunk).slice(-4000);
    });
    child.once('error', fail);
    child.once('close', status => done(status ?? 1));
  });
  const match = [...last.matchAll(/^(\d+) passed, (\d+) failed/gm)].pop();
  if (!match) return { passed: 0, failed: 1 };
  const failed = Number(match[2]);
  return { passed: Number(match[1]), failed: failed || (code === 0 ? 0 : 1) };
}

/** What is about Kubernetes, against a real control plane: the files `*.cluster.test.ts`. */
async function k8s(): Promise<Count> {
  const output = results('jest-k8s.json');
  rmSync(output, { force: true });
  try {
    return await withTestCluster(async ({ kubeconfig }) => {
      const code = await run(
        'yarn',
        [
          'backstage-cli',
          'repo',
          'test',
          '--watchAll=false',
          '--maxWorkers=2',
          '--testTimeout=120000',
          '--testPathPatterns=\\.cluster\\.test\\.ts$',
          '--json',
          `--outputFile=${output}`,
        ],
        { ROCKET_TEST_KUBECONFIG: kubeconfig },
      );
      const count = jestCount(output, code);
      // Skipped here, where the cluster is, a test is none.
      const skipped = existsSync(output)
        ? JSON.parse(readFileSync(output, 'utf8')).numPendingTests
        : 0;
      return { ...count, failed: count.failed + skipped };
    });
  } catch (error) {
    if (!(error instanceof NoControlPlane)) throw error;
    return { passed: 0, failed: 0, notRun: error.reason };
  }
}

/** One run of the browser tests whose file names begin so. */
async function browserTests(
  files: string,
  env: NodeJS.ProcessEnv,
): Promise<Count> {
  const output = results('playwright.json');
  rmSync(output, { force: true });
  const code = await run('yarn', ['playwright', 'test', files], {
    ...env,
    PLAYWRIGHT_JSON_OUTPUT_NAME: output,
  });
  if (!existsSync(output)) return { passed: 0, failed: 1 };
  const { stats } = JSON.parse(readFileSync(output, 'utf8'));
  // A test that did not run because the one before it failed is no success.
  const failed = stats.unexpected + stats.skipped;
  return {
    passed: stats.expected + stats.flaky,
    failed: failed || (code === 0 ? 0 : 1),
  };
}

async function e2e(): Promise<Count> {
  const chromium = findChromium();
  await buildPortal({});
  const noDocs = await prepareTechDocs();
  rmSync(join(ROOT, 'e2e-artifacts'), { recursive: true, force: true });
  mkdirSync(join(STATE, 'test'), { recursive: true });
  const dataDir = mkdtempSync(join(STATE, 'test', 'e2e-'));
  const options = {
    port: Number(process.env.ROCKET_E2E_PORT ?? 7307),
    dataDir,
    traffic: true,
  };
  const counts: Count[] = [];
  try {
    // The last part makes the sandbox misbehave, and asks it more often.
    process.env.ROCKET_SANDBOX_ADMIN_TOKEN = randomBytes(16).toString('hex');
    for (const files of ['1-', '2-', '3-']) {
      const logDir = join(STATE, 'test', `e2e-log-${files}`);
      const portal = await startPortal({
        ...options,
        logDir,
        configs: files === '3-' ? ['e2e-tests/3-faults.config.yaml'] : [],
      });
      try {
        counts.push(
          await browserTests(`e2e-tests/${files}`, {
            ROCKET_SANDBOX_PORT: portal.env.ROCKET_SANDBOX_PORT,
            ROCKET_SANDBOX_API_KEY: portal.env.ROCKET_SANDBOX_API_KEY,
            ROCKET_SANDBOX_LICENSE_KEY: portal.env.ROCKET_SANDBOX_LICENSE_KEY,
            PLAYWRIGHT_URL: portal.url,
            CHROMIUM_PATH: chromium,
            ROCKET_E2E_DOCS: noDocs ? '' : 'yes',
            ROCKET_E2E_LOGS: logDir,
          }),
        );
      } finally {
        await portal.stop();
      }
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
  return add(counts);
}

const PARTS: Record<string, () => Promise<Count>> = {
  types: async () =>
    add([
      await oneCheck('yarn', ['tsc']),
      await oneCheck('yarn', ['tsc', '-p', 'scripts']),
      await oneCheck('yarn', ['tsc', '-p', 'e2e-tests']),
    ]),
  lint: async () =>
    add([
      await oneCheck('yarn', [
        'backstage-cli',
        'repo',
        'lint',
        '--max-warnings',
        '0',
      ]),
      await oneCheck('yarn', ['prettier', '--check', '.']),
      await oneCheck('yarn', [
        'backstage-cli',
        'config:check',
        '--lax',
        '--config',
        join(ROOT, 'app-config.yaml'),
      ]),
    ]),
  unit,
  templates: async () =>
    add([
      ...(parts.includes('unit') ? [] : [await actions()]),
      await counting([...NODE_TRANSFORM, join(ROOT, 'templates/rig/check.ts')]),
    ]),
  k8s,
  e2e,
};

const asked = process.argv.slice(2);
const parts = asked.length ? asked : Object.keys(PARTS);

async function main() {
  const unknown = asked.find(part => !(part in PARTS));
  if (unknown)
    throw new Failure(
      `There is no test part '${unknown}'.`,
      `There are: ${Object.keys(PARTS).join(', ')}.`,
    );

  const counts: { part: string; count: Count; time: string }[] = [];
  for (const part of parts) {
    const since = Date.now();
    say(`test part: ${part}`);
    let count: Count;
    try {
      count = await PARTS[part]();
    } catch (error) {
      printFailure(error);
      count = { passed: 0, failed: 1 };
    }
    counts.push({ part, count, time: seconds(since) });
  }

  console.log('');
  for (const { part, count, time } of counts) {
    if (count.notRun !== undefined) {
      say(`${part}: NOT RUN, because ${count.notRun}`);
      continue;
    }
    say(
      `${part.padEnd(10)} ${String(count.passed).padStart(5)} passed ${String(
        count.failed,
      ).padStart(3)} failed  ${time}`,
    );
  }
  const total = add(counts.map(c => c.count));
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
}

main().catch(error => {
  printFailure(error);
  process.exit(1);
});

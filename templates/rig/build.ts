/** The commands of the README, in a rendered repository; then the running service and the conformance suite on it. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { assert, equal, type Report } from './report';
import { TEMPLATES } from './templates';

/** Settings of whoever runs the rig that would change the service under test. */
const SERVICE_VARIABLES =
  /^((TEST_|MIGRATION_)?DATABASE_.*|NODE_OPTIONS|PORT|HOST|LOG_LEVEL|WORKERS|EVENT_.*|AUTH_.*|NEW_RELIC_.*|ROCKET_.*|BACKSTAGE_.*)$/;

/** All of the machine's settings (proxies, certificates, registries), none of a service. */
function environment(): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries(
      Object.entries(process.env).filter(
        ([name]) => !SERVICE_VARIABLES.test(name),
      ),
    ),
    FORCE_COLOR: '0',
  } as NodeJS.ProcessEnv;
}

const seconds = (since: number) =>
  `${((Date.now() - since) / 1000).toFixed(1)} s`;

async function runCommands(
  report: Report,
  root: string,
  label: string,
): Promise<boolean> {
  for (const command of [
    'npm ci',
    'npm run lint',
    'npm run typecheck',
    'npm test',
  ]) {
    const since = Date.now();
    let output = '';
    const passed = await report.check(`${label}: ${command}`, () => {
      const [file, ...rest] = command.split(' ');
      const result = spawnSync(file, rest, {
        cwd: root,
        env: environment(),
        encoding: 'utf8',
        timeout: 900_000,
        maxBuffer: 64 * 1024 * 1024,
      });
      output = `${result.stdout}${result.stderr}`;
      assert(
        result.status === 0,
        `${command} ended with ${
          result.status ?? result.signal
        }\n${output.slice(-6_000)}`,
      );
    });
    for (const line of output.split('\n'))
      if (/^(Tests|Test Suites|Statements|Branches) *:/.test(line))
        report.note(line);
    report.note(seconds(since));
    // Without its packages nothing else can be said of it.
    if (!passed && command === 'npm ci') return false;
  }
  return true;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

async function untilReady(
  url: string,
  child: ChildProcess,
  log: () => string,
): Promise<void> {
  const end = Date.now() + 120_000;
  for (;;) {
    const status = await fetch(`${url}/readyz`, {
      signal: AbortSignal.timeout(2_000),
    }).then(
      response => response.status,
      () => 0,
    );
    if (status === 200) return;
    assert(
      child.exitCode === null && child.signalCode === null,
      `it ended with ${child.exitCode}\n${log()}`,
    );
    assert(Date.now() < end, `it is not ready after two minutes\n${log()}`);
    await new Promise(resolve => setTimeout(resolve, 200));
  }
}

/** Runs the suite; SIGTERM, and what the service does then, is its last check. */
function conformance(
  service: string,
  url: string,
  root: string,
  pid: number,
): Promise<{ code: number; output: string }> {
  const child = spawn(
    process.execPath,
    [
      path.join(TEMPLATES, 'conformance/run.ts'),
      ...['--service', service, '--url', url, '--pid', String(pid)],
      ...['--contracts', path.join(root, 'contracts')],
    ],
    { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  const take = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const timer = setTimeout(() => child.kill('SIGKILL'), 600_000);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => {
      clearTimeout(timer);
      resolve({ code: code ?? 1, output });
    });
  });
}

async function runService(
  report: Report,
  root: string,
  service: string,
  label: string,
): Promise<void> {
  const { scripts } = JSON.parse(
    readFileSync(path.join(root, 'package.json'), 'utf8'),
  );
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let log = '';
  // What `npm start` runs, without npm in between, so that the signal and the exit code are the service's own.
  const child = spawn(process.execPath, [scripts.start.replace(/^node /, '')], {
    cwd: root,
    env: { ...environment(), PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      log = (log + chunk).slice(-20_000);
    });
  const ended = new Promise<number | null>(resolve =>
    child.once('close', resolve),
  );
  try {
    const ready = await report.check(
      `${label}: npm start, with a PostgreSQL of its own`,
      async () => {
        equal(scripts.start, 'node scripts/start.ts', 'npm start');
        await untilReady(url, child, () => log.slice(-3_000));
      },
    );
    if (!ready) return;
    const since = Date.now();
    await report.check(`${label}: the conformance suite`, async () => {
      const { code, output } = await conformance(
        service,
        url,
        root,
        child.pid!,
      );
      const summary = output
        .split('\n')
        .filter(line => /^(Tests|Test Suites): /.test(line));
      summary.forEach(line => report.note(line));
      const wrong = output.split('\n').filter(line => /^\s*✕ /.test(line));
      assert(
        code === 0,
        `it ended with ${code}\n${wrong.join('\n')}\n${output.slice(-8_000)}`,
      );
    });
    report.note(seconds(since));
    await report.check(
      `${label}: SIGTERM ends it with 0, nothing left running`,
      async () => {
        if (child.exitCode === null && child.signalCode === null)
          child.kill('SIGTERM');
        const late = new Promise<string>(resolve =>
          setTimeout(() => resolve('no end'), 30_000).unref(),
        );
        const code = await Promise.race([ended, late]);
        assert(
          code === 0,
          `it ended with ${code ?? child.signalCode}\n${log.slice(-3_000)}`,
        );
      },
    );
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await ended;
      clearTimeout(timer);
    }
  }
}

/** One rendering in full: installed, linted, type-checked, tested, started, questioned, stopped. */
export async function buildAndRun(
  report: Report,
  template: string,
  root: string,
): Promise<void> {
  const label = `${template}: built`;
  if (!(await runCommands(report, root, label))) return;
  await runService(report, root, template.replace(/-service-.*$/, ''), label);
}

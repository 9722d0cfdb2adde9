/** The commands of the README, in a rendered repository; then the running service and the conformance suite on it. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { assert, type Report } from './report';
import { conformance, environment, RunningService } from './running';

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

async function runService(
  report: Report,
  root: string,
  service: string,
  label: string,
): Promise<void> {
  const running = await RunningService.start(root);
  try {
    const ready = await report.check(
      `${label}: npm start, with a PostgreSQL of its own`,
      () => running.untilReady(),
    );
    if (!ready) return;
    const since = Date.now();
    await report.check(`${label}: the conformance suite`, async () => {
      const { summary } = await conformance(
        service,
        running,
        path.join(root, 'contracts'),
      );
      summary.forEach(line => report.note(line));
    });
    report.note(seconds(since));
    await report.check(
      `${label}: SIGTERM ends it with 0, nothing left running`,
      () => running.drained(),
    );
  } finally {
    await running.stop();
  }
}

/** The kind of service that a template makes, as the conformance suite names it. */
export const kindOf = (template: string) =>
  template.replace(/-service-.*$/, '');

/** One rendering in full: installed, linted, type-checked, tested, started, questioned, stopped. True when its packages are there. */
export async function buildAndRun(
  report: Report,
  template: string,
  root: string,
): Promise<boolean> {
  const label = `${template}: built`;
  if (!(await runCommands(report, root, label))) return false;
  await runService(report, root, kindOf(template), label);
  return true;
}

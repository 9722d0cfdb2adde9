import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { ROOT } from '../../scripts/contract.ts';

/** The service as it runs in production: its own process, the start command of rocket.yaml. */
const running: ChildProcess[] = [];

/** Ends what startProcess started and is still there. */
export function killProcesses(): void {
  for (const child of running.splice(0)) child.kill('SIGKILL');
}

export type Started = { child: ChildProcess; url: string; output: () => string; exited: Promise<number | null> };

/** Resolves when it listens; rejects with its output when it ends before. */
export async function startProcess(env: Record<string, string> = {}): Promise<Started> {
  const { NODE_OPTIONS: _options, ...rest } = process.env;
  const child = spawn(process.execPath, ['--import', './src/platform/telemetry.ts', 'src/platform/main.ts'], {
    cwd: ROOT,
    env: { ...rest, DATABASE_URL: process.env.SERVICE_APP_URL!, PORT: '0', HOST: '127.0.0.1', ...env },
  });
  running.push(child);
  let output = '';
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const listening = new Promise<string>(resolve => {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', data => {
        output += data;
        const found = /"url":"(http:[^"]+)"[^\n]*"msg":"listening"/.exec(output);
        if (found) resolve(found[1]!);
      });
    }
  });
  const url = await Promise.race([
    listening,
    exited.then(code => {
      throw new Error(`exited with ${code}: ${output}`);
    }),
  ]);
  return { child, url, output: () => output, exited };
}

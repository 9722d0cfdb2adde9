import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';

/** The offline New Relic of `sandbox.ts`, seen from the process that started it. */
export interface SandboxProcess {
  url: string;
  account: number;
  /** HTTP requests that it was asked so far. */
  requests(): Promise<number>;
  /** Adds a rule of the sandbox's misbehaviour. */
  misbehave(rule: Record<string, unknown>): Promise<void>;
  /** Takes all rules back. */
  behave(): Promise<void>;
  stop(): void;
}

/** @throws when it ends before it is ready */
export async function startSandboxProcess(
  size: { paths: number; applicationsPerPath: number },
  apiKey: string,
): Promise<SandboxProcess> {
  const token = randomBytes(16).toString('hex');
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      // Run from the source tree only, never from a build.
      // eslint-disable-next-line no-restricted-syntax
      `${__dirname}/sandbox.ts`,
      String(size.paths),
      String(size.applicationsPerPath),
    ],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, BENCH_API_KEY: apiKey, BENCH_ADMIN_TOKEN: token },
    },
  );
  const { url, account } = await new Promise<{ url: string; account: number }>(
    (resolve, reject) => {
      createInterface(child.stdout).once('line', line =>
        resolve(JSON.parse(line)),
      );
      child.once('error', reject);
      child.once('close', code =>
        reject(new Error(`the sandbox ended with exit code ${code}`)),
      );
    },
  );
  const order = async (method: string, rule?: Record<string, unknown>) => {
    const answer = await fetch(`${url}/sandbox/misbehave`, {
      method,
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
      },
      body: rule && JSON.stringify(rule),
    });
    if (!answer.ok) {
      throw new Error(
        `${method} /sandbox/misbehave answered ${
          answer.status
        }: ${await answer.text()}`,
      );
    }
  };
  return {
    url,
    account,
    async requests() {
      const status = await fetch(`${url}/sandbox/status`);
      return ((await status.json()) as { requests: number }).requests;
    },
    misbehave: rule => order('POST', rule),
    behave: () => order('DELETE'),
    stop() {
      child.stdin.end();
    },
  };
}

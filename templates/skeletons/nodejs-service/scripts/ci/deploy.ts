/**
 * Blue-green deployment in the order that is safe; how each part is done on your platform is DEPLOY_COMMAND's business:
 *
 *   $DEPLOY_COMMAND green    IMAGE     start the new version beside the running one, migrations first
 *   $DEPLOY_COMMAND shift    PERCENT   send this part of the requests to it: 5, 25, 100
 *   $DEPLOY_COMMAND watch    PERCENT   compare errors and latency for a while; anything but 0 is a no
 *   $DEPLOY_COMMAND promote  IMAGE     make it the running version and let the old one drain
 *   $DEPLOY_COMMAND rollback IMAGE     everything back to the old version
 *
 * GREEN_URL, if set, is asked before any request is shifted: it must be ready and speak the API of this commit.
 * The result is in ci-out/deployment.json whatever happens; ends with 1 when the new version does not run.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Deployment, Env } from './record.ts';

const STEPS = [5, 25, 100];

export type DeployOptions = {
  folder: string;
  env: Env;
  log: (line: string) => void;
  /** One phase, milliseconds. Default: 15 minutes. */
  phaseMs?: number;
  /** How long GREEN_URL may take to be ready, milliseconds. Default: 2 minutes. */
  readyMs?: number;
  /** Aborted when the pipeline is cancelled. */
  signal?: AbortSignal;
};

/** Secrets that other steps need, and the deployment does not. */
const NOT_FOR_THE_COMMAND = /^(ROCKET_TOKEN|ROCKET_ID_TOKEN|NEW_RELIC_USER_KEY|REGISTRY_PASSWORD)$/;

function run(command: string, args: string[], options: DeployOptions, signal?: AbortSignal): Promise<void> {
  const env = Object.fromEntries(Object.entries(options.env).filter(([name]) => !NOT_FOR_THE_COMMAND.test(name)));
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', `${command} "$@"`, 'deploy', ...args], {
      cwd: options.folder,
      env: env as NodeJS.ProcessEnv,
      stdio: ['ignore', 'inherit', 'inherit'],
      // A group of its own, so that what the command started ends with it.
      detached: true,
    });
    let why = '';
    const stop = (message: string) => {
      why ||= message;
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // It has ended already.
      }
    };
    const timer = setTimeout(() => stop('took too long'), options.phaseMs ?? 15 * 60_000);
    const cancel = () => stop('was cancelled');
    signal?.addEventListener('abort', cancel);
    const end = (message?: string) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
      if (message) reject(new Error(`${args.join(' ')}: ${message}`));
      else resolve();
    };
    child.once('error', error => end(error.message));
    child.once('close', (code, killed) => end(code === 0 ? undefined : why || `ended with ${code ?? killed}`));
  });
}

async function ask(url: string): Promise<Response> {
  return fetch(url, { redirect: 'error', signal: AbortSignal.timeout(5_000) });
}

/** Waits until the new version is ready, then compares what it says of its API with the contract of this commit. */
async function smoke(base: string, options: DeployOptions): Promise<void> {
  const address = (path: string) => new URL(path, base.endsWith('/') ? base : `${base}/`).href;
  const end = Date.now() + (options.readyMs ?? 120_000);
  for (;;) {
    options.signal?.throwIfAborted();
    const status = await ask(address('readyz')).then(
      response => response.status,
      () => 'no answer',
    );
    if (status === 200) break;
    if (Date.now() > end) throw new Error(`smoke: ${base} is not ready: ${status}`);
    await new Promise(resolve => setTimeout(resolve, 1_000));
  }
  const live = await ask(address('healthz'));
  if (live.status !== 200) throw new Error(`smoke: healthz answers ${live.status}`);
  const document = (await (await ask(address('openapi.json'))).json()) as { paths?: object };
  // Paths of the YAML document stand at two spaces; the deploy job installs nothing that could parse it.
  const contract = readFileSync(join(options.folder, 'contracts/openapi.yaml'), 'utf8');
  const wanted = [...contract.matchAll(/^ {2}["']?(\/[^"'\s]*?)["']?:$/gm)].map(match => match[1] ?? '');
  const missing = wanted.filter(path => !Object.hasOwn(document.paths ?? {}, path));
  if (wanted.length === 0 || missing.length > 0) {
    throw new Error(`smoke: ${base} does not offer ${missing.join(', ') || 'any path'}; is it this version?`);
  }
}

/** Carries the deployment out; never throws for what the platform does. */
export async function deploy(options: DeployOptions): Promise<Deployment> {
  const { env, folder, log, signal } = options;
  const command = env.DEPLOY_COMMAND;
  if (!command) throw new Error('DEPLOY_COMMAND is not set');
  const image = readFileSync(join(folder, 'ci-out/image.txt'), 'utf8').trim();
  if (!/@sha256:[0-9a-f]{64}$/.test(image))
    throw new Error(`ci-out/image.txt must name an image by digest, not ${image}`);

  const startedAt = new Date().toISOString();
  const result = (outcome: Deployment['outcome'], reason?: string): Deployment => ({
    environment: env.DEPLOY_ENVIRONMENT || 'production',
    image,
    startedAt,
    finishedAt: new Date().toISOString(),
    outcome,
    ...(reason ? { reason } : {}),
  });
  const phase = async (...args: string[]) => {
    signal?.throwIfAborted();
    log(args.join(' '));
    await run(command, args, options, signal);
  };
  try {
    await phase('green', image);
    if (env.GREEN_URL) await smoke(env.GREEN_URL, options);
    else log('GREEN_URL is not set: the new version is not asked before requests are shifted.');
    for (const percent of STEPS) {
      await phase('shift', String(percent));
      await phase('watch', String(percent));
    }
    await phase('promote', image);
    return result('succeeded');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log(`${reason}: rolling back`);
    try {
      // Also when cancelled: half a deployment is worse than none.
      await run(command, ['rollback', image], options);
      return result('rolled-back', reason);
    } catch (second) {
      return result('failed', `${reason}; ${(second as Error).message}`);
    }
  }
}

if (import.meta.main) {
  const cancelled = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => cancelled.abort(new Error('cancelled')));
  const folder = process.cwd();
  try {
    const log = (line: string) => console.log(line);
    const deployment = await deploy({ folder, env: process.env, log, signal: cancelled.signal });
    mkdirSync(join(folder, 'ci-out'), { recursive: true });
    writeFileSync(join(folder, 'ci-out/deployment.json'), `${JSON.stringify(deployment, null, 2)}\n`);
    console.log(`${deployment.outcome}${deployment.reason ? `: ${deployment.reason}` : ''}`);
    process.exitCode = deployment.outcome === 'succeeded' ? 0 : 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

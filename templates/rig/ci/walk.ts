/**
 * Runs jobs of a service's GitHub workflow on this machine, step by step as GitHub would: each job in a clone of its own, with the
 * variables, conditions, artifacts and identity that the workflow gives it. Jobs that need Docker are left to GitHub; what they would
 * leave behind is given.
 *
 * node --require @backstage/cli/config/nodeTransform.cjs templates/rig/ci/walk.ts --repo DIR --job ID ... \
 *   [--repository OWNER/NAME] [--server URL] [--modules DIR] [--var NAME=VALUE ...] [--secret NAME=VALUE ...] [--env NAME=VALUE ...] \
 *   [--artifact NAME=DIR ...]
 *
 * --repo        a Git repository with a commit; its HEAD is what was pushed to main
 * --modules     its node_modules, instead of npm ci
 * --artifact    what a job that is not run leaves behind
 *
 * Ends with 1 when a job fails.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { type Context, evaluate, fill } from './expressions';

export type WalkOptions = {
  /** A Git repository. */
  repo: string;
  /** Ids of the jobs to run, in an order in which they can be. */
  jobs: string[];
  /** `https://github.com` */
  server?: string;
  /** `acme/wallet` */
  repository?: string;
  runId?: string;
  vars?: Record<string, string>;
  secrets?: Record<string, string>;
  /** Beside what the workflow sets, for every step. */
  env?: Record<string, string>;
  /** The node_modules of the repository. */
  modules?: string;
  /** Folders with what jobs that are not run leave behind, by the artifact's name. */
  artifacts?: Record<string, string>;
  /** Makes the token that GitHub would make for a job that may have one. */
  idToken?: (
    audience: string,
    job: { id: string; environment?: string },
  ) => Promise<string>;
  log: (line: string) => void;
};

export type Walked = Record<
  string,
  { result: 'success' | 'failure' | 'skipped'; output: string }
>;

type Step = {
  name?: string;
  uses?: string;
  run?: string;
  if?: string;
  with?: Record<string, unknown>;
};

/** Longest time of one step, milliseconds. */
const STEP_MS = 15 * 60_000;

function git(folder: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd: folder, encoding: 'utf8' }).trim();
}

/** Paths of an artifact are kept from their deepest common folder on. */
function rootOf(paths: string[]): string {
  const folders = paths.map(file =>
    file.endsWith('/') ? file.slice(0, -1) : path.posix.dirname(file),
  );
  let common = folders[0];
  while (!folders.every(f => f === common || f.startsWith(`${common}/`)))
    common = path.posix.dirname(common);
  return common;
}

function runStep(
  script: string,
  cwd: string,
  env: Record<string, string | undefined>,
  output: (text: string) => void,
): Promise<boolean> {
  return new Promise(resolve => {
    const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', script], {
      cwd,
      env: env as NodeJS.ProcessEnv,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const timer = setTimeout(() => {
      output('took too long\n');
      process.kill(-child.pid!, 'SIGKILL');
    }, STEP_MS);
    child.stdout.on('data', data => output(String(data)));
    child.stderr.on('data', data => output(String(data)));
    child.once('close', code => {
      clearTimeout(timer);
      resolve(code === 0);
    });
  });
}

/** GitHub's token service, for one job. */
async function tokenService(
  make: (audience: string) => Promise<string>,
): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url!, 'http://localhost');
    if (request.headers.authorization?.toLowerCase() !== 'bearer job-secret') {
      response.writeHead(401).end();
      return;
    }
    make(searchParams.get('audience') ?? '').then(
      value => response.end(JSON.stringify({ value })),
      error => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/token?api-version=2.0`, server };
}

/** Runs the jobs and says how each of them ended; throws when the workflow cannot be read. */
export async function walk(options: WalkOptions): Promise<Walked> {
  const { repo, log } = options;
  const workflow = parse(
    readFileSync(path.join(repo, '.github/workflows/ci.yml'), 'utf8'),
  );
  const work = mkdtempSync(path.join(tmpdir(), 'rocket-walk-'));
  const server = options.server ?? 'https://github.com';
  const repository = options.repository ?? 'acme/service';
  const sha = git(repo, 'rev-parse', 'HEAD');
  const before = execFileSync('git', ['rev-list', '--max-count=2', 'HEAD'], {
    cwd: repo,
    encoding: 'utf8',
  })
    .trim()
    .split('\n')[1];
  const runId = options.runId ?? String(Date.now());
  const event = { before: before ?? '0'.repeat(40) };
  const context: Context = {
    github: {
      sha,
      event,
      event_name: 'push',
      ref: 'refs/heads/main',
      ref_name: 'main',
      server_url: server,
      repository,
      run_id: runId,
      actor: 'walker',
      workflow: 'ci',
    },
    vars: options.vars ?? {},
    secrets: options.secrets ?? {},
  };
  writeFileSync(path.join(work, 'event.json'), JSON.stringify(event));
  const artifacts = { ...options.artifacts };
  const walked: Walked = {};

  async function runJob(id: string): Promise<void> {
    const job = workflow.jobs[id];
    if (!job) throw new Error(`The workflow has no job ${id}`);
    const needs: Record<string, { result: string }> = {};
    // A job that is not walked is one that went well elsewhere.
    for (const need of [job.needs ?? []].flat())
      needs[need] = { result: walked[need]?.result ?? 'success' };
    const well = Object.values(needs).every(
      ({ result }) => result === 'success',
    );
    const condition = job.if && /\$\{\{\s*(.*?)\s*\}\}/s.exec(job.if)?.[1];
    const wanted = condition
      ? evaluate(condition, { ...context, needs })
      : true;
    const always = condition && /cancelled\(\)|always\(\)/.test(condition);
    if (!wanted || (!well && !always)) {
      walked[id] = { result: 'skipped', output: '' };
      log(`${id}: skipped`);
      return;
    }
    const folder = path.join(work, id);
    let output = '';
    const write = (text: string) => {
      output += text;
      for (const line of text.split('\n')) if (line) log(`${id}: ${line}`);
    };
    const env: Record<string, string | undefined> = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      LANG: 'C.UTF-8',
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_SERVER_URL: server,
      GITHUB_REPOSITORY: repository,
      GITHUB_SHA: sha,
      GITHUB_REF: 'refs/heads/main',
      GITHUB_REF_NAME: 'main',
      GITHUB_REF_TYPE: 'branch',
      GITHUB_EVENT_NAME: 'push',
      GITHUB_RUN_ID: runId,
      GITHUB_RUN_ATTEMPT: '1',
      GITHUB_EVENT_PATH: path.join(work, 'event.json'),
    };
    for (const values of [workflow.env, job.env])
      for (const [name, value] of Object.entries<string>(values ?? {}))
        env[name] = fill(String(value), context);
    Object.assign(env, options.env);
    let service: Server | undefined;
    if (job.permissions?.['id-token'] === 'write' && options.idToken) {
      const { idToken } = options;
      const made = await tokenService(audience =>
        idToken(audience, { id, environment: job.environment }),
      );
      service = made.server;
      env.ACTIONS_ID_TOKEN_REQUEST_URL = made.url;
      env.ACTIONS_ID_TOKEN_REQUEST_TOKEN = 'job-secret';
    }
    let failed = false;
    try {
      for (const step of job.steps as Step[]) {
        const condition =
          step.if && /\$\{\{\s*(.*?)\s*\}\}/s.exec(step.if)?.[1];
        if (condition ? !evaluate(condition, { ...context, failed }) : failed)
          continue;
        if (!(await runOne(step, folder, env, write))) failed = true;
      }
    } finally {
      service?.closeAllConnections();
      service?.close();
    }
    walked[id] = { result: failed ? 'failure' : 'success', output };
    log(`${id}: ${walked[id].result}`);
  }

  async function runOne(
    step: Step,
    folder: string,
    env: Record<string, string | undefined>,
    write: (text: string) => void,
  ): Promise<boolean> {
    const named = String(step.with?.name ?? '');
    const where = String(step.with?.path ?? '');
    const action = step.uses?.replace(/@.*$/, '');
    if (action === 'actions/checkout') {
      const depth = step.with?.['fetch-depth'] === 0 ? [] : ['--depth', '1'];
      execFileSync('git', [
        'clone',
        '--quiet',
        ...depth,
        `file://${path.resolve(repo)}`,
        folder,
      ]);
      git(folder, 'checkout', '--quiet', '-B', 'main', sha);
      git(folder, 'remote', 'remove', 'origin');
      return true;
    }
    if (action === 'actions/setup-node') return true;
    if (action === 'actions/upload-artifact') {
      const paths = where.split('\n').filter(Boolean);
      const root = rootOf(paths);
      const target = path.join(work, 'artifacts', named);
      for (const file of paths) {
        const source = path.join(folder, file);
        if (!existsSync(source)) continue;
        mkdirSync(target, { recursive: true });
        cpSync(source, path.join(target, path.relative(root, file)), {
          recursive: true,
        });
      }
      if (existsSync(target)) artifacts[named] = target;
      return true;
    }
    if (action === 'actions/download-artifact') {
      if (!artifacts[named]) {
        write(`There is no artifact ${named}\n`);
        return false;
      }
      cpSync(artifacts[named], path.join(folder, where), { recursive: true });
      return true;
    }
    if (step.uses) throw new Error(`${step.uses} cannot be run here`);
    if (options.modules && /^npm ci\b/.test(step.run ?? '')) {
      symlinkSync(
        path.resolve(options.modules),
        path.join(folder, 'node_modules'),
      );
      return true;
    }
    write(`$ ${step.name ?? step.run}\n`);
    return runStep(step.run ?? '', folder, env, write);
  }

  try {
    for (const id of options.jobs) await runJob(id);
    return walked;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function pairs(list: string[] = []): Record<string, string> {
  return Object.fromEntries(
    list.map(text => {
      const at = text.indexOf('=');
      if (at < 1) throw new Error(`${text} is not NAME=VALUE`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

async function main(): Promise<void> {
  const list = { type: 'string', multiple: true } as const;
  const { values } = parseArgs({
    options: {
      repo: { type: 'string' },
      job: list,
      server: { type: 'string' },
      repository: { type: 'string' },
      modules: { type: 'string' },
      var: list,
      secret: list,
      env: list,
      artifact: list,
    },
  });
  if (!values.repo || !values.job?.length)
    throw new Error('Say --repo DIR and --job ID');
  const walked = await walk({
    repo: values.repo,
    jobs: values.job,
    server: values.server,
    repository: values.repository,
    modules: values.modules,
    vars: pairs(values.var),
    secrets: pairs(values.secret),
    env: pairs(values.env),
    artifacts: pairs(values.artifact),
    log: line => process.stdout.write(`${line}\n`),
  });
  if (Object.values(walked).some(({ result }) => result === 'failure'))
    process.exitCode = 1;
}

if (require.main === module)
  main().catch(error => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exit(2);
  });

import path from 'node:path';
import { parseArgs } from 'node:util';
import { SandboxOptions, startSandbox } from './server';

const ACCOUNT_ID = 1000001;
const ACCOUNT_NAME = 'demo';

const USAGE = `Usage: sandbox [options]

An offline New Relic on this machine.

  --scenario FILE   traffic scenario (default: examples/traffic.yaml)
  --no-traffic      no generated traffic
  --days N          days of history instead of the scenario's
  --help            this text

Environment: ROCKET_SANDBOX_PORT (7010), ROCKET_COLLECTOR_PORT (7011),
ROCKET_DATA_DIR (.rocket/data), ROCKET_SANDBOX_API_KEY,
ROCKET_SANDBOX_LICENSE_KEY, ROCKET_SANDBOX_ADMIN_TOKEN (allows POST
/sandbox/misbehave), ROCKET_URL and ROCKET_DEMO_PIPELINE_TOKEN (the
scenario's pipelines push their builds and deployments there).`;

/** A start that cannot be, with a sentence for the person who tried. */
export class UsageError extends Error {}

export interface MainContext {
  argv: string[];
  env: NodeJS.ProcessEnv;
  /** Root of the repository, for the defaults. */
  repository: string;
}

/** Reads flags and environment. Throws `UsageError` naming what is wrong. */
export function readOptions(
  context: MainContext,
): SandboxOptions | { help: string } {
  const { env, repository } = context;
  let values;
  try {
    ({ values } = parseArgs({
      args: context.argv,
      options: {
        scenario: { type: 'string' },
        'no-traffic': { type: 'boolean' },
        days: { type: 'string' },
        help: { type: 'boolean' },
      },
    }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${USAGE}`);
  }
  if (values.help) return { help: USAGE };
  const missing = [
    'ROCKET_SANDBOX_API_KEY',
    'ROCKET_SANDBOX_LICENSE_KEY',
  ].filter(name => !env[name]);
  if (missing.length > 0) {
    throw new UsageError(
      `${missing.join(
        ' and ',
      )} must be set: the keys that clients and agents will use. ./rocket start makes them by itself.`,
    );
  }
  const scenario =
    values.scenario ?? path.join(repository, 'examples', 'traffic.yaml');
  return {
    port: wholeNumber(
      'ROCKET_SANDBOX_PORT',
      env.ROCKET_SANDBOX_PORT ?? '7010',
      65_535,
    ),
    collectorPort: wholeNumber(
      'ROCKET_COLLECTOR_PORT',
      env.ROCKET_COLLECTOR_PORT ?? '7011',
      65_535,
    ),
    dataDir: path.resolve(
      env.ROCKET_DATA_DIR ?? path.join(repository, '.rocket', 'data'),
    ),
    accounts: [
      {
        id: ACCOUNT_ID,
        name: ACCOUNT_NAME,
        apiKey: env.ROCKET_SANDBOX_API_KEY!,
        licenseKey: env.ROCKET_SANDBOX_LICENSE_KEY!,
      },
    ],
    scenarioFile: values['no-traffic'] ? undefined : path.resolve(scenario),
    historyDays:
      values.days === undefined
        ? undefined
        : wholeNumber('--days', values.days, 31),
    adminToken: env.ROCKET_SANDBOX_ADMIN_TOKEN || undefined,
    pipelines:
      env.ROCKET_URL && env.ROCKET_DEMO_PIPELINE_TOKEN
        ? {
            portalUrl: env.ROCKET_URL,
            token: env.ROCKET_DEMO_PIPELINE_TOKEN,
          }
        : undefined,
  };
}

/** Runs the sandbox until it is told to end. */
export async function runMain(context: MainContext): Promise<void> {
  const log = (message: string) =>
    process.stdout.write(`${new Date().toISOString()} ${message}\n`);
  try {
    const options = readOptions(context);
    if ('help' in options) {
      process.stdout.write(`${options.help}\n`);
      return;
    }
    const sandbox = await startSandbox({
      ...options,
      logger: { info: log, warn: message => log(`warning: ${message}`) },
    }).catch(error => {
      throw explain(error, options);
    });
    let closing = false;
    const end = (signal: string) => {
      if (closing) return;
      closing = true;
      log(`${signal}: closing`);
      sandbox.close().then(
        () => process.exit(0),
        error => {
          log(`warning: not everything could be written: ${error.message}`);
          process.exit(1);
        },
      );
    };
    process.on('SIGTERM', () => end('SIGTERM'));
    process.on('SIGINT', () => end('SIGINT'));
    log(`NerdGraph ${sandbox.url}/graphql`);
    log(`Agent collector ${sandbox.collectorUrl}, CA ${sandbox.caFile}`);
    await sandbox.ready;
    log('Ready');
  } catch (error) {
    const plain = error instanceof UsageError;
    process.stderr.write(
      `${plain ? (error as Error).message : (error as Error).stack}\n`,
    );
    process.exit(1);
  }
}

function explain(error: NodeJS.ErrnoException, options: SandboxOptions): Error {
  const port = (error as { port?: number }).port;
  if (error.code === 'EADDRINUSE' && port !== undefined) {
    const name =
      port === options.port ? 'ROCKET_SANDBOX_PORT' : 'ROCKET_COLLECTOR_PORT';
    return new UsageError(
      `Port ${port} on 127.0.0.1 is taken by another program. End that program, or set ${name} to a free port.`,
    );
  }
  if (error.code === 'EACCES' || error.code === 'ENOSPC') {
    return new UsageError(
      `${error.message}. The sandbox needs to write to ${options.dataDir}; set ROCKET_DATA_DIR to another folder.`,
    );
  }
  if (error.name === 'ScenarioError') return new UsageError(error.message);
  return error;
}

function wholeNumber(name: string, text: string, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > most) {
    throw new UsageError(
      `${name} must be a whole number from 0 to ${most}, got '${text}'`,
    );
  }
  return value;
}

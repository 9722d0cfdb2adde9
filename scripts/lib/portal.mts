import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadCredentials } from './credentials.mts';
import { say, seconds } from './console.mts';
import { LOGS, ROOT, STATE, TECHDOCS_ENV } from './paths.mts';
import {
  needFreePort,
  NODE_TRANSFORM,
  startProcess,
  stopProcess,
  waitFor,
  type Running,
} from './processes.mts';

export interface PortalOptions {
  /** Port of the portal; the helpers listen on the ports after it. */
  port: number;
  dataDir: string;
  /** Whether the demo organisation's applications send generated traffic. */
  traffic: boolean;
  verbose?: boolean;
  /** Configuration files after app-config.yaml. */
  configs?: string[];
  /** Days of generated history. */
  historyDays?: number;
  /** Where the logs go. Default: .rocket/log. */
  logDir?: string;
}

export interface Portal {
  url: string;
  /** Environment of the backend, for tools that want to talk to the same sandbox. */
  env: NodeJS.ProcessEnv;
  sandbox: Running;
  backend: Running;
  stop(): Promise<void>;
}

/** The ports of one installation: all follow from the portal's. */
export function portsFrom(port: number) {
  return {
    portal: port,
    sandbox: port + 3,
    collector: port + 4,
    postgres: port + 5,
    services: port + 93,
  };
}

/** Starts the sandbox and the backend, which also serves the built portal. */
export async function startPortal(options: PortalOptions): Promise<Portal> {
  const ports = portsFrom(options.port);
  // Two portals on one machine do not write into each other's logs.
  const logDir =
    options.logDir ??
    (options.dataDir === DEFAULT_DATA_DIR
      ? LOGS
      : join(options.dataDir, 'log'));
  const hint = `End that program, or run: ./rocket start --port ${
    options.port + 100
  }`;
  await needFreePort(ports.portal, 'the portal', hint);
  await needFreePort(ports.sandbox, 'the New Relic sandbox', hint);
  await needFreePort(ports.collector, "the sandbox's agent collector", hint);

  mkdirSync(join(options.dataDir, 'sqlite'), { recursive: true });
  const credentials = loadCredentials(options.dataDir);
  const url = `http://localhost:${ports.portal}`;
  // Known to the sandbox alone, and only as long as it runs; the portal knows its hash.
  const demoPipelineToken = randomBytes(32).toString('hex');
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    // mkdocs of the private environment comes first, the Node.js of this process is everybody's.
    PATH: `${join(TECHDOCS_ENV, 'bin')}:${process.env.PATH}`,
    NODE_ENV: 'production',
    ROCKET_URL: url,
    ROCKET_PORT: String(ports.portal),
    ROCKET_DATA_DIR: options.dataDir,
    ROCKET_SANDBOX_PORT: String(ports.sandbox),
    ROCKET_COLLECTOR_PORT: String(ports.collector),
    ROCKET_PG_PORT: String(ports.postgres),
    ROCKET_SERVICE_PORT_BASE: String(ports.services),
    ROCKET_SERVICE_PORT_LAST: String(ports.services + 99),
    ROCKET_SANDBOX_API_KEY: credentials.sandboxApiKey,
    ROCKET_SANDBOX_LICENSE_KEY: credentials.sandboxLicenseKey,
    ...(options.traffic
      ? { ROCKET_DEMO_PIPELINE_TOKEN_SHA256: sha256(demoPipelineToken) }
      : {}),
    // The versions of the packages are checked by us, not by a call home at every start.
    BACKSTAGE_CLI_DISABLE_UPDATE_CHECK: 'true',
  };

  const started = Date.now();
  const sandbox = startProcess(
    'New Relic sandbox',
    [
      ...NODE_TRANSFORM,
      join(ROOT, 'packages/sandbox/src/main.ts'),
      ...(options.traffic ? [] : ['--no-traffic']),
      ...(options.historyDays ? ['--days', String(options.historyDays)] : []),
    ],
    {
      env: options.traffic
        ? { ...env, ROCKET_DEMO_PIPELINE_TOKEN: demoPipelineToken }
        : env,
      logFile: join(logDir, 'sandbox.log'),
      verbose: options.verbose,
      service: true,
    },
  );
  const running = [sandbox];
  const stop = async () => {
    // The backend first: it ends the services, and they say goodbye to their collector.
    for (const process of [...running].reverse())
      await stopProcess(process, 30_000);
  };
  try {
    say('starting the offline New Relic (sandbox)');
    const sandboxReady = waitFor(
      `http://127.0.0.1:${ports.sandbox}/healthz`,
      sandbox,
      180_000,
    );
    say('starting the portal');
    const backend = startProcess(
      'portal',
      [
        ...NODE_TRANSFORM,
        join(ROOT, 'packages/backend/src/index.ts'),
        ...[
          'app-config.yaml',
          ...(options.traffic ? [DEMO_PIPELINES] : []),
          ...(options.configs ?? []),
        ].flatMap(file => ['--config', resolve(ROOT, file)]),
      ],
      {
        env,
        cwd: join(ROOT, 'packages/backend'),
        logFile: join(logDir, 'backend.log'),
        verbose: options.verbose,
        service: true,
      },
    );
    running.push(backend);
    await Promise.all([
      sandboxReady,
      waitFor(`${url}/.backstage/health/v1/readiness`, backend, 180_000),
    ]);
    // Usable is more than listening: the guest is there once the catalog has read the demo organisation.
    await waitFor(`${url}/api/auth/guest/refresh`, backend, 60_000, {
      'x-requested-with': 'XMLHttpRequest',
    });
    say(`up after ${seconds(started)}`);
    return { url, env, sandbox, backend, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

export const DEFAULT_DATA_DIR = join(STATE, 'data');

/** Lets the pipelines of the demo organisation in. */
const DEMO_PIPELINES = 'examples/demo-pipelines.yaml';

const sha256 = (text: string) =>
  createHash('sha256').update(text).digest('hex');

/**
 * Starts plain Backstage as it runs in production, on PostgreSQL, with the configuration of its own template and the least on top that a
 * machine without a Git host needs.
 *
 *     const stock = await startStock({
 *       database: { port: 5432, user: 'postgres' },
 *       port: 21500,
 *       entities: '/tmp/organisation.yaml',
 *     });
 *     await fetch(`${stock.url}/api/catalog/entities/by-query`, { headers: stock.headers });
 *     // A browser opens stock.url: the guest is signed in by the page itself; the catalog is the first page, at `/`.
 *     await stock.stop();
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { LOGS, STATE } from '../../lib/paths.mts';
import {
  needFreePort,
  startProcess,
  stopProcess,
  waitFor,
  type Running,
} from '../../lib/processes.mts';
import { makeStock } from './make.mts';

export interface StockOptions {
  /** A PostgreSQL on 127.0.0.1 and a role that may create databases there: each plugin gets one of its own. */
  database: {
    port: number;
    user: string;
    password?: string;
    /** Start of the databases' names. Default: `stock_`. */
    prefix?: string;
  };
  /** Port on 127.0.0.1. */
  port: number;
  /** A YAML file of catalog entities that are there from the start, in place of the template's examples. */
  entities?: string;
  /** `host:port` of the servers whose files may be registered as locations. */
  readingFrom?: string[];
  /** Configuration on top of everything. */
  config?: object;
  /** Default: `.rocket/log/stock-backend.log`. */
  logFile?: string;
}

export interface Stock {
  url: string;
  /** Authorization of a static token that may do everything. */
  headers: { authorization: string };
  backend: Running;
  /** Seconds until it was ready. */
  startSeconds: number;
  /** Asks it to end, and insists after ten seconds. */
  stop(): Promise<void>;
}

const KINDS = [
  'Component',
  'System',
  'API',
  'Resource',
  'Location',
  'Domain',
  'Group',
  'User',
];

/** Makes plain Backstage when it is not there yet, starts it and waits until it is ready. */
export async function startStock(options: StockOptions): Promise<Stock> {
  const app = await makeStock();
  await needFreePort(options.port, 'plain Backstage', 'End that program.');
  const url = `http://127.0.0.1:${options.port}`;
  const token = randomBytes(24).toString('hex');
  const folder = join(STATE, 'stock', 'config', String(options.port));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const files = [join(app, 'app-config.yaml')];
  const add = (name: string, config: object) => {
    const file = join(folder, `${name}.yaml`);
    writeFileSync(file, stringify(config), { mode: 0o600 });
    files.push(file);
  };
  add('bench', {
    app: { baseUrl: url },
    backend: {
      baseUrl: url,
      listen: { host: '127.0.0.1', port: options.port },
      cors: { origin: url },
      csp: { 'upgrade-insecure-requests': false },
      auth: {
        externalAccess: [
          { type: 'static', options: { token, subject: 'bench' } },
        ],
      },
      reading: {
        allow: (options.readingFrom ?? []).map(host => ({ host })),
      },
      database: {
        client: 'pg',
        prefix: options.database.prefix ?? 'stock_',
        connection: {
          host: '127.0.0.1',
          port: options.database.port,
          user: options.database.user,
          password: options.database.password ?? '',
        },
      },
    },
    // The template's example asks for a token of GitHub.
    integrations: { github: [] },
    auth: {
      providers: { guest: { dangerouslyAllowOutsideDevelopment: true } },
    },
    catalog: {
      rules: [{ allow: KINDS }],
      ...(options.entities
        ? { locations: [{ type: 'file', target: options.entities }] }
        : {}),
    },
  });
  if (options.config) add('more', options.config);

  const started = performance.now();
  const backend = startProcess(
    'plain Backstage',
    ['packages/backend', ...files.flatMap(file => ['--config', file])],
    {
      cwd: app,
      logFile: options.logFile ?? join(LOGS, 'stock-backend.log'),
      service: true,
      env: {
        ...process.env,
        NODE_ENV: 'production',
        BACKSTAGE_CLI_DISABLE_UPDATE_CHECK: 'true',
      },
    },
  );
  const stop = async () => {
    await stopProcess(backend, 10_000);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await waitFor(`${url}/.backstage/health/v1/readiness`, backend, 180_000);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    headers: { authorization: `Bearer ${token}` },
    backend,
    startSeconds: (performance.now() - started) / 1000,
    stop,
  };
}

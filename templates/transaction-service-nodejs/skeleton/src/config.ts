import { readFileSync } from 'node:fs';

/** Everything the service is told from outside. Times are milliseconds. */
export type Config = {
  serviceName: string;
  host: string;
  port: number;
  databaseUrl: string;
  /** Connections to PostgreSQL. */
  poolSize: number;
  /** Requests that may wait for a connection; the next one is answered 503. */
  maxWaiting: number;
  statementTimeout: number;
  lockTimeout: number;
  connectTimeout: number;
  bodyLimitBytes: number;
  /** How long /readyz says no before the port is closed, so that balancers move on. */
  drainDelay: number;
  /** After this the process stops even if requests are still running. */
  drainTimeout: number;
  /** Name of the critical path of this service's telemetry. */
  criticalPath?: string;
  /** What stands before the code in the `type` of an error. */
  problemBase: string;
  logLevel: string;
};

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

function packageName(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { name: string }).name;
}

/** Reads the environment. Throws an Error that names every variable that is wrong. */
export function readConfig(env: Record<string, string | undefined>): Config {
  const wrong: string[] = [];

  function integer(name: string, fallback: number, min: number, max: number): number {
    const text = env[name];
    if (text === undefined || text === '') return fallback;
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max) {
      wrong.push(`${name} must be a whole number from ${min} to ${max}`);
    }
    return value;
  }

  const databaseUrl = env.DATABASE_URL ?? '';
  if (!/^postgres(ql)?:\/\//.test(databaseUrl)) {
    wrong.push('DATABASE_URL must be a URL like postgresql://user:password@host:5432/database');
  }
  const logLevel = env.LOG_LEVEL ?? 'info';
  if (!LOG_LEVELS.includes(logLevel)) {
    wrong.push(`LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}`);
  }

  const config: Config = {
    serviceName: env.ROCKET_SERVICE_NAME || packageName(),
    host: env.HOST || '127.0.0.1',
    port: integer('PORT', 8080, 0, 65535),
    databaseUrl,
    poolSize: integer('DATABASE_POOL_SIZE', 10, 1, 200),
    maxWaiting: integer('DATABASE_MAX_WAITING', 500, 1, 100_000),
    statementTimeout: integer('DATABASE_STATEMENT_TIMEOUT_MS', 5_000, 100, 60_000),
    lockTimeout: integer('DATABASE_LOCK_TIMEOUT_MS', 3_000, 10, 60_000),
    connectTimeout: integer('DATABASE_CONNECT_TIMEOUT_MS', 3_000, 100, 60_000),
    bodyLimitBytes: integer('BODY_LIMIT_BYTES', 64 * 1024, 1_024, 10 * 1024 * 1024),
    drainDelay: integer('DRAIN_DELAY_MS', 500, 0, 5_000),
    drainTimeout: integer('DRAIN_TIMEOUT_MS', 9_000, 100, 600_000),
    problemBase: env.PROBLEM_BASE_URL || '/problems/',
    logLevel,
  };
  if (env.ROCKET_CRITICAL_PATH) config.criticalPath = env.ROCKET_CRITICAL_PATH;
  if (wrong.length > 0) throw new Error(`Bad configuration: ${wrong.join('; ')}`);
  return config;
}

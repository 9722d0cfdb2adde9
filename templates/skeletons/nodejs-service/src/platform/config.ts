import { readFileSync } from 'node:fs';

/** Everything the platform is told from outside. Times are milliseconds. */
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

export type Environment = Readonly<Record<string, string | undefined>>;

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** Reads variables and collects what is wrong with them, so that all of it is reported at once. An empty one counts as not set. */
export class EnvironmentReader {
  readonly wrong: string[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  optional(name: string): string | undefined {
    return this.#env[name] || undefined;
  }

  text(name: string, fallback: string): string {
    return this.optional(name) ?? fallback;
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    const text = this.optional(name);
    if (text === undefined) return fallback;
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max) {
      this.wrong.push(`${name} must be a whole number from ${min} to ${max}`);
    }
    return value;
  }

  oneOf<const T extends string>(name: string, fallback: T, choices: readonly T[]): T {
    const value = this.text(name, fallback) as T;
    if (!choices.includes(value)) this.wrong.push(`${name} must be one of ${choices.join(', ')}`);
    return value;
  }

  /** Never repeats the value in a complaint: addresses may hold a password. */
  matching(name: string, pattern: RegExp, what: string): string {
    const value = this.optional(name) ?? '';
    if (!pattern.test(value)) this.wrong.push(`${name} must be ${what}`);
    return value;
  }
}

function packageName(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { name: string }).name;
}

function readPlatform(env: EnvironmentReader): Config {
  const criticalPath = env.optional('ROCKET_CRITICAL_PATH');
  return {
    serviceName: env.text('ROCKET_SERVICE_NAME', packageName()),
    host: env.text('HOST', '127.0.0.1'),
    port: env.integer('PORT', 8080, 0, 65535),
    databaseUrl: env.matching(
      'DATABASE_URL',
      /^postgres(ql)?:\/\//,
      'a URL like postgresql://user:password@host:5432/database',
    ),
    poolSize: env.integer('DATABASE_POOL_SIZE', 10, 1, 200),
    maxWaiting: env.integer('DATABASE_MAX_WAITING', 500, 1, 100_000),
    statementTimeout: env.integer('DATABASE_STATEMENT_TIMEOUT_MS', 5_000, 100, 60_000),
    lockTimeout: env.integer('DATABASE_LOCK_TIMEOUT_MS', 3_000, 10, 60_000),
    connectTimeout: env.integer('DATABASE_CONNECT_TIMEOUT_MS', 3_000, 100, 60_000),
    bodyLimitBytes: env.integer('BODY_LIMIT_BYTES', 64 * 1024, 1_024, 10 * 1024 * 1024),
    drainDelay: env.integer('DRAIN_DELAY_MS', 500, 0, 5_000),
    drainTimeout: env.integer('DRAIN_TIMEOUT_MS', 9_000, 100, 600_000),
    problemBase: env.text('PROBLEM_BASE_URL', '/problems/'),
    logLevel: env.oneOf('LOG_LEVEL', 'info', LOG_LEVELS),
    ...(criticalPath === undefined ? {} : { criticalPath }),
  };
}

/** Reads the environment. Throws an Error that names every variable that is wrong. */
export function readConfig<Own extends object>(
  environment: Environment,
  definition: { readConfig(env: EnvironmentReader): Own },
): { config: Config; own: Own } {
  const env = new EnvironmentReader(environment);
  const config = readPlatform(env);
  const own = definition.readConfig(env);
  if (env.wrong.length > 0) throw new Error(`Bad configuration: ${env.wrong.join('; ')}`);
  return { config, own };
}

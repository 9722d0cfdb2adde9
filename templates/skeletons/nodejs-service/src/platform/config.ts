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
  auth: AuthConfig;
  events: EventConfig;
  /** Whether this process does the work in the background, or leaves it to others and to commands. */
  workers: 'on' | 'off';
  /** For how long the answer to an Idempotency-Key is kept. */
  idempotencyHours: number;
  /** Requests per minute that one client may send; 0: as many as it likes. Counted by each process. */
  rateLimitPerMinute: number;
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

/** Where events are told. */
export type EventConfig = {
  broker: 'log' | 'http' | 'rabbitmq' | 'sns';
  /** Milliseconds between two looks at an empty outbox. */
  interval: number;
  /** Milliseconds for one event. */
  timeout: number;
  /** http: the addresses that get every event, and the file with the token for them. */
  subscribers: string[];
  subscriberTokenFile?: string | undefined;
  /** rabbitmq */
  rabbitUrl: string;
  exchange: string;
  /** sns */
  topicArn: string;
};

/** Who is believed to say who calls. */
export type AuthConfig =
  /** The gateway in front, which sets X-Client-Id. */
  | { mode: 'gateway' }
  /** The issuer of a bearer token (RFC 9068). Its keys are read from `jwksUrl`. */
  | {
      mode: 'jwt';
      issuer: string;
      audience: string;
      jwksUrl: string;
      algorithms: string[];
      /** Seconds by which the clocks of issuer and service may differ. */
      clockTolerance: number;
    };

export type Environment = Readonly<Record<string, string | undefined>>;

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

// Only algorithms with a public key: with a shared one, whoever can verify could forge.
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const;

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

  /** Values separated by commas. */
  list(name: string): string[] {
    return (this.optional(name) ?? '').split(',').flatMap(part => part.trim() || []);
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

function readAuth(env: EnvironmentReader): AuthConfig {
  const mode = env.oneOf('AUTH_MODE', 'gateway', ['gateway', 'jwt']);
  if (mode === 'gateway') return { mode };
  const algorithms = env.list('AUTH_ALGORITHMS');
  for (const name of algorithms) {
    if (!ALGORITHMS.some(known => known === name)) {
      env.wrong.push(`AUTH_ALGORITHMS must be some of ${ALGORITHMS.join(', ')}`);
      break;
    }
  }
  return {
    mode: 'jwt',
    issuer: env.matching('AUTH_ISSUER', /./, 'the issuer of tokens when AUTH_MODE is jwt'),
    audience: env.matching('AUTH_AUDIENCE', /./, 'the audience of tokens when AUTH_MODE is jwt'),
    jwksUrl: env.matching('AUTH_JWKS_URL', /^https?:\/\//, 'the URL of the keys of the issuer when AUTH_MODE is jwt'),
    algorithms: algorithms.length > 0 ? algorithms : ['RS256', 'PS256', 'ES256', 'EdDSA'],
    clockTolerance: env.integer('AUTH_CLOCK_TOLERANCE_SECONDS', 30, 0, 300),
  };
}

function readEvents(env: EnvironmentReader): EventConfig {
  const broker = env.oneOf('EVENT_BROKER', 'log', ['log', 'http', 'rabbitmq', 'sns']);
  const needed = (when: EventConfig['broker'], name: string, pattern: RegExp, what: string) =>
    broker === when ? env.matching(name, pattern, `${what} when EVENT_BROKER is ${when}`) : '';
  const subscribers = env.list('EVENT_SUBSCRIBERS');
  if (broker === 'http' && !(subscribers.length > 0 && subscribers.every(url => /^https?:\/\/./.test(url)))) {
    env.wrong.push('EVENT_SUBSCRIBERS must be URLs separated by commas when EVENT_BROKER is http');
  }
  return {
    broker,
    interval: env.integer('EVENT_INTERVAL_MS', 200, 10, 60_000),
    timeout: env.integer('EVENT_TIMEOUT_MS', 3_000, 100, 30_000),
    subscribers,
    subscriberTokenFile: env.optional('EVENT_SUBSCRIBERS_TOKEN_FILE'),
    rabbitUrl: needed('rabbitmq', 'RABBITMQ_URL', /^amqps?:\/\//, 'a URL like amqps://user:password@host/vhost'),
    exchange: env.text('EVENT_EXCHANGE', 'rocket.events'),
    topicArn: needed('sns', 'SNS_TOPIC_ARN', /^arn:[^:]+:sns:[^:]+:[^:]+:./, 'the ARN of a topic'),
  };
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
    auth: readAuth(env),
    events: readEvents(env),
    workers: env.oneOf('WORKERS', 'on', ['on', 'off']),
    idempotencyHours: env.integer('IDEMPOTENCY_HOURS', 72, 1, 8_760),
    rateLimitPerMinute: env.integer('RATE_LIMIT_PER_MINUTE', 0, 0, 1_000_000),
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

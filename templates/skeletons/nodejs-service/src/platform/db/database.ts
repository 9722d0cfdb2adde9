import pg from 'pg';
import type { Config } from '../config.ts';
import { ProblemError } from '../problems.ts';

/** SQLSTATEs and socket errors that mean: no database right now. Class 08 (connection) is handled apart. */
const UNAVAILABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOENT',
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '25006',
]);
/** Serialization failure and deadlock: nothing was written, so the same statement may run again. */
const RETRYABLE = new Set(['40001', '40P01']);
const ATTEMPTS = 3;

type Row = Record<string, unknown>;

/** A statement that is parsed once per connection. */
export type Statement = { name: string; text: string };

function ignore(): void {}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** Turns what PostgreSQL or the socket says into a problem; other errors are returned as they are. */
export function toProblem(error: unknown): unknown {
  if (error instanceof ProblemError) return error;
  const code = codeOf(error);
  const { message = '', where = '' } = error as { message?: string; where?: string };
  if (UNAVAILABLE.has(code) || code.startsWith('08') || /Connection terminated|Client has encountered/.test(message)) {
    return new ProblemError(
      'database-unavailable',
      'The database does not answer. Try again with the same Idempotency-Key.',
      {
        retryAfterSeconds: 2,
        cause: error,
      },
    );
  }
  if (code === '55P03' && /\bidempotency\b/.test(where)) {
    return new ProblemError('idempotency-conflict', 'The first request with this Idempotency-Key is not decided yet.', {
      retryAfterSeconds: 1,
      cause: error,
    });
  }
  if (code === '57014' || code === '55P03' || RETRYABLE.has(code) || /timeout/i.test(message)) {
    return new ProblemError(
      'overloaded',
      'The request took too long and was not carried out. Try again with the same Idempotency-Key.',
      {
        retryAfterSeconds: 1,
        cause: error,
      },
    );
  }
  if (code === '22003') {
    return new ProblemError('limit-exceeded', 'A balance would leave the range of 64-bit minor units.', {
      cause: error,
    });
  }
  return error;
}

/** A bounded pool. Every statement has a time limit in the database and one here. */
export class Database {
  readonly pool: pg.Pool;
  /** Kept apart, so that readiness can be told while every other connection is busy. */
  readonly #probe: pg.Pool;
  readonly #probeText: string;
  readonly #maxWaiting: number;

  /** `probe` is a cheap statement that fails until the schema is there. */
  constructor(config: Config, probe: string, onIdleError: (error: Error) => void) {
    const common = {
      connectionString: config.databaseUrl,
      application_name: config.serviceName,
      connectionTimeoutMillis: config.connectTimeout,
      keepAlive: true,
    };
    this.pool = new pg.Pool({
      ...common,
      max: config.poolSize,
      statement_timeout: config.statementTimeout,
      lock_timeout: config.lockTimeout,
      query_timeout: config.statementTimeout + 1_000,
      idle_in_transaction_session_timeout: config.statementTimeout,
    });
    this.#probe = new pg.Pool({
      ...common,
      max: 1,
      connectionTimeoutMillis: 1_000,
      statement_timeout: 1_000,
      query_timeout: 1_500,
    });
    // A connection that dies while idle is dropped by the pool; without a listener it would end the process.
    this.pool.on('error', onIdleError);
    this.#probe.on('error', onIdleError);
    this.#probeText = probe;
    this.#maxWaiting = config.maxWaiting;
  }

  /** Runs one statement, which is one transaction. Throws a ProblemError for what the caller can do something about. */
  async run<T extends Row>(statement: Statement, values: unknown[]): Promise<T[]> {
    this.#admit();
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.pool.query<T>({ ...statement, values })).rows;
      } catch (error) {
        if (attempt < ATTEMPTS && RETRYABLE.has(codeOf(error))) continue;
        throw toProblem(error);
      }
    }
  }

  /**
   * Runs the work in one transaction (READ COMMITTED) and repeats it as a whole after a deadlock. Throws a ProblemError for what the
   * caller can do something about, and what the work throws.
   */
  async transaction<T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    this.#admit();
    for (let attempt = 1; ; attempt++) {
      const client = await this.pool.connect().catch((error: unknown) => {
        throw toProblem(error);
      });
      // A connection that dies while nothing is asked of it would end the process.
      client.on('error', ignore);
      let broken = false;
      try {
        await client.query('BEGIN');
        const result = await work(client);
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch(() => {
          broken = true;
        });
        if (attempt < ATTEMPTS && RETRYABLE.has(codeOf(error))) continue;
        throw toProblem(error);
      } finally {
        client.off('error', ignore);
        client.release(broken);
      }
    }
  }

  #admit(): void {
    if (this.pool.waitingCount >= this.#maxWaiting) {
      throw new ProblemError('overloaded', 'Too many requests are waiting for the database.', { retryAfterSeconds: 1 });
    }
  }

  /** Whether the database answers and has the schema, within about a second. */
  async isReady(): Promise<boolean> {
    try {
      await this.#probe.query(this.#probeText);
      return true;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.pool.end(), this.#probe.end()]);
  }
}

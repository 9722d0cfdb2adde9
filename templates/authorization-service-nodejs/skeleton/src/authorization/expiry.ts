import { Counter, Gauge, type Registry } from 'prom-client';
import type { Database } from '../platform/db/database.ts';
import type { Command, Worker } from '../platform/service.ts';
import * as sql from './statements.ts';

/** Holds in one call: its locks are short, so decisions never wait long for it. */
const BATCH = 200;

const OLDEST = {
  name: 'oldest_due_hold',
  text: `SELECT coalesce(extract(epoch FROM clock_timestamp() - min(expires_at)), 0)::float8 AS age
           FROM auth_state WHERE held > 0 AND expires_at <= clock_timestamp()`,
};

/** Lets go what is held beyond its time: 7 days, 31 for lodging, or as the rule set said when it was authorized. */
export class Expiry {
  readonly #database: Database;
  readonly #expired: Counter;

  constructor(database: Database, registry: Registry) {
    this.#database = database;
    this.#expired = new Counter({
      name: 'holds_expired_total',
      help: 'Holds that were let go because their time was over.',
      registers: [registry],
    });
    new Gauge({
      name: 'holds_overdue_age_seconds',
      help: 'How long the oldest hold is beyond its time, 0 when none is. Absent while the database is away.',
      registers: [registry],
      async collect() {
        const [row] = await database.run<{ age: number }>(OLDEST, []).catch(() => []);
        if (row === undefined) this.remove();
        else this.set(row.age);
      },
    });
  }

  /** Expires up to a batch; true when there may be more. */
  async batch(): Promise<boolean> {
    const [row] = await this.#database.run<{ done: number }>(sql.EXPIRE_DUE, [BATCH]);
    const done = row?.done ?? 0;
    this.#expired.inc(done);
    return done === BATCH;
  }

  worker(interval: number): Worker {
    return { name: 'expire-holds', interval, run: () => this.batch() };
  }

  command(): Command {
    return {
      summary: 'lets go all holds whose time is over, prints JSON',
      run: async (_args, out) => {
        let expired = 0;
        for (;;) {
          const [row] = await this.#database.run<{ done: number }>(sql.EXPIRE_DUE, [BATCH]);
          expired += row?.done ?? 0;
          if ((row?.done ?? 0) === 0) break;
        }
        out(JSON.stringify({ expired }));
        return 0;
      },
    };
  }
}

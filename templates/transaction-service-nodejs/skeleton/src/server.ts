import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { Database } from './db/database.ts';
import { buildApp, type App } from './http/app.ts';
import type { Lifecycle } from './http/operations.ts';
import type { Telemetry } from './telemetry-api.ts';

export type Server = {
  app: App;
  database: Database;
  url: string;
  /** Stops taking requests, finishes those that run, closes the database. Resolves to false when time ran out. */
  drain(): Promise<boolean>;
};

/** Starts listening. The database may be away: the service then says 503 until it is back. */
export async function startServer(config: Config, logger: Logger, telemetry: Telemetry): Promise<Server> {
  const lifecycle: Lifecycle = { draining: false };
  const database = new Database(config, error => logger.warn({ err: error }, 'idle database connection lost'));
  const app = await buildApp({ config, database, telemetry, lifecycle, logger });
  try {
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    await database.close();
    throw error;
  }
  const { port } = app.server.address() as AddressInfo;

  async function finish(): Promise<true> {
    await new Promise(resolve => setTimeout(resolve, config.drainDelay));
    await app.close();
    await Promise.all([database.close(), telemetry.stop()]);
    return true;
  }

  return {
    app,
    database,
    url: `http://${config.host}:${port}`,
    async drain() {
      lifecycle.draining = true;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<false>(resolve => {
        timer = setTimeout(() => resolve(false), config.drainTimeout);
      });
      try {
        return await Promise.race([finish(), late]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

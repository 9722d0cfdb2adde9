import type { AddressInfo } from 'node:net';
import { buildApp, type App } from './http/app.ts';
import type { Lifecycle } from './http/operations.ts';
import type { Runtime } from './runtime.ts';
import { Workers } from './workers.ts';

export type Server = {
  app: App;
  url: string;
  /** Stops taking requests, finishes those that run, stops the workers, closes the database. Resolves to false when time ran out. */
  drain(): Promise<boolean>;
};

/** Starts listening. The database may be away: the service then says 503 until it is back. */
export async function startServer(runtime: Runtime): Promise<Server> {
  const { config, telemetry } = runtime;
  const lifecycle: Lifecycle = { draining: false };
  const workers = new Workers(runtime.workers, runtime);
  const app = await buildApp({ ...runtime, lifecycle });
  try {
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    await runtime.close();
    throw error;
  }
  if (config.workers === 'on') workers.start();
  runtime.events.consumer?.start();
  const { port } = app.server.address() as AddressInfo;

  async function finish(): Promise<true> {
    await new Promise(resolve => setTimeout(resolve, config.drainDelay));
    await Promise.all([app.close(), workers.stop(), runtime.events.consumer?.stop()]);
    await Promise.all([runtime.close(), telemetry.stop()]);
    return true;
  }

  return {
    app,
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

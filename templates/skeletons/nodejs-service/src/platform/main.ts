import { definition } from '../service.ts';
import { createRuntime } from './runtime.ts';
import { startServer } from './server.ts';
import { loadTelemetry } from './telemetry-api.ts';

try {
  const runtime = createRuntime(definition, process.env, { telemetry: await loadTelemetry(process.env) });
  const { logger } = runtime;
  const server = await startServer(runtime);
  logger.info({ url: server.url, docs: `${server.url}/docs` }, 'listening');

  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'draining');
    const finished = await server.drain();
    logger.info({ finished }, 'stopped');
    process.exit(finished ? 0 : 1);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

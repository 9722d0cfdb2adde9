import { readConfig } from './config.ts';
import { createLogger } from './logger.ts';
import { startServer } from './server.ts';
import { loadTelemetry } from './telemetry-api.ts';

try {
  const config = readConfig(process.env);
  const logger = createLogger(config);
  const server = await startServer(config, logger, await loadTelemetry(process.env));
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

import { pino, type DestinationStream, type Logger } from 'pino';
import type { Config } from './config.ts';
import { hideFields, scrubLine } from './redact.ts';

/** JSON lines. Bodies are never logged; card data and secrets are cut out wherever they appear (redact.ts). */
export function createLogger(config: Pick<Config, 'logLevel' | 'serviceName'>, stream?: DestinationStream): Logger {
  return pino(
    {
      level: config.logLevel,
      base: { service: config.serviceName },
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: {
        logMethod(args, method) {
          return method.apply(this, args.map(arg => hideFields(arg)) as typeof args);
        },
        streamWrite: scrubLine,
      },
      serializers: {
        // Only these: errors of drivers carry whole connections.
        err: (error: Error & { code?: string }) => ({
          type: error.name,
          message: error.message,
          code: error.code,
          stack: error.stack,
        }),
        // Without the query and the headers.
        req: (request: { method: string; url: string }) => ({
          method: request.method,
          url: request.url.split('?', 1)[0],
        }),
      },
    },
    stream ?? pino.destination(1),
  );
}

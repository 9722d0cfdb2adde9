import { pino, type DestinationStream, type Logger } from 'pino';
import type { Config } from './config.ts';

const SECRET_FIELDS = ['pan', 'cardNumber', 'cvv', 'password', 'secret', 'token', 'authorization', 'connectionString'];

/** JSON lines. Bodies are never logged; what looks like a secret is cut out wherever it appears. */
export function createLogger(config: Pick<Config, 'logLevel' | 'serviceName'>, stream?: DestinationStream): Logger {
  return pino(
    {
      level: config.logLevel,
      base: { service: config.serviceName },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: [
          'req.headers.authorization',
          'req.headers.cookie',
          'req.headers["idempotency-key"]',
          ...SECRET_FIELDS.flatMap(field => [field, `*.${field}`, `*.*.${field}`]),
        ],
        censor: '[redacted]',
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

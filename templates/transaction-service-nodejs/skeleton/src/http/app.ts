import { randomUUID } from 'node:crypto';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Config } from '../config.ts';
import type { Database } from '../db/database.ts';
import { Ledger } from '../ledger/ledger.ts';
import { SHARED } from '../ledger/schemas.ts';
import type { Telemetry } from '../telemetry-api.ts';
import { accountRoutes } from './accounts.ts';
import { errorHandlers, sendClientError } from './errors.ts';
import { registerMetrics } from './metrics.ts';
import { openApiInfo, ProblemSchema } from './openapi.ts';
import { operationRoutes, type Lifecycle } from './operations.ts';
import { transactionRoutes } from './transactions.ts';
import { strictValidators } from './validation.ts';

export type App = FastifyInstance;

export type AppOptions = {
  config: Config;
  database: Database;
  telemetry: Telemetry;
  lifecycle: Lifecycle;
  logger: FastifyBaseLogger;
};

/** The HTTP side: parse, call the ledger, answer. */
export async function buildApp(options: AppOptions): Promise<App> {
  const { config, database, telemetry, lifecycle, logger } = options;
  const errors = errorHandlers(config, telemetry);
  const app = fastify({
    loggerInstance: logger,
    bodyLimit: config.bodyLimitBytes,
    requestIdHeader: 'x-request-id',
    genReqId: () => randomUUID(),
    // During a drain, requests on open connections are still answered; the connection is closed after.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    requestTimeout: 30_000,
    routerOptions: { maxParamLength: 100 },
    // An address that cannot be decoded never reaches a route or its error handler.
    frameworkErrors: (error, request, reply) => errors.onError(error, request as never, reply as never),
    clientErrorHandler: (error, socket) => sendClientError(config, error, socket),
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.setValidatorCompiler(strictValidators());
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler(errors.onError);
  app.setNotFoundHandler(errors.onNotFound);
  const registry = registerMetrics(app, database);

  // Requests of the business carry the path; probes and scrapes do not, so they never count as traffic of the path.
  app.addHook('onRequest', async request => {
    if (!request.url.startsWith('/v1/')) return;
    if (config.criticalPath !== undefined) telemetry.addAttribute('criticalPath', config.criticalPath);
    const route = request.routeOptions.url;
    if (route !== undefined) telemetry.nameTransaction(`${request.method} ${route}`);
  });
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id);
    reply.header('cache-control', reply.getHeader('cache-control') ?? 'no-store');
    reply.header('x-content-type-options', 'nosniff');
    if (lifecycle.draining) reply.header('connection', 'close');
  });

  for (const schema of [...SHARED, ProblemSchema]) app.addSchema(schema);
  await app.register(swagger, {
    openapi: openApiInfo(),
    refResolver: { buildLocalReference: schema => String(schema.$id) },
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    // Nothing is loaded from, or told to, another site.
    uiConfig: { validatorUrl: null, tryItOutEnabled: true },
    staticCSP: true,
  });

  const ledger = new Ledger(database);
  await app.register(operationRoutes, { config, database, lifecycle, registry });
  await app.register(accountRoutes, { prefix: '/v1', ledger });
  await app.register(transactionRoutes, { prefix: '/v1', ledger });
  await app.ready();
  return app;
}

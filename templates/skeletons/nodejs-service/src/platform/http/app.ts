import { randomUUID } from 'node:crypto';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { Config } from '../config.ts';
import type { Database } from '../db/database.ts';
import type { ServiceDefinition, ServiceParts } from '../service.ts';
import type { Telemetry } from '../telemetry-api.ts';
import type { Inbox } from '../events/inbox.ts';
import { CloudEventSchema, eventRoutes, ReceiptSchema } from '../events/routes.ts';
import { authenticate } from './auth.ts';
import { errorHandlers, sendClientError } from './errors.ts';
import { measureRequests } from './metrics.ts';
import { openApiInfo, ProblemSchema } from './openapi.ts';
import { operationRoutes, type Lifecycle } from './operations.ts';
import { limitRate } from './rate-limit.ts';
import { strictValidators } from './validation.ts';

export type App = FastifyInstance;

export type AppOptions = {
  definition: Pick<ServiceDefinition, 'kind' | 'openapi' | 'schemas' | 'eventRefusals'>;
  parts: Pick<ServiceParts, 'routes'>;
  config: Config;
  database: Database;
  telemetry: Telemetry;
  lifecycle: Lifecycle;
  logger: FastifyBaseLogger;
  registry: Registry;
  events: { inbox?: Inbox };
};

/** The HTTP side: parse, call the service, answer. */
export async function buildApp(options: AppOptions): Promise<App> {
  const { definition, parts, config, database, telemetry, lifecycle, logger, registry, events } = options;
  const problems = errorHandlers(config, telemetry);
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
    frameworkErrors: (error, request, reply) => problems.onError(error, request as never, reply as never),
    clientErrorHandler: (error, socket) => sendClientError(config, error, socket),
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.setValidatorCompiler(strictValidators());
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler(problems.onError);
  app.setNotFoundHandler(problems.onNotFound);
  measureRequests(app, registry);

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

  const { inbox } = events;
  const eventSchemas = inbox === undefined ? [] : [CloudEventSchema, ReceiptSchema];
  for (const schema of [...definition.schemas, ...eventSchemas, ProblemSchema]) app.addSchema(schema);
  await app.register(swagger, {
    openapi: openApiInfo(definition.openapi),
    refResolver: { buildLocalReference: schema => String(schema.$id) },
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    // Nothing is loaded from, or told to, another site.
    uiConfig: { validatorUrl: null, tryItOutEnabled: true },
    staticCSP: true,
  });

  await app.register(operationRoutes, { config, database, lifecycle, registry });
  await app.register(
    async v1 => {
      authenticate(v1, config.auth, `${definition.kind}s`);
      limitRate(v1, config.rateLimitPerMinute);
      await v1.register(parts.routes);
      if (inbox !== undefined) await v1.register(eventRoutes, { inbox, refusals: definition.eventRefusals ?? [] });
    },
    { prefix: '/v1' },
  );
  await app.ready();
  return app;
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Registry } from 'prom-client';
import type { Config } from '../config.ts';
import type { Database } from '../db/database.ts';
import { PROBLEMS, ProblemError } from '../problems.ts';

/** Shared between the process (signals) and the routes. */
export type Lifecycle = { draining: boolean };

type Options = { config: Config; database: Database; lifecycle: Lifecycle; registry: Registry };

export const operationRoutes: FastifyPluginAsyncTypebox<Options> = async (
  app,
  { config, database, lifecycle, registry },
) => {
  const tags = ['operations'];

  app.get(
    '/healthz',
    {
      logLevel: 'warn',
      schema: {
        operationId: 'isAlive',
        summary: 'The process runs',
        tags,
        response: { 200: Type.Object({ status: Type.Literal('ok') }) },
      },
    },
    async () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    {
      logLevel: 'warn',
      schema: {
        operationId: 'isReady',
        summary: 'The service takes requests: it is not draining and the database answers',
        tags,
        response: {
          200: Type.Object({ status: Type.Literal('ready') }),
          503: Type.Object({ status: Type.Literal('not ready'), reason: Type.Enum(['draining', 'database']) }),
        },
      },
    },
    async (_request, reply) => {
      if (lifecycle.draining)
        return reply.code(503).send({ status: 'not ready' as const, reason: 'draining' as const });
      if (!(await database.isReady())) {
        return reply.code(503).send({ status: 'not ready' as const, reason: 'database' as const });
      }
      return { status: 'ready' as const };
    },
  );

  app.get(
    '/metrics',
    {
      logLevel: 'warn',
      schema: {
        operationId: 'getMetrics',
        summary: 'Figures for Prometheus',
        tags,
        response: {
          200: {
            description: 'Text format of Prometheus',
            content: { 'text/plain': { schema: Type.String() } },
          } as never,
        },
      },
    },
    async (_request, reply) => {
      reply.type(registry.contentType);
      return registry.metrics();
    },
  );

  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());

  app.get(
    '/problems/:code',
    { schema: { hide: true, params: Type.Object({ code: Type.String() }) } },
    async (request, reply) => {
      const code = request.params.code as keyof typeof PROBLEMS;
      if (!Object.hasOwn(PROBLEMS, code)) throw new ProblemError('not-found', 'There is no such error.');
      const { status, title } = PROBLEMS[code];
      reply.type('text/plain; charset=utf-8');
      return `${code} (HTTP ${status})\n\n${title}.\n\nMore: docs/errors.md of ${config.serviceName}\n`;
    },
  );
};

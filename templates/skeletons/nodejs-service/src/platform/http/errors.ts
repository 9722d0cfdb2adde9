import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config.ts';
import { toProblem } from '../db/database.ts';
import { PROBLEMS, ProblemError, type FieldError, type ProblemCode } from '../problems.ts';
import type { Telemetry } from '../telemetry-api.ts';
import { toFieldErrors } from './validation.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export type ProblemBody = {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  code: ProblemCode;
  traceId: string;
  errors?: FieldError[];
};

/** What the framework refuses before a route is reached. */
const FRAMEWORK: Record<string, ProblemCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload-too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed-json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed-json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'validation-failed',
  FST_ERR_BAD_URL: 'validation-failed',
  FST_ERR_MAX_PARAM_LENGTH: 'route-not-found',
};

function classify(error: FastifyError): ProblemError | undefined {
  if (error instanceof ProblemError) return error;
  if (error.validation !== undefined) {
    const errors = toFieldErrors(error.validation as never, error.validationContext);
    const detail = errors.map(field => `${field.pointer || '/'} ${field.message}`).join('; ');
    return new ProblemError('validation-failed', detail, { errors });
  }
  const code =
    FRAMEWORK[error.code] ?? (error instanceof SyntaxError && error.statusCode === 400 ? 'malformed-json' : undefined);
  if (code !== undefined) return new ProblemError(code, `${PROBLEMS[code].title}.`, { cause: error });
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new ProblemError('validation-failed', 'The request is not valid.', { cause: error });
  }
  const known = toProblem(error);
  return known instanceof ProblemError ? known : undefined;
}

export type ErrorHandlers = {
  onError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply;
  onNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply;
};

export function errorHandlers(config: Config, telemetry: Telemetry): ErrorHandlers {
  function send(request: FastifyRequest, reply: FastifyReply, problem: ProblemError): FastifyReply {
    const body: ProblemBody = {
      type: `${config.problemBase}${problem.code}`,
      title: PROBLEMS[problem.code].title,
      status: problem.status,
      detail: problem.message,
      // Without the query: it may hold a reference that belongs in no log.
      instance: request.url.split('?', 1)[0] ?? '/',
      code: problem.code,
      traceId: telemetry.traceId() || request.id,
    };
    if (problem.errors.length > 0) body.errors = problem.errors;
    if (problem.retryAfterSeconds !== undefined) reply.header('retry-after', String(problem.retryAfterSeconds));
    if (problem.replayed) reply.header('idempotent-replayed', 'true');
    return reply.code(problem.status).type(PROBLEM_MEDIA_TYPE).serializer(JSON.stringify).send(body);
  }

  return {
    onError(error, request, reply) {
      const problem = classify(error);
      if (problem === undefined) {
        request.log.error({ err: error }, 'request failed');
        const detail = 'The error was recorded. Quote the traceId when you report it.';
        return send(request, reply, new ProblemError('internal', detail));
      }
      if (problem.status >= 500) request.log.warn({ err: problem.cause, code: problem.code }, problem.message);
      return send(request, reply, problem);
    },
    onNotFound(request, reply) {
      const detail = `${request.method} on this address is not part of the API; see /docs.`;
      return send(request, reply, new ProblemError('route-not-found', detail));
    },
  };
}

/** What is refused before it is a request. */
const ON_SOCKET: Record<string, ProblemCode> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
};

/** Bytes that are not HTTP never become a request; they are answered on the socket. */
export function sendClientError(config: Config, error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = ON_SOCKET[error.code ?? ''] ?? 'validation-failed';
  const { status, title } = PROBLEMS[code];
  const body = JSON.stringify({
    type: `${config.problemBase}${code}`,
    title,
    status,
    detail: code === 'validation-failed' ? 'This is not a well-formed HTTP request.' : `${title}.`,
    code,
  });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: ${PROBLEM_MEDIA_TYPE}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

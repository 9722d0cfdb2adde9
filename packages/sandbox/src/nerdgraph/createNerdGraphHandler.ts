import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DocumentNode,
  execute,
  GraphQLError,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import { z } from 'zod';
import { discardRest, HttpError, parseJson, readBody, sendJson } from '../http';
import type { SandboxLogger } from '../ingest';
import { Misbehaviour, MisbehaviourRule } from '../misbehaviour/Misbehaviour';
import { EventStore } from '../store/EventStore';
import { ManagedObjects } from '../store/ManagedObjects';
import { BAD_KEY_BODY, nerdGraphError } from './errors';
import { createRoot } from './resolvers';
import { buildNerdGraphSchema } from './schema';

/** Requests of one user that New Relic answers at a time. */
const MAX_CONCURRENT = 25;
/** NRQL queries of an account in a minute. */
const QUERIES_PER_MINUTE = 3000;
const LIMITS = {
  maxBytes: 1_000_000,
  maxInflatedBytes: 1_000_000,
  timeoutMs: 10_000,
};
const MAX_TOKENS = 20_000;

export interface NerdGraphOptions {
  store: EventStore;
  /** Default: they are gone with the process. */
  managed?: ManagedObjects;
  misbehaviour?: Misbehaviour;
  /** False while the history is being made; requests are then answered with 503. */
  isReady?: () => boolean;
  logger?: SandboxLogger;
  now?: () => number;
}

/** Counts since the start. */
export interface NerdGraphStats {
  /** HTTP requests. */
  requests: number;
  /** NRQL queries, by alias. */
  queries: number;
  /** Those among them that were answered with an error or null. */
  failedQueries: number;
}

const requestSchema = z.object({
  query: z.string().min(1),
  variables: z.record(z.string(), z.unknown()).nullish(),
  operationName: z.string().nullish(),
});

/** `POST /graphql`: NerdGraph over an event store. */
export function createNerdGraphHandler(options: NerdGraphOptions): {
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>;
  stats: NerdGraphStats;
} {
  const { store, managed = new ManagedObjects() } = options;
  const now = options.now ?? Date.now;
  const misbehaviour = options.misbehaviour ?? new Misbehaviour(now);
  const schema = buildNerdGraphSchema();
  const stats: NerdGraphStats = { requests: 0, queries: 0, failedQueries: 0 };
  const concurrent = new Map<string, number>();
  const rate = { minute: 0, counts: new Map<number, number>() };

  const countQuery = (accountId: number, failed: boolean) => {
    stats.queries += 1;
    if (failed) stats.failedQueries += 1;
    const minute = Math.floor(now() / 60_000);
    if (minute !== rate.minute) {
      rate.minute = minute;
      rate.counts.clear();
    }
    rate.counts.set(accountId, (rate.counts.get(accountId) ?? 0) + 1);
  };
  const overRate = (accountId: number) =>
    rate.minute === Math.floor(now() / 60_000) &&
    (rate.counts.get(accountId) ?? 0) >= QUERIES_PER_MINUTE;

  async function answer(
    req: IncomingMessage,
  ): Promise<[number, unknown] | undefined> {
    if (req.method !== 'POST') throw new HttpError(405, 'Use POST');
    const key = req.headers['api-key'];
    const account = store.accountForApiKey(
      typeof key === 'string' ? key : undefined,
    );
    if (!account) return [401, BAD_KEY_BODY];
    const fault = misbehaviour.takeForRequest();
    if (fault?.kind === 'down') {
      req.socket.destroy();
      return undefined;
    }
    if (fault) {
      const status = await misbehave(fault);
      if (status) return status;
    }
    if (options.isReady?.() === false) {
      throw new HttpError(503, 'The sandbox is still making its history');
    }

    const body = parseJson(await readBody(req, LIMITS));
    const request = requestSchema.safeParse(body);
    if (!request.success) {
      throw new HttpError(
        400,
        'The body must be {"query": "...", "variables": {...}}',
      );
    }
    let document: DocumentNode;
    try {
      document = parse(request.data.query, { maxTokens: MAX_TOKENS });
    } catch (error) {
      return [200, { errors: [error as GraphQLError] }];
    }
    const invalid = validate(schema, document, specifiedRules, {
      maxErrors: 20,
    });
    if (invalid.length > 0) return [200, { errors: invalid }];
    if (overRate(account.id)) {
      const error = nerdGraphError(
        `The account has reached its limit of ${QUERIES_PER_MINUTE} NRQL queries per minute`,
        'TOO_MANY_REQUESTS',
      );
      return [200, { data: null, errors: [error] }];
    }
    let lost = false;
    const result = await execute({
      schema,
      document,
      rootValue: createRoot({
        store,
        managed,
        account,
        misbehaviour,
        now: now(),
        onQuery: failed => countQuery(account.id, failed),
        onLost: () => {
          lost = true;
        },
      }),
      variableValues: request.data.variables ?? {},
      operationName: request.data.operationName,
    });
    if (lost) {
      req.socket.destroy();
      return undefined;
    }
    return [200, { ...result, errors: result.errors?.map(reported) }];
  }

  /** Keeps what went wrong inside to the log. */
  function reported(error: GraphQLError): GraphQLError {
    if (!error.originalError || error.originalError instanceof GraphQLError) {
      return error;
    }
    options.logger?.warn(
      `NerdGraph ${error.path?.join('.')}: ${error.originalError.stack}`,
    );
    return new GraphQLError('An error occurred resolving this field', {
      nodes: error.nodes,
      path: error.path,
      extensions: { errorClass: 'SERVER_ERROR', type: 'OPERATION_FAILURE' },
    });
  }

  return {
    stats,
    async handle(req, res) {
      stats.requests += 1;
      const key = String(req.headers['api-key'] ?? '');
      const running = (concurrent.get(key) ?? 0) + 1;
      concurrent.set(key, running);
      try {
        const answered: [number, unknown] | undefined =
          running > MAX_CONCURRENT
            ? [429, { errors: [{ message: 'Too many concurrent requests' }] }]
            : await answer(req);
        if (answered) sendJson(res, ...answered);
      } catch (error) {
        const status = error instanceof HttpError ? error.status : 500;
        if (status === 500) {
          options.logger?.warn(`NerdGraph: ${(error as Error).stack}`);
        }
        const message =
          status === 500 ? 'Internal error' : (error as Error).message;
        sendJson(res, status, { errors: [{ message }] });
      } finally {
        const left = (concurrent.get(key) ?? 1) - 1;
        if (left > 0) concurrent.set(key, left);
        else concurrent.delete(key);
        discardRest(req);
      }
    },
  };
}

async function misbehave(
  rule: MisbehaviourRule,
): Promise<[number, unknown] | undefined> {
  await sleep(rule.delayMs ?? 0);
  switch (rule.kind) {
    case 'badKey':
      return [401, BAD_KEY_BODY];
    case 'http429':
      return [
        429,
        {
          errors: [{ message: rule.message ?? 'Too many concurrent requests' }],
        },
      ];
    case 'http500':
      return [
        500,
        { errors: [{ message: rule.message ?? 'Internal server error' }] },
      ];
    default:
      return undefined;
  }
}

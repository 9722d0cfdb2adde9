import type { FastifyInstance } from 'fastify';
import { ProblemError } from '../problems.ts';
import { clientOf } from './auth.ts';

/** Clients that are remembered; beyond it, those that have been quiet longest are forgotten. */
const MOST_CLIENTS = 10_000;

type Bucket = { tokens: number; at: number };

/**
 * A bucket per client that holds a minute's worth of requests and fills up steadily (token bucket). Headers as in the IETF's
 * RateLimit fields, Retry-After with a refusal. Each process counts for itself. Registered after the authentication.
 */
export function limitRate(app: FastifyInstance, perMinute: number, now: () => number = () => performance.now()): void {
  if (perMinute === 0) return;
  const buckets = new Map<string, Bucket>();
  const perMillisecond = perMinute / 60_000;

  function take(client: string): { allowed: boolean; tokens: number } {
    const at = now();
    const last = buckets.get(client) ?? { tokens: perMinute, at };
    const available = Math.min(perMinute, last.tokens + (at - last.at) * perMillisecond);
    const allowed = available >= 1;
    const tokens = allowed ? available - 1 : available;
    // Moved to the end: the first ones are those that were quiet longest.
    buckets.delete(client);
    buckets.set(client, { tokens, at });
    if (buckets.size > MOST_CLIENTS) buckets.delete(buckets.keys().next().value!);
    return { allowed, tokens };
  }

  const secondsFor = (tokens: number) => Math.ceil(tokens / perMillisecond / 1_000);

  app.addHook('onRequest', async (request, reply) => {
    const { allowed, tokens } = take(clientOf(request));
    reply.header('ratelimit-policy', `"default";q=${perMinute};w=60`);
    reply.header('ratelimit', `"default";r=${Math.floor(tokens)};t=${secondsFor(perMinute - tokens)}`);
    if (!allowed) {
      throw new ProblemError('rate-limited', `A client may send ${perMinute} requests per minute.`, {
        retryAfterSeconds: Math.max(1, secondsFor(1 - tokens)),
      });
    }
  });
}

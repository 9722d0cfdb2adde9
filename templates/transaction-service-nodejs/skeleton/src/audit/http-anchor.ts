import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { pause } from '../platform/workers.ts';
import { AnchorConflict, type Anchor, type Anchored } from './anchors.ts';
import type { AnchorSettings } from './settings.ts';

type Options = Extract<AnchorSettings, { kind: 'http' }> & {
  fetch?: typeof fetch;
  now?: () => number;
  /** Milliseconds before the second attempt; twice as long before each further one. */
  backoff?: number;
};

const MAX_ANSWER = 8_192;

/** Worth another attempt: nobody answered, or the partner said that it is its own fault or too busy. */
class Transient extends Error {}

/**
 * A partner who keeps heads: `POST {url}/v1/anchors` takes one and answers 200 or 201 with what it has kept, 409 when it has another hash
 * for the block; `GET {url}/v1/anchors/latest?chain=&shard=` answers its newest one, or 404. An answer counts only when it names the block
 * and the hash that were sent, so neither a proxy's page nor the answer to something else is taken for a receipt.
 */
export function httpAnchor(options: Options): Anchor {
  const { timeout, attempts, backoff = 250, now = Date.now } = options;
  const send = options.fetch ?? fetch;
  const base = options.url.endsWith('/') ? options.url : `${options.url}/`;

  async function headers(body: string): Promise<Record<string, string>> {
    const result: Record<string, string> = { accept: 'application/json' };
    if (options.tokenFile !== undefined) result.authorization = `Bearer ${await secret(options.tokenFile)}`;
    if (options.secretFile !== undefined) {
      const time = Math.floor(now() / 1_000);
      const key = await secret(options.secretFile);
      result['x-signature'] = `t=${time},v1=${createHmac('sha256', key).update(`${time}.${body}`).digest('hex')}`;
    }
    return result;
  }

  /** One request. Resolves to the status and the JSON of the answer, undefined when it is none. */
  async function ask(path: string, init: RequestInit, body: string, signal?: AbortSignal) {
    const limits = [AbortSignal.timeout(timeout), ...(signal ? [signal] : [])];
    const authentication = await headers(body);
    try {
      const response = await send(new URL(path, base), {
        ...init,
        headers: { ...authentication, ...(init.headers as Record<string, string>) },
        redirect: 'error',
        signal: AbortSignal.any(limits),
      });
      const answer = await json(response);
      if (response.status >= 500 || response.status === 429 || response.status === 408) {
        throw new Transient(`the partner answered ${response.status}`);
      }
      return { status: response.status, answer };
    } catch (error) {
      if (error instanceof Transient) throw error;
      throw new Transient(`the partner did not answer: ${(error as Error).name}`, { cause: error });
    }
  }

  async function tryPublish(head: Anchored, signal: AbortSignal): Promise<Record<string, unknown>> {
    const body = JSON.stringify(head);
    const init = {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'idempotency-key': `${head.chain}:${head.shard}:${head.seq}` },
    };
    const { status, answer } = await ask('v1/anchors', init, body, signal);
    if (status === 409) throw new AnchorConflict(`the partner has another hash for block ${head.seq}`);
    if (status !== 200 && status !== 201) throw new Error(`the partner answered ${status}`);
    if (typeof answer?.id !== 'string' || !isOf(answer, head)) {
      throw new Transient('the partner answered something else than a receipt for this block');
    }
    const { id, anchoredAt } = answer;
    return { id, ...(typeof anchoredAt === 'string' ? { anchoredAt } : {}) };
  }

  return {
    kind: 'http',
    async publish(head, signal) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await tryPublish(head, signal);
        } catch (error) {
          if (!(error instanceof Transient) || attempt >= attempts || signal.aborted) throw error;
          await pause(backoff * 2 ** (attempt - 1), signal);
        }
      }
    },
    async *records(chain, shard) {
      const query = new URLSearchParams({ chain, shard: String(shard) });
      const { status, answer } = await ask(`v1/anchors/latest?${query}`, { method: 'GET', headers: {} }, '');
      if (status === 404) return;
      const { seq, hash } = (answer ?? {}) as Partial<Anchored>;
      if (status !== 200 || !Number.isSafeInteger(seq) || typeof hash !== 'string' || answer?.chain !== chain) {
        throw new Error(`the partner answered ${status} without a record of this chain`);
      }
      yield { seq: seq as number, hash };
    },
  };
}

async function secret(path: string): Promise<string> {
  return (await readFile(path, 'utf8')).trim();
}

function isOf(answer: Record<string, unknown>, head: Anchored): boolean {
  return (['chain', 'shard', 'seq', 'hash'] as const).every(name => answer[name] === head[name]);
}

async function json(response: Response): Promise<Record<string, unknown> | undefined> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true });
    // Leaving the loop gives the rest up.
    if (text.length > MAX_ANSWER) return undefined;
  }
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

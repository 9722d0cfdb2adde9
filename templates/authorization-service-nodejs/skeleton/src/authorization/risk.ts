import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Risk } from './rules.ts';

/** What the partner is told: no card number, no name, no token of ours. */
export type RiskRequest = {
  requestId: string;
  cardId: string;
  amount: { value: string; currency: string };
  mcc: string;
  country: string;
  channel: string | null;
};

type Options = {
  /** Base address of the partner; undefined: there is none. */
  url: string | undefined;
  /** Milliseconds for one answer. */
  timeout: number;
  /** Failures in a row after which it is left alone. */
  threshold: number;
  /** Milliseconds for which it is left alone. */
  pause: number;
  registry: Registry;
  fetch?: typeof fetch;
  now?: () => number;
};

/** What is kept back of the caller's time for the decision itself, in milliseconds. */
const RESERVE = 20;
const MAX_ANSWER = 4_096;

/**
 * Asks the risk partner once: `POST {url}/v1/scores`, answered with `{requestId, score}`. A decision never waits for a second try; what
 * does not come in time, or is not what was promised, counts as no score, and the rule set says what then (see `risk` in
 * rule-schemas.ts). After several failures in a row nobody is asked for a while (open circuit); then one request tries again.
 */
export class RiskPartner {
  readonly #options: Options;
  readonly #now: () => number;
  readonly #results: Counter;
  readonly #duration: Histogram;
  #failures = 0;
  #openUntil = 0;
  #probing = false;

  constructor(options: Options) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    const registers = [options.registry];
    this.#results = new Counter({
      name: 'risk_requests_total',
      help: 'Answers of the risk partner: ok, timeout, status, malformed, network; open: not asked, the circuit is open; late: no time left.',
      labelNames: ['result'],
      registers,
    });
    this.#duration = new Histogram({
      name: 'risk_request_duration_seconds',
      help: 'Time to an answer of the risk partner, or to giving up.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1],
      registers,
    });
    new Gauge({
      name: 'risk_circuit_open',
      help: '1 while the risk partner is left alone.',
      registers,
      collect: () => {},
    }).set(0);
  }

  get configured(): boolean {
    return this.#options.url !== undefined;
  }

  get open(): boolean {
    return this.#now() < this.#openUntil;
  }

  /** The score, or the fallback. `timeLeft`: milliseconds until the caller's deadline. Never throws. */
  async score(request: RiskRequest, timeLeft = Infinity): Promise<Risk> {
    const timeout = Math.min(this.#options.timeout, timeLeft - RESERVE);
    if (timeout <= 0) return this.#fallback('late');
    const halfOpen = this.#failures >= this.#options.threshold;
    if (this.open || (halfOpen && this.#probing)) return this.#fallback('open');
    this.#probing = halfOpen;
    const started = this.#now();
    try {
      const score = await this.#ask(request, timeout);
      this.#failures = 0;
      this.#results.inc({ result: 'ok' });
      return { score, source: 'partner' };
    } catch (error) {
      this.#failures += 1;
      if (this.#failures >= this.#options.threshold) this.#openUntil = this.#now() + this.#options.pause;
      return this.#fallback(kindOf(error));
    } finally {
      if (halfOpen) this.#probing = false;
      this.#duration.observe((this.#now() - started) / 1_000);
    }
  }

  async #ask(request: RiskRequest, timeout: number): Promise<number> {
    const ask = this.#options.fetch ?? fetch;
    const response = await ask(new URL('v1/scores', withSlash(this.#options.url!)), {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(request),
      redirect: 'error',
      signal: AbortSignal.timeout(Math.ceil(timeout)),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new PartnerError('status');
    }
    return scoreOf(await limited(response), request.requestId);
  }

  #fallback(result: string): Risk {
    this.#results.inc({ result });
    return { score: null, source: 'fallback' };
  }
}

class PartnerError extends Error {}

function kindOf(error: unknown): string {
  if (error instanceof PartnerError) return error.message;
  return (error as Error).name === 'TimeoutError' ? 'timeout' : 'network';
}

function withSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}

async function limited(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true });
    if (text.length > MAX_ANSWER) throw new PartnerError('malformed');
  }
  return text;
}

/** An answer to another question (a repetition of an earlier one, say) is none. */
function scoreOf(text: string, requestId: string): number {
  let body: { requestId?: unknown; score?: unknown } | null;
  try {
    body = JSON.parse(text) as typeof body;
  } catch {
    throw new PartnerError('malformed');
  }
  const score = body?.score;
  if (body?.requestId !== requestId || !Number.isInteger(score) || Number(score) < 0 || Number(score) > 100) {
    throw new PartnerError('malformed');
  }
  return score as number;
}

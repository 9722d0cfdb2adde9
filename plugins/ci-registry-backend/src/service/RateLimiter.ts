/** Too many calls; the router answers 429 with `Retry-After`. */
export class TooManyRequests extends Error {
  readonly name = 'TooManyRequests';
  readonly statusCode = 429;

  constructor(
    /** Seconds until the next call is let in. */
    readonly retryAfter: number,
    message: string,
  ) {
    super(message);
  }
}

const MAX_KEYS = 50_000;

/** A bucket of calls for each caller: holds a minute's worth, and refills evenly. One per process, not shared among replicas. */
export class RateLimiter {
  readonly #perMinute: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(options: {
    perMinute: number;
    /** ms since 1970, for tests. */
    now?: () => number;
  }) {
    this.#perMinute = options.perMinute;
    this.#now = options.now ?? Date.now;
  }

  /** Throws `TooManyRequests` when this caller has used up its calls. */
  take(key: string, who: string): void {
    const now = this.#now();
    const last = this.#buckets.get(key);
    const refill = last
      ? ((now - last.at) * this.#perMinute) / 60_000
      : this.#perMinute;
    const tokens = Math.min(this.#perMinute, (last?.tokens ?? 0) + refill);
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: Math.max(0, tokens - 1), at: now });
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= MAX_KEYS) break;
      this.#buckets.delete(oldest);
    }
    if (tokens < 1) {
      this.#buckets.set(key, { tokens, at: now });
      const retryAfter = Math.ceil(((1 - tokens) * 60) / this.#perMinute);
      throw new TooManyRequests(
        retryAfter,
        `${who} sent more than ${
          this.#perMinute
        } pushes a minute; send them again in ${retryAfter} s, or put several into one`,
      );
    }
  }
}

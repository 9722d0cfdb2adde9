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
const MINUTE_MS = 60_000;

/** Lets each caller spend a minute's worth of calls at once, and regain them evenly. One per process, not shared among replicas. */
export class RateLimiter {
  readonly #perMinute: number;
  readonly #now: () => number;
  /** Milliseconds that a caller has to spend; one call costs a minute divided by the calls in it. */
  readonly #credits = new Map<string, { ms: number; at: number }>();

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
    const last = this.#credits.get(key);
    const credit = last
      ? Math.min(MINUTE_MS, last.ms + Math.max(0, now - last.at))
      : MINUTE_MS;
    const cost = MINUTE_MS / this.#perMinute;
    const isIn = credit >= cost;
    // The latest comes last, so that the one that was quiet longest is forgotten first.
    this.#credits.delete(key);
    this.#credits.set(key, { ms: isIn ? credit - cost : credit, at: now });
    for (const oldest of this.#credits.keys()) {
      if (this.#credits.size <= MAX_KEYS) break;
      this.#credits.delete(oldest);
    }
    if (!isIn) {
      const retryAfter = Math.ceil((cost - credit) / 1_000);
      throw new TooManyRequests(
        retryAfter,
        `${who} sent more than ${
          this.#perMinute
        } pushes a minute; send them again in ${retryAfter} s, or put several into one`,
      );
    }
  }
}

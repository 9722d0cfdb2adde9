import { setTimeout } from 'node:timers/promises';
import {
  createLocalJWKSet,
  type JWK,
  type JWTHeaderParameters,
  type KeyLike,
} from 'jose';
import { KeysUnavailable, NotAuthenticated, quote } from './refusal';

const MAX_BYTES = 256 * 1024;
const MAX_KEYS = 100;
const ATTEMPTS = 2;
const RETRY_DELAY_MS = 250;
/** A host that was away is asked again sooner than one that answered. */
const FAILURE_COOLDOWN_MS = 5_000;
/** Keys are asked for again this often, so that one that was withdrawn does not live until the end of `maxAgeMs`. */
const REFRESH_AFTER_MS = 10 * 60_000;

export interface KeySetOptions {
  url: string;
  /** For one attempt. */
  timeoutMs: number;
  /** Keys that could not be read again for so long are not used any more. */
  maxAgeMs: number;
  /** The host is asked at most once in this time, whatever key ids callers make up. */
  cooldownMs: number;
  /** ms since 1970. */
  now: () => number;
}

interface Loaded {
  select: ReturnType<typeof createLocalJWKSet>;
  kids: Set<string>;
  at: number;
}

async function readBounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.byteLength;
    if (size > MAX_BYTES) {
      throw new Error(`answered more than ${MAX_BYTES} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Public keys for signatures; shared secrets and whatever else is listed are left out. */
function readKeys(text: string): JWK[] {
  let document: { keys?: unknown };
  try {
    document = JSON.parse(text);
  } catch {
    throw new Error('answered something that is not JSON');
  }
  if (!Array.isArray(document?.keys)) {
    throw new Error('answered no JSON Web Key Set (an object with "keys")');
  }
  const keys = (document.keys as JWK[]).filter(
    key =>
      key &&
      typeof key === 'object' &&
      typeof key.kid === 'string' &&
      ['RSA', 'EC', 'OKP'].includes(String(key.kty)) &&
      (key.use === undefined || key.use === 'sig'),
  );
  if (!keys.length || keys.length > MAX_KEYS) {
    throw new Error(
      `answered ${keys.length} usable keys; expected 1 to ${MAX_KEYS}`,
    );
  }
  return keys;
}

/** The public keys of one issuer, read from its configured address and kept for a bounded time. */
export class KeySet {
  readonly #options: KeySetOptions;
  #loaded?: Loaded;
  #attemptedAt = -Infinity;
  #failure?: string;
  #loading?: Promise<void>;

  constructor(options: KeySetOptions) {
    this.#options = options;
  }

  /** The key that the header names. Asks the host when it is not known, within bounds. */
  async get(header: JWTHeaderParameters): Promise<KeyLike> {
    const kid = String(header.kid);
    if (this.#isDue(kid)) {
      this.#loading ??= this.#load().finally(() => {
        this.#loading = undefined;
      });
    }
    // A load that others wait for may bring the key.
    if (this.#loading && !this.#current()?.kids.has(kid)) {
      await this.#loading;
    }
    const loaded = this.#current();
    if (!loaded || (this.#failure && !loaded.kids.has(kid))) {
      throw new KeysUnavailable(
        `The keys of the token's issuer cannot be read (${
          this.#failure ?? 'not yet asked'
        }); nobody is let in by guess, try again in a moment`,
      );
    }
    if (!loaded.kids.has(kid)) {
      throw new NotAuthenticated(
        'unknown-key',
        `The issuer has no key with the id (kid) ${quote(kid)}`,
      );
    }
    return (await loaded.select(header)) as KeyLike;
  }

  #current(): Loaded | undefined {
    const loaded = this.#loaded;
    return loaded && this.#options.now() - loaded.at <= this.#options.maxAgeMs
      ? loaded
      : undefined;
  }

  #isDue(kid: string): boolean {
    const now = this.#options.now();
    const cooldown = this.#failure
      ? Math.min(this.#options.cooldownMs, FAILURE_COOLDOWN_MS)
      : this.#options.cooldownMs;
    if (now - this.#attemptedAt < cooldown) return false;
    const loaded = this.#current();
    return (
      !loaded || now - loaded.at > REFRESH_AFTER_MS || !loaded.kids.has(kid)
    );
  }

  async #load(): Promise<void> {
    this.#attemptedAt = this.#options.now();
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      try {
        const keys = readKeys(await this.#fetch());
        this.#loaded = {
          select: createLocalJWKSet({ keys }),
          kids: new Set(keys.map(key => String(key.kid))),
          at: this.#options.now(),
        };
        this.#failure = undefined;
        return;
      } catch (error) {
        this.#failure = describe(error as Error);
        if (attempt < ATTEMPTS) await setTimeout(RETRY_DELAY_MS);
      }
    }
  }

  async #fetch(): Promise<string> {
    const response = await fetch(this.#options.url, {
      headers: { accept: 'application/json' },
      // Elsewhere than where the configuration says, nothing is read.
      redirect: 'error',
      signal: AbortSignal.timeout(this.#options.timeoutMs),
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`answered ${response.status}`);
    }
    return readBounded(response);
  }
}

function describe(error: Error): string {
  if (error.name === 'TimeoutError') return 'no answer in time';
  const cause = error.cause as { code?: string; message?: string } | undefined;
  return cause?.code ?? cause?.message ?? error.message;
}

import { createHash } from 'crypto';
import type { Request, Response } from 'express';
import { promisify } from 'util';
import { gunzip, gzip } from 'zlib';

const compress = promisify(gzip);
const expand = promisify(gunzip);

/** A written answer. */
interface Body {
  etag: string;
  type: string;
  gzipped: Buffer;
  madeAt: number;
  version: number;
}

interface Entry {
  body?: Body;
  pending?: Promise<Body>;
}

/** What an answer is and how long it may be handed out again. */
export interface BodyRequest {
  /** Two answers of the same key are the same, but for their age and version. */
  key: string;
  /** Version of the data that the answer is made of. */
  version: number;
  type?: 'json' | 'csv';
  /** File name of a CSV. */
  filename?: string;
  /** The answer is new for this long. */
  freshMs: number;
  /** An answer that is no longer new, but not older than this, is handed out while the next one is made. */
  staleMs?: number;
  make: () => Promise<object | string>;
}

const TYPES = {
  json: 'application/json; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
};

/**
 * Writes out answers. Everybody who asks the same with the same rights gets the
 * same bytes, so they are made, written and compressed once per few seconds
 * rather than per reader. They are kept compressed: a board of 200 paths is
 * some 2 MB of JSON.
 */
export class Bodies {
  readonly #entries = new Map<string, Entry>();
  readonly #max: number;
  readonly #now: () => number;
  /** Answers are remade one after the other, so that they do not hold up what is asked for now. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: { max: number; now?: () => number }) {
    this.#max = options.max;
    this.#now = options.now ?? Date.now;
  }

  /** Forgets everything, for example after somebody changed a policy. */
  clear(): void {
    this.#entries.clear();
  }

  /** Makes an answer ahead when there is none, or none so new; false when there is. */
  async warm(request: BodyRequest, maxAgeMs: number): Promise<boolean> {
    const body = this.#entry(request).body;
    if (body && this.#now() - body.madeAt < maxAgeMs) {
      return false;
    }
    await this.#remake(request, this.#entry(request), true);
    return true;
  }

  async send(req: Request, res: Response, request: BodyRequest): Promise<void> {
    const body = await this.#get(request);
    res.setHeader('ETag', body.etag);
    res.setHeader('Cache-Control', 'private, no-cache');
    res.setHeader('Vary', 'Authorization, Accept, Accept-Encoding');
    if (req.headers['if-none-match'] === body.etag) {
      res.status(304).end();
      return;
    }
    res.setHeader('Content-Type', body.type);
    if (request.filename) {
      res.setHeader(
        'Content-Disposition',
        `attachment; filename="${request.filename}"`,
      );
    }
    if (req.acceptsEncodings('gzip')) {
      res.setHeader('Content-Encoding', 'gzip');
      res.end(body.gzipped);
    } else {
      res.end(await expand(body.gzipped));
    }
  }

  async #get(request: BodyRequest): Promise<Body> {
    const entry = this.#entry(request);
    const { body } = entry;
    const age = body ? this.#now() - body.madeAt : Infinity;
    if (body && age < request.freshMs && body.version === request.version) {
      return body;
    }
    const stale = body && age < (request.staleMs ?? 0);
    const pending = this.#remake(request, entry, !!stale);
    return stale ? body : pending;
  }

  /** The entry of an answer, which becomes the one that was asked for last. */
  #entry(request: BodyRequest): Entry {
    const key = `${request.type ?? 'json'} ${request.key}`;
    const entry = this.#entries.get(key) ?? {};
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const oldest = this.#entries.keys().next();
    if (this.#entries.size > this.#max && !oldest.done) {
      this.#entries.delete(oldest.value);
    }
    return entry;
  }

  #remake(request: BodyRequest, entry: Entry, later: boolean): Promise<Body> {
    if (entry.pending) {
      return entry.pending;
    }
    const work = () => this.#write(request);
    const pending = later ? this.#queue.then(work, work) : work();
    if (later) {
      this.#queue = pending.catch(() => {});
    }
    entry.pending = pending;
    pending.then(
      made => {
        entry.body = made;
        entry.pending = undefined;
      },
      () => {
        entry.pending = undefined; // whoever waits for it meets the error
      },
    );
    return pending;
  }

  async #write(request: BodyRequest): Promise<Body> {
    const madeAt = this.#now();
    const content = await request.make();
    const plain =
      typeof content === 'string' ? content : JSON.stringify(content);
    return {
      madeAt,
      version: request.version,
      type: TYPES[request.type ?? 'json'],
      gzipped: await compress(plain, { level: 1 }),
      etag: `W/"${createHash('sha256')
        .update(plain)
        .digest('base64url')
        .slice(0, 22)}"`,
    };
  }
}

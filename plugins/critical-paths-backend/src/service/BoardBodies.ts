import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import type { BoardWindow } from '@rocket/plugin-critical-paths-common';
import { createHash } from 'crypto';
import type { Request, Response } from 'express';
import { promisify } from 'util';
import { gzip } from 'zlib';
import type { BoardFilter, PathService } from './PathService';

const compress = promisify(gzip);

/** How long a written answer is handed out again; ages on the board are exact to this. */
const REUSE_SECONDS = 5;
const MAX_BODIES = 50;

interface Body {
  etag: string;
  plain: Buffer;
  gzipped: Buffer;
}

/**
 * Writes out boards. A board of 200 paths is some 2 MB of JSON, and everybody
 * who looks at it with the same rights and filter gets the same bytes, so they
 * are written and compressed once per few seconds rather than per reader.
 */
export class BoardBodies {
  readonly #service: PathService;
  readonly #bodies = new Map<string, Promise<Body>>();

  constructor(service: PathService) {
    this.#service = service;
  }

  async send(
    req: Request,
    res: Response,
    window: BoardWindow,
    filter: BoardFilter,
    credentials: BackstageCredentials,
  ): Promise<void> {
    const key = await this.#service.boardKey(
      window,
      filter,
      credentials,
      REUSE_SECONDS,
    );
    let pending = this.#bodies.get(key);
    if (!pending) {
      pending = this.#write(window, filter, credentials);
      this.#bodies.set(key, pending);
      pending.catch(() => this.#bodies.delete(key));
      const oldest = this.#bodies.keys().next();
      if (this.#bodies.size > MAX_BODIES && !oldest.done) {
        this.#bodies.delete(oldest.value);
      }
    }
    const body = await pending;
    res.setHeader('ETag', body.etag);
    res.setHeader('Cache-Control', 'private, no-cache');
    res.setHeader('Vary', 'Authorization, Accept-Encoding');
    if (req.headers['if-none-match'] === body.etag) {
      res.status(304).end();
      return;
    }
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    if (req.acceptsEncodings('gzip')) {
      res.setHeader('Content-Encoding', 'gzip');
      res.end(body.gzipped);
    } else {
      res.end(body.plain);
    }
  }

  async #write(
    window: BoardWindow,
    filter: BoardFilter,
    credentials: BackstageCredentials,
  ): Promise<Body> {
    const plain = Buffer.from(
      JSON.stringify(await this.#service.board(window, filter, credentials)),
    );
    return {
      plain,
      gzipped: await compress(plain, { level: 1 }),
      etag: `W/"${createHash('sha256')
        .update(plain)
        .digest('base64url')
        .slice(0, 22)}"`,
    };
  }
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

const gunzip = promisify(zlib.gunzip);
const inflate = promisify(zlib.inflate);

/** A request that is refused, with the HTTP status that says why. */
export class HttpError extends Error {
  override name = 'HttpError';

  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/** Bounds on a request's body. */
export interface BodyLimits {
  /** Bytes on the wire. */
  maxBytes: number;
  /** Bytes after decompression; keeps a small bomb from filling the memory. */
  maxInflatedBytes: number;
  /** How long the sender may take, in milliseconds. */
  timeoutMs: number;
}

async function readRaw(
  req: IncomingMessage,
  limits: BodyLimits,
): Promise<Buffer> {
  const tooLarge = () =>
    new HttpError(413, `The body has more than ${limits.maxBytes} bytes`);
  if (Number(req.headers['content-length'] ?? 0) > limits.maxBytes) {
    throw tooLarge();
  }
  const chunks: Buffer[] = [];
  let size = 0;
  const listeners = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const on = (event: string, listener: (chunk: Buffer) => void) => {
        req.on(event, listener);
        listeners.signal.addEventListener('abort', () =>
          req.off(event, listener),
        );
      };
      timer = setTimeout(
        () => reject(new HttpError(408, 'The body took too long to arrive')),
        limits.timeoutMs,
      );
      on('data', chunk => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > limits.maxBytes) {
          reject(tooLarge());
        }
      });
      on('end', () => resolve());
      on('close', () =>
        reject(new HttpError(400, 'The connection ended before the body did')),
      );
      // A broken connection must not become an uncaught error later on.
      req.on('error', () => {});
    });
  } finally {
    clearTimeout(timer);
    listeners.abort();
  }
  return Buffer.concat(chunks);
}

/**
 * Reads and decompresses (`gzip`, `deflate`) a body.
 * Throws `HttpError` 400, 408, 413 or 415.
 */
export async function readBody(
  req: IncomingMessage,
  limits: BodyLimits,
): Promise<Buffer> {
  const encoding = (req.headers['content-encoding'] ?? 'identity')
    .trim()
    .toLowerCase();
  const decompress = {
    identity: undefined,
    '': undefined,
    gzip: gunzip,
    'x-gzip': gunzip,
    deflate: inflate,
  }[encoding];
  if (!decompress && encoding !== 'identity' && encoding !== '') {
    throw new HttpError(
      415,
      'Content-Encoding is not supported; use gzip, deflate or identity',
    );
  }
  const raw = await readRaw(req, limits);
  if (!decompress) {
    return raw;
  }
  try {
    return await decompress(raw, { maxOutputLength: limits.maxInflatedBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new HttpError(
        413,
        `The body has more than ${limits.maxInflatedBytes} bytes when decompressed`,
      );
    }
    throw new HttpError(400, `The body is not valid ${encoding}`);
  }
}

/** Parses JSON; throws `HttpError` 400 without repeating the text, which may hold personal data. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new HttpError(400, 'The body is not valid JSON');
  }
}

/**
 * Lets a sender whose request was refused early finish for a moment, so that
 * it sees the answer instead of a broken connection.
 */
export function discardRest(req: IncomingMessage): void {
  if (!req.complete && !req.destroyed) {
    req.resume();
    setTimeout(() => req.destroy(), 2000).unref();
  }
}

/** Answers with JSON, unless an answer has begun or nobody waits for it. */
export function sendJson(
  res: ServerResponse,
  status: number,
  body: unknown,
): void {
  if (res.headersSent || res.destroyed) {
    return;
  }
  const text = JSON.stringify(body);
  res
    .writeHead(status, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(text),
      // What is left of the request's body is not read as another request.
      ...(status === 408 || status === 413 ? { Connection: 'close' } : {}),
    })
    .end(text);
}

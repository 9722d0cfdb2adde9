import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  headers: IncomingHttpHeaders;
  query: string;
  variables: Record<string, any>;
  /** Aliases of the `nrql` fields, in order. */
  aliases: string[];
}

export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  json?: unknown;
  text?: string;
  /** Never answers. */
  hang?: boolean;
  /** Cuts the connection. */
  cut?: boolean;
}

/** A local HTTP server that answers like NerdGraph, one handler call per request. */
export class FakeNerdGraph {
  readonly seen: Seen[] = [];
  running = 0;
  mostAtOnce = 0;
  handler: (request: Seen, index: number) => Reply | Promise<Reply> =
    request => ({ json: ok(request) });
  #server?: Server;

  get url() {
    return `http://127.0.0.1:${
      (this.#server!.address() as AddressInfo).port
    }/graphql`;
  }

  async start() {
    this.#server = createServer((req, res) => {
      let body = '';
      req.setEncoding('utf8');
      req.on('data', part => (body += part));
      req.on('end', async () => {
        const { query, variables } = JSON.parse(body);
        const request: Seen = {
          headers: req.headers,
          query,
          variables,
          aliases: [...query.matchAll(/(\w+): nrql\(/g)].map(m => m[1]),
        };
        this.seen.push(request);
        this.running += 1;
        this.mostAtOnce = Math.max(this.mostAtOnce, this.running);
        const reply = await this.handler(request, this.seen.length - 1);
        this.running -= 1;
        if (reply.hang) return;
        if (reply.cut) {
          req.socket.destroy();
          return;
        }
        res.writeHead(reply.status ?? 200, {
          'content-type': 'application/json',
          ...reply.headers,
        });
        res.end(reply.text ?? JSON.stringify(reply.json));
      });
    });
    await new Promise<void>(resolve =>
      this.#server!.listen(0, '127.0.0.1', resolve),
    );
    return this;
  }

  async stop() {
    this.#server?.closeAllConnections();
    await new Promise(resolve => this.#server?.close(resolve));
  }
}

/** A result container as in reference section 2.1. */
export function container(results: unknown[]) {
  return {
    results,
    totalResult: null,
    otherResult: null,
    metadata: {
      facets: null,
      messages: [],
      timeWindow: { begin: 1709442593550, end: 1709446193550 },
    },
  };
}

/** An answer where each alias says which NRQL it was asked. */
export function ok(
  request: Seen,
  overrides: Record<string, unknown> = {},
  errors?: unknown,
) {
  return {
    data: {
      actor: {
        account: {
          ...Object.fromEntries(
            request.aliases.map(alias => [
              alias,
              container([{ asked: request.variables[alias] }]),
            ]),
          ),
          ...overrides,
        },
      },
    },
    ...(errors === undefined ? {} : { errors }),
  };
}

/** An error with HTTP 200, as in reference section 1. */
export function aliasError(
  alias: string | undefined,
  errorClass: string | undefined,
  message = 'it failed',
) {
  return {
    ...(errorClass ? { extensions: { errorClass } } : {}),
    locations: [{ line: 1, column: 1 }],
    message,
    ...(alias ? { path: ['actor', 'account', alias] } : {}),
  };
}

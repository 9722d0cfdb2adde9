import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Fault =
  | 'none'
  | 'timeout'
  | 'error'
  | 'busy'
  | 'slow'
  | 'malformed'
  | 'duplicate'
  | 'huge'
  | 'reset'
  | 'forbidden'
  | 'redirect';

type Kept = { id: string; chain: string; shard: number; seq: number; hash: string; anchoredAt: string };

/** A partner who keeps heads of audit chains, as it may behave on a bad day. */
export class MockedAnchorPartner {
  readonly #server: Server;
  readonly #open = new Set<ServerResponse>();
  readonly kept: Kept[] = [];
  readonly asked: { method: string; url: string; headers: IncomingMessage['headers']; text: string }[] = [];
  mode: Fault = 'none';
  /** How many requests have the fault; then it is over. */
  times = Infinity;
  url = '';

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async listen(): Promise<this> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/base`;
    return this;
  }

  fail(mode: Fault, times = Infinity): void {
    this.mode = mode;
    this.times = times;
    this.asked.length = 0;
  }

  async close(): Promise<void> {
    for (const response of this.#open) response.destroy();
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request) text += part;
    const { method = '', url = '', headers } = request;
    this.asked.push({ method, url, headers, text });
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const mode = this.times > 0 ? this.mode : 'none';
    this.times -= 1;
    switch (mode) {
      case 'timeout':
        this.#open.add(response);
        return;
      case 'slow':
        // The head at once, the body never.
        response.writeHead(201, { 'content-type': 'application/json' }).write('{"id":');
        this.#open.add(response);
        return;
      case 'error':
        json(500, { error: 'internal' });
        return;
      case 'busy':
        json(429, { error: 'busy' });
        return;
      case 'forbidden':
        json(403, { error: 'forbidden' });
        return;
      case 'malformed':
        response.writeHead(200, { 'content-type': 'application/json' }).end('<html>maintenance</html>');
        return;
      case 'huge':
        response.writeHead(201, { 'content-type': 'application/json' }).end(`{"id":"${'x'.repeat(100_000)}"}`);
        return;
      case 'reset':
        request.socket.destroy();
        return;
      case 'redirect':
        response.writeHead(307, { location: this.url }).end();
        return;
      case 'duplicate':
        // The receipt of an earlier block once more.
        json(200, { id: 'a-0', chain: 'service-under-test', shard: 0, seq: 1, hash: '0'.repeat(64) });
        return;
    }
    if (method === 'GET' && url.startsWith('/base/v1/anchors/latest?')) {
      const chain = new URL(url, this.url).searchParams.get('chain');
      const newest = this.kept.filter(record => record.chain === chain).at(-1);
      json(newest ? 200 : 404, newest ?? { error: 'none' });
    } else if (method === 'POST' && url === '/base/v1/anchors') {
      const head = JSON.parse(text) as Kept;
      const known = this.kept.find(
        ({ chain, shard, seq }) => chain === head.chain && shard === head.shard && seq === head.seq,
      );
      if (known) json(known.hash === head.hash ? 200 : 409, known);
      else {
        const { chain, shard, seq, hash } = head;
        this.kept.push({
          id: `a-${this.kept.length + 1}`,
          chain,
          shard,
          seq,
          hash,
          anchoredAt: '2026-11-21T10:00:00Z',
        });
        json(201, this.kept.at(-1));
      }
    } else json(404, { error: 'route' });
  }
}

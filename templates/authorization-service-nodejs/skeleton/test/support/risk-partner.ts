import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Fault =
  'none' | 'timeout' | 'error' | 'slow' | 'malformed' | 'duplicate' | 'huge' | 'reset' | 'out-of-range';

/** The risk partner as it may behave on a bad day. */
export class MockedPartner {
  readonly #server: Server;
  readonly #open = new Set<ServerResponse>();
  mode: Fault = 'none';
  score = 10;
  readonly asked: any[] = [];

  constructor() {
    this.#server = createServer((request, response) => {
      void this.#answer(request, response);
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Lets go what was held back by `slow` and `timeout`. */
  release(): void {
    for (const response of this.#open) response.end('{}');
    this.#open.clear();
  }

  async close(): Promise<void> {
    this.release();
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request) text += part;
    const body = JSON.parse(text);
    this.asked.push({ method: request.method, url: request.url, body });
    const json = (status: number, answer: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    };
    switch (this.mode) {
      case 'timeout':
        this.#open.add(response);
        return;
      case 'slow':
        // The head at once, the body never.
        response.writeHead(200, { 'content-type': 'application/json' }).write('{"requestId":');
        this.#open.add(response);
        return;
      case 'error':
        return json(500, { error: 'internal' });
      case 'malformed':
        response.writeHead(200, { 'content-type': 'application/json' }).end('<html>maintenance</html>');
        return;
      case 'duplicate':
        // The answer to an earlier question once more.
        return json(200, { requestId: '0199d5d0-0000-7000-8000-000000000000', score: 1 });
      case 'huge':
        response.writeHead(200, { 'content-type': 'application/json' }).end(`{"requestId":"${'x'.repeat(100_000)}"}`);
        return;
      case 'reset':
        request.socket.destroy();
        return;
      case 'out-of-range':
        return json(200, { requestId: body.requestId, score: 101 });
      default:
        return json(200, { requestId: body.requestId, score: this.score });
    }
  }
}

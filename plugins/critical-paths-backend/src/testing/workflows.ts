import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  parseCriticalPath,
  type ParsedWorkflow,
  type Workflow,
} from '@rocket/plugin-critical-paths-common';
import { pathEntity } from './entities';

/** A request that a test server got. */
export interface SeenRequest {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: any;
}

/** An HTTP server for tests; `handle` answers by method and path. */
export async function startTarget(
  handle: (
    request: SeenRequest,
    response: ServerResponse,
  ) => {
    status?: number;
    headers?: Record<string, string>;
    body?: unknown;
  } | void,
) {
  const seen: SeenRequest[] = [];
  const listener: RequestListener = (req, res) => {
    let text = '';
    req.setEncoding('utf8');
    req.on('data', part => (text += part));
    req.on('end', () => {
      const request = {
        method: req.method ?? '',
        url: req.url ?? '',
        headers: req.headers,
        body: text === '' ? undefined : JSON.parse(text),
      };
      seen.push(request);
      const answer = handle(request, res);
      if (answer) {
        const { status = 200, headers, body } = answer;
        res.writeHead(status, {
          'Content-Type': 'application/json',
          ...headers,
        });
        res.end(typeof body === 'string' ? body : JSON.stringify(body));
      }
    });
  };
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    seen,
    port,
    url: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A ledger in memory: accounts are opened, posted to and read. */
export function startLedger() {
  const accounts = new Map<string, bigint>();
  return startTarget(({ method, url, body }) => {
    if (method === 'POST' && url === '/v1/accounts') {
      const id = `a-${accounts.size + 1}`;
      accounts.set(id, 0n);
      return {
        status: 201,
        headers: { location: `/v1/accounts/${id}` },
        body: { id, name: body.name },
      };
    }
    if (method === 'POST' && url === '/v1/transactions') {
      accounts.set(body.account, BigInt(body.amount));
      return { status: 201, body: { state: 'posted', account: body.account } };
    }
    const id = /^\/v1\/accounts\/([^/]+)\/balance$/.exec(url)?.[1];
    return id && accounts.has(id)
      ? { body: { posted: String(accounts.get(id)) } }
      : { status: 404, body: { error: 'unknown' } };
  });
}

/** Opens an account, posts to it and reads its balance. */
export const POSTING: Workflow = {
  name: 'post-and-read',
  title: 'Post and read back',
  target: 'ledger',
  variables: { amount: { generate: 'amount', min: '100', max: '900' } },
  steps: [
    {
      name: 'open',
      method: 'POST',
      path: '/v1/accounts',
      body: { name: 'Check {{runId}}' },
      expect: [{ status: 201 }],
      extract: { account: { header: 'location', after: '/v1/accounts/' } },
    },
    {
      name: 'post',
      method: 'POST',
      path: '/v1/transactions',
      body: { account: '{{account}}', amount: '{{amount}}' },
      expect: [{ status: 201 }, { json: '/state', equals: 'posted' }],
    },
    {
      name: 'read',
      path: '/v1/accounts/{{account}}/balance',
      expect: [{ json: '/posted', equals: '{{amount}}' }],
    },
  ],
};

/** A workflow with its defaults. */
export function parsedWorkflow(workflow: Workflow): ParsedWorkflow {
  return parseCriticalPath(
    pathEntity('posting', ['ledger'], { workflows: [workflow] }),
  ).workflows[0];
}

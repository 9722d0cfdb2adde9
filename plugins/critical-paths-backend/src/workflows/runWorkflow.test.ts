import { randomUUID } from 'node:crypto';
import { createServer as createTlsServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import type {
  Workflow,
  WorkflowStep,
} from '@rocket/plugin-critical-paths-common';
import {
  parsedWorkflow,
  POSTING,
  startLedger,
  startTarget,
} from '../testing/workflows';
import { AddressPolicy } from './addresses';
import { runWorkflow } from './runWorkflow';
import { sendRequest } from './sendRequest';
import type { ConfiguredTarget } from './settings';

const RUN_ID = '00000000-0000-4000-8000-000000000001';

describe('runWorkflow', () => {
  const closers: (() => void)[] = [];
  afterEach(() => closers.splice(0).forEach(close => close()));

  async function target(...args: Parameters<typeof startTarget>) {
    const started = await startTarget(...args);
    closers.push(started.close);
    return started;
  }

  function run(
    baseUrl: string,
    workflow: Workflow,
    over: Partial<ConfiguredTarget> & {
      maxBytes?: number;
      signal?: AbortSignal;
    } = {},
  ) {
    const { maxBytes = 65_536, signal, ...rest } = over;
    return runWorkflow({
      workflow: parsedWorkflow(workflow),
      pathRef: 'criticalpath:default/posting',
      runId: RUN_ID,
      startedAt: new Date('2026-11-01T10:00:00Z'),
      targets: new Map([
        [
          'ledger',
          {
            baseUrl: new URL(baseUrl),
            addresses: new AddressPolicy(['127.0.0.0/8']),
            headers: {},
            ...rest,
          },
        ],
      ]),
      maxBytes,
      signal: signal ?? new AbortController().signal,
      send: sendRequest,
      uuid: randomUUID,
      random: () => 0.5,
    });
  }

  const one = (step: Partial<WorkflowStep> = {}): Workflow => ({
    name: 'w',
    target: 'ledger',
    steps: [{ name: 'ask', path: '/', ...step }],
  });

  it('walks the flow, passes variables on and keeps evidence of each step', async () => {
    const ledger = await startLedger();
    closers.push(ledger.close);
    const verdict = await run(ledger.url, POSTING);
    expect(verdict.status).toBe('passed');
    expect(
      verdict.steps.map(s => [s.name, s.status, s.request, s.httpStatus]),
    ).toEqual([
      ['open', 'passed', `POST ${ledger.url}/v1/accounts`, 201],
      ['post', 'passed', `POST ${ledger.url}/v1/transactions`, 201],
      ['read', 'passed', `GET ${ledger.url}/v1/accounts/a-1/balance`, 200],
    ]);
    expect(verdict.steps[0].extracted).toEqual({ account: 'a-1' });
    expect(verdict.steps[2].checks).toEqual([
      { check: 'status is 2xx', passed: true, found: '200' },
      { check: 'json /posted equals "500"', passed: true, found: '"500"' },
    ]);
    expect(ledger.seen[0].body).toEqual({ name: `Check ${RUN_ID}` });
    expect(
      ledger.seen.map(({ headers }) => [
        headers['idempotency-key'],
        headers['x-rocket-synthetic'],
      ]),
    ).toEqual([
      [`${RUN_ID}-open`, 'criticalpath:default/posting/post-and-read'],
      [`${RUN_ID}-post`, 'criticalpath:default/posting/post-and-read'],
      [undefined, 'criticalpath:default/posting/post-and-read'],
    ]);
  });

  it('stops at the first step that does not do what is expected', async () => {
    const server = await target(({ url }) =>
      url === '/v1/accounts'
        ? { status: 201, headers: { location: '/v1/accounts/a' }, body: {} }
        : { status: 503, body: {} },
    );
    const verdict = await run(server.url, POSTING);
    expect(verdict).toMatchObject({
      status: 'failed',
      failedStep: 'post',
      message: 'expected status is 201, found 503',
    });
    expect(verdict.steps.map(s => s.status)).toEqual([
      'passed',
      'failed',
      'not-reached',
    ]);
    expect(server.seen).toHaveLength(2);
  });

  it.each<
    [string, Parameters<typeof startTarget>[0], Partial<WorkflowStep>, string]
  >([
    [
      'JSON that broke off',
      () => ({ body: '{"id":' }),
      { extract: { id: { json: '/id' } } },
      'the answer is not JSON',
    ],
    [
      'a missing variable',
      () => ({ body: {} }),
      { extract: { id: { json: '/id' } } },
      'the answer has nothing at /id',
    ],
    [
      'a huge body',
      (_, res) => {
        res.writeHead(200);
        const more = () => {
          while (res.writable && res.write('x'.repeat(16_384)));
        };
        res.on('drain', more);
        more();
      },
      {},
      'the answer is larger than 65536 bytes',
    ],
    [
      'no answer in time',
      () => {},
      { timeoutMs: 50 },
      'no whole answer within 50 ms',
    ],
    [
      'an answer that never ends',
      (_, res) => {
        res.writeHead(200);
        res.write('{');
      },
      { timeoutMs: 50 },
      'no whole answer within 50 ms',
    ],
    [
      'a closed connection',
      (_, res) => {
        res.destroy();
      },
      {},
      'the connection was closed before an answer',
    ],
    [
      'an answer that breaks off',
      (_, res) => {
        res.writeHead(200, { 'content-length': '100' });
        res.write('{', () => res.destroy());
      },
      {},
      'the answer broke off in the middle',
    ],
    [
      'a redirect loop',
      () => ({ status: 302, headers: { location: '/' }, body: '' }),
      {},
      'expected status is 2xx, found 302; redirects are not followed (to /)',
    ],
    [
      'a redirect to another host',
      () => ({
        status: 307,
        headers: { location: 'http://169.254.169.254/latest' },
        body: '',
      }),
      {},
      'expected status is 2xx, found 307; redirects are not followed (to http://169.254.169.254/latest)',
    ],
  ])('fails with a reason: %s', async (_, handle, step, message) => {
    const server = await target(handle);
    const verdict = await run(server.url, one(step));
    expect(verdict).toMatchObject({
      status: 'failed',
      failedStep: 'ask',
      message,
    });
    // Neither tried again nor followed; on a busy machine not even begun within 50 ms.
    expect(server.seen.length).toBeLessThanOrEqual(1);
  });

  it('fails with a reason when the target is down, refuses TLS or speaks none', async () => {
    const gone = await startTarget(() => {});
    gone.close();
    await expect(run(gone.url, one())).resolves.toMatchObject({
      message: 'the connection was refused',
    });

    // Without a certificate it can agree on nothing.
    const tls = createTlsServer({}).listen(0, '127.0.0.1');
    tls.on('tlsClientError', () => {});
    await new Promise(resolve => tls.once('listening', resolve));
    closers.push(() => tls.close());
    const { port } = tls.address() as AddressInfo;
    const refused = await run(`https://127.0.0.1:${port}`, one());
    expect(refused.message).toMatch(/^the TLS connection was refused/);

    const plain = await target(() => ({ body: {} }));
    const wrong = await run(plain.url.replace('http:', 'https:'), one());
    expect(wrong.message).toMatch(/^the TLS connection was refused/);
    expect(plain.seen).toEqual([]);
  });

  it('ends at the deadline of the whole run', async () => {
    const server = await target(() => {});
    await expect(
      run(server.url, { ...one(), deadlineMs: 50 }),
    ).resolves.toMatchObject({
      status: 'failed',
      failedStep: 'ask',
      message: 'the whole workflow took longer than 50 ms',
    });
  });

  it('has no verdict when it is ended from outside', async () => {
    const controller = new AbortController();
    const server = await target(() => controller.abort(new Error('shutdown')));
    await expect(
      run(server.url, one(), { signal: controller.signal }),
    ).rejects.toThrow('shutdown');
  });

  it.each([
    'http://169.254.169.254',
    'http://localhost:1',
    'http://[::1]:1',
    'http://[::ffff:169.254.169.254]',
    'http://0.0.0.0:1',
    'http://2130706433:1',
  ])('does not reach %s unless it is allowed', async url => {
    const verdict = await run(url, one(), { addresses: new AddressPolicy() });
    expect(verdict.message).toContain(
      'is not an address that workflows may reach; allow it in allowAddresses of the target',
    );
  });

  it('sends secrets to the target and keeps them out of the evidence', async () => {
    const server = await target(({ headers, url }) => ({
      headers: { 'x-echo': String(headers.authorization) },
      body: {
        got: headers.authorization,
        long: `${'x'.repeat(190)}top-secret-token`,
        session: 'session-secret',
        url,
      },
    }));
    const verdict = await run(
      server.url,
      {
        name: 'w',
        target: 'ledger',
        steps: [
          {
            name: 'ask',
            path: '/',
            headers: { Authorization: 'Bearer mine' },
            expect: [
              { header: 'x-echo', startsWith: 'Bearer' },
              { json: '/session', exists: true },
              { json: '/long', exists: true },
            ],
            extract: {
              echo: { json: '/got' },
              session: { json: '/session', sensitive: true },
            },
          },
          {
            name: 'again',
            path: '/s/{{session}}',
            query: { e: '{{echo}}' },
            expect: [{ json: '/got', equals: 'nothing {{echo}}' }],
          },
        ],
      },
      { headers: { authorization: 'Bearer top-secret-token' } },
    );
    expect(server.seen[0].headers.authorization).toBe(
      'Bearer top-secret-token',
    );
    expect(server.seen[1].url).toBe(
      '/s/session-secret?e=Bearer+top-secret-token',
    );
    expect(verdict.steps[0].extracted).toEqual({
      echo: '[redacted]',
      session: '[redacted]',
    });
    expect(verdict.message).toContain('[redacted]');
    const text = JSON.stringify(verdict);
    expect(text).not.toMatch(/top-s|session-secret/);
  });
});

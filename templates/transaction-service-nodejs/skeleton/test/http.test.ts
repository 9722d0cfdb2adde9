import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ledger } from '../src/ledger/ledger.ts';
import { PROBLEMS } from '../src/platform/problems.ts';
import { legs, startHarness, type Harness } from './support/harness.ts';

let service: Harness;
beforeAll(async () => {
  service = await startHarness();
});
afterAll(() => service.close());

const JSON_TYPE = { 'content-type': 'application/json' };

describe('every error is a problem', () => {
  const big = JSON.stringify({ name: 'x'.repeat(70_000), kind: 'asset', currency: 'USD' });
  it.each([
    ['an unknown address', 'GET', '/v2/accounts', undefined, {}, 404, 'route-not-found'],
    ['an unknown method', 'DELETE', '/v1/transactions', undefined, {}, 404, 'route-not-found'],
    ['broken JSON', 'POST', '/v1/accounts', '{"name":', JSON_TYPE, 400, 'malformed-json'],
    ['an empty body', 'POST', '/v1/accounts', '', JSON_TYPE, 400, 'malformed-json'],
    ['no body at all', 'POST', '/v1/accounts', undefined, {}, 400, 'validation-failed'],
    ['a list', 'POST', '/v1/accounts', '[]', JSON_TYPE, 400, 'validation-failed'],
    ['__proto__', 'POST', '/v1/accounts', '{"__proto__":{"a":1}}', JSON_TYPE, 400, 'malformed-json'],
    ['text', 'POST', '/v1/accounts', 'hi', { 'content-type': 'text/plain' }, 415, 'unsupported-media-type'],
    [
      'a form',
      'POST',
      '/v1/accounts',
      'a=b',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'unsupported-media-type',
    ],
    ['a body beyond the limit', 'POST', '/v1/accounts', big, JSON_TYPE, 413, 'payload-too-large'],
    ['a path that is no path', 'GET', '/v1/accounts/%E0%A4%A', undefined, {}, 400, 'validation-failed'],
    ['a very long id', 'GET', `/v1/accounts/${'a'.repeat(500)}`, undefined, {}, 404, 'route-not-found'],
    ['an unknown error page', 'GET', '/problems/nothing', undefined, {}, 404, 'not-found'],
    ['a property of every object', 'GET', '/problems/constructor', undefined, {}, 404, 'not-found'],
  ] as const)('%s', async (_what, method, url, payload, headers, status, code) => {
    const response = await service.app.inject({
      method,
      url,
      headers: { 'idempotency-key': 'k', ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toBe('application/problem+json');
    const body = response.json();
    expect(body).toMatchObject({
      type: `/problems/${code}`,
      title: PROBLEMS[code].title,
      status,
      code,
      traceId: '0af7651916cd43dd8448eb211c80319c',
    });
    expect(body.detail.length).toBeGreaterThan(0);
    // The page behind `type` is there.
    expect((await service.get(body.type)).status).toBe(200);
  });

  it('says the path without the query, and takes a base for the pages', async () => {
    const other = await startHarness({ PROBLEM_BASE_URL: 'https://portal.example/docs/errors/#' });
    const { body } = await other.get('/v1/transactions?externalRef=secret&x=1');
    expect(body).toMatchObject({
      type: 'https://portal.example/docs/errors/#validation-failed',
      instance: '/v1/transactions',
    });
    await other.close();
  });

  it('hides what went wrong inside, and logs it', async () => {
    const broken = await startHarness({ LOG_LEVEL: 'error' });
    const { trialBalance } = Ledger.prototype;
    Ledger.prototype.trialBalance = async () => {
      throw new Error('password of the database is 1234');
    };
    try {
      const failed = await broken.get('/v1/reports/trial-balance');
      expect(failed).toMatchObject({ status: 500, body: { code: 'internal' } });
      expect(JSON.stringify(failed.body)).not.toContain('1234');
      expect(broken.log.join()).toContain('request failed');
    } finally {
      Ledger.prototype.trialBalance = trialBalance;
      await broken.close();
    }
  });

  it('answers bytes that are not HTTP', async () => {
    const other = await startHarness();
    await other.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = other.app.server.address() as AddressInfo;
    const answers = await Promise.all(
      ['NONSENSE\r\n\r\n', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`].map(
        bytes =>
          new Promise<string>((resolve, reject) => {
            let text = '';
            const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
            socket.on('data', data => (text += data.toString()));
            socket.on('error', reject);
            socket.on('close', () => resolve(text));
          }),
      ),
    );
    expect(answers[0]).toMatch(/^HTTP\/1\.1 400 .*application\/problem\+json/s);
    expect(answers[1]).toMatch(/^HTTP\/1\.1 431 .*application\/problem\+json/s);
    await other.close();
  });
});

describe('operations', () => {
  it('is alive and ready', async () => {
    expect(await service.get('/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await service.get('/readyz')).toMatchObject({ status: 200, body: { status: 'ready' } });
  });

  it('is alive but not ready while it drains, and closes connections', async () => {
    service.lifecycle.draining = true;
    try {
      const ready = await service.get('/readyz');
      expect(ready).toMatchObject({ status: 503, body: { status: 'not ready', reason: 'draining' } });
      expect(ready.headers.connection).toBe('close');
      expect((await service.get('/healthz')).status).toBe(200);
    } finally {
      service.lifecycle.draining = false;
    }
  });

  it('measures requests by route, never by id', async () => {
    const account = await service.openAccount();
    await service.get(`/v1/accounts/${account}`);
    await service.get('/nowhere');
    const { body, headers } = await service.get('/metrics');
    expect(headers['content-type']).toContain('text/plain');
    expect(body).toMatch(
      /http_request_duration_seconds_count\{method="GET",route="\/v1\/accounts\/:id",status="200"\} [1-9]/,
    );
    expect(body).toMatch(/http_request_duration_seconds_count\{method="GET",route="unknown",status="404"\} [1-9]/);
    expect(body).toContain('database_connections{state="waiting"} 0');
    expect(body).not.toContain(account);
  });

  it('shows its contract and a page to try it, without other sites', async () => {
    const { body } = await service.get('/openapi.json');
    expect(body).toMatchObject({ openapi: '3.1.0', info: { title: 'Transaction service' } });
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining([
        '/v1/accounts',
        '/v1/transactions',
        '/v1/transactions/{id}/reversal',
        '/v1/reports/trial-balance',
      ]),
    );
    const docs = await service.get('/docs/');
    expect(docs.status).toBe(200);
    expect(docs.body).toContain('swagger-ui');
    expect(docs.body).not.toMatch(/(src|href)="https?:/);
  });

  it('tags the requests of the business with the critical path, and only those', async () => {
    service.attributes.length = 0;
    service.names.length = 0;
    await service.get('/healthz');
    await service.get('/readyz');
    await service.get('/metrics');
    expect(service.attributes).toEqual([]);
    await service.get('/v1/reports/trial-balance');
    await service.post('/v1/transactions', {});
    expect(service.attributes).toEqual([
      ['criticalPath', 'path-under-test'],
      ['criticalPath', 'path-under-test'],
    ]);
    // By route, the refused one too; an unknown address has no name of its own.
    await service.get('/v1/accounts/1');
    await service.get('/v1/nowhere');
    expect(service.names).toEqual(['GET /v1/reports/trial-balance', 'POST /v1/transactions', 'GET /v1/accounts/:id']);
    const other = await startHarness({ ROCKET_CRITICAL_PATH: '' });
    await other.get('/v1/reports/trial-balance');
    expect(other.attributes).toEqual([]);
    await other.close();
  });

  it('logs requests without bodies, queries and keys', async () => {
    service.log.length = 0;
    const { account, bank } = await service.funded('5');
    await service.post(
      '/v1/transactions?token=abc123',
      { legs: legs(account, bank, '5'), externalRef: 'secret-ref' },
      { 'idempotency-key': 'secret-key', authorization: 'Bearer secret-token' },
    );
    const text = service.log.join('');
    expect(text).toContain('"url":"/v1/transactions"');
    expect(text).not.toMatch(/secret-ref|secret-key|secret-token|abc123/);
  });
});

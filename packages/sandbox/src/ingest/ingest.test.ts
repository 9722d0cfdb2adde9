import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync, deflateSync } from 'node:zlib';
import { EventStore } from '../store/EventStore';
import { createIngestHandler, type IngestOptions } from './createIngestHandler';

const NOW = Date.UTC(2026, 2, 11, 12);
const HOUR = 3_600_000;
const KEY = 'license-a';

function rows(store: EventStore, account: number, type: string) {
  return store.segments(account, type, 0, Number.MAX_SAFE_INTEGER).flatMap(s =>
    Array.from({ length: s.length }, (_, row) => ({
      timestamp: s.timestamps[row],
      ...s.attributes(row),
    })),
  ) as Record<string, unknown>[];
}

const encode = (body: object | string) =>
  typeof body === 'string' || body instanceof Uint8Array
    ? (body as BodyInit)
    : JSON.stringify(body);

describe('the ingest APIs', () => {
  let store: EventStore;
  let server: http.Server | undefined;
  let base: string;

  async function listen(options: Partial<IngestOptions> = {}) {
    store = new EventStore({
      accounts: [
        { id: 1, name: 'a', apiKey: 'user-a', licenseKey: KEY },
        { id: 2, name: 'b', apiKey: 'user-b', licenseKey: 'license-b' },
      ],
    });
    const handler = createIngestHandler({ store, now: () => NOW, ...options });
    server = http.createServer(async (req, res) => {
      if (!(await handler(req, res))) {
        res.writeHead(418).end();
      }
    });
    await new Promise<void>(resolve => server!.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  beforeEach(() => listen());
  afterEach(() => close());

  async function close() {
    const closing = server;
    server = undefined;
    closing?.closeAllConnections();
    await new Promise(resolve => closing?.close(resolve) ?? resolve(0));
  }

  const post = (
    path: string,
    body: object | string,
    headers: Record<string, string> = {},
    method = 'POST',
  ) =>
    fetch(base + path, {
      method,
      headers: {
        'Api-Key': KEY,
        'Content-Type': 'application/json',
        ...headers,
      },
      body: method === 'GET' ? undefined : encode(body),
    });
  const EVENTS = '/v1/accounts/1/events';
  const METRICS = '/metric/v1';
  const errors = (account = 1) => rows(store, account, 'NrIntegrationError');

  it('leaves other paths to others', async () => {
    expect((await post('/graphql', {})).status).toBe(418);
    expect((await post('/v1/accounts/1/events/x', {})).status).toBe(418);
    expect((await post('/metric/v2', {})).status).toBe(418);
  });

  describe('Event API', () => {
    it('stores events, in seconds or milliseconds or without a time', async () => {
      const response = await post(EVENTS, [
        { eventType: 'Coverage', timestamp: NOW - HOUR, lines: 81.5 },
        { eventType: 'Coverage', timestamp: (NOW - HOUR) / 1000, lines: 82 },
        { eventType: 'Coverage', service: 'ledger', accountId: 9, gone: null },
      ]);
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({
        success: true,
        uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      });
      expect(rows(store, 1, 'Coverage')).toEqual(
        expect.arrayContaining([
          { timestamp: NOW - HOUR, lines: 81.5 },
          { timestamp: NOW - HOUR, lines: 82 },
          { timestamp: NOW, service: 'ledger' },
        ]),
      );
      expect(errors()).toEqual([]);
    });

    it('takes a single object, gzip and deflate', async () => {
      const body = JSON.stringify({ eventType: 'One' });
      for (const [encoding, bytes] of [
        ['gzip', gzipSync(body)],
        ['deflate', deflateSync(body)],
      ] as const) {
        const response = await post(EVENTS, new Uint8Array(bytes), {
          'Content-Encoding': encoding,
        });
        expect(response.status).toBe(200);
      }
      expect((await post(EVENTS, body)).status).toBe(200);
      expect(rows(store, 1, 'One')).toHaveLength(3);
    });

    it.each<[string, object, RegExp]>([
      ['no type', { a: 1 }, /eventType/],
      ['an odd type', { eventType: 'a-b' }, /eventType/],
      ['a reserved type', { eventType: 'Metric' }, /reserved/],
      [
        'an object',
        { eventType: 'E', a: { b: 1 } },
        /"a" must be text or a number/,
      ],
      [
        'a boolean',
        { eventType: 'E', a: true },
        /"a" must be text or a number/,
      ],
      [
        'a long name',
        { eventType: 'E', ['n'.repeat(256)]: 1 },
        /1 to 255 characters/,
      ],
      ['a long value', { eventType: 'E', a: 'é'.repeat(2049) }, /4096 bytes/],
      [
        'many attributes',
        {
          eventType: 'E',
          ...Object.fromEntries(
            Array.from({ length: 256 }, (_, i) => [`a${i}`, i]),
          ),
        },
        /256 attributes are more than 255/,
      ],
      [
        'an old time',
        { eventType: 'E', timestamp: NOW - 25 * HOUR },
        /24 hours/,
      ],
      [
        'a coming time',
        { eventType: 'E', timestamp: NOW + 25 * HOUR },
        /24 hours/,
      ],
      ['no time at all', { eventType: 'E', timestamp: 'today' }, /timestamp/],
      ['an odd appId', { eventType: 'E', appId: 'x' }, /appId/],
    ])(
      'keeps the good event beside one with %s and says why',
      async (_, bad, why) => {
        const response = await post(EVENTS, [bad, { eventType: 'Good' }]);
        expect(response.status).toBe(200);
        expect(rows(store, 1, 'Good')).toHaveLength(1);
        expect(store.eventTypes(1)).toEqual(['Good', 'NrIntegrationError']);
        expect(errors()).toEqual([
          expect.objectContaining({
            newRelicFeature: 'Event API',
            category: 'EventApiException',
            message: expect.stringMatching(why),
          }),
        ]);
        expect(errors()[0].message).toMatch(/^Event 0: /);
      },
    );

    it('says yes to broken JSON, and why it was not', async () => {
      expect((await post(EVENTS, '[{"eventType":"E", "secret')).status).toBe(
        200,
      );
      expect(errors()[0].message).toBe('The body is not valid JSON');
    });

    it.each<[string, number, () => Promise<Response>]>([
      ['an empty body', 400, () => post(EVENTS, '')],
      [
        'a body that is no gzip',
        400,
        () => post(EVENTS, '[]', { 'Content-Encoding': 'gzip' }),
      ],
      ['a wrong key', 403, () => post(EVENTS, [], { 'Api-Key': 'nope' })],
      ['a user key', 403, () => post(EVENTS, [], { 'Api-Key': 'user-a' })],
      ['no key', 403, () => post(EVENTS, [], { 'Api-Key': '' })],
      ["another account's key", 403, () => post('/v1/accounts/2/events', [])],
      ['an unknown account', 403, () => post('/v1/accounts/99/events', [])],
      ['GET', 405, () => post(EVENTS, '', {}, 'GET')],
      ['a large body', 413, () => post(EVENTS, 'x'.repeat(1_000_001))],
      [
        'a small body that grows large',
        413,
        () =>
          post(EVENTS, new Uint8Array(gzipSync(Buffer.alloc(30_000_000))), {
            'Content-Encoding': 'gzip',
          }),
      ],
      [
        'another content type',
        415,
        () => post(EVENTS, 'a=b', { 'Content-Type': 'text/plain' }),
      ],
      [
        'an unknown encoding',
        415,
        () => post(EVENTS, '[]', { 'Content-Encoding': 'br' }),
      ],
    ])('refuses %s with %i', async (_, status, send) => {
      const response = await send();
      expect(response.status).toBe(status);
      const { error } = await response.json();
      expect(error).toEqual(expect.any(String));
      expect(error).not.toContain(KEY);
      expect(store.eventTypes(1)).toEqual([]);
      // The server is still there.
      expect((await post(EVENTS, [{ eventType: 'E' }])).status).toBe(200);
    });

    it('refuses a body that does not come in time with 408', async () => {
      await close();
      await listen({ bodyTimeoutMs: 50 });
      const response = await new Promise<http.IncomingMessage>(
        (resolve, reject) => {
          const req = http.request(base + EVENTS, {
            method: 'POST',
            headers: {
              'Api-Key': KEY,
              'Content-Type': 'application/json',
              'Content-Length': 10,
            },
          });
          req.on('response', resolve).on('error', reject);
          req.write('[');
        },
      );
      expect(response.statusCode).toBe(408);
      response.destroy();
    });

    it('refuses more requests than the limit of a minute with 429, per account', async () => {
      let clock = NOW;
      await close();
      await listen({ requestsPerMinute: 2, now: () => clock });
      const statuses = [];
      for (let i = 0; i < 3; i += 1) {
        statuses.push((await post(EVENTS, [{ eventType: 'E' }])).status);
      }
      expect(statuses).toEqual([200, 200, 429]);
      const other = await post('/v1/accounts/2/events', [{ eventType: 'E' }], {
        'Api-Key': 'license-b',
      });
      expect(other.status).toBe(200);
      clock += 60_000;
      expect((await post(EVENTS, [{ eventType: 'E' }])).status).toBe(200);
      expect(rows(store, 1, 'E')).toHaveLength(3);
    });
  });

  describe('Metric API', () => {
    it('stores gauges, counts and summaries with the common part', async () => {
      const response = await post(METRICS, [
        {
          common: {
            timestamp: NOW - HOUR,
            'interval.ms': 10_000,
            attributes: { service: 'ledger', env: 'prod' },
          },
          metrics: [
            {
              name: 'heap',
              value: 12.5,
              attributes: { env: 'test', ok: true },
            },
            { name: 'orders', type: 'count', value: 3 },
            {
              name: 'lag',
              type: 'summary',
              value: { count: 2, sum: 9, min: 4, max: 5 },
              timestamp: NOW,
            },
          ],
        },
      ]);
      expect(response.status).toBe(202);
      expect(await response.json()).toEqual({
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      });
      expect(rows(store, 1, 'Metric')).toEqual([
        {
          timestamp: NOW - HOUR,
          metricName: 'heap',
          type: 'gauge',
          value: 12.5,
          heap: 12.5,
          service: 'ledger',
          env: 'test',
          ok: true,
        },
        {
          timestamp: NOW - HOUR,
          metricName: 'orders',
          type: 'count',
          value: 3,
          orders: 3,
          'interval.ms': 10_000,
          service: 'ledger',
          env: 'prod',
        },
        {
          timestamp: NOW,
          metricName: 'lag',
          type: 'summary',
          count: 2,
          sum: 9,
          min: 4,
          max: 5,
          'lag.count': 2,
          'lag.sum': 9,
          'lag.min': 4,
          'lag.max': 5,
          'interval.ms': 10_000,
          service: 'ledger',
          env: 'prod',
        },
      ]);
      expect(errors()).toEqual([]);
    });

    it.each<[string, object, RegExp]>([
      ['no name', { value: 1 }, /name/],
      [
        'an unknown type',
        { name: 'm', type: 'histogram', value: 1 },
        /type must be/,
      ],
      ['a text value', { name: 'm', value: '1' }, /value of a gauge/],
      [
        'a count without an interval',
        { name: 'm', type: 'count', value: 1 },
        /interval\.ms/,
      ],
      [
        'half a summary',
        { name: 'm', type: 'summary', 'interval.ms': 1, value: { count: 1 } },
        /value\.sum/,
      ],
      [
        'an old time',
        { name: 'm', value: 1, timestamp: NOW - 49 * HOUR },
        /48 hours/,
      ],
      [
        'a coming time',
        { name: 'm', value: 1, timestamp: NOW + 25 * HOUR },
        /24 hours ahead/,
      ],
      [
        'many attributes',
        {
          name: 'm',
          value: 1,
          attributes: Object.fromEntries(
            Array.from({ length: 151 }, (_, i) => [`a${i}`, i]),
          ),
        },
        /151 attributes are more than 150/,
      ],
    ])(
      'keeps the good point beside one with %s and says why',
      async (_, bad, why) => {
        const response = await post(METRICS, [
          { metrics: [bad, { name: 'good', value: 1 }] },
        ]);
        expect(response.status).toBe(202);
        expect(rows(store, 1, 'Metric').map(m => m.metricName)).toEqual([
          'good',
        ]);
        expect(errors()).toEqual([
          expect.objectContaining({
            newRelicFeature: 'Metric API',
            message: expect.stringMatching(why),
          }),
        ]);
      },
    );

    it.each<[string, number, () => Promise<Response>]>([
      ['broken JSON', 400, () => post(METRICS, '[{')],
      ['no list', 400, () => post(METRICS, { metrics: [] })],
      ['no metrics', 400, () => post(METRICS, [{ common: {} }])],
      ['a wrong key', 403, () => post(METRICS, [], { 'Api-Key': 'nope' })],
      ['GET', 405, () => post(METRICS, '', {}, 'GET')],
      ['a large body', 413, () => post(METRICS, 'x'.repeat(1_000_001))],
      [
        'another content type',
        415,
        () => post(METRICS, 'a', { 'Content-Type': 'text/plain' }),
      ],
    ])('refuses %s with %i', async (_, status, send) => {
      expect((await send()).status).toBe(status);
      expect(store.eventTypes(1)).toEqual([]);
    });
  });
});

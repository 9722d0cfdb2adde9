import { createBackendPlugin } from '@backstage/backend-plugin-api';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import {
  histogramCount,
  LATENCY_SCALE,
  latencyBucketBounds,
} from '@rocket/plugin-critical-paths-common';
import {
  telemetrySourcesExtensionPoint,
  type TelemetrySource,
} from '@rocket/plugin-critical-paths-node';
import fc from 'fast-check';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readPrometheusSettings } from './config';
import criticalPathsModulePrometheus from './index';
import { PrometheusTelemetrySource } from './PrometheusTelemetrySource';
import { promqlString, splitOperation } from './promql';
import { latencyErrorOf, toScale } from './readMatrix';

const T0 = 1_700_000_040;
const SECRET = 'canary-of-a-secret';

const settings = (prometheus: object) =>
  readPrometheusSettings(
    mockServices.rootConfig({
      data: { criticalPaths: { prometheus } } as any,
    }),
  );

describe('configuration', () => {
  const server = (over: object) =>
    settings({
      servers: [{ name: 'a', baseUrl: 'https://p.example', ...over }],
    });

  it('is for OpenTelemetry without any', () => {
    expect(server({}).servers[0]).toMatchObject({
      duration: 'http_server_request_duration_seconds',
      unitMs: 1000,
      requests: undefined,
      labels: {
        application: 'job',
        criticalPath: undefined,
        status: 'http_response_status_code',
        errorType: 'error_type',
        method: 'http_request_method',
        route: 'http_route',
      },
      badStatus: '5..',
      lookbackSeconds: 3600,
      uiUrl: 'https://p.example',
    });
    expect(settings({}).servers).toEqual([]);
  });

  it.each<[string, object, RegExp]>([
    ['no URL', { baseUrl: undefined }, /servers\[0\]\.baseUrl is missing/],
    ['plain http', { baseUrl: 'http://p.example' }, /must start with https/],
    [
      'a key in the URL',
      { baseUrl: 'https://u:p@p.example' },
      /belong in auth/,
    ],
    ['a bad name', { name: 'a b' }, /servers\[0\]\.name must be/],
    ['half a login', { auth: { username: 'u' } }, /auth needs both/],
    ['two logins', { auth: { token: 't', username: 'u' } }, /either a token/],
    [
      'a bad token',
      { auth: { token: 'a\nb' } },
      /auth\.token must be printable/,
    ],
    [
      'a bad metric',
      { metrics: { duration: 'a{}' } },
      /metrics\.duration must be a name/,
    ],
    ['a bad unit', { metrics: { unit: 'hours' } }, /seconds or milliseconds/],
    [
      'a bad label',
      { labels: { route: 'http.route' } },
      /labels\.route must be a name/,
    ],
    [
      'a bad header',
      { headers: { 'a b': 'x' } },
      /headers has an impossible name/,
    ],
    [
      'a short lookback',
      { lookback: { seconds: 1 } },
      /lookback must be from 300/,
    ],
  ])('refuses %s', (_, over, message) => {
    expect(() => server(over)).toThrow(message);
  });

  it('refuses two of one name, two defaults and odd limits', () => {
    const one = { name: 'a', baseUrl: 'https://p.example' };
    expect(() => settings({ servers: [one, one] })).toThrow(/used twice/);
    expect(() =>
      settings({
        servers: [
          { ...one, default: true },
          { ...one, name: 'b', default: true },
        ],
      }),
    ).toThrow(/only one can be the default, found a, b/);
    expect(() => settings({ maxConcurrency: 0 })).toThrow(/maxConcurrency/);
    expect(() => settings({ timeout: { minutes: 9 } })).toThrow(/timeout/);
  });
});

describe('histograms', () => {
  const BOUNDS = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];
  const counts = fc
    .array(fc.nat(10_000), { minLength: 12, maxLength: 12 })
    .map(list => {
      let sum = 0;
      return [...BOUNDS, Infinity].map((upperMs, i) => {
        sum += list[i];
        return { upperMs, count: sum };
      });
    });

  it('are spread in whole requests, all of them, none outside of its bucket', () => {
    fc.assert(
      fc.property(counts, buckets => {
        const scale = toScale(buckets);
        expect(histogramCount(scale)).toBe(buckets[11].count);
        for (const { upperMs, count } of buckets) {
          // What is surely below a bound is no more than what the source says.
          let below = 0;
          for (const [index, n] of Object.entries(scale)) {
            expect(Number.isInteger(n) && n > 0).toBe(true);
            if (latencyBucketBounds(Number(index)).upperMs <= upperMs)
              below += n;
          }
          expect(below).toBeLessThanOrEqual(count);
        }
      }),
    );
  });

  it('are spread as computed by hand', () => {
    // 100 requests in (4, 8] ms: bounds at 4.757, 5.657, 6.727 and 8 ms.
    expect(
      toScale([
        { upperMs: 4, count: 0 },
        { upperMs: 8, count: 100 },
        { upperMs: Infinity, count: 103 },
      ]),
    ).toEqual({ 9: 19, 10: 22, 11: 27, 12: 32, 13: 3 });
  });

  it('state their error', () => {
    const own = LATENCY_SCALE.relativeError;
    expect(latencyErrorOf([...BOUNDS, Infinity])).toBeCloseTo(
      2.5 * (1 + own) - 1,
    );
    // As fine as our own scale: twice its error, one for each side.
    expect(latencyErrorOf(LATENCY_SCALE.upperMs)).toBeCloseTo(
      LATENCY_SCALE.base * (1 + own) - 1,
    );
  });
});

it('writes strings that end where they should', () => {
  expect(promqlString('a"\\\n')).toBe('"a\\"\\\\\\n"');
  expect(splitOperation('POST /v1/x y')).toEqual({
    method: 'POST',
    route: '/v1/x y',
  });
  expect(splitOperation('/v1')).toEqual({ route: '/v1' });
});

describe('the HTTP API', () => {
  let server: Server;
  let seen: { headers: IncomingMessage['headers']; body: URLSearchParams }[];
  let replies: ((index: number) => {
    status?: number;
    json?: unknown;
    text?: string;
    hang?: boolean;
  })[];
  const success = (result: unknown[] = [], more: object = {}) => ({
    json: {
      status: 'success',
      data: { resultType: 'matrix', result },
      ...more,
    },
  });

  beforeEach(async () => {
    seen = [];
    replies = [() => success()];
    server = createServer((req, res) => {
      let text = '';
      req.setEncoding('utf8');
      req.on('data', part => (text += part));
      req.on('end', () => {
        seen.push({ headers: req.headers, body: new URLSearchParams(text) });
        const reply = replies[Math.min(seen.length, replies.length) - 1](
          seen.length,
        );
        if (reply.hang) return;
        res.writeHead(reply.status ?? 200);
        res.end(reply.text ?? JSON.stringify(reply.json));
      });
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  });

  const baseUrl = () =>
    `http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix/`;
  const waits: number[] = [];
  const fetch = (
    options: object = {},
    one: object = {},
    signal?: AbortSignal,
  ) =>
    new PrometheusTelemetrySource(
      settings({
        servers: [{ name: 'main', baseUrl: baseUrl(), ...one }],
        ...options,
      }),
      { delay: async ms => void waits.push(ms) },
    ).fetch({
      targets: [
        { key: 'k', appName: 'ledger', criticalPath: 'p', thresholdsMs: [] },
      ],
      from: new Date(T0 * 1000),
      to: new Date((T0 + 120) * 1000),
      stepSeconds: 60,
      signal,
    });

  it('gets the credentials, the tenant and a range that ends with the window', async () => {
    await fetch(
      {},
      { auth: { token: SECRET }, headers: { 'X-Scope-OrgID': 'pay' } },
    );
    await fetch({}, { auth: { username: 'u', password: SECRET } });
    expect(seen[0].headers).toMatchObject({
      authorization: `Bearer ${SECRET}`,
      'x-scope-orgid': 'pay',
    });
    expect(seen[1].headers.authorization).toBe(
      `Basic ${Buffer.from(`u:${SECRET}`).toString('base64')}`,
    );
    expect(Object.fromEntries(seen[0].body)).toMatchObject({
      start: String(T0 + 60),
      end: String(T0 + 120),
      step: '60',
      partial_response: 'false',
    });
  });

  it.each([429, 500, 502, 503, 504])(
    'tries again after %s, three times at most',
    async status => {
      replies = [() => ({ status, text: 'away' }), () => success()];
      expect((await fetch()).failures).toEqual([]);
      expect(seen).toHaveLength(2);
      seen.length = 0;
      replies = [() => ({ status, text: 'away' })];
      const { failures, requests } = await fetch();
      expect(failures).toEqual([
        { keys: ['k'], message: `Prometheus 'main' answered HTTP ${status}` },
      ]);
      expect(requests).toBe(seen.length);
      // 503 is a query that took too long: then each minute is asked for alone.
      expect(seen).toHaveLength(status === 503 ? 6 : 3);
    },
  );

  it.each<[string, { status?: number; json?: unknown; text?: string }, RegExp]>(
    [
      [
        'bad query',
        { status: 400, json: { error: 'parse error' } },
        /HTTP 400: parse error/,
      ],
      [
        'refused credentials',
        { status: 401, text: SECRET },
        /servers\[0\]\.auth/,
      ],
      ['a redirect', { status: 302, text: '' }, /HTTP 302/],
      ['a page', { text: '<html>' }, /not that of a range query/],
      [
        'an instant answer',
        {
          json: {
            status: 'success',
            data: { resultType: 'vector', result: [] },
          },
        },
        /not that of a range query/,
      ],
      [
        'no number',
        success([
          { metric: { job: 'ledger', le: '+Inf' }, values: [[T0 + 60, 'NaN']] },
        ]),
        /the value NaN/,
      ],
      [
        'no last bucket',
        success([
          { metric: { job: 'ledger', le: '1' }, values: [[T0 + 60, '3']] },
        ]),
        /without the bucket \+Inf/,
      ],
      [
        'an odd bound',
        success([{ metric: { job: 'ledger', le: 'x' }, values: [] }]),
        /the bound "x"/,
      ],
    ],
  )('fails at once for %s', async (_, reply, message) => {
    replies = [() => reply];
    const response = await fetch({}, { auth: { token: SECRET } });
    expect(response.failures).toEqual([
      { keys: ['k'], message: expect.stringMatching(message) },
    ]);
    expect(response.results).toEqual([]);
    expect(seen).toHaveLength(1);
    expect(JSON.stringify(response)).not.toContain(SECRET);
  });

  it('takes an answer that may lack a part for none, and a remark for nothing', async () => {
    replies = [() => success([], { warnings: ['store 10.0.0.1 is away'] })];
    expect((await fetch()).failures[0].message).toMatch(
      /may lack a part: store/,
    );
    replies = [
      () =>
        success([], {
          warnings: ['PromQL info: metric might not be a counter'],
          infos: ['x'],
        }),
    ];
    expect((await fetch()).failures).toEqual([]);
  });

  it('reads no more than it may', async () => {
    replies = [() => ({ text: 'x'.repeat(70_000) })];
    const { failures } = await fetch({ maxResponseBytes: 65_536 });
    expect(failures[0].message).toMatch(/larger than .*maxResponseBytes/);
    // Asked again about half of it, once; not about the other half.
    expect(seen).toHaveLength(2);
  });

  it('gives up on a server that does not answer, and at once when told to', async () => {
    replies = [() => ({ hang: true })];
    const { failures } = await fetch({ timeout: { seconds: 1 } });
    expect(failures[0].message).toMatch(/did not answer within 1 seconds/);
    const controller = new AbortController();
    const running = fetch({}, {}, controller.signal);
    controller.abort(new Error('stop'));
    await expect(running).rejects.toThrow('stop');
  });

  it('counts by a counter of its own where the histogram has no status', async () => {
    replies = [
      () =>
        success([
          { metric: { job: 'ledger', le: '100' }, values: [[T0 + 60, '4']] },
          { metric: { job: 'ledger', le: '+Inf' }, values: [[T0 + 60, '9']] },
          {
            metric: { job: 'ledger', rocket_part: 'valid' },
            values: [[T0 + 60, '10']],
          },
          {
            metric: { job: 'ledger', rocket_part: 'bad' },
            values: [[T0 + 60, '2']],
          },
          {
            metric: { job: 'ledger', rocket_part: 'failed' },
            values: [[T0 + 60, '1']],
          },
        ]),
    ];
    const { results } = await fetch(
      {},
      {
        metrics: {
          duration: 'latency',
          unit: 'milliseconds',
          requests: 'http_requests_total',
        },
        labels: { status: 'code' },
      },
    );
    expect(results[0].buckets).toMatchObject([
      { start: T0, valid: 10, good: 7 },
    ]);
    const query = seen[0].body.get('query')!;
    expect(query).toContain('http_requests_total{job="ledger",code=~"5.."}');
    expect(query).toContain('latency_bucket{job="ledger"}');
    expect(query).not.toContain('http_server');
  });

  it('is a source of the critical-paths plugin, with a page for people', async () => {
    const sources: TelemetrySource[] = [];
    await startTestBackend({
      features: [
        createBackendPlugin({
          pluginId: 'critical-paths',
          register(env) {
            env.registerExtensionPoint(telemetrySourcesExtensionPoint, {
              addSource: source => sources.push(source),
            });
            env.registerInit({ deps: {}, async init() {} });
          },
        }),
        criticalPathsModulePrometheus,
        mockServices.rootConfig.factory({
          data: {
            criticalPaths: {
              prometheus: {
                servers: [
                  {
                    name: 'main',
                    baseUrl: 'https://p.example/x/',
                    default: true,
                  },
                  { name: 'local', baseUrl: baseUrl() },
                ],
              },
            },
          },
        }),
      ],
    });
    expect(sources.map(({ id }) => id)).toEqual(['prometheus']);
    const url = new URL(
      (await sources[0].applicationUrl!({ appName: 'a"b' }))!,
    );
    expect(`${url.origin}${url.pathname}`).toBe('https://p.example/x/graph');
    expect(url.searchParams.get('g0.expr')).toContain('{job="a\\"b"}');
    expect(
      await sources[0].applicationUrl!({ appName: 'a', account: 'local' }),
    ).toBeUndefined();
    expect(
      await sources[0].applicationUrl!({ appName: 'a', account: 'nowhere' }),
    ).toBeUndefined();
  });
});

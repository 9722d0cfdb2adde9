import {
  createMockDirectory,
  mockServices,
} from '@backstage/backend-test-utils';
import {
  estimatePercentile,
  histogramCount,
  mergeHistograms,
} from '@rocket/plugin-critical-paths-common';
import type {
  TelemetryBucket,
  TelemetryTarget,
} from '@rocket/plugin-critical-paths-node';
import {
  freePort,
  hasPrometheus,
  startPrometheus,
  toOpenMetrics,
  type Instance,
  type RunningPrometheus,
} from './__tests__/prometheus';
import { readPrometheusSettings } from './config';
import { PrometheusTelemetrySource } from './PrometheusTelemetrySource';

jest.setTimeout(120_000);

/** A full hour. */
const T0 = Date.parse('2026-03-10T08:00:00Z') / 1000;
const MINUTE = 60;
const HOUR = 3600;
const END = T0 + 4 * HOUR;
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Repeatable, in [0, 1). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

function requests(
  seed: number,
  from: number,
  to: number,
  perMinute: number,
  more: (
    next: () => number,
  ) => Partial<Instance['requests'][number]> = () => ({}),
): Instance['requests'] {
  const next = random(seed);
  return Array.from(
    { length: Math.round(((to - from) / MINUTE) * perMinute) },
    () => ({
      at: from + next() * (to - from),
      status: next() < 0.02 ? '503' : '200',
      seconds: 0.004 * Math.exp(next() * 5),
      ...more(next),
    }),
  );
}

const instance = (
  job: string,
  name: string,
  over: Partial<Instance>,
): Instance => ({
  labels: { job, instance: name },
  requests: [],
  starts: [T0 - HOUR],
  from: T0 - HOUR + 4,
  to: END,
  ...over,
});

/** Two processes, one of which is not reached for twenty minutes, and a third one that comes later. */
const LEDGER = [
  instance('ledger', 'a', {
    requests: requests(1, T0 - HOUR, END, 6),
    gaps: [[T0 + 70 * MINUTE, T0 + 90 * MINUTE]],
  }),
  instance('ledger', 'b', {
    requests: requests(2, T0 - HOUR, T0 + 100 * MINUTE, 5),
    to: T0 + 100 * MINUTE,
  }),
  instance('ledger', 'c', {
    requests: requests(3, T0 + 100 * MINUTE, END, 5),
    starts: [T0 + 100 * MINUTE],
    from: T0 + 100 * MINUTE + 9,
  }),
];
/** Restarts, between two looks at it. */
const RESTART = T0 + 2 * HOUR + 8;
const RESTARTED = instance('restarted', 'a', {
  requests: requests(4, T0 - HOUR, END, 20),
  starts: [T0 - HOUR, RESTART],
});
/** One error in four hours: its series begins with it. */
const RARE = instance('rare', 'a', {
  requests: [
    ...requests(5, T0 - HOUR, END, 2, () => ({ status: '200' })),
    { at: T0 + 90 * MINUTE + 30, status: '500', seconds: 0.1 },
  ],
});
/** What a good answer is, by operation and path. */
const KINDS = instance('kinds', 'a', {
  requests: [
    ['200', undefined],
    ['302', undefined],
    ['404', '404'],
    ['500', '500'],
    ['503', undefined],
    [undefined, 'timeout'],
    [undefined, undefined],
  ].flatMap(([status, errorType], i) =>
    [0, 1].map(half => ({
      at: T0 + 10 * MINUTE + i * MINUTE + 5 + half,
      status,
      errorType,
      seconds: 0.02,
      method: half === 0 ? 'POST' : 'GET',
      route: half === 0 ? '/v1/transfers' : '/v1/transfers/{id}',
      path: half === 0 ? 'transfer' : 'lookup',
    })),
  ),
});
/** An application whose name means something else as an expression. */
const ODD = instance('a.*|b"\\', 'a', {
  requests: requests(6, T0 - HOUR, END, 1),
});

const SAMPLES = toOpenMetrics([...LEDGER, RESTARTED, RARE, KINDS, ODD], {
  boundsSeconds: BOUNDS,
});

const describeReal = hasPrometheus('the tests of a real Prometheus as a source')
  ? describe
  : describe.skip;

describeReal('a real Prometheus', () => {
  const directory = createMockDirectory();
  let prometheus: RunningPrometheus;

  beforeAll(async () => {
    prometheus = await startPrometheus(directory.resolve('main'), SAMPLES);
  });
  afterAll(() => prometheus?.stop());

  const source = (server: object = {}, servers: object[] = []) =>
    new PrometheusTelemetrySource(
      readPrometheusSettings(
        mockServices.rootConfig({
          data: {
            criticalPaths: {
              prometheus: {
                servers: [
                  {
                    name: 'main',
                    baseUrl: prometheus.url,
                    default: true,
                    ...server,
                  },
                  ...servers,
                ],
              },
            },
          },
        }),
      ),
      { delay: async () => {} },
    );
  const target = (appName: string, over: Partial<TelemetryTarget> = {}) => ({
    key: appName,
    appName,
    criticalPath: 'transfer',
    thresholdsMs: [],
    ...over,
  });
  async function fetch(
    targets: TelemetryTarget[],
    { from = T0, to = END, step = 60 as 60 | 3600, of = source() } = {},
  ) {
    const response = await of.fetch({
      targets,
      from: new Date(from * 1000),
      to: new Date(to * 1000),
      stepSeconds: step,
    });
    expect(response.failures).toEqual([]);
    return new Map(response.results.map(r => [r.key, r]));
  }
  const sum = (buckets: TelemetryBucket[], of: 'valid' | 'good' = 'valid') =>
    buckets.reduce((total, bucket) => total + bucket[of], 0);
  /** Requests that were counted at the last look up to a time. */
  const seenBy = (instances: Instance[], at: number) =>
    instances.flatMap(({ requests: all, from, to, gaps = [] }) => {
      const last = Math.floor((Math.min(at, to) - from) / 15);
      const looks = Array.from(
        { length: Math.max(0, last + 1) },
        (_, i) => from + i * 15,
      ).filter(look => !gaps.some(gap => look >= gap[0] && look < gap[1]));
      const newest = looks[looks.length - 1];
      return newest === undefined ? [] : all.filter(one => one.at <= newest);
    });
  /** What increase() says, for comparison. */
  async function increase(expression: string, end: number, step: number) {
    const url = new URL(`${prometheus.url}/api/v1/query_range`);
    url.search = new URLSearchParams({
      query: `sum(increase(${expression}[${step}s]))`,
      start: String(T0 + step),
      end: String(end),
      step: String(step),
    }).toString();
    const body = await (await globalThis.fetch(url)).json();
    return (body.data.result[0]?.values ?? []).reduce(
      (total: number, [, value]: [number, string]) => total + Number(value),
      0,
    );
  }

  it('counts each minute what was seen in it, over processes that come, go and are out of reach', async () => {
    const { buckets } = (await fetch([target('ledger')])).get('ledger')!;
    for (let at = T0; at < END; at += MINUTE) {
      const bucket = buckets.find(({ start }) => start === at);
      const before = seenBy(LEDGER, at);
      const now = seenBy(LEDGER, at + MINUTE);
      const good = (list: Instance['requests']) =>
        list.filter(({ status }) => status === '200').length;
      expect([at, bucket?.valid ?? 0, bucket?.good ?? 0]).toEqual([
        at,
        now.length - before.length,
        good(now) - good(before),
      ]);
    }
    // The stated error: what a window has too much or too little is what came
    // between the last look at each process and the end of the window.
    const total = LEDGER.flatMap(i => i.requests).filter(
      ({ at }) => at >= T0 && at < END,
    ).length;
    expect(Math.abs(sum(buckets) - total)).toBeLessThan(10);
  });

  it('gives windows that add up, however they are cut', async () => {
    const whole = (await fetch([target('ledger')])).get('ledger')!.buckets;
    const cuts = [T0, T0 + 7 * MINUTE, T0 + 71 * MINUTE, T0 + 72 * MINUTE, END];
    const parts: TelemetryBucket[] = [];
    for (let i = 1; i < cuts.length; i++) {
      const window = { from: cuts[i - 1], to: cuts[i] };
      parts.push(
        ...(await fetch([target('ledger')], window)).get('ledger')!.buckets,
      );
    }
    expect(parts).toEqual(whole);
    const hours = (await fetch([target('ledger')], { step: 3600 })).get(
      'ledger',
    )!.buckets;
    expect(hours).toHaveLength(4);
    for (const hour of hours) {
      const minutes = whole.filter(
        ({ start }) => start >= hour.start && start < hour.start + HOUR,
      );
      expect([hour.valid, hour.good]).toEqual([
        sum(minutes),
        sum(minutes, 'good'),
      ]);
    }
    // increase() does not: it is why it is not used.
    const selector =
      'http_server_request_duration_seconds_bucket{job="ledger",le="+Inf"}';
    const byMinute = await increase(selector, END, MINUTE);
    const byHour = await increase(selector, END, HOUR);
    expect(Math.abs(byMinute - byHour)).toBeGreaterThan(5);
  });

  it('counts an error that is the first of its series', async () => {
    const { buckets } = (await fetch([target('rare')])).get('rare')!;
    expect(sum(buckets) - sum(buckets, 'good')).toBe(1);
    expect(
      await increase(
        'http_server_request_duration_seconds_bucket{job="rare",le="+Inf",http_response_status_code="500"}',
        END,
        MINUTE,
      ),
    ).toBe(0);
  });

  it('counts on after a restart, and loses only what nobody had looked at', async () => {
    const { buckets } = (await fetch([target('restarted')])).get('restarted')!;
    const looks = (at: number) =>
      RESTARTED.from + Math.floor((at - RESTARTED.from) / 15) * 15;
    const lost = RESTARTED.requests.filter(
      ({ at }) => at > looks(RESTART) && at < RESTART,
    ).length;
    const counted = RESTARTED.requests.filter(
      ({ at }) => at > looks(T0) && at <= looks(END),
    ).length;
    expect(lost).toBeGreaterThan(0);
    expect(sum(buckets)).toBe(counted - lost);
  });

  it('takes what was counted before it knew an application as where to count from', async () => {
    const from = T0 - HOUR;
    const { buckets } = (await fetch([target('ledger')], { from, to: T0 })).get(
      'ledger',
    )!;
    const first = LEDGER.slice(0, 2).flatMap(i =>
      i.requests.filter(({ at }) => at <= i.from),
    );
    // The first minute has no value before it; what was in it is not a growth.
    expect(buckets[0].start).toBe(from + MINUTE);
    expect(sum(buckets)).toBe(
      seenBy(LEDGER, T0).length - seenBy(LEDGER, from + MINUTE).length,
    );
    expect(first.length).toBeGreaterThanOrEqual(0);
  });

  it('takes 5xx, and no status with an error, as bad, and nothing else', async () => {
    const by = async (
      of: PrometheusTelemetrySource,
      over: Partial<TelemetryTarget>,
    ) => {
      const { buckets } = (await fetch([target('kinds', over)], { of })).get(
        'kinds',
      )!;
      return [sum(buckets), sum(buckets, 'good')];
    };
    const plain = source();
    // The first request of the only process: the application was not there before it.
    expect(await by(plain, {})).toEqual([12, 6]);
    expect(await by(plain, { operation: 'POST /v1/transfers' })).toEqual([
      6, 3,
    ]);
    expect(await by(plain, { operation: '/v1/transfers/{id}' })).toEqual([
      6, 3,
    ]);
    expect(await by(plain, { operation: 'PUT /v1/transfers' })).toEqual([0, 0]);
    const withPath = source({ labels: { criticalPath: 'critical_path' } });
    expect(await by(withPath, { criticalPath: 'lookup' })).toEqual([6, 3]);
    expect(await by(withPath, { criticalPath: 'else' })).toEqual([0, 0]);
    expect(await by(source({ badStatus: '[45]..' }), {})).toEqual([12, 4]);
    expect(await by(source({ match: { instance: 'z' } }), {})).toEqual([0, 0]);
  });

  it('estimates percentiles within the stated error, and counts thresholds that are bounds exactly', async () => {
    const { buckets, latencyError } = (
      await fetch([target('restarted', { thresholdsMs: [250, 300] })], {
        to: T0 + HOUR,
      })
    ).get('restarted')!;
    const looked = seenBy([RESTARTED], T0 + HOUR).filter(
      one => !seenBy([RESTARTED], T0).includes(one),
    );
    const durations = looked
      .map(({ seconds }) => seconds * 1000)
      .sort((a, b) => a - b);
    const histogram = mergeHistograms(buckets.map(b => b.histogram));
    expect(histogramCount(histogram)).toBe(durations.length);
    expect(latencyError).toBeCloseTo(2.5 * 1.0864 - 1, 2);
    for (const percentile of [10, 50, 90, 95, 99]) {
      const exact =
        durations[Math.ceil((durations.length * percentile) / 100) - 1];
      const estimate = estimatePercentile(histogram, percentile)!;
      expect(Math.abs(estimate / exact - 1)).toBeLessThanOrEqual(latencyError!);
    }
    const within = buckets.reduce((n, b) => n + b.withinThreshold[250], 0);
    expect(within).toBe(durations.filter(ms => ms <= 250).length);
    expect(buckets.every(b => !(300 in b.withinThreshold))).toBe(true);
  });

  it('takes names as names, and says no requests for what it does not know', async () => {
    const found = await fetch([
      target('a.*|b"\\'),
      target('unknown'),
      target('ledger'),
    ]);
    expect(sum(found.get('a.*|b"\\')!.buckets)).toBeGreaterThan(200);
    expect(found.get('unknown')!.buckets).toEqual([]);
  });

  it('keeps a server that is away from the others, and an unknown one', async () => {
    const response = await source({}, [
      { name: 'away', baseUrl: `http://127.0.0.1:${await freePort()}` },
    ]).fetch({
      targets: [
        target('ledger'),
        target('rare', { account: 'away' }),
        target('kinds', { account: 'nowhere' }),
      ],
      from: new Date(T0 * 1000),
      to: new Date((T0 + 5 * MINUTE) * 1000),
      stepSeconds: 60,
    });
    expect(response.results.map(r => r.key)).toEqual(['ledger']);
    expect(response.failures).toEqual([
      {
        keys: ['kinds'],
        message: expect.stringContaining(
          "no Prometheus server named 'nowhere'",
        ),
      },
      { keys: ['rare'], message: expect.stringContaining('ECONNREFUSED') },
    ]);
    // One that answered and three tries.
    expect(response.requests).toBe(4);
  });

  it('asks about less when the server says that it is too much', async () => {
    const small = await startPrometheus(directory.resolve('small'), SAMPLES, [
      '--query.max-samples=2500',
    ]);
    try {
      const targets = ['ledger', 'restarted', 'rare', 'kinds'].map(name =>
        target(name, { thresholdsMs: [250] }),
      );
      const response = await source({ baseUrl: small.url }).fetch({
        targets,
        from: new Date(T0 * 1000),
        to: new Date((T0 + 30 * MINUTE) * 1000),
        stepSeconds: 60,
      });
      expect(response.requests).toBeGreaterThan(2);
      expect(response.failures).toEqual([]);
      const whole = await fetch(targets, { to: T0 + 30 * MINUTE });
      expect(new Map(response.results.map(r => [r.key, r]))).toEqual(whole);
    } finally {
      await small.stop();
    }
  });

  it('needs few requests', async () => {
    const many = Array.from({ length: 300 }, (_, i) => target(`app-${i}`));
    const response = await source().fetch({
      targets: many,
      from: new Date(T0 * 1000),
      to: new Date((T0 + 10 * MINUTE) * 1000),
      stepSeconds: 60,
    });
    expect(response.results).toHaveLength(300);
    expect(response.requests).toBe(3);
  });
});

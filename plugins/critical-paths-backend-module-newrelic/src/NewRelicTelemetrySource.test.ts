import type {
  NewRelicService,
  NrqlOutcome,
  NrqlQuery,
} from '@rocket/newrelic-node';
import type { TelemetryTarget } from '@rocket/plugin-critical-paths-node';
import { readQuery, rowOf } from './__tests__/nrqlText';
import { NewRelicTelemetrySource } from './NewRelicTelemetrySource';

const T0 = 1_700_000_040;

const outcomeOf = (rows: Record<string, unknown>[]): NrqlOutcome => ({
  ok: true,
  result: {
    results: rows,
    totalResult: [],
    otherResult: [],
    metadata: { facets: null, messages: null, timeWindow: null },
  },
});

/** Every application has one request of 10 ms in the first bucket of a window. */
const answer = ({ nrql }: NrqlQuery): NrqlOutcome => {
  const { apps, paths, from } = readQuery(nrql);
  return outcomeOf(
    paths.flatMap(path =>
      apps.map(app => rowOf(nrql, [path, app], from, [10])),
    ),
  );
};

class FakeNewRelic implements NewRelicService {
  readonly asked: { account?: string; queries: NrqlQuery[] }[] = [];
  reply: (account: string, query: NrqlQuery) => NrqlOutcome = (_, query) =>
    answer(query);

  listAccounts() {
    return [this.getAccount('main'), this.getAccount('eu')];
  }
  getAccount(name: string = 'main') {
    if (name === 'main') {
      return {
        name,
        id: 1,
        region: 'US' as const,
        uiBaseUrl: 'https://one.newrelic.com',
      };
    }
    if (name === 'eu') return { name, id: 2, region: 'EU' as const };
    throw new Error(`There is no New Relic account named '${name}'`);
  }
  async query(
    account: string | undefined,
    queries: NrqlQuery[],
    options?: { signal?: AbortSignal; onRequest?: () => void },
  ) {
    options?.signal?.throwIfAborted();
    options?.onRequest?.();
    this.asked.push({ account, queries });
    return queries.map(query => this.reply(account!, query));
  }
  async graphql(): Promise<never> {
    throw new Error('not used');
  }
  stats() {
    return { requests: 0, retries: 0, failures: 0 };
  }
}

const target = (key: string, overrides: Partial<TelemetryTarget> = {}) => ({
  key,
  appName: `app-${key}`,
  criticalPath: 'path',
  thresholdsMs: [],
  ...overrides,
});

describe('NewRelicTelemetrySource', () => {
  let newrelic: FakeNewRelic;
  let source: NewRelicTelemetrySource;

  beforeEach(() => {
    newrelic = new FakeNewRelic();
    source = new NewRelicTelemetrySource(newrelic);
  });

  const fetch = (
    targets: TelemetryTarget[],
    { minutes = 6, signal }: { minutes?: number; signal?: AbortSignal } = {},
  ) =>
    source.fetch({
      targets,
      from: new Date(T0 * 1000),
      to: new Date((T0 + minutes * 60) * 1000),
      stepSeconds: 60,
      signal,
    });

  it('asks each account once and merges the default with its name', async () => {
    const response = await fetch([
      target('a'),
      target('b', { account: 'main' }),
      target('c', { account: 'eu' }),
    ]);
    expect(newrelic.asked.map(({ account }) => account).sort()).toEqual([
      'eu',
      'main',
    ]);
    expect(response.results.map(r => [r.key, r.buckets.length])).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ]);
    expect(response.failures).toEqual([]);
    expect(response.requests).toBe(2);
    expect(response.queries).toEqual(
      expect.arrayContaining([
        {
          account: 'main',
          keys: ['a', 'b'],
          query: expect.stringContaining(`'app-a', 'app-b'`),
        },
      ]),
    );
  });

  it('joins the parts of a long window in order', async () => {
    const { results } = await fetch([target('a')], { minutes: 800 });
    expect(results[0].buckets.map(({ start }) => (start - T0) / 60)).toEqual([
      0, 266, 533,
    ]);
  });

  it('makes exactly the targets of a failed query failures', async () => {
    newrelic.reply = (_, query) =>
      readQuery(query.nrql).names.length > 0
        ? { ok: false, error: new Error('NRDB query duration exceeded') }
        : answer(query);
    const response = await fetch([
      target('a'),
      target('b', { operation: 'GET /' }),
      target('c', { operation: 'GET /' }),
    ]);
    expect(response.results.map(r => r.key)).toEqual(['a']);
    expect(response.failures).toEqual([
      { keys: ['b', 'c'], message: 'NRDB query duration exceeded' },
    ]);
  });

  it('gives no part of a key whose window was answered in part', async () => {
    newrelic.reply = (_, query) =>
      readQuery(query.nrql).from > T0
        ? { ok: false, error: new Error('broken') }
        : answer(query);
    const response = await fetch([target('a')], { minutes: 400 });
    expect(response.results).toEqual([]);
    expect(response.failures).toEqual([{ keys: ['a'], message: 'broken' }]);
  });

  it('makes an answer that cannot be read a failure', async () => {
    newrelic.reply = () =>
      outcomeOf([{ facet: ['path', 'app-a'], beginTimeSeconds: T0, n: 'x' }]);
    const { failures } = await fetch([target('a')]);
    expect(failures).toEqual([
      { keys: ['a'], message: expect.stringContaining(`column 'n'`) },
    ]);
  });

  it('keeps the accounts apart when one of them cannot be asked', async () => {
    const query = newrelic.query.bind(newrelic);
    newrelic.query = async (account, ...rest) => {
      if (account === 'eu') throw new Error('New Relic refused the API key');
      return query(account, ...rest);
    };
    const response = await fetch([
      target('a'),
      target('b', { account: 'eu' }),
      target('c', { account: 'gone' }),
    ]);
    expect(response.results.map(r => r.key)).toEqual(['a']);
    expect(response.failures).toEqual(
      expect.arrayContaining([
        { keys: ['b'], message: 'New Relic refused the API key' },
        { keys: ['c'], message: expect.stringContaining(`named 'gone'`) },
      ]),
    );
  });

  it('stops asking an account that does not answer at all', async () => {
    let calls = 0;
    newrelic.query = async () => {
      calls += 1;
      throw new Error('unreachable');
    };
    const targets = Array.from({ length: 200 }, (_, i) => target(`${i}`));
    const { failures, results } = await fetch(targets, { minutes: 1000 });
    expect(calls).toBe(1);
    expect(results).toEqual([]);
    expect(failures).toHaveLength(1);
    expect(new Set(failures[0].keys).size).toBe(200);
  });

  it('refuses a target that cannot be asked about and answers the others', async () => {
    const response = await fetch([
      target('a', { appName: 'a\nb' }),
      target('b'),
    ]);
    expect(response.results.map(r => r.key)).toEqual(['b']);
    expect(response.failures).toEqual([
      { keys: ['a'], message: expect.stringContaining('control') },
    ]);
  });

  it('answers that there was no traffic', async () => {
    newrelic.reply = () => outcomeOf([]);
    expect((await fetch([target('a')])).results).toEqual([
      { key: 'a', buckets: [] },
    ]);
  });

  it('rejects when it is aborted', async () => {
    await expect(
      fetch([target('a')], { signal: AbortSignal.abort(new Error('stop')) }),
    ).rejects.toThrow('stop');
  });

  it('refuses a window that is not aligned or runs backwards', async () => {
    const request = { targets: [], stepSeconds: 3600 as const };
    await expect(
      source.fetch({ ...request, from: new Date(60_000), to: new Date(0) }),
    ).rejects.toThrow(`'from' of a telemetry request must be aligned to 3600`);
    await expect(
      source.fetch({
        ...request,
        from: new Date(3_600_000),
        to: new Date(0),
      }),
    ).rejects.toThrow(/must not be later/);
  });

  describe('applicationUrl', () => {
    it('finds the application by name in the UI of its account', async () => {
      const url = new URL(
        (await source.applicationUrl({ appName: `it's & co` }))!,
      );
      expect(url.origin + url.pathname).toBe(
        'https://one.newrelic.com/nr1-core',
      );
      expect(url.searchParams.get('account')).toBe('1');
      expect(url.searchParams.get('filters')).toBe(
        `(domain IN ('APM', 'EXT') AND name = 'it\\'s & co')`,
      );
    });

    it.each([
      ['an account without a UI', { account: 'eu', appName: 'a' }],
      ['an unknown account', { account: 'gone', appName: 'a' }],
      ['a name that cannot be used', { appName: 'a\nb' }],
    ])('has none for %s', async (_, application) => {
      expect(await source.applicationUrl(application)).toBeUndefined();
    });
  });
});

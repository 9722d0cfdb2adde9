import { mockServices } from '@backstage/backend-test-utils';
import { inspect } from 'node:util';
import {
  FakeNerdGraph,
  aliasError,
  container,
  ok,
} from './__tests__/fakeNerdGraph';
import { readNewRelicSettings } from './config';
import { DefaultNewRelicService } from './DefaultNewRelicService';
import { NewRelicAuthenticationError, NewRelicError } from './errors';
import { delay as realDelay } from './limiter';

const CANARY = 'NRAK-CANARY0123456789ABCDEF';

describe('DefaultNewRelicService', () => {
  let server: FakeNerdGraph;
  let waits: number[];
  let logged: string[];

  beforeEach(async () => {
    server = await new FakeNerdGraph().start();
    waits = [];
    logged = [];
  });
  afterEach(() => server.stop());

  function createService(
    settings: object = {},
    options: Partial<
      ConstructorParameters<typeof DefaultNewRelicService>[0]
    > = {},
  ) {
    const logger = mockServices.logger.mock({
      debug: (message: string, meta?: unknown) => {
        logged.push(`${message} ${JSON.stringify(meta)}`);
      },
    });
    logger.child.mockReturnValue(logger);
    const config = mockServices.rootConfig({
      data: {
        newrelic: {
          accounts: [
            {
              name: 'main',
              id: 1000001,
              endpoint: server.url,
              apiKey: CANARY,
              default: true,
            },
            {
              name: 'other',
              id: 1000002,
              endpoint: server.url,
              apiKey: CANARY,
            },
          ],
          ...settings,
        },
      },
    });
    return new DefaultNewRelicService({
      settings: readNewRelicSettings(config),
      logger,
      random: () => 0.5,
      delay: async (ms, signal) => {
        signal?.throwIfAborted();
        waits.push(ms);
      },
      ...options,
    });
  }

  const ask = (...texts: string[]) => texts.map(nrql => ({ nrql }));

  describe('batches', () => {
    it('sends NRQL, account and timeout as variables and answers in order', async () => {
      const hostile = `SELECT '"}) { x } #\\' \${q0} é\n' FROM T`;
      const outcomes = await createService().query(
        undefined,
        ask(hostile, 'two', 'three', 'four', 'five', 'six'),
      );

      expect(outcomes.map(o => o.ok && o.result.results[0].asked)).toEqual([
        hostile,
        'two',
        'three',
        'four',
        'five',
        'six',
      ]);
      const sizes = server.seen.map(({ aliases }) => aliases);
      expect(sizes).toHaveLength(2);
      expect(sizes).toContainEqual(['q0', 'q1', 'q2', 'q3', 'q4']);
      expect(sizes).toContainEqual(['q0']);
      const big = server.seen.find(({ aliases }) => aliases.length === 5)!;
      expect(big.query).not.toContain('SELECT');
      expect(big.query).toContain('$q0: Nrql!');
      expect(big.variables).toMatchObject({
        account: 1000001,
        timeout: 15,
        q0: hostile,
      });
      expect(big.headers['api-key']).toBe(CANARY);
    });

    it('asks nothing for no queries', async () => {
      expect(await createService().query('main', [])).toEqual([]);
      expect(server.seen).toHaveLength(0);
    });

    it('passes object, array and null totals on', async () => {
      server.handler = request => ({
        json: ok(request, {
          q0: { ...container([]), totalResult: { n: 3 } },
          q1: { ...container([]), totalResult: [{ n: 1 }, { n: 2 }] },
        }),
      });
      const outcomes = await createService().query('main', ask('a', 'b', 'c'));
      expect(outcomes.map(o => o.ok && o.result.totalResult)).toEqual([
        { n: 3 },
        [{ n: 1 }, { n: 2 }],
        null,
      ]);
    });

    it('maps a partial error to its alias only', async () => {
      server.handler = request => ({
        json: ok(request, { q1: null }, [
          aliasError(
            'q1',
            undefined,
            `NRQL Syntax Error: Error at line 1 position 8, unexpected 'FORM'`,
          ),
        ]),
      });
      const service = createService();
      const outcomes = await service.query('main', ask('a', 'b', 'c'));

      expect(outcomes.map(o => o.ok)).toEqual([true, false, true]);
      expect(outcomes[1]).toMatchObject({
        error: { message: expect.stringContaining('NRQL Syntax Error') },
      });
      expect(service.stats()).toEqual({ requests: 1, retries: 0, failures: 1 });
    });

    it('takes a result with an error beneath it as failed', async () => {
      server.handler = request => ({
        json: ok(request, {}, [
          {
            message: 'facets are missing',
            path: ['actor', 'account', 'q0', 'otherResult'],
          },
        ]),
      });
      const outcomes = await createService().query('main', ask('a', 'b'));
      expect(outcomes.map(o => o.ok)).toEqual([false, true]);
    });

    it('rejects when an error without a path concerns every query', async () => {
      server.handler = request => ({
        json: ok(request, {}, [
          aliasError(undefined, undefined, 'not authorized to query account'),
        ]),
      });
      await expect(
        createService().query('main', ask('a', 'b')),
      ).rejects.toThrow('not authorized to query account');
    });

    it('takes a path that ends at the account as concerning all of its queries', async () => {
      server.handler = () => ({
        json: {
          data: { actor: { account: null } },
          errors: [
            {
              message: 'You are not authorized to query account 1000001',
              path: ['actor', 'account'],
            },
          ],
        },
      });
      await expect(createService().query('main', ask('a'))).rejects.toThrow(
        'not authorized to query account 1000001',
      );
    });

    it('keeps the answered batches when another batch fails as a whole', async () => {
      server.handler = request =>
        request.aliases.length === 1 ? { status: 501 } : { json: ok(request) };
      const outcomes = await createService({ maxAliasesPerRequest: 2 }).query(
        'main',
        ask('a', 'b', 'c'),
      );
      expect(outcomes.map(o => o.ok)).toEqual([true, true, false]);
    });

    it('ignores deprecation notices', async () => {
      server.handler = request => ({
        json: ok(request, {}, [
          {
            message:
              'This field is deprecated! Please use `relatedEntities` instead.',
            path: ['actor', 'account', 'q0'],
          },
        ]),
      });
      const [outcome] = await createService().query('main', ask('a'));
      expect(outcome.ok).toBe(true);
      expect(server.seen).toHaveLength(1);
    });

    it.each([
      ['no errors at all', undefined],
      ['null', null],
      ['an empty list', []],
    ])('says so when a result is null with %s', async (_, errors) => {
      server.handler = request => ({
        json: ok(request, { q0: null }, errors),
      });
      const outcomes = await createService().query('main', ask('a', 'b'));
      expect(outcomes[0]).toMatchObject({
        ok: false,
        error: { message: expect.stringContaining('no result') },
      });
      expect(outcomes[1].ok).toBe(true);
    });

    it('refuses a query timeout that New Relic does not allow', async () => {
      await expect(
        createService().query('main', [{ nrql: 'a', timeoutSeconds: 121 }]),
      ).rejects.toThrow(/5 to 120/);
    });
  });

  describe('retries', () => {
    it.each(['INTERNAL_SERVER_ERROR', 'SERVER_ERROR', 'TOO_MANY_REQUESTS'])(
      'repeats only the failed alias, under its name, after %s',
      async errorClass => {
        server.handler = (request, index) =>
          index === 0
            ? {
                json: ok(request, { q1: null }, [aliasError('q1', errorClass)]),
              }
            : { json: ok(request) };
        const service = createService();
        const outcomes = await service.query('main', ask('a', 'b', 'c'));

        expect(outcomes.map(o => o.ok && o.result.results[0].asked)).toEqual([
          'a',
          'b',
          'c',
        ]);
        expect(server.seen.map(({ aliases }) => aliases)).toEqual([
          ['q0', 'q1', 'q2'],
          ['q1'],
        ]);
        expect(service.stats()).toEqual({
          requests: 2,
          retries: 1,
          failures: 0,
        });
      },
    );

    it('gives each query that ran out of time a request of its own and more time', async () => {
      server.handler = request =>
        request.variables.timeout < 60
          ? {
              json: ok(
                request,
                Object.fromEntries(
                  request.aliases
                    .filter(alias => alias !== 'q0')
                    .map(alias => [alias, null]),
                ),
                request.aliases
                  .filter(alias => alias !== 'q0')
                  .map(alias => aliasError(alias, 'TIMEOUT')),
              ),
            }
          : { json: ok(request) };
      const outcomes = await createService().query('main', ask('a', 'b', 'c'));

      expect(outcomes.every(o => o.ok)).toBe(true);
      const sent = server.seen.map(
        ({ aliases, variables }) => `${aliases} ${variables.timeout}`,
      );
      expect(sent[0]).toBe('q0,q1,q2 15');
      expect(sent.slice(1).sort()).toEqual([
        'q1 30',
        'q1 60',
        'q2 30',
        'q2 60',
      ]);
    });

    it('stops after four attempts and reports the reason', async () => {
      server.handler = request => ({
        json: ok(request, { q0: null }, [
          aliasError('q0', 'SERVER_ERROR', 'still broken'),
        ]),
      });
      const [outcome] = await createService().query('main', ask('a'));
      expect(outcome).toMatchObject({
        ok: false,
        error: { message: expect.stringContaining('still broken') },
      });
      expect(server.seen).toHaveLength(4);
      // Full jitter around 500 ms, doubled each time.
      expect(waits).toEqual([250, 500, 1000]);
    });

    it.each([429, 500, 502, 503, 504])('repeats HTTP %i', async status => {
      server.handler = (request, index) =>
        index === 0
          ? { status, text: '<html>busy</html>' }
          : { json: ok(request) };
      const [outcome] = await createService().query('main', ask('a'));
      expect(outcome.ok).toBe(true);
      expect(server.seen).toHaveLength(2);
    });

    it.each([400, 403, 404, 408, 413, 501])(
      'does not repeat HTTP %i',
      async status => {
        server.handler = () => ({ status, text: 'no' });
        await expect(createService().query('main', ask('a'))).rejects.toThrow(
          `HTTP ${status}`,
        );
        expect(server.seen).toHaveLength(1);
      },
    );

    it.each(['ACCESS_DENIED', 'BAD_USER_INPUT', 'DOWNSTREAM_ERROR'])(
      'does not repeat %s',
      async errorClass => {
        server.handler = request => ({
          json: ok(request, { q0: null }, [aliasError('q0', errorClass)]),
        });
        const [outcome] = await createService().query('main', ask('a'));
        expect(outcome.ok).toBe(false);
        expect(server.seen).toHaveLength(1);
      },
    );

    it('repeats after a cut connection', async () => {
      server.handler = (request, index) =>
        index === 0 ? { cut: true } : { json: ok(request) };
      const [outcome] = await createService().query('main', ask('a'));
      expect(outcome.ok).toBe(true);
    });

    it('rejects when nothing can be reached, after four attempts', async () => {
      const service = createService();
      await server.stop();
      await expect(service.query('main', ask('a', 'b'))).rejects.toThrow(
        /account 'main' cannot be reached at 127\.0\.0\.1:\d+: ECONNREFUSED/,
      );
      expect(service.stats()).toEqual({ requests: 4, retries: 3, failures: 2 });
    });

    it('waits as long as Retry-After says, within the bound', async () => {
      server.handler = (request, index) => {
        if (index === 0)
          return { status: 429, headers: { 'retry-after': '7' } };
        if (index === 1) {
          return { status: 503, headers: { 'retry-after': '86400' } };
        }
        return { json: ok(request) };
      };
      await createService({ maxRetryAfter: { seconds: 12 } }).query(
        'main',
        ask('a'),
      );
      expect(waits).toEqual([7_000, 12_000]);
    });
  });

  describe('keys', () => {
    const badKey = {
      errors: [
        {
          extensions: { error_code: 'BAD_API_KEY' },
          message: `Bad API Key or no API Key provided ${CANARY}`,
        },
      ],
    };

    it.each([401, 200, 403])(
      'names the account and the field for a bad key with HTTP %i',
      async status => {
        server.handler = () => ({ status, json: badKey });
        const error = await createService()
          .query('other', ask('a', 'b', 'c', 'd', 'e', 'f'))
          .catch(e => e);
        expect(error).toBeInstanceOf(NewRelicAuthenticationError);
        expect(error.message).toContain(`'other' (1000002)`);
        expect(error.message).toContain('newrelic.accounts[1].apiKey');
        expect(server.seen.length).toBeLessThanOrEqual(2);
      },
    );

    it('never shows the key, even when the server echoes it', async () => {
      const shown: unknown[] = [];
      const service = createService();
      const replies = [
        () => ({ status: 401, json: badKey }),
        () => ({
          status: 400,
          json: { errors: [{ message: `key ${CANARY} is odd` }] },
        }),
        () => ({ status: 503, text: CANARY }),
        () => ({ text: `not json ${CANARY}` }),
        (request: any) => ({
          json: ok(request, { q0: null }, [
            {
              message: `alias ${CANARY}`,
              path: ['actor', 'account', 'q0'],
              extensions: {
                validationErrors: [{ name: CANARY, reason: CANARY }],
              },
            },
          ]),
        }),
        (request: any) => ({
          json: ok(request, { q0: container([{ echo: CANARY }]) }),
        }),
        () => ({ cut: true }),
      ];
      for (const reply of replies) {
        server.handler = reply;
        shown.push(await service.query('main', ask('a')).catch(e => e));
        shown.push(
          await service.graphql('main', { query: '{ a }' }).catch(e => e),
        );
      }
      shown.push(service, service.stats(), service.listAccounts(), logged);

      for (const value of shown) {
        const texts = [
          inspect(value, { depth: Infinity, showHidden: true }),
          JSON.stringify(value),
          String(value),
          String((value as Error).stack),
        ];
        expect(texts.join('\n')).not.toContain('CANARY');
      }
      expect(server.seen[0].headers['api-key']).toBe(CANARY);
      expect(logged.length).toBeGreaterThan(0);
    });

    it('does not follow a redirect with the key', async () => {
      server.handler = () => ({
        status: 307,
        headers: { location: `${server.url}/elsewhere` },
        text: '',
      });
      await expect(createService().query('main', ask('a'))).rejects.toThrow(
        /redirect/,
      );
      expect(server.seen).toHaveLength(1);
    });
  });

  describe('limits', () => {
    it('limits requests at once over all accounts with the same key', async () => {
      let open: () => void = () => {};
      const gate = new Promise<void>(resolve => (open = resolve));
      server.handler = async request => {
        await gate;
        return { json: ok(request) };
      };
      const service = createService({
        maxConcurrency: 2,
        maxAliasesPerRequest: 1,
      });
      let begun = 0;
      const onRequest = () => {
        begun += 1;
      };
      const calls = [
        service.query('main', ask('a', 'b', 'c'), { onRequest }),
        service.query('other', ask('d', 'e', 'f'), { onRequest }),
      ];
      // Turns are given without I/O, so whoever may begin has begun by now.
      await new Promise(resolve => setImmediate(resolve));
      expect(begun).toBe(2);
      while (server.seen.length < 2) {
        await realDelay(5);
      }
      open();
      const outcomes = (await Promise.all(calls)).flat();
      expect(outcomes.every(o => o.ok)).toBe(true);
      expect(server.seen).toHaveLength(6);
      expect(server.mostAtOnce).toBe(2);
    });

    it('refuses an answer that is too large', async () => {
      server.handler = request => ({
        json: ok(request, { q0: container([{ x: 'x'.repeat(70_000) }]) }),
      });
      await expect(
        createService({ maxResponseBytes: 65_536 }).query('main', ask('a')),
      ).rejects.toThrow(/newrelic\.maxResponseBytes/);
      expect(server.seen).toHaveLength(1);
    });

    it('gives up on a request that gets no answer in time', async () => {
      server.handler = () => ({ hang: true });
      const error = await createService({ timeout: { seconds: 1 } })
        .graphql('main', { query: 'mutation { a }' })
        .catch(e => e);
      expect(error).toMatchObject({
        name: 'NewRelicError',
        kind: 'timeout',
        message: expect.stringContaining('within 1 seconds'),
      });
    });
  });

  describe('abort', () => {
    it('ends a request that is under way', async () => {
      const controller = new AbortController();
      server.handler = () => {
        controller.abort(new Error('enough'));
        return { hang: true };
      };
      await expect(
        createService().query('main', ask('a'), { signal: controller.signal }),
      ).rejects.toThrow('enough');
    });

    it('ends the wait for a turn', async () => {
      const service = createService({ maxConcurrency: 1 });
      const first = new AbortController();
      const second = new AbortController();
      server.handler = () => {
        second.abort(new Error('no longer wanted'));
        return { hang: true };
      };
      const running = service.query('main', ask('a'), { signal: first.signal });
      const waiting = service.query('other', ask('b'), {
        signal: second.signal,
      });
      await expect(waiting).rejects.toThrow('no longer wanted');
      expect(server.seen).toHaveLength(1);

      first.abort(new Error('end'));
      await expect(running).rejects.toThrow('end');
      // The place of the aborted call is free again.
      server.handler = request => ({ json: ok(request) });
      expect((await service.query('main', ask('c')))[0].ok).toBe(true);
    });

    it('ends the wait before a retry', async () => {
      const controller = new AbortController();
      server.handler = () => ({
        status: 429,
        headers: { 'retry-after': '30' },
      });
      const service = createService(
        {},
        {
          delay: (ms, signal) => {
            setImmediate(() => controller.abort(new Error('stop now')));
            return realDelay(ms, signal);
          },
        },
      );
      await expect(
        service.query('main', ask('a'), { signal: controller.signal }),
      ).rejects.toThrow('stop now');
      expect(server.seen).toHaveLength(1);
    });

    it('sends nothing when it was aborted before', async () => {
      await expect(
        createService().query('main', ask('a'), {
          signal: AbortSignal.abort(new Error('too late')),
        }),
      ).rejects.toThrow('too late');
      expect(server.seen).toHaveLength(0);
    });
  });

  describe('graphql', () => {
    const policy = {
      alertsPolicyCreate: { id: '123456', name: 'test-alert-policy-1' },
    };

    it('sends variables and returns the data', async () => {
      server.handler = () => ({ json: { data: policy, errors: [] } });
      const answer = await createService().graphql('main', {
        query:
          'mutation Create($id: Int!) { alertsPolicyCreate(accountId: $id) { id } }',
        variables: { id: 7 },
      });
      expect(answer).toEqual({ data: policy, errors: [] });
      expect(server.seen[0].variables).toEqual({ id: 7 });
    });

    it.each([
      ['HTTP 503', () => ({ status: 503 })],
      ['a cut connection', () => ({ cut: true })],
      [
        'SERVER_ERROR without a path',
        () => ({
          json: { data: null, errors: [aliasError(undefined, 'SERVER_ERROR')] },
        }),
      ],
    ])('never repeats a mutation after %s', async (_, reply) => {
      server.handler = reply;
      await expect(
        createService().graphql('main', {
          query: '# create it\nmutation M { alertsPolicyCreate { id } }',
        }),
      ).rejects.toThrow(NewRelicError);
      expect(server.seen).toHaveLength(1);
    });

    it('repeats a mutation that is said to be idempotent, and any query', async () => {
      server.handler = (_request, index) =>
        index % 2 === 0 ? { status: 503 } : { json: { data: { a: 1 } } };
      const service = createService();
      await service.graphql(
        'main',
        { query: 'mutation { a }' },
        { idempotent: true },
      );
      await service.graphql('main', {
        query: 'query ($text: String = "mutation") { a }',
      });
      expect(server.seen).toHaveLength(4);
    });

    it('does not repeat a query that is said not to be idempotent', async () => {
      server.handler = () => ({ status: 503 });
      await expect(
        createService().graphql(
          'main',
          { query: '{ a }' },
          { idempotent: false },
        ),
      ).rejects.toThrow('HTTP 503');
      expect(server.seen).toHaveLength(1);
    });

    it('returns errors with a path beside the data', async () => {
      server.handler = () => ({
        json: {
          data: { a: 1, b: null },
          errors: [
            {
              message: 'Validation Error',
              path: ['b'],
              downstreamResponse: [
                {
                  extensions: {
                    code: 'BAD_USER_INPUT',
                    validationErrors: [{ name: 'name', reason: 'is taken' }],
                  },
                },
              ],
            },
            { message: 'This field is deprecated! Use c.', path: ['a'] },
          ],
        },
      });
      expect(
        await createService().graphql('main', { query: '{ a b }' }),
      ).toEqual({
        data: { a: 1, b: null },
        errors: [
          {
            message: 'Validation Error',
            path: ['b'],
            validationErrors: [{ name: 'name', reason: 'is taken' }],
          },
        ],
      });
    });

    it('repeats a query with a retryable partial error, then returns what there is', async () => {
      server.handler = () => ({
        json: {
          data: { a: null },
          errors: [{ ...aliasError(undefined, 'TIMEOUT'), path: ['a'] }],
        },
      });
      const answer = await createService().graphql('main', { query: '{ a }' });
      expect(answer.errors[0]).toMatchObject({ errorClass: 'TIMEOUT' });
      expect(server.seen).toHaveLength(4);
    });

    it('throws what concerns the whole request', async () => {
      server.handler = () => ({
        json: {
          errors: [
            {
              message: 'Cannot query field "x" on type "RootMutationType".',
            },
          ],
        },
      });
      await expect(
        createService().graphql('main', { query: '{ x }' }),
      ).rejects.toThrow(/Cannot query field "x"/);
    });

    it.each(['<html></html>', '[]', '"text"', '{}', ''])(
      'refuses an answer that is not GraphQL: %s',
      async text => {
        server.handler = () => ({ text });
        await expect(
          createService().graphql('main', { query: '{ x }' }),
        ).rejects.toThrow(/not a GraphQL answer/);
      },
    );
  });

  describe('accounts', () => {
    it('lists accounts without keys and finds them by alias or default', () => {
      const service = createService();
      expect(service.listAccounts()).toEqual([
        { name: 'main', id: 1000001, region: 'US' },
        { name: 'other', id: 1000002, region: 'US' },
      ]);
      expect(service.getAccount().name).toBe('main');
      expect(service.getAccount('other').id).toBe(1000002);
    });

    it('names the unknown alias and the known ones', async () => {
      const service = createService();
      expect(() => service.getAccount('nope')).toThrow(
        `There is no New Relic account named 'nope'. Configured accounts: main, other`,
      );
      await expect(service.query('nope', ask('a'))).rejects.toMatchObject({
        name: 'NotFoundError',
      });
    });

    it('uses the key of each account', async () => {
      const service = createService({
        accounts: [
          {
            name: 'a',
            id: 1,
            endpoint: server.url,
            apiKey: 'key-of-account-a',
          },
          {
            name: 'b',
            id: 2,
            endpoint: server.url,
            apiKey: 'key-of-account-b',
          },
        ],
      });
      await service.query('a', ask('x'));
      await service.query('b', ask('x'));
      expect(server.seen.map(s => s.headers['api-key'])).toEqual([
        'key-of-account-a',
        'key-of-account-b',
      ]);
      await expect(service.query(undefined, ask('x'))).rejects.toThrow(
        /no default New Relic account.*default: true/,
      );
    });
  });
});

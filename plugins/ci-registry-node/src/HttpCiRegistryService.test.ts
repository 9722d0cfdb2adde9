import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mockCredentials, mockServices } from '@backstage/backend-test-utils';
import { HttpCiRegistryService } from './HttpCiRegistryService';

const credentials = mockCredentials.user();
const push = {
  source: {
    repository: 'acme/ledger',
    commit: 'a'.repeat(40),
    time: '2026-11-01T10:00:00Z',
  },
  entities: [],
};

type Seen = { method?: string; url?: string; auth?: string };

describe('HttpCiRegistryService', () => {
  const closers: (() => void)[] = [];
  afterEach(() => closers.splice(0).forEach(close => close()));

  async function setup(...answers: (readonly [number, unknown] | 'hang')[]) {
    const seen: Seen[] = [];
    const listener: RequestListener = (req, res) => {
      seen.push({
        method: req.method,
        url: req.url,
        auth: req.headers.authorization,
      });
      const answer = answers[Math.min(seen.length, answers.length) - 1];
      if (answer !== 'hang') {
        res.writeHead(answer[0], { 'Content-Type': 'application/json' });
        res.end(JSON.stringify(answer[1]));
      }
    };
    const server = createServer(listener).listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    const stop = () => {
      server.closeAllConnections();
      server.close();
    };
    closers.push(stop);
    const { port } = server.address() as AddressInfo;
    const service = new HttpCiRegistryService({
      auth: mockServices.auth({ pluginId: 'scaffolder' }),
      discovery: mockServices.discovery.mock({
        getBaseUrl: async () => `http://127.0.0.1:${port}`,
      }),
      timeoutMs: 300,
      retryDelayMs: 1,
    });
    return { service, seen, stop };
  }

  const failure = (name: string, message: string) => ({
    error: { name, message },
    response: { statusCode: 0 },
  });

  it('pushes and validates, and sends again what came too often', async () => {
    const answer = { entities: [], gone: [], warnings: [] };
    const { service, seen } = await setup(
      [429, failure('TooManyRequests', 'send them again in 1 s')],
      [200, answer],
      [200, { valid: true, problems: [] }],
    );
    await expect(service.push(push, { credentials })).resolves.toEqual(answer);
    await expect(service.validate(push, { credentials })).resolves.toEqual({
      valid: true,
      problems: [],
    });
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /pushes',
      'POST /pushes',
      'POST /validate',
    ]);
  });

  it('lists builds of a commit', async () => {
    const { service, seen } = await setup([200, { items: [] }]);
    await expect(
      service.listBuilds(
        {
          component: 'component:default/ledger',
          commit: 'abc',
          cursor: undefined,
        },
        { credentials },
      ),
    ).resolves.toEqual({ items: [] });
    expect(seen[0].url).toBe(
      '/builds?component=component%3Adefault%2Fledger&commit=abc',
    );
  });

  it('calls on behalf of the caller', async () => {
    const { service, seen } = await setup([200, { results: [] }]);
    await expect(service.register(push, { credentials })).resolves.toEqual({
      results: [],
    });
    expect(seen).toEqual([
      {
        method: 'POST',
        url: '/entities',
        auth: mockCredentials.service.header({
          onBehalfOf: credentials,
          targetPluginId: 'ci-registry',
        }),
      },
    ]);
  });

  it.each([
    [400, 'InputError'],
    [401, 'AuthenticationError'],
    [403, 'NotAllowedError'],
    [409, 'ConflictError'],
    [413, 'InputError'],
  ])(
    'keeps the words of a %s as %s, without trying again',
    async (status, name) => {
      const { service, seen } = await setup([
        status,
        failure('Error', 'because'),
      ]);
      await expect(
        service.register(push, { credentials }),
      ).rejects.toMatchObject({
        name,
        message: 'because',
      });
      expect(seen).toHaveLength(1);
    },
  );

  it('answers undefined for what was never pushed', async () => {
    const { service, seen } = await setup([404, failure('NotFoundError', 'x')]);
    await expect(
      service.getEntity('component:ledger', { credentials }),
    ).resolves.toBeUndefined();
    expect(seen[0].url).toBe('/entities/component/default/ledger');
  });

  it('tries again when the registry is away, and gives up in the end', async () => {
    const away = [503, failure('ServiceUnavailableError', 'away')] as const;
    const back = await setup(away, 'hang', [200, { results: [] }]);
    await back.service.register(push, { credentials });
    expect(back.seen).toHaveLength(3);

    const gone = await setup(away);
    await expect(
      gone.service.register(push, { credentials }),
    ).rejects.toMatchObject({
      name: 'ServiceUnavailableError',
      message: 'away',
    });
    expect(gone.seen).toHaveLength(3);

    gone.stop();
    await expect(gone.service.register(push, { credentials })).rejects.toThrow(
      'does not answer',
    );
  });
});

import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mockCredentials, mockServices } from '@backstage/backend-test-utils';
import { HttpCriticalPathsService } from './HttpCriticalPathsService';

const credentials = mockCredentials.service();
const change = {
  source: 'chaos',
  id: 'run-1',
  kind: 'chaos' as const,
  entityRef: 'component:default/ledger',
  at: '2026-11-01T10:00:00Z',
  title: 'Latency of 200 ms',
};

describe('HttpCriticalPathsService', () => {
  const closers: (() => void)[] = [];
  afterEach(() => closers.splice(0).forEach(close => close()));

  async function setup(...answers: (readonly [number, unknown] | 'hang')[]) {
    const seen: { url?: string; auth?: string; body: unknown }[] = [];
    const listener: RequestListener = (req, res) => {
      let text = '';
      req.setEncoding('utf8');
      req.on('data', part => (text += part));
      req.on('end', () => {
        seen.push({
          url: `${req.method} ${req.url}`,
          auth: req.headers.authorization,
          body: JSON.parse(text),
        });
        const answer = answers[Math.min(seen.length, answers.length) - 1];
        if (answer !== 'hang') {
          res.writeHead(answer[0], { 'Content-Type': 'application/json' });
          res.end(answer[1] === undefined ? '' : JSON.stringify(answer[1]));
        }
      });
    };
    const server = createServer(listener).listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    return {
      seen,
      service: new HttpCriticalPathsService({
        auth: mockServices.auth({ pluginId: 'chaos' }),
        discovery: mockServices.discovery.mock({
          getBaseUrl: async () => `http://127.0.0.1:${port}`,
        }),
        timeoutMs: 200,
        retryDelayMs: 1,
      }),
    };
  }
  const failure = (message: string) => ({
    error: { name: 'Error', message },
    response: { statusCode: 0 },
  });

  it('records a change and reads signals for the caller', async () => {
    const { service, seen } = await setup(
      [204, undefined],
      [200, { minutes: [], watermark: null }],
      [200, { incidents: [] }],
    );
    await service.recordChange(change, { credentials });
    const request = {
      pathRef: 'criticalpath:default/posting',
      from: '2026-11-01T10:00:00Z',
      to: '2026-11-01T10:10:00Z',
    };
    await expect(
      service.readSignals(request, { credentials }),
    ).resolves.toEqual({ minutes: [], watermark: null });
    const incidents = {
      entityRefs: ['component:default/ledger'],
      from: request.from,
      to: request.to,
    };
    await expect(
      service.readIncidents(incidents, { credentials }),
    ).resolves.toEqual({ incidents: [] });
    const auth = mockCredentials.service.header({
      onBehalfOf: credentials,
      targetPluginId: 'critical-paths',
    });
    expect(seen).toEqual([
      { url: 'POST /service/changes', auth, body: change },
      { url: 'POST /service/signals', auth, body: request },
      { url: 'POST /service/incidents', auth, body: incidents },
    ]);
  });

  it.each([
    [400, 'InputError'],
    [401, 'AuthenticationError'],
    [403, 'NotAllowedError'],
    [404, 'NotFoundError'],
  ])(
    'keeps the words of a %s as %s, without trying again',
    async (status, name) => {
      const { service, seen } = await setup([status, failure('because')]);
      await expect(
        service.recordChange(change, { credentials }),
      ).rejects.toMatchObject({ name, message: 'because' });
      expect(seen).toHaveLength(1);
    },
  );

  it('tries again when the plugin is away, and gives up in the end', async () => {
    const away = [503, failure('away')] as const;
    const back = await setup(away, 'hang', [204, undefined]);
    await back.service.recordChange(change, { credentials });
    expect(back.seen).toHaveLength(3);

    const gone = await setup(away);
    await expect(
      gone.service.recordChange(change, { credentials }),
    ).rejects.toMatchObject({
      name: 'ServiceUnavailableError',
      message: 'away',
    });
    expect(gone.seen).toHaveLength(3);
  });
});

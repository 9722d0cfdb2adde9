import { CiRegistryClient } from './client';

function clientWith(...responses: Response[]) {
  const fetch = jest.fn();
  responses.forEach(response => fetch.mockResolvedValueOnce(response));
  return {
    fetch,
    client: new CiRegistryClient({
      fetchApi: { fetch },
      baseUrl: async () => 'http://backend/api/ci-registry',
    }),
  };
}

const BASE = 'http://backend/api/ci-registry';

describe('CiRegistryClient', () => {
  it('asks the right places, escapes names and repeats filters', async () => {
    const { client, fetch } = clientWith(
      ...Array.from({ length: 11 }, () => Response.json({ items: [] })),
    );
    await client.getVersions({ component: 'component:default/a&b' });
    await client.getVersions({ system: 'system:default/cards' });
    await client.getFreshness({
      owner: ['group:default/a', 'group:default/b'],
      state: ['stale', 'gone'],
      limit: 50,
    });
    await client.getHistory('Component:Pay/ledger', { cursor: 'x' });
    await client.getEntityVersion('component:default/ledger', 3);
    await client.exportHistory('component:default/ledger');
    await client.getDocumentVersions('ledger-api');
    await client.getDora({ by: 'team', environment: 'production', days: 28 });
    await client.getBuild('a/b');
    await client.getDecisions({ allowed: false });
    await client.push({
      source: {
        repository: 'r',
        commit: 'c'.repeat(40),
        time: '2026-11-21T00:00:00Z',
      },
    });
    expect(fetch.mock.calls.map(([url]) => url)).toEqual([
      `${BASE}/versions?component=component%3Adefault%2Fa%26b`,
      `${BASE}/versions?system=system%3Adefault%2Fcards`,
      `${BASE}/freshness?owner=group%3Adefault%2Fa&owner=group%3Adefault%2Fb&state=stale&state=gone&limit=50`,
      `${BASE}/history/component/Pay/ledger?cursor=x`,
      `${BASE}/history/component/default/ledger/3`,
      `${BASE}/history/component/default/ledger/export`,
      `${BASE}/documents/default/ledger-api/versions`,
      `${BASE}/dora?by=team&environment=production&days=28`,
      `${BASE}/builds/a%2Fb`,
      `${BASE}/decisions?allowed=false`,
      `${BASE}/pushes`,
    ]);
    expect(fetch.mock.calls[10][1]).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: expect.stringContaining('"repository":"r"'),
    });
  });

  it('sends the token', async () => {
    const { client, fetch } = clientWith(Response.json({ items: [] }));
    await client.getBuilds({ token: 'secret' });
    expect(fetch.mock.calls[0][1].headers).toEqual({
      authorization: 'Bearer secret',
    });
  });

  it('fails with status and words of the registry', async () => {
    const { client } = clientWith(
      Response.json(
        {
          error: { name: 'InputError', message: 'days must be at most 365' },
          response: { statusCode: 400 },
        },
        { status: 400 },
      ),
    );
    await expect(client.getDora({ by: 'path' })).rejects.toMatchObject({
      name: 'ResponseError',
      statusCode: 400,
      cause: { message: 'days must be at most 365' },
    });
  });

  it('gives up in time, and when it is told to', async () => {
    const fetch = jest.fn(
      (_url: unknown, init?: RequestInit) =>
        new Promise<Response>((_resolve, reject) => {
          const { signal } = init!;
          const fail = () => reject(signal!.reason);
          signal!.addEventListener('abort', fail);
          if (signal!.aborted) {
            fail();
          }
        }),
    );
    const client = new CiRegistryClient({
      fetchApi: { fetch: fetch as typeof globalThis.fetch },
      baseUrl: 'plugin://ci-registry',
      timeoutMs: 20,
    });
    await expect(client.getBuilds()).rejects.toMatchObject({
      name: 'TimeoutError',
      message: 'The CI registry did not answer within 20 ms',
    });
    const controller = new AbortController();
    controller.abort(new Error('left the page'));
    await expect(
      client.getBuilds({ signal: controller.signal }),
    ).rejects.toThrow('left the page');
  });
});

import { CriticalPathsClient } from './client';

function clientWith(...responses: Response[]) {
  const fetch = jest.fn();
  responses.forEach(response => fetch.mockResolvedValueOnce(response));
  return {
    fetch,
    client: new CriticalPathsClient({
      fetchApi: { fetch },
      baseUrl: async () => 'http://backend/api/critical-paths',
    }),
  };
}

describe('CriticalPathsClient', () => {
  it('escapes names, repeats filters and sends token and body', async () => {
    const { client, fetch } = clientWith(
      Response.json({ rows: [] }),
      Response.json({ rows: [] }),
      Response.json({ id: '1' }, { status: 201 }),
    );
    await client.getPath({ namespace: 'default', name: 'a/b' });
    await client.getBoard({
      window: '7d',
      token: 'secret',
      filter: { owner: ['group:default/a', 'group:default/b'], q: 'x&y' },
    });
    await client.resetBudget({ namespace: 'n', name: 'p' }, 'new database');
    expect(fetch.mock.calls.map(([url]) => url)).toEqual([
      'http://backend/api/critical-paths/paths/default/a%2Fb',
      'http://backend/api/critical-paths/paths?window=7d&owner=group%3Adefault%2Fa&owner=group%3Adefault%2Fb&q=x%26y',
      'http://backend/api/critical-paths/paths/n/p/budget-reset',
    ]);
    expect(fetch.mock.calls[1][1].headers).toEqual({
      authorization: 'Bearer secret',
    });
    expect(fetch.mock.calls[2][1]).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"reason":"new database"}',
    });
  });

  it('fails with status and words of the backend', async () => {
    const { client } = clientWith(
      Response.json(
        {
          error: { name: 'InputError', message: 'window must be 1h' },
          response: { statusCode: 400 },
        },
        { status: 400 },
      ),
    );
    await expect(client.getTeams()).rejects.toMatchObject({
      name: 'ResponseError',
      statusCode: 400,
      cause: { message: 'window must be 1h' },
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
    const client = new CriticalPathsClient({
      fetchApi: { fetch: fetch as typeof globalThis.fetch },
      baseUrl: 'plugin://critical-paths',
      timeoutMs: 20,
    });
    await expect(client.getBoard()).rejects.toMatchObject({
      name: 'TimeoutError',
      message: 'Critical paths did not answer within 20 ms',
    });
    const controller = new AbortController();
    const asked = client.getBoard({ signal: controller.signal });
    controller.abort(new Error('page closed'));
    await expect(asked).rejects.toThrow('page closed');
    await expect(
      client.getBoard({ signal: controller.signal }),
    ).rejects.toThrow('page closed');
  });
});

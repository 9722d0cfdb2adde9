import { CriticalPathsClient } from './CriticalPathsClient';

function clientWith(response: Response) {
  const fetch = jest.fn().mockResolvedValue(response);
  return { fetch, client: new CriticalPathsClient({ fetchApi: { fetch } }) };
}

describe('CriticalPathsClient', () => {
  it('asks the plugin by its scheme and escapes names', async () => {
    const { client, fetch } = clientWith(Response.json({ rows: [] }));
    const { signal } = new AbortController();
    await client.getPath(
      { namespace: 'default', name: 'a/b' },
      { window: '7d', signal },
    );
    expect(fetch).toHaveBeenCalledWith(
      'plugin://critical-paths/paths/default/a%2Fb?window=7d',
      { signal },
    );
  });

  it('asks for the paths of a component', async () => {
    const { client, fetch } = clientWith(Response.json({ rows: [] }));
    await client.getComponentPaths(
      { kind: 'Component', namespace: 'default', name: 'ledger-service' },
      { window: '24h' },
    );
    expect(fetch.mock.calls[0][0]).toBe(
      'plugin://critical-paths/components/component/default/ledger-service/paths?window=24h',
    );
  });

  it('fails with status and message of the backend', async () => {
    const { client } = clientWith(
      Response.json(
        {
          error: { name: 'InputError', message: 'window: not allowed' },
          response: { statusCode: 400 },
        },
        { status: 400 },
      ),
    );
    await expect(client.getBoard({ window: '1h' })).rejects.toMatchObject({
      name: 'ResponseError',
      statusCode: 400,
      cause: { message: 'window: not allowed' },
    });
  });
});

import { ProvisioningClient } from './ProvisioningClient';

function client(...answers: (Response | undefined)[]) {
  const fetch = jest.fn(async (..._args: unknown[]) => {
    const answer = answers.shift();
    if (!answer) {
      throw new TypeError('Failed to fetch');
    }
    return answer;
  });
  return {
    fetch,
    api: new ProvisioningClient({ fetchApi: { fetch } as never }),
  };
}

const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json' },
  });

const failure = (status: number, message: string) =>
  json(
    { error: { name: 'Error', message }, response: { statusCode: status } },
    status,
  );

describe('ProvisioningClient', () => {
  it('asks the right places, whatever is in a name', async () => {
    const { api, fetch } = client(
      json({}),
      json({}),
      json({}),
      json({}),
      json({}),
    );
    await api.checkName('a/../b');
    await api.operate('pay', 'restart');
    await api.getLog('pay', { after: 0, limit: 5 });
    await api.getLog('pay', {});
    await api.createGitToken({ repository: 'pay', access: 'read' });
    expect(fetch.mock.calls.map(call => call[0])).toEqual([
      'plugin://provisioning/names/a%2F..%2Fb',
      'plugin://provisioning/services/pay/restart',
      'plugin://provisioning/services/pay/log?after=0&limit=5',
      'plugin://provisioning/services/pay/log?',
      'plugin://provisioning/git-tokens',
    ]);
    expect(fetch.mock.calls[4][1]).toMatchObject({
      method: 'POST',
      body: '{"repository":"pay","access":"read"}',
    });
  });

  it('tells what is not there from what failed, in the words of the backend', async () => {
    const { api } = client(
      failure(404, 'gone'),
      failure(404, 'gone'),
      failure(409, 'another deployment is under way'),
      undefined,
    );
    await expect(api.getService('pay')).resolves.toBeUndefined();
    await expect(api.getRepository('pay')).resolves.toBeUndefined();
    await expect(api.operate('pay', 'start')).rejects.toThrow(
      /^another deployment is under way$/,
    );
    await expect(api.getService('pay')).rejects.toThrow(
      'Provisioning does not answer',
    );
  });
});

import { mockServices } from '@backstage/backend-test-utils';
import { readNewRelicSettings } from './config';

const account = { name: 'main', id: 1, apiKey: 'NRAK-0123456789' };

function read(newrelic?: object) {
  return readNewRelicSettings(
    mockServices.rootConfig({ data: newrelic ? { newrelic } : {} } as never),
  );
}

describe('readNewRelicSettings', () => {
  it('has no accounts without the section', () => {
    expect(read().accounts).toEqual([]);
    expect(read({}).accounts).toEqual([]);
  });

  it('has defaults for everything but name, id and key', () => {
    const { accounts, defaultAccount, ...limits } = read({
      accounts: [account],
    });
    expect(accounts[0]).toMatchObject({
      region: 'US',
      endpoint: 'https://api.newrelic.com/graphql',
      uiBaseUrl: 'https://one.newrelic.com',
    });
    expect(defaultAccount).toBe(accounts[0]);
    expect(limits).toEqual({
      timeoutMs: 20_000,
      queryTimeoutSeconds: 15,
      maxConcurrency: 10,
      maxAliasesPerRequest: 5,
      maxResponseBytes: 33_554_432,
      maxRetryAfterMs: 30_000,
    });
  });

  it.each([
    ['US', 'https://api.newrelic.com/graphql', 'https://one.newrelic.com'],
    [
      'EU',
      'https://api.eu.newrelic.com/graphql',
      'https://one.eu.newrelic.com',
    ],
    [
      'JP',
      'https://api.jp.newrelic.com/graphql',
      'https://one.jp.newrelic.com',
    ],
  ])('knows region %s', (region, endpoint, uiBaseUrl) => {
    expect(
      read({ accounts: [{ ...account, region }] }).accounts[0],
    ).toMatchObject({ endpoint, uiBaseUrl });
  });

  it('takes several accounts, the marked one as the default', () => {
    const settings = read({
      accounts: [account, { ...account, name: 'b', id: 2, default: true }],
      timeout: '45s',
      queryTimeout: { minutes: 1 },
    });
    expect(settings.defaultAccount?.name).toBe('b');
    expect(settings.timeoutMs).toBe(45_000);
    expect(settings.queryTimeoutSeconds).toBe(60);
    const unmarked = read({ accounts: [account, { ...account, name: 'b' }] });
    expect(unmarked.defaultAccount).toBeUndefined();
  });

  it.each([
    'http://127.0.0.1:7010/graphql',
    'http://localhost/graphql',
    'http://[::1]:7010/graphql',
  ])('allows %s and knows no UI for it', endpoint => {
    const [local] = read({ accounts: [{ ...account, endpoint }] }).accounts;
    expect(local.endpoint).toBe(endpoint);
    expect(local.uiBaseUrl).toBeUndefined();
  });

  it('takes the id as digits, as it comes from the environment', () => {
    expect(read({ accounts: [{ ...account, id: '42' }] }).accounts[0].id).toBe(
      42,
    );
  });

  it('takes uiBaseUrl without its trailing slash', () => {
    expect(
      read({ accounts: [{ ...account, uiBaseUrl: 'https://nr.example.com/' }] })
        .accounts[0].uiBaseUrl,
    ).toBe('https://nr.example.com');
  });

  it.each<[string, RegExp, object]>([
    [
      'a plain-text endpoint elsewhere',
      /newrelic\.accounts\[0\]\.endpoint must start with https/,
      { accounts: [{ ...account, endpoint: 'http://nr.example.com/graphql' }] },
    ],
    [
      'a host that only looks local',
      /accounts\[0\]\.endpoint must start with https/,
      { accounts: [{ ...account, endpoint: 'http://127.0.0.1.example.com/' }] },
    ],
    [
      'a relative endpoint',
      /accounts\[0\]\.endpoint must be an absolute URL/,
      { accounts: [{ ...account, endpoint: '/graphql' }] },
    ],
    [
      'another protocol',
      /accounts\[0\]\.endpoint must start with https/,
      { accounts: [{ ...account, endpoint: 'ftp://nr.example.com' }] },
    ],
    [
      'a password in the endpoint',
      /accounts\[0\]\.endpoint must not contain a user name or password/,
      { accounts: [{ ...account, endpoint: 'https://u:p@nr.example.com' }] },
    ],
    [
      'an unknown region',
      /accounts\[0\]\.region must be one of US, EU, JP, got 'us'/,
      { accounts: [{ ...account, region: 'us' }] },
    ],
    [
      'a region from the prototype',
      /accounts\[0\]\.region must be one of/,
      { accounts: [{ ...account, region: 'constructor' }] },
    ],
    [
      'a duplicate alias',
      /accounts\[1\]\.name 'main' is already the name of newrelic\.accounts\[0\]/,
      { accounts: [account, { ...account, id: 2 }] },
    ],
    [
      'two defaults',
      /only one account may have default: true, found 'main' and 'b'/,
      {
        accounts: [
          { ...account, default: true },
          { ...account, name: 'b', default: true },
        ],
      },
    ],
    [
      'no name',
      /accounts\[0\]\.name must be/,
      { accounts: [{ ...account, name: undefined }] },
    ],
    [
      'a name with blanks',
      /accounts\[0\]\.name must be/,
      { accounts: [{ ...account, name: 'my account' }] },
    ],
    [
      'a bad id',
      /accounts\[0\]\.id must be the number/,
      { accounts: [{ ...account, id: 1.5 }] },
    ],
    [
      'no key',
      /accounts\[0\]\.apiKey is missing.*environment variable/,
      { accounts: [{ ...account, apiKey: undefined }] },
    ],
    [
      'too many at once',
      /newrelic\.maxConcurrency must be a whole number from 1 to 25, got 26/,
      { maxConcurrency: 26 },
    ],
    [
      'no aliases',
      /newrelic\.maxAliasesPerRequest must be a whole number from 1 to 20/,
      { maxAliasesPerRequest: 0 },
    ],
    [
      'a timeout of nothing',
      /newrelic\.timeout must be from 1 to 180 seconds, got 0/,
      { timeout: { seconds: 0 } },
    ],
    [
      'a query timeout that New Relic does not allow',
      /newrelic\.queryTimeout must be from 5 to 120 seconds, got 121/,
      { queryTimeout: { seconds: 121 } },
    ],
  ])('refuses %s', (_, message, newrelic) => {
    expect(() => read(newrelic)).toThrow(message);
  });

  it.each(['with blank', 'quote"quote', 'line\nbreak', 'short', 'ümlaut-key'])(
    'refuses the key %j without showing it',
    apiKey => {
      let message = '';
      try {
        read({ accounts: [{ ...account, apiKey }] });
      } catch (error) {
        message = String(error);
      }
      expect(message).toContain('newrelic.accounts[0].apiKey must be');
      expect(message).not.toContain(apiKey);
    },
  );
});

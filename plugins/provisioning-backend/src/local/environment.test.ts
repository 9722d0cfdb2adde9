import { installEnvironment } from './environment';

const TARGET = {
  name: 'card-limits',
  entityRef: 'component:default/card-limits',
  owner: 'group:default/cards',
  commit: 'a'.repeat(40),
  checkout: async () => {},
};

describe('installEnvironment', () => {
  const before = process.env;

  afterEach(() => {
    process.env = before;
  });

  it('lets npm take locked packages from its cache, unless somebody decided otherwise', () => {
    process.env = { HOME: '/home/rocket' };
    expect(installEnvironment(TARGET, '/data')).toMatchObject({
      HOME: '/home/rocket',
      npm_config_prefer_offline: 'true',
      npm_config_audit: 'false',
    });
    process.env = { npm_config_prefer_offline: 'false' };
    expect(installEnvironment(TARGET, '/data')).toMatchObject({
      npm_config_prefer_offline: 'false',
    });
  });

  it('keeps what is only the backend’s from install scripts', () => {
    process.env = {
      NEW_RELIC_USER_KEY: 'key',
      POSTGRES_PASSWORD: 'secret',
      HTTPS_PROXY: 'http://proxy.example.com',
    };
    const env = installEnvironment(TARGET, '/data');
    expect(env).toMatchObject({ HTTPS_PROXY: 'http://proxy.example.com' });
    expect(Object.values(env)).not.toContain('key');
    expect(Object.values(env)).not.toContain('secret');
  });
});

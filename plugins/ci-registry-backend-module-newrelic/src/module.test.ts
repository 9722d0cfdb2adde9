import { createBackendPlugin } from '@backstage/backend-plugin-api';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import {
  runningComponentsExtensionPoint,
  type RunningComponentsProvider,
} from '@rocket/plugin-ci-registry-node';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import ciRegistryModuleNewRelic from './index';

const SEEN = Date.parse('2026-11-20T12:00:00Z');

describe('ciRegistryModuleNewRelic', () => {
  let server: Server;
  let queries: string[];
  let results: object[] | undefined;

  beforeEach(async () => {
    queries = [];
    results = [];
    server = createServer((req, res) => {
      let text = '';
      req.setEncoding('utf8');
      req.on('data', part => (text += part));
      req.on('end', () => {
        const { variables } = JSON.parse(text);
        const aliases = Object.keys(variables).filter(n => /^q\d+$/.test(n));
        aliases.forEach(alias => queries.push(variables[alias]));
        res.writeHead(results ? 200 : 403, {
          'content-type': 'application/json',
        });
        res.end(
          JSON.stringify({
            data: {
              actor: {
                account: Object.fromEntries(
                  aliases.map(alias => [
                    alias,
                    { results, otherResult: null, totalResult: null },
                  ]),
                ),
              },
            },
          }),
        );
      });
    });
    await new Promise<void>(resolve =>
      server.listen(0, '127.0.0.1', () => resolve()),
    );
  });

  afterEach(() => new Promise(resolve => server.close(resolve)));

  async function start(names: string[]) {
    const providers: RunningComponentsProvider[] = [];
    const { port } = server.address() as AddressInfo;
    await startTestBackend({
      features: [
        createBackendPlugin({
          pluginId: 'ci-registry',
          register(env) {
            env.registerExtensionPoint(runningComponentsExtensionPoint, {
              addProvider: provider => void providers.push(provider),
            });
            env.registerInit({ deps: {}, async init() {} });
          },
        }),
        ciRegistryModuleNewRelic,
        mockServices.rootConfig.factory({
          data: {
            newrelic: {
              accounts: names.map((name, index) => ({
                name,
                id: index + 1,
                region: 'US',
                endpoint: `http://127.0.0.1:${port}/graphql`,
                apiKey: 'NRAK-TEST',
                default: index === 0,
              })),
            },
          },
        }),
      ],
    });
    return providers;
  }

  const signal = new AbortController().signal;

  it('asks each account once for everything that reports to it', async () => {
    const providers = await start(['main', 'Cards.EU']);
    expect(providers.map(({ title }) => title)).toEqual([
      'New Relic (main)',
      'New Relic (Cards.EU)',
    ]);
    for (const { id, annotation } of providers) {
      expect(id).toMatch(/^[a-z0-9-]{1,63}$/);
      expect(annotation).toBe('rocket.internal/newrelic-app');
    }
    results = [
      { facet: 'ledger', appName: 'ledger', lastSeen: SEEN },
      { facet: ['cards'], lastSeen: SEEN },
      { facet: null, lastSeen: SEEN },
      { facet: 'no time', lastSeen: null },
    ];
    expect(await providers[0].list({ signal })).toEqual([
      { name: 'ledger', running: true, lastSeenAt: new Date(SEEN) },
      { name: 'cards', running: true, lastSeenAt: new Date(SEEN) },
    ]);
    expect(queries).toEqual([
      "SELECT latest(timestamp) AS 'lastSeen' FROM Transaction FACET appName SINCE 60 minutes ago LIMIT MAX",
    ]);
  });

  it('rejects when New Relic does not tell', async () => {
    const [provider] = await start(['main']);
    results = undefined;
    await expect(provider.list({ signal })).rejects.toThrow();
  });

  it('adds nothing without an account', async () => {
    expect(await start([])).toEqual([]);
  });
});

import { CiRegistryClient } from '@rocket/plugin-ci-registry-common';
import { loadOpenApi } from './openapi';

interface Parameter {
  name: string;
  in: string;
}

interface Operation {
  parameters?: (Parameter | { $ref: string })[];
}

interface Described {
  paths: Record<string, Record<string, Operation>>;
  components: { parameters?: Record<string, Parameter> };
}

const SOURCE = {
  repository: 'https://git.example/ledger',
  commit: 'c'.repeat(40),
  time: '2026-11-21T12:00:00Z',
};

/** Every call of the client with every option that it has. */
const CALLS: Record<string, (client: CiRegistryClient) => Promise<unknown>> = {
  push: client => client.push({ source: SOURCE }),
  validate: client => client.validate({ source: SOURCE }),
  getEntity: client => client.getEntity('component:default/ledger'),
  getBuilds: client =>
    client.getBuilds({
      component: 'component:default/ledger',
      commit: SOURCE.commit,
      limit: 1,
      cursor: 'x',
    }),
  getBuild: client => client.getBuild('1'),
  getDeployments: client =>
    client.getDeployments({
      component: 'component:default/ledger',
      environment: 'production',
      limit: 1,
      cursor: 'x',
    }),
  getVersions: client =>
    Promise.all([
      client.getVersions({ component: 'component:default/ledger' }),
      client.getVersions({ system: 'system:default/ledger' }),
    ]),
  getDora: client =>
    client.getDora({
      by: 'component',
      environment: 'production',
      days: 28,
      ref: 'component:default/ledger',
    }),
  getHistory: client =>
    client.getHistory('component:default/ledger', { limit: 1, cursor: '2' }),
  getEntityVersion: client =>
    client.getEntityVersion('component:default/ledger', 1),
  exportHistory: client => client.exportHistory('component:default/ledger'),
  getFreshness: client =>
    client.getFreshness({
      owner: ['group:default/ledger'],
      state: ['stale'],
      entityRef: 'component:default/ledger',
      limit: 1,
      cursor: 'x',
    }),
  getDocumentVersions: client =>
    client.getDocumentVersions('api:default/ledger'),
  getDocumentDefinition: client =>
    client.getDocumentDefinition('api:default/ledger', 1),
  getDecisions: client =>
    client.getDecisions({ allowed: false, limit: 1, cursor: 'x' }),
};

describe('the client', () => {
  let document: Described;

  beforeAll(async () => {
    document = (await loadOpenApi()) as unknown as Described;
  }, 60_000);

  it('is tested with every call that it has', () => {
    const calls = Object.getOwnPropertyNames(CiRegistryClient.prototype);
    expect(Object.keys(CALLS).sort()).toEqual(
      calls.filter(name => name !== 'constructor').sort(),
    );
  });

  it.each(Object.keys(CALLS))(
    'asks in %s only for what the registry describes',
    async name => {
      const { paths, components } = document;
      const fetch = jest.fn(async () => Response.json({}));
      await CALLS[name](
        new CiRegistryClient({
          fetchApi: { fetch: fetch as unknown as typeof globalThis.fetch },
          baseUrl: 'http://registry',
        }),
      );
      expect(fetch).toHaveBeenCalled();
      for (const [address, init] of fetch.mock.calls as unknown as [
        string,
        RequestInit,
      ][]) {
        const { pathname, searchParams } = new URL(address);
        // A fixed part of a path goes before a parameter, as in the router.
        const [path] = Object.keys(paths)
          .filter(known =>
            new RegExp(`^${known.replace(/\{\w+\}/g, '[^/]+')}$`).test(
              pathname,
            ),
          )
          .sort((a, b) => a.split('{').length - b.split('{').length);
        const operation = paths[path]?.[init.method!.toLowerCase()];
        expect([address, operation]).toEqual([address, expect.anything()]);
        const described = (operation.parameters ?? [])
          .map(parameter =>
            '$ref' in parameter
              ? components.parameters![parameter.$ref.split('/').pop()!]
              : parameter,
          )
          .filter(parameter => parameter.in === 'query')
          .map(parameter => parameter.name);
        expect(described).toEqual(
          expect.arrayContaining([...searchParams.keys()]),
        );
      }
    },
  );
});

import { mockServices } from '@backstage/backend-test-utils';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeNerdGraph } from './__tests__/fakeNerdGraph';
import { readNewRelicSettings } from './config';
import { DefaultNewRelicService } from './DefaultNewRelicService';
import type { NrqlOutcome } from './types';

const recorded = (name: string) =>
  JSON.parse(
    readFileSync(join(__dirname, '__fixtures__', `${name}.json`), 'utf8'),
  );

describe('answers that the vendor recorded', () => {
  let server: FakeNerdGraph;
  beforeEach(async () => {
    server = await new FakeNerdGraph().start();
  });
  afterEach(() => server.stop());

  const service = () =>
    new DefaultNewRelicService({
      settings: readNewRelicSettings(
        mockServices.rootConfig({
          data: {
            newrelic: {
              accounts: [
                {
                  name: 'main',
                  id: 1,
                  endpoint: server.url,
                  apiKey: 'NRAK-recorded',
                },
              ],
            },
          },
        }),
      ),
      logger: mockServices.logger.mock(),
    });

  /** The recorded container, under the alias that our client asks by. */
  async function replay(name: string) {
    server.handler = ({ aliases }) => ({
      json: {
        data: {
          actor: {
            account: { [aliases[0]]: recorded(name).data.actor.account.nrql },
          },
        },
      },
    });
    const [outcome] = await service().query('main', [{ nrql: 'SELECT 1' }]);
    expect(outcome.ok).toBe(true);
    return (outcome as NrqlOutcome & { ok: true }).result;
  }

  it('without FACET: totals are null', async () => {
    expect(await replay('nrql-scalar')).toEqual({
      results: [{ count: 1542 }],
      totalResult: null,
      otherResult: null,
      metadata: {
        facets: null,
        messages: [],
        timeWindow: { begin: 1709442593550, end: 1709446193550 },
      },
    });
  });

  it('with FACET: totals are objects', async () => {
    const result = await replay('nrql-facet');
    expect(result.results).toEqual([
      { appName: 'App1', count: 1000 },
      { appName: 'App2', count: 500 },
    ]);
    expect(result.totalResult).toEqual({ count: 1542 });
    expect(result.otherResult).toEqual({ count: 42 });
    expect(result.metadata.facets).toEqual(['appName']);
  });

  it('with FACET and TIMESERIES: totals are arrays', async () => {
    const result = await replay('nrql-facet-timeseries');
    expect(result.totalResult).toEqual([
      { beginTimeSeconds: 1748910826, endTimeSeconds: 1748914426, count: 142 },
      { beginTimeSeconds: 1748914426, endTimeSeconds: 1748918026, count: 136 },
    ]);
    expect(result.otherResult).toHaveLength(2);
    expect(result.results[1]).toEqual({
      appName: 'App2',
      beginTimeSeconds: 1748910826,
      count: 50,
      endTimeSeconds: 1748914426,
    });
  });

  it('as captured in full: what is not asked for does no harm, messages are kept', async () => {
    const result = await replay('nrql-extended-rawResponse');
    expect(result.results).toHaveLength(1);
    expect(result.results[0]).toMatchObject({
      appName: 'Dummy App Pro Max',
      'newrelic.internal.usage': { count: 49500, type: 'count' },
    });
    expect(result.metadata.messages).toEqual([
      expect.stringContaining('transform your Metric query'),
    ]);
  });

  it('of other operations come as they are, ids as strings', async () => {
    const { testAlertsPolicySearchResponseJSON } = recorded('alerts-policy');
    server.handler = () => ({ json: testAlertsPolicySearchResponseJSON });
    const { data, errors } = await service().graphql<any>('main', {
      query: '{ actor { account(id: 1) { alerts { policiesSearch } } } }',
    });
    expect(errors).toEqual([]);
    const found = data.actor.account.alerts.policiesSearch;
    expect(found.nextCursor).toBeNull();
    expect(found.policies.map((p: { id: unknown }) => p.id)).toEqual([
      '123456',
      '123457',
    ]);
  });
});

import {
  mockCredentials,
  mockServices,
  startTestBackend,
} from '@backstage/backend-test-utils';
import { actionsRegistryServiceMock } from '@backstage/backend-test-utils/alpha';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type {
  BoardRow,
  PathDetail,
} from '@rocket/plugin-critical-paths-common';
import request from 'supertest';
import plugin from '../index';
import { componentEntity, pathEntity } from '../testing/entities';
import { explainBurn } from './explainBurn';
import { registerActions } from './registerActions';

jest.setTimeout(60_000);

const signals = {
  valid: 1000,
  good: 990,
  availability: 0.99,
  errorRate: 0.01,
  throughputPerMinute: 10,
  latency: { p50Ms: 10, p95Ms: 20, p99Ms: 30, relativeError: 0.086 },
};

const row = {
  entityRef: 'criticalpath:default/posting',
  title: 'Posting',
  businessModel: 'domain:default/payments',
  owner: 'group:default/ledger',
  state: 'at-risk',
  stateReasons: ['12 % of the error budget left'],
  signals,
  sparkline: { stepSeconds: 60, points: [{ start: 'x' }] },
  objectives: [
    {
      objective: { sli: 'availability', target: 99, windowDays: 28 },
      actual: 99.1,
      met: true,
      budgetRemaining: 0.12,
    },
  ],
  workflow: null,
  data: { watermark: '2026-11-01T10:00:00Z' },
} as unknown as BoardRow;

const path = {
  ...row,
  from: '2026-10-31T10:00:00Z',
  to: '2026-11-01T10:00:00Z',
  previous: { signals },
  steps: [{ name: 'post', title: 'Post', applications: [], entry: true }],
  applicationDetails: [],
  budgets: [
    {
      label: 'availability 99 % over 28 days',
      budget: { remaining: 0.12, remainingEvents: 12, allowedEvents: 100 },
      burn: [{ window: '1h', rate: 14.5 }],
      rules: [
        { name: 'fast', status: 'firing' },
        { name: 'slow', status: 'quiet' },
      ],
      alert: 'page',
    },
  ],
  attribution: {
    from: '2026-10-31T10:00:00Z',
    to: '2026-11-01T10:00:00Z',
    badEvents: 88,
    unknownEvents: 8.8,
    unknownPercent: 10,
    rows: [
      {
        entityRef: 'component:default/ledger',
        title: 'ledger',
        steps: ['book'],
        ownEvents: 79.2,
        sharePercent: 90,
        budgetPercent: 79.2,
        upstreamEvents: 0,
      },
    ],
  },
  changes: [
    {
      id: '1',
      kind: 'deployment',
      entityRef: 'component:default/notify',
      title: 'notify 2.0.0',
      at: '2026-11-01T08:00:00Z',
      burn: { minutes: 60, complete: true, excessEvents: 0, budgetPercent: 0 },
    },
    {
      id: '2',
      kind: 'deployment',
      entityRef: 'component:default/ledger',
      title: 'ledger 1.4.2',
      at: '2026-11-01T09:00:00Z',
      burn: {
        minutes: 60,
        complete: false,
        excessEvents: 70,
        budgetPercent: 70,
      },
    },
  ],
} as unknown as PathDetail;

describe('explainBurn', () => {
  it('says what is left, who burned it and which deployment', () => {
    const { summary, deployments } = explainBurn(path);
    expect(summary).toEqual([
      'Posting is at-risk: 12 % of the error budget left.',
      '12 % of the error budget of availability 99 % over 28 days is left; the fast burn rule fires (page).',
      '88 bad events from 2026-10-31T10:00:00Z to 2026-11-01T10:00:00Z: ledger by its own fault 90 %, unknown 10 %.',
      'In the 60 minutes after ledger 1.4.2 (2026-11-01T09:00:00Z) there were 70 bad events more than before, 70 % of the budget.',
    ]);
    expect(deployments.map(d => d.title)).toEqual(['ledger 1.4.2']);
  });

  it('never makes up a figure that is missing', () => {
    const { summary } = explainBurn({
      ...path,
      budgets: [{ ...path.budgets[0], budget: null, alert: null, rules: [] }],
      attribution: { ...path.attribution, badEvents: 0, rows: [] },
      changes: [],
    });
    expect(summary.slice(1)).toEqual([
      'Nothing was measured to judge availability 99 % over 28 days.',
      'No bad event was seen from 2026-10-31T10:00:00Z to 2026-11-01T10:00:00Z.',
    ]);
  });
});

describe('actions', () => {
  function setup(result: AuthorizeResult.ALLOW | AuthorizeResult.DENY) {
    const actionsRegistry = actionsRegistryServiceMock();
    const service = {
      board: jest.fn(
        async () => ({ from: path.from, to: path.to, rows: [row] } as any),
      ),
      path: jest.fn(async () => path),
    };
    const authorize = jest.fn(async (asked: unknown[]) =>
      asked.map(() => ({ result })),
    );
    registerActions({
      actionsRegistry,
      permissions: mockServices.permissions.mock({ authorize } as any),
      service,
    });
    return { actionsRegistry, service, authorize };
  }

  it('read boards and paths with the rights of the caller', async () => {
    const { actionsRegistry, service, authorize } = setup(
      AuthorizeResult.ALLOW,
    );
    const credentials = mockCredentials.user('user:default/ann');
    const listed: any = await actionsRegistry.invoke({
      id: 'test:list-critical-paths',
      input: { state: ['at-risk'], owner: ['ledger'] },
      credentials,
    });
    expect(service.board).toHaveBeenCalledWith(
      '24h',
      {
        state: ['at-risk'],
        owner: ['group:default/ledger'],
        businessModel: undefined,
        q: undefined,
      },
      credentials,
    );
    expect(authorize.mock.calls[0][1 as never]).toEqual({ credentials });
    expect(listed.output.paths[0]).toMatchObject({
      entityRef: 'criticalpath:default/posting',
      state: 'at-risk',
      signals: { availability: 0.99, latencyP95Ms: 20 },
      objectives: [
        { objective: 'availability 99 % over 28 days', budgetRemaining: 0.12 },
      ],
    });
    expect(JSON.stringify(listed)).not.toContain('sparkline');
    const got: any = await actionsRegistry.invoke({
      id: 'test:get-critical-path',
      input: { path: 'posting', window: '7d' },
      credentials,
    });
    expect(service.path).toHaveBeenCalledWith(
      'criticalpath:default/posting',
      '7d',
      credentials,
    );
    expect(got.output.path.changes).toHaveLength(2);
    const explained: any = await actionsRegistry.invoke({
      id: 'test:explain-burn',
      input: { path: 'criticalpath:default/posting' },
      credentials,
    });
    expect(explained.output.summary).toHaveLength(4);
    const { actions } = await actionsRegistry.list();
    expect(actions.map(a => a.attributes)).toEqual(
      actions.map(() => ({
        readOnly: true,
        destructive: false,
        idempotent: true,
      })),
    );
  });

  it('refuse callers without permission and refs of other kinds', async () => {
    const denied = setup(AuthorizeResult.DENY);
    for (const [name, input] of [
      ['list-critical-paths', {}],
      ['get-critical-path', { path: 'posting' }],
      ['explain-burn', { path: 'posting' }],
    ] as const) {
      await expect(
        denied.actionsRegistry.invoke({ id: `test:${name}`, input }),
      ).rejects.toThrow('Permission critical-paths.read is needed');
    }
    expect(denied.service.path).not.toHaveBeenCalled();
    const { actionsRegistry } = setup(AuthorizeResult.ALLOW);
    await expect(
      actionsRegistry.invoke({
        id: 'test:explain-burn',
        input: { path: 'component:default/ledger' },
      }),
    ).rejects.toThrow('path must be the ref of a critical path');
  });

  it('are offered by the plugin and answer from the stored figures', async () => {
    const { server } = await startTestBackend({
      features: [
        plugin,
        catalogServiceMock.factory({
          entities: [
            pathEntity('posting', ['ledger']),
            componentEntity('ledger'),
          ],
        }),
      ],
    });
    const base = '/api/critical-paths/.backstage/actions/v1/actions';
    const auth = mockCredentials.service.header({
      onBehalfOf: mockCredentials.user('user:default/ann'),
      targetPluginId: 'critical-paths',
    });
    const listed = await request(server).get(base).set('authorization', auth);
    expect(listed.body.actions.map((a: any) => a.id)).toEqual([
      'critical-paths:list-critical-paths',
      'critical-paths:get-critical-path',
      'critical-paths:explain-burn',
    ]);
    const invoked = await request(server)
      .post(`${base}/critical-paths:list-critical-paths/invoke`)
      .set('authorization', auth)
      .send({});
    expect(invoked.status).toBe(200);
    expect(invoked.body.output.paths).toEqual([
      expect.objectContaining({ entityRef: 'criticalpath:default/posting' }),
    ]);
  });
});

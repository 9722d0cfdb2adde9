import {
  mockCredentials,
  mockErrorHandler,
  mockServices,
} from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import express from 'express';
import request from 'supertest';
import type { PlainAlert } from './AlertStore';
import { createAlertRouter } from './router';

const alert = (pathRef: string): PlainAlert => ({
  id: pathRef,
  pathRef,
  severity: 'page',
  messages: ['burning'],
  openedAt: '2026-11-02T10:00:00.000Z',
  lastFiringAt: '2026-11-02T10:01:00.000Z',
  notifiedAt: null,
  closedAt: null,
  closeReason: null,
});
const LEDGER = 'component:default/ledger';
const FREE = {
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Component',
  metadata: { name: 'free', namespace: 'default' },
};
const SEEN = 'criticalpath:default/posting';
const HIDDEN = 'criticalpath:default/secret';

function start(
  options: { allowed?: boolean; state?: string; away?: boolean } = {},
) {
  const { allowed = true, state = 'healthy', away = false } = options;
  const auditor = mockServices.auditor.mock();
  const success = jest.fn();
  const fail = jest.fn();
  auditor.createEvent.mockResolvedValue({ success, fail });
  const row = {
    entityRef: SEEN,
    title: 'Posting',
    owner: 'group:default/ledger',
    state,
    stateReasons: ['last measured 2 h ago'],
    maintenance: null,
  };
  const router = createAlertRouter({
    alerts: {
      list: async ({ pathRef }: { pathRef?: string }) =>
        [alert(SEEN), alert(HIDDEN)].filter(
          a => !pathRef || a.pathRef === pathRef,
        ),
    } as never,
    budgets: {
      budgets: async () => {
        if (away) {
          throw new Error('the database is away');
        }
        return {
          paths: new Map([
            [
              SEEN,
              {
                resolved: { path: { entityRef: SEEN, title: 'Posting' } },
                budgets: [],
              },
            ],
          ]),
        } as never;
      },
    },
    service: {
      board: async () => ({ rows: [row] } as never),
      pathsOfComponent: async (ref: string) =>
        ({ rows: ref === LEDGER ? [{ path: row }] : [] } as never),
    },
    catalog: catalogServiceMock({ entities: [FREE] }),
    settings: { gate: { exhausted: 'block' } } as never,
    httpAuth: mockServices.httpAuth(),
    permissions: mockServices.permissions({
      result: allowed ? AuthorizeResult.ALLOW : AuthorizeResult.DENY,
    }),
    auditor,
  });
  return { app: express().use(router).use(mockErrorHandler()), success, fail };
}

const GATE = '/gate/component/default/ledger';

it.each(['/alerts', GATE])(
  'answers %s only to who is known and allowed',
  async path => {
    const { app } = start();
    const statusFor = async (header: string) =>
      (await request(app).get(path).set('Authorization', header)).status;
    expect(await statusFor(mockCredentials.none.header())).toBe(401);
    expect(await statusFor(mockCredentials.user.header())).toBe(200);
    expect(await statusFor(mockCredentials.service.header())).toBe(200);
    const refused = await request(start({ allowed: false }).app).get(path);
    expect(refused.status).toBe(403);
  },
);

it('tells what is on no path from what nobody knows', async () => {
  const { app } = start();
  const decisionOf = async (name: string) =>
    (await request(app).get(`/gate/component/default/${name}`).expect(200)).body
      .decision;
  expect(await decisionOf('free')).toBe('allow');
  expect(await decisionOf('typo')).toBe('warn');
});

it('lists the alerts of the paths that the caller may see', async () => {
  const { app } = start();
  const { body } = await request(app).get('/alerts');
  expect(body).toEqual({
    alerts: [
      {
        ...alert(SEEN),
        pathTitle: 'Posting',
        owner: 'group:default/ledger',
      },
    ],
  });
  const hidden = await request(app).get(`/alerts?pathRef=${HIDDEN}`);
  expect(hidden.body).toEqual({ alerts: [] });
  const wrong = await request(app).get('/alerts?pathRef=posting!').expect(400);
  expect(wrong.body.error.message).toMatch(/pathRef must be an entity ref/);
});

it('judges from what is stored, and writes the answer down', async () => {
  const { app, success } = start();
  const { body } = await request(app).get(GATE).expect(200);
  expect(body).toMatchObject({
    entityRef: 'component:default/ledger',
    decision: 'allow',
  });
  expect(success).toHaveBeenCalledWith({
    meta: { decision: 'allow', reasons: [expect.any(String)] },
  });
});

it('warns when nobody can see how the path is', async () => {
  const { body } = await request(start({ state: 'stale' }).app).get(GATE);
  expect(body).toMatchObject({
    decision: 'warn',
    reasons: [
      {
        rule: 'telemetry',
        message: 'Posting: nobody can see how it is: last measured 2 h ago.',
      },
    ],
  });
});

it('fails instead of allowing when the budgets cannot be read', async () => {
  const { app, fail, success } = start({ away: true });
  await request(app).get(GATE).expect(500);
  expect(fail).toHaveBeenCalled();
  expect(success).not.toHaveBeenCalled();
});

it('says what one path says, and knows no path that it cannot see', async () => {
  const { app } = start({ state: 'stale' });
  const { body } = await request(app)
    .get('/gate/criticalpath/default/posting')
    .expect(200);
  expect(body).toMatchObject({
    entityRef: SEEN,
    decision: 'warn',
    reasons: [{ rule: 'telemetry', pathRef: SEEN }],
  });
  const hidden = await request(app)
    .get('/gate/criticalpath/default/secret')
    .expect(404);
  expect(hidden.body.error.message).toContain(HIDDEN);
});

it('does not write down what was only looked at', async () => {
  const { app, success } = start();
  const looked = await request(app).get(`${GATE}?preview=true`).expect(200);
  expect(looked.body.decision).toBe('allow');
  expect(success).not.toHaveBeenCalled();
  const wrong = await request(app).get(`${GATE}?preview=maybe`).expect(400);
  expect(wrong.body.error.message).toMatch(
    'query parameter preview must be true or false, was "maybe"',
  );
});

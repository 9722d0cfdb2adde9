import {
  coreServices,
  createBackendPlugin,
  resolvePackagePath,
} from '@backstage/backend-plugin-api';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import type { BackendFeature } from '@backstage/backend-plugin-api';
import {
  ciRegistryReadPermission,
  type PushRequest,
} from '@rocket/plugin-ci-registry-common';
import express from 'express';
import Router from 'express-promise-router';
import request from 'supertest';
import { errorHandler } from '../../http';
import { readIdentityConfig } from '../config';
import { DatabaseIdentityStore } from '../DatabaseIdentityStore';
import { createDecisionsRouter } from '../decisionsRouter';
import { PipelineAuthenticator } from '../PipelineAuthenticator';
import { COMMIT } from './TestIssuer';

/** Registers entities only in the sense of who holds them. */
const pushPlugin = createBackendPlugin({
  pluginId: 'ci-registry',
  register(env) {
    env.registerInit({
      deps: {
        auditor: coreServices.auditor,
        config: coreServices.rootConfig,
        database: coreServices.database,
        httpAuth: coreServices.httpAuth,
        httpRouter: coreServices.httpRouter,
        logger: coreServices.logger,
        permissions: coreServices.permissions,
      },
      async init(deps) {
        const db = await deps.database.getClient();
        await db.migrate.latest({
          directory: resolvePackagePath(
            '@rocket/plugin-ci-registry-backend',
            'migrations',
          ),
        });
        const store = new DatabaseIdentityStore(db);
        const authenticator = new PipelineAuthenticator({
          ...deps,
          store,
          settings: readIdentityConfig(deps.config),
        });
        deps.httpRouter.addAuthPolicy({
          path: '/',
          allow: 'unauthenticated',
        });
        const router = Router();
        router.use(express.json());
        router.post('/pushes', async (req, res) => {
          const identity = await authenticator.authenticate(req);
          const push: PushRequest = req.body;
          await authenticator.withPermit(identity, push, permit =>
            db.transaction(async tx => {
              for (const entity of push.entities ?? []) {
                await tx('entities')
                  .insert({
                    entity_ref: `component:default/${entity.metadata.name}`,
                    entity: '{}',
                    content_hash: '',
                    repository: push.source.repository,
                    source: '{}',
                    source_time: 0,
                    changed_by: '{}',
                    pushed_by: identity.subject,
                    changed_at: 0,
                    first_pushed_at: 0,
                    last_pushed_at: 0,
                    version: 1,
                    applied_version: 0,
                  })
                  .onConflict('entity_ref')
                  .ignore();
              }
              await permit.record(tx);
              if (push.source.pipeline === 'fail') {
                throw Object.assign(new Error('conflict'), {
                  name: 'ConflictError',
                });
              }
            }),
          );
          res.json({ identity });
        });
        router.post('/validate', async (req, res) => {
          const identity = await authenticator.authenticate(req);
          await authenticator.authorizePush(identity, req.body, {
            validate: true,
          });
          res.json({ valid: true });
        });
        router.get('/gate', async (req, res) => {
          const identity = await authenticator.authenticate(
            req,
            ciRegistryReadPermission,
          );
          await authenticator.authorizeRead(identity);
          res.json({ identity });
        });
        router.use(createDecisionsRouter({ ...deps, store }));
        router.use(errorHandler);
        deps.httpRouter.use(router);
      },
    });
  },
});

/** What is refused, by which status and code; `names` is what the reason must say. */
export type RefusedCase = [
  name: string,
  status: number,
  code: string,
  token: () => Promise<string> | string,
  body?: object,
  names?: RegExp,
];

export async function startHarness(options: {
  identity?: object;
  permissions?: BackendFeature;
}) {
  const auditor = mockServices.auditor.mock();
  const events = {
    success: jest.fn(async () => {}),
    fail: jest.fn(async () => {}),
  };
  auditor.createEvent.mockResolvedValue(events);
  const logger = mockServices.logger.mock();
  const { server } = await startTestBackend({
    features: [
      pushPlugin,
      auditor.factory,
      ...(options.permissions ? [options.permissions] : []),
      mockServices.rootConfig.factory({
        data: { ciRegistry: { identity: options.identity } },
      }),
    ],
  });
  const call = (path: string, token: string | undefined, body: object) => {
    const post = request(server).post(`/api/ci-registry/${path}`);
    return (
      token === undefined ? post : post.set('Authorization', `Bearer ${token}`)
    ).send(body);
  };
  const decisions = async (query = '') =>
    (await request(server).get(`/api/ci-registry/decisions?${query}`)).body
      .items;

  /** Refused, with the reason kept and audited, and nothing of the token told. */
  async function expectRefused(
    token: string,
    body: object | undefined,
    expected: { status: number; code: string; names?: RegExp },
  ) {
    auditor.createEvent.mockClear();
    events.fail.mockClear();
    const answer = await call('pushes', token, body ?? pushOf());
    expect({ status: answer.status, code: answer.body.error?.code }).toEqual({
      status: expected.status,
      code: expected.code,
    });
    const { message } = answer.body.error;
    expect(message).toMatch(expected.names ?? /./);
    const [decision] = await decisions('limit=1');
    expect(decision).toMatchObject({
      allowed: false,
      code: expected.code,
      reason: message,
      request: { method: 'POST', path: '/api/ci-registry/pushes' },
    });
    const audited = JSON.stringify(auditor.createEvent.mock.calls);
    const told = `${JSON.stringify(decision)}${audited}${answer.text}`;
    expect(told).not.toContain(token);
    expect(told).not.toContain(token.split('.')[2] || token);
    expect(events.fail).toHaveBeenCalledTimes(1);
  }

  return {
    server,
    decisions,
    expectRefused,
    auditor,
    events,
    logger,
    push: (token: string | undefined, body: object = pushOf()) =>
      call('pushes', token, body),
    validate: (token: string | undefined, body: object = pushOf()) =>
      call('validate', token, body),
  };
}

export function component(
  name: string,
  extra: object = {},
  namespace?: string,
) {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: { name, ...(namespace ? { namespace } : {}) },
    spec: {
      type: 'service',
      lifecycle: 'production',
      owner: 'ledger',
      ...extra,
    },
  };
}

export function pushOf(extra: object = {}, source: object = {}) {
  return {
    source: {
      repository: 'https://github.com/acme/ledger',
      commit: COMMIT,
      branch: 'main',
      time: '2026-11-01T10:00:00Z',
      ...source,
    },
    entities: [component('ledger-service')],
    ...extra,
  };
}

export function deployment(environment: string, extra: object = {}) {
  return {
    id: 'd1',
    component: 'component:default/ledger-service',
    environment,
    startedAt: '2026-11-01T10:00:00Z',
    finishedAt: '2026-11-01T10:05:00Z',
    outcome: 'succeeded',
    ...extra,
  };
}

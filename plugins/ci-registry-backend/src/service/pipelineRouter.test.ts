import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import { NotAllowedError } from '@backstage/errors';
import type { Deployment } from '@rocket/plugin-ci-registry-common';
import Router from 'express-promise-router';
import request from 'supertest';
import { errorHandler } from './http';
import { createPipelineRouter } from './pipelineRouter';

jest.setTimeout(60_000);

const closers: (() => void)[] = [];
afterEach(() => closers.splice(0).forEach(close => close()));

/** The critical paths, or what is in their place. */
async function paths(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function start(options: {
  criticalPaths?: string;
  deployments?: Partial<Deployment>[];
  refused?: boolean;
}) {
  const asked: string[] = [];
  const plugin = createBackendPlugin({
    pluginId: 'ci-registry',
    register(env) {
      env.registerInit({
        deps: { http: coreServices.httpRouter, auth: coreServices.auth },
        async init({ http, auth }) {
          const router = Router();
          router.use(
            createPipelineRouter({
              auth,
              discovery: mockServices.discovery.mock({
                getBaseUrl: async () =>
                  options.criticalPaths ?? 'http://127.0.0.1:9',
              }),
              authenticator: {
                authenticate: async () => ({ type: 'github', subject: 'x' }),
                authorizeRead: async () => {
                  asked.push('authorizeRead');
                  if (options.refused) throw new NotAllowedError('no rule');
                },
              } as any,
              store: {
                recentDeployments: async components => {
                  asked.push(...components);
                  return (options.deployments ?? []) as Deployment[];
                },
              },
            }),
          );
          router.use(errorHandler);
          http.use(router);
        },
      });
    },
  });
  const { server } = await startTestBackend({ features: [plugin] });
  const get = (path: string) => request(server).get(`/api/ci-registry/${path}`);
  return { get, asked };
}

describe('the gate for pipelines', () => {
  const GATE = 'gate/component/default/ledger';

  it('gives the answer of the critical paths, asked as a service', async () => {
    const seen: (string | undefined)[] = [];
    const answer = { entityRef: 'component:default/ledger', decision: 'warn' };
    const { get } = await start({
      criticalPaths: await paths((req, res) => {
        seen.push(req.url, req.headers.authorization?.slice(0, 7));
        res.setHeader('content-type', 'application/json');
        res.end(JSON.stringify(answer));
      }),
    });
    await get(GATE).expect(200, answer);
    expect(seen).toEqual(['/gate/component/default/ledger', 'Bearer ']);
  });

  it('knows nothing of what the critical paths do not know', async () => {
    const { get } = await start({
      criticalPaths: await paths((_, res) => res.writeHead(404).end()),
    });
    expect((await get(GATE)).status).toBe(404);
  });

  it.each<[string, RequestListener | undefined]>([
    ['are not there', undefined],
    ['fail', (_, res) => res.writeHead(500).end()],
    ['hang up', req => req.socket.destroy()],
    ['do not know this portal', (_, res) => res.writeHead(401).end()],
  ])('says 503 and when to ask again while they %s', async (_, listener) => {
    const { get } = await start({
      criticalPaths: listener && (await paths(listener)),
    });
    const answer = await get(GATE).expect(503);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(answer.body.error.message).toContain(
      'The critical paths do not answer',
    );
  });

  it('is not asked for a caller that no rule covers', async () => {
    const { get, asked } = await start({ refused: true });
    await get(GATE).expect(403);
    await get('deployed?component=ledger&environment=production').expect(403);
    expect(asked).toEqual(['authorizeRead', 'authorizeRead']);
  });
});

describe('what runs, for pipelines', () => {
  it('is the last deployment that succeeded there', async () => {
    const { get, asked } = await start({
      deployments: [
        { environment: 'production', outcome: 'rolled-back', commit: 'c3' },
        { environment: 'staging', outcome: 'succeeded', commit: 'c4' },
        {
          environment: 'production',
          outcome: 'succeeded',
          commit: 'c2',
          version: '2.0',
        },
        { environment: 'production', outcome: 'succeeded', commit: 'c1' },
      ],
    });
    await get('deployed?component=Ledger&environment=production').expect(200, {
      component: 'component:default/ledger',
      environment: 'production',
      commit: 'c2',
      version: '2.0',
    });
    expect(asked).toEqual(['authorizeRead', 'component:default/ledger']);
  });

  it('is nothing before the first one, and needs to know what is asked for', async () => {
    const { get } = await start({});
    const answer = await get(
      'deployed?component=ledger&environment=production',
    );
    expect(answer.body).toMatchObject({ commit: null, version: null });
    await get('deployed?component=ledger').expect(400);
    await get('deployed?component=&environment=x').expect(400);
  });
});

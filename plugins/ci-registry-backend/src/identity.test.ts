import type { BackendFeature } from '@backstage/backend-plugin-api';
import {
  mockCredentials,
  mockServices,
  startTestBackend,
} from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import request from 'supertest';
import { ciRegistryPlugin } from './plugin';
import {
  component,
  deployment,
  pushOf,
} from './service/identity/__testUtils__/harness';
import { identityConfig } from './service/identity/__testUtils__/identityConfig';
import {
  githubClaims,
  TestIssuer,
} from './service/identity/__testUtils__/TestIssuer';
import { loadOpenApi } from './service/openapi';

jest.setTimeout(120_000);

let github: TestIssuer;
let other: TestIssuer;

beforeAll(async () => {
  [github, other] = await Promise.all([TestIssuer.start(), TestIssuer.start()]);
});

afterAll(async () => {
  await Promise.all([github.stop(), other.stop()]);
});

async function start(permissions?: BackendFeature) {
  const { server } = await startTestBackend({
    features: [
      ciRegistryPlugin,
      catalogServiceMock.factory({ entities: [] }),
      ...(permissions ? [permissions] : []),
      mockServices.rootConfig.factory({
        data: {
          ciRegistry: {
            identity: identityConfig({
              github,
              gitlab: { url: 'http://127.0.0.1:1' } as TestIssuer,
              other,
            }),
          },
        },
      }),
    ],
  });
  const as = (
    token: string | undefined,
    method: string,
    path: string,
    body?: object | string,
  ) => {
    const call = request(server)[method as 'get'](`/api/ci-registry${path}`);
    if (token !== undefined) call.set('Authorization', `Bearer ${token}`);
    return body === undefined
      ? call
      : call.set('Content-Type', 'application/json').send(body);
  };
  const codes = async () =>
    (await as(undefined, 'get', '/decisions')).body.items.map(
      (d: { code: string }) => d.code,
    );
  return { as, codes };
}

const none = mockCredentials.none.header().slice('Bearer '.length);
const ref = '/entities/component/default/ledger-service';

it('stores what a pipeline may push, in its name, and nothing of what it may not', async () => {
  const { as, codes } = await start();
  const token = await github.sign(githubClaims());
  const forbidden = [
    pushOf({ entities: [component('ledger-service', { owner: 'user:a/b' })] }),
    pushOf({ deployments: [deployment('nowhere')] }),
    pushOf({}, { repository: 'https://github.com/acme/other' }),
  ];
  for (const body of forbidden) {
    await as(token, 'post', '/pushes', body).expect(403);
    await as(token, 'post', '/validate', body).expect(403);
  }
  await as(token, 'post', '/entities', forbidden[2]).expect(403);
  await as(undefined, 'get', ref).expect(404);

  await as(token, 'post', '/validate', pushOf()).expect(200);
  await as(undefined, 'get', ref).expect(404);
  await as(
    token,
    'post',
    '/pushes',
    pushOf({ deployments: [deployment('production')] }),
  ).expect(200);
  const history = await as(
    undefined,
    'get',
    '/history/component/default/ledger-service',
  );
  expect(history.body.items[0].actor).toBe(
    'repo:acme/ledger:ref:refs/heads/main',
  );
  const again = await as(token, 'post', '/entities', pushOf()).expect(200);
  expect(again.body.results[0].outcome).toBe('unchanged');
  expect((await codes()).reverse()).toEqual([
    'owner-not-allowed',
    'owner-not-allowed',
    'environment-not-allowed',
    'environment-not-allowed',
    'wrong-repository',
    'wrong-repository',
    'wrong-repository',
    'allowed',
    'allowed',
    'allowed',
  ]);
});

it('ends the tokens of a job with the push that says so, in its transaction', async () => {
  const { as, codes } = await start();
  const token = await github.sign(githubClaims());
  const wrong = pushOf({
    final: 'job',
    entities: [component('ledger-service', { lifecycle: undefined })],
  });
  await as(token, 'post', '/pushes', wrong).expect(400);
  expect(await codes()).toEqual(['not-stored']);
  await as(token, 'post', '/pushes', pushOf()).expect(200);
  const last = pushOf({ final: 'job' });
  await as(token, 'post', '/pushes', last).expect(200);
  await as(token, 'post', '/pushes', last).expect(200);
  await as(token, 'post', '/pushes', pushOf()).expect(401, /final/);
  const bare = { source: pushOf().source, final: 'job' };
  const own = await github.sign(githubClaims({ check_run_id: '77' }));
  await as(own, 'post', '/pushes', bare).expect(200);
  await as(own, 'post', '/pushes', pushOf()).expect(401);
  await as(own, 'post', '/pushes', { ...bare, final: 'all' }).expect(
    400,
    /final: must be job or run/,
  );
});

it('looks at who calls before it reads what they say', async () => {
  const { as } = await start();
  const garbage = `{"x": "${'y'.repeat(6 * 1024 * 1024)}`;
  for (const path of ['/pushes', '/validate', '/entities']) {
    const answer = await as('nobody', 'post', path, garbage);
    expect([path, answer.status]).toEqual([path, 401]);
  }
});

it('has no route that does not ask who calls and what they may', async () => {
  const { paths } = (await loadOpenApi()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => ({
      method,
      path: path.replace(/\{\w+\}/g, 'x'),
    })),
  );
  expect(routes.length).toBeGreaterThan(10);
  const { as } = await start(
    mockServices.permissions.factory({ result: AuthorizeResult.DENY }),
  );
  const pipeline = await github.sign(githubClaims());
  const forPipelines = /^\/(pushes|validate|entities|gate\/.*|deployed)$/;
  for (const { method, path } of routes) {
    const takesPipelines =
      forPipelines.test(path) && `${method} ${path}` !== 'get /entities';
    const byPipeline = (await as(pipeline, method, path)).status;
    expect({
      route: `${method} ${path}`,
      none: (await as(none, method, path)).status,
      user: (await as(undefined, method, path)).status,
      pipeline: byPipeline === 401 ? 'unknown' : 'known',
    }).toEqual({
      route: `${method} ${path}`,
      none: 401,
      // Its own description is for everybody who is signed in.
      user: path === '/openapi.json' ? 200 : 403,
      pipeline: takesPipelines ? 'known' : 'unknown',
    });
  }
});

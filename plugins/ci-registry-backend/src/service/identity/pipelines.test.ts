/* eslint jest/expect-expect: ["warn", { "assertFunctionNames": ["expect", "expectRefused", "harness.expectRefused", "push.expect", "**.push.**.expect", "push.**.expect"] }] */
import { mockCredentials, mockServices } from '@backstage/backend-test-utils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import request from 'supertest';
import {
  component,
  deployment,
  pushOf,
  startHarness,
} from './__testUtils__/harness';
import { identityConfig, STATIC_TOKEN } from './__testUtils__/identityConfig';
import {
  AUDIENCE,
  COMMIT,
  githubClaims,
  gitlabClaims,
  otherClaims,
  TestIssuer,
} from './__testUtils__/TestIssuer';

jest.setTimeout(60_000);

const now = () => Math.floor(Date.now() / 1000);

let github: TestIssuer;
let gitlab: TestIssuer;
let other: TestIssuer;
let config: ReturnType<typeof identityConfig>;

beforeAll(async () => {
  [github, gitlab, other] = await Promise.all([
    TestIssuer.start(),
    TestIssuer.start(),
    TestIssuer.start('ES256'),
  ]);
  config = identityConfig({ github, gitlab, other });
});

afterAll(async () => {
  await Promise.all([github, gitlab, other].map(issuer => issuer.stop()));
});

describe('lets in', () => {
  it('GitHub Actions, from a branch and from a tag', async () => {
    const { push, decisions, events } = await startHarness({
      identity: config,
    });
    const token = await github.sign(githubClaims());
    const answer = await push(
      token,
      pushOf({
        entities: [
          component('ledger-service'),
          component('other', { owner: 'group:default/ledger' }, 'acme'),
        ],
        builds: [{ component: 'component:default/ledger-service' }],
        deployments: [deployment('production')],
      }),
    ).expect(200);
    const identity = {
      type: 'github',
      subject: 'repo:acme/ledger:ref:refs/heads/main',
      issuer: github.url,
      repository: 'https://github.com/acme/ledger',
      branch: 'main',
      commit: COMMIT,
      pipeline: 'https://github.com/acme/ledger/actions/runs/42',
      protectedRef: true,
    };
    expect(answer.body.identity).toEqual(identity);
    expect(await decisions()).toEqual([
      {
        id: expect.any(String),
        time: expect.stringMatching(/^20.*Z$/),
        allowed: true,
        code: 'allowed',
        reason: 'Allowed by rule "acme-on-github"',
        rule: 'acme-on-github',
        identity,
        request: {
          method: 'POST',
          path: '/api/ci-registry/pushes',
          repository: 'https://github.com/acme/ledger',
          entityRefs: [
            'component:default/ledger-service',
            'component:acme/other',
          ],
          entityCount: 2,
          environments: ['production'],
        },
      },
    ]);
    expect(events.success).toHaveBeenCalledTimes(1);
    await push(
      await github.sign(
        githubClaims({ ref: 'refs/tags/v1.2.0', ref_type: 'tag' }),
      ),
      pushOf(
        { deployments: [deployment('production')] },
        { branch: undefined },
      ),
    ).expect(200);
    await push(
      await github.sign(
        githubClaims({ ref: 'refs/heads/try', environment: 'preview-7' }),
      ),
      pushOf({ deployments: [deployment('preview-7')] }, { branch: 'try' }),
    ).expect(200);
    await push(
      await github.sign(githubClaims({ environment: 'sealed' })),
      pushOf({ deployments: [deployment('sealed')] }),
    ).expect(200);
  });

  it('GitLab CI, of any host', async () => {
    const { push } = await startHarness({ identity: config });
    const answer = await push(
      await gitlab.sign(
        gitlabClaims({ environment: 'production', ref_protected: true }),
      ),
      pushOf(
        {
          entities: [component('cards')],
          deployments: [
            deployment('production', { component: 'component:default/cards' }),
          ],
        },
        { repository: 'https://gitlab.example.com/acme/payments/cards' },
      ),
    ).expect(200);
    expect(answer.body.identity).toEqual({
      type: 'gitlab',
      subject: 'project_path:acme/payments/cards:ref_type:branch:ref:main',
      issuer: gitlab.url,
      repository: 'https://gitlab.example.com/acme/payments/cards',
      branch: 'main',
      commit: COMMIT,
      pipeline:
        'https://gitlab.example.com/acme/payments/cards/-/pipelines/574',
      environment: 'production',
      protectedRef: true,
    });
  });

  it('another issuer, by the names of its claims', async () => {
    const { push } = await startHarness({ identity: config });
    const body = pushOf(
      { entities: [component('fees')] },
      { repository: 'https://git.example.com/acme/fees' },
    );
    const answer = await push(
      await other.sign(otherClaims({ jti: undefined })),
      body,
    ).expect(200);
    expect(answer.body.identity).toEqual({
      type: 'oidc',
      subject: 'org/1/project/2',
      issuer: other.url,
      repository: 'https://git.example.com/acme/fees',
      branch: 'main',
      commit: COMMIT,
      pipeline: '77',
    });
    await push(
      await other.sign(otherClaims({ 'ci.example.com/origin': 'x y' })),
      body,
    ).expect(401, /part of a repository/);
  });

  it('a token for one audience in a list, and a clock that is a little off', async () => {
    const { push } = await startHarness({ identity: config });
    for (const claims of [
      { aud: [AUDIENCE] },
      { nbf: now() + 20, iat: now() + 20 },
      { repository_id: 1001, run_attempt: 1, note: ['{"a":"\\"', { b: ':' }] },
      { iat: now() - 400, exp: now() - 20 },
    ]) {
      await push(await github.sign(githubClaims(claims))).expect(200);
    }
  });

  it('static tokens, within their repositories and what needs no proof', async () => {
    const { push, decisions, auditor } = await startHarness({
      identity: config,
    });
    const body = (extra: object = {}, repository = 'acme/fees') =>
      pushOf(
        { entities: [component('fees')], ...extra },
        { repository: `https://git.example.com/${repository}` },
      );
    const staging = deployment('staging', {
      component: 'component:default/fees',
    });
    const answer = await push(
      STATIC_TOKEN,
      body({ deployments: [staging] }),
    ).expect(200);
    expect(answer.body.identity).toEqual({
      type: 'static',
      subject: 'token:jenkins',
    });
    await push(STATIC_TOKEN, body({}, 'acme/deep/fees')).expect(
      403,
      /source\.repository/,
    );
    await push(
      STATIC_TOKEN,
      body({ deployments: [{ ...staging, environment: 'production' }] }),
    ).expect(403, /cannot prove its branch/);
    await push(`${STATIC_TOKEN}0`, body()).expect(401);
    await push(STATIC_TOKEN.slice(0, -1), body()).expect(401);
    const told = JSON.stringify([
      await decisions(),
      auditor.createEvent.mock.calls,
    ]);
    expect(told).not.toContain(STATIC_TOKEN.slice(0, -1));
  });

  it('Backstage’s own users and services, by permission, with or without pipelines', async () => {
    for (const identity of [undefined, config]) {
      const { push, decisions } = await startHarness({ identity });
      const user = mockCredentials.user.header().slice('Bearer '.length);
      await push(user).expect(200);
      const service = mockCredentials.service
        .header({
          onBehalfOf: mockCredentials.service('plugin:scaffolder'),
          targetPluginId: 'ci-registry',
        })
        .slice('Bearer '.length);
      await push(service).expect(200);
      const none = mockCredentials.none.header().slice('Bearer '.length);
      await push(none).expect(401);
      expect(
        (await decisions()).map((d: any) => [d.code, d.identity.subject]),
      ).toEqual([
        ['unknown-token', undefined],
        ['allowed', 'plugin:scaffolder'],
        ['allowed', 'user:default/mock'],
      ]);
    }
    const denied = await startHarness({
      identity: config,
      permissions: mockServices.permissions.factory({
        result: AuthorizeResult.DENY,
      }),
    });
    await denied.push(undefined).expect(403, /ci-registry\.entity\.register/);
    await denied.push(await github.sign(githubClaims())).expect(200);
    await request(denied.server)
      .get('/api/ci-registry/decisions')
      .expect(403, /ci-registry\.decision\.read/);
    await request(denied.server)
      .delete('/api/ci-registry/bindings?name=x')
      .expect(403, /ci-registry\.binding\.forget/);
  });

  it('nobody by a pipeline’s token where none is configured', async () => {
    const { push } = await startHarness({ identity: undefined });
    await push(await github.sign(githubClaims())).expect(
      401,
      /No issuer .* is configured/,
    );
    expect(github.requests).toBeLessThan(50);
  });

  it('a check of a push without noting the token or the name', async () => {
    const { validate, push, decisions } = await startHarness({
      identity: config,
    });
    const stranger = githubClaims({ repository_id: '9' });
    await validate(await github.sign(stranger)).expect(200);
    await push(await github.sign(githubClaims())).expect(200);
    expect((await decisions()).map((d: any) => d.request.path)).toEqual([
      '/api/ci-registry/pushes',
      '/api/ci-registry/validate',
    ]);
    await validate(await github.sign(stranger)).expect(403);
  });
});

it('lets pipelines read that a rule covers, and no pull request', async () => {
  const { server, decisions } = await startHarness({ identity: config });
  const read = (token: string) =>
    request(server)
      .get('/api/ci-registry/gate?secret=1')
      .set('Authorization', `Bearer ${token}`);
  await read(await github.sign(githubClaims())).expect(200);
  await read(STATIC_TOKEN).expect(200);
  await read(
    await github.sign(githubClaims({ repository_owner_id: '666' })),
  ).expect(403, /No rule covers/);
  await read(
    await github.sign(githubClaims({ event_name: 'pull_request' })),
  ).expect(403, /pull_request/);
  const rows = await decisions();
  expect(rows.map((d: any) => d.code)).toEqual([
    'pull-request',
    'no-rule',
    'allowed',
    'allowed',
  ]);
  expect(rows[0].request).toEqual({
    method: 'GET',
    path: '/api/ci-registry/gate',
  });
});

it('tells who asked for what, page by page, to those who may know', async () => {
  const { server, push, decisions } = await startHarness({ identity: config });
  await push(await github.sign(githubClaims())).expect(200);
  await push(await github.sign(githubClaims({ sha: 'b'.repeat(40) }))).expect(
    403,
  );
  await push('nonsense').expect(401);
  const codes = async (query: string) =>
    (await decisions(query)).map((d: any) => d.code);
  expect(await codes('')).toEqual(['unknown-token', 'wrong-commit', 'allowed']);
  expect(await codes('allowed=true')).toEqual(['allowed']);
  expect(await codes('code=wrong-commit')).toEqual(['wrong-commit']);
  expect(await codes('repository=https://github.com/acme/ledger')).toEqual([
    'wrong-commit',
    'allowed',
  ]);
  expect(await codes('subject=nobody')).toEqual([]);
  expect(await codes('since=2099-01-01T00:00:00Z')).toEqual([]);
  expect(await codes('until=2099-01-01T00:00:00Z')).toHaveLength(3);
  const paged: string[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await request(server).get(
      `/api/ci-registry/decisions?limit=1${cursor && `&cursor=${cursor}`}`,
    );
    paged.push(...body.items.map((d: any) => d.code));
    if (!body.nextCursor) break;
    cursor = body.nextCursor;
  }
  expect(paged).toEqual(['unknown-token', 'wrong-commit', 'allowed']);
  for (const [query, field] of [
    ['limit=0', /limit/],
    ['cursor=abc', /cursor: must be a nextCursor/],
    ['allowed=maybe', /allowed/],
    ['since=yesterday', /since/],
    ['colour=red', /colour/],
  ] as const) {
    await request(server)
      .get(`/api/ci-registry/decisions?${query}`)
      .expect(400, field);
  }
  const none = mockCredentials.none.header();
  await request(server)
    .get('/api/ci-registry/decisions')
    .set('Authorization', none)
    .expect(401);
  await request(server)
    .get('/api/ci-registry/decisions')
    .set('Authorization', `Bearer ${await github.sign(githubClaims())}`)
    .expect(401);
});

import {
  createBackendPlugin,
  coreServices,
} from '@backstage/backend-plugin-api';
import { startTestBackend } from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { mockServices } from '@backstage/backend-test-utils';
import ciRegistryPlugin from '@rocket/plugin-ci-registry-backend';
import express from 'express';
import path from 'node:path';
import {
  call,
  CATALOG,
  cleanUp,
  OPENAPI,
  repository,
} from './__testUtils__/world';

afterEach(cleanUp);

const STATIC_TOKEN = 'static-token-of-a-pipeline-0123456789abcdef';
const fixture = (name: string) => path.join(__dirname, '__fixtures__', name);

/** What the catalog has beside the wallet. */
const ELSEWHERE = [
  {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Group',
    metadata: { name: 'payments', namespace: 'default' },
    spec: { type: 'team', children: [] },
  },
  {
    apiVersion: 'rocket.internal/v1alpha1',
    kind: 'CriticalPath',
    metadata: { name: 'payouts', namespace: 'default' },
    spec: {
      owner: 'group:default/payments',
      businessModel: 'domain:default/payments',
      type: 'transaction',
      lifecycle: 'production',
      steps: [{ name: 'book', component: 'component:default/ledger' }],
    },
  },
];

/** What the critical paths say to a deployment of the wallet. */
const criticalPaths = createBackendPlugin({
  pluginId: 'critical-paths',
  register(env) {
    env.registerInit({
      deps: { http: coreServices.httpRouter },
      async init({ http }) {
        const router = express.Router();
        router.get('/gate/component/default/wallet', (_req, res) => {
          res.json({
            entityRef: 'component:default/wallet',
            decision: 'block',
            reasons: [
              {
                effect: 'block',
                rule: 'budget',
                message: 'Payouts: the error budget is spent.',
              },
            ],
            generatedAt: '2026-11-21T12:00:00Z',
          });
        });
        http.use(router);
      },
    });
  },
});

async function startPortal() {
  const { server } = await startTestBackend({
    features: [
      ciRegistryPlugin,
      criticalPaths,
      catalogServiceMock.factory({ entities: ELSEWHERE }),
      mockServices.rootConfig.factory({
        data: {
          ciRegistry: {
            identity: {
              staticTokens: [
                {
                  name: 'wallet-ci',
                  secret: STATIC_TOKEN,
                  expires: '2099-01-01',
                  repositories: ['https://git.example.com/acme/*'],
                },
              ],
              rules: [
                {
                  name: 'acme',
                  from: ['wallet-ci'],
                  namespaces: ['default'],
                  environments: [{ name: 'production' }],
                },
              ],
            },
          },
        },
      }),
    ],
  });
  return `http://127.0.0.1:${server.port()}`;
}

describe('rocket-ci and the real registry', () => {
  let url: string;
  beforeAll(async () => {
    url = await startPortal();
  });

  function world() {
    const repo = repository();
    repo.init();
    const first = repo.commit(
      { 'catalog-info.yaml': CATALOG, 'openapi.yaml': OPENAPI },
      'first',
    );
    const head = repo.commit({ a: '1' }, 'second');
    const env = {
      ROCKET_URL: url,
      ROCKET_TOKEN: STATIC_TOKEN,
      ROCKET_REPOSITORY: 'https://git.example.com/acme/wallet',
      ROCKET_PIPELINE: 'https://git.example.com/acme/wallet/runs/7',
      ROCKET_CI_BACKOFF_MS: '1',
    };
    return { ...repo, first, head, env };
  }

  it('understand each other from the first check to the end of a deployment', async () => {
    const { folder, env, head, first, write, commit } = world();
    const run = async (...args: string[]) => {
      const result = await call(folder, [...args, '--json'], env);
      return { ...result, answer: result.json() };
    };
    const validated = await run('validate', '--portal');
    expect(validated.answer).toMatchObject({ askedPortal: true, errors: 0 });

    const registered = await run('register', '--complete');
    expect(registered.answer).toMatchObject({
      status: 'sent',
      response: {
        entities: [
          { entityRef: 'component:default/wallet', outcome: 'created' },
          { entityRef: 'system:default/wallet', outcome: 'created' },
          { entityRef: 'api:default/wallet', outcome: 'created' },
        ],
      },
    });
    expect(
      (await run('register', '--complete')).answer.response.entities.map(
        (e: any) => e.outcome,
      ),
    ).toEqual(['unchanged', 'unchanged', 'unchanged']);

    const digest = `sha256:${'d'.repeat(64)}`;
    const reported = await run(
      'report',
      '--coverage',
      fixture('jest.lcov'),
      '--tests',
      fixture('jest.junit.xml'),
      '--scan',
      fixture('codeql.sarif'),
      '--scan',
      fixture('grype.json'),
      '--image',
      `ghcr.io/acme/wallet:1@${digest}`,
      '--sbom',
      fixture('syft.cdx.json'),
      '--outcome',
      'succeeded',
      '--version',
      '1.0',
    );
    expect(reported.answer).toMatchObject({
      status: 'sent',
      response: {
        builds: [{ component: 'component:default/wallet', outcome: 'created' }],
      },
    });

    const begun = await run('deploy', 'start', '--version', '1.0');
    expect(begun.err).not.toContain('What ran before is not known');
    expect(begun.answer.response.deployments).toEqual([
      {
        id: begun.answer.id,
        component: 'component:default/wallet',
        outcome: 'created',
      },
    ]);
    const ended = await run('deploy', 'finish', '--outcome', 'succeeded');
    expect(ended.answer.response.deployments).toEqual([
      {
        id: begun.answer.id,
        component: 'component:default/wallet',
        outcome: 'updated',
      },
    ]);

    // The next deployment brings what was committed since that one.
    const third = commit({ a: '2' }, 'third');
    const fourth = commit({ a: '3' }, 'fourth');
    const next = await run('deploy', 'start', '--id', 'next');
    expect(next.code).toBe(0);
    const state = JSON.parse(
      require('node:fs').readFileSync(
        path.join(folder, '.rocket-ci/deployment.json'),
        'utf8',
      ),
    );
    expect(state.commits.map((c: any) => c.sha)).toEqual([fourth, third]);
    expect([first, head]).not.toContain(fourth);
    write({});
  });

  it('agree on what is wrong, and where', async () => {
    const { folder, env, write } = world();
    write({
      'catalog-info.yaml': CATALOG.replaceAll(
        'group:default/payments',
        'group:default/nobody',
      ).replace('criticalpath:default/payouts', 'criticalpath:default/none'),
    });
    const result = await call(folder, ['validate', '--portal', '--json'], env);
    expect(result.json()).toMatchObject({ askedPortal: true });
    const places = result
      .json()
      .problems.map((p: any) => `${p.line} ${p.rule} ${p.field}`);
    expect(places).toContain(
      '6 portal metadata.annotations.rocket.internal/critical-path',
    );
    expect(places).toContain('11 portal spec.owner');
  });

  it('are told apart from another repository by a 409, and from a stranger by a 401', async () => {
    const { folder, env } = world();
    const foreign = await call(folder, ['register', '--no-documents'], {
      ...env,
      ROCKET_REPOSITORY: 'https://git.example.com/acme/thief',
    });
    expect(foreign.code).toBe(4);
    expect(foreign.err).toContain('409');
    expect(foreign.err).toContain('https://git.example.com/acme/wallet');
    const stranger = await call(folder, ['register'], {
      ...env,
      ROCKET_TOKEN: 'nobody-knows-this-token',
    });
    expect(stranger.code).toBe(4);
    expect(stranger.err).toContain('401');
    const elsewhere = await call(folder, ['register'], {
      ...env,
      ROCKET_REPOSITORY: 'https://git.example.com/other/wallet',
    });
    expect(elsewhere.code).toBe(4);
    expect(elsewhere.err).toContain('403');
  });

  it('ask the critical paths before a deployment', async () => {
    const { folder, env } = world();
    const result = await call(folder, ['gate'], env);
    expect(result).toMatchObject({
      code: 1,
      err: expect.stringContaining('Payouts: the error budget is spent.'),
    });
    const unknown = await call(folder, ['gate', '--component', 'unknown'], env);
    expect(unknown).toMatchObject({
      code: 4,
      err: expect.stringContaining('404'),
    });
  });
});

import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  call,
  CATALOG,
  cleanUp,
  fakePortal,
  GENERIC,
  PUSHED,
  repository,
} from '../__testUtils__/world';

afterEach(cleanUp);

function history() {
  const repo = repository();
  repo.init();
  const commits = [
    repo.commit({ 'catalog-info.yaml': CATALOG, 'openapi.yaml': 'x' }, 'one'),
  ];
  for (const n of ['two', 'three', 'four']) commits.push(repo.commit({ n }, n));
  return { ...repo, commits };
}

const HEADS = { ...GENERIC, ROCKET_COMMIT: undefined };

describe('deploy', () => {
  it('names what comes since the last deployment that ended well, from start to finish', async () => {
    const { folder, commits } = history();
    const portal = await fakePortal(
      { body: { commit: commits[1] } },
      { body: PUSHED },
    );
    const env = { ...HEADS, ROCKET_URL: portal.url };
    const digest = `sha256:${'e'.repeat(64)}`;
    const begun = await call(
      folder,
      [
        'deploy',
        'start',
        '--environment',
        'staging',
        '--version',
        '2.0',
        '--image',
        `r/w@${digest}`,
      ],
      env,
    );
    expect(begun.code).toBe(0);
    expect(portal.asked[0].path).toBe(
      '/api/ci-registry/deployed?component=component%3Adefault%2Fwallet&environment=staging',
    );
    const [started] = portal.asked[1].body.deployments;
    expect(started).toMatchObject({
      component: 'component:default/wallet',
      environment: 'staging',
      version: '2.0',
      digest,
      startedAt: '2026-11-21T12:00:00.000Z',
      outcome: 'in-progress',
      url: GENERIC.ROCKET_PIPELINE,
    });
    expect(started).not.toHaveProperty('finishedAt');
    expect(started.commits.map((c: any) => c.subject)).toEqual([
      'four',
      'three',
    ]);
    expect(started.commits[0]).toMatchObject({
      sha: commits[3],
      author: 'Ana',
    });

    const ended = await call(
      folder,
      [
        'deploy',
        'finish',
        '--outcome',
        'rolled-back',
        '--reason',
        'errors\n rose',
      ],
      env,
    );
    expect(ended.code).toBe(0);
    expect(portal.asked[2].body.deployments[0]).toEqual({
      ...started,
      outcome: 'rolled-back',
      reason: 'errors rose',
      finishedAt: '2026-11-21T12:00:00.000Z',
    });
    const state = readFileSync(
      path.join(folder, '.rocket-ci/deployment.json'),
      'utf8',
    );
    expect(state).not.toContain(GENERIC.ROCKET_TOKEN);
  });

  it('names the commits of the change when the portal does not say what ran', async () => {
    const { folder, commits } = history();
    const portal = await fakePortal(
      { status: 403, body: {} },
      { body: PUSHED },
    );
    const result = await call(folder, ['deploy', 'start'], {
      ...HEADS,
      ROCKET_URL: portal.url,
      BASE_COMMIT: commits[2],
    });
    expect(result.err).toContain('What ran before is not known');
    expect(portal.asked[1].body.deployments[0]).toMatchObject({
      environment: 'production',
      commits: [expect.objectContaining({ sha: commits[3] })],
    });
  });

  it('brings no commit when it deploys what runs already', async () => {
    const { folder, commits } = history();
    const portal = await fakePortal(
      { body: { commit: commits[3] } },
      { body: PUSHED },
    );
    await call(folder, ['deploy', 'start'], {
      ...HEADS,
      ROCKET_URL: portal.url,
    });
    expect(portal.asked[1].body.deployments[0]).not.toHaveProperty('commits');
  });

  it('takes the times and the outcome from what the deployment script left', async () => {
    const { folder, write } = history();
    const portal = await fakePortal(
      { body: { commit: null } },
      { body: PUSHED },
    );
    write({
      'deployment.json': JSON.stringify({
        environment: 'production',
        image: `r/w@sha256:${'f'.repeat(64)}`,
        startedAt: '2026-11-21T11:00:00Z',
        finishedAt: '2026-11-21T11:09:00Z',
        outcome: 'failed',
        reason: 'no way back',
      }),
    });
    const result = await call(
      folder,
      ['deploy', 'finish', '--result', 'deployment.json'],
      {
        ...HEADS,
        ROCKET_URL: portal.url,
      },
    );
    expect(result.code).toBe(0);
    expect(portal.asked[1].body.deployments[0]).toMatchObject({
      digest: `sha256:${'f'.repeat(64)}`,
      startedAt: '2026-11-21T11:00:00.000Z',
      finishedAt: '2026-11-21T11:09:00.000Z',
      outcome: 'failed',
      reason: 'no way back',
    });
  });

  it('has the same id for every try of one run, and another one for the next try', async () => {
    const { folder } = history();
    const idOf = async (env: Record<string, string>) =>
      (
        await call(folder, ['deploy', 'start', '--dry-run', '--json'], {
          GITHUB_ACTIONS: 'true',
          GITHUB_REPOSITORY: 'acme/wallet',
          GITHUB_RUN_ID: '7',
          GITHUB_RUN_ATTEMPT: '1',
          ...env,
        })
      ).json().id;
    const id = await idOf({});
    expect(id).toMatch(/^production-[0-9a-f]{12}-[0-9a-f]{12}$/);
    expect(await idOf({})).toBe(id);
    expect(await idOf({ GITHUB_RUN_ATTEMPT: '2' })).not.toBe(id);
    expect(await idOf({ ROCKET_ENVIRONMENT: 'staging' })).not.toBe(id);
  });

  it.each([
    [['deploy'], 'Say deploy start or deploy finish'],
    [['deploy', 'stop'], 'Say deploy start or deploy finish'],
    [
      ['deploy', 'start', '--outcome', 'failed'],
      '--outcome belongs to deploy finish',
    ],
    [['deploy', 'finish'], 'Say how it ended'],
    [['deploy', 'finish', '--outcome', 'succeeded'], 'When did it begin?'],
    [
      ['deploy', 'start', '--environment', 'pro duction'],
      'The environment must be',
    ],
    [
      [
        'deploy',
        'finish',
        '--outcome',
        'failed',
        '--started',
        '2026-11-21T10:00:00Z',
        '--finished',
        '2026-11-21T09:00:00Z',
      ],
      'cannot finish',
    ],
  ])('%j is a wrong call', async (args, message) => {
    const { folder } = history();
    expect(await call(folder, [...args, '--dry-run'], HEADS)).toMatchObject({
      code: 2,
      err: expect.stringContaining(message),
    });
  });
});

describe('gate', () => {
  const gate = async (decision: string, ...args: string[]) => {
    const portal = await fakePortal({
      body: {
        entityRef: 'component:default/wallet',
        decision,
        reasons: [
          {
            effect: decision,
            rule: 'budget',
            message: 'Payouts: the budget is spent.',
          },
        ],
      },
    });
    const { folder } = history();
    const result = await call(folder, ['gate', ...args], {
      ...GENERIC,
      ROCKET_URL: portal.url,
    });
    return { ...result, asked: portal.asked };
  };

  it.each([
    ['allow', [], 0],
    ['warn', [], 0],
    ['warn', ['--warn-is', 'block'], 1],
    ['block', [], 1],
  ])('%s with %j ends with %d', async (decision, args, code) => {
    const result = await gate(decision, ...args);
    expect(result.code).toBe(code);
    expect(result.asked[0]).toMatchObject({
      method: 'GET',
      path: '/api/ci-registry/gate/component/default/wallet',
    });
    expect(result.out + result.err).toContain(
      `${decision}: Payouts: the budget is spent.`,
    );
  });

  it.each([
    [[], 0, 'warn'],
    [['--when-away', 'warn'], 0, 'warn'],
    [['--when-away', 'allow'], 0, 'allow'],
    [['--when-away', 'block'], 1, 'block'],
  ])(
    'of a portal that is away with %j ends with %d',
    async (args, code, decision) => {
      const portal = await fakePortal({ status: 503 });
      const { folder } = history();
      const result = await call(folder, ['gate', '--json', ...args], {
        ...GENERIC,
        ROCKET_URL: portal.url,
      });
      expect(result.code).toBe(code);
      expect(result.json()).toMatchObject({
        ok: code === 0,
        decision,
        reasons: [{ rule: 'portal-away' }],
      });
    },
  );

  it('takes no other answer for a yes', async () => {
    expect((await gate('perhaps')).code).toBe(4);
  });
});

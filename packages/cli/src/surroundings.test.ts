import path from 'node:path';
import {
  call,
  CATALOG,
  cleanUp,
  fakePortal,
  OPENAPI,
  PUSHED,
  repository,
} from './__testUtils__/world';
import { Git } from './git';
import { findSurroundings } from './surroundings';

afterEach(cleanUp);

const SHA = 'a'.repeat(40);
const BASE = 'b'.repeat(40);
const NOW = new Date('2026-11-21T12:00:00Z');

const find = (env: Record<string, string>, options = {}) =>
  findSurroundings(env, options, new Git(repository().folder), NOW);

const GITHUB = {
  GITHUB_ACTIONS: 'true',
  GITHUB_SERVER_URL: 'https://github.com',
  GITHUB_REPOSITORY: 'acme/wallet',
  GITHUB_SHA: SHA,
  GITHUB_REF: 'refs/heads/main',
  GITHUB_REF_TYPE: 'branch',
  GITHUB_REF_NAME: 'main',
  GITHUB_RUN_ID: '42',
  GITHUB_RUN_ATTEMPT: '2',
};
const GITLAB = {
  GITLAB_CI: 'true',
  CI_PROJECT_URL: 'https://gitlab.example.com/acme/pay/wallet',
  CI_COMMIT_SHA: SHA,
  CI_COMMIT_BRANCH: 'main',
  CI_COMMIT_REF_NAME: 'main',
  CI_COMMIT_BEFORE_SHA: BASE,
  CI_COMMIT_TIMESTAMP: '2026-11-21T10:00:00+01:00',
  CI_PIPELINE_URL: 'https://gitlab.example.com/acme/pay/wallet/-/pipelines/9',
  CI_JOB_ID: '77',
};

describe('where the command runs', () => {
  it('is told by GitHub Actions', () => {
    const { folder, write } = repository();
    write({ 'event.json': JSON.stringify({ before: BASE }) });
    expect(
      find({ ...GITHUB, GITHUB_EVENT_PATH: path.join(folder, 'event.json') }),
    ).toEqual({
      system: 'github',
      source: {
        repository: 'https://github.com/acme/wallet',
        commit: SHA,
        branch: 'main',
        pipeline: 'https://github.com/acme/wallet/actions/runs/42',
        time: NOW.toISOString(),
      },
      base: BASE,
      url: 'https://github.com/acme/wallet/actions/runs/42',
      attempt: '2',
    });
  });

  it('is told by GitHub Actions for a pull request and for a tag', () => {
    const { folder, write } = repository();
    write({
      'event.json': JSON.stringify({ pull_request: { base: { sha: BASE } } }),
    });
    expect(
      find({
        ...GITHUB,
        GITHUB_REF: 'refs/pull/12/merge',
        GITHUB_REF_NAME: '12/merge',
        GITHUB_HEAD_REF: 'feature',
        GITHUB_EVENT_PATH: path.join(folder, 'event.json'),
      }),
    ).toMatchObject({
      source: { branch: 'feature' },
      base: BASE,
      pullRequest: '12',
    });
    expect(
      find({ ...GITHUB, GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: 'v1' }).source,
    ).not.toHaveProperty('branch');
  });

  it('is told by GitLab CI', () => {
    expect(find(GITLAB)).toEqual({
      system: 'gitlab',
      source: {
        repository: 'https://gitlab.example.com/acme/pay/wallet',
        commit: SHA,
        branch: 'main',
        pipeline: GITLAB.CI_PIPELINE_URL,
        time: '2026-11-21T09:00:00.000Z',
      },
      base: BASE,
      url: GITLAB.CI_PIPELINE_URL,
      attempt: '77',
    });
    expect(
      find({ ...GITLAB, CI_COMMIT_BEFORE_SHA: '0'.repeat(40) }),
    ).not.toHaveProperty('base');
    expect(find({ ...GITLAB, CI_COMMIT_TAG: 'v1' }).source).not.toHaveProperty(
      'branch',
    );
  });

  it('is told by any other system, and by options first', () => {
    const env = {
      REPOSITORY_URL: 'https://ci:pass@git.example.com/acme/wallet',
      COMMIT: SHA,
      BRANCH: 'main',
      PIPELINE_URL: 'run 7',
      BASE_COMMIT: BASE,
    };
    expect(find(env)).toEqual({
      system: 'generic',
      source: {
        repository: 'https://git.example.com/acme/wallet',
        commit: SHA,
        branch: 'main',
        pipeline: 'run 7',
        time: NOW.toISOString(),
      },
      base: BASE,
    });
    expect(find({ ...env, ROCKET_BRANCH: 'x' }).source.branch).toBe('x');
    expect(
      find(
        { ...env, ROCKET_BRANCH: 'x' },
        {
          branch: 'y',
          commit: 'C'.repeat(40),
          time: '2026-11-21T10:00:00+01:00',
        },
      ).source,
    ).toMatchObject({
      branch: 'y',
      commit: 'c'.repeat(40),
      time: '2026-11-21T09:00:00.000Z',
    });
  });

  it('is told by Git alone', () => {
    const repo = repository();
    repo.init();
    repo.git('remote', 'add', 'origin', 'git@git.example.com:acme/wallet.git');
    const first = repo.commit({}, 'one');
    const second = repo.commit({}, 'tab\there \ud83d\ude80');
    const git = new Git(repo.folder);
    expect(findSurroundings({}, {}, git, NOW).source).toEqual({
      repository: 'git@git.example.com:acme/wallet.git',
      commit: second,
      branch: 'main',
      ancestors: [first],
      time: git.time(second),
    });
    expect(git.commits(first, second)).toEqual([
      {
        sha: second,
        time: git.time(second),
        subject: 'tab here \ud83d\ude80',
        author: 'Ana',
      },
    ]);
    expect(git.commits(undefined, second)).toHaveLength(1);
    expect(git.commits(SHA, second)).toHaveLength(1);
    expect(git.commits(first, SHA)).toEqual([]);
  });

  it('names no more ancestors than a push may hold', () => {
    const repo = repository();
    repo.init();
    const first = repo.commit({});
    // 520 commits, without a process for each.
    const lines = Array.from(
      { length: 520 },
      (_, n) =>
        `commit refs/heads/many\nmark :${n + 1}\ncommitter A <a@x> ${
          1_700_000_000 + n
        } +0000\ndata 1\nx\n${n === 0 ? `from ${first}\n` : `from :${n}\n`}\n`,
    );
    repo.write({ 'import.txt': lines.join('') });
    repo.git('-c', 'alias.load=!git fast-import --quiet < import.txt', 'load');
    const head = repo.git('rev-parse', 'many');
    const git = new Git(repo.folder);
    expect(git.ancestors(head)).toHaveLength(500);
    expect(git.commits(first, head)).toHaveLength(500);
  });
});

describe('identity', () => {
  const world = () => {
    const repo = repository();
    repo.write({ 'catalog-info.yaml': CATALOG, 'openapi.yaml': OPENAPI });
    return repo.folder;
  };
  const ID_TOKEN = 'aaa.id-token-canary.bbb';

  it('is a token that GitHub makes for the job and this portal', async () => {
    const github = await fakePortal({ body: { value: ID_TOKEN } });
    const portal = await fakePortal({ body: PUSHED });
    const result = await call(world(), ['register', '--json'], {
      ...GITHUB,
      ROCKET_URL: `${portal.url}/`,
      ACTIONS_ID_TOKEN_REQUEST_URL: `${github.url}/token?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request-canary',
    });
    expect(result.code).toBe(0);
    expect(github.asked).toMatchObject([
      {
        method: 'GET',
        path: `/token?api-version=2.0&audience=${encodeURIComponent(
          portal.url,
        )}`,
        headers: { authorization: 'Bearer request-canary' },
      },
    ]);
    expect(portal.asked[0].headers.authorization).toBe(`Bearer ${ID_TOKEN}`);
    expect(result.out + result.err).not.toMatch(/canary/);
  });

  it("is GitLab's, or the one that somebody set, which goes first", async () => {
    const portal = await fakePortal({ body: PUSHED });
    const env = {
      ...GITLAB,
      ROCKET_URL: portal.url,
      ROCKET_ID_TOKEN: ID_TOKEN,
    };
    await call(world(), ['register'], env);
    await call(world(), ['register'], { ...env, ROCKET_TOKEN: 'static-token' });
    expect(portal.asked.map(({ headers }) => headers.authorization)).toEqual([
      `Bearer ${ID_TOKEN}`,
      'Bearer static-token',
    ]);
  });

  it.each([
    [{ status: 503 } as const, 0, 'queued in'],
    [{ status: 403 } as const, 4, "GitHub's token service"],
    [{ body: {} } as const, 2, 'gave no token'],
  ])(
    'that GitHub answers with %j ends with %d',
    async (answer, code, message) => {
      const github = await fakePortal(answer);
      const portal = await fakePortal({ body: PUSHED });
      const result = await call(world(), ['register'], {
        ...GITHUB,
        ROCKET_CI_BACKOFF_MS: '1',
        ROCKET_URL: portal.url,
        ACTIONS_ID_TOKEN_REQUEST_URL: `${github.url}/`,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request-canary',
      });
      expect(result).toMatchObject({
        code,
        err: expect.stringContaining(message),
      });
      expect(portal.asked).toEqual([]);
    },
  );
});

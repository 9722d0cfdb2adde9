import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  type Answer,
  call,
  CATALOG,
  cleanUp,
  COMMIT,
  fakePortal,
  GENERIC,
  OPENAPI,
  PUSHED,
  repository,
  TOKEN,
} from './__testUtils__/world';
import { retryAfter } from './http';
import { Queue } from './queue';

afterEach(cleanUp);

const fixture = (name: string) => path.join(__dirname, '__fixtures__', name);

function world() {
  const repo = repository();
  repo.write({ 'catalog-info.yaml': CATALOG, 'openapi.yaml': OPENAPI });
  return repo;
}

const queueOf = (folder: string) =>
  path.join(folder, '.rocket-ci/queue.ndjson');

describe('register', () => {
  it('pushes entities with their files, and the documents of their APIs', async () => {
    const portal = await fakePortal({
      body: {
        ...PUSHED,
        entities: [
          { entityRef: 'component:default/wallet', outcome: 'created' },
        ],
        gone: ['component:default/old'],
        documents: [
          {
            api: 'api:default/wallet',
            outcome: 'updated',
            version: { version: 2, changes: [{ severity: 'breaking' }] },
          },
        ],
        warnings: ['the owner has no members'],
      },
    });
    const { folder } = world();
    const result = await call(
      folder,
      ['register', '--complete', '--removed', 'older', '--final', 'job'],
      { ...GENERIC, ROCKET_URL: `${portal.url}/` },
    );
    expect(result).toMatchObject({ code: 0 });
    const [asked] = portal.asked;
    expect(asked).toMatchObject({
      method: 'POST',
      path: '/api/ci-registry/pushes',
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect(asked.body).toEqual({
      source: {
        repository: GENERIC.ROCKET_REPOSITORY,
        commit: COMMIT,
        branch: 'main',
        pipeline: GENERIC.ROCKET_PIPELINE,
        time: '2026-11-21T10:00:00.000Z',
      },
      entities: [
        expect.objectContaining({ kind: 'Component' }),
        expect.objectContaining({ kind: 'System' }),
        expect.objectContaining({
          kind: 'API',
          spec: expect.objectContaining({ definition: OPENAPI }),
        }),
      ],
      complete: true,
      removed: ['component:default/older'],
      documents: [
        {
          api: 'api:default/wallet',
          component: 'component:default/wallet',
          format: 'openapi',
          definition: OPENAPI,
        },
      ],
      final: 'job',
    });
    expect(result.out.split('\n')).toEqual([
      'component:default/wallet: created',
      'component:default/old: gone',
      'document of api:default/wallet: updated, 1 breaking changes',
      '',
    ]);
    expect(result.err).toBe('warning: the owner has no members\n');
  });

  it('pushes nothing while a file is wrong', async () => {
    const portal = await fakePortal({});
    const { folder, write } = world();
    write({ 'catalog-info.yaml': CATALOG.replace('kind: API', 'kind: Api') });
    const result = await call(folder, ['register'], {
      ...GENERIC,
      ROCKET_URL: portal.url,
    });
    expect(result.code).toBe(1);
    expect(result.out).toContain(
      'catalog-info.yaml:23:1: error: kind must be written API',
    );
    expect(result.err).toContain(
      '1 error in the catalog files; nothing is registered',
    );
    expect(portal.asked).toEqual([]);
  });

  it('names the ancestors when there is Git, and takes the time of the commit', async () => {
    const repo = world();
    repo.init();
    const first = repo.commit({});
    const second = repo.commit({ a: '1' });
    const head = repo.commit({ a: '2' });
    repo.git(
      'remote',
      'add',
      'origin',
      'https://ci:secret-canary@git.example.com/acme/wallet.git',
    );
    const result = await call(
      repo.folder,
      ['register', '--dry-run', '--json'],
      {},
    );
    expect(result.json().push.source).toEqual({
      repository: 'https://git.example.com/acme/wallet.git',
      commit: head,
      branch: 'main',
      ancestors: [second, first],
      time: new Date(repo.git('log', '-1', '--format=%cI')).toISOString(),
    });
    expect(result.out + result.err).not.toContain('secret-canary');
  });
});

describe('a push', () => {
  const register = (folder: string, url: string, ...args: string[]) =>
    call(folder, ['register', ...args], { ...GENERIC, ROCKET_URL: url });

  it('is tried again, no sooner than the portal says', async () => {
    const portal = await fakePortal(
      { status: 503, headers: { 'retry-after': '0' } },
      'hang up',
      { status: 429 },
      { body: PUSHED },
    );
    const result = await register(world().folder, portal.url);
    expect(result.code).toBe(0);
    expect(portal.asked).toHaveLength(4);
    expect(result.err).toContain('503');
    expect(result.err).toContain('again in 0 ms');
  });

  it.each<[string, Answer, RegExp]>([
    ['is down', { status: 503 }, /is away after 5 attempts: 503/],
    ['hangs up', 'hang up', /is away after 5 attempts/],
    [
      'wants to be left alone for longer than anybody waits',
      { status: 503, headers: { 'retry-after': '3600' } },
      /is away after 1 attempt: 503.*come back in 3600 s/,
    ],
  ])('waits in a file while the portal %s', async (_, answer, message) => {
    const portal = await fakePortal(answer);
    const { folder } = world();
    const result = await register(folder, portal.url, '--final', 'job');
    expect(result.code).toBe(0);
    expect(result.err).toMatch(message);
    expect(result.err).toContain('queued in');
    const [entry] = new Queue(queueOf(folder)).read();
    expect(entry.portal).toBe(portal.url);
    // Without its end: whoever sends it later is another job.
    expect({ ...entry.push, final: 'job' }).toEqual(portal.asked[0].body);
    expect(entry.push.final).toBeUndefined();
    expect(readFileSync(queueOf(folder), 'utf8')).not.toContain(TOKEN);
  });

  it('waits while a slow portal does not answer in time', async () => {
    const portal = await fakePortal('silence');
    const { folder } = world();
    const result = await register(folder, portal.url, '--patience', '1');
    expect(result.code).toBe(0);
    expect(result.err).toMatch(/no answer in time; queued/);
  });

  it('waits while nobody listens, and fails when it is told to', async () => {
    const portal = await fakePortal({});
    await portal.stop();
    const { folder } = world();
    expect(
      await register(folder, portal.url, '--when-away', 'fail'),
    ).toMatchObject({
      code: 5,
      err: expect.stringContaining('ECONNREFUSED'),
    });
    expect(existsSync(queueOf(folder))).toBe(false);
    expect((await register(folder, portal.url)).code).toBe(0);
    expect(new Queue(queueOf(folder)).read()).toHaveLength(1);
  });

  it('goes after those that wait, in their order', async () => {
    const down = await fakePortal({ status: 503 });
    const { folder, write } = world();
    for (const n of [1, 2]) {
      write({ 'openapi.yaml': `${OPENAPI}# ${n}\n` });
      await register(folder, down.url);
    }
    // The same address answers again.
    const text = readFileSync(queueOf(folder), 'utf8');
    const up = await fakePortal({ body: PUSHED });
    writeFileSync(queueOf(folder), text.replaceAll(down.url, up.url));
    write({ 'openapi.yaml': `${OPENAPI}# 3\n` });
    expect((await register(folder, up.url)).code).toBe(0);
    expect(
      up.asked.map(
        ({ body }) => body.documents[0].definition.match(/# (\d)/)[1],
      ),
    ).toEqual(['1', '2', '3']);
    expect(existsSync(queueOf(folder))).toBe(false);
  });

  it('does not overtake what still waits', async () => {
    const portal = await fakePortal(
      { status: 503 },
      { status: 503 },
      { status: 503 },
      { status: 503 },
      { status: 503 },
      { body: PUSHED },
      { status: 503 },
    );
    const { folder, write } = world();
    await register(folder, portal.url);
    // The first in the queue is taken, the new one is not.
    write({ 'openapi.yaml': `${OPENAPI}# 2\n` });
    await register(folder, portal.url, '--attempts', '1');
    const waiting = new Queue(queueOf(folder)).read();
    expect(waiting.map(entry => entry.push.documents![0].definition)).toEqual([
      `${OPENAPI}# 2\n`,
    ]);
    // While the first is not taken, the next one is not even tried.
    write({ 'openapi.yaml': `${OPENAPI}# 3\n` });
    const before = portal.asked.length;
    await register(folder, portal.url, '--attempts', '1');
    expect(
      portal.asked.slice(before).map(a => a.body.documents[0].definition),
    ).toEqual([`${OPENAPI}# 2\n`]);
    expect(new Queue(queueOf(folder)).read()).toHaveLength(2);
  });

  it.each<[number, string]>([
    [400, 'entities.0.spec.owner: is unknown'],
    [401, 'the token is expired'],
    [403, 'component:default/wallet is not yours'],
    [404, 'no such route'],
    [409, 'component:default/wallet belongs to https://git.example.com/other'],
    [413, 'too large'],
  ])(
    'that is refused with %d says why, and does not wait',
    async (status, message) => {
      const portal = await fakePortal({ status, body: { error: { message } } });
      const { folder } = world();
      expect(await register(folder, portal.url)).toMatchObject({
        code: 4,
        err: `error: Rocket (${portal.url}/api/ci-registry/pushes) refused: ${status} ${message}\n`,
      });
      expect(portal.asked).toHaveLength(1);
      expect(existsSync(queueOf(folder))).toBe(false);
      const tolerant = await register(folder, portal.url, '--best-effort');
      expect(tolerant.code).toBe(0);
      expect(tolerant.err).toContain(
        `warning: Rocket is not told: Rocket (${portal.url}`,
      );
    },
  );

  it.each<[string, Answer, string]>([
    ['nonsense', { body: '<html>' }, 'not JSON'],
    [
      'somebody else',
      { body: { hello: 1 } },
      'did not say what became of the push',
    ],
    [
      'an address to go to',
      { status: 302, headers: { location: 'https://evil.example.com' } },
      'sends the caller elsewhere',
    ],
  ])(
    'that is answered with %s is not taken for done',
    async (_, answer, message) => {
      const portal = await fakePortal(answer);
      expect(await register(world().folder, portal.url)).toMatchObject({
        code: 4,
        err: expect.stringContaining(message),
      });
    },
  );

  it('shows no secret, whatever the portal answers', async () => {
    const portal = await fakePortal({
      status: 400,
      body: {
        error: {
          message: `your token ${TOKEN}\u001b[2J is\n::error::bad, https://u:pass-canary@h/`,
        },
      },
    });
    for (const args of [[], ['--json'], ['--best-effort', '--json']]) {
      const result = await register(world().folder, portal.url, ...args);
      expect(result.out + result.err).not.toContain(TOKEN);
      expect(result.out + result.err).not.toContain('pass-canary');
      expect(result.err).not.toContain('\u001b');
      expect(result.err).not.toMatch(/^::/m);
      expect(result.err).toContain('your token ***');
    }
  });

  it('is only shown with --dry-run, and needs no token for that', async () => {
    const portal = await fakePortal({});
    const result = await call(world().folder, ['register', '--dry-run'], {
      ...GENERIC,
      ROCKET_TOKEN: undefined,
      ROCKET_URL: portal.url,
    });
    expect(result.code).toBe(0);
    expect(JSON.parse(result.out).entities).toHaveLength(3);
    expect(portal.asked).toEqual([]);
  });

  it.each([
    [{ ROCKET_URL: undefined }, 'ROCKET_URL'],
    [{ ROCKET_URL: 'http://rocket.example.com' }, 'https://'],
    [{ ROCKET_URL: 'rocket' }, 'https://rocket.example.com'],
    [{ ROCKET_URL: 'https://a:b@rocket.example.com' }, 'user and password'],
    [{ ROCKET_TOKEN: undefined }, 'Nothing proves who calls'],
    [{ ROCKET_TOKEN: 'a\nb' }, 'is not a token'],
    [{ ROCKET_COMMIT: 'main' }, 'full id'],
    [{ ROCKET_TIME: 'yesterday' }, 'ISO 8601'],
    [{ ROCKET_REPOSITORY: undefined }, '--repository'],
  ])('needs %j', async (env, message) => {
    const result = await call(world().folder, ['register'], {
      ...GENERIC,
      ROCKET_URL: 'http://127.0.0.1:9',
      ...env,
    });
    expect(result).toMatchObject({
      code: 2,
      err: expect.stringContaining(message),
    });
  });
});

describe('flush', () => {
  const flush = (folder: string, url: string) =>
    call(folder, ['flush', '--json'], { ...GENERIC, ROCKET_URL: url });

  async function queued(portal: string, count: number) {
    const { folder } = world();
    const queue = new Queue(queueOf(folder));
    for (let n = 1; n <= count; n += 1)
      await queue.add(portal, { source: { n } as any }, new Date(0));
    return { folder, queue };
  }

  it('keeps what is refused beside the queue, and goes on', async () => {
    const portal = await fakePortal(({ body }) =>
      body.source.n === 2
        ? { status: 400, body: { error: { message: 'no' } } }
        : { body: PUSHED },
    );
    const { folder, queue } = await queued(portal.url, 3);
    const result = await flush(folder, portal.url);
    expect(result.code).toBe(4);
    expect(result.json()).toMatchObject({
      ok: false,
      sent: 2,
      refused: 1,
      waiting: 0,
    });
    expect(queue.read()).toEqual([]);
    expect(
      JSON.parse(readFileSync(`${queue.file}.refused`, 'utf8')),
    ).toMatchObject({
      push: { source: { n: 2 } },
      reason: expect.stringContaining('400 no'),
    });
  });

  it('leaves to another caller what this one may not send', async () => {
    const portal = await fakePortal(({ body }) =>
      body.source.n === 1 ? { status: 403, body: {} } : { body: PUSHED },
    );
    const { folder, queue } = await queued(portal.url, 2);
    expect((await flush(folder, portal.url)).json()).toMatchObject({
      sent: 1,
      kept: 1,
    });
    expect(queue.read().map(entry => entry.push.source)).toEqual([{ n: 1 }]);
  });

  it('stops at the first one that nobody takes', async () => {
    const portal = await fakePortal({ body: PUSHED }, { status: 503 });
    const { folder, queue } = await queued(portal.url, 3);
    const result = await flush(folder, portal.url);
    expect(result.code).toBe(5);
    expect(result.json()).toMatchObject({ sent: 1, waiting: 2 });
    expect(queue.read().map(entry => entry.push.source)).toEqual([
      { n: 2 },
      { n: 3 },
    ]);
  });

  it('sends nothing to a portal that it is not for', async () => {
    const portal = await fakePortal({ body: PUSHED });
    const { folder, queue } = await queued('https://rocket.example.com', 1);
    const result = await flush(folder, portal.url);
    expect(result).toMatchObject({
      code: 0,
      err: expect.stringContaining('1 wait for https://rocket.example.com'),
    });
    expect(portal.asked).toEqual([]);
    expect(queue.read()).toHaveLength(1);
  });

  it('names the line of a queue that is none', async () => {
    const { folder } = await queued('https://x', 1);
    writeFileSync(
      queueOf(folder),
      `${readFileSync(queueOf(folder), 'utf8')}{"id":1}\n`,
    );
    expect(await flush(folder, 'http://127.0.0.1:9')).toMatchObject({
      code: 3,
      err: expect.stringContaining('queue.ndjson:2: is no queued push'),
    });
  });

  it('loses nothing when many write at once', async () => {
    const { folder } = world();
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        new Queue(queueOf(folder)).add(
          'https://x',
          { source: { n } as any },
          new Date(n),
        ),
      ),
    );
    const numbers = new Queue(queueOf(folder))
      .read()
      .map(e => (e.push.source as any).n);
    expect(numbers.sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, n) => n),
    );
  });
});

describe('retry-after', () => {
  it('is seconds or a date', () => {
    const now = Date.parse('2026-11-21T10:00:00Z');
    expect(retryAfter('7', now)).toBe(7000);
    expect(retryAfter('Sat, 21 Nov 2026 10:00:30 GMT', now)).toBe(30_000);
    expect(retryAfter('Sat, 21 Nov 2026 09:00:00 GMT', now)).toBe(0);
    expect(retryAfter('soon', now)).toBeUndefined();
    expect(retryAfter(null, now)).toBeUndefined();
  });
});

describe('report', () => {
  const dry = async (args: string[]) => {
    const { folder } = world();
    const result = await call(
      folder,
      ['report', '--dry-run', '--json', ...args],
      GENERIC,
    );
    return {
      ...result,
      build: result.code === 0 ? result.json().push.builds[0] : undefined,
    };
  };

  it('says of a build what its tools said', async () => {
    const digest = `sha256:${'d'.repeat(64)}`;
    const { build, err } = await dry([
      '--coverage',
      fixture('jest.lcov'),
      '--coverage',
      fixture('go.cover'),
      '--tests',
      `unit=${fixture('surefire.junit.xml')}`,
      '--tests',
      fixture('jest.junit.xml'),
      '--scan',
      fixture('osv.json'),
      '--scan',
      `image=${fixture('grype.json')}`,
      '--image',
      `ghcr.io/acme/wallet@${digest}`,
      '--sbom',
      fixture('syft.cdx.json'),
      '--sbom-url',
      'https://example.com/sbom',
      '--outcome',
      'succeeded',
      '--version',
      '1.2.3',
      '--finished',
      'now',
    ]);
    expect(build).toEqual({
      component: 'component:default/wallet',
      version: '1.2.3',
      finishedAt: '2026-11-21T12:00:00.000Z',
      outcome: 'succeeded',
      coverage: {
        lines: { covered: 20, total: 25 },
        branches: { covered: 2, total: 4 },
        functions: { covered: 1, total: 2 },
      },
      tests: [
        { name: 'unit', passed: 2, failed: 1, skipped: 0, duration: 0.9 },
        {
          name: 'integration',
          passed: 4,
          failed: 1,
          skipped: 1,
          duration: 1002.376,
        },
      ],
      scans: [
        expect.objectContaining({ tool: 'osv-scanner', critical: 1 }),
        expect.objectContaining({ tool: 'image', critical: 1 }),
      ],
      artifacts: [
        {
          type: 'container-image',
          name: 'ghcr.io/acme/wallet',
          digest,
          sbom: expect.objectContaining({
            components: 3,
            url: 'https://example.com/sbom',
          }),
        },
      ],
      url: GENERIC.ROCKET_PIPELINE,
    });
    expect(err).toContain('coverage: 20 of 25 lines');
  });

  it.each([
    [['--coverage', 'none.lcov'], 3, 'none.lcov: does not exist'],
    [['--coverage', '.'], 3, '.: is not a file'],
    [['--coverage', fixture('osv.json')], 3, 'is no coverage report'],
    [['--sbom', fixture('syft.cdx.json')], 2, 'belongs to one artefact'],
    [['--outcome', 'green'], 2, '--outcome must be one of'],
    [['--covrage', 'x'], 2, "Unknown option '--covrage'"],
    [['coverage.lcov'], 2, 'Say what coverage.lcov is'],
    [['--component', 'a:b:c'], 2, '--component must be the ref'],
  ])('called with %j ends with %d', async (args, code, message) => {
    expect(await dry(args)).toMatchObject({
      code,
      err: expect.stringContaining(message),
    });
  });

  it('reads a folder that has a file for every class', async () => {
    const { folder, write } = world();
    const suite = (name: string) =>
      `<testsuite name="${name}"><testcase name="x" time="1"/></testsuite>`;
    write({
      'reports/TEST-a.xml': suite('a'),
      'reports/TEST-b.xml': suite('b'),
      'reports/a.txt': 'no XML',
    });
    const run = (...args: string[]) =>
      call(folder, ['report', '--dry-run', ...args], GENERIC);
    expect(
      JSON.parse(
        (await run('--tests', 'unit=reports')).out.replace(/^tests.*\n/, ''),
      ).builds[0].tests,
    ).toEqual([
      { name: 'unit', passed: 2, failed: 0, skipped: 0, duration: 2 },
    ]);
    write({ 'empty/a.txt': '' });
    expect(await run('--tests', 'empty')).toMatchObject({
      code: 3,
      err: 'error: empty: is a folder without XML files\n',
    });
  });

  it('takes a build whose tests fail for failed, unless it is told', async () => {
    const failing = ['--tests', fixture('surefire.junit.xml')];
    expect((await dry(failing)).build.outcome).toBe('failed');
    expect(
      (await dry([...failing, '--outcome', 'cancelled'])).build.outcome,
    ).toBe('cancelled');
    expect(
      (await dry(['--coverage', fixture('go.cover')])).build,
    ).not.toHaveProperty('outcome');
  });

  it('wants to know which component when there are several', async () => {
    const { folder, write } = world();
    write({ 'b/catalog-info.yaml': CATALOG.replaceAll('wallet', 'other') });
    const result = await call(folder, ['report', '--dry-run'], GENERIC);
    expect(result).toMatchObject({
      code: 2,
      err: expect.stringContaining('describe 2 Components'),
    });
    const named = await call(folder, ['report', '--dry-run'], {
      ...GENERIC,
      ROCKET_COMPONENT: 'Other',
    });
    expect(JSON.parse(named.out).builds[0].component).toBe(
      'component:default/other',
    );
  });
});

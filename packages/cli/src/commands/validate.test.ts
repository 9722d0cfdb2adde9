import { symlinkSync } from 'node:fs';
import path from 'node:path';
import {
  call,
  CATALOG,
  cleanUp,
  fakePortal,
  GENERIC,
  OPENAPI,
  repository,
  TOKEN,
} from '../__testUtils__/world';

afterEach(cleanUp);

const PATHS = `apiVersion: rocket.internal/v1alpha1
kind: CriticalPath
metadata:
  name: payouts
spec:
  owner: group:default/payments
  businessModel: domain:default/payments
  type: transaction
  lifecycle: production
  steps:
    - name: accept
      component: component:default/gateway
    - name: book
      component: component:default/ledger
  objectives:
    - sli: availability
      target: 99.9
      windowDays: 28
`;

function world(files: Record<string, string> = {}) {
  const repo = repository();
  repo.init();
  repo.write({
    'catalog-info.yaml': CATALOG,
    'openapi.yaml': OPENAPI,
    ...files,
  });
  return repo;
}

async function problems(files: Record<string, string>, ...args: string[]) {
  const { folder } = world(files);
  const result = await call(folder, ['validate', '--json', ...args]);
  const { problems: found } = result.json();
  return {
    code: result.code,
    list: found.map(
      (p: any) =>
        `${p.file}:${p.line}:${p.column} ${p.severity} ${p.rule} ${p.message}`,
    ),
  };
}

describe('validate', () => {
  it('finds nothing wrong with a sound repository, and says what it could not look up', async () => {
    const { folder } = world();
    const result = await call(folder, ['validate', '--json']);
    expect(result.json()).toMatchObject({
      ok: true,
      entities: 3,
      files: ['catalog-info.yaml'],
      askedPortal: false,
      problems: [],
      unchecked: ['criticalpath:default/payouts', 'group:default/payments'],
    });
    expect(result.code).toBe(0);
    const words = await call(folder, ['validate']);
    expect(words.out).toContain('3 entities in 1 file: 0 errors, 0 warnings');
  });

  it('says where each problem stands', async () => {
    const { code, list } = await problems({
      'catalog-info.yaml': `apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: wallet service
  tags: [Java]
  annotations:
    rocket.internal/critical-path: payouts
    count: 3
spec:
  type: service
  owner: component:default/x
  dependsOn:
    - resource:default/db
    - db
---
apiVersion: backstage.io/v1alpha1
kind: api
metadata: {name: wallet}
status: {}
spec: {type: openapi, lifecycle: production, owner: payments, definition: x}
`,
    });
    expect(code).toBe(1);
    expect(list).toEqual([
      expect.stringMatching(
        /^catalog-info.yaml:4:3 error schema metadata.name/,
      ),
      expect.stringMatching(
        /^catalog-info.yaml:5:10 error schema metadata.tags.0/,
      ),
      expect.stringMatching(
        /^catalog-info.yaml:7:5 error critical-path .* needs rocket.internal\/critical-path-step beside it/,
      ),
      expect.stringMatching(
        /^catalog-info.yaml:8:5 error schema metadata.annotations\["count"\] must be a text; put it in quotes/,
      ),
      expect.stringMatching(
        /^catalog-info.yaml:9:1 error schema spec.lifecycle is missing/,
      ),
      expect.stringMatching(
        /^catalog-info.yaml:11:3 error owner spec.owner must be the ref of a Group or a User, was "component:default\/x"/,
      ),
      expect.stringMatching(
        /^catalog-info.yaml:14:7 error relation spec.dependsOn.1/,
      ),
      expect.stringMatching(
        /^catalog-info.yaml:17:1 error schema kind must be written API/,
      ),
      expect.stringMatching(
        /^catalog-info.yaml:19:1 error schema status is no field/,
      ),
    ]);
  });

  it('finds dangling relations once it knows what exists', async () => {
    const files = {
      'known.txt':
        '# the org\ngroup:default/payments\n\ncriticalpath:default/payouts\n',
    };
    expect(await problems(files, '--known', 'known.txt')).toEqual({
      code: 0,
      list: [],
    });
    expect(
      await problems(
        { 'known.txt': 'criticalpath:default/payouts\n' },
        '--known',
        'known.txt',
      ),
    ).toEqual({
      code: 1,
      list: [
        'catalog-info.yaml:11:3 error owner spec.owner names group:default/payments, which does not exist',
        'catalog-info.yaml:20:3 error owner spec.owner names group:default/payments, which does not exist',
        'catalog-info.yaml:29:3 error owner spec.owner names group:default/payments, which does not exist',
      ],
    });
  });

  it('knows the steps of the paths in the repository', async () => {
    expect((await problems({ 'paths/catalog-info.yaml': PATHS })).list).toEqual(
      [],
    );
    expect(
      (
        await problems({
          'paths/catalog-info.yaml': PATHS.replace('name: book', 'name: post'),
        })
      ).list,
    ).toEqual([
      'catalog-info.yaml:6:5 error critical-path criticalpath:default/payouts has no step "book"; its steps are accept, post',
    ]);
  });

  it('checks critical paths', async () => {
    const { list } = await problems({
      'paths/catalog-info.yaml': PATHS.replace('name: accept', 'name: book')
        .replace('windowDays: 28', 'windowDays: 14\n      percentile: 99')
        .replace('type: transaction', 'aggregation: median'),
    });
    expect(list).toEqual([
      expect.stringMatching(/info.yaml:5:1 error schema spec.type must be/),
      expect.stringMatching(
        /:8:3 error schema spec.aggregation must be one of/,
      ),
      expect.stringMatching(/:13:7 error schema spec.steps.1.name must differ/),
      expect.stringMatching(
        /:18:7 error schema spec.objectives.0.windowDays must be one of 1, 7, 28, 30/,
      ),
      expect.stringMatching(
        /:19:7 error schema spec.objectives.0.percentile belongs to latency/,
      ),
    ]);
  });

  it('asks for what the company wants', async () => {
    const bare = CATALOG.replace(/ {2}annotations:\n.*\n.*\n/, '');
    expect((await problems({ 'catalog-info.yaml': bare })).list).toEqual([
      expect.stringMatching(/:3:1 warning critical-path the service is on no/),
    ]);
    expect(
      (await problems({ 'catalog-info.yaml': bare }, '--strict')).code,
    ).toBe(1);
    expect(
      (await problems({ 'catalog-info.yaml': bare }, '--membership', 'off'))
        .list,
    ).toEqual([]);
    expect(
      await problems({}, '--require', 'Component:backstage.io/techdocs-ref'),
    ).toEqual({
      code: 1,
      list: [
        'catalog-info.yaml:5:3 error annotation the annotation backstage.io/techdocs-ref is missing; every Component must have it',
      ],
    });
  });

  it('finds an entity that is described twice', async () => {
    const { list } = await problems({
      'b/catalog-info.yml': CATALOG.replace('./openapi', '../openapi'),
    });
    expect(list).toEqual([
      expect.stringMatching(
        /^b\/catalog-info.yml:4:3 error duplicate component:default\/wallet is also in catalog-info.yaml:1/,
      ),
      expect.stringContaining('system:default/wallet is also'),
      expect.stringContaining('api:default/wallet is also'),
    ]);
  });

  it.each([
    ['../../etc/passwd', 'must name a file of this repository'],
    ['https://example.com/a.yaml', 'must name a file of this repository'],
    ['./missing.yaml', 'names ./missing.yaml, which does not exist'],
    ['./link.yaml', 'must name a file of this repository'],
    ['.', '.: is not a file'],
  ])('puts in no definition from %s', async (target, message) => {
    const { folder, write } = world();
    write({ 'catalog-info.yaml': CATALOG.replace('./openapi.yaml', target) });
    symlinkSync('/etc/hostname', path.join(folder, 'link.yaml'));
    const { code, out } = await call(folder, ['validate']);
    expect(out).toContain(
      `catalog-info.yaml:30:3: error: spec.definition: $text ${message}`,
    );
    expect(code).toBe(1);
  });

  it('follows Locations within the repository', async () => {
    const { folder } = world({
      'catalog-info.yaml': `apiVersion: backstage.io/v1alpha1
kind: Location
metadata: {name: all}
spec:
  targets: [./a.yaml, ../out.yaml, ./none.yaml, "https://example.com/b.yaml"]
`,
      'a.yaml': CATALOG,
    });
    const result = await call(folder, ['validate', '--json']);
    expect(result.json()).toMatchObject({
      entities: 3,
      files: ['catalog-info.yaml', 'a.yaml'],
    });
    expect(
      result
        .json()
        .problems.map((p: any) => `${p.line}:${p.column} ${p.message}`),
    ).toEqual([
      '5:23 spec.targets.1 must name a file of this repository',
      '5:36 spec.targets.2 names ./none.yaml, which does not exist',
      '5:49 spec.targets.3 leads out of the repository; it is not followed',
    ]);
  });

  it('says what a file is that cannot be read', async () => {
    const { folder, write } = world();
    write({ 'catalog-info.yaml': Buffer.from([0x6b, 0x3a, 0xff, 0xfe]) });
    expect((await call(folder, ['validate'])).out).toContain(
      'catalog-info.yaml:1:1: error: is not UTF-8 text [file]',
    );
    write({ 'catalog-info.yaml': 'x'.repeat(5 * 1024 * 1024 + 1) });
    expect((await call(folder, ['validate'])).out).toContain(
      'is larger than 5242880 bytes',
    );
    expect(await call(folder, ['validate', 'nope.yaml'])).toMatchObject({
      code: 3,
      err: 'error: nope.yaml: does not exist\n',
    });
    expect(await call(repository().folder, ['validate'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('There is no catalog-info.yaml'),
    });
  });

  it('annotates the lines on GitHub', async () => {
    const { folder } = world({
      'catalog-info.yaml': CATALOG.replace('lifecycle: production', 'x: 1'),
    });
    const { out } = await call(folder, ['validate', '--offline'], {
      GITHUB_ACTIONS: 'true',
    });
    expect(out).toContain(
      '::error file=catalog-info.yaml,line=8,col=1::spec.lifecycle is missing\n',
    );
  });
});

describe('validate at the portal', () => {
  it('asks what is only known there, and shows it at the lines of the files', async () => {
    const portal = await fakePortal({
      body: {
        valid: false,
        problems: [
          {
            field:
              'entities.0.metadata.annotations.rocket.internal/critical-path',
            message: 'criticalpath:default/payouts does not exist',
            severity: 'error',
          },
          {
            field: 'entities.2.spec.owner',
            message: 'has no members',
            severity: 'warning',
          },
        ],
      },
    });
    const { folder } = world();
    const result = await call(folder, ['validate'], {
      ...GENERIC,
      ROCKET_URL: portal.url,
    });
    expect(result.code).toBe(1);
    expect(result.out).toContain(
      'catalog-info.yaml:6:5: error: metadata.annotations.rocket.internal/critical-path: criticalpath:default/payouts does not exist [portal]',
    );
    expect(result.out).toContain(
      'catalog-info.yaml:29:3: warning: spec.owner: has no members',
    );
    const [asked] = portal.asked;
    expect(asked).toMatchObject({
      method: 'POST',
      path: '/api/ci-registry/validate',
    });
    expect(asked.headers.authorization).toBe(`Bearer ${TOKEN}`);
    expect(asked.body.entities.map((e: any) => e.kind)).toEqual([
      'Component',
      'System',
      'API',
    ]);
    expect(asked.body.entities[2].spec.definition).toBe(OPENAPI);
  });

  it('is not asked about files that are broken, nor with --offline', async () => {
    const portal = await fakePortal({});
    const env = { ...GENERIC, ROCKET_URL: portal.url };
    const broken = world({
      'catalog-info.yaml': CATALOG.replace('kind: API', 'kind: Api'),
    });
    expect((await call(broken.folder, ['validate'], env)).code).toBe(1);
    expect(
      (await call(world().folder, ['validate', '--offline'], env)).code,
    ).toBe(0);
    expect(portal.asked).toEqual([]);
  });

  it.each([
    [{ status: 503 } as const, [], 0, 'is away after 5 attempts: 503'],
    [{ status: 503 } as const, ['--when-away', 'fail'], 5, 'is away'],
    [
      { status: 403, body: { error: { message: 'a pull request' } } } as const,
      [],
      0,
      '403 a pull request; checked only',
    ],
    [{ status: 403 } as const, ['--portal'], 4, 'refused: 403'],
    [
      { status: 400, body: { error: { message: 'source.time: no' } } } as const,
      [],
      4,
      '400 source.time: no',
    ],
  ])(
    'that answers %j, called with %j, ends with %d',
    async (answer, args, code, message) => {
      const portal = await fakePortal(answer);
      const result = await call(world().folder, ['validate', ...args], {
        ...GENERIC,
        ROCKET_URL: portal.url,
      });
      expect(result.code).toBe(code);
      expect(result.err).toContain(message);
    },
  );
});

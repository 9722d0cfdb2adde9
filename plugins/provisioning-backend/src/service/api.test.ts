import { rm } from 'node:fs/promises';
import { mockCredentials, mockServices } from '@backstage/backend-test-utils';
import { ConflictError, InputError } from '@backstage/errors';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import { ProvisioningClient } from '@rocket/plugin-provisioning-node';
import { SERVICE_NAME_PATTERN } from '@rocket/plugin-provisioning-common';
import fc from 'fast-check';
import type { Knex } from 'knex';
import {
  makeDatabase,
  makeDirectory,
  OWNER,
  pushFiles,
  startBackend,
  type TestBackend,
} from '../__testUtils__/backend';
import { databaseName } from '../local/databaseNames';
import { assertServiceName } from './names';

jest.setTimeout(60_000);

describe('the provisioning API', () => {
  let dataDir: string;
  let knex: Knex;
  let backend: TestBackend;

  beforeAll(async () => {
    dataDir = await makeDirectory();
    knex = makeDatabase();
    backend = await startBackend({
      dataDir,
      knex,
      config: {
        local: { postgres: { url: 'postgresql://nobody@127.0.0.1:1/none' } },
      },
      entities: {
        entities: [
          {
            apiVersion: 'backstage.io/v1alpha1',
            kind: 'Component',
            metadata: { name: 'card-gateway' },
            spec: { type: 'service' },
          },
        ],
      },
    });
  });

  afterAll(async () => {
    await backend?.stop();
    await knex?.destroy();
    await rm(dataDir, { recursive: true, force: true });
  });

  const createRepository = (name: unknown, more: object = {}) =>
    backend.call('POST', '/repositories', { name, owner: OWNER, ...more });

  it('creates a repository once, and the same request finds it again', async () => {
    const first = await createRepository('wallet-api', {
      description: 'Wallet',
    });
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({
      name: 'wallet-api',
      owner: OWNER,
      description: 'Wallet',
      defaultBranch: 'main',
      createdBy: 'user:default/mock',
    });
    expect(first.body.cloneUrl).toMatch(
      /\/api\/provisioning\/git\/wallet-api\.git$/,
    );
    const again = await createRepository('wallet-api', {
      description: 'Wallet',
    });
    expect(again.body).toEqual(first.body);
    expect(
      (await backend.call('GET', '/repositories')).body.items,
    ).toContainEqual(first.body);
    expect(
      (await backend.call('GET', '/repositories/wallet-api')).body,
    ).toEqual(first.body);
  });

  it('does not hand out a repository with content, but to the run that made it', async () => {
    await createRepository('filled-api', { requestId: 'task-1' });
    await pushFiles(backend, 'filled-api', { 'a.txt': 'a' });
    const other = await createRepository('filled-api');
    expect(other.status).toBe(409);
    expect(other.body.error.message).toMatch(/not empty; choose another name/);
    expect(
      (await createRepository('filled-api', { requestId: 'task-2' })).status,
    ).toBe(409);
    expect(
      (await createRepository('filled-api', { requestId: 'task-1' })).status,
    ).toBe(201);
  });

  it('says who has a name', async () => {
    const check = async (name: string) =>
      (await backend.call('GET', `/names/${name}`)).body;
    expect(await check('nobody-has-it')).toEqual({
      name: 'nobody-has-it',
      available: true,
    });
    expect(await check('card-gateway')).toMatchObject({
      available: false,
      reason: expect.stringMatching(/component 'card-gateway'/),
    });
    await createRepository('taken-api');
    expect(await check('taken-api')).toMatchObject({
      available: false,
      reason: expect.stringMatching(
        /repository 'taken-api'.*group:default\/ledger/,
      ),
    });
  });

  it('lets users act only for themselves and their groups', async () => {
    const foreign = 'group:default/cards';
    const create = await backend.call('POST', '/repositories', {
      name: 'foreign-api',
      owner: foreign,
    });
    expect(create.status).toBe(403);
    expect(create.body.error.message).toMatch(/Only group:default\/cards/);

    await knex('repositories').insert({
      name: 'cards-api',
      owner: foreign,
      default_branch: 'main',
      created_by: 'x',
      created_at: 'x',
    });
    const token = (access: string) =>
      backend.call('POST', '/git-tokens', { repository: 'cards-api', access });
    expect((await token('write')).status).toBe(403);
    expect((await token('read')).status).toBe(201);
    const deploy = await backend.call('POST', '/services', {
      name: 'cards-api',
      entityRef: 'component:default/cards-api',
      owner: OWNER,
      repository: 'cards-api',
    });
    expect(deploy.status).toBe(403);

    await knex('services').insert({
      name: 'cards-api',
      entity_ref: 'component:default/cards-api',
      owner: foreign,
      repository: 'cards-api',
      runtime: 'local',
      desired: 'running',
      phases: '[]',
      state: 'healthy',
      created_by: 'x',
      updated_at: 'x',
    });
    for (const operation of ['start', 'stop', 'restart']) {
      const { status } = await backend.call(
        'POST',
        `/services/cards-api/${operation}`,
      );
      expect(status).toBe(403);
    }
    expect((await backend.call('GET', '/services/cards-api')).status).toBe(200);
  });

  it('runs no service where the local runtime is switched off, and says so', async () => {
    const other = { dataDir: await makeDirectory(), knex: makeDatabase() };
    const off = await startBackend({
      ...other,
      config: { local: { enabled: false } },
    });
    try {
      const { status, body } = await off.call('POST', '/services', {
        name: 'wallet-api',
        entityRef: 'component:default/wallet-api',
        owner: OWNER,
        repository: 'wallet-api',
      });
      expect(status).toBe(501);
      expect(body.error.message).toContain('provisioning.local.enabled');
      expect((await off.call('GET', '/services')).body.items).toEqual([]);
    } finally {
      await off.stop();
      await other.knex.destroy();
      await rm(other.dataDir, { recursive: true, force: true });
    }
  });

  it('serves its description', async () => {
    const { status, body } = await backend.call('GET', '/openapi.json');
    expect(status).toBe(200);
    expect(body).toMatchObject({ openapi: '3.1.0' });
  });

  it('refuses what nobody is signed in for', async () => {
    for (const [method, path] of [
      ['GET', '/openapi.json'],
      ['GET', '/services'],
      ['GET', '/repositories'],
      ['GET', '/names/some-name'],
      ['POST', '/services'],
      ['POST', '/git-tokens'],
      ['GET', '/services/wallet-api/log'],
    ]) {
      const { status } = await fetch(`${backend.url}${path}`, {
        method,
        headers: { authorization: mockCredentials.none.header() },
      });
      expect([path, status]).toEqual([path, 401]);
    }
  });

  it.each([
    [{ repository: 'no-such-one' }, 404, /no repository 'no-such-one'/],
    [{ repository: 'wallet-api' }, 409, /still empty; push a commit first/],
    [
      { repository: 'filled-api', ref: 'gone' },
      404,
      /no branch, tag or commit 'gone'/,
    ],
    [{ repository: 'filled-api', ref: '--help' }, 400, /ref: .*not the name/],
    [{ repository: 'filled-api', ref: 'a..b' }, 400, /ref: .*not the name/],
    [
      { repository: 'filled-api', entityRef: 'x' },
      400,
      /entityRef: must be a full entity ref/,
    ],
    [
      { repository: 'filled-api', criticalPath: 'a b' },
      400,
      /criticalPath: must be/,
    ],
    [{ repository: 'filled-api', extra: 1 }, 400, /extra/],
  ])(
    'names the fault of a deployment with %j',
    async (more, status, message) => {
      const answer = await backend.call('POST', '/services', {
        name: 'some-api',
        entityRef: 'component:default/some-api',
        owner: OWNER,
        ...more,
      });
      expect(answer.body.error.message).toMatch(message);
      expect(answer.status).toBe(status);
      expect((await backend.call('GET', '/services/some-api')).status).toBe(
        404,
      );
    },
  );

  const badNames = [
    '',
    'ab',
    'Capital-api',
    'with space',
    'under_score',
    'dot.ted',
    '-dash',
    'dash-',
    '9lives',
    '../escape',
    '..',
    'a/../b',
    '%2e%2e%2f',
    '$(reboot)',
    '`id`',
    'a;b',
    'a|b',
    'a&b',
    'a\nb',
    'a\0b',
    '{{name}}',
    'ünïcode',
    '--upload-pack=x',
    'x'.repeat(64),
    'name\n',
  ];

  it.each(badNames)('refuses the name %j everywhere', async name => {
    expect((await createRepository(name)).status).toBe(400);
    expect((await createRepository(name)).body.error.message).toMatch(
      /name: must be 3 to 63/,
    );
    const deploy = (fields: object) =>
      backend.call('POST', '/services', {
        name: 'fine-name',
        repository: 'fine-name',
        entityRef: 'component:default/fine-name',
        owner: OWNER,
        ...fields,
      });
    expect((await deploy({ name })).status).toBe(400);
    expect((await deploy({ repository: name })).status).toBe(400);
    expect(
      (
        await backend.call('POST', '/git-tokens', {
          repository: name,
          access: 'read',
        })
      ).status,
    ).toBe(400);
  });

  // The rest cannot be said in a path: it is empty, or resolved before it is sent.
  it.each(badNames.filter(name => !/^\.*$/.test(name)))(
    'refuses the name %j in a path',
    async name => {
      const path = encodeURIComponent(name);
      for (const route of [
        `/names/${path}`,
        `/services/${path}`,
        `/repositories/${path}`,
        `/services/${path}/log`,
      ]) {
        expect((await backend.call('GET', route)).status).toBe(400);
      }
      expect(
        (await backend.call('POST', `/services/${path}/stop`)).status,
      ).toBe(400);
    },
  );

  it('takes no other text for a name, and each name gives safe identifiers', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string({ unit: fc.constantFrom(...'abz09-_./ \n$A') }),
        ),
        text => {
          const accepted = (() => {
            try {
              return assertServiceName(text) === text;
            } catch (error) {
              return !(error instanceof InputError);
            }
          })();
          const letters = [...text].every(c => /[a-z0-9-]/.test(c));
          const ends = /^[a-z]/.test(text) && !text.endsWith('-');
          expect(accepted).toBe(
            letters && ends && text.length >= 3 && text.length <= 63,
          );
        },
      ),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.stringMatching(SERVICE_NAME_PATTERN), name => {
        expect(`${databaseName(name)}_owner`).toMatch(/^svc_[a-z0-9_]{1,59}$/);
      }),
    );
  });

  it('answers its client with the same errors', async () => {
    const client = new ProvisioningClient({
      auth: mockServices.auth(),
      discovery: {
        getBaseUrl: async () => backend.url,
        getExternalBaseUrl: async () => backend.url,
      },
    });
    const options = { credentials: mockCredentials.user() };
    await expect(
      client.checkName('wallet-api', options),
    ).resolves.toMatchObject({
      available: false,
    });
    await expect(
      client.createRepository({ name: 'filled-api', owner: OWNER }, options),
    ).rejects.toThrow(ConflictError);
    await expect(
      client.createRepository({ name: 'No!', owner: OWNER }, options),
    ).rejects.toThrow(InputError);
    const repository = await client.createRepository(
      { name: 'client-api', owner: OWNER },
      options,
    );
    expect(repository.createdBy).toBe('user:default/mock');
    const token = await client.createGitToken(
      { repository: 'client-api', access: 'write' },
      options,
    );
    expect(Date.parse(token.expiresAt)).toBeGreaterThan(Date.now());
    await expect(client.getService('not-there', options)).rejects.toThrow(
      "There is no service 'not-there'",
    );
    await expect(
      new ProvisioningClient({
        auth: mockServices.auth(),
        discovery: {
          getBaseUrl: async () => 'http://127.0.0.1:1',
          getExternalBaseUrl: async () => '',
        },
      }).checkName('wallet-api', options),
    ).rejects.toThrow('Provisioning does not answer');
  });

  it('asks the permission policy for everything, Git included', async () => {
    const directory = await makeDirectory();
    const closed = await startBackend({
      dataDir: directory,
      knex,
      decision: AuthorizeResult.DENY,
      config: {
        local: { postgres: { url: 'postgresql://nobody@127.0.0.1:1/none' } },
      },
    });
    try {
      for (const [method, path] of [
        ['GET', '/services'],
        ['GET', '/services/wallet-api'],
        ['GET', '/services/wallet-api/log'],
        ['GET', '/repositories'],
        ['GET', '/repositories/wallet-api'],
        ['GET', '/names/wallet-api'],
        ['POST', '/repositories'],
        ['POST', '/git-tokens'],
        ['POST', '/services'],
        ['POST', '/services/wallet-api/stop'],
      ]) {
        const { status } = await closed.call(
          method,
          path,
          method === 'POST' ? {} : undefined,
        );
        expect([path, status]).toEqual([path, 403]);
      }
      const git = await fetch(
        `${closed.url}/git/wallet-api.git/info/refs?service=git-upload-pack`,
        { headers: { authorization: mockCredentials.user.header() } },
      );
      expect(git.status).toBe(403);
    } finally {
      await closed.stop();
      await rm(directory, { recursive: true, force: true });
    }
  });
});

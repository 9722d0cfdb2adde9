import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createServiceFactory } from '@backstage/backend-plugin-api';
import { mockCredentials, mockServices } from '@backstage/backend-test-utils';
import { ciRegistryServiceRef } from '@rocket/plugin-ci-registry-node';
import type { Effect, Operation } from '@rocket/plugin-provisioning-common';
import { ProvisioningClient } from '@rocket/plugin-provisioning-node';
import type { Knex } from 'knex';
import {
  freePorts,
  makeDatabase,
  makeDirectory,
  OWNER,
  pushFiles,
  runGit,
  startBackend,
  type TestBackend,
} from '../__testUtils__/backend';
import { fakeService } from '../__testUtils__/fakeService';

jest.setTimeout(120_000);

const group = (name: string) => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Group',
  metadata: { name, namespace: 'default' },
  spec: { type: 'team', children: [] },
});

describe('the effects API', () => {
  let dataDir: string;
  let knex: Knex;
  let backend: TestBackend;
  let client: ProvisioningClient;
  const credentials = mockCredentials.user();
  /** The CI registry: who pushed which entity. */
  const entities = new Map<string, any>();
  const registry = {
    getEntity: async (ref: string) => entities.get(ref),
    listEntities: async () => ({ items: [] }),
    push: jest.fn(async ({ source, removed = [] }) => {
      for (const ref of removed) {
        Object.assign(entities.get(ref), { state: 'gone', source });
      }
      return { gone: removed, warnings: [], deployments: [] };
    }),
  };

  beforeAll(async () => {
    dataDir = await makeDirectory();
    knex = makeDatabase();
    const port = await freePorts(50);
    backend = await startBackend({
      dataDir,
      knex,
      config: {
        local: {
          postgres: { url: 'postgresql://nobody@127.0.0.1:1/none' },
          ports: { from: port, to: port + 40 },
          readyTimeout: { seconds: 20 },
          healthInterval: { milliseconds: 100 },
          handOver: { watch: { milliseconds: 100 } },
        },
      },
      entities: {
        entities: [
          group('ledger'),
          group('cards'),
          {
            apiVersion: 'backstage.io/v1alpha1',
            kind: 'Component',
            metadata: { name: 'foreign-api', namespace: 'default' },
            spec: { type: 'service', owner: 'group:default/cards' },
            relations: [{ type: 'ownedBy', targetRef: 'group:default/cards' }],
          },
        ] as never,
      },
      features: [
        createServiceFactory({
          service: ciRegistryServiceRef,
          deps: {},
          factory: () => registry as never,
        }),
      ],
    });
    client = new ProvisioningClient({
      auth: mockServices.auth({ pluginId: 'scaffolder' }),
      discovery: mockServices.discovery.mock({
        getBaseUrl: async () => backend.url,
      }),
    });
  });

  afterAll(async () => {
    await backend?.stop();
    await knex?.destroy();
    await rm(dataDir, { recursive: true, force: true });
  });

  const request = (name: string, changes: object = {}) => ({
    type: 'git.repository',
    reference: name,
    subject: `component:default/${name}`,
    owner: OWNER,
    run: `task:${name}`,
    step: 'publish',
    intent: {},
    ...changes,
  });

  async function make(name: string, changes: object = {}): Promise<Effect> {
    const { id } = await client.requestEffect(request(name, changes), {
      credentials,
    });
    return client.waitForEffect(id, { credentials });
  }

  /** What the portal does: look at the plan, agree to it, wait. */
  async function operate(
    kind: string,
    subject: string,
    input: object = {},
  ): Promise<Operation> {
    const { status, body: plan } = await backend.call('POST', '/plans', {
      kind,
      subject,
      input,
    });
    expect([status, plan.error]).toEqual([200, undefined]);
    const { body } = await backend.call<Operation>('POST', '/operations', {
      kind,
      subject,
      input,
      digest: plan.digest,
    });
    for (;;) {
      const { body: operation } = await backend.call<Operation>(
        'GET',
        `/operations/${body.id}`,
      );
      if (!['waiting', 'running'].includes(operation.state)) return operation;
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  }

  it('makes a repository, and tells of it by subject, run, state and type', async () => {
    const effect = await make('wallet-api', {
      intent: { description: 'Wallet' },
    });
    expect(effect).toMatchObject({
      state: 'live',
      run: 'task:wallet-api',
      actor: 'user:default/mock',
      undo: 'Deletes the repository wallet-api, unless somebody pushed to it since',
      details: {
        defaultBranch: 'main',
        cloneUrl: expect.stringMatching(/\/git\/wallet-api\.git$/),
      },
    });
    expect(await client.getRepository('wallet-api', { credentials })).toEqual(
      expect.objectContaining({ owner: OWNER, description: 'Wallet' }),
    );
    await make('other-api');
    for (const query of [
      { subject: 'component:default/wallet-api' },
      { run: 'task:wallet-api', state: ['live' as const, 'failed' as const] },
      { type: 'git.repository', limit: 1 },
    ]) {
      expect(await client.listEffects(query, { credentials })).toEqual([
        effect,
      ]);
    }
    expect(
      await client.listEffects({ after: effect.sequence }, { credentials }),
    ).toMatchObject([{ reference: 'other-api' }]);
    expect(
      await client.listEffects({ state: ['manual'] }, { credentials }),
    ).toEqual([]);
    expect(
      (await client.listEffectEvents(effect.id, { credentials })).map(
        ({ to, actor }) => `${to} by ${actor}`,
      ),
    ).toEqual([
      'planned by user:default/mock',
      'applying by user:default/mock',
      'live by user:default/mock',
    ]);
    expect(
      (await client.observeEffect(effect.id, { credentials })).observation,
    ).toMatchObject({ state: 'present' });
    await rm(join(dataDir, 'git', 'wallet-api.git'), { recursive: true });
    expect(
      (await client.observeEffect(effect.id, { credentials })).observation,
    ).toMatchObject({
      state: 'drifted',
      differences: [{ field: 'files', intended: 'there', found: 'missing' }],
    });
  });

  it('refuses what is not asked for well, or not by its owner', async () => {
    const call = async (changes: object) => {
      const { status, body } = await backend.call(
        'POST',
        '/effects',
        request('bad-api', changes),
      );
      return [status, body.error?.message];
    };
    const before = await client.listEffects({}, { credentials });
    expect(await call({ owner: 'group:default/cards' })).toEqual([
      403,
      expect.stringMatching(/Only group:default\/cards may do this/),
    ]);
    expect(await call({ subject: 'component:default/foreign-api' })).toEqual([
      403,
      expect.stringMatching(
        /component:default\/foreign-api belongs to group:default\/cards/,
      ),
    ]);
    expect(await call({ type: 'no.such' })).toEqual([
      400,
      expect.stringMatching(/^type: there is no 'no.such' here/),
    ]);
    expect(await call({ intent: { commit: 'main' } })).toEqual([
      400,
      'intent.commit: must be a SHA',
    ]);
    expect(await call({ intent: { description: 'x', colour: 1 } })).toEqual([
      400,
      expect.stringMatching(/colour/),
    ]);
    expect(
      await call({ intent: { description: 'https://a:secret1@b/c' } }),
    ).toEqual([400, expect.stringMatching(/^intent.description: looks like/)]);
    expect(await call({ unknown: 1 })).toEqual([
      400,
      expect.stringMatching(/unknown/i),
    ]);
    expect(await call({ environment: '../x' })).toEqual([
      400,
      expect.stringMatching(/^environment: must be a DNS label/),
    ]);
    for (const type of ['git.repository', 'local.service', 'catalog.entity']) {
      expect(
        await call({
          type,
          reference: '../evil',
          intent: type === 'git.repository' ? {} : { repository: 'bad-api' },
        }),
      ).toEqual([400, expect.stringMatching(/^reference: must be/)]);
    }
    expect(await client.listEffects({}, { credentials })).toEqual(before);
    for (const path of ['/effects/no', '/effects/no/events']) {
      expect((await backend.call('GET', path)).status).toBe(404);
    }
    expect((await backend.call('GET', '/effects?state=no')).status).toBe(400);
    expect(await readdir(join(dataDir, 'git'))).not.toContain('evil.git');
  });

  it('refuses a name that another run has, and names it', async () => {
    await make('busy-api');
    const { status, body } = await backend.call(
      'POST',
      '/effects',
      request('busy-api', { run: 'task:second' }),
    );
    expect([status, body.error.message]).toEqual([
      409,
      'git.repository busy-api was begun by task:busy-api; go on with that run or undo it, or choose another name',
    ]);
    // Made by hand before: it stays whose it is, also when the run is undone.
    await backend.call('POST', '/repositories', {
      name: 'old-api',
      owner: OWNER,
    });
    await expect(make('old-api')).rejects.toThrow(
      /old-api is failed: The repository 'old-api' exists, belongs to group:default\/ledger and is not of this run/,
    );
    const operation = await operate('undo', 'component:default/old-api', {
      run: 'task:old-api',
    });
    expect(operation.state).toBe('done');
    expect(await readdir(join(dataDir, 'git'))).toContain('old-api.git');
  });

  it('keeps a permission on every route', async () => {
    const closed = await startBackend({
      dataDir: await makeDirectory(),
      knex: makeDatabase(),
      denied: [
        'provisioning.read',
        'provisioning.create',
        'provisioning.operate',
      ],
      config: { local: { enabled: false } },
    });
    try {
      for (const [method, path, body] of [
        ['GET', '/effects'],
        ['GET', '/effects/x'],
        ['GET', '/effects/x/events'],
        ['POST', '/effects', request('a-api')],
        ['POST', '/effects/x/observe', {}],
        ['POST', '/preflight', { effects: [request('a-api')] }],
      ] as const) {
        const { status } = await closed.call(method, path, body);
        expect([path, status]).toEqual([path, 403]);
      }
    } finally {
      await closed.stop();
    }
  });

  /** Repository, service and catalog entry, as a golden template makes them. */
  async function makeService(name: string) {
    const subject = `component:default/${name}`;
    const run = `task:${name}`;
    await make(name);
    const commit = await pushFiles(backend, name, fakeService());
    const tree = (
      await runGit(
        [
          `--git-dir=${join(dataDir, 'git', `${name}.git`)}`,
          'rev-parse',
          `${commit}^{tree}`,
        ],
        dataDir,
      )
    ).stdout.trim();
    await make(name, { intent: { commit, tree } });
    const service = await make(name, {
      type: 'local.service',
      step: 'deploy',
      intent: { repository: name, commit },
    });
    entities.set(subject, {
      entityRef: subject,
      state: 'active',
      source: { repository: name, commit },
    });
    const entry = await make(name, {
      type: 'catalog.entity',
      reference: subject,
      step: 'register',
      intent: { repository: name, commit },
    });
    expect(entry.details).toEqual({
      entityRef: subject,
      repository: name,
      commit,
    });
    return { subject, run, service };
  }

  it('undoes a whole run: entry, service and repository are gone, twice changes nothing', async () => {
    const { subject, run, service } = await makeService('undo-api');
    expect(service.details).toMatchObject({ url: expect.any(String) });
    const address = service.details.url as string;
    expect((await fetch(address)).status).toBe(200);
    expect(
      (await client.observeEffect(service.id, { credentials })).observation,
    ).toMatchObject({ state: 'present' });

    const undone = await operate('undo', subject, { run });
    expect(
      undone.steps.map(({ title, status }) => `${title}: ${status}`),
    ).toEqual([
      'Take back Catalog entry component:default/undo-api: done',
      'Take back Service on the local runtime undo-api: done',
      'Take back Git repository undo-api: done',
    ]);
    expect(undone.state).toBe('done');
    expect(
      (await client.listEffects({ run }, { credentials })).map(
        ({ state }) => state,
      ),
    ).toEqual(['undone', 'undone', 'undone']);
    await expect(fetch(address)).rejects.toThrow();
    expect((await backend.call('GET', '/services/undo-api')).status).toBe(404);
    expect(await readdir(join(dataDir, 'git'))).not.toContain('undo-api.git');
    expect((await backend.call('GET', '/repositories/undo-api')).status).toBe(
      404,
    );
    expect(entities.get(subject).state).toBe('gone');
    const pushes = registry.push.mock.calls.length;
    const { body } = await backend.call('POST', '/plans', {
      kind: 'undo',
      subject,
      input: { run },
    });
    expect(body.steps ?? []).toEqual([]);
    expect(registry.push.mock.calls.length).toBe(pushes);
    // The name is free again.
    expect((await make('undo-api', { run: 'task:again' })).state).toBe('live');
  });

  it('retires a service: nothing runs, the repository is read-only and shown so', async () => {
    const { subject, run } = await makeService('retire-api');
    const url = await backend.cloneUrl('retire-api', 'write');
    const retired = await operate('retire', subject);
    expect(retired.steps.map(({ title }) => title)).toEqual([
      'Retire Service on the local runtime retire-api',
      'Retire Git repository retire-api',
      'Retire Catalog entry component:default/retire-api',
    ]);
    expect(retired.state).toBe('done');
    expect(
      await client.listEffects(
        { subject, state: ['live', 'failed', 'undoing'] },
        { credentials },
      ),
    ).toEqual([]);
    const { archivedAt } = await client.getRepository('retire-api', {
      credentials,
    });
    expect(archivedAt).toMatch(/^20.*Z$/);
    // A token from before is no way around.
    const work = join(dataDir, 'retired');
    await runGit(['clone', '-q', url, work], dataDir);
    await runGit(['commit', '-q', '--allow-empty', '-m', 'more'], work);
    await expect(runGit(['push', '-q', url, 'main'], work)).rejects.toThrow(
      /403|archived/,
    );
    const token = await backend.call('POST', '/git-tokens', {
      repository: 'retire-api',
      access: 'write',
    });
    expect([token.status, token.body.error.message]).toEqual([
      403,
      expect.stringMatching(/is archived since .*; it can be read only/),
    ]);
    // The name stays taken by what is kept.
    const { body } = await backend.call('POST', '/preflight', {
      effects: [request('retire-api', { run: `${run}-2` })],
    });
    expect(body.passed).toBe(false);
  });
});

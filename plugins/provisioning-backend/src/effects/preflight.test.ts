import { readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  createBackendModule,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { ciRegistryServiceRef } from '@rocket/plugin-ci-registry-node';
import type {
  EffectRequest,
  PreflightFinding,
} from '@rocket/plugin-provisioning-common';
import {
  provisioningEffectsExtensionPoint,
  type EffectContext,
} from '@rocket/plugin-provisioning-node';
import {
  makeDatabase,
  makeDirectory,
  OWNER,
  startBackend,
} from '../__testUtils__/backend';
import { ThingHandler } from '../__testUtils__/effects';

jest.setTimeout(120_000);

const SUBJECT = 'component:default/pay-api';
const group = (name: string) => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Group',
  metadata: { name, namespace: 'default' },
  spec: { type: 'team', children: [] },
});
const component = (name: string, owner: string) => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Component',
  metadata: { name, namespace: 'default' },
  spec: { type: 'service', owner },
  relations: [{ type: 'ownedBy', targetRef: owner }],
});

/** A system that a module reaches over HTTP, as it reaches New Relic or a cluster. */
class RemoteHandler extends ThingHandler {
  readonly #url: () => string;

  constructor(url: () => string) {
    super('remote.policy');
    this.#url = url;
  }

  parseIntent(intent: JsonObject) {
    return intent;
  }

  async preflight(
    { reference }: { reference: string },
    { signal }: EffectContext,
  ): Promise<PreflightFinding[]> {
    const response = await fetch(`${this.#url()}/${reference}`, { signal });
    const found = { level: 'error' as const, subject: reference };
    switch (response.status) {
      case 404:
        return [];
      case 403:
        return [
          {
            ...found,
            reason: 'credentials-insufficient',
            message: 'The key may not write; use another',
          },
        ];
      case 200:
        return [
          {
            ...found,
            reason: 'name-taken',
            message: 'There is such a policy; choose another name',
          },
        ];
      default:
        throw new Error(`The remote system answers ${response.status}`);
    }
  }
}

/** The backend with a Git host, a catalog, a registry and a remote system that count what is written. */
async function setup(
  options: {
    config?: JsonObject;
    entities?: object[];
    denied?: string[];
    remote?: number;
    registered?: string[];
  } = {},
) {
  const dataDir = await makeDirectory();
  const knex = makeDatabase();
  let remoteWrites = 0;
  const server = createServer((req, res) => {
    if (req.method !== 'GET') remoteWrites += 1;
    res.statusCode = options.remote ?? 404;
    res.end();
  });
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const registry = {
    push: jest.fn(),
    register: jest.fn(),
    getEntity: async (ref: string) =>
      options.registered?.includes(ref)
        ? {
            entityRef: ref,
            state: 'active',
            source: { repository: 'elsewhere' },
          }
        : undefined,
  };
  const backend = await startBackend({
    dataDir,
    knex,
    denied: options.denied,
    config: {
      local: { postgres: { url: 'postgresql://nobody@127.0.0.1:1/none' } },
      ...options.config,
    },
    entities: {
      entities: [
        group('ledger'),
        group('cards'),
        ...(options.entities ?? []),
      ] as never,
    },
    features: [
      createServiceFactory({
        service: ciRegistryServiceRef,
        deps: {},
        factory: () => registry as never,
      }),
      createBackendModule({
        pluginId: 'provisioning',
        moduleId: 'remote',
        register(env) {
          env.registerInit({
            deps: { extension: provisioningEffectsExtensionPoint },
            async init({ extension }) {
              extension.addEffectHandler(
                new RemoteHandler(() => `http://127.0.0.1:${port}`),
              );
            },
          });
        },
      }),
    ],
  });

  /** Everything that any step of a run could have written. */
  async function world() {
    const tables = await knex('sqlite_master')
      .where({ type: 'table' })
      .pluck('name');
    const rows = await Promise.all(
      tables.map(async name => [
        name,
        (await knex(name).count({ n: '*' }))[0].n,
      ]),
    );
    return {
      rows,
      git: await readdir(join(dataDir, 'git')).catch(() => 'gone'),
      registry:
        registry.push.mock.calls.length + registry.register.mock.calls.length,
      remoteWrites,
    };
  }

  return {
    ...backend,
    dataDir,
    world,
    async stop() {
      await backend.stop();
      server.closeAllConnections();
      server.close();
      await knex.destroy();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

type Setup = Awaited<ReturnType<typeof setup>>;

/** What a golden template's run asks for. */
function effects(changes: Partial<EffectRequest> = {}): EffectRequest[] {
  const common = {
    subject: SUBJECT,
    owner: OWNER,
    run: 'task:1',
    step: 'preflight',
    intent: {},
    ...changes,
  };
  return [
    { ...common, type: 'git.repository', reference: 'pay-api' },
    {
      ...common,
      type: 'local.service',
      reference: 'pay-api',
      intent: { repository: 'pay-api' },
    },
    { ...common, type: 'remote.policy', reference: 'pay-api' },
    {
      ...common,
      type: 'catalog.entity',
      reference: SUBJECT,
      intent: { repository: 'pay-api', others: ['api:default/pay-api'] },
    },
  ];
}

describe('preflight', () => {
  let backend: Setup;
  afterEach(() => backend?.stop());

  async function check(requests: EffectRequest[] = effects()) {
    const before = await backend.world();
    const { status, body } = await backend.call('POST', '/preflight', {
      effects: requests,
    });
    // Whatever was found, nobody was written to.
    expect(await backend.world()).toEqual(before);
    expect(before.remoteWrites + before.registry).toBe(0);
    expect(status).toBe(200);
    const errors = (body.findings as PreflightFinding[]).filter(
      ({ level }) => level === 'error',
    );
    expect(body.passed).toBe(errors.length === 0);
    return errors;
  }

  it('finds nothing against a run that can work', async () => {
    backend = await setup();
    expect(await check()).toEqual([]);
  });

  const faults: [
    string,
    Parameters<typeof setup>[0],
    EffectRequest[] | undefined,
    string[],
    RegExp,
  ][] = [
    [
      'an entity of that name',
      { entities: [component('pay-api', OWNER)] },
      undefined,
      ['name-taken'],
      /The catalog has component:default\/pay-api already/,
    ],
    [
      'an entity that is registered and not in the catalog yet',
      { registered: ['api:default/pay-api'] },
      undefined,
      ['name-taken'],
      /The CI registry has api:default\/pay-api already, from elsewhere/,
    ],
    [
      'a component of another owner',
      { entities: [component('pay-api', 'group:default/cards')] },
      undefined,
      ['subject-foreign', 'name-taken'],
      /belongs to group:default\/cards and not to group:default\/ledger/,
    ],
    [
      'an owner that the catalog does not have',
      {},
      effects({ owner: 'group:default/nobody' }),
      ['owner-unknown', 'owner-foreign'],
      /The catalog has no group:default\/nobody/,
    ],
    [
      "another team's name as the owner",
      {},
      effects({ owner: 'group:default/cards' }),
      ['owner-foreign'],
      /Only group:default\/cards may do this.*choose a group of yours/,
    ],
    [
      'something that can own nothing',
      {},
      effects({ owner: 'component:default/pay-api' }),
      ['owner-unknown'],
      /can own nothing; name a group or a user/,
    ],
    [
      'a quota that is used up',
      {
        config: {
          quota: [
            { type: 'git.repository', max: 99 },
            { type: 'git.repository', max: 0, owner: OWNER },
          ],
        },
      },
      undefined,
      ['quota-exceeded'],
      /group:default\/ledger has 0 of 0 git.repository and this run needs 1 more/,
    ],
    [
      'a person who may not push',
      { denied: ['provisioning.operate'] },
      undefined,
      ['credentials-insufficient'],
      /permission provisioning\.operate, which creating a repository/,
    ],
    [
      'a thing of that name in a remote system',
      { remote: 200 },
      undefined,
      ['name-taken'],
      /There is such a policy/,
    ],
    [
      'a key that may not write to a remote system',
      { remote: 403 },
      undefined,
      ['credentials-insufficient'],
      /The key may not write/,
    ],
    [
      'a remote system that is away',
      { remote: 503 },
      undefined,
      ['unavailable'],
      /Could not ask remote.policy pay-api: The remote system answers 503; try again/,
    ],
    [
      'an installation that runs no services',
      { config: { local: { enabled: false } } },
      undefined,
      ['runtime-missing'],
      /runs no services itself/,
    ],
    [
      'a name that is none, and a field that is unknown',
      {},
      [
        { ...effects()[0], reference: '../etc' },
        { ...effects()[1], intent: { repository: 'pay-api', colour: 'x' } },
      ],
      ['input-invalid', 'input-invalid'],
      /must be 3 to 63 lower-case letters/,
    ],
    [
      'a secret where none is kept, and a thing that is asked for twice',
      {},
      [
        { ...effects()[2], intent: { apiKey: 'NRAK-SECRET' } },
        effects()[0],
        effects()[0],
        { ...effects()[0], type: 'no.such' },
      ],
      ['input-invalid', 'duplicate', 'input-invalid'],
      /intent.apiKey: looks like a secret/,
    ],
  ];
  it.each(faults)(
    'stops a run for %s',
    async (_name, options, requests, reasons, message) => {
      backend = await setup(options);
      const errors = await check(requests);
      expect(errors.map(({ reason }) => reason)).toEqual(reasons);
      expect(errors.map(error => error.message).join('\n')).toMatch(message);
    },
  );

  it('stops a run for a repository or a service that is there, and for what another run has begun', async () => {
    backend = await setup();
    await backend.call('POST', '/repositories', {
      name: 'pay-api',
      owner: OWNER,
    });
    const [taken, ...others] = await check();
    expect(taken).toMatchObject({
      reason: 'name-taken',
      subject: 'repository pay-api',
    });
    expect(others).toEqual([]);

    const { body: mine } = await backend.call('POST', '/effects', {
      ...effects({ run: 'task:0' })[2],
      deferred: true,
    });
    expect(mine.state).toBe('planned');
    const errors = await check();
    expect(errors.map(({ reason }) => reason)).toEqual([
      'name-taken',
      'name-taken',
    ]);
    expect(errors[1].message).toMatch(
      /remote.policy pay-api exists for component:default\/pay-api \(planned, made by task:0\); choose another name, or undo that run/,
    );
    // The run itself may go on after an interruption.
    expect((await check(effects({ run: 'task:0' }).slice(1))).length).toBe(0);
  });

  it.each([
    [
      'left out where services run elsewhere',
      { staging: { runtime: 'kubernetes', kubernetes: { cluster: 'eu' } } },
      'warning',
      /left out, deploy to staging once the pipeline/,
    ],
    [
      'in the way of the run where they run nowhere',
      {},
      'error',
      /runs no services itself .* through its pipelines/,
    ],
  ])(
    'says that what is for the local runtime, which is off, is %s',
    async (_name, environments, level, message) => {
      backend = await setup({
        config: { local: { enabled: false }, environments },
      });
      const database = {
        ...effects()[0],
        type: 'postgres.database',
        reference: 'local/pay-api',
        intent: { service: 'pay-api' },
      };
      const { body } = await backend.call('POST', '/preflight', {
        effects: [...effects(), database],
      });
      expect(body.passed).toBe(level === 'warning');
      const missing = {
        reason: 'runtime-missing',
        level,
        message: expect.stringMatching(message),
      };
      expect(
        body.findings.filter((one: PreflightFinding) => one.level !== 'ok'),
      ).toEqual([
        { ...missing, subject: 'service pay-api' },
        { ...missing, subject: 'local/pay-api' },
      ]);
      // Nobody says later that it was made.
      const { body: asked } = await backend.call('POST', '/effects', database);
      let made = asked;
      while (!['live', 'failed'].includes(made.state)) {
        ({ body: made } = await backend.call('GET', `/effects/${asked.id}`));
      }
      expect(made).toMatchObject({
        state: 'failed',
        message: expect.stringContaining("no database server 'local'"),
      });
    },
  );

  it('stops a run when the Git host cannot write', async () => {
    backend = await setup();
    await rm(join(backend.dataDir, 'git'), { recursive: true });
    expect(await check()).toMatchObject([{ reason: 'storage-not-writable' }]);
  });

  it('refuses what is not a preflight', async () => {
    backend = await setup({ denied: ['provisioning.create'] });
    const { status } = await backend.call('POST', '/preflight', {
      effects: effects(),
    });
    expect(status).toBe(403);
    await backend.stop();
    backend = await setup();
    for (const [body, message] of [
      [{}, /^effects: /],
      [{ effects: [] }, /^effects: /],
      [{ effects: effects({ run: 'x' }) }, /run: must be task:<id>/],
      [{ effects: effects({ subject: 'pay' }) }, /subject: must be a full/],
      [
        { effects: [{ ...effects()[0], type: 'git' }] },
        /effects.0.type: must be <system>.<thing>/,
      ],
    ] as const) {
      const answer = await backend.call('POST', '/preflight', body);
      expect(answer.status).toBe(400);
      expect(answer.body.error.message).toMatch(message);
    }
  });
});

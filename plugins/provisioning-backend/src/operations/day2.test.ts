import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { mockServices } from '@backstage/backend-test-utils';
import type { JsonObject } from '@backstage/types';
import type {
  Effect,
  Operation,
  OperationPlan,
} from '@rocket/plugin-provisioning-common';
import type { Knex } from 'knex';
import {
  freePorts,
  makeDatabase,
  makeDirectory,
  OWNER,
  pushFiles,
  startBackend,
  type TestBackend,
} from '../__testUtils__/backend';
import { fakeService } from '../__testUtils__/fakeService';

jest.setTimeout(300_000);

const SUBJECT = 'component:default/pay-api';
const NAME = 'pay-api';
const WAITS =
  'What changes in production waits for an approver; ask for an operation';

/** Everything on real processes of the local runtime, over HTTP. */
describe('day two', () => {
  let dataDir: string;
  let knex: Knex;
  let backend: TestBackend;
  const commits: string[] = [];
  const auditor = mockServices.auditor.mock({
    createEvent: jest.fn(async () => ({
      success: async () => {},
      fail: async () => {},
    })),
  });

  const MANIFEST = {
    database: 'postgresql',
    migrate: ['node', '-e', 'console.log("migrating")'],
    seed: ['node', '-e', 'console.log("seeding")'],
  };

  beforeAll(async () => {
    dataDir = await makeDirectory();
    knex = makeDatabase();
    const port = await freePorts(51);
    backend = await startBackend({
      dataDir,
      knex,
      config: {
        environments: {
          local: {},
          staging: { tier: 'staging' },
          production: {
            tier: 'production',
            approval: { required: true, approvers: [OWNER] },
            kubernetes: { cluster: 'eu-1', namespace: '{service}' },
          },
        },
        local: {
          postgres: { port: port + 50 },
          ports: { from: port, to: port + 40 },
          readyTimeout: { seconds: 20 },
          healthInterval: { milliseconds: 100 },
          handOver: { watch: { milliseconds: 100 } },
          commandTimeout: { seconds: 60 },
          stopGrace: { seconds: 1 },
          restart: { max: 2, delay: { milliseconds: 20 } },
        },
      },
      features: [auditor.factory],
    });
    await backend.call('POST', '/repositories', { name: NAME, owner: OWNER });
    commits.push(
      await pushFiles(backend, NAME, fakeService({ version: '1' }, MANIFEST)),
    );
    await backend.call('POST', '/services', {
      name: NAME,
      entityRef: SUBJECT,
      owner: OWNER,
      repository: NAME,
    });
    await backend.until(NAME, ({ state }) => state === 'healthy', 200);
  });

  afterAll(async () => {
    await backend?.stop();
    await knex?.destroy();
    await rm(dataDir, { recursive: true, force: true });
  });

  const plan = (kind: string, input: JsonObject, environment?: string) =>
    backend.call<OperationPlan>('POST', '/plans', {
      kind,
      subject: SUBJECT,
      environment,
      input,
    });

  async function ask(kind: string, input: JsonObject, environment?: string) {
    const planned = await plan(kind, input, environment);
    expect([planned.status, planned.body]).toEqual([200, expect.anything()]);
    return backend.call<Operation>('POST', '/operations', {
      kind,
      subject: SUBJECT,
      environment,
      input,
      digest: planned.body.digest,
      reason: 'a test',
    });
  }

  async function carryOut(
    kind: string,
    input: JsonObject,
    environment?: string,
  ): Promise<Operation> {
    const { status, body } = await ask(kind, input, environment);
    expect([status, body.state]).toEqual([202, 'running']);
    for (;;) {
      const now = await backend.call<Operation>(
        'GET',
        `/operations/${body.id}`,
      );
      if (now.body.state !== 'running') return now.body;
      await delay(50);
    }
  }

  const version = async (name: string) => {
    const { body } = await backend.call('GET', `/services/${name}`);
    const answer = await fetch(body.url);
    return (await answer.json()).version;
  };

  it('deploys to an environment, beside what runs elsewhere', async () => {
    expect((await plan('deploy', {}, 'nowhere')).status).toBe(404);
    expect(
      (await plan('rollback', { commit: commits[0] }, 'staging')).status,
    ).toBe(404);
    expect(
      (await plan('deploy', { ref: 'a', commit: commits[0] })).status,
    ).toBe(400);
    const done = await carryOut('deploy', {}, 'staging');
    expect(done.state).toBe('done');
    expect(
      await backend.call('GET', '/services/pay-api-staging'),
    ).toMatchObject({
      body: { environment: 'staging', state: 'healthy', commit: commits[0] },
    });
    expect(await version(NAME)).toBe('1');
    const { body } = await backend.call(
      'GET',
      `/effects?run=operation:${done.id}`,
    );
    expect(body.items).toMatchObject([
      { type: 'local.service', environment: 'staging', state: 'live' },
    ]);
    // Nothing to do the second time.
    const again = await plan('deploy', {}, 'staging');
    expect(again.body.steps).toMatchObject([{ change: 'keep' }]);
    // And nobody goes round the environment.
    const around = await backend.call('POST', '/services', {
      name: 'pay-api-staging',
      entityRef: SUBJECT,
      owner: OWNER,
      repository: NAME,
    });
    expect(around.status).toBe(409);
    expect(around.body.error.message).toMatch(/runs in staging/);
  });

  it('keeps what runs when a version is broken, and rolls back to one that was healthy', async () => {
    commits.push(
      await pushFiles(backend, NAME, fakeService({ version: '2' }, MANIFEST)),
    );
    expect((await carryOut('deploy', { ref: 'main' }, 'staging')).state).toBe(
      'done',
    );
    expect(await version('pay-api-staging')).toBe('2');
    const broken = await pushFiles(
      backend,
      NAME,
      fakeService({ exitAtStart: true }, MANIFEST),
    );
    const failed = await carryOut('deploy', {}, 'staging');
    expect(failed).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/Deploy .* as pay-api-staging in staging/),
    });
    await backend.until('pay-api-staging', ({ state }) => state === 'healthy');
    expect(await version('pay-api-staging')).toBe('2');

    const unknown = await plan('rollback', { commit: broken }, 'staging');
    expect(unknown.status).toBe(400);
    expect(unknown.body).toMatchObject({
      error: { message: expect.stringMatching(/never ran this version/) },
    });
    const back = await carryOut('rollback', { commit: commits[0] }, 'staging');
    expect(back.state).toBe('done');
    expect(await version('pay-api-staging')).toBe('1');
  });

  it('rotates credentials and scales as far as the runtime can', async () => {
    expect((await carryOut('rotate', {}, 'staging')).state).toBe('done');
    expect((await carryOut('scale', { replicas: 1 }, 'staging')).state).toBe(
      'done',
    );
    expect((await plan('scale', { replicas: -1 }, 'staging')).status).toBe(400);
    expect(await version('pay-api-staging')).toBe('1');
  });

  it('lets nothing into production without another person', async () => {
    const waiting = await ask('deploy', { commit: commits[0] }, 'production');
    expect(waiting.body).toMatchObject({
      state: 'waiting',
      approvers: [OWNER],
    });
    const self = await backend.call(
      'POST',
      `/operations/${waiting.body.id}/approve`,
      { reason: 'it is fine' },
    );
    expect(self.status).toBe(403);
    expect(self.body.error.message).toMatch(/somebody else has to decide/);
    const effect = await backend.call('POST', '/effects', {
      type: 'local.service',
      reference: 'pay-api-production',
      subject: SUBJECT,
      owner: OWNER,
      environment: 'production',
      run: 'task:1',
      step: 'deploy',
      intent: { repository: NAME, commit: commits[0] },
    });
    expect(effect.status).toBe(403);
    expect(effect.body.error.message).toMatch(/waits for an approver/);
    // What it touches decides, not what it says.
    for (const change of [
      {
        type: 'kubernetes.workload',
        reference: 'eu-1/pay-api/pay-api',
        environment: 'staging',
        intent: { cluster: 'eu-1', namespace: 'pay-api' },
      },
      {
        type: 'kubernetes.namespace',
        reference: 'x',
        environment: undefined,
        intent: { cluster: 'eu-1', namespace: 'anything', environment: 'x' },
      },
      {
        type: 'local.service',
        environment: undefined,
        intent: { repository: NAME, commit: commits[0] },
      },
      {
        type: 'postgres.database',
        reference: 'local/pay-api-production',
        environment: 'staging',
        intent: { service: 'pay-api-production' },
      },
    ]) {
      const request = {
        reference: 'pay-api-production',
        subject: SUBJECT,
        owner: OWNER,
        run: 'task:1',
        step: 'deploy',
        ...change,
      };
      const refused = await backend.call('POST', '/effects', request);
      expect([change.type, refused.status, refused.body.error.message]).toEqual(
        [change.type, 403, WAITS],
      );
      const { body } = await backend.call('POST', '/preflight', {
        effects: [request],
      });
      expect(body.passed).toBe(false);
      expect(body.findings).toContainEqual({
        reason: 'approval-required',
        level: 'error',
        subject: `${request.type} ${request.reference}`,
        message: WAITS,
      });
    }
    const deployment = {
      name: 'pay-api-production',
      entityRef: SUBJECT,
      owner: OWNER,
      repository: NAME,
    };
    const around = await backend.call('POST', '/services', deployment);
    expect([around.status, around.body.error.message]).toEqual([403, WAITS]);
    expect(
      (await backend.call('GET', '/services/pay-api-production')).status,
    ).toBe(404);
    // Nor is anything there ended by one person alone.
    await knex('services').insert({
      name: 'pay-api-production',
      entity_ref: SUBJECT,
      owner: OWNER,
      repository: NAME,
      runtime: 'local',
      environment: 'production',
      desired: 'stopped',
      phases: '[]',
      state: 'stopped',
      created_by: 'x',
      updated_at: 'x',
    });
    for (const operation of ['start', 'restart', 'stop']) {
      const { status, body } = await backend.call(
        'POST',
        `/services/pay-api-production/${operation}`,
      );
      expect([operation, status, body.error.message]).toEqual([
        operation,
        403,
        expect.stringContaining(WAITS),
      ]);
    }
    const redeployed = await backend.call('POST', '/services', deployment);
    expect(redeployed.body.error.message).toBe(WAITS);
    // But in an emergency, by somebody who says why.
    const path = '/services/pay-api-production/stop';
    expect(
      (await backend.call('POST', path, { reason: 'because' })).body.error
        .message,
    ).toMatch(/^reason: /);
    const reason = 'It books payments twice since 14:02';
    const stopped = await backend.call('POST', path, { reason });
    expect(stopped.status).toBe(202);
    expect(auditor.createEvent).toHaveBeenLastCalledWith(
      expect.objectContaining({
        eventId: 'service-emergency-stop',
        severityLevel: 'high',
        meta: {
          service: 'pay-api-production',
          operation: 'stop',
          environment: 'production',
          reason,
        },
      }),
    );
    await knex('services').where({ name: 'pay-api-production' }).delete();
    const cancelled = await backend.call<Operation>(
      'POST',
      `/operations/${waiting.body.id}/cancel`,
    );
    expect(cancelled.body.state).toBe('cancelled');
  });

  it('makes an environment with a seeded database of its own, and takes it back whole', async () => {
    const input = { branch: commits[1], name: 'demo' };
    const made = await carryOut('environment-create', input);
    expect(made).toMatchObject({ state: 'done', environment: 'demo' });
    const { body } = await backend.call('GET', '/environments/demo');
    expect(body.onDemand).toMatchObject({ state: 'ready', commit: commits[1] });
    expect(await version('pay-api-demo')).toBe('2');
    const log = await backend.call('GET', '/services/pay-api-demo/log');
    expect(JSON.stringify(log.body)).toMatch(/migrating.*seeding/);
    const other = await backend.call('GET', `/services/${NAME}/log`);
    expect(JSON.stringify(other.body)).not.toMatch(/seeding/);
    const extended = await backend.call('POST', '/environments/demo/extend');
    expect(extended.body.onDemand.extensionsLeft).toBe(1);
    expect(
      (await backend.call('POST', '/environments/staging/extend')).status,
    ).toBe(400);

    const gone = await carryOut('environment-delete', { name: 'demo' });
    expect(gone.state).toBe('done');
    expect((await backend.call('GET', '/services/pay-api-demo')).status).toBe(
      404,
    );
    const left = await backend.call<{ items: Effect[] }>(
      'GET',
      '/effects?environment=demo',
    );
    expect(left.body.items.map(({ state }) => state)).toEqual([
      'undone',
      'undone',
    ]);
  });

  it('retires the component and leaves nothing live', async () => {
    const retired = await carryOut('retire', {});
    expect(retired.state).toBe('done');
    const { body } = await backend.call<{ items: Effect[] }>(
      'GET',
      `/effects?subject=${SUBJECT}`,
    );
    expect(
      body.items.filter(({ state }) =>
        ['planned', 'applying', 'live', 'failed'].includes(state),
      ),
    ).toEqual([]);
    expect((await backend.call('GET', '/services')).body.items).toEqual([]);
  });
});

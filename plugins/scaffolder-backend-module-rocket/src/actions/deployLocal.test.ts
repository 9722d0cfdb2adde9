import {
  createMockDirectory,
  mockCredentials,
} from '@backstage/backend-test-utils';
import { InputError, ServiceUnavailableError } from '@backstage/errors';
import {
  DEPLOY_PHASES,
  type DeployPhase,
  type ServiceStatus,
} from '@rocket/plugin-provisioning-common';
import { createContext } from '../__testUtils__/context';
import { mockProvisioning, withLedger } from '../__testUtils__/provisioning';
import { createDeployLocalAction } from './deployLocal';

/** A service whose phases before `at` are done. */
function status(
  at: DeployPhase | 'healthy',
  overrides: Partial<ServiceStatus> = {},
): ServiceStatus {
  const index =
    at === 'healthy' ? DEPLOY_PHASES.length : DEPLOY_PHASES.indexOf(at);
  return {
    name: 'pay',
    entityRef: 'component:default/pay',
    owner: 'group:default/ledger',
    repository: 'pay',
    commit: 'a'.repeat(40),
    state: at === 'healthy' ? 'healthy' : 'deploying',
    phases: DEPLOY_PHASES.map((phase, i) => ({
      phase,
      status: (['running', 'done', 'pending'] as const).at(
        Math.sign(index - i),
      )!,
      startedAt: '2026-11-20T08:00:00.000Z',
      finishedAt: '2026-11-20T08:00:02.500Z',
    })),
    restarts: 0,
    updatedAt: '2026-11-20T08:00:00Z',
    ...overrides,
  };
}

function failedAt(at: DeployPhase, message: string, overrides = {}) {
  const failed = status(at, { state: 'failed', ...overrides });
  for (const phase of failed.phases) {
    if (phase.phase === at) {
      phase.status = 'failed';
      phase.message = message;
    }
  }
  return failed;
}

describe('rocket:deploy:local', () => {
  const workspace = createMockDirectory();
  let provisioning: ReturnType<typeof mockProvisioning>;
  let ledger: ReturnType<typeof withLedger>;

  beforeEach(() => {
    workspace.clear();
    provisioning = mockProvisioning();
    ledger = withLedger(provisioning);
  });

  function run(
    input: Record<string, unknown> = {},
    extra: Record<string, unknown> = {},
  ) {
    const made = createContext({
      input: {
        name: 'pay',
        owner: 'group:default/ledger',
        repository: 'pay',
        commit: 'a'.repeat(40),
        ...input,
      },
      workspacePath: workspace.path,
    });
    Object.assign(made.context, extra);
    const action = createDeployLocalAction({ provisioning, pollMs: 1 });
    return { ...made, done: action.handler(made.context) };
  }

  it('deploys as the user, logs each phase once and waits until healthy', async () => {
    provisioning.deploy.mockResolvedValue(status('queued'));
    provisioning.getService
      .mockResolvedValueOnce(status('install'))
      .mockResolvedValueOnce(status('install'))
      .mockRejectedValueOnce(new ServiceUnavailableError('restarting'))
      .mockResolvedValueOnce(status('health'))
      .mockResolvedValueOnce(
        status('healthy', {
          url: 'http://127.0.0.1:7100',
          docsUrl: 'http://127.0.0.1:7100/docs',
        }),
      );
    const { done, outputs, lines } = run({
      criticalPath: 'criticalpath:default/transaction-posting',
    });
    await done;
    expect(provisioning.deploy).toHaveBeenCalledWith(
      {
        name: 'pay',
        owner: 'group:default/ledger',
        repository: 'pay',
        ref: 'a'.repeat(40),
        entityRef: 'component:default/pay',
        criticalPath: 'transaction-posting',
      },
      { credentials: mockCredentials.user() },
    );
    expect(ledger.log).toEqual([
      'local.service pay planned',
      'local.service pay made',
    ]);
    expect([...ledger.effects.values()]).toMatchObject([
      {
        subject: 'component:default/pay',
        run: 'task:mock-task-id',
        step: 'mock-step-id',
        intent: {
          repository: 'pay',
          commit: 'a'.repeat(40),
          criticalPath: 'transaction-posting',
        },
      },
    ]);
    expect(outputs).toEqual({
      url: 'http://127.0.0.1:7100',
      docsUrl: 'http://127.0.0.1:7100/docs',
      commit: 'a'.repeat(40),
    });
    expect(lines()).toEqual([
      'queued: running',
      'queued: done (2.5 s)',
      'checkout: done (2.5 s)',
      'install: running',
      'install: done (2.5 s)',
      'database: done (2.5 s)',
      'migrate: done (2.5 s)',
      'start: done (2.5 s)',
      'health: running',
      'health: done (2.5 s)',
      'pay is healthy at http://127.0.0.1:7100',
      'No answer about pay: restarting',
    ]);
  });

  it('waits for a service that comes back with the backend, deployed before', async () => {
    const deployment = { commit: 'a'.repeat(40), status: 'done' as const };
    provisioning.deploy.mockResolvedValue(
      status('healthy', { state: 'restarting', deployment }),
    );
    provisioning.getService
      .mockResolvedValueOnce(
        status('healthy', { state: 'restarting', deployment }),
      )
      .mockResolvedValueOnce(
        status('healthy', { deployment, url: 'http://127.0.0.1:7100' }),
      );
    const { done, outputs } = run();
    await done;
    expect(outputs.url).toBe('http://127.0.0.1:7100');
    expect(provisioning.getService).toHaveBeenCalledTimes(2);
  });

  it('fails with the phase, the reason, what exists and the end of the log', async () => {
    provisioning.deploy.mockResolvedValue(status('queued'));
    provisioning.getService.mockResolvedValue(
      failedAt('migrate', 'migration 3 failed: column exists', {
        database: 'pay',
      }),
    );
    provisioning.getLog.mockResolvedValue({
      cursor: 2,
      lines: [
        { time: '', stream: 'rocket', text: 'npm run migrate' },
        { time: '', stream: 'stderr', text: 'column "x" exists' },
      ],
    });
    const { done, outputs, lines } = run();
    await expect(done).rejects.toThrow(
      'pay did not come up in phase "migrate": migration 3 failed: column exists. What exists now: the repository pay with its commits, and the service pay, which does not run, and its database pay. What to do: read the log above',
    );
    expect(outputs).toEqual({});
    expect(lines()).toEqual(
      expect.arrayContaining([
        'migrate: failed: migration 3 failed: column exists',
        '  rocket | npm run migrate',
        '  stderr | column "x" exists',
      ]),
    );
  });

  it('tells a failed deployment from the earlier commit that still runs', async () => {
    provisioning.deploy.mockResolvedValue(
      status('install', {
        state: 'healthy',
        commit: 'b'.repeat(40),
        deployment: { commit: 'a'.repeat(40), status: 'running' },
      }),
    );
    provisioning.getService.mockResolvedValue(
      failedAt('install', 'npm ci failed', {
        state: 'healthy',
        commit: 'b'.repeat(40),
        deployment: { commit: 'a'.repeat(40), status: 'failed' },
      }),
    );
    provisioning.getLog.mockRejectedValue(new Error('no log'));
    const { done, lines } = run();
    await expect(done).rejects.toThrow(
      `the service pay at its earlier commit ${'b'.repeat(40)}`,
    );
    expect(lines()).toContain('Its log could not be read: no log');
  });

  it('says what exists when the deployment is refused or provisioning goes away', async () => {
    provisioning.deploy.mockRejectedValueOnce(
      new InputError('rocket.yaml: spec.start is missing'),
    );
    await expect(run().done).rejects.toThrow(
      'Could not start the deployment of pay: rocket.yaml: spec.start is missing. What exists now: the repository pay with its commits; no service runs.',
    );

    provisioning.deploy.mockResolvedValue(status('queued'));
    provisioning.getService.mockRejectedValue(
      new ServiceUnavailableError('Provisioning does not answer'),
    );
    await expect(run().done).rejects.toThrow(
      /Stopped waiting for pay: Provisioning does not answer.*a deployment that may still go on/,
    );
  });

  it('stops waiting when the task is cancelled', async () => {
    const stop = new AbortController();
    provisioning.deploy.mockResolvedValue(status('queued'));
    provisioning.getService.mockImplementation(async () => {
      stop.abort();
      return status('install');
    });
    await expect(run({}, { signal: stop.signal }).done).rejects.toThrow(
      /the task was cancelled.*Runtime tab of component:default\/pay/,
    );
    expect(provisioning.getService).toHaveBeenCalledTimes(1);
  });

  it('in a dry run checks rocket.yaml and deploys nothing', async () => {
    const dry = () => run({}, { isDryRun: true }).done;
    await expect(dry()).rejects.toThrow(
      /^rocket.yaml: the repository must have/,
    );
    workspace.setContent({ 'rocket.yaml': 'spec: { start: npm start }' });
    await expect(dry()).rejects.toThrow(
      /^rocket.yaml: spec.start must be a list/,
    );
    workspace.setContent({ 'rocket.yaml': 'spec: [' });
    await expect(dry()).rejects.toThrow(/^rocket.yaml: /);
    workspace.setContent({ 'rocket.yaml': 'spec: { start: [node, x.js] }' });
    await expect(dry()).resolves.toBeUndefined();
    expect(provisioning.deploy).not.toHaveBeenCalled();
  });
});

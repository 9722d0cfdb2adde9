import {
  createMockDirectory,
  mockCredentials,
} from '@backstage/backend-test-utils';
import { ServiceUnavailableError } from '@backstage/errors';
import { createContext } from '../__testUtils__/context';
import { mockProvisioning } from '../__testUtils__/provisioning';
import { createPreflightAction } from './preflight';

describe('rocket:preflight', () => {
  const workspace = createMockDirectory();
  const ok = {
    reason: 'owner-known',
    level: 'ok' as const,
    subject: 'group:default/ledger',
    message: 'The owner is in the catalog',
  };
  const taken = {
    reason: 'name-taken',
    level: 'error' as const,
    subject: 'repository pay',
    message: "There is a repository 'pay' already; choose another name",
  };

  function run(extra: object = {}) {
    const provisioning = mockProvisioning();
    const made = createContext({
      input: {
        entityRef: 'component:default/pay',
        owner: 'group:default/ledger',
        effects: [
          { type: 'git.repository', reference: 'pay' },
          {
            type: 'local.service',
            reference: 'pay',
            environment: 'local',
            intent: { repository: 'pay' },
          },
        ],
      },
      workspacePath: workspace.path,
    });
    Object.assign(made.context, extra);
    const action = createPreflightAction({ provisioning });
    return {
      ...made,
      provisioning,
      start: () => action.handler(made.context),
    };
  }

  it.each([{}, { isDryRun: true }])(
    'asks for all effects of the run as the user: %j',
    async extra => {
      const { provisioning, start, outputs, lines } = run(extra);
      provisioning.preflight.mockResolvedValue({
        passed: true,
        findings: [ok],
      });
      await start();
      const common = {
        subject: 'component:default/pay',
        owner: 'group:default/ledger',
        run: 'task:mock-task-id',
        step: 'mock-step-id',
      };
      expect(provisioning.preflight.mock.calls).toEqual([
        [
          {
            effects: [
              {
                ...common,
                type: 'git.repository',
                reference: 'pay',
                intent: {},
              },
              {
                ...common,
                type: 'local.service',
                reference: 'pay',
                environment: 'local',
                intent: { repository: 'pay' },
              },
            ],
          },
          { credentials: mockCredentials.user() },
        ],
      ]);
      expect(outputs).toEqual({ findings: [ok], runsLocally: true });
      expect(lines()).toEqual([
        'group:default/ledger: The owner is in the catalog (owner-known)',
        'All 2 things can be made',
      ]);
    },
  );

  it('stops the run with each reason', async () => {
    const { provisioning, start, lines } = run();
    const quota = {
      ...taken,
      reason: 'quota-exceeded',
      message: 'group:default/ledger has 5 of 5',
    };
    provisioning.preflight.mockResolvedValue({
      passed: false,
      findings: [ok, taken, { ...ok, level: 'warning' }, quota],
    });
    await expect(start()).rejects.toThrow(
      "component:default/pay cannot be made: name-taken: There is a repository 'pay' already; choose another name | quota-exceeded: group:default/ledger has 5 of 5. What exists now: nothing new. What to do: see to each reason",
    );
    expect(lines()).toContain(
      "repository pay: There is a repository 'pay' already; choose another name (name-taken)",
    );
  });

  it('lets a run go on without the local runtime, and says so', async () => {
    const { provisioning, start, outputs, lines } = run();
    const missing = {
      reason: 'runtime-missing',
      level: 'warning' as const,
      subject: 'service pay',
      message: 'It is left out',
    };
    provisioning.preflight.mockResolvedValue({
      passed: true,
      findings: [ok, missing],
    });
    await start();
    expect(outputs).toEqual({ findings: [ok, missing], runsLocally: false });
    expect(lines()).toContain('service pay: It is left out (runtime-missing)');
  });

  it('does not take silence for a yes', async () => {
    const { provisioning, start } = run();
    provisioning.preflight.mockRejectedValue(
      new ServiceUnavailableError('Provisioning does not answer'),
    );
    await expect(start()).rejects.toThrow(
      /^Could not check whether this run can work: Provisioning does not answer\. What exists now: nothing new/,
    );
  });
});

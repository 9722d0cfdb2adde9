import { createMockDirectory } from '@backstage/backend-test-utils';
import { ConflictError, ServiceUnavailableError } from '@backstage/errors';
import type {
  Operation,
  OperationPlan,
} from '@rocket/plugin-provisioning-common';
import { createContext } from '../__testUtils__/context';
import { mockProvisioning } from '../__testUtils__/provisioning';
import { createEnvironmentCreateAction } from './environmentCreate';

const plan = {
  kind: 'environment-create',
  environment: 'new-limits-pay-api',
  steps: [
    {
      id: 'version/c',
      title: 'Bring up c of new-limits',
      change: 'create',
      detail: 'It stands for 72 hours',
    },
  ],
  warnings: ['the database begins empty'],
  digest: 'd'.repeat(64),
} as unknown as OperationPlan;

const operation = (state: Operation['state'], more: object = {}) =>
  ({
    id: 'op-1',
    environment: plan.environment,
    state,
    steps: [{ ...plan.steps[0], status: 'running' }],
    ...more,
  } as unknown as Operation);

describe('rocket:environment:create', () => {
  const workspace = createMockDirectory();

  function run(options: {
    provisioning: ReturnType<typeof mockProvisioning>;
    dryRun?: boolean;
    checkpoints?: Map<string, unknown>;
  }) {
    const made = createContext({
      input: {
        entityRef: 'component:default/pay-api',
        branch: 'new-limits',
        ttlHours: 24,
        reason: 'Demo',
      },
      workspacePath: workspace.path,
      checkpoints: options.checkpoints,
    });
    Object.assign(made.context, { isDryRun: options.dryRun });
    const action = createEnvironmentCreateAction({
      provisioning: options.provisioning,
      pollMs: 1,
    });
    return { ...made, done: action.handler(made.context) };
  }

  function provisioningWith(...states: (Operation | Error)[]) {
    const provisioning = mockProvisioning();
    provisioning.plan.mockResolvedValue(plan);
    provisioning.requestOperation.mockResolvedValue(operation('running'));
    for (const state of states) {
      if (state instanceof Error) {
        provisioning.getOperation.mockRejectedValueOnce(state);
      } else provisioning.getOperation.mockResolvedValueOnce(state);
    }
    provisioning.getEnvironment.mockResolvedValue({
      onDemand: { url: 'http://127.0.0.1:7100', expiresAt: 'soon' },
    } as never);
    return provisioning;
  }

  it('asks for what was planned and waits, also while provisioning is away', async () => {
    const provisioning = provisioningWith(
      operation('running'),
      new ServiceUnavailableError('away'),
      operation('done'),
    );
    const { done, outputs, lines } = run({ provisioning });
    await done;
    expect(provisioning.plan.mock.calls[0][0]).toEqual({
      kind: 'environment-create',
      subject: 'component:default/pay-api',
      input: { branch: 'new-limits', ttlHours: 24 },
    });
    expect(provisioning.requestOperation.mock.calls[0][0]).toMatchObject({
      digest: plan.digest,
      reason: 'Demo',
    });
    expect(outputs).toEqual({
      name: 'new-limits-pay-api',
      operation: 'op-1',
      url: 'http://127.0.0.1:7100',
      expiresAt: 'soon',
    });
    expect(lines().join('\n')).toMatch(/Bring up c of new-limits: running/);
  });

  it('makes nothing twice when the run is resumed', async () => {
    const checkpoints = new Map<string, unknown>();
    await expect(
      run({
        provisioning: provisioningWith(new ConflictError('killed here')),
        checkpoints,
      }).done,
    ).rejects.toThrow(/killed here/);
    const provisioning = provisioningWith(operation('done'));
    const { done, outputs } = run({ provisioning, checkpoints });
    await done;
    expect(provisioning.requestOperation).not.toHaveBeenCalled();
    expect(outputs.operation).toBe('op-1');
  });

  it('shows the plan in a dry run and changes nothing', async () => {
    const provisioning = provisioningWith();
    const { done, outputs, lines } = run({ provisioning, dryRun: true });
    await done;
    expect(provisioning.requestOperation).not.toHaveBeenCalled();
    expect(outputs).toEqual({ name: 'new-limits-pay-api' });
    expect(lines()).toEqual([
      'create: Bring up c of new-limits. It stands for 72 hours',
      'the database begins empty',
    ]);
  });

  it('says why it failed, what exists and what to do', async () => {
    await expect(
      run({
        provisioning: provisioningWith(
          operation('failed', { message: 'no port left' }),
        ),
      }).done,
    ).rejects.toThrow(
      /environment-create of component:default\/pay-api is failed: no port left\. What exists now: .*op-1.*What to do: .*undo this run/,
    );
    const full = provisioningWith();
    full.plan.mockRejectedValue(new ConflictError('5 of 5 environments'));
    await expect(run({ provisioning: full }).done).rejects.toThrow(/5 of 5/);
  });
});

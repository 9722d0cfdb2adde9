import { ConflictError, ServiceUnavailableError } from '@backstage/errors';
import { createContext } from '../__testUtils__/context';
import { mockProvisioning, withLedger } from '../__testUtils__/provisioning';
import { createDeployAction } from './deploy';

const COMMIT = 'c'.repeat(40);
const INPUT = {
  name: 'wallets',
  owner: 'group:default/payments',
  repository: 'wallets',
  commit: COMMIT,
};
const PLAN = {
  kind: 'deploy',
  subject: 'component:default/wallets',
  steps: [{ id: '1', title: 'Deploy', change: 'change', detail: 'blue-green' }],
  warnings: ['the version is older than the one that runs'],
  digest: 'd1',
};
const operation = (state: string, more: object = {}) => ({
  id: 'op-1',
  state,
  steps: [{ id: '1', title: 'Deploy', status: 'pending' }],
  approvers: ['group:default/sre'],
  ...more,
});

describe('rocket:deploy', () => {
  function setup(
    options: {
      dryRun?: boolean;
      environment?: string;
      checkpoints?: Map<string, unknown>;
    } = {},
  ) {
    const provisioning = mockProvisioning();
    const { context, lines, outputs } = createContext({
      input: { ...INPUT, environment: options.environment },
      workspacePath: '/tmp',
      checkpoints: options.checkpoints,
    });
    const action = createDeployAction({ provisioning, pollMs: 1 });
    return {
      provisioning,
      lines,
      outputs,
      run: () =>
        action.handler({
          ...(context as object),
          isDryRun: options.dryRun,
        } as never),
    };
  }

  it('deploys to the local runtime without an environment', async () => {
    const { provisioning, run, outputs } = setup();
    withLedger(provisioning, () => ({}));
    const healthy = {
      name: 'wallets',
      state: 'healthy',
      phases: [],
      commit: COMMIT,
      url: 'http://127.0.0.1:7100',
      deployment: { commit: COMMIT, status: 'done' },
    };
    provisioning.deploy.mockResolvedValue(healthy as never);
    await run();
    expect(outputs).toMatchObject({ url: healthy.url, commit: COMMIT });
  });

  it('plans, asks, waits for the approver and for the end in an environment', async () => {
    const { provisioning, run, lines, outputs } = setup({
      environment: 'production',
    });
    provisioning.plan = jest.fn().mockResolvedValue(PLAN);
    provisioning.requestOperation = jest
      .fn()
      .mockResolvedValue(operation('waiting'));
    provisioning.getOperation = jest
      .fn()
      .mockResolvedValueOnce(operation('waiting'))
      .mockRejectedValueOnce(new ServiceUnavailableError('away'))
      .mockResolvedValueOnce(operation('running'))
      .mockResolvedValueOnce(operation('done'));
    await run();
    expect(provisioning.requestOperation).toHaveBeenCalledWith(
      expect.objectContaining({
        kind: 'deploy',
        subject: 'component:default/wallets',
        environment: 'production',
        input: { commit: COMMIT },
        digest: 'd1',
      }),
      expect.anything(),
    );
    expect(outputs).toEqual({ operation: 'op-1', commit: COMMIT });
    const text = lines().join('\n');
    expect(text).toMatch(/blue-green/);
    expect(text).toMatch(/older than/);
    expect(
      text.match(/Waiting for a member of group:default\/sre/g),
    ).toHaveLength(1);
  });

  it('asks once, also when the step is taken up again', async () => {
    const checkpoints = new Map<string, unknown>([
      ['operation.deploy.staging', 'op-1'],
    ]);
    const { provisioning, run } = setup({
      environment: 'staging',
      checkpoints,
    });
    provisioning.requestOperation = jest.fn();
    provisioning.getOperation = jest.fn().mockResolvedValue(operation('done'));
    await run();
    expect(provisioning.requestOperation).not.toHaveBeenCalled();
  });

  it('only plans in a dry run', async () => {
    const { provisioning, run, lines } = setup({
      environment: 'staging',
      dryRun: true,
    });
    provisioning.plan = jest.fn().mockResolvedValue(PLAN);
    await run();
    expect(lines().join('\n')).toMatch(/would start the deployment of wallets/);
  });

  it.each([
    ['rejected', { decision: { reason: 'freeze' } }, /is rejected.*freeze/s],
    ['expired', { message: 'nobody agreed' }, /is expired.*nobody agreed/s],
    ['failed', { message: 'taken back' }, /is failed.*taken back/s],
  ])('says why it is %s', async (state, more, reason) => {
    const { provisioning, run } = setup({ environment: 'production' });
    provisioning.plan = jest.fn().mockResolvedValue(PLAN);
    provisioning.requestOperation = jest
      .fn()
      .mockResolvedValue(operation('waiting'));
    provisioning.getOperation = jest
      .fn()
      .mockResolvedValue(operation(state, more));
    await expect(run()).rejects.toThrow(reason);
  });

  it('says when it could not begin', async () => {
    const { provisioning, run } = setup({ environment: 'staging' });
    provisioning.plan = jest
      .fn()
      .mockRejectedValue(new ConflictError('wallets has no version there'));
    await expect(run()).rejects.toThrow(/no version there/);
  });
});

import { ConflictError, ServiceUnavailableError } from '@backstage/errors';
import { createContext } from '../__testUtils__/context';
import { mockProvisioning, withLedger } from '../__testUtils__/provisioning';
import { createDatabaseCreateAction } from './databaseCreate';

const INPUT = {
  name: 'wallets',
  entityRef: 'component:default/wallets',
  owner: 'group:default/payments',
};
const DETAILS = {
  server: 'local',
  host: '127.0.0.1',
  port: 7012,
  database: 'svc_wallets',
  credentialsRef: 'rocket:database-credentials/local/wallets',
};

describe('rocket:database:create', () => {
  function setup(
    options: { dryRun?: boolean; input?: Record<string, unknown> } = {},
  ) {
    const provisioning = mockProvisioning();
    const { context, lines, outputs } = createContext({
      input: { ...INPUT, ...options.input },
      workspacePath: '/tmp',
    });
    const action = createDatabaseCreateAction({ provisioning });
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

  it('makes the database as an effect of the task and names its credentials', async () => {
    const { provisioning, run, outputs } = setup({
      input: { connectionLimit: 80 },
    });
    const make = jest.fn().mockReturnValue(DETAILS);
    withLedger(provisioning, make);
    await run();
    expect(make.mock.calls).toEqual([
      [
        expect.objectContaining({
          type: 'postgres.database',
          reference: 'local/wallets',
          subject: INPUT.entityRef,
          owner: INPUT.owner,
          intent: { service: 'wallets', server: 'local', connectionLimit: 80 },
          step: expect.any(String),
        }),
      ],
    ]);
    expect(outputs).toEqual({
      database: 'svc_wallets',
      server: 'local',
      credentialsRef: DETAILS.credentialsRef,
    });
  });

  it('makes nothing in a dry run, but asks whether it could', async () => {
    const { provisioning, run, lines } = setup({ dryRun: true });
    provisioning.preflight = jest.fn().mockResolvedValue({
      passed: true,
      findings: [
        {
          level: 'ok',
          reason: 'name-free',
          subject: 'local/wallets',
          message: 'The database name svc_wallets is free',
        },
      ],
    });
    await run();
    expect(provisioning.requestEffect).not.toHaveBeenCalled();
    expect(lines().join('\n')).toMatch(/name svc_wallets is free/);
  });

  it('fails a dry run with the reason why it could not', async () => {
    const { provisioning, run } = setup({ dryRun: true });
    provisioning.preflight = jest.fn().mockResolvedValue({
      passed: false,
      findings: [
        {
          level: 'error',
          reason: 'name-taken',
          subject: 'local/wallets',
          message: 'The database svc_wallets exists and is another’s',
        },
      ],
    });
    await expect(run()).rejects.toThrow(/svc_wallets exists/);
  });

  it.each([
    new ConflictError('it belongs to component:default/other'),
    new ServiceUnavailableError('Provisioning does not answer'),
  ])('says what failed and what exists: %s', async error => {
    const { provisioning, run } = setup();
    provisioning.requestEffect.mockRejectedValue(error);
    await expect(run()).rejects.toThrow(
      new RegExp(
        `database of wallets could not be created.*${error.message}`,
        's',
      ),
    );
  });
});

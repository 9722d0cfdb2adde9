import { NotFoundError, ServiceUnavailableError } from '@backstage/errors';
import { createContext } from '../__testUtils__/context';
import { mockProvisioning, withLedger } from '../__testUtils__/provisioning';
import { createNewRelicProvisionAction } from './newrelicProvision';

const INPUT = {
  name: 'wallets',
  entityRef: 'component:default/wallets',
  owner: 'group:default/payments',
  criticalPath: 'criticalpath:default/posting',
};
const effect = (type: string) => ({
  type,
  reference: 'wallets',
  subject: INPUT.entityRef,
  owner: INPUT.owner,
  intent: { appName: 'wallets' },
});
const PLAN = {
  effects: [
    effect('newrelic.alert-policy'),
    effect('newrelic.dashboard'),
    effect('newrelic.tags'),
  ],
  summary: ["alert policy 'wallets (Rocket)' with 7 conditions: …"],
};

describe('rocket:newrelic:provision', () => {
  function setup(options: { dryRun?: boolean } = {}) {
    const provisioning = mockProvisioning();
    provisioning.planNewRelic = jest.fn().mockResolvedValue(PLAN);
    const { context, lines, outputs } = createContext({
      input: INPUT,
      workspacePath: '/tmp',
    });
    const action = createNewRelicProvisionAction({ provisioning });
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

  it('makes what the plan says, as effects of the task, and tells what waits', async () => {
    const { provisioning, run, lines, outputs } = setup();
    const ledger = withLedger(provisioning, ({ type }) => {
      if (type === 'newrelic.tags') return { pending: 'Waits for telemetry' };
      return { url: `https://one.newrelic.com/${type}` };
    });
    await run();
    expect(provisioning.planNewRelic).toHaveBeenCalledWith(
      {
        name: 'wallets',
        subject: INPUT.entityRef,
        owner: INPUT.owner,
        criticalPath: INPUT.criticalPath,
      },
      { credentials: expect.anything() },
    );
    expect(ledger.log).toEqual([
      'newrelic.alert-policy wallets made',
      'newrelic.dashboard wallets made',
      'newrelic.tags wallets made',
    ]);
    for (const { run: by, step } of ledger.effects.values()) {
      expect(by).toMatch(/^task:/);
      expect(step).toBeTruthy();
    }
    expect(lines().join('\n')).toContain(
      'newrelic.tags: Waits for telemetry; it follows by itself',
    );
    expect(outputs).toEqual({
      skipped: false,
      policyUrl: 'https://one.newrelic.com/newrelic.alert-policy',
      dashboardUrl: 'https://one.newrelic.com/newrelic.dashboard',
    });
  });

  it('makes nothing in a dry run and says what it would', async () => {
    const { run, lines } = setup({ dryRun: true });
    await run();
    expect(lines()).toEqual([
      "Dry run: would make the alert policy 'wallets (Rocket)' with 7 conditions: …",
    ]);
  });

  it.each([
    [
      'an account',
      {
        skipped:
          'Nothing is made in New Relic: no account is configured in newrelic.accounts',
        effects: [],
        summary: [],
      },
      'no account is configured',
    ],
    ['its module', new NotFoundError('Cannot POST'), 'is not installed'],
  ])('goes on without %s, and says so', async (_, answer, text) => {
    const { provisioning, run, lines, outputs } = setup();
    if (answer instanceof Error) {
      provisioning.planNewRelic.mockRejectedValue(answer);
    } else {
      provisioning.planNewRelic.mockResolvedValue(answer);
    }
    await run();
    expect(lines()).toEqual([expect.stringMatching(/^Skipped\. /)]);
    expect(lines()[0]).toContain(text);
    expect(outputs).toEqual({ skipped: true });
  });

  it('says what exists when New Relic refuses halfway', async () => {
    const { provisioning, run } = setup();
    withLedger(provisioning, ({ type }) => {
      if (type === 'newrelic.dashboard') throw new Error('You may not do this');
      return {};
    });
    await expect(run()).rejects.toThrow(
      /You may not do this.*What exists now: newrelic.alert-policy in New Relic.*undo the run/,
    );
  });

  it('fails with the reason when the plan cannot be had', async () => {
    const { provisioning, run } = setup();
    provisioning.planNewRelic.mockRejectedValue(
      new ServiceUnavailableError('Provisioning does not answer'),
    );
    await expect(run()).rejects.toThrow('Provisioning does not answer');
  });
});

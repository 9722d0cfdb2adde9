import { resolvePackagePath } from '@backstage/backend-plugin-api';
import {
  mockCredentials,
  TestDatabases,
  type TestDatabaseId,
} from '@backstage/backend-test-utils';
import { findProtectedPlaces } from '../environments/protectedPlaces';
import { FakeLedger } from '../__testUtils__/fakeLedger';
import { createHarness, retire, START, user } from './__testUtils__/harness';
import type { ApprovalRules } from './OperationPlanner';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const HOUR = 3_600_000;

const rules: ApprovalRules = environment =>
  ({
    production: { approvers: ['group:default/Release'], expiryMs: HOUR },
    vault: { approvers: ['group:default/risk'], expiryMs: 2 * HOUR },
  }[environment]);

describe.each(databases.eachSupportedId())('four-eyes on %s', id => {
  async function open(database: TestDatabaseId = id) {
    const knex = await databases.init(database);
    await knex.migrate.latest({
      directory: resolvePackagePath(
        '@rocket/plugin-provisioning-backend',
        'migrations',
      ),
    });
    const ledger = new FakeLedger();
    ledger.add('local.service', { environment: 'production' });
    const clock = { time: START };
    const start = () => createHarness(knex, { ledger, rules, clock });
    return { knex, ledger, clock, start, h: start() };
  }

  it('waits for another person, tells the approvers, and goes on once one agreed', async () => {
    const { h, ledger } = await open();
    const plan = await h.operations.plan(retire(), user('alice'));
    expect(plan.approval).toEqual({
      approvers: ['group:default/Release'],
      reason: 'production: another person has to agree',
    });
    const asked = await h.ask(retire());
    expect(asked).toMatchObject({
      state: 'waiting',
      approvers: ['group:default/Release'],
      expiresAt: new Date(START + HOUR).toISOString(),
    });
    await h.engine.idle();
    expect(ledger.removals).toEqual([]);

    h.notifications.send.mockRejectedValueOnce(new Error('away'));
    await h.notifier.tell();
    await h.notifier.tell();
    await h.notifier.tell();
    expect(h.notifications.send).toHaveBeenCalledTimes(2);
    expect(h.notifications.send).toHaveBeenLastCalledWith({
      recipients: {
        type: 'entity',
        entityRef: ['group:default/Release'],
        excludeEntityRef: 'user:default/alice',
      },
      payload: expect.objectContaining({
        title: expect.stringMatching(/alice asks you to agree: retire/),
      }),
    });

    const decided = await h.operations.decide(
      asked.id,
      true,
      'Traffic is gone since Monday',
      user('bob'),
    );
    expect(decided).toMatchObject({
      state: 'running',
      decision: {
        by: 'user:default/bob',
        approved: true,
        reason: 'Traffic is gone since Monday',
      },
    });
    await h.engine.idle();
    expect(ledger.removals).toEqual(['retire local.service pay-api']);
    expect((await h.operations.get(asked.id)).state).toBe('done');
    expect(await h.operations.events(asked.id)).toMatchObject([
      { actor: 'user:default/alice', to: 'waiting' },
      {
        actor: 'user:default/bob',
        from: 'waiting',
        to: 'running',
        message: 'Traffic is gone since Monday',
      },
      { actor: 'rocket', from: 'running', to: 'done' },
    ]);
    await h.notifier.tell();
    expect(h.notifications.send).toHaveBeenLastCalledWith(
      expect.objectContaining({
        recipients: { type: 'entity', entityRef: 'user:default/alice' },
      }),
    );
  });

  it('refuses the requester however the groups overlap, strangers, and services', async () => {
    const { h, ledger } = await open();
    const { id: operation } = await h.ask(retire());
    const decide = (credentials: Parameters<typeof h.operations.decide>[3]) =>
      h.operations.decide(operation, true, undefined, credentials);
    // She is a member of the approvers' group as well.
    await expect(decide(user('alice'))).rejects.toThrow(/somebody else/);
    await expect(
      decide(mockCredentials.user('user:Default/ALICE')),
    ).rejects.toThrow(/somebody else/);
    await expect(decide(user('dave'))).rejects.toThrow(
      /Only a member of group:default\/Release/,
    );
    await expect(decide(mockCredentials.service())).rejects.toThrow(
      /not a service/,
    );
    await expect(
      h.operations.decide(operation, false, 'no', user('alice')),
    ).rejects.toThrow(/somebody else/);
    await h.engine.idle();
    expect(ledger.removals).toEqual([]);
    expect((await h.operations.get(operation)).state).toBe('waiting');
  });

  it('also waits for what is there without saying so', async () => {
    const { knex, clock } = await open();
    const ledger = new FakeLedger();
    ledger.add('kubernetes.workload', {
      intent: { cluster: 'eu-1', namespace: 'pay-api' },
    });
    const h = createHarness(knex, {
      ledger,
      rules,
      clock,
      protectedPlaces: findProtectedPlaces([
        {
          name: 'production',
          approval: rules('production'),
          settings: { cluster: 'eu-1', namespace: '{service}' },
        },
      ]),
    });
    for (const request of [
      retire(),
      { ...retire(), kind: 'undo' as const, input: { run: 'task:1' } },
    ]) {
      const { approval } = await h.operations.plan(request, user('alice'));
      expect(approval?.approvers).toEqual(['group:default/Release']);
    }
  });

  it('wants a member of the groups of each environment', async () => {
    const { h, ledger } = await open();
    ledger.add('local.service', {
      reference: 'pay-vault',
      environment: 'vault',
    });
    const { id: operation, expiresAt } = await h.ask(retire());
    expect(expiresAt).toBe(new Date(START + HOUR).toISOString());
    await expect(
      h.operations.decide(operation, true, undefined, user('bob')),
    ).rejects.toThrow(/Only a member of group:default\/risk/);
    await h.operations.decide(operation, true, undefined, user('carol'));
    expect((await h.operations.get(operation)).state).toBe('running');
  });

  it('takes one of two decisions at once, also of two backends', async () => {
    const { h, start, ledger } = await open();
    const other = start();
    const { id: operation } = await h.ask(retire());
    const settled = await Promise.allSettled([
      h.operations.decide(operation, true, 'yes', user('bob')),
      other.operations.decide(operation, false, 'no', user('carol')),
    ]);
    expect(settled.map(({ status }) => status).sort()).toEqual([
      'fulfilled',
      'rejected',
    ]);
    const lost = settled.find(s => s.status === 'rejected');
    expect((lost as PromiseRejectedResult).reason.message).toMatch(
      /has (agreed to|refused) it already/,
    );
    await Promise.all([h.engine.idle(), other.engine.idle()]);
    const { state, decision } = await h.operations.get(operation);
    expect(state).toBe(decision!.approved ? 'done' : 'rejected');
    expect(ledger.removals).toHaveLength(decision!.approved ? 1 : 0);
    const decisions = (await h.operations.events(operation)).filter(
      ({ from }) => from === 'waiting',
    );
    expect(decisions).toHaveLength(1);
  });

  it('still waits after a restart, and expires when nobody decided', async () => {
    const { h, start, clock, ledger } = await open();
    const { id: operation } = await h.ask(retire());
    await h.engine.stop();
    const next = start();
    await next.engine.idle();
    await next.operations.expire();
    expect((await next.operations.get(operation)).state).toBe('waiting');

    clock.time += HOUR - 1;
    await next.operations.expire();
    expect((await next.operations.get(operation)).state).toBe('waiting');
    clock.time += 1;
    // No sweep yet: the time alone decides.
    await expect(
      next.operations.decide(operation, true, undefined, user('bob')),
    ).rejects.toThrow(/it is expired/);
    expect(await next.operations.get(operation)).toMatchObject({
      state: 'expired',
      message: expect.stringMatching(/Nobody decided in time/),
    });
    await next.engine.idle();
    expect(ledger.removals).toEqual([]);
    await expect(
      next.operations.retry(operation, user('alice')),
    ).rejects.toThrow(/ask for it again/);
    // The way is free again.
    expect((await next.ask(retire())).state).toBe('waiting');
  });

  it('does not carry out what has changed while it waited', async () => {
    const { h, ledger } = await open();
    const { id: operation } = await h.ask(retire());
    ledger.add('postgres.database');
    await expect(
      h.operations.decide(operation, true, undefined, user('bob')),
    ).rejects.toThrow(/has changed; ask for it again/);
    expect((await h.operations.get(operation)).state).toBe('failed');
    await h.engine.idle();
    expect(ledger.removals).toEqual([]);
  });

  it('can be called off while it waits', async () => {
    const { h } = await open();
    const { id: operation } = await h.ask(retire());
    await expect(h.operations.cancel(operation, user('bob'))).rejects.toThrow(
      /Only group:default\/ledger/,
    );
    await h.operations.cancel(operation, user('dave'));
    expect((await h.operations.get(operation)).state).toBe('cancelled');
    await expect(
      h.operations.decide(operation, true, undefined, user('bob')),
    ).rejects.toThrow(/it is cancelled/);
  });
});

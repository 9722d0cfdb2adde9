import { group } from '../checks';
import { equal, eventually, must } from '../expect';
import { metric } from '../operations';
import { all } from '../transaction/ledger';
import { account, addsUp } from './desk';

/** What has to hold after all that went before. Reads over the API only. */
export const invariantChecks = group('invariants at the end', {
  'the state of each authorization is the sum of its events': {
    timeout: 300_000,
    run: async ({ client }) => {
      const { items } = await client.expect(
        200,
        'GET',
        '/v1/authorizations?limit=100',
      );
      must(items.length > 0, 'there are no authorizations');
      for (const { id } of items) await addsUp(client, id);
    },
  },

  'what an account holds is what its authorizations hold': {
    timeout: 300_000,
    run: async ({ client }) => {
      const { items } = await client.expect(
        200,
        'GET',
        '/v1/authorizations?limit=200',
      );
      const accounts = new Set<string>(
        items.map((item: any) => item.spendAccountId).filter(Boolean),
      );
      for (const id of [...accounts].slice(0, 30)) {
        const own = await all(
          client,
          `/v1/authorizations?spendAccountId=${id}`,
        );
        const now = await account(client, id);
        const sum = own.reduce((total, item) => total + BigInt(item.held), 0n);
        equal(now.held, String(sum), `what ${id} holds`);
        equal(
          now.openToBuy,
          String(
            BigInt(now.balance) +
              BigInt(now.creditLimit) -
              BigInt(now.held) -
              BigInt(now.unposted),
          ),
          `what may be spent of ${id}`,
        );
        equal(now.overdrawn, BigInt(now.openToBuy) < 0n, `overdrawn of ${id}`);
      }
    },
  },

  'R5: events are told in time': {
    timeout: 120_000,
    run: async ({ client, settings }) => {
      await eventually(
        `an outbox younger than ${settings.maxOutboxAge} s`,
        async () => {
          const { text } = await client.get('/metrics');
          const age = metric(text, 'outbox_oldest_age_seconds');
          must(age !== undefined, 'R5: outbox_oldest_age_seconds is missing');
          return age < settings.maxOutboxAge ? true : undefined;
        },
        { timeout: settings.patience },
      );
    },
  },
});

import { group } from '../checks';
import { equal, eventually, must } from '../expect';
import { metric } from '../operations';
import { checkChain, checkProof, proofOf } from './audit';
import { accountAddsUp } from './ledger';

/** What has to hold after all that went before. Reads over the API only. */
export const invariantChecks = group('invariants at the end', {
  'R1: debits and credits are equal in each currency': async ({ client }) => {
    const report = await client.expect(200, 'GET', '/v1/reports/trial-balance');
    must(report.balanced, 'R1: the books are not balanced');
    for (const row of report.currencies) {
      equal(row.difference, '0', `R1: the difference in ${row.currency}`);
      equal(
        row.debits,
        row.credits,
        `R1: debits and credits in ${row.currency}`,
      );
    }
  },

  'R2, R3: the balances of the accounts of this run are the sums of their entries, without a gap':
    {
      timeout: 300_000,
      run: async ({ client }) => {
        const page = await client.expect(
          200,
          'GET',
          '/v1/transactions?limit=200',
        );
        const accounts = new Set<string>();
        for (const transaction of page.items) {
          const sums = new Map<string, bigint>();
          for (const leg of transaction.legs) {
            accounts.add(leg.accountId);
            const { currency, value } = leg.amount;
            const sign = leg.direction === 'debit' ? 1n : -1n;
            sums.set(
              currency,
              (sums.get(currency) ?? 0n) + sign * BigInt(value),
            );
          }
          for (const [currency, sum] of sums)
            equal(sum, 0n, `R1: transaction ${transaction.id} in ${currency}`);
        }
        must(accounts.size > 0, 'there are no transactions');
        for (const account of [...accounts].slice(0, 60))
          await accountAddsUp(client, account);
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

  'R7: the chain is whole, and what was posted is in it': {
    timeout: 300_000,
    run: async ({ client, settings }) => {
      const page = await client.expect(200, 'GET', '/v1/transactions?limit=30');
      for (const { id } of page.items)
        await checkProof(client, await proofOf(client, id, settings.patience));
      const chain = await checkChain(client);
      must(chain.size > 0, 'R7: there is no block');
    },
  },
});

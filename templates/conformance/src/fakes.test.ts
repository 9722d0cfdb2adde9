import type { Check, Context } from './checks';
import { Client } from './client';
import { loadContract } from './contract';
import { Coverage, exemptions } from './coverage';
import { ConformanceError } from './expect';
import { FakeLedger } from './testing/FakeLedger';
import { transactionSuite } from './transaction';

/**
 * The suite is tested like any other program: it has to pass a right service and to fail each wrong one. The services are in memory;
 * what is wrong with them is named in testing/.
 */
const settings = {
  seed: 1,
  histories: 12,
  shrink: false,
  patience: 4_000,
  maxOutboxAge: 60,
};
const contract = loadContract('transaction');

/** Runs checks against a service with these bugs; gives what failed. */
async function failures(
  bugs: string[],
  checks: Check[],
  after?: (context: Context) => void,
): Promise<string[]> {
  const ledger = new FakeLedger(contract, new Set(bugs));
  const failed: string[] = [];
  try {
    const base = await ledger.http.listen();
    const client = new Client({ base, contract, coverage: new Coverage() });
    const context: Context = { client, settings };
    for (const check of checks) {
      if (check.skip?.(context)) continue;
      try {
        await check.run(context);
      } catch (error: any) {
        // A property that does not hold is an error of fast-check, with ours inside.
        const ours =
          error instanceof ConformanceError ||
          /Property failed/.test(error.message);
        failed.push(
          `${check.group}: ${check.name}: ${ours ? '' : 'BROKEN '}${
            error.message
          }`.slice(0, 800),
        );
      }
    }
    after?.(context);
  } finally {
    await ledger.close();
  }
  return failed;
}

describe('a right transaction service', () => {
  it('passes every check, and every status is seen', async () => {
    const failed = await failures([], transactionSuite, ({ client }) => {
      const exempt = exemptions(contract, {
        authenticated: false,
        drained: false,
      });
      expect(client.coverage.missing(contract, exempt)).toEqual([]);
    });
    expect(failed).toEqual([]);
  }, 120_000);

  it('is not covered when a check is left out', async () => {
    const without = transactionSuite.filter(
      check => check.group === 'operations' || check.group === 'accounts',
    );
    await failures([], without, ({ client }) => {
      const exempt = exemptions(contract, {
        authenticated: false,
        drained: false,
      });
      expect(client.coverage.missing(contract, exempt)).toEqual(
        expect.arrayContaining([
          'receiveEvent (POST /v1/events) never answered 202',
          'openAccount (POST /v1/accounts) never answered 413',
        ]),
      );
    });
  }, 120_000);
});

describe('a wrong transaction service is found:', () => {
  // What is wrong, and the group of checks that finds it.
  it.each([
    ['no idempotency', 'idempotency'],
    ['mismatch not noticed', 'idempotency'],
    ['idempotency races', 'idempotency'],
    ['replay as new', 'idempotency'],
    ['key not needed', 'idempotency'],
    ['keys shared by clients', 'idempotency'],
    ['refusals not kept', 'idempotency'],
    ['old keys taken', 'idempotency'],
    ['money as numbers', 'transactions'],
    ['money rounded', 'transactions'],
    ['unbalanced taken', 'transactions'],
    ['currencies mixed', 'transactions'],
    ['funds not checked', 'transactions'],
    ['more than 64 bits', 'transactions'],
    ['frozen ignored', 'accounts'],
    ['closes full accounts', 'accounts'],
    ['two digits for all', 'accounts'],
    ['texts escaped', 'accounts'],
    ['weak ETag', 'accounts'],
    ['past by writing time', 'accounts'],
    ['cursor repeats', 'accounts'],
    ['offset paging', 'accounts'],
    ['versions with gaps', 'invariants at the end'],
    ['reversed too often', 'reversals'],
    ['ETag without pending', 'pending transactions'],
    ['holds not counted', 'pending transactions'],
    ['pending moves', 'pending transactions'],
    ['settled twice', 'pending transactions'],
    ['rest stays held', 'pending transactions'],
    ['posts more than held', 'pending transactions'],
    ['never expires', 'pending transactions'],
    ['batch aborts', 'batches'],
    ['events taken twice', 'events'],
    ['sealed without order', 'audit'],
    ['chain not linked', 'audit'],
    ['changed after sealing', 'audit'],
    ['no Retry-After', 'audit'],
    ['HTML errors', 'faults'],
    ['crash on bad JSON', 'faults'],
    ['any media type', 'faults'],
    ['no body limit', 'faults'],
    ['plain text for garbage', 'faults'],
    ['wrong status in the body', 'faults'],
    ['stack in detail', 'faults'],
    ['another API', 'operations'],
    ['outbox stuck', 'invariants at the end'],
    ['holds not counted', 'properties'],
    ['reversed too often', 'properties'],
    ['no idempotency', 'properties'],
    ['rest stays held', 'properties'],
    ['unlocked funds', 'concurrency'],
  ])(
    '%s (%s)',
    async (bug, group) => {
      // Invariants and replays look at what was written before.
      const needed = /at the end/.test(group)
        ? ['transactions', group]
        : [group];
      const failed = await failures(
        [bug],
        transactionSuite.filter(check => needed.includes(check.group)),
      );
      expect(failed.filter(line => line.startsWith(`${group}:`))).not.toEqual(
        [],
      );
      expect(failed.filter(line => line.includes('BROKEN'))).toEqual([]);
    },
    60_000,
  );
});

import { authorizationSuite } from './authorization';
import type { Check, Context } from './checks';
import { Client } from './client';
import { loadContract, type ServiceKind } from './contract';
import { Coverage, exemptions } from './coverage';
import { ConformanceError } from './expect';
import { FakeAuthorizations } from './testing/FakeAuthorizations';
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
  relay: true,
  patience: 2_500,
  maxOutboxAge: 60,
};
const contracts = {
  transaction: loadContract('transaction'),
  authorization: loadContract('authorization'),
};
const suites = {
  transaction: transactionSuite,
  authorization: authorizationSuite,
};
const services = {
  transaction: FakeLedger,
  authorization: FakeAuthorizations,
};

/** Runs checks against a service with these bugs; gives what failed. */
async function failures(
  service: ServiceKind,
  bugs: string[],
  checks: Check[],
  after?: (context: Context) => void,
): Promise<string[]> {
  const contract = contracts[service];
  const fake = new services[service](contract, new Set(bugs));
  const failed: string[] = [];
  try {
    const base = await fake.http.listen();
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
    await fake.close();
  }
  return failed;
}

const notSeen = ({ client }: Context) =>
  client.coverage.missing(
    client.contract,
    exemptions(client.contract, { authenticated: false, drained: false }),
  );

describe.each(['transaction', 'authorization'] as const)(
  'a right %s service',
  service => {
    it('passes every check, and every status is seen', async () => {
      const failed = await failures(service, [], suites[service], context =>
        expect(notSeen(context)).toEqual([]),
      );
      expect(failed).toEqual([]);
    }, 120_000);

    it('is not covered when checks are left out', async () => {
      const few = suites[service].filter(check => check.group === 'operations');
      await failures(service, [], few, context => {
        expect(notSeen(context).length).toBeGreaterThan(50);
        expect(notSeen(context)).toContain(
          'receiveEvent (POST /v1/events) never answered 202',
        );
      });
    }, 120_000);
  },
);

/** With the bug, the checks of the group say so, and nothing else of theirs breaks. */
async function isFound(
  service: ServiceKind,
  bug: string,
  heading: string,
): Promise<void> {
  // Invariants look at what was written before.
  const before = service === 'transaction' ? 'transactions' : 'life cycle';
  const needed = /at the end/.test(heading) ? [before, heading] : [heading];
  const failed = await failures(
    service,
    [bug],
    suites[service].filter(check => needed.includes(check.group)),
  );
  expect(failed.filter(line => line.startsWith(`${heading}:`))).not.toEqual([]);
  expect(failed.filter(line => line.includes('BROKEN'))).toEqual([]);
}

describe('both services together', () => {
  /** What failed of the checks that need both. */
  async function together(bugs: string[]): Promise<string[]> {
    const ledger = new FakeLedger(contracts.transaction, new Set(bugs));
    const cards = new FakeAuthorizations(
      contracts.authorization,
      new Set(bugs),
    );
    const failed: string[] = [];
    try {
      const [client, other] = await Promise.all(
        ([ledger, cards] as const).map(
          async (fake, i) =>
            new Client({
              base: await fake.http.listen(),
              contract:
                i === 0 ? contracts.transaction : contracts.authorization,
              coverage: new Coverage(),
            }),
        ),
      );
      for (const check of transactionSuite) {
        if (check.group !== 'captures in the ledger') continue;
        await check
          .run({ client, other, settings })
          .catch(error => failed.push(error.message));
      }
    } finally {
      await Promise.all([ledger.close(), cards.close()]);
    }
    return failed;
  }

  it('have captured and posted the same (R6)', async () => {
    expect(await together([])).toEqual([]);
  });

  it.each(['events taken twice', 'captures counted twice', 'old balances win'])(
    'do not when there is a bug: %s',
    async bug => {
      expect((await together([bug])).length).toBeGreaterThan(0);
    },
    30_000,
  );
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
  ])('%s (%s)', (bug, heading) => isFound('transaction', bug, heading), 60_000);
});

describe('a wrong authorization service is found:', () => {
  it.each([
    ['declines as errors', 'decisions'],
    ['funds not checked', 'decisions'],
    ['holds not counted', 'decisions'],
    ['frozen cards pay', 'decisions'],
    ['no daily limit', 'decisions'],
    ['each message anew', 'decisions'],
    ['no tips', 'life cycle'],
    ['captures without limit', 'life cycle'],
    ['late captures refused', 'life cycle'],
    ['rest stays held', 'life cycle'],
    ['reversed too often', 'life cycle'],
    ['expiry keeps the hold', 'life cycle'],
    ['early reversals forgotten', 'life cycle'],
    ['events with gaps', 'invariants at the end'],
    ['lost updates', 'cards, accounts and rules'],
    ['the candidate decides', 'cards, accounts and rules'],
    ['old balances win', 'events'],
    ['captures counted twice', 'events'],
    ['no idempotency', 'idempotency'],
    ['idempotency races', 'idempotency'],
    ['holds not counted', 'concurrency'],
    ['captures without limit', 'properties'],
    ['rest stays held', 'properties'],
    ['no tips', 'properties'],
    ['expiry keeps the hold', 'properties'],
    ['HTML errors', 'faults'],
    ['another API', 'operations'],
  ])(
    '%s (%s)',
    (bug, heading) => isFound('authorization', bug, heading),
    60_000,
  );
});

import { group } from '../checks';
import { newKey } from '../client';
import { equal, must } from '../expect';
import {
  accountAddsUp,
  all,
  balanceIs,
  legs,
  openAccount,
  wallet,
} from './ledger';

const URL = '/v1/transactions:batch';

export const batchChecks = group('batches', {
  'decide each item on its own, in their order': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 100n);
    const frozen = await openAccount(client);
    await client.expect(201, 'POST', `/v1/accounts/${frozen}/status`, {
      body: { status: 'frozen', reason: 'x' },
    });
    const answer = await client.post(URL, {
      items: [
        { legs: legs(owner, cash, '60'), externalRef: 'first' },
        // 40 are left now: this one is refused, the next one is not.
        { legs: legs(owner, cash, '41') },
        { legs: legs(owner, cash, '40') },
        { legs: legs(frozen, cash, '1') },
        { legs: legs(cash, '0199d5d0-0000-7000-8000-000000000000', '1') },
        { legs: legs(cash, owner, '7') },
        {
          legs: legs(owner, cash, '7'),
          pending: {
            expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
          },
        },
      ],
    });
    equal(answer.status, 200, 'the status');
    equal(
      answer.body.items.map((item: any) => [
        item.index,
        item.status,
        item.problem?.code ?? item.transaction?.kind,
      ]),
      [
        [0, 201, 'posting'],
        [1, 422, 'insufficient-funds'],
        [2, 201, 'posting'],
        [3, 409, 'account-frozen'],
        [4, 422, 'account-unknown'],
        [5, 201, 'posting'],
        [6, 201, 'pending'],
      ],
      'the results',
    );
    for (const item of answer.body.items) {
      must(
        (item.problem === null) !== (item.transaction === null),
        `item ${item.index} has both a problem and a transaction, or neither`,
      );
      if (item.problem)
        equal(
          item.problem.status,
          item.status,
          `the status of problem ${item.index}`,
        );
      else {
        const { reversal, resolution, ...read } = await client.expect(
          200,
          'GET',
          `/v1/transactions/${item.transaction.id}`,
        );
        equal(
          read,
          item.transaction,
          `transaction ${item.index} as it is read`,
        );
      }
    }
    equal(answer.body.items[0].transaction.externalRef, 'first', 'externalRef');
    await balanceIs(client, owner, {
      posted: '7',
      pending: '7',
      available: '0',
    });
    await accountAddsUp(client, owner);
    await accountAddsUp(client, cash);
  },

  'are refused as a whole when an item is not valid by itself': async ({
    client,
  }) => {
    const [a, b] = [await openAccount(client), await openAccount(client)];
    const good = { legs: legs(a, b, '1') };
    for (const bad of [
      { legs: [legs(a, b, '5')[0], legs(a, b, '4')[1]] },
      { legs: legs(a, b, '5', 'QQQ') },
      { legs: legs(a, b, '5'), kind: 'fx' },
      { legs: legs(a, b, '5'), pending: { expiresAt: '2020-01-01T00:00:00Z' } },
    ]) {
      const problem = await client.refuse('validation-failed', 'POST', URL, {
        body: { items: [good, bad, good] },
      });
      must(
        problem.errors?.every((error: any) =>
          error.pointer.startsWith('/items/1'),
        ),
        `errors do not name the item: ${JSON.stringify(problem.errors)}`,
      );
    }
    await balanceIs(client, b, { posted: '0' });
  },

  'are answered again like the first time': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 10n);
    const key = newKey();
    const body = {
      items: [
        { legs: legs(owner, cash, '10') },
        { legs: legs(owner, cash, '10') },
      ],
    };
    const first = await client.post(URL, body, { key });
    must(
      !first.headers.has('idempotent-replayed'),
      'a new batch is marked as replayed',
    );
    // Money that came since changes nothing about what was decided.
    await client.expect(201, 'POST', '/v1/transactions', {
      body: { legs: legs(cash, owner, '50') },
    });
    const again = await client.post(URL, body, { key });
    equal(again.status, 200, 'the status');
    equal(
      again.headers.get('idempotent-replayed'),
      'true',
      'Idempotent-Replayed',
    );
    equal(again.body, first.body, 'the results of a repetition');
    await balanceIs(client, owner, { posted: '50' });
    await client.refuse('idempotency-mismatch', 'POST', URL, {
      key,
      body: { items: body.items.slice(0, 1) },
    });
  },

  'take 500 items and no more': {
    timeout: 120_000,
    run: async ({ client }) => {
      const [a, b] = [await openAccount(client), await openAccount(client)];
      const externalRef = `batch-${a}`;
      const item = { legs: legs(a, b, '1'), externalRef };
      const items = Array.from({ length: 500 }, () => item);
      const answer = await client.expect(200, 'POST', URL, { body: { items } });
      equal(answer.items.length, 500, 'the number of results');
      must(
        answer.items.every((result: any) => result.status === 201),
        'an item was refused',
      );
      await balanceIs(client, b, { posted: '500' });
      equal(
        (await all(client, `/v1/transactions?externalRef=${externalRef}`))
          .length,
        500,
        'the number of transactions',
      );
      for (const body of [
        { items: [...items, item] },
        { items: [] },
        {},
        { items: [{}] },
        { items: [{ legs: legs(a, b, '1.5') }] },
        { items: [item, { legs: legs(a, b, '1'), more: 1 }] },
        [item],
      ])
        await client.refuse('validation-failed', 'POST', URL, { body });
      await balanceIs(client, b, { posted: '500' });
      await accountAddsUp(client, a);
    },
  },

  'do not block each other when they meet the same accounts crosswise': {
    timeout: 120_000,
    run: async ({ client }) => {
      const accounts = await Promise.all(
        Array.from({ length: 6 }, () => openAccount(client)),
      );
      const ring = (shift: number) =>
        Array.from({ length: 12 }, (_, i) => ({
          legs: legs(
            accounts[(i * 5 + shift) % 6],
            accounts[
              (i + 1 + shift) % 6 === (i * 5 + shift) % 6
                ? (i + 2 + shift) % 6
                : (i + 1 + shift) % 6
            ],
            '1',
          ),
        }));
      const answers = await Promise.all(
        Array.from({ length: 24 }, (_, i) =>
          client.post(URL, { items: i % 2 ? ring(i) : ring(i).reverse() }),
        ),
      );
      for (const answer of answers) {
        equal(answer.status, 200, 'the status');
        must(
          answer.body.items.every((item: any) => item.status === 201),
          'an item was refused',
        );
      }
      for (const account of accounts) await accountAddsUp(client, account);
    },
  },
});

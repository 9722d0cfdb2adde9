import { group } from '../checks';
import { equal, must } from '../expect';
import {
  accountAddsUp,
  balanceIs,
  legs,
  openAccount,
  transfer,
  wallet,
} from './ledger';
import { hold } from './pending';

export const concurrencyChecks = group('concurrency', {
  '200 parallel postings on funds for 100 post exactly 100': {
    timeout: 120_000,
    run: async ({ client }) => {
      const { cash, wallet: owner } = await wallet(client, 100n);
      const answers = await Promise.all(
        Array.from({ length: 200 }, () =>
          client.post('/v1/transactions', { legs: legs(owner, cash, '1') }),
        ),
      );
      equal(
        answers.filter(answer => answer.status === 201).length,
        100,
        'the number of postings',
      );
      must(
        answers.every(
          answer =>
            answer.status === 201 || answer.body.code === 'insufficient-funds',
        ),
        'a refusal has another reason',
      );
      await balanceIs(client, owner, { posted: '0', available: '0' });
      await accountAddsUp(client, owner);
    },
  },

  '200 parallel holds on funds for 100 hold exactly 100': {
    timeout: 120_000,
    run: async ({ client }) => {
      const { cash, wallet: owner } = await wallet(client, 100n);
      const pending = {
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      };
      const answers = await Promise.all(
        Array.from({ length: 200 }, () =>
          client.post('/v1/transactions', {
            legs: legs(owner, cash, '1'),
            pending,
          }),
        ),
      );
      equal(
        answers.filter(answer => answer.status === 201).length,
        100,
        'the number of holds',
      );
      await balanceIs(client, owner, {
        posted: '100',
        pending: '100',
        available: '0',
      });
    },
  },

  'postings in a ring and back never lock each other out': {
    timeout: 120_000,
    run: async ({ client }) => {
      const ring = await Promise.all(
        Array.from({ length: 5 }, () => openAccount(client)),
      );
      const answers = await Promise.all(
        Array.from({ length: 150 }, (_, i) => {
          const from = ring[i % 5];
          const to = ring[(i + (i % 2 === 0 ? 1 : 4)) % 5];
          return client.post('/v1/transactions', {
            legs: [
              ...legs(from, to, '3'),
              ...legs(ring[(i + 2) % 5], from, '2'),
            ],
          });
        }),
      );
      must(
        answers.every(answer => answer.status === 201),
        'a posting was refused',
      );
      for (const account of ring) await accountAddsUp(client, account);
    },
  },

  'everything at once on one account adds up': {
    timeout: 120_000,
    run: async ({ client }) => {
      const { cash, wallet: owner } = await wallet(client, 10_000n);
      const originals = await Promise.all(
        Array.from({ length: 10 }, () => transfer(client, owner, cash, '20')),
      );
      const held = await Promise.all(
        Array.from({ length: 10 }, () => hold(client, owner, cash, '30')),
      );
      await Promise.all([
        ...originals.map(({ id }) =>
          client.expect(201, 'POST', `/v1/transactions/${id}/reversal`, {
            body: { amount: { value: '5', currency: 'USD' } },
          }),
        ),
        ...held.map(({ id }, i) =>
          client.expect(
            201,
            'POST',
            `/v1/transactions/${id}/${i % 2 ? 'void' : 'post'}`,
            {
              body: {},
            },
          ),
        ),
        ...Array.from({ length: 20 }, () => transfer(client, cash, owner, '1')),
        ...Array.from({ length: 5 }, () =>
          client.expect(200, 'POST', '/v1/transactions:batch', {
            body: {
              items: Array.from({ length: 10 }, () => ({
                legs: legs(owner, cash, '2'),
              })),
            },
          }),
        ),
      ]);
      // 10,000 - 10×20 + 10×5 - 5×30 + 20×1 - 50×2
      await balanceIs(client, owner, {
        posted: '9620',
        pending: '0',
        available: '9620',
      });
      await accountAddsUp(client, owner);
      await accountAddsUp(client, cash);
    },
  },
});

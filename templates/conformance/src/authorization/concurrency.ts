import { group } from '../checks';
import { equal, must } from '../expect';
import {
  accountIs,
  addsUp,
  approved,
  payment,
  spender,
  url,
  usd,
} from './desk';

export const concurrencyChecks = group('concurrency', {
  '200 parallel authorizations on funds for 100 approve exactly 100': {
    timeout: 120_000,
    run: async ({ client }) => {
      const who = await spender(client, { funds: '100' });
      const answers = await Promise.all(
        Array.from({ length: 200 }, () =>
          client.expect(201, 'POST', '/v1/authorizations', {
            body: payment(who, '1'),
          }),
        ),
      );
      equal(
        answers.filter(answer => answer.decision === 'APPROVED').length,
        100,
        'the number of approvals',
      );
      must(
        answers.every(answer => ['00', '51'].includes(answer.reasonCode)),
        'a decline has another reason',
      );
      await accountIs(client, who.account, {
        held: '100',
        openToBuy: '0',
        overdrawn: false,
      });
    },
  },

  'parallel authorizations on two cards share the funds of their account': {
    timeout: 120_000,
    run: async ({ client }) => {
      const one = await spender(client, { funds: '60' });
      const token = `${one.token}2`;
      await client.expect(201, 'POST', '/v1/cards', {
        body: { token, spendAccountId: one.account, expiresOn: '2099-12-31' },
      });
      const answers = await Promise.all(
        Array.from({ length: 80 }, (_, i) =>
          client.expect(201, 'POST', '/v1/authorizations', {
            body: payment(i % 2 ? one : { ...one, token }, '2'),
          }),
        ),
      );
      equal(
        answers.filter(answer => answer.decision === 'APPROVED').length,
        30,
        'the number of approvals',
      );
      await accountIs(client, one.account, { held: '60', openToBuy: '0' });
    },
  },

  'parallel authorizations keep the limits of the card': {
    timeout: 120_000,
    run: async ({ client }) => {
      const who = await spender(client, {
        funds: '1000000',
        card: { limits: { perDay: '100' } },
      });
      const answers = await Promise.all(
        Array.from({ length: 60 }, () =>
          client.expect(201, 'POST', '/v1/authorizations', {
            body: payment(who, '4'),
          }),
        ),
      );
      equal(
        answers.filter(answer => answer.decision === 'APPROVED').length,
        25,
        'the number of approvals within the daily limit',
      );
    },
  },

  'parallel captures and reversals never take more than there is': {
    timeout: 120_000,
    run: async ({ client }) => {
      const who = await spender(client, { funds: '100000' });
      const { id } = await approved(client, who, '100');
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          client.post(url(id, i % 2 ? 'captures' : 'reversals'), {
            amount: usd('7'),
          }),
        ),
      );
      must(
        answers.every(answer => [201, 409, 422].includes(answer.status)),
        'a message was answered with another status',
      );
      const now = await addsUp(client, id);
      must(
        BigInt(now.captured) + BigInt(now.reversed) <= 100n,
        `captured ${now.captured} and reversed ${now.reversed} of 100`,
      );
      await accountIs(client, who.account, {
        held: now.held,
        unposted: now.captured,
      });
    },
  },
});

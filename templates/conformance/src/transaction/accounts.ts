import { group } from '../checks';
import { equal, includes, must } from '../expect';
import {
  all,
  balance,
  balanceIs,
  entries,
  legs,
  openAccount,
  transfer,
  wallet,
} from './ledger';

const NOWHERE = '0199d5d0-0000-7000-8000-000000000000';

/** Texts that break what builds statements, pages or templates out of them. */
export const HOSTILE_TEXTS = [
  `'; DROP TABLE account; --`,
  `" OR 1=1 --`,
  '$(touch /tmp/owned) `id`',
  '${7*7} {{7*7}} <%= 7*7 %> #{7*7}',
  '<script>alert(1)</script>',
  '%s%n %00 \\u0000 ../../etc/passwd',
  'Zoë 漢字 \u{1F4B3} \u202e',
];

export const accountChecks = group('accounts', {
  'opens an account, says where it is, and reads it back': async ({
    client,
  }) => {
    const sides = {
      asset: 'debit',
      expense: 'debit',
      liability: 'credit',
      equity: 'credit',
      income: 'credit',
    };
    for (const [kind, normalSide] of Object.entries(sides)) {
      const answer = await client.post('/v1/accounts', {
        name: `a ${kind}`,
        kind,
        currency: 'EUR',
        metadata: { team: 'ledger' },
      });
      equal(answer.status, 201, 'the status');
      includes(
        answer.body,
        {
          name: `a ${kind}`,
          kind,
          currency: 'EUR',
          exponent: 2,
          normalSide,
          status: 'open',
          minAvailable: null,
          metadata: { team: 'ledger' },
        },
        'the account',
      );
      const location = answer.headers.get('location');
      equal(location, `/v1/accounts/${answer.body.id}`, 'Location');
      equal(
        await client.expect(200, 'GET', location!),
        answer.body,
        'the account as it is read',
      );
    }
    const contra = await client.expect(201, 'POST', '/v1/accounts', {
      body: {
        name: 'contra',
        kind: 'asset',
        currency: 'USD',
        normalSide: 'credit',
        minAvailable: '-5000',
      },
    });
    includes(
      contra,
      { normalSide: 'credit', minAvailable: '-5000' },
      'an account with its own side and overdraft',
    );
  },

  'knows the exponent of each currency': async ({ client }) => {
    for (const [currency, exponent] of [
      ['JPY', 0],
      ['USD', 2],
      ['KWD', 3],
      ['CLF', 4],
    ]) {
      const account = await client.expect(201, 'POST', '/v1/accounts', {
        body: { name: 'money', kind: 'asset', currency },
      });
      equal(account.exponent, exponent, `the exponent of ${currency}`);
    }
  },

  'refuses accounts of a wrong form and names the field': async ({
    client,
  }) => {
    const good = { name: 'x', kind: 'asset', currency: 'USD' };
    const bad: [string, unknown][] = [
      ['/name', { kind: 'asset', currency: 'USD' }],
      ['/name', { ...good, name: '' }],
      ['/name', { ...good, name: 'x'.repeat(201) }],
      ['/name', { ...good, name: 'a\u0000b' }],
      ['/name', { ...good, name: 7 }],
      ['/kind', { ...good, kind: 'wallet' }],
      ['/currency', { ...good, currency: 'usd' }],
      ['/currency', { ...good, currency: 'QQQ' }],
      ['/minAvailable', { ...good, minAvailable: 0 }],
      ['/minAvailable', { ...good, minAvailable: '5' }],
      ['/minAvailable', { ...good, minAvailable: '-0' }],
      ['/minAvailable', { ...good, minAvailable: '-1.5' }],
      ['/metadata', { ...good, metadata: 'x' }],
      ['/metadata/a', { ...good, metadata: { a: 1 } }],
      ['/metadata', { ...good, metadata: { 'a b': 'x' } }],
      ['/metadata', { ...good, metadata: { ['x'.repeat(65)]: 'x' } }],
      [
        '/metadata',
        {
          ...good,
          metadata: Object.fromEntries(
            Array.from({ length: 21 }, (_, i) => [`n${i}`, 'x']),
          ),
        },
      ],
      ['/more', { ...good, more: true }],
    ];
    for (const [pointer, body] of bad) {
      const problem = await client.refuse(
        'validation-failed',
        'POST',
        '/v1/accounts',
        { body },
      );
      must(
        problem.errors?.some((error: any) =>
          pointer === '/metadata'
            ? error.pointer.startsWith(pointer)
            : error.pointer === pointer,
        ),
        `${JSON.stringify(
          body,
        )}: errors do not name ${pointer}: ${JSON.stringify(problem.errors)}`,
      );
    }
  },

  'says when there is no such account': async ({ client }) => {
    for (const url of [
      '',
      '/balance',
      '/balance?at=2026-01-01T00:00:00Z',
      '/entries',
    ]) {
      await client.refuse('not-found', 'GET', `/v1/accounts/${NOWHERE}${url}`);
      await client.refuse(
        'validation-failed',
        'GET',
        `/v1/accounts/not-a-uuid${url}`,
      );
    }
    await client.refuse('not-found', 'POST', `/v1/accounts/${NOWHERE}/status`, {
      body: { status: 'frozen', reason: 'x' },
    });
  },

  'freezes, reopens and closes': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 100n);
    const status = (to: string) =>
      client.expect(201, 'POST', `/v1/accounts/${owner}/status`, {
        body: { status: to, reason: 'conformance' },
      });
    const post = { body: { legs: legs(owner, cash, '1') } };
    equal((await status('frozen')).status, 'frozen', 'the status');
    await client.refuse('account-frozen', 'POST', '/v1/transactions', post);
    equal((await status('open')).status, 'open', 'the status');
    await transfer(client, owner, cash, '1');
    await client.refuse(
      'account-not-empty',
      'POST',
      `/v1/accounts/${owner}/status`,
      {
        body: { status: 'closed', reason: 'x' },
      },
    );
    await transfer(client, owner, cash, '99');
    equal((await status('closed')).status, 'closed', 'the status');
    await client.refuse('account-closed', 'POST', '/v1/transactions', post);
    await client.refuse(
      'account-closed',
      'POST',
      `/v1/accounts/${owner}/status`,
      {
        body: { status: 'open', reason: 'x' },
      },
    );
    await client.refuse(
      'validation-failed',
      'POST',
      `/v1/accounts/${cash}/status`,
      {
        body: { status: 'gone', reason: 'x' },
      },
    );
  },

  'shows the balance from the normal side, with a strong ETag': async ({
    client,
  }) => {
    const { cash, wallet: owner } = await wallet(client, 0n);
    const zero = { posted: '0', pending: '0', available: '0' };
    await balanceIs(client, owner, zero);
    const url = `/v1/accounts/${owner}/balance`;
    const before = (await client.get(url)).headers.get('etag');
    await transfer(client, cash, owner, '250');
    const after = await client.get(url);
    const etag = after.headers.get('etag');
    must(
      etag !== null && /^"[^"]+"$/.test(etag),
      `the ETag ${etag} is not a strong one`,
    );
    must(etag !== before, 'the ETag stayed the same after a posting');
    includes(
      after.body,
      {
        posted: '250',
        available: '250',
        debitsPosted: '0',
        creditsPosted: '250',
        version: 1,
        at: null,
      },
      'the balance of the wallet',
    );
    await balanceIs(client, cash, { posted: '250' });
    const known = await client.get(url, {
      headers: { 'if-none-match': etag! },
    });
    equal([known.status, known.text], [304, ''], 'the answer to If-None-Match');
    const changed = await client.get(url, {
      headers: { 'if-none-match': before! },
    });
    equal(changed.status, 200, 'the answer to an old If-None-Match');
    await transfer(client, owner, cash, '300').then(
      () => must(false, 'a wallet went below zero'),
      () => undefined,
    );
    equal(
      (await client.get(url)).headers.get('etag'),
      etag,
      'the ETag after a refused posting',
    );
  },

  'shows the balance at a moment of business time': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 0n);
    await transfer(client, cash, owner, '100', {
      effectiveAt: '2026-01-10T12:00:00Z',
    });
    // Written later, meant for earlier.
    await transfer(client, cash, owner, '7', {
      effectiveAt: '2026-01-05T12:00:00Z',
    });
    await transfer(client, owner, cash, '30', {
      effectiveAt: '2026-02-01T00:00:00+02:00',
    });
    const at = async (moment: string) => {
      const found = await client.expect(
        200,
        'GET',
        `/v1/accounts/${owner}/balance?at=${encodeURIComponent(moment)}`,
      );
      equal(
        [found.pending, found.available],
        [null, null],
        'pending and available of the past',
      );
      equal(
        Date.parse(found.at),
        Date.parse(moment),
        'the moment of the balance',
      );
      return [found.posted, found.version];
    };
    equal(await at('2026-01-01T00:00:00Z'), ['0', 0], 'before everything');
    equal(await at('2026-01-05T12:00:00Z'), ['7', 1], 'at the first moment');
    equal(await at('2026-01-31T21:59:59Z'), ['107', 2], 'before the third');
    equal(await at('2026-01-31T22:00:00Z'), ['77', 3], 'after the third');
    for (const bad of ['yesterday', '2026-13-01T00:00:00Z', '2026-01-01'])
      await client.refuse(
        'validation-failed',
        'GET',
        `/v1/accounts/${owner}/balance?at=${bad}`,
      );
  },

  'pages through the history without losing or repeating an entry': async ({
    client,
  }) => {
    const { cash, wallet: owner } = await wallet(client, 0n);
    for (let i = 1; i <= 7; i++) await transfer(client, cash, owner, String(i));
    const url = `/v1/accounts/${owner}/entries`;
    const first = await client.expect(200, 'GET', `${url}?limit=3`);
    // What comes in while somebody pages does not shift the pages.
    await transfer(client, cash, owner, '8');
    const second = await client.expect(
      200,
      'GET',
      `${url}?limit=4&cursor=${encodeURIComponent(first.nextCursor)}`,
    );
    equal(
      [...first.items, ...second.items].map((entry: any) => entry.amount.value),
      ['7', '6', '5', '4', '3', '2', '1'],
      'the amounts, newest first',
    );
    equal(second.nextCursor, null, 'the cursor of the last page');
    equal((await entries(client, owner, 3)).length, 8, 'the number of entries');
    const now = await balance(client, owner);
    equal(
      (await client.expect(200, 'GET', url)).items[0].balanceAfter,
      now.posted,
      'balanceAfter of the newest entry',
    );
    for (const query of [
      'limit=0',
      'limit=201',
      'limit=x',
      'cursor=%00',
      'cursor=zzz',
      `cursor=${'a'.repeat(201)}`,
    ])
      await client.refuse('validation-failed', 'GET', `${url}?${query}`);
  },

  'takes hostile texts as texts': async ({ client }) => {
    const cash = await openAccount(client, { kind: 'asset' });
    for (const text of HOSTILE_TEXTS) {
      const account = await client.expect(201, 'POST', '/v1/accounts', {
        body: {
          name: text,
          kind: 'liability',
          currency: 'USD',
          metadata: { note: text },
        },
      });
      equal(account.name, text, 'the name');
      equal(account.metadata, { note: text }, 'the metadata');
      const posted = await transfer(client, cash, account.id, '1', {
        externalRef: text,
        metadata: { note: text },
      });
      equal(posted.externalRef, text, 'the reference');
      const found = await all(
        client,
        `/v1/transactions?externalRef=${encodeURIComponent(text)}`,
      );
      must(
        found.some(transaction => transaction.id === posted.id) &&
          found.every(transaction => transaction.externalRef === text),
        `searching for ${JSON.stringify(text)} finds something else`,
      );
      await client.expect(201, 'POST', `/v1/accounts/${account.id}/status`, {
        body: { status: 'frozen', reason: text },
      });
    }
  },
});

import { randomUUID } from 'node:crypto';
import type { Client } from '../client';
import { equal, includes, must } from '../expect';

export type Leg = {
  accountId: string;
  direction: 'debit' | 'credit';
  amount: { value: string; currency: string };
};

export type AccountOptions = {
  kind?: string;
  currency?: string;
  minAvailable?: string | null;
};

/** Opens an account; a liability in USD without a limit unless told otherwise. Gives its id. */
export async function openAccount(
  client: Client,
  options: AccountOptions = {},
): Promise<string> {
  const account = await client.expect(201, 'POST', '/v1/accounts', {
    body: {
      name: `conformance ${randomUUID()}`,
      kind: 'liability',
      currency: 'USD',
      ...options,
    },
  });
  return account.id;
}

/** Two legs: from `debit` to `credit`. */
export function legs(
  debit: string,
  credit: string,
  value: string | bigint,
  currency = 'USD',
): Leg[] {
  const amount = { value: String(value), currency };
  return [
    { accountId: debit, direction: 'debit', amount },
    { accountId: credit, direction: 'credit', amount },
  ];
}

/** Posts two legs and gives the transaction. */
export function transfer(
  client: Client,
  debit: string,
  credit: string,
  value: string | bigint,
  more: Record<string, unknown> = {},
): Promise<any> {
  const { currency, ...rest } = more as { currency?: string };
  return client.expect(201, 'POST', '/v1/transactions', {
    body: { legs: legs(debit, credit, value, currency), ...rest },
  });
}

/** A cash account (asset, no limit) and a wallet (liability that may not go below zero) with `funds` in it. */
export async function wallet(
  client: Client,
  funds: bigint,
  currency = 'USD',
): Promise<{ cash: string; wallet: string }> {
  const [cash, owner] = await Promise.all([
    openAccount(client, { kind: 'asset', currency }),
    openAccount(client, { currency, minAvailable: '0' }),
  ]);
  if (funds > 0n) await transfer(client, cash, owner, funds, { currency });
  return { cash, wallet: owner };
}

export function balance(client: Client, account: string): Promise<any> {
  return client.expect(200, 'GET', `/v1/accounts/${account}/balance`);
}

/** The figures of a balance are these. */
export async function balanceIs(
  client: Client,
  account: string,
  expected: { posted?: string; pending?: string; available?: string },
): Promise<void> {
  includes(
    await balance(client, account),
    expected,
    `the balance of ${account}`,
  );
}

/** All items of a list, page by page. Throws when a page repeats an item or is longer than asked for. */
export async function all(
  client: Client,
  url: string,
  limit = 200,
  idOf: (item: any) => string = item => item.id,
): Promise<any[]> {
  const items: any[] = [];
  const seen = new Set<string>();
  let cursor: string | null = null;
  do {
    const query: string = `${url}${
      url.includes('?') ? '&' : '?'
    }limit=${limit}${
      cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    }`;
    const page = await client.expect(200, 'GET', query);
    must(
      page.items.length <= limit,
      `${query} answered ${page.items.length} items`,
    );
    must(
      page.items.length > 0 || page.nextCursor === null,
      `${query} answered an empty page with a cursor`,
    );
    for (const item of page.items) {
      must(!seen.has(idOf(item)), `${query} repeats ${idOf(item)}`);
      seen.add(idOf(item));
      items.push(item);
    }
    cursor = page.nextCursor;
  } while (cursor !== null);
  return items;
}

export function entries(client: Client, account: string, limit = 200) {
  return all(client, `/v1/accounts/${account}/entries`, limit, entry =>
    String(entry.accountVersion),
  );
}

/** R2 and R3 of one account: its balance is the sum of its entries, which are numbered 1, 2, 3 without a gap. */
export async function accountAddsUp(
  client: Client,
  account: string,
): Promise<void> {
  const [document, history, now] = await Promise.all([
    client.expect(200, 'GET', `/v1/accounts/${account}`),
    entries(client, account),
    balance(client, account),
  ]);
  const sign = (direction: string) =>
    direction === document.normalSide ? 1n : -1n;
  let sum = 0n;
  const oldestFirst = [...history].reverse();
  oldestFirst.forEach((entry, i) => {
    equal(entry.accountVersion, i + 1, `R3: version of an entry of ${account}`);
    sum += sign(entry.direction) * BigInt(entry.amount.value);
    equal(
      entry.balanceAfter,
      String(sum),
      `R2: balanceAfter of entry ${i + 1} of ${account}`,
    );
  });
  equal(now.posted, String(sum), `R2: posted balance of ${account}`);
  equal(now.version, history.length, `R3: version of ${account}`);
  const total = (direction: string) =>
    history
      .filter(entry => entry.direction === direction)
      .reduce((so, entry) => so + BigInt(entry.amount.value), 0n);
  equal(
    [now.debitsPosted, now.creditsPosted],
    [String(total('debit')), String(total('credit'))],
    `R2: debits and credits of ${account}`,
  );
}

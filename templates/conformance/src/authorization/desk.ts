import { randomUUID } from 'node:crypto';
import type { Client } from '../client';
import { equal, includes } from '../expect';

export const NOWHERE = '0199d5d0-0000-7000-8000-000000000000';

export type SpenderOptions = {
  /** What may be spent, as a credit limit in minor units. */
  funds?: string;
  currency?: string;
  ledgerAccountId?: string;
  card?: Record<string, unknown>;
};

export type Spender = {
  account: string;
  card: string;
  token: string;
  currency: string;
};

export const newToken = () =>
  `tok_${randomUUID().replaceAll('-', '').slice(0, 24)}`;
export const newRef = () => `net-${randomUUID()}`;

/** A spend account with funds, and a card on it. */
export async function spender(
  client: Client,
  {
    funds = '10000',
    currency = 'USD',
    ledgerAccountId,
    card = {},
  }: SpenderOptions = {},
): Promise<Spender> {
  const opened = await client.expect(201, 'POST', '/v1/spend-accounts', {
    body: {
      currency,
      creditLimit: funds,
      ...(ledgerAccountId ? { ledgerAccountId } : {}),
    },
  });
  const token = newToken();
  const added = await client.expect(201, 'POST', '/v1/cards', {
    body: {
      token,
      spendAccountId: opened.id,
      expiresOn: '2099-12-31',
      ...card,
    },
  });
  return { account: opened.id, card: added.id, token, currency };
}

/** The body of a request for an authorization; a grocery shop in the US unless told otherwise. */
export function payment(
  { token, currency }: { token: string; currency: string },
  value: string | bigint,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    networkRef: newRef(),
    cardToken: token,
    amount: { value: String(value), currency },
    merchant: { mcc: '5411', country: 'US' },
    ...more,
  };
}

export function authorize(
  client: Client,
  who: Spender,
  value: string | bigint,
  more: Record<string, unknown> = {},
): Promise<any> {
  return client.expect(201, 'POST', '/v1/authorizations', {
    body: payment(who, value, more),
  });
}

/** An authorization that has to be approved. */
export async function approved(
  client: Client,
  who: Spender,
  value: string | bigint,
  more: Record<string, unknown> = {},
): Promise<any> {
  const answer = await authorize(client, who, value, more);
  equal(
    [answer.decision, answer.reasonCode],
    ['APPROVED', '00'],
    `the decision about ${value} (${answer.detail})`,
  );
  return answer;
}

/** An authorization that has to be declined for this reason. */
export async function declined(
  client: Client,
  who: Spender,
  reasonCode: string,
  value: string | bigint,
  more: Record<string, unknown> = {},
): Promise<any> {
  const answer = await authorize(client, who, value, more);
  equal(
    [answer.decision, answer.reasonCode, answer.status, answer.held],
    ['DECLINED', reasonCode, 'DECLINED', '0'],
    `decision, reason, status and hold (${answer.detail})`,
  );
  return answer;
}

export const usd = (value: string | bigint) => ({
  value: String(value),
  currency: 'USD',
});

/** Sends a message about an authorization, which has to be taken. Gives the event. */
export function message(
  client: Client,
  id: string,
  what: 'increments' | 'captures' | 'reversals' | 'expire',
  body: Record<string, unknown> = {},
): Promise<any> {
  return client.expect(201, 'POST', url(id, what), { body });
}

export function url(id: string, what: string): string {
  return what === 'expire'
    ? `/v1/authorizations/${id}:expire`
    : `/v1/authorizations/${id}/${what}`;
}

/** The authorization stands like this now. */
export async function stands(
  client: Client,
  id: string,
  expected: Record<string, unknown>,
): Promise<any> {
  const now = await client.expect(200, 'GET', `/v1/authorizations/${id}`);
  includes(now, expected, `authorization ${id}`);
  return now;
}

export function account(client: Client, id: string): Promise<any> {
  return client.expect(200, 'GET', `/v1/spend-accounts/${id}`);
}

/** The figures of a spend account are these. */
export async function accountIs(
  client: Client,
  id: string,
  expected: Record<string, unknown>,
): Promise<void> {
  includes(await account(client, id), expected, `spend account ${id}`);
}

/** The events of an authorization add up to its state, and are numbered without a gap. */
export async function addsUp(client: Client, id: string): Promise<any> {
  const [now, { items }] = await Promise.all([
    client.expect(200, 'GET', `/v1/authorizations/${id}`),
    client.expect(200, 'GET', `/v1/authorizations/${id}/events`),
  ]);
  const sum = (...kinds: string[]) =>
    items
      .filter((event: any) => kinds.includes(event.kind))
      .reduce(
        (total: bigint, event: any) => total + BigInt(event.amount.value),
        0n,
      );
  items.forEach((event: any, i: number) =>
    equal(event.seq, i + 1, `seq of an event of ${id}`),
  );
  equal(
    [now.authorized, now.captured, now.reversed, now.version],
    [
      String(sum('AUTHORIZED', 'ADVICE', 'INCREMENTED')),
      String(sum('CAPTURED', 'FORCE_POSTED')),
      String(sum('REVERSED')),
      items.length,
    ],
    `authorized, captured, reversed and version of ${id}`,
  );
  const left =
    BigInt(now.authorized) -
    BigInt(now.reversed) -
    BigInt(now.captured) -
    BigInt(now.released);
  equal(now.held, String(left > 0n ? left : 0n), `what ${id} holds`);
  const { authorization } = items.at(-1);
  includes(
    now,
    authorization,
    `authorization ${id} beside the state in its last event`,
  );
  return now;
}

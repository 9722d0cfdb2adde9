/** What both services do while the broker between them is away: they work, and nothing that they have to tell is lost or told twice. */
import { randomUUID } from 'node:crypto';
import type { RabbitMq } from './rabbitmq';
import { assert, equal } from './report';

const CAPTURES = 20;
const PATIENCE_MS = 60_000;

function caller(base: string, token: string) {
  return async (
    method: 'GET' | 'POST',
    path: string,
    body?: object,
  ): Promise<any> => {
    const response = await fetch(base + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body && {
          'content-type': 'application/json',
          'idempotency-key': randomUUID(),
        }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    const answer = await response.json();
    assert(
      response.ok,
      `${method} ${path}: ${response.status} ${JSON.stringify(answer)}`,
    );
    return answer;
  };
}

async function eventually(
  what: string,
  holds: () => Promise<unknown>,
): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    assert(Date.now() < end, `${what}: not within ${PATIENCE_MS / 1000} s`);
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

/** Throws with what was lost, doubled or refused. */
export async function brokerAway(
  urls: { transaction: string; authorization: string },
  token: string,
  broker: RabbitMq,
): Promise<void> {
  const ledger = caller(urls.transaction, token);
  const cards = caller(urls.authorization, token);
  const usd = (value: string) => ({ value, currency: 'USD' });
  const account = async (name: string, kind: string): Promise<string> =>
    (await ledger('POST', '/v1/accounts', { name, kind, currency: 'USD' })).id;
  const [cash, wallet] = [
    await account('Cash', 'asset'),
    await account('Wallet', 'liability'),
  ];
  const spend = await cards('POST', '/v1/spend-accounts', {
    currency: 'USD',
    ledgerAccountId: wallet,
    creditLimit: '0',
  });
  const spendAccount = () => cards('GET', `/v1/spend-accounts/${spend.id}`);
  const cardToken = `tok_${randomUUID().replaceAll('-', '')}`;
  await cards('POST', '/v1/cards', {
    token: cardToken,
    spendAccountId: spend.id,
    expiresOn: '2099-12-31',
  });
  const fund = (value: string) =>
    ledger('POST', '/v1/transactions', {
      legs: [
        { accountId: cash, direction: 'debit', amount: usd(value) },
        { accountId: wallet, direction: 'credit', amount: usd(value) },
      ],
    });
  await fund('1000');
  await eventually(
    'the balance at the authorization service',
    async () => (await spendAccount()).balance === '1000',
  );

  await broker.pause();
  for (let i = 0; i < CAPTURES; i++) {
    const approved = await cards('POST', '/v1/authorizations', {
      networkRef: randomUUID(),
      cardToken,
      amount: usd('10'),
      merchant: { mcc: '5411', country: 'MX' },
    });
    equal(approved.decision, 'APPROVED', 'a decision while the broker is away');
    await cards('POST', `/v1/authorizations/${approved.id}/captures`, {
      amount: usd('10'),
      final: true,
    });
  }
  await fund('500');
  for (const url of Object.values(urls)) {
    const ready = await fetch(`${url}/readyz`);
    equal(ready.status, 200, `/readyz of ${url} while the broker is away`);
  }
  const before = await spendAccount();
  equal(
    [before.balance, before.unposted],
    ['1000', String(CAPTURES * 10)],
    'what the authorization service knows meanwhile',
  );

  await broker.resume();
  await eventually('every capture posted, and every balance told', async () => {
    const { unposted, balance } = await spendAccount();
    return unposted === '0' && balance === String(1500 - CAPTURES * 10);
  });
  const { posted } = await ledger('GET', `/v1/accounts/${wallet}/balance`);
  equal(posted, String(1500 - CAPTURES * 10), 'the balance of the ledger');
}

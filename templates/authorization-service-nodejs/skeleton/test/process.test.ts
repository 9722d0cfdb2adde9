import { randomUUID } from 'node:crypto';
import { afterEach, expect, it } from '@jest/globals';
import pg from 'pg';
import { killProcesses, startProcess } from './support/process.ts';

afterEach(killProcesses);

async function send(url: string, path: string, body: unknown, key: string = randomUUID()) {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as any };
}

async function card(url: string): Promise<{ token: string; account: string }> {
  const account = (await send(url, '/v1/spend-accounts', { currency: 'USD', creditLimit: '1000000' })).body.id;
  const token = `tok_${randomUUID()}`;
  await send(url, '/v1/cards', { token, spendAccountId: account, expiresOn: '2099-12-31' });
  return { token, account };
}

const message = (token: string) => ({
  networkRef: randomUUID(),
  cardToken: token,
  amount: { value: '1', currency: 'USD' },
  merchant: { mcc: '5411', country: 'MX' },
});

it('on SIGTERM a decision that runs is finished and answered, then the process exits with 0', async () => {
  const service = await startProcess({ DRAIN_DELAY_MS: '1000' });
  const { token, account } = await card(service.url);
  const owner = new pg.Client({ connectionString: process.env.SERVICE_OWNER_URL });
  await owner.connect();
  await owner.query('BEGIN');
  await owner.query('SELECT 1 FROM spend_account WHERE id = $1 FOR UPDATE', [account]);
  const deciding = send(service.url, '/v1/authorizations', message(token));
  const held = 'SELECT 1 FROM pg_stat_activity a WHERE pg_backend_pid() = ANY (pg_blocking_pids(a.pid))';
  while ((await owner.query(held)).rows.length === 0) await new Promise(resolve => setImmediate(resolve));

  service.child.kill('SIGTERM');
  let ready = 200;
  while (ready === 200) ready = (await fetch(`${service.url}/readyz`)).status;
  expect(ready).toBe(503);
  await owner.query('ROLLBACK');
  await owner.end();
  expect(await deciding).toMatchObject({ status: 201, body: { decision: 'APPROVED' } });
  expect(await service.exited).toBe(0);
});

it('killed in the middle of the load it loses no decision that was answered and makes none twice', async () => {
  const service = await startProcess();
  const { token, account } = await card(service.url);
  const messages = Array.from({ length: 300 }, () => ({ body: message(token), key: randomUUID(), answered: false }));
  let answered = 0;
  const sending = messages.map(async one => {
    const answer = await send(service.url, '/v1/authorizations', one.body, one.key).catch(() => undefined);
    if (answer?.status !== 201) return;
    one.answered = true;
    answered += 1;
    if (answered === 50) service.child.kill('SIGKILL');
  });
  await Promise.all(sending);
  await service.exited;
  const again = await startProcess();
  for (const { body, key, answered: before } of messages) {
    const { status } = await send(again.url, '/v1/authorizations', body, key);
    if (before) expect(status).toBe(200);
    else expect([200, 201]).toContain(status);
  }
  const { held } = (await (await fetch(`${again.url}/v1/spend-accounts/${account}`)).json()) as any;
  expect(held).toBe('300');
});

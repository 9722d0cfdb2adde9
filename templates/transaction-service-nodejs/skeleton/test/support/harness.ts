import { randomUUID } from 'node:crypto';
import { definition } from '../../src/service.ts';
import { startApp, type Answer, type TestApp } from './app.ts';

export type { Answer } from './app.ts';

export type Harness = TestApp & {
  openAccount(options?: { kind?: string; currency?: string; minAvailable?: string | null }): Promise<string>;
  /** An account of a customer that cannot go below zero, with this much in it. */
  funded(value: string, currency?: string): Promise<{ account: string; bank: string }>;
  transfer(from: string, to: string, value: string, key?: string, currency?: string): Promise<Answer>;
  balance(account: string): Promise<string>;
};

export function legs(from: string, to: string, value: string, currency = 'USD') {
  return [
    { accountId: from, direction: 'debit', amount: { value, currency } },
    { accountId: to, direction: 'credit', amount: { value, currency } },
  ];
}

/** The ledger on the shared database, reached without a socket. */
export async function startHarness(env: Record<string, string> = {}): Promise<Harness> {
  const harness: Harness = {
    ...(await startApp(definition, env)),
    async openAccount({ kind = 'liability', currency = 'USD', minAvailable = null } = {}) {
      const opened = await harness.post('/v1/accounts', { name: 'Test', kind, currency, minAvailable });
      if (opened.status !== 201) throw new Error(JSON.stringify(opened.body));
      return opened.body.id as string;
    },
    async funded(value, currency = 'USD') {
      const bank = await harness.openAccount({ kind: 'asset', currency });
      const account = await harness.openAccount({ currency, minAvailable: '0' });
      if (value !== '0') {
        const posted = await harness.transfer(bank, account, value, randomUUID(), currency);
        if (posted.status !== 201) throw new Error(JSON.stringify(posted.body));
      }
      return { account, bank };
    },
    transfer(from, to, value, key = randomUUID(), currency = 'USD') {
      return harness.post('/v1/transactions', { legs: legs(from, to, value, currency) }, { 'idempotency-key': key });
    },
    async balance(account) {
      return (await harness.get(`/v1/accounts/${account}/balance`)).body.posted as string;
    },
  };
  return harness;
}

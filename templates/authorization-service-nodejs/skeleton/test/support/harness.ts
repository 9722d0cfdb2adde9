import { randomUUID } from 'node:crypto';
import { definition } from '../../src/service.ts';
import { startApp, type Answer, type TestApp } from './app.ts';

export type { Answer } from './app.ts';

type CardOptions = { limits?: object; ruleSetId?: string; expiresOn?: string; currency?: string };

export type Harness = TestApp & {
  /** A spend account with this credit limit. */
  openAccount(creditLimit: string, currency?: string, more?: object): Promise<string>;
  addCard(account: string, options?: CardOptions): Promise<{ id: string; token: string; version: number }>;
  /** A card on an account of its own. */
  funded(creditLimit: string, options?: CardOptions): Promise<{ account: string; card: string; token: string }>;
  authorize(token: string, value: string, more?: object, headers?: Record<string, string>): Promise<Answer>;
  /** An approved authorization. */
  approved(token: string, value: string, more?: object): Promise<string>;
  act(id: string, operation: string, body?: object, headers?: Record<string, string>): Promise<Answer>;
  account(id: string): Promise<any>;
  ruleSet(body: object, more?: object): Promise<string>;
};

export const usd = (value: string) => ({ value, currency: 'USD' });
export const ref = () => `ref-${randomUUID()}`;
export const SHOP = { mcc: '5411', country: 'MX' };

/** The service on the shared database, reached without a socket. */
export async function startHarness(env: Record<string, string> = {}): Promise<Harness> {
  const must = (answer: Answer, status = 201) => {
    if (answer.status !== status) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const harness: Harness = {
    ...(await startApp(definition, env)),
    async openAccount(creditLimit, currency = 'USD', more = {}) {
      return must(await harness.post('/v1/spend-accounts', { currency, creditLimit, ...more })).id as string;
    },
    async addCard(account, { limits = {}, ruleSetId = 'default', expiresOn = '2099-12-31' } = {}) {
      const token = `tok_${randomUUID()}`;
      return must(await harness.post('/v1/cards', { token, spendAccountId: account, expiresOn, ruleSetId, limits }));
    },
    async funded(creditLimit, options = {}) {
      const account = await harness.openAccount(creditLimit, options.currency);
      const { id, token } = await harness.addCard(account, options);
      return { account, card: id, token };
    },
    authorize(token, value, more = {}, headers = {}) {
      return harness.post(
        '/v1/authorizations',
        { networkRef: ref(), cardToken: token, amount: usd(value), merchant: SHOP, ...more },
        headers,
      );
    },
    async approved(token, value, more = {}) {
      const body = must(await harness.authorize(token, value, more));
      if (body.decision !== 'APPROVED') throw new Error(JSON.stringify(body));
      return body.id as string;
    },
    act(id, operation, body = {}, headers = {}) {
      const path = operation === 'expire' ? ':expire' : `/${operation}`;
      return harness.post(`/v1/authorizations/${id}${path}`, body, headers);
    },
    async account(id) {
      return must(await harness.get(`/v1/spend-accounts/${id}`), 200);
    },
    async ruleSet(body, more = {}) {
      const id = `rules-${randomUUID()}`;
      must(await harness.put(`/v1/rule-sets/${id}`, { body, ...more }, { 'if-none-match': '*' }), 200);
      return id;
    },
  };
  return harness;
}

import { randomUUID } from 'node:crypto';
import type { LightMyRequestResponse } from 'fastify';
import { readConfig, type Config } from '../../src/config.ts';
import { Database } from '../../src/db/database.ts';
import { buildApp, type App } from '../../src/http/app.ts';
import type { Lifecycle } from '../../src/http/operations.ts';
import { createLogger } from '../../src/logger.ts';
import type { Telemetry } from '../../src/telemetry-api.ts';

export type Answer = { status: number; headers: Record<string, string | undefined>; body: any };

export type Harness = {
  app: App;
  config: Config;
  lifecycle: Lifecycle;
  attributes: [string, string][];
  names: string[];
  log: string[];
  get(url: string, headers?: Record<string, string>): Promise<Answer>;
  post(url: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  openAccount(options?: { kind?: string; currency?: string; minAvailable?: string | null }): Promise<string>;
  /** An account of a customer that cannot go below zero, with this much in it. */
  funded(value: string, currency?: string): Promise<{ account: string; bank: string }>;
  transfer(from: string, to: string, value: string, key?: string, currency?: string): Promise<Answer>;
  balance(account: string): Promise<string>;
  close(): Promise<void>;
};

export function legs(from: string, to: string, value: string, currency = 'USD') {
  return [
    { accountId: from, direction: 'debit', amount: { value, currency } },
    { accountId: to, direction: 'credit', amount: { value, currency } },
  ];
}

function toAnswer(response: LightMyRequestResponse): Answer {
  const type = String(response.headers['content-type'] ?? '');
  return {
    status: response.statusCode,
    headers: response.headers as Answer['headers'],
    body: type.includes('json') && response.body !== '' ? JSON.parse(response.body) : response.body,
  };
}

/** The application on the shared database, reached without a socket. */
export async function startHarness(env: Record<string, string> = {}): Promise<Harness> {
  const config = readConfig({
    DATABASE_URL: process.env.LEDGER_APP_URL,
    ROCKET_SERVICE_NAME: 'ledger-under-test',
    ROCKET_CRITICAL_PATH: 'transaction-posting',
    LOG_LEVEL: 'info',
    ...env,
  });
  const attributes: [string, string][] = [];
  const names: string[] = [];
  const telemetry: Telemetry = {
    addAttribute: (name, value) => attributes.push([name, value]),
    nameTransaction: name => names.push(name),
    traceId: () => '0af7651916cd43dd8448eb211c80319c',
    stop: async () => {},
  };
  const log: string[] = [];
  const logger = createLogger(config, { write: line => log.push(line) });
  const lifecycle: Lifecycle = { draining: false };
  const database = new Database(config, error => logger.warn({ err: error }, 'idle database connection lost'));
  const app = await buildApp({ config, database, telemetry, lifecycle, logger });

  const harness: Harness = {
    app,
    config,
    lifecycle,
    attributes,
    names,
    log,
    async get(url, headers = {}) {
      return toAnswer(await app.inject({ method: 'GET', url, headers }));
    },
    async post(url, body, headers = {}) {
      const response = await app.inject({
        method: 'POST',
        url,
        headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json', ...headers },
        payload: typeof body === 'string' ? body : JSON.stringify(body),
      });
      return toAnswer(response);
    },
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
    async close() {
      await app.close();
      await database.close();
    },
  };
  return harness;
}

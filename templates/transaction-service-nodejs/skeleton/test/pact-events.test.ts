import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MessageProviderPact } from '@pact-foundation/pact';
import { Registry } from 'prom-client';
import { ROOT } from '../scripts/contract.ts';
import { EventSchemas, type CloudEvent } from '../src/platform/events/event.ts';
import { OutboxPublisher } from '../src/platform/events/outbox.ts';
import { ownDatabase, type OwnDatabase } from './support/database.ts';
import { legs, startHarness, type Harness } from './support/harness.ts';

/** What other services expect of the events of this one: the files in contracts/pacts that hold messages, held against what is told. */

const FOLDER = join(ROOT, 'contracts/pacts');
const files = readdirSync(FOLDER).filter(
  file => file.endsWith('-transaction-service.json') && JSON.parse(readFileSync(join(FOLDER, file), 'utf8')).messages,
);

let database: OwnDatabase;
let service: Harness;
let told: CloudEvent[];
let publisher: OutboxPublisher;
beforeAll(async () => {
  database = await ownDatabase('pact_events');
  const first = await startHarness({ DATABASE_URL: database.url });
  const settlement = await first.openAccount();
  await first.close();
  service = await startHarness({ DATABASE_URL: database.url, SETTLEMENT_ACCOUNTS: `USD=${settlement}` });
  const { database: pool, logger } = service.runtime;
  const broker = {
    name: 'test',
    concurrency: 1,
    connect: async () => {},
    publish: async ({ event }: { event: CloudEvent }) => void told.push(event),
    close: async () => {},
  };
  const serviceName = service.config.serviceName;
  const options = { database: pool, broker, schemas: new EventSchemas(), serviceName, interval: 1_000, logger };
  publisher = new OutboxPublisher({ ...options, registry: new Registry() });
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

/** The last event of a type that is told when this is done, as it goes out. */
async function eventOf(type: string, act: () => Promise<unknown>): Promise<CloudEvent> {
  await act();
  told = [];
  while (await publisher.run(new AbortController().signal));
  const event = told.findLast(candidate => candidate.type === type);
  if (event === undefined) throw new Error(`no ${type} among ${told.map(candidate => candidate.type).join(', ')}`);
  return event;
}

async function pay(more: object = {}): Promise<string> {
  const { account, bank } = await service.funded('10000');
  return (await service.post('/v1/transactions', { legs: legs(account, bank, '4250'), ...more })).body.id;
}
const hold = () => pay({ pending: { expiresAt: new Date(Date.now() + 3_600_000).toISOString() } });

async function capture(): Promise<void> {
  const { account } = await service.funded('10000');
  const recorded = readFileSync(
    join(ROOT, 'contracts/events/examples/authorization.captured.v1/with-event-id.json'),
    'utf8',
  );
  const event = JSON.parse(recorded) as CloudEvent;
  const data = { ...event.data, authorizationId: randomUUID(), ledgerAccountId: account };
  Object.assign(data, { amount: { value: '300', currency: 'USD' } });
  const answer = await service.post('/v1/events', { ...event, id: randomUUID(), data });
  expect(answer).toMatchObject({ status: 202, body: { outcome: 'processed' } });
}

it.each(files)('%s', async file => {
  const posted = () => eventOf('transaction.posted.v1', pay);
  const balance = () => eventOf('balance.changed.v1', pay);
  await new MessageProviderPact({
    provider: 'transaction-service',
    pactUrls: [join(FOLDER, file)],
    logLevel: 'error',
    messageProviders: {
      'a posted transaction': posted,
      'a changed balance': balance,
      'a new balance': balance,
      'the transaction of a capture': () => eventOf('transaction.posted.v1', capture),
      'a reversed transaction': () =>
        eventOf('transaction.reversed.v1', async () => service.post(`/v1/transactions/${await pay()}/reversal`, {})),
      'a pending transaction': () => eventOf('transaction.pending.v1', hold),
      'a voided transaction': () =>
        eventOf('transaction.voided.v1', async () => service.post(`/v1/transactions/${await hold()}/void`, {})),
    },
  }).verify();
});

it('there are consumers to be held to', () => {
  expect(files).toEqual(
    expect.arrayContaining([
      'authorization-service-transaction-service.json',
      'statement-service-transaction-service.json',
    ]),
  );
});

import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MatchersV3, MessageConsumerPact } from '@pact-foundation/pact';
import { ROOT } from '../scripts/contract.ts';
import { EventSchemas, type CloudEvent } from '../src/platform/events/event.ts';
import { startHarness, usd, type Harness } from './support/harness.ts';

/** What this service expects of the ledger's events: a consumer of messages. The ledger holds itself to the file in contracts/pacts. */
const FILE = 'authorization-service-transaction-service.json';

const { integer, regex, like } = MatchersV3;

let folder: string;
let service: Harness;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pacts-'));
  service = await startHarness();
});
afterAll(async () => {
  await service.close();
  await rm(folder, { recursive: true });
});

function pact() {
  return new MessageConsumerPact({
    consumer: 'authorization-service',
    provider: 'transaction-service',
    dir: folder,
    logLevel: 'error',
  });
}

const MINOR = '^(0|-?[1-9][0-9]{0,18})$';
const TIME = '2026-11-21T10:00:00.000000Z';
const envelope = (type: string, subject: string, data: object) => ({
  specversion: '1.0',
  id: like(randomUUID()),
  source: like('/services/wallet-transactions'),
  type,
  time: like(TIME),
  datacontenttype: 'application/json',
  subject: like(subject),
  data,
});

/** The example in the message goes through the schemas of the contract and into the running service. */
async function take(message: any): Promise<void> {
  const event = message.contents as CloudEvent;
  expect(new EventSchemas().faults(event)).toEqual([]);
  const answer = await service.post('/v1/events', event);
  expect(answer).toMatchObject({ status: 202, body: { outcome: 'processed' } });
}

it('balance.changed.v1 says balance and version', async () => {
  const ledgerAccountId = randomUUID();
  const account = await service.openAccount('0', 'USD', { ledgerAccountId });
  await pact()
    .given('an account of the ledger was credited')
    .expectsToReceive('a new balance')
    .withContent(
      envelope('balance.changed.v1', ledgerAccountId, {
        accountId: like(ledgerAccountId),
        currency: regex('^[A-Z]{3}$', 'USD'),
        normalSide: regex('^(debit|credit)$', 'credit'),
        posted: regex(MINOR, '1050'),
        pending: regex(MINOR, '0'),
        available: regex(MINOR, '1050'),
        debitsPosted: regex(MINOR, '0'),
        creditsPosted: regex(MINOR, '1050'),
        version: integer(7),
      }),
    )
    .verify(take);
  expect(await service.account(account)).toMatchObject({ balance: '1050', openToBuy: '1050' });
});

it('transaction.posted.v1 says which capture it posts and what the balance is then', async () => {
  const ledgerAccountId = randomUUID();
  const account = await service.openAccount('1000', 'USD', { ledgerAccountId });
  const { token } = await service.addCard(account);
  const capture = (await service.act(await service.approved(token, '300'), 'captures', { amount: usd('300') })).body;
  const leg = (line: number, accountId: string, direction: string, balanceAfter: string) => ({
    line: integer(line),
    accountId: like(accountId),
    direction: regex('^(debit|credit)$', direction),
    amount: { value: regex('^[1-9][0-9]{0,17}$', '300'), currency: regex('^[A-Z]{3}$', 'USD') },
    balanceAfter: regex(MINOR, balanceAfter),
    accountVersion: integer(1),
    reversesLine: null,
  });
  await pact()
    .given('a capture was posted')
    .expectsToReceive('the transaction of a capture')
    .withContent(
      envelope('transaction.posted.v1', capture.id, {
        id: like(randomUUID()),
        kind: regex('^(posting|fx|post)$', 'posting'),
        externalRef: like(capture.authorizationId),
        effectiveAt: like(TIME),
        createdAt: like(TIME),
        actor: like('cards'),
        reverses: null,
        resolves: null,
        expiresAt: null,
        metadata: { eventId: like(capture.id) },
        legs: [leg(1, ledgerAccountId, 'debit', '-300'), leg(2, randomUUID(), 'credit', '300')],
      }),
    )
    .verify(take);
  expect(await service.account(account)).toMatchObject({ balance: '-300', unposted: '0', openToBuy: '700' });
});

it('the file in contracts/pacts says the same', async () => {
  const messages = async (path: string) => {
    const { messages: all } = JSON.parse(await readFile(path, 'utf8'));
    return all.sort((a: any, b: any) => (a.description < b.description ? -1 : 1));
  };
  // The ids of the examples are others each time.
  const still = (value: unknown) => JSON.stringify(value).replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'id');
  const kept = await messages(join(ROOT, 'contracts/pacts', FILE));
  expect(still(kept)).toBe(still(await messages(join(folder, FILE))));
});

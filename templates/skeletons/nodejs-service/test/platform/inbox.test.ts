import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EventRefused } from '../../src/platform/events/broker.ts';
import { httpBroker } from '../../src/platform/events/brokers/http.ts';
import { snsBroker } from '../../src/platform/events/brokers/sns.ts';
import type { CloudEvent, OutgoingEvent } from '../../src/platform/events/event.ts';
import type { Consumer } from '../../src/platform/events/inbox.ts';
import { ProblemError } from '../../src/platform/problems.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { exampleEvent, sample, sampleDatabase, type SampleDatabase } from '../support/sample.ts';

let database: SampleDatabase;
let app: TestApp;
let fail: unknown;
const seen: CloudEvent[] = [];
const consumer: Consumer = {
  type: exampleEvent().type,
  async handle(event, client) {
    await client.query('INSERT INTO thing (id, name) VALUES (gen_random_uuid(), $1)', [event.id]);
    if (fail !== undefined) throw fail;
    seen.push(event);
  },
};
beforeAll(async () => {
  database = await sampleDatabase();
  app = await startApp(sample({ consumers: [consumer] }), { DATABASE_URL: database.url });
});
afterAll(async () => {
  await app.close();
  await database.drop();
});
beforeEach(() => {
  seen.length = 0;
  fail = undefined;
});

const MEDIA_TYPE = { 'content-type': 'application/cloudevents+json' };
const effects = async (event: CloudEvent) =>
  (await database.owner.query('SELECT 1 FROM thing WHERE name = $1', [event.id])).rows.length;

describe('POST /v1/events', () => {
  it('takes an event once, however often it comes', async () => {
    const event = exampleEvent();
    expect(await app.post('/v1/events', event, MEDIA_TYPE)).toMatchObject({
      status: 202,
      body: { id: event.id, outcome: 'processed' },
    });
    expect(await app.post('/v1/events', event)).toMatchObject({ status: 200, body: { outcome: 'duplicate' } });
    // The same id of another source is another event.
    expect(await app.post('/v1/events', { ...event, source: '/services/other' })).toMatchObject({ status: 202 });
    expect(await effects(event)).toBe(2);
  });

  it('takes it once when it comes many times at the same moment', async () => {
    const event = exampleEvent();
    const answers = await Promise.all(Array.from({ length: 10 }, () => app.post('/v1/events', event, MEDIA_TYPE)));
    expect(answers.map(({ body }) => body.outcome as string).sort()).toEqual([
      ...Array<string>(9).fill('duplicate'),
      'processed',
    ]);
    expect(await effects(event)).toBe(1);
  });

  it('acknowledges what nobody waits for, and forgets it', async () => {
    const event = exampleEvent({ type: 'something.else.v9' });
    expect(await app.post('/v1/events', event)).toMatchObject({ status: 202, body: { outcome: 'ignored' } });
    expect(await app.post('/v1/events', event)).toMatchObject({ status: 202, body: { outcome: 'ignored' } });
  });

  it.each<[string, unknown, string]>([
    ['is not of the form that its type has', { ...exampleEvent(), data: { id: 1 } }, '/data'],
    ['has no id', { ...exampleEvent(), id: undefined }, '/id'],
    ['is of another version', { ...exampleEvent(), specversion: '0.3' }, '/specversion'],
    ['has a very long id', { ...exampleEvent(), id: 'x'.repeat(129) }, '/id'],
    ['is a list', [exampleEvent()], ''],
  ])('refuses an event that %s', async (_what, event, pointer) => {
    const answer = await app.post('/v1/events', event, MEDIA_TYPE);
    expect(answer).toMatchObject({ status: 400, body: { code: 'validation-failed' } });
    const pointers = (answer.body.errors as { pointer: string }[]).map(error => error.pointer);
    expect(pointers.some(found => found.startsWith(pointer))).toBe(true);
    expect(seen).toEqual([]);
  });

  it('refuses broken JSON and other media types', async () => {
    expect((await app.post('/v1/events', '{"id":', MEDIA_TYPE)).status).toBe(400);
    expect((await app.post('/v1/events', 'x', { 'content-type': 'text/plain' })).status).toBe(415);
  });

  it('keeps nothing of an event whose consumer failed, so that it can come again', async () => {
    const event = exampleEvent();
    fail = new ProblemError('currency-mismatch', 'not now');
    expect(await app.post('/v1/events', event)).toMatchObject({ status: 422, body: { code: 'currency-mismatch' } });
    fail = new Error('a defect');
    expect(await app.post('/v1/events', event)).toMatchObject({ status: 500, body: { code: 'internal' } });
    expect(await effects(event)).toBe(0);
    fail = undefined;
    expect(await app.post('/v1/events', event)).toMatchObject({ status: 202 });
    expect(await effects(event)).toBe(1);
  });

  it('is part of the document only when there are consumers', async () => {
    expect((await app.get('/openapi.json')).body.paths).toHaveProperty('/v1/events');
    const none = await startApp(sample());
    expect((await none.get('/openapi.json')).body.paths).not.toHaveProperty('/v1/events');
    await none.close();
  });
});

type Request = { headers: IncomingHttpHeaders; body: string };

/** An HTTP service that answers what it is told to, or nothing. */
class Fake {
  readonly requests: Request[] = [];
  readonly #server: Server;
  status = 202;
  body = '{}';
  silent = false;

  constructor() {
    this.#server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', part => (body += part));
      request.on('end', () => {
        this.requests.push({ headers: request.headers, body });
        if (!this.silent) response.writeHead(this.status, { 'content-type': 'text/xml' }).end(this.body);
      });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise(resolve => this.#server.close(() => resolve()));
  }
}

const outgoing = (): OutgoingEvent => ({ topic: 'transactions', aggregateId: 'agg-1', event: exampleEvent() });

describe('events over HTTP, without a broker', () => {
  const one = new Fake();
  const two = new Fake();
  let urls: string[];
  beforeAll(async () => {
    urls = await Promise.all([one.start(), two.start()]);
  });
  afterAll(() => Promise.all([one.close(), two.close()]));
  const broker = (timeout = 2_000, tokenFile?: string) =>
    httpBroker({ subscribers: urls, clientId: 'wallet', timeout, tokenFile });

  it('reach every subscriber, with a name and a token that can be renewed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'token-'));
    const file = join(folder, 'token');
    await writeFile(file, 't1\n');
    const sending = broker(2_000, file);
    await sending.connect();
    const event = outgoing();
    await sending.publish(event);
    await writeFile(file, 't2\n');
    await sending.publish(outgoing());
    for (const fake of [one, two]) {
      const [first, second] = fake.requests.splice(0);
      expect(JSON.parse(first!.body)).toEqual(event.event);
      expect(first!.headers).toMatchObject({
        'content-type': 'application/cloudevents+json',
        'x-client-id': 'wallet',
        authorization: 'Bearer t1',
      });
      expect(second!.headers.authorization).toBe('Bearer t2');
    }
    await sending.close();
    await rm(folder, { recursive: true });
  });

  it.each([
    [409, true],
    [422, true],
    [400, true],
    [401, false],
    [404, false],
    [429, false],
    [500, false],
    [503, false],
  ])('%s is about the event: %s', async (status, aboutTheEvent) => {
    two.status = status;
    const error: unknown = await broker()
      .publish(outgoing())
      .catch((reason: unknown) => reason);
    two.status = 202;
    expect(error).toBeInstanceOf(Error);
    expect(error instanceof EventRefused).toBe(aboutTheEvent);
    expect((error as Error).message).toContain(String(status));
  });

  it('are not told as long as a subscriber is silent or away', async () => {
    one.silent = true;
    await expect(broker(50).publish(outgoing())).rejects.toThrow(/timeout/i);
    one.silent = false;
    const nobody = httpBroker({ subscribers: ['http://127.0.0.1:1/'], clientId: 'x', timeout: 500 });
    await expect(nobody.publish(outgoing())).rejects.toThrow();
  });

  it('arrive in a service of ours, once each', async () => {
    const url = await app.app.listen({ host: '127.0.0.1', port: 0 });
    const sending = httpBroker({ subscribers: [`${url}/v1/events`], clientId: 'wallet', timeout: 2_000 });
    const event = outgoing();
    await sending.publish(event);
    await sending.publish(event);
    expect(seen.map(({ id }) => id)).toEqual([event.event.id]);
  });
});

describe('events to SNS', () => {
  const fake = new Fake();
  beforeAll(async () => {
    process.env.AWS_ENDPOINT_URL_SNS = await fake.start();
    process.env.AWS_REGION = 'eu-central-1';
    process.env.AWS_ACCESS_KEY_ID = 'AKIDEXAMPLE';
    process.env.AWS_SECRET_ACCESS_KEY = 'secret';
    fake.status = 200;
    fake.body =
      '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m1</MessageId></PublishResult></PublishResponse>';
  });
  afterAll(() => fake.close());
  const ARN = 'arn:aws:sns:eu-central-1:123456789012:events';

  /** The form that the service is sent: the query protocol of AWS. */
  const form = () => Object.fromEntries(new URLSearchParams(fake.requests.at(-1)!.body));

  function attributesOf(sent: Record<string, string>): Record<string, string> {
    const found: Record<string, string> = {};
    for (let n = 1; sent[`MessageAttributes.entry.${n}.Name`] !== undefined; n++) {
      found[sent[`MessageAttributes.entry.${n}.Name`]!] = sent[`MessageAttributes.entry.${n}.Value.StringValue`]!;
    }
    return found;
  }

  it('have the data as message and the rest as attributes, signed', async () => {
    const broker = snsBroker({ topicArn: ARN, timeout: 2_000 });
    await broker.connect();
    const { event, ...rest } = outgoing();
    await broker.publish({ event, ...rest });
    const sent = form();
    expect(sent).toMatchObject({ Action: 'Publish', Version: '2010-03-31', TopicArn: ARN });
    expect(JSON.parse(sent.Message!)).toEqual(event.data);
    expect(attributesOf(sent)).toEqual({
      'ce-specversion': '1.0',
      'ce-id': event.id,
      'ce-source': event.source,
      'ce-type': event.type,
      'ce-time': event.time,
      'ce-subject': event.subject,
      'content-type': 'application/json',
    });
    expect(sent).not.toHaveProperty('MessageGroupId');
    expect(fake.requests.at(-1)!.headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/.*\/eu-central-1\/sns\//,
    );
    await broker.close();
  });

  it('keep the order of an aggregate on a FIFO topic', async () => {
    const broker = snsBroker({ topicArn: `${ARN}.fifo`, timeout: 2_000 });
    const event = outgoing();
    await broker.publish(event);
    expect(form()).toMatchObject({ MessageGroupId: 'agg-1', MessageDeduplicationId: event.event.id });
    await broker.close();
  });

  it('tell apart what is about the event from what is about SNS, and try a few times', async () => {
    const broker = snsBroker({ topicArn: ARN, timeout: 300 });
    const error = (code: string) =>
      `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>no</Message></Error></ErrorResponse>`;
    const { status, body } = fake;
    Object.assign(fake, { status: 400, body: error('InvalidParameter') });
    await expect(broker.publish(outgoing())).rejects.toBeInstanceOf(EventRefused);
    Object.assign(fake, { status: 403, body: error('AuthorizationError') });
    await expect(broker.publish(outgoing())).rejects.not.toBeInstanceOf(EventRefused);
    fake.requests.length = 0;
    Object.assign(fake, { status: 500, body: error('InternalError') });
    await expect(broker.publish(outgoing())).rejects.not.toBeInstanceOf(EventRefused);
    expect(fake.requests).toHaveLength(3);
    Object.assign(fake, { status, body, silent: true });
    await expect(broker.publish(outgoing())).rejects.toThrow();
    fake.silent = false;
    await broker.publish(outgoing());
    await broker.close();
  });
});

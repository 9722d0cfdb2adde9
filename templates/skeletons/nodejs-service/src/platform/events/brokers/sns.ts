import type { MessageAttributeValue, SNSClient } from '@aws-sdk/client-sns';
import { EventRefused, type Broker } from '../broker.ts';
import type { CloudEvent } from '../event.ts';

export type SnsOptions = { topicArn: string; timeout: number };

/** What SNS says when it does not want this message; everything else is about the service or the way to it. */
const ABOUT_THE_EVENT = new Set(['InvalidParameterException', 'InvalidParameterValueException', 'ValidationException']);

function attributes(event: CloudEvent): Record<string, MessageAttributeValue> {
  const text = (StringValue: string) => ({ DataType: 'String', StringValue });
  const { specversion, id, source, type, time, subject } = event;
  return {
    'ce-specversion': text(specversion),
    'ce-id': text(id),
    'ce-source': text(source),
    'ce-type': text(type),
    'ce-time': text(time),
    ...(subject === undefined ? {} : { 'ce-subject': text(subject) }),
    'content-type': text('application/json'),
  };
}

/**
 * Amazon SNS in binary mode: the data is the message, the rest of the event its attributes, so that subscriptions can filter by
 * `ce-type`. A FIFO topic gets the aggregate as group. Address and credentials come from the AWS SDK's own variables.
 */
export function snsBroker({ topicArn, timeout }: SnsOptions): Broker {
  const fifo = topicArn.endsWith('.fifo');
  let client: Promise<SNSClient> | undefined;

  // Loaded when it is used: most services have another broker.
  async function start(): Promise<SNSClient> {
    const { SNSClient } = await import('@aws-sdk/client-sns');
    return new SNSClient({
      maxAttempts: 3,
      requestHandler: {
        connectionTimeout: Math.min(timeout, 2_000),
        requestTimeout: timeout,
        throwOnRequestTimeout: true,
      },
    });
  }

  return {
    name: 'sns',
    concurrency: 32,
    async connect() {
      client ??= start();
      await client;
    },
    async publish({ aggregateId, event }) {
      client ??= start();
      const { PublishCommand } = await import('@aws-sdk/client-sns');
      const command = new PublishCommand({
        TopicArn: topicArn,
        Message: JSON.stringify(event.data),
        MessageAttributes: attributes(event),
        ...(fifo ? { MessageGroupId: aggregateId, MessageDeduplicationId: event.id } : {}),
      });
      try {
        await (await client).send(command, { abortSignal: AbortSignal.timeout(timeout * 3) });
      } catch (error) {
        const { name, message } = error as Error;
        throw ABOUT_THE_EVENT.has(name) ? new EventRefused(`SNS refused the event: ${message}`) : error;
      }
    },
    async close() {
      (await client?.catch(() => undefined))?.destroy();
      client = undefined;
    },
  };
}

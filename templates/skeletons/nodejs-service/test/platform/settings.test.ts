import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../../scripts/contract.ts';
import { createRuntime } from '../../src/platform/runtime.ts';
import { allCommands } from '../../src/platform/workers.ts';
import { definition } from '../../src/service.ts';
import { sample } from '../support/sample.ts';

const DATABASE_URL = 'postgresql://x@127.0.0.1:1/x';
const ARN = 'arn:aws:sns:eu-central-1:123456789012:events';

async function runtimeOf(env: Record<string, string>) {
  const log: string[] = [];
  const runtime = createRuntime(
    sample({ consumers: [] }),
    { DATABASE_URL, ...env },
    { log: { write: line => log.push(line) } },
  );
  await runtime.close();
  return runtime;
}

describe('where events go', () => {
  it.each([
    [{}, false],
    [{ EVENT_BROKER: 'http', EVENT_SUBSCRIBERS: 'http://127.0.0.1:1/v1/events, https://b.example/events' }, false],
    [{ EVENT_BROKER: 'rabbitmq', RABBITMQ_URL: 'amqp://guest:guest@127.0.0.1:1' }, true],
    [{ EVENT_BROKER: 'sns', SNS_TOPIC_ARN: ARN }, false],
  ])('%j', async (env, consumes) => {
    const runtime = await runtimeOf(env);
    expect(runtime.workers.map(({ name }) => name)).toEqual(['publish-events', 'purge-keys']);
    expect(runtime.events.consumer !== undefined).toBe(consumes);
  });

  it.each([
    [{ EVENT_BROKER: 'kafka' }, 'EVENT_BROKER must be one of log, http, rabbitmq, sns'],
    [{ EVENT_BROKER: 'http' }, 'EVENT_SUBSCRIBERS must be URLs'],
    [{ EVENT_BROKER: 'http', EVENT_SUBSCRIBERS: 'ftp://x' }, 'EVENT_SUBSCRIBERS must be URLs'],
    [{ EVENT_BROKER: 'rabbitmq', RABBITMQ_URL: 'http://u:s3cret@x' }, 'RABBITMQ_URL must be'],
    [{ EVENT_BROKER: 'sns', SNS_TOPIC_ARN: 'events' }, 'SNS_TOPIC_ARN must be'],
    [{ WORKERS: 'maybe' }, 'WORKERS must be one of on, off'],
    [{ IDEMPOTENCY_HOURS: '0' }, 'IDEMPOTENCY_HOURS must be a whole number from 1 to 8760'],
  ])('%j is refused by name', async (env, message) => {
    await expect(runtimeOf(env as Record<string, string>)).rejects.toThrow(message);
    await expect(runtimeOf(env as Record<string, string>)).rejects.not.toThrow('s3cret');
  });

  it('is the log by default, with names and without data', async () => {
    const { logBroker } = await import('../../src/platform/events/brokers/log.ts');
    const lines: unknown[] = [];
    const broker = logBroker({ info: (...args: unknown[]) => lines.push(args) } as never);
    await broker.connect();
    const event = {
      specversion: '1.0',
      id: 'i',
      source: 's',
      type: 't',
      time: 'now',
      subject: 'a',
      data: { x: 'private' },
    } as const;
    await broker.publish({ topic: 'transactions', aggregateId: 'a', event });
    await broker.close();
    expect(JSON.stringify(lines)).toContain('"id":"i"');
    expect(JSON.stringify(lines)).not.toContain('private');
  });
});

describe('commands', () => {
  it('are those that package.json names, and all of them are there', async () => {
    const runtime = createRuntime(definition, { DATABASE_URL, LOG_LEVEL: 'silent' });
    const commands = allCommands(runtime);
    await runtime.close();
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = Object.entries(scripts).filter(([, script]) => script.startsWith('node scripts/command.ts '));
    expect(named.map(([name, script]) => [name, script.split(' ').at(-1)])).toEqual(
      named.map(([name]) => [name, name]),
    );
    expect(named.map(([name]) => name).filter(name => !Object.hasOwn(commands, name))).toEqual([]);
    expect(named.map(([name]) => name)).toContain('purge-keys');
  });

  it('of a service hide nothing that the platform does', async () => {
    const command = { summary: 'something else', run: async () => 0 };
    const runtime = createRuntime(sample({ commands: { 'purge-keys': command } }), {
      DATABASE_URL,
      LOG_LEVEL: 'silent',
    });
    expect(() => allCommands(runtime)).toThrow('the platform has a worker purge-keys');
    await runtime.close();
  });
});

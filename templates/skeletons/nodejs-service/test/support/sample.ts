import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import pg from 'pg';
import { Type } from 'typebox';
import { createDatabase, dropDatabase } from '../../scripts/embedded.ts';
import { ROOT } from '../../scripts/contract.ts';
import { migrate, roleOf } from '../../src/platform/db/migrate.ts';
import type { CloudEvent } from '../../src/platform/events/event.ts';
import type { Consumer } from '../../src/platform/events/inbox.ts';
import { callerOf, requireIdempotencyKey } from '../../src/platform/http/idempotency.ts';
import { problems } from '../../src/platform/http/openapi.ts';
import { defineService } from '../../src/platform/runtime.ts';
import type { Command, ServiceDefinition, Worker } from '../../src/platform/service.ts';

/** A service of twenty lines: the platform is tested with it, whatever the real one does. */
export type SampleOptions = {
  consumers?: Consumer[];
  workers?: Worker[];
  commands?: Record<string, Command>;
  probe?: string;
};

export function sample(options: SampleOptions = {}): ServiceDefinition {
  const { probe = 'SELECT 1 FROM thing LIMIT 1', ...rest } = options;
  return defineService({
    kind: 'transaction',
    openapi: { title: 'Sample', version: '1.0.0', description: 'For tests', tags: [] },
    readConfig: env => ({ color: env.text('COLOR', 'blue') }),
    grants: { functions: [], tables: { thing: ['INSERT'] } },
    tables: ['outbox', 'inbox', 'idempotency'],
    probe,
    schemas: [],
    create: ({ own }) => ({
      ...rest,
      routes: (async app => {
        const schema = {
          body: Type.Object({ name: Type.String({ maxLength: 20 }) }, { additionalProperties: false }),
          response: { 201: Type.Object({ client: Type.String(), color: Type.String() }), ...problems('POST') },
        };
        app.post('/things', { onRequest: requireIdempotencyKey, schema }, async (request, reply) => {
          reply.code(201);
          return { client: callerOf(request).clientId, color: own.color };
        });
        app.get('/things', async request => ({ client: request.clientId }));
        app.get('/broken', async () => {
          throw new Error('4111 1111 1111 1111 is broken');
        });
        app.get('/special', { config: { scope: 'special' } }, async () => ({}));
      }) satisfies FastifyPluginAsyncTypebox,
    }),
  });
}

export type SampleDatabase = { url: string; ownerUrl: string; owner: pg.Client; drop(): Promise<void> };

/** A database of its own with the tables of the sample service. */
export async function sampleDatabase(): Promise<SampleDatabase> {
  const adminUrl = process.env.SERVICE_ADMIN_URL!;
  const name = `sample_${randomUUID().replaceAll('-', '').slice(0, 16)}`;
  const { url, migrationUrl } = await createDatabase(adminUrl, name);
  const folder = join(ROOT, 'test/platform/migrations');
  await migrate({ url: migrationUrl, applicationRole: roleOf(url), grants: sample().grants, folder });
  const owner = new pg.Client({ connectionString: migrationUrl });
  await owner.connect();
  return {
    url,
    ownerUrl: migrationUrl,
    owner,
    async drop() {
      await owner.end();
      await dropDatabase(adminUrl, name);
    },
  };
}

const EXAMPLES = join(ROOT, 'contracts/events/examples');
const TYPE = 'transaction.posted.v1';

/** An event as it was recorded in the contracts, with an id of its own. */
export function exampleEvent(changes: Partial<CloudEvent> = {}): CloudEvent {
  const [file] = readdirSync(join(EXAMPLES, TYPE)).sort();
  const event = JSON.parse(readFileSync(join(EXAMPLES, TYPE, file!), 'utf8')) as CloudEvent;
  return { ...event, id: randomUUID(), ...changes };
}

/** Resolves when the condition holds. The test's own time limit is the only one. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(resolve => setTimeout(resolve, 5));
}

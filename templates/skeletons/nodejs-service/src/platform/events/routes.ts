import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { problems } from '../http/openapi.ts';
import { ref } from '../http/schemas.ts';
import type { ProblemCode } from '../problems.ts';
import { CLOUDEVENT_MEDIA_TYPE } from './event.ts';
import type { Inbox } from './inbox.ts';

export const CloudEventSchema = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: Type.String({ minLength: 1, maxLength: 128 }),
    source: Type.String({ minLength: 1, maxLength: 256 }),
    type: Type.String({ minLength: 1, maxLength: 128 }),
    time: Type.String({ format: 'date-time' }),
    subject: Type.Optional(Type.String({ maxLength: 256 })),
    datacontenttype: Type.Optional(Type.Literal('application/json')),
    dataschema: Type.Optional(Type.String({ maxLength: 512 })),
    data: Type.Record(Type.String(), Type.Unknown(), { description: 'By its type, see the event schemas' }),
  },
  { $id: 'CloudEvent' },
);

export const ReceiptSchema = Type.Object(
  {
    id: Type.String({ description: 'Id of the event' }),
    outcome: Type.Enum(['processed', 'ignored', 'duplicate']),
  },
  { $id: 'Receipt' },
);

type Options = { inbox: Inbox; refusals: readonly ProblemCode[] };

/** The door for events that come over HTTP. */
export const eventRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { inbox, refusals }) => {
  app.addContentTypeParser(CLOUDEVENT_MEDIA_TYPE, { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));

  app.post(
    '/events',
    {
      schema: {
        operationId: 'receiveEvent',
        summary: 'Take an event of another service',
        description:
          'A CloudEvent (1.0, JSON). `source` and `id` together name it: what came before is recognised and answered 200 without a ' +
          'second effect, so this POST needs no Idempotency-Key. Events that nobody here waits for are acknowledged and ignored.',
        tags: ['events'],
        consumes: ['application/json', CLOUDEVENT_MEDIA_TYPE],
        headers: Type.Object({ 'X-Client-Id': Type.Optional(Type.String({ description: 'Set by the gateway' })) }),
        body: CloudEventSchema,
        response: { 202: ref(ReceiptSchema), 200: ref(ReceiptSchema), ...problems('EVENT', ...refusals) },
      },
    },
    async (request, reply) => {
      const outcome = await inbox.receive(request.body);
      reply.code(outcome === 'duplicate' ? 200 : 202);
      return { id: request.body.id, outcome };
    },
  );
};

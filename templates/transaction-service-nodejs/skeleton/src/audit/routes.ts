import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { problems } from '../platform/http/openapi.ts';
import { Paging } from '../platform/http/paging.ts';
import { closed, Id, ref } from '../platform/http/schemas.ts';
import { auditBlocks, auditHead, auditProof } from './proofs.ts';
import { AuditBlockPage, AuditHead, AuditProof } from './schemas.ts';
import type { Query } from './sealed.ts';

export const auditRoutes: FastifyPluginAsyncTypebox<{ query: Query }> = async (app, { query }) => {
  const tags = ['audit'];

  app.get(
    '/audit/head',
    {
      schema: {
        operationId: 'getAuditHead',
        summary: 'The newest block of the audit chain',
        tags,
        response: { 200: ref(AuditHead), ...problems('GET') },
      },
    },
    async () => auditHead(query),
  );

  app.get(
    '/audit/blocks',
    {
      schema: {
        operationId: 'listAuditBlocks',
        summary: 'The audit chain, oldest block first',
        tags,
        querystring: Type.Object(Paging, closed),
        response: { 200: ref(AuditBlockPage), ...problems('GET') },
      },
    },
    async request => auditBlocks(query, request.query.limit, request.query.cursor),
  );

  app.get(
    '/audit/proof/:id',
    {
      schema: {
        operationId: 'getAuditProof',
        summary: 'Proof that a transaction is part of the audit chain',
        description: 'How to check it is written in audit.md beside this document.',
        tags,
        params: Type.Object({ id: Id }),
        response: { 200: ref(AuditProof), ...problems('GET', 'not-found', 'audit-not-sealed') },
      },
    },
    async request => auditProof(query, request.params.id),
  );
};

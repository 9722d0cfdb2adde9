import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ExtraCheck } from '../ledger/reconcile.ts';
import type { Command, ServiceContext, Worker } from '../platform/service.ts';
import { createAnchor } from './anchors.ts';
import { Anchoring } from './anchoring.ts';
import { checkChain } from './check.ts';
import { auditRoutes } from './routes.ts';
import type { Query } from './sealed.ts';
import { Sealer } from './sealer.ts';
import type { AuditSettings } from './settings.ts';
import { verify } from './verify.ts';

/** The database functions that the service calls for the audit chain. */
export const AUDIT_FUNCTIONS = ['audit_seal', 'audit_anchored', 'audit_remember'] as const;

/** The audit chain of one service, contracts/audit.md. */
export type Audit = {
  routes: FastifyPluginAsyncTypebox;
  workers: Worker[];
  commands: Record<string, Command>;
  /** R7 of the reconciliation. */
  check: ExtraCheck;
};

/** `timeout`: milliseconds that one statement of a verification may take. */
export function createAudit(context: ServiceContext, settings: AuditSettings, timeout: number): Audit {
  const { config, database, logger, registry } = context;
  const query: Query = (statement, values) => database.run(statement, values);
  const anchor = createAnchor(settings.anchor);
  const workers: Worker[] = [
    new Sealer({ query, interval: settings.sealInterval, blockLimit: settings.blockLimit, registry }),
  ];
  if (anchor !== undefined) {
    const chain = config.serviceName;
    workers.push(new Anchoring({ query, anchor, chain, interval: settings.anchorInterval, logger, registry }));
  }
  return {
    routes: async app => void (await app.register(auditRoutes, { query })),
    workers,
    commands: {
      verify: {
        summary:
          'verifies the whole audit chain, prints the result as JSON, ends with 1 when anything is not as it was sealed or cannot be compared',
        async run(_args, out) {
          const result = await verify(config, timeout, anchor);
          out(JSON.stringify(result, null, 2));
          return result.ok ? 0 : 1;
        },
      },
    },
    check: signal => checkChain({ config, timeout, anchor, recheck: settings.recheckBlocks, query }, signal),
  };
}

import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import { NotFoundError } from '@backstage/errors';
import {
  OPERATION_KINDS,
  OPERATION_STATES,
  provisioningApprovePermission,
  provisioningOperatePermission,
  provisioningReadPermission,
  type Operation,
} from '@rocket/plugin-provisioning-common';
import type { Request, Router } from 'express';
import { z } from 'zod';
import type { EffectLedger } from '../effects/EffectLedger';
import { entityRef, parse, type RouteGuard } from '../service/http';
import type { OperationService } from './OperationService';

const environment = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a DNS label');

const reason = z.string().trim().min(1).max(1000);

const planBody = z.strictObject({
  kind: z.enum(OPERATION_KINDS),
  subject: entityRef,
  environment: environment.optional(),
  input: z.record(z.string(), z.json()).default({}),
});

const operationBody = planBody.extend({
  digest: z.string().regex(/^[0-9a-f]{64}$/, 'must be the digest of a plan'),
  reason: reason.optional(),
});

const decisionBody = z
  .strictObject({ reason: reason.optional() })
  .optional()
  .transform(body => body ?? {});
const rejectionBody = z.strictObject({ reason });

const listQuery = z.strictObject({
  subject: entityRef.optional(),
  owner: entityRef.optional(),
  environment: environment.optional(),
  state: z.enum(OPERATION_STATES).optional(),
});

/** Adds plans, operations and decisions to the API. */
export function addOperationRoutes(
  router: Router,
  deps: {
    guard: RouteGuard;
    operations: OperationService;
    ledger: Pick<EffectLedger, 'list'>;
  },
): void {
  const { guard, operations, ledger } = deps;

  const authorize: RouteGuard['authorize'] = (req, permission) =>
    guard.authorize(req, permission);
  const audited = (
    req: Request,
    eventId: string,
    meta: Record<string, string | undefined>,
    act: () => Promise<Operation>,
  ) => guard.audited(req, eventId, 'medium', meta, act);

  router.get('/runs/:run/undo-plan', async (req, res) => {
    const credentials = await authorize(req, provisioningReadPermission);
    const { run } = req.params;
    const [first] = await ledger.list({ run, limit: 1 });
    if (!first) {
      throw new NotFoundError(`The ledger knows nothing that ${run} made`);
    }
    const { subject } = first;
    res.json(
      await operations.plan(
        { kind: 'undo', subject, input: { run } },
        credentials,
      ),
    );
  });

  router.post('/plans', async (req, res) => {
    const credentials = await authorize(req, provisioningReadPermission);
    res.json(await operations.plan(parse(planBody, req.body), credentials));
  });

  router.post('/operations', async (req, res) => {
    const credentials = await authorize(req, provisioningOperatePermission);
    const body = parse(operationBody, req.body);
    const { kind, subject } = body;
    const operation = await audited(
      req,
      'operation-request',
      { kind, subject, environment: body.environment, reason: body.reason },
      () => operations.request(body, credentials),
    );
    res.status(202).json(operation);
  });

  router.get('/operations', async (req, res) => {
    await authorize(req, provisioningReadPermission);
    const { state, ...filter } = parse(listQuery, req.query);
    res.json({
      items: await operations.list({
        ...filter,
        states: state && [state],
      }),
    });
  });

  router.get('/operations/:id', async (req, res) => {
    await authorize(req, provisioningReadPermission);
    res.json(await operations.get(req.params.id));
  });

  router.get('/operations/:id/events', async (req, res) => {
    await authorize(req, provisioningReadPermission);
    res.json({ items: await operations.events(req.params.id) });
  });

  for (const approved of [true, false]) {
    const verb = approved ? 'approve' : 'reject';
    router.post(`/operations/:id/${verb}`, async (req, res) => {
      const credentials = await authorize(req, provisioningApprovePermission);
      const body = parse(approved ? decisionBody : rejectionBody, req.body);
      const { id } = req.params;
      const operation = await audited(
        req,
        `operation-${verb}`,
        { operation: id, reason: body.reason },
        () => operations.decide(id, approved, body.reason, credentials),
      );
      res.json(operation);
    });
  }

  const acts = {
    cancel: (id: string, credentials: BackstageCredentials) =>
      operations.cancel(id, credentials),
    retry: (id: string, credentials: BackstageCredentials) =>
      operations.retry(id, credentials),
  };
  for (const [verb, act] of Object.entries(acts)) {
    router.post(`/operations/:id/${verb}`, async (req, res) => {
      const credentials = await authorize(req, provisioningOperatePermission);
      const { id } = req.params;
      const operation = await audited(
        req,
        `operation-${verb}`,
        { operation: id },
        () => act(id, credentials),
      );
      res.status(202).json(operation);
    });
  }
}

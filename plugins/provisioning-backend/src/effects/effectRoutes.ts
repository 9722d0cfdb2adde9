import { NotAllowedError, NotFoundError } from '@backstage/errors';
import {
  EFFECT_STATES,
  provisioningCreatePermission,
  provisioningOperatePermission,
  provisioningReadPermission,
  type EffectRequest,
} from '@rocket/plugin-provisioning-common';
import express, { type Router } from 'express';
import type { JsonObject } from '@backstage/types';
import { z } from 'zod';
import {
  waitsForApprover,
  type ProtectedPlaces,
} from '../environments/protectedPlaces';
import type { Access } from '../service/Access';
import { entityRef, parse, plainText, type RouteGuard } from '../service/http';
import type { EffectLedger } from './EffectLedger';
import type { Preflight } from './Preflight';

const MAX_EFFECTS = 50;
const PAGE = 1000;

const effectRequest = z.strictObject({
  type: z
    .string()
    .max(63)
    .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, 'must be <system>.<thing>'),
  reference: plainText(250).min(1),
  subject: entityRef,
  owner: entityRef,
  environment: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a DNS label')
    .optional(),
  run: z
    .string()
    .max(200)
    .regex(
      /^(task|operation):[A-Za-z0-9._-]+$/,
      'must be task:<id> or operation:<id>',
    ),
  step: plainText(200).min(1),
  intent: z
    .record(z.string(), z.json())
    .transform(value => value as JsonObject),
});

const performBody = effectRequest.extend({
  /** The caller makes it itself and sends the same request without this when it has. */
  deferred: z.boolean().optional(),
});

const preflightBody = z.strictObject({
  effects: z.array(effectRequest).min(1).max(MAX_EFFECTS),
});

const listQuery = z.object({
  subject: entityRef.optional(),
  owner: entityRef.optional(),
  environment: plainText(63).optional(),
  run: plainText(200).optional(),
  type: plainText(63).optional(),
  state: z
    .union([z.enum(EFFECT_STATES), z.array(z.enum(EFFECT_STATES))])
    .optional(),
  after: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(PAGE).default(PAGE),
});

/** `/preflight` and `/effects`. */
export function addEffectRoutes(
  router: Router,
  deps: {
    guard: RouteGuard;
    access: Access;
    /** Default: nothing waits for an approver. */
    protectedPlaces?: ProtectedPlaces;
    ledger: EffectLedger;
    preflight: Preflight;
  },
): void {
  const { guard, access, ledger, preflight } = deps;
  const body = express.json({ limit: '1mb' });
  const NOT_UNDONE = EFFECT_STATES.filter(state => state !== 'undone');

  const find = async (id: string) => {
    const effect = await ledger.get(id);
    if (!effect) throw new NotFoundError(`There is no effect '${id}'`);
    return effect;
  };

  router.post('/preflight', body, async (req, res) => {
    const credentials = await guard.authorize(
      req,
      provisioningCreatePermission,
    );
    const { effects } = parse(preflightBody, req.body);
    const actor = { name: access.describe(credentials), credentials };
    const report = await guard.audited(
      req,
      'preflight',
      'low',
      { run: effects[0].run, owner: effects[0].owner },
      () => ledger.preflight(effects, actor),
    );
    const waiting = effects.flatMap(request => {
      const name = deps.protectedPlaces?.(request);
      return name === undefined
        ? []
        : {
            reason: 'approval-required',
            level: 'error' as const,
            subject: `${request.type} ${request.reference}`,
            message: waitsForApprover(name).message,
          };
    });
    res.json({
      passed: report.passed && waiting.length === 0,
      findings: [...report.findings, ...waiting],
    });
  });

  router.post('/effects', body, async (req, res) => {
    const credentials = await guard.authorize(
      req,
      provisioningCreatePermission,
    );
    const { deferred, ...request } = parse(performBody, req.body);
    const actor = { name: access.describe(credentials), credentials };
    const effect = await guard.audited(
      req,
      'effect-request',
      'medium',
      { type: request.type, reference: request.reference, run: request.run },
      async () => {
        await access.requireOwner(credentials, request.owner);
        await refuseProtected(request);
        await refuseForeignSubject(request, actor);
        return deferred
          ? ledger.expect(request, actor)
          : ledger.begin(request, actor);
      },
    );
    res.status(202).json(effect);
  });

  /** Neither where it is to be nor what is there by that name may wait for an approver. */
  async function refuseProtected(request: EffectRequest) {
    const existing = await ledger.list({
      type: request.type,
      reference: request.reference,
      states: NOT_UNDONE,
    });
    for (const one of [request, ...existing]) {
      const name = deps.protectedPlaces?.(one);
      if (name !== undefined) throw waitsForApprover(name);
    }
  }

  async function refuseForeignSubject(
    request: EffectRequest,
    actor: Parameters<EffectLedger['begin']>[1],
  ) {
    const [problem] = await preflight.checkSubject(request, actor);
    if (problem) throw new NotAllowedError(problem.message);
    // Changing what is there is for its present owner, too.
    const existing = await ledger.list({
      type: request.type,
      reference: request.reference,
      subject: request.subject,
      states: NOT_UNDONE,
    });
    for (const { owner } of existing) {
      await access.requireOwner(actor.credentials!, owner);
    }
  }

  router.get('/effects', async (req, res) => {
    await guard.authorize(req, provisioningReadPermission);
    const { state, ...filter } = parse(listQuery, req.query);
    const items = await ledger.list({
      ...filter,
      states: state === undefined ? undefined : [state].flat(),
    });
    res.json({ items });
  });

  router.get('/effects/:id', async (req, res) => {
    await guard.authorize(req, provisioningReadPermission);
    res.json(await find(req.params.id));
  });

  router.get('/effects/:id/events', async (req, res) => {
    await guard.authorize(req, provisioningReadPermission);
    const { id } = await find(req.params.id);
    res.json({ items: await ledger.events(id) });
  });

  router.post('/effects/:id/observe', async (req, res) => {
    const credentials = await guard.authorize(
      req,
      provisioningOperatePermission,
    );
    const effect = await find(req.params.id);
    await access.requireOwner(credentials, effect.owner);
    res.json(
      await guard.audited(
        req,
        'effect-observe',
        'low',
        { effect: effect.id, type: effect.type, reference: effect.reference },
        () => ledger.observe(effect.id),
      ),
    );
  });
}

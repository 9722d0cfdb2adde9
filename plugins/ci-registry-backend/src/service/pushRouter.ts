import { isUtf8 } from 'node:buffer';
import type { AuditorService } from '@backstage/backend-plugin-api';
import { InputError, ServiceUnavailableError } from '@backstage/errors';
import {
  pushRequestSchema,
  registerRequestSchema,
  type PushRequest,
  type PushResponse,
  type PusherIdentity,
  type RegisterResponse,
} from '@rocket/plugin-ci-registry-common';
import express from 'express';
import Router from 'express-promise-router';
import { parse } from './http';
import type { PipelineAuthenticator } from './identity/PipelineAuthenticator';
import type { ParsedPush } from './PushPreparer';
import type { PushService } from './PushService';
import type { RateLimiter } from './RateLimiter';

/** Paths that pipelines call with tokens of their own; these routes authenticate every call themselves. */
export const PIPELINE_PATHS = ['/pushes', '/validate', '/entities'];

/** Longer than any push takes, shorter than clients wait. */
const DEADLINE_MS = 15_000;

/** A database that hangs must not hang the pipeline; what is sent again is known as such. */
async function inTime<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new ServiceUnavailableError(
            'The CI registry did not get done in time; it is not known whether this was stored, so send it again in a moment',
          ),
        ),
      deadlineMs,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Reads JSON; what is not UTF-8 is refused rather than mended. */
export function readJson(limit: number): express.RequestHandler {
  return express.json({
    limit,
    verify: (_req, _res, body) => {
      if (!isUtf8(body)) {
        throw new InputError('body: is not valid UTF-8');
      }
    },
  });
}

/** Without the hash of the body (ETag) that Express makes for every answer: nobody keeps the answer of a push. */
function sendJson(res: express.Response, answer: object): void {
  const body = Buffer.from(JSON.stringify(answer));
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.setHeader('Content-Length', body.length);
  res.end(body);
}

/** `POST /pushes`, `/validate` and `/entities`. */
export function createPushRouter(options: {
  service: PushService;
  authenticator: PipelineAuthenticator;
  auditor: AuditorService;
  limiter: RateLimiter;
  maxBodyBytes: number;
  /** After this a call is answered with 503, ms. Default: 15 s. */
  deadlineMs?: number;
}): express.Router {
  const { service, authenticator, auditor, limiter } = options;
  const { deadlineMs = DEADLINE_MS } = options;
  const router = Router();
  const identities = new WeakMap<express.Request, PusherIdentity>();

  /** Before the body is read: an unknown caller cannot make the server parse megabytes. */
  const authenticate: express.RequestHandler = async (req, _res, next) => {
    identities.set(
      req,
      await inTime(authenticator.authenticate(req), deadlineMs),
    );
    next();
  };
  const before = [authenticate, readJson(options.maxBodyBytes)];

  function callerOf(req: express.Request): PusherIdentity {
    const identity = identities.get(req);
    if (!identity) throw new Error('The caller was not authenticated');
    return identity;
  }

  function limit(identity: PusherIdentity, { source }: ParsedPush): void {
    limiter.take(
      `${identity.issuer ?? identity.type} ${identity.subject} ${
        source.repository
      }`,
      `${identity.subject} for ${source.repository}`,
    );
  }

  async function push(
    req: express.Request,
    request: ParsedPush,
  ): Promise<PushResponse> {
    const identity = callerOf(req);
    limit(identity, request);
    return authenticator.withPermit(identity, request as PushRequest, permit =>
      service.push(request, identity, permit),
    );
  }

  /**
   * An audit event for each push that changed something or was refused. Who it was is part of the decision, which the
   * authenticator keeps for every call; a push that changed nothing leaves no more than that.
   */
  async function audited(
    request: ParsedPush,
    work: () => Promise<PushResponse>,
  ): Promise<PushResponse> {
    const { ancestors, ...source } = request.source;
    const note = (severityLevel: 'low' | 'medium') =>
      auditor.createEvent({
        eventId: 'entity-register',
        severityLevel,
        meta: { source },
      });
    let answer: PushResponse;
    try {
      answer = await work();
    } catch (error) {
      await (await note('medium')).fail({ error: error as Error });
      throw error;
    }
    const { entities, gone, builds, deployments } = answer;
    const documents = answer.documents.map(({ api, outcome }) => ({
      api,
      outcome,
    }));
    const isNews = ({ outcome }: { outcome: string }) =>
      outcome !== 'unchanged' && outcome !== 'superseded';
    if (
      gone.length ||
      [...entities, ...builds, ...deployments, ...documents].some(isNews)
    ) {
      await (
        await note('low')
      ).success({ meta: { entities, gone, builds, deployments, documents } });
    }
    return answer;
  }

  router.post('/pushes', ...before, async (req, res) => {
    const request = parse(pushRequestSchema, req.body);
    const work = audited(request, () => push(req, request));
    sendJson(res, await inTime(work, deadlineMs));
  });

  router.post('/entities', ...before, async (req, res) => {
    const request = parse(registerRequestSchema, req.body);
    const work = audited(request, () => push(req, request));
    const { entities } = await inTime(work, deadlineMs);
    const answer: RegisterResponse = { results: entities };
    res.json(answer);
  });

  router.post('/validate', ...before, async (req, res) => {
    const identity = callerOf(req);
    const request = parse(pushRequestSchema, req.body);
    limit(identity, request);
    const work = async () => {
      await authenticator.authorizePush(identity, request as PushRequest, {
        validate: true,
      });
      return service.validate(request, identity);
    };
    res.json(await inTime(work(), deadlineMs));
  });

  return router;
}

import type {
  AuditorService,
  BackstageCredentials,
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { stringifyEntityRef } from '@backstage/catalog-model';
import { NotAllowedError } from '@backstage/errors';
import {
  AuthorizeResult,
  type BasicPermission,
} from '@backstage/plugin-permission-common';
import {
  criticalPathsReadPermission,
  criticalPathsWorkflowRunPermission,
} from '@rocket/plugin-critical-paths-common';
import type { Request, Router } from 'express';
import PromiseRouter from 'express-promise-router';
import { z } from 'zod';
import { parse, pathParams, windowQuery } from '../service/requests';
import type { WorkflowKey } from './WorkflowStore';
import type { WorkflowService } from './WorkflowService';

const nameError = 'must be the name of a workflow';
const workflowParams = pathParams.extend({
  workflow: z
    .string({ error: nameError })
    .regex(/^[a-z0-9-]{1,63}$/, { error: nameError }),
});
const runParams = workflowParams.extend({
  id: z.uuid({ error: 'must be the id of a run' }),
});
const runsQuery = z.strictObject({
  limit: z.coerce
    .number({ error: 'must be a whole number from 1 to 200' })
    .int({ error: 'must be a whole number from 1 to 200' })
    .min(1, { error: 'must be a whole number from 1 to 200' })
    .max(200, { error: 'must be a whole number from 1 to 200' })
    .default(50),
  before: z.iso.datetime({ error: 'must be a time in ISO 8601' }).optional(),
});

/** Routes about workflows; `src/schema/openapi.yaml` describes them. */
export function createWorkflowRouter(options: {
  workflows: WorkflowService;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
  auditor: AuditorService;
}): Router {
  const { workflows, httpAuth, permissions, auditor } = options;
  const router = PromiseRouter();

  const isAllowed = async (
    credentials: BackstageCredentials,
    permission: BasicPermission,
  ) => {
    const [decision] = await permissions.authorize([{ permission }], {
      credentials,
    });
    return decision.result === AuthorizeResult.ALLOW;
  };
  const authorize = async (
    req: Request,
    permission: BasicPermission = criticalPathsReadPermission,
  ) => {
    const credentials = await httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    if (!(await isAllowed(credentials, permission))) {
      throw new NotAllowedError(`Permission ${permission.name} is needed`);
    }
    return credentials;
  };
  const keyOf = (req: Request): WorkflowKey => {
    const { workflow, ...path } = parse(
      workflowParams,
      'path parameter',
      req.params,
    );
    return {
      pathRef: stringifyEntityRef({ kind: 'criticalpath', ...path }),
      workflow,
    };
  };

  router.get('/paths/:namespace/:name/workflows', async (req, res) => {
    const credentials = await authorize(req);
    const params = parse(pathParams, 'path parameter', req.params);
    const { window } = parse(windowQuery, 'query parameter', req.query);
    res.json(
      await workflows.list(
        stringifyEntityRef({ kind: 'criticalpath', ...params }),
        window,
        await isAllowed(credentials, criticalPathsWorkflowRunPermission),
        credentials,
      ),
    );
  });

  router.get(
    '/paths/:namespace/:name/workflows/:workflow/runs',
    async (req, res) => {
      const credentials = await authorize(req);
      const key = keyOf(req);
      const page = parse(runsQuery, 'query parameter', req.query);
      res.json(await workflows.runs(key, page, credentials));
    },
  );

  router.get(
    '/paths/:namespace/:name/workflows/:workflow/runs/:id',
    async (req, res) => {
      const credentials = await authorize(req);
      const key = keyOf(req);
      const { id } = parse(runParams, 'path parameter', req.params);
      res.json(await workflows.run(key, id, credentials));
    },
  );

  router.post(
    '/paths/:namespace/:name/workflows/:workflow/runs',
    async (req, res) => {
      const credentials = await authorize(
        req,
        criticalPathsWorkflowRunPermission,
      );
      const key = keyOf(req);
      const event = await auditor.createEvent({
        eventId: 'workflow-run',
        severityLevel: 'low',
        request: req,
        meta: { ...key },
      });
      const { userEntityRef, subject } = credentials.principal as {
        userEntityRef?: string;
        subject?: string;
      };
      try {
        const started = await workflows.start(
          key,
          userEntityRef ?? subject ?? 'unknown',
          credentials,
        );
        await event.success({ meta: { ...started } });
        res.status(202).json(started);
      } catch (error) {
        await event.fail({ error: error as Error });
        throw error;
      }
    },
  );

  router.get(
    '/paths/:namespace/:name/workflows/:workflow/newrelic.js',
    async (req, res) => {
      const credentials = await authorize(req);
      const key = keyOf(req);
      const script = await workflows.script(key, credentials);
      res
        .type('text/javascript')
        .attachment(`${key.workflow}.newrelic.js`)
        .send(script);
    },
  );

  return router;
}

import type { HttpAuthService } from '@backstage/backend-plugin-api';
import { NotAllowedError, NotFoundError } from '@backstage/errors';
import {
  provisioningCreatePermission,
  provisioningOperatePermission,
  provisioningReadPermission,
} from '@rocket/plugin-provisioning-common';
import express from 'express';
import Router from 'express-promise-router';
import { z } from 'zod';
import type { GitAccess } from '../git/GitAccess';
import type { EffectLedger } from '../effects/EffectLedger';
import { addEffectRoutes } from '../effects/effectRoutes';
import { addEnvironmentRoutes } from '../environments/environmentRoutes';
import type { EnvironmentService } from '../environments/EnvironmentService';
import {
  waitsForApprover,
  type ProtectedPlaces,
} from '../environments/protectedPlaces';
import { addOperationRoutes } from '../operations/operationRoutes';
import type { OperationService } from '../operations/OperationService';
import type { Preflight } from '../effects/Preflight';
import { addDatabaseRoutes } from '../local/databaseRoutes';
import type { DatabaseServers } from '../local/DatabaseServers';
import type { Access } from './Access';
import {
  entityRef,
  parse,
  plainText,
  serviceName,
  type RouteGuard,
} from './http';
import { assertServiceName } from './names';
import type { RepositoryService } from './RepositoryService';
import type { Operation } from './ServiceJobs';
import type { ServiceManager } from './ServiceManager';

const createRepositoryBody = z.strictObject({
  name: serviceName,
  owner: entityRef,
  description: plainText(500).optional(),
  requestId: plainText(200).optional(),
});

const gitTokenBody = z.strictObject({
  repository: serviceName,
  access: z.enum(['read', 'write']),
});

const deployBody = z.strictObject({
  name: serviceName,
  entityRef,
  owner: entityRef,
  repository: serviceName,
  ref: z.string().min(1).max(200).optional(),
  criticalPath: z
    .string()
    .regex(
      /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
      'must be the metadata.name of a critical path',
    )
    .optional(),
});

/** Why nobody could be waited for; without it a stop is an ordinary one. */
const stopBody = z.strictObject({
  reason: plainText(500).trim().min(10).optional(),
});

const logQuery = z.object({
  after: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(2000).default(200),
});

/** Routes of the provisioning API but Git's; `src/schema/openapi.yaml` describes them. */
export function createRouter(deps: {
  httpAuth: HttpAuthService;
  guard: RouteGuard;
  access: Access;
  gitAccess: GitAccess;
  repositories: RepositoryService;
  services: ServiceManager;
  ledger: EffectLedger;
  preflight: Preflight;
  operations: OperationService;
  environments: EnvironmentService;
  /** Default: nothing waits for an approver. */
  protectedPlaces?: ProtectedPlaces;
  databases: Pick<DatabaseServers, 'checkIsolation'>;
  openapi: object;
}): express.Router {
  const { guard, gitAccess, repositories, services } = deps;

  const authorize: RouteGuard['authorize'] = (req, permission) =>
    guard.authorize(req, permission);
  const audited: RouteGuard['audited'] = (...attempt) =>
    guard.audited(...attempt);

  /** One that is there is where it is; one that is not yet may have another's name. */
  const protectedBy = (
    service: { name: string; entityRef: string; environment?: string },
    isThere: boolean,
  ) =>
    deps.protectedPlaces?.({
      type: isThere ? 'service' : 'local.service',
      reference: service.name,
      subject: service.entityRef,
      environment: service.environment,
      intent: {},
    });

  const router = Router();
  // Before the parser for all the others: intents may be larger.
  addEffectRoutes(router, deps);
  router.use(express.json({ limit: '64kb' }));

  addOperationRoutes(router, deps);
  addEnvironmentRoutes(router, deps);
  addDatabaseRoutes(router, deps);

  router.get('/openapi.json', async (req, res) => {
    await deps.httpAuth.credentials(req, { allow: ['user', 'service'] });
    res.json(deps.openapi);
  });

  router.get('/names/:name', async (req, res) => {
    const credentials = await authorize(req, provisioningReadPermission);
    res.json(await repositories.checkName(req.params.name, credentials));
  });

  router.get('/repositories', async (req, res) => {
    await authorize(req, provisioningReadPermission);
    res.json({ items: await repositories.list() });
  });

  router.get('/repositories/:name', async (req, res) => {
    await authorize(req, provisioningReadPermission);
    const repository = await repositories.get(req.params.name);
    if (!repository) {
      throw new NotFoundError(`There is no repository '${req.params.name}'`);
    }
    res.json(repository);
  });

  router.post('/repositories', async (req, res) => {
    const credentials = await authorize(req, provisioningCreatePermission);
    const body = parse(createRepositoryBody, req.body);
    const repository = await audited(
      req,
      'repository-create',
      'medium',
      { repository: body.name, owner: body.owner },
      () => repositories.create(body, credentials),
    );
    res.status(201).json(repository);
  });

  router.post('/git-tokens', async (req, res) => {
    const credentials = await authorize(req, provisioningReadPermission);
    const body = parse(gitTokenBody, req.body);
    const token = await audited(req, 'git-token-issue', 'medium', body, () =>
      gitAccess.issue(body.repository, body.access, credentials),
    );
    res.status(201).setHeader('Cache-Control', 'no-store').json(token);
  });

  router.get('/services', async (req, res) => {
    await authorize(req, provisioningReadPermission);
    res.json({ items: await services.list() });
  });

  router.get('/services/:name', async (req, res) => {
    await authorize(req, provisioningReadPermission);
    res.json(await services.status(req.params.name));
  });

  router.get('/services/:name/log', async (req, res) => {
    await authorize(req, provisioningReadPermission);
    const query = parse(logQuery, req.query);
    res.json(await services.readLog(req.params.name, query));
  });

  router.post('/services', async (req, res) => {
    const credentials = await authorize(req, provisioningCreatePermission);
    const body = parse(deployBody, req.body);
    const status = await audited(
      req,
      'service-deploy',
      'medium',
      { service: body.name, repository: body.repository, ref: body.ref },
      async () => {
        const existing = await services.find(body.name);
        const name = protectedBy(existing ?? body, !!existing);
        if (name !== undefined) throw waitsForApprover(name);
        return services.deploy(body, credentials);
      },
    );
    res.status(202).json(status);
  });

  for (const operation of ['start', 'stop', 'restart'] as Operation[]) {
    router.post(`/services/:name/${operation}`, async (req, res) => {
      const credentials = await authorize(req, provisioningOperatePermission);
      const service = assertServiceName(req.params.name);
      const { reason } =
        operation === 'stop' ? parse(stopBody, req.body ?? {}) : {};
      const environment = protectedBy(await services.status(service), true);
      // Of what waits for an approver, only the stop of an emergency does not.
      const isEmergency = environment !== undefined && reason !== undefined;
      const status = await audited(
        req,
        isEmergency ? 'service-emergency-stop' : 'service-operate',
        isEmergency ? 'high' : 'medium',
        { service, operation, environment, reason },
        async () => {
          if (environment !== undefined && !isEmergency) {
            const { message } = waitsForApprover(environment);
            throw new NotAllowedError(
              operation === 'stop'
                ? `${message} (retire, or scale to 0). In an emergency, send why as 'reason', 10 characters or more: it is stopped at once and that is recorded`
                : `${message} (deploy)`,
            );
          }
          return services.operate(service, operation, credentials);
        },
      );
      res.status(202).json(status);
    });
  }

  return router;
}

import type {
  AuditorService,
  HttpAuthService,
} from '@backstage/backend-plugin-api';
import { parseEntityRef } from '@backstage/catalog-model';
import { InputError, NotFoundError } from '@backstage/errors';
import type { BasicPermission } from '@backstage/plugin-permission-common';
import {
  provisioningCreatePermission,
  provisioningOperatePermission,
  provisioningReadPermission,
} from '@rocket/plugin-provisioning-common';
import express, { type Request } from 'express';
import Router from 'express-promise-router';
import { z } from 'zod';
import type { GitAccess } from '../git/GitAccess';
import type { Access } from './Access';
import { assertServiceName } from './names';
import type { RepositoryService } from './RepositoryService';
import type { Operation } from './ServiceJobs';
import type { ServiceManager } from './ServiceManager';

const name = z.string().transform((value, context) => {
  try {
    return assertServiceName(value, '');
  } catch (error) {
    context.addIssue((error as Error).message.replace(/^: /, ''));
    return z.NEVER;
  }
});

const entityRef = z
  .string()
  .max(200)
  .refine(value => {
    try {
      parseEntityRef(value);
      return /^[a-zA-Z]+:[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+$/.test(value);
    } catch {
      return false;
    }
  }, 'must be a full entity ref: kind:namespace/name');

/** Text that ends up in an environment variable and in lists. */
const plainText = (max: number) =>
  z
    .string()
    .max(max)
    .refine(
      // eslint-disable-next-line no-control-regex
      value => !/[\u0000-\u001f\u007f]/.test(value),
      'must be one line without control characters',
    );

const createRepositoryBody = z.strictObject({
  name,
  owner: entityRef,
  description: plainText(500).optional(),
  requestId: plainText(200).optional(),
});

const gitTokenBody = z.strictObject({
  repository: name,
  access: z.enum(['read', 'write']),
});

const deployBody = z.strictObject({
  name,
  entityRef,
  owner: entityRef,
  repository: name,
  ref: z.string().min(1).max(200).optional(),
  criticalPath: z
    .string()
    .regex(
      /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
      'must be the metadata.name of a critical path',
    )
    .optional(),
});

const logQuery = z.object({
  after: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(2000).default(200),
});

function parse<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InputError(
    result.error.issues
      .map(issue => `${issue.path.join('.') || 'body'}: ${issue.message}`)
      .join('; '),
  );
}

/** Routes of the provisioning API but Git's; `src/schema/openapi.yaml` describes them. */
export function createRouter(deps: {
  httpAuth: HttpAuthService;
  auditor: AuditorService;
  access: Access;
  gitAccess: GitAccess;
  repositories: RepositoryService;
  services: ServiceManager;
  openapi: object;
}): express.Router {
  const { auditor, access, gitAccess, repositories, services } = deps;

  async function authorize(req: Request, permission: BasicPermission) {
    const credentials = await deps.httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    await access.authorize(credentials, permission);
    return credentials;
  }

  /** Records the attempt and how it ended; also when it is refused. */
  async function audited<T>(
    req: Request,
    eventId: string,
    severityLevel: 'low' | 'medium',
    meta: Record<string, string | undefined>,
    act: () => Promise<T>,
  ): Promise<T> {
    const event = await auditor.createEvent({
      eventId,
      severityLevel,
      request: req,
      meta: JSON.parse(JSON.stringify(meta)),
    });
    try {
      const result = await act();
      await event.success();
      return result;
    } catch (error) {
      await event.fail({ error: error as Error });
      throw error;
    }
  }

  const router = Router();
  router.use(express.json({ limit: '64kb' }));

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
      () => services.deploy(body, credentials),
    );
    res.status(202).json(status);
  });

  for (const operation of ['start', 'stop', 'restart'] as Operation[]) {
    router.post(`/services/:name/${operation}`, async (req, res) => {
      const credentials = await authorize(req, provisioningOperatePermission);
      const service = assertServiceName(req.params.name);
      const status = await audited(
        req,
        'service-operate',
        'medium',
        { service, operation },
        () => services.operate(service, operation, credentials),
      );
      res.status(202).json(status);
    });
  }

  return router;
}

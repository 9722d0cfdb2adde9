import type {
  BackstageCredentials,
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { parseEntityRef } from '@backstage/catalog-model';
import { InputError, NotAllowedError, NotFoundError } from '@backstage/errors';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import {
  AuthorizeResult,
  type BasicPermission,
} from '@backstage/plugin-permission-common';
import type {
  CriticalPathEntityV1alpha1,
  CriticalPathObjective,
} from '@rocket/plugin-critical-paths-common';
import {
  provisioningCreatePermission,
  provisioningReadPermission,
} from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import express, { type Request } from 'express';
import Router from 'express-promise-router';
import type { Settings } from './config';
import { IntentReader, parseOrThrow } from './intents';
import { makePlan, planRequestSchema } from './plan';
import { toTerraform } from './terraform/terraform';

/** Effects that can be exported, in the order of the file. */
const EXPORTED = [
  'newrelic.alert-policy',
  'newrelic.service-levels',
  'newrelic.dashboard',
  'newrelic.tags',
];

/** `/newrelic/plan` and `/newrelic/:subject/terraform` of the provisioning API. */
export function createRouter(deps: {
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
  catalog: CatalogService;
  provisioning: Pick<ProvisioningService, 'listEffects'>;
  settings: Settings;
  accountId: (account: string | undefined) => number;
}): express.Router {
  const { settings, provisioning, catalog } = deps;
  const intents = new IntentReader(settings);

  async function authorize(req: Request, permission: BasicPermission) {
    const credentials = await deps.httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    const [{ result }] = await deps.permissions.authorize([{ permission }], {
      credentials,
    });
    if (result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(
        `You do not have the permission ${permission.name}`,
      );
    }
    return credentials;
  }

  async function objectivesOf(
    criticalPath: string | undefined,
    credentials: BackstageCredentials,
  ): Promise<readonly CriticalPathObjective[]> {
    if (!criticalPath) return [];
    const entity = (await catalog.getEntityByRef(criticalPath, {
      credentials,
    })) as CriticalPathEntityV1alpha1 | undefined;
    return entity?.spec.objectives ?? [];
  }

  const router = Router();

  router.post(
    '/newrelic/plan',
    express.json({ limit: '64kb' }),
    async (req, res) => {
      const credentials = await authorize(req, provisioningCreatePermission);
      const request = parseOrThrow(planRequestSchema, req.body ?? {}, 'body');
      res.json(
        makePlan(request, {
          settings,
          pathObjectives: request.objectives
            ? []
            : await objectivesOf(request.criticalPath, credentials),
        }),
      );
    },
  );

  router.get('/newrelic/:subject/terraform', async (req, res) => {
    const credentials = await authorize(req, provisioningReadPermission);
    const { subject } = req.params;
    try {
      parseEntityRef(subject);
    } catch {
      throw new InputError(
        'subject: must be a full entity ref: kind:namespace/name',
      );
    }
    const effects = (
      await provisioning.listEffects(
        { subject, state: ['planned', 'applying', 'live', 'failed'] },
        { credentials },
      )
    ).filter(({ type }) => EXPORTED.includes(type));
    if (effects.length === 0) {
      throw new NotFoundError(
        `Rocket makes nothing in New Relic for ${subject}`,
      );
    }
    effects.sort((a, b) => EXPORTED.indexOf(a.type) - EXPORTED.indexOf(b.type));
    const { name } = parseEntityRef(subject);
    res
      .attachment(`${name.replace(/[^A-Za-z0-9._-]/g, '_')}.tf`)
      .type('text/plain')
      .send(toTerraform(effects, { intents, accountId: deps.accountId }));
  });

  return router;
}

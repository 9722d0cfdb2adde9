import type {
  AuthService,
  DiscoveryService,
} from '@backstage/backend-plugin-api';
import { NotFoundError, ServiceUnavailableError } from '@backstage/errors';
import {
  ciRegistryReadPermission,
  entityRefSchema,
} from '@rocket/plugin-ci-registry-common';
import { CriticalPathsClient } from '@rocket/plugin-critical-paths-common';
import type express from 'express';
import Router from 'express-promise-router';
import { z } from 'zod';
import type { DeliveryStore } from '../database/delivery/DeliveryStore';
import { entityRefOf, parse } from './http';
import type { PipelineAuthenticator } from './identity/PipelineAuthenticator';

/** What pipelines read with tokens of their own; these routes authenticate every call themselves. */
export const PIPELINE_READ_PATHS = ['/gate', '/deployed'];

/** The critical paths answer from stored figures; after this they are away. */
const GATE_TIMEOUT_MS = 10_000;

const deployedQuerySchema = z.object({
  component: entityRefSchema('component'),
  environment: z.string().min(1, 'must not be empty').max(63),
});

/**
 * What a pipeline asks before and while it deploys: whether it should (`GET /gate/:kind/:namespace/:name`, the answer of the
 * critical paths, which do not know tokens of pipelines), and what runs (`GET /deployed?component=&environment=`).
 */
export function createPipelineRouter(options: {
  authenticator: PipelineAuthenticator;
  auth: AuthService;
  discovery: DiscoveryService;
  store: Pick<DeliveryStore, 'recentDeployments'>;
}): express.Router {
  const { authenticator, auth, store } = options;
  const criticalPaths = new CriticalPathsClient({
    fetchApi: { fetch: (input, init) => fetch(input, init) },
    baseUrl: () => options.discovery.getBaseUrl('critical-paths'),
    timeoutMs: GATE_TIMEOUT_MS,
  });
  const router = Router();

  async function authorize(req: express.Request): Promise<void> {
    const identity = await authenticator.authenticate(
      req,
      ciRegistryReadPermission,
    );
    await authenticator.authorizeRead(identity);
  }

  router.get('/gate/:kind/:namespace/:name', async (req, res) => {
    await authorize(req);
    const entityRef = entityRefOf(req);
    const { token } = await auth.getPluginRequestToken({
      onBehalfOf: await auth.getOwnServiceCredentials(),
      targetPluginId: 'critical-paths',
    });
    try {
      res.json(await criticalPaths.getGate(entityRef, { token }));
    } catch (error) {
      const status = (error as { statusCode?: number }).statusCode;
      if (status === 404) {
        throw new NotFoundError(
          `The critical paths know nothing of ${entityRef}`,
        );
      }
      throw new ServiceUnavailableError(
        `The critical paths do not answer, so it is not known whether ${entityRef} should be deployed`,
      );
    }
  });

  router.get('/deployed', async (req, res) => {
    await authorize(req);
    const { component, environment } = parse(deployedQuerySchema, req.query);
    const live = (await store.recentDeployments([component])).find(
      deployment =>
        deployment.environment === environment &&
        deployment.outcome === 'succeeded',
    );
    res.json({
      component,
      environment,
      commit: live?.commit ?? null,
      version: live?.version ?? null,
    });
  });

  return router;
}

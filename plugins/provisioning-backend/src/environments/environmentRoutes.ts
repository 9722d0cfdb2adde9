import {
  provisioningOperatePermission,
  provisioningReadPermission,
} from '@rocket/plugin-provisioning-common';
import type { Router } from 'express';
import type { RouteGuard } from '../service/http';
import type { EnvironmentService } from './EnvironmentService';

/** `/environments`; making and deleting one are operations. */
export function addEnvironmentRoutes(
  router: Router,
  deps: { guard: RouteGuard; environments: EnvironmentService },
): void {
  const { guard, environments } = deps;

  router.get('/environments', async (req, res) => {
    await guard.authorize(req, provisioningReadPermission);
    res.json({ items: await environments.list() });
  });

  router.get('/environments/:name', async (req, res) => {
    await guard.authorize(req, provisioningReadPermission);
    res.json(await environments.get(req.params.name));
  });

  router.post('/environments/:name/extend', async (req, res) => {
    const credentials = await guard.authorize(
      req,
      provisioningOperatePermission,
    );
    const { name } = req.params;
    const environment = await guard.audited(
      req,
      'environment-extend',
      'low',
      { environment: name },
      () => environments.extend(name, credentials),
    );
    res.json(environment);
  });
}

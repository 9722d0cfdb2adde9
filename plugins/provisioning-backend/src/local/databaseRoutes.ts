import { provisioningOperatePermission } from '@rocket/plugin-provisioning-common';
import type { Router } from 'express';
import type { RouteGuard } from '../service/http';
import type { DatabaseServers } from './DatabaseServers';

/** `POST /databases/check`: can a service read another one's data? */
export function addDatabaseRoutes(
  router: Router,
  deps: {
    guard: RouteGuard;
    databases: Pick<DatabaseServers, 'checkIsolation'>;
    services: { list(): Promise<{ name: string }[]> };
  },
): void {
  const { guard, databases, services } = deps;
  router.post('/databases/check', async (req, res) => {
    await guard.authorize(req, provisioningOperatePermission);
    const items = await guard.audited(
      req,
      'database-isolation-check',
      'low',
      {},
      async () =>
        databases.checkIsolation(
          (await services.list()).map(({ name }) => name),
        ),
    );
    res.json({ items });
  });
}

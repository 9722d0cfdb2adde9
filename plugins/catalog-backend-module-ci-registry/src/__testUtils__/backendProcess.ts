/** A backend with the catalog and the registry, to be killed: `backendProcess.ts <config file>`. */
import { createBackend } from '@backstage/backend-defaults';
import { checkedRootHealthServiceFactory } from '@rocket/plugin-ci-registry-node';

const backend = createBackend();
backend.add(checkedRootHealthServiceFactory);
backend.add(import('@backstage/plugin-catalog-backend'));
// The test needs both ends of the wire.
// eslint-disable-next-line @backstage/no-mixed-plugin-imports
backend.add(import('@rocket/plugin-ci-registry-backend'));
backend.add(import('../index'));
backend.start();

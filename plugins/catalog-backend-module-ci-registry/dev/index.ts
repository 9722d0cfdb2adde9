// The registry with a real catalog, for trying and measuring: `yarn start`.
import { createBackend } from '@backstage/backend-defaults';

const backend = createBackend();
backend.add(import('@backstage/plugin-catalog-backend'));
// eslint-disable-next-line @backstage/no-mixed-plugin-imports
backend.add(import('@rocket/plugin-ci-registry-backend'));
backend.add(import('../src'));
backend.start();

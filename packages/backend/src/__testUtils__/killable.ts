/**
 * A whole backend that can be killed: scaffolder, provisioning, CI registry and
 * catalog with Rocket's modules. Started by killed.test.ts through Backstage's
 * own transpiler, with `--config`; says over its channel when it is up.
 */
import './standstill';
import { createBackend } from '@backstage/backend-defaults';

const backend = createBackend();
backend.add(import('@backstage/plugin-catalog-backend'));
backend.add(
  import('@backstage/plugin-catalog-backend-module-scaffolder-entity-model'),
);
backend.add(import('@rocket/plugin-catalog-backend-module-ci-registry'));
backend.add(import('@backstage/plugin-events-backend'));
backend.add(import('@backstage/plugin-scaffolder-backend'));
backend.add(import('@rocket/plugin-scaffolder-backend-module-rocket'));
backend.add(import('@rocket/plugin-ci-registry-backend'));
backend.add(import('@rocket/plugin-provisioning-backend'));

// Nobody is left to kill it.
process.on('disconnect', () => process.exit(1));

backend.start().then(
  () => process.send!({ up: true }),
  error => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);

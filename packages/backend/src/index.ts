import { createBackend } from '@backstage/backend-defaults';
import { checkedRootHealthServiceFactory } from '@rocket/plugin-ci-registry-node';
import { notificationProcessors } from './notificationProcessors';
import { rootHttpRouter } from './rootHttpRouter';

const backend = createBackend();

backend.add(rootHttpRouter);

// not ready while a database that a plugin needs does not answer
backend.add(checkedRootHealthServiceFactory);

// the built portal, served by the backend itself
backend.add(import('@backstage/plugin-app-backend'));

// sign-in: guests on this machine, people by GitHub
backend.add(import('@backstage/plugin-auth-backend'));
backend.add(import('@backstage/plugin-auth-backend-module-github-provider'));
backend.add(import('@rocket/plugin-auth-backend-module-guest-loopback'));

// permissions
backend.add(import('@backstage/plugin-permission-backend'));
backend.add(import('@rocket/plugin-permission-backend-module-rocket-policy'));

// catalog
backend.add(import('@backstage/plugin-catalog-backend'));
backend.add(
  import('@backstage/plugin-catalog-backend-module-scaffolder-entity-model'),
);
backend.add(import('@backstage/plugin-catalog-backend-module-logs'));
backend.add(import('@rocket/plugin-catalog-backend-module-critical-paths'));
backend.add(import('@rocket/plugin-catalog-backend-module-ci-registry'));
backend.add(import('@rocket/plugin-catalog-backend-module-rocket-templates'));

// scaffolder
backend.add(import('@backstage/plugin-scaffolder-backend'));
backend.add(import('@backstage/plugin-scaffolder-backend-module-github'));
backend.add(import('@backstage/plugin-scaffolder-backend-module-gitlab'));
backend.add(
  import('@backstage/plugin-scaffolder-backend-module-notifications'),
);
backend.add(import('@rocket/plugin-scaffolder-backend-module-rocket'));

// registration and provisioning of services
backend.add(import('@rocket/plugin-ci-registry-backend'));
backend.add(import('@rocket/plugin-ci-registry-backend-module-newrelic'));
backend.add(import('@rocket/plugin-provisioning-backend'));
backend.add(import('@rocket/plugin-provisioning-backend-module-kubernetes'));
backend.add(import('@rocket/plugin-provisioning-backend-module-newrelic'));

// critical paths
backend.add(import('@rocket/plugin-critical-paths-backend'));
backend.add(import('@rocket/plugin-critical-paths-backend-module-newrelic'));
backend.add(import('@rocket/plugin-critical-paths-backend-module-prometheus'));

// documentation
backend.add(import('@backstage/plugin-techdocs-backend'));
backend.add(import('@rocket/plugin-techdocs-backend-module-rocket'));

// search; the PostgreSQL engine registers itself only on PostgreSQL
backend.add(import('@backstage/plugin-search-backend'));
backend.add(import('@backstage/plugin-search-backend-module-pg'));
backend.add(import('@backstage/plugin-search-backend-module-catalog'));
backend.add(import('@backstage/plugin-search-backend-module-techdocs'));

// kubernetes: nothing to see until clusters are configured
backend.add(import('@backstage/plugin-kubernetes-backend'));

// people: settings, notifications, and the events and signals that carry them
backend.add(import('@backstage/plugin-user-settings-backend'));
backend.add(import('@backstage/plugin-notifications-backend'));
backend.add(notificationProcessors);
backend.add(import('@backstage/plugin-events-backend'));
backend.add(import('@backstage/plugin-signals-backend'));

// the catalog and the scaffolder as tools for agents
backend.add(import('@backstage/plugin-mcp-actions-backend'));

backend.start();

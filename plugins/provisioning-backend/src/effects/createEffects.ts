import type {
  AuditorService,
  AuthService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import type { CiRegistryService } from '@rocket/plugin-ci-registry-node';
import type { Knex } from 'knex';
import type { GitHost } from '../git/GitHost';
import type { Access } from '../service/Access';
import type { RepositoryService } from '../service/RepositoryService';
import type { ServiceManager } from '../service/ServiceManager';
import { DatabaseEffectStore } from './DatabaseEffectStore';
import { DefaultEffectLedger } from './DefaultEffectLedger';
import type { EffectHandlers } from './EffectHandlers';
import { EffectUpkeep } from './EffectUpkeep';
import { CatalogEntityHandler } from './handlers/CatalogEntityHandler';
import { GitRepositoryHandler } from './handlers/GitRepositoryHandler';
import { LocalServiceHandler } from './handlers/LocalServiceHandler';
import { Preflight, type EffectQuota } from './Preflight';

export interface EffectsConfig {
  quotas: EffectQuota[];
  /** Time between two looks at the same effect, ms. */
  reconcileIntervalMs: number;
}

/** The ledger with the handlers of this plugin; those of modules are in `handlers` already. */
export function createEffects(deps: {
  handlers: EffectHandlers;
  db: Knex;
  config: EffectsConfig;
  auditor: AuditorService;
  auth: AuthService;
  catalog: CatalogService;
  registry: CiRegistryService;
  access: Access;
  host: GitHost;
  repositories: RepositoryService;
  services: ServiceManager;
  /** Names of the environments on other runtimes than the local one. */
  elsewhere: readonly string[];
  logger: LoggerService;
}) {
  const { handlers, config } = deps;
  handlers.add(new GitRepositoryHandler(deps));
  handlers.add(new CatalogEntityHandler(deps));
  handlers.add(new LocalServiceHandler(deps));
  const store = new DatabaseEffectStore(deps.db);
  const preflight = new Preflight({ ...deps, store, quotas: config.quotas });
  const ledger = new DefaultEffectLedger({ ...deps, store, preflight });
  const upkeep = new EffectUpkeep({
    ledger,
    store,
    logger: deps.logger,
    intervalMs: config.reconcileIntervalMs,
  });
  return { store, preflight, ledger, upkeep };
}

import { mockErrorHandler, mockServices } from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type { BoardWindow } from '@rocket/plugin-critical-paths-common';
import express from 'express';
import type { Knex } from 'knex';
import { BurnBook } from '../burn/BurnBook';
import { BurnRollup } from '../burn/BurnRollup';
import { DatabaseChangeStore } from '../changes/DatabaseChangeStore';
import { Collector } from '../collector/Collector';
import { Bodies } from '../service/Bodies';
import { BudgetService } from '../service/BudgetService';
import { FigureService, type Board } from '../service/FigureService';
import { PathDetails } from '../service/PathDetails';
import { PathDirectory } from '../service/PathDirectory';
import { PathService } from '../service/PathService';
import { PolicyService } from '../service/PolicyService';
import { createRouter } from '../service/router';
import { StoredSignals } from '../service/StoredSignals';
import type { WorkflowReader } from '../service/WorkflowReader';
import { readSettings } from '../settings';
import { DatabaseBurnStore } from '../store/BurnStore';
import { DatabasePolicyStore } from '../store/PolicyStore';
import { DatabaseSignalStore } from '../store/DatabaseSignalStore';
import type { FakeSource } from '../testing/FakeSource';

const never = new AbortController().signal;

/** The whole plugin over a database, with a clock and a source of its own; for tests. */
export async function startStack(options: {
  knex: Knex;
  source: FakeSource;
  entities: Entity[];
  now: () => number;
  /** Of `criticalPaths` in the configuration. */
  config?: object;
  decide?: (permission: string) => AuthorizeResult.ALLOW | AuthorizeResult.DENY;
  /** What the catalog shows to users; services see everything. */
  visible?: (entity: Entity) => boolean;
  collect?: () => Promise<boolean>;
  workflows?: WorkflowReader;
}) {
  const { knex, source, entities, now } = options;
  const database = mockServices.database({ knex });
  const store = await DatabaseSignalStore.create({ database });
  const policyStore = await DatabasePolicyStore.create({ database });
  const burns = await DatabaseBurnStore.create({ database });
  const changes = new DatabaseChangeStore(knex);
  const settings = readSettings(
    mockServices.rootConfig({
      data: {
        criticalPaths: {
          collector: { backfill: { days: 2 } },
          ...options.config,
        },
      },
    }),
  );
  const logger = mockServices.logger.mock();
  const catalog = catalogServiceMock({ entities });
  const stream = catalog.streamEntities.bind(catalog);
  // A catalog that hides entities from users, as a permission policy does.
  catalog.streamEntities = async function* hide(query, request) {
    const { principal } = (request as any).credentials;
    for await (const page of stream(query)) {
      yield principal.type === 'user'
        ? page.filter(options.visible ?? (() => true))
        : page;
    }
  };
  const directory = new PathDirectory({
    catalog,
    auth: mockServices.auth(),
    logger,
    now,
  });
  const collector = new Collector({
    store,
    directory,
    sources: new Map([[source.id, source]]),
    settings,
    logger,
    now,
  });
  const rollup = new BurnRollup({
    store,
    burns,
    policy: policyStore,
    changes,
    directory,
    settings,
    logger,
    now,
  });
  const signals = new StoredSignals({
    store,
    policy: policyStore,
    settings,
    now,
  });
  const budgets = new BudgetService({ signals, directory });
  const book = new BurnBook({ store: burns, now });
  const figures = new FigureService({
    signals,
    budgets,
    book,
    directory,
    workflows: options.workflows,
    now,
  });
  const service = new PathService({
    figures,
    details: new PathDetails({
      signals,
      budgets,
      book,
      store,
      burns,
      changes,
      settings,
    }),
    signals,
    directory,
    settings,
    now,
  });
  const policy = new PolicyService({
    policy: policyStore,
    store,
    directory,
    settings,
    changed: () => signals.expire(),
    now,
  });
  const auditor = mockServices.auditor.mock();
  const router = await createRouter({
    service,
    policy,
    httpAuth: mockServices.httpAuth(),
    permissions: mockServices.permissions.mock({
      authorize: async asked =>
        asked.map(({ permission }) => ({
          result: (options.decide ?? (() => AuthorizeResult.ALLOW))(
            permission.name,
          ),
        })),
    }),
    auditor,
    pages: new Bodies({ max: 100, now }),
    collect: options.collect ?? (async () => true),
    openapi: { openapi: '3.1.0' },
    now,
  });
  return {
    app: express().use(router).use(mockErrorHandler()),
    auditor,
    budgets,
    burns,
    changes,
    collector,
    figures,
    rollup,
    settings,
    store,
    /** The board as of now: readers may be handed the one before while it is made. */
    async freshBoard(window: BoardWindow): Promise<Board> {
      for (;;) {
        const status = await signals.sync();
        const board = await figures.board(window);
        if (
          board.status.version === status.version &&
          board.grid.to >= signals.until()
        ) {
          return board;
        }
        await new Promise(resolve => setImmediate(resolve));
      }
    },
    /** One cycle of collection and one of attribution. */
    async cycle() {
      await collector.runCycle(never);
      return rollup.run(never);
    },
  };
}

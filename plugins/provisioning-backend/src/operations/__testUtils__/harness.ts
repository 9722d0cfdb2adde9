import { mockCredentials, mockServices } from '@backstage/backend-test-utils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type {
  OperationKind,
  PlanRequest,
} from '@rocket/plugin-provisioning-common';
import type { Knex } from 'knex';
import { FakeLedger } from '../../__testUtils__/fakeLedger';
import type { ProtectedPlaces } from '../../environments/protectedPlaces';
import { Access } from '../../service/Access';
import { Approvers } from '../Approvers';
import { DatabaseOperationStore } from '../DatabaseOperationStore';
import { OperationEngine } from '../OperationEngine';
import type { OperationHandler } from '../OperationHandler';
import { OperationNotifier } from '../OperationNotifier';
import type { ApprovalRules } from '../OperationPlanner';
import { OperationService } from '../OperationService';
import { RetireHandler, UndoHandler } from '../removalKinds';

export const SUBJECT = 'component:default/pay-api';
export const START = Date.parse('2026-11-21T12:00:00.000Z');

/** Who belongs where. */
const GROUPS: Record<string, string[]> = {
  'user:default/alice': ['group:default/ledger', 'group:default/release'],
  'user:default/bob': ['group:default/release'],
  'user:default/carol': ['group:default/release', 'group:default/risk'],
  'user:default/dave': ['group:default/ledger'],
};

export const user = (name: string) =>
  mockCredentials.user(`user:default/${name}`);

/** Operations over a database that outlives the backends; the clock stands until a test moves it. */
export function createHarness(
  knex: Knex,
  options: {
    ledger?: FakeLedger;
    rules?: ApprovalRules;
    protectedPlaces?: ProtectedPlaces;
    handlers?: OperationHandler[];
    clock?: { time: number };
  } = {},
) {
  const clock = options.clock ?? { time: START };
  const now = () => clock.time;
  const ledger = options.ledger ?? new FakeLedger();
  const logger = mockServices.logger.mock();
  const auditor = mockServices.auditor.mock({
    createEvent: jest.fn(async () => ({
      success: async () => {},
      fail: async () => {},
    })),
  });
  const auth = mockServices.auth();
  const userInfo = mockServices.userInfo.mock({
    getUserInfo: async credentials => {
      const { userEntityRef } = credentials.principal as {
        userEntityRef: string;
      };
      return {
        userEntityRef,
        ownershipEntityRefs: [userEntityRef, ...(GROUPS[userEntityRef] ?? [])],
      };
    },
  });
  const permissions = mockServices.permissions({
    result: AuthorizeResult.ALLOW,
  });
  const access = new Access({ auth, permissions, userInfo });
  const store = new DatabaseOperationStore(knex);
  const handlers = new Map<OperationKind, OperationHandler>(
    [
      new UndoHandler(ledger, options.protectedPlaces),
      new RetireHandler({
        protectedPlaces: options.protectedPlaces,
        ledger,
        services: {
          list: async () => [],
          remove: async () => ({ outcome: 'done' }),
        },
      }),
      ...(options.handlers ?? []),
    ].map(handler => [handler.kind, handler]),
  );
  const notifications = { send: jest.fn(async () => {}) };
  const operations = new OperationService({
    store,
    handlers,
    rules: options.rules ?? (() => undefined),
    access,
    approvers: new Approvers({ auth, userInfo }),
    auditor,
    now,
  });
  const createEngine = () =>
    new OperationEngine({ store, handlers, auditor, logger, now });
  return {
    auditor,
    clock,
    ledger,
    logger,
    notifications,
    notifier: new OperationNotifier({
      store,
      notifications: notifications as never,
      logger,
    }),
    operations,
    store,
    engine: createEngine(),
    createEngine,
    /** Plans and asks for it. */
    async ask(request: PlanRequest, by = 'alice') {
      const plan = await operations.plan(request, user(by));
      return operations.request({ ...request, digest: plan.digest }, user(by));
    },
  };
}

export const undo = (run = 'task:1'): PlanRequest => ({
  kind: 'undo',
  subject: SUBJECT,
  input: { run },
});

export const retire = (environment?: string): PlanRequest => ({
  kind: 'retire',
  subject: SUBJECT,
  environment,
  input: {},
});

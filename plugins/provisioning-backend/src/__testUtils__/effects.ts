import { resolvePackagePath } from '@backstage/backend-plugin-api';
import { mockServices } from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import type {
  Effect,
  EffectRequest,
  Observation,
  PreflightFinding,
} from '@rocket/plugin-provisioning-common';
import type {
  EffectContext,
  EffectHandler,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import type { Knex } from 'knex';
import { DatabaseEffectStore } from '../effects/DatabaseEffectStore';
import { DefaultEffectLedger } from '../effects/DefaultEffectLedger';
import { EffectHandlers } from '../effects/EffectHandlers';
import { EffectUpkeep } from '../effects/EffectUpkeep';
import { Preflight, type EffectQuota } from '../effects/Preflight';
import { Access } from '../service/Access';
import { OWNER } from './backend';

export const SUBJECT = 'component:default/pay';
export const USER = 'user:default/mock';

export const request = (
  changes: Partial<EffectRequest> = {},
): EffectRequest => ({
  type: 'test.thing',
  reference: 'pay',
  subject: SUBJECT,
  owner: OWNER,
  run: 'task:1',
  step: 'things',
  intent: { size: 1 },
  ...changes,
});

/** An outside world in memory: things by name, each with its mark. */
export class ThingHandler implements EffectHandler {
  readonly title = 'Thing';
  readonly retireOrder = 30;
  readonly things = new Map<string, { mark: string; size: number }>();
  writes = 0;
  /** What happens before each call; throws to fail it. */
  before: (
    call: 'preflight' | 'apply' | 'observe' | 'remove',
    context: EffectContext,
  ) => Promise<void> | void = () => {};
  removal: UndoResult | undefined;
  readonly type: string;
  readonly exclusive?: boolean;

  constructor(type: string = 'test.thing', exclusive?: boolean) {
    this.type = type;
    this.exclusive = exclusive;
  }

  parseIntent(intent: JsonObject) {
    if (typeof intent.size !== 'number') {
      throw new InputError('intent.size: must be a number');
    }
    return intent;
  }

  describeUndo({ reference }: Pick<Effect, 'reference'>) {
    return `Deletes the thing ${reference}`;
  }

  async preflight(
    { reference }: Pick<Effect, 'reference'>,
    context: EffectContext,
  ): Promise<PreflightFinding[]> {
    await this.before('preflight', context);
    return this.things.has(reference)
      ? [
          {
            reason: 'name-taken',
            level: 'error',
            subject: reference,
            message: `There is a thing ${reference} already`,
          },
        ]
      : [];
  }

  async apply(effect: Effect, context: EffectContext) {
    await this.before('apply', context);
    this.writes += 1;
    this.things.set(effect.reference, {
      mark: effect.id,
      size: effect.intent.size as number,
    });
    return { address: `thing://${effect.reference}` };
  }

  async observe(effect: Effect, context: EffectContext): Promise<Observation> {
    await this.before('observe', context);
    const observedAt = new Date().toISOString();
    const thing = this.things.get(effect.reference);
    if (!thing) return { state: 'absent', observedAt };
    const intended = String(effect.intent.size);
    return String(thing.size) === intended
      ? { state: 'present', observedAt }
      : {
          state: 'drifted',
          differences: [{ field: 'size', intended, found: String(thing.size) }],
          observedAt,
        };
  }

  async remove(
    effect: Effect,
    _mode: 'undo' | 'retire',
    context: EffectContext,
  ): Promise<UndoResult> {
    await this.before('remove', context);
    if (this.removal) return this.removal;
    if (this.things.get(effect.reference)?.mark === effect.id) {
      this.writes += 1;
      this.things.delete(effect.reference);
    }
    return { outcome: 'done' };
  }
}

/** A ledger over a migrated database. */
export async function makeLedger(
  knex: Knex,
  options: {
    handlers?: EffectHandler[];
    quotas?: EffectQuota[];
    entities?: Parameters<typeof catalogServiceMock>[0];
    catalog?: ReturnType<typeof catalogServiceMock>;
    leaseMs?: number;
    timeoutMs?: number;
    now?: () => Date;
  } = {},
) {
  await knex.migrate.latest({
    directory: resolvePackagePath(
      '@rocket/plugin-provisioning-backend',
      'migrations',
    ),
  });
  const handlers = new EffectHandlers();
  for (const handler of options.handlers ?? []) handlers.add(handler);
  const auditor = mockServices.auditor.mock();
  const events: { eventId: string; meta: any; end: string }[] = [];
  auditor.createEvent.mockImplementation(async ({ eventId, meta }) => ({
    success: async () => {
      events.push({ eventId, meta, end: 'success' });
    },
    fail: async () => {
      events.push({ eventId, meta, end: 'fail' });
    },
  }));
  const logger = mockServices.logger.mock();
  const auth = mockServices.auth({ pluginId: 'provisioning' });
  const access = new Access({
    auth,
    permissions: mockServices.permissions(),
    userInfo: mockServices.userInfo({
      ownershipEntityRefs: [USER, OWNER],
    } as never),
  });
  const store = new DatabaseEffectStore(knex, options.now);
  const preflight = new Preflight({
    handlers,
    store,
    catalog: options.catalog ?? catalogServiceMock(options.entities),
    access,
    auth,
    quotas: options.quotas ?? [],
    timeoutMs: options.timeoutMs,
  });
  const ledger = new DefaultEffectLedger({
    store,
    handlers,
    preflight,
    auditor,
    logger,
    leaseMs: options.leaseMs,
    now: options.now,
  });
  const upkeep = new EffectUpkeep({
    ledger,
    store,
    logger,
    intervalMs: 60_000,
    now: options.now,
  });
  return { ledger, store, upkeep, preflight, audited: events, logger };
}

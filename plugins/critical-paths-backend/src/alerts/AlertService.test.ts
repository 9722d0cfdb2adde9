import { mockServices, TestDatabases } from '@backstage/backend-test-utils';
import type {
  BurnRuleStatus,
  ObjectiveBudget,
} from '@rocket/plugin-critical-paths-common';
import type {
  NotificationSendOptions,
  NotificationService,
} from '@backstage/plugin-notifications-node';
import type { Budgets, PathBudget } from '../service/BudgetService';
import { DatabaseSignalStore } from '../store/DatabaseSignalStore';
import { AlertService } from './AlertService';
import { DatabaseAlertStore } from './AlertStore';
import { judgeGate } from './gate';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const REF = 'criticalpath:default/posting';
const START = Date.parse('2026-11-02T10:00:00Z');

function pathBudget(
  statuses: Partial<Record<'fast' | 'slow' | 'creeping', BurnRuleStatus>>,
  remaining = 0.8,
): PathBudget {
  const rule = (
    name: 'fast' | 'slow' | 'creeping',
    severity: 'page' | 'ticket',
    longWindow: '1h' | '6h' | '3d',
    shortWindow: '5m' | '30m' | '6h',
  ) => ({
    name,
    severity,
    budgetShare: 0.02,
    longWindow,
    shortWindow,
    threshold: 13.44,
    badShareThreshold: 0.01344,
    minimumValid: 100,
    status: statuses[name] ?? ('quiet' as const),
  });
  const budget = {
    objective: 0,
    label: 'availability 99.9 % over 28 days',
    budget: { remaining } as ObjectiveBudget['budget'],
    burn: [
      { window: '1h', valid: 1000, bad: 20, rate: 20, coverage: 1 },
      { window: '5m', valid: 100, bad: 3, rate: 30, coverage: 1 },
    ],
    rules: [
      rule('fast', 'page', '1h', '5m'),
      rule('slow', 'page', '6h', '30m'),
      rule('creeping', 'ticket', '3d', '6h'),
    ],
    alert: null,
  } as ObjectiveBudget;
  return {
    resolved: {
      path: {
        entityRef: REF,
        title: 'Transaction posting',
        owner: 'group:default/ledger',
      },
    },
    budgets: [budget],
    summary: { budget: { remaining } },
  } as unknown as PathBudget;
}

describe.each(databases.eachSupportedId())('alerts on %p', databaseId => {
  let now: number;
  let paths: Map<string, PathBudget>;
  let maintenance: boolean;
  let send: jest.Mock<Promise<void>, Parameters<NotificationService['send']>>;
  let store: DatabaseAlertStore;
  let service: AlertService;

  const look = async (minutes: number, path?: PathBudget) => {
    now += minutes * 60_000;
    paths = path ? new Map([[REF, path]]) : new Map();
    return service.evaluate();
  };
  const titles = () => send.mock.calls.map(([{ payload }]) => payload.title);

  beforeEach(async () => {
    const knex = await databases.init(databaseId);
    const database = mockServices.database({ knex });
    await DatabaseSignalStore.create({ database });
    store = await DatabaseAlertStore.create({ database });
    now = START;
    maintenance = false;
    send = jest.fn(async (_options: NotificationSendOptions) => {});
    service = new AlertService({
      budgets: { budgets: async () => ({ paths } as unknown as Budgets) },
      store,
      notifications: { send },
      settings: {
        enabled: true,
        recipients: ['group:default/reliability'],
        recoverAfterSeconds: 300,
        repeatSeconds: 14_400,
        gate: { exhausted: 'block' },
      },
      logger: mockServices.logger.mock(),
      inMaintenance: () => maintenance,
      now: () => now,
    });
  });

  it('tells the owner once, and again when it is over', async () => {
    await look(0, pathBudget({ fast: 'firing' }));
    await look(1, pathBudget({ fast: 'firing', slow: 'firing' }));
    expect(send).toHaveBeenCalledTimes(1);
    expect(send.mock.calls[0][0]).toEqual({
      recipients: {
        type: 'entity',
        entityRef: ['group:default/ledger', 'group:default/reliability'],
      },
      payload: {
        title: 'Transaction posting is burning its error budget fast',
        description: expect.stringContaining('20× over 1h and 30× over 5m'),
        link: '/critical-paths/default/posting?window=6h',
        severity: 'critical',
        topic: 'error-budget',
        scope: `critical-paths/${REF}`,
      },
    });
    await look(2, pathBudget({}));
    expect(send).toHaveBeenCalledTimes(1);
    await look(5, pathBudget({}));
    expect(send.mock.calls[1][0].payload).toMatchObject({
      title: 'Transaction posting has recovered',
      description: expect.stringContaining('8 min'),
      severity: 'normal',
      scope: `critical-paths/${REF}`,
    });
    await look(5, pathBudget({}));
    expect(send).toHaveBeenCalledTimes(2);
    await expect(store.list({ limit: 10 })).resolves.toEqual([
      {
        id: expect.any(String),
        pathRef: REF,
        severity: 'page',
        messages: [expect.stringContaining('99.9 %'), expect.any(String)],
        openedAt: '2026-11-02T10:00:00.000Z',
        lastFiringAt: '2026-11-02T10:01:00.000Z',
        notifiedAt: '2026-11-02T10:08:00.000Z',
        closedAt: '2026-11-02T10:08:00.000Z',
        closeReason: 'recovered',
      },
    ]);
  });

  it('loses nothing while notifications cannot be sent', async () => {
    send.mockRejectedValue(new Error('notifications are away'));
    await expect(look(0, pathBudget({ fast: 'firing' }))).resolves.toEqual({
      open: 1,
      told: 0,
      untold: 1,
    });
    send.mockResolvedValue(undefined);
    await look(1, pathBudget({ fast: 'firing' }));
    expect(titles()).toEqual([
      'Transaction posting is burning its error budget fast',
      'Transaction posting is burning its error budget fast',
    ]);
    send.mockRejectedValue(new Error('notifications are away'));
    await look(6, pathBudget({}));
    send.mockResolvedValue(undefined);
    await look(1, pathBudget({}));
    expect(titles().slice(2)).toEqual([
      'Transaction posting has recovered',
      'Transaction posting has recovered',
    ]);
  });

  it('says nothing of a burn that nobody was told of and that is over', async () => {
    send.mockRejectedValue(new Error('notifications are away'));
    await look(0, pathBudget({ fast: 'firing' }));
    await look(6, pathBudget({}));
    send.mockClear().mockResolvedValue(undefined);
    await look(1, pathBudget({}));
    expect(send).not.toHaveBeenCalled();
  });

  it('opens one alert when two replicas look at once', async () => {
    paths = new Map([[REF, pathBudget({ fast: 'firing' })]]);
    await Promise.all([service.evaluate(), service.evaluate()]);
    await expect(store.unfinished()).resolves.toHaveLength(1);
  });

  it('rests during planned downtime and forgets a path that is gone', async () => {
    maintenance = true;
    await look(0, pathBudget({ fast: 'firing' }));
    expect(send).not.toHaveBeenCalled();
    maintenance = false;
    await look(1, pathBudget({ fast: 'firing' }));
    await look(1);
    expect(send).toHaveBeenCalledTimes(1);
    await expect(store.list({ limit: 1 })).resolves.toMatchObject([
      { closeReason: 'withdrawn' },
    ]);
  });

  it('keeps closed alerts for the retention and open ones for ever', async () => {
    await look(0, pathBudget({ fast: 'firing' }));
    await expect(store.prune(now / 1000 + 1)).resolves.toBe(0);
    await look(6, pathBudget({}));
    await expect(store.prune(now / 1000)).resolves.toBe(0);
    await expect(store.prune(now / 1000 + 1)).resolves.toBe(1);
  });
});

describe('the gate', () => {
  const at = new Date(START);
  const gate = (
    budget: PathBudget,
    over: { maintenance?: boolean; unseen?: string } = {},
    exhausted: 'block' | 'warn' = 'block',
  ) =>
    judgeGate(
      'component:default/ledger',
      [{ budget, maintenance: false, ...over }],
      { exhausted },
      at,
    );

  it.each([
    ['allow', pathBudget({}), {}],
    ['block', pathBudget({ fast: 'firing' }), {}],
    ['warn', pathBudget({ creeping: 'firing' }), {}],
    ['warn', pathBudget({}, 0.24), {}],
    ['block', pathBudget({}, 0), {}],
    ['warn', pathBudget({}), { unseen: 'its newest figures are 2 h old.' }],
    ['allow', pathBudget({ fast: 'firing' }, -1), { maintenance: true }],
  ] as const)('answers %s', (decision, budget, over) => {
    expect(gate(budget, over)).toMatchObject({
      decision,
      reasons: [{ effect: decision, pathRef: REF }],
      generatedAt: at.toISOString(),
    });
  });

  it('puts the reason for its answer first and leaves none out', () => {
    const { decision, reasons } = gate(pathBudget({ fast: 'firing' }, 0.1), {
      unseen: 'step ledger has no data.',
    });
    expect(decision).toBe('block');
    expect(reasons.map(r => [r.effect, r.rule])).toEqual([
      ['block', 'burn-rate'],
      ['warn', 'budget'],
      ['warn', 'telemetry'],
    ]);
  });

  it('may let a spent budget pass with a warning', () => {
    expect(gate(pathBudget({}, -0.2), {}, 'warn').decision).toBe('warn');
  });

  it('allows a component that is on no path, and says so', () => {
    expect(
      judgeGate('component:default/x', [], { exhausted: 'block' }, at),
    ).toMatchObject({
      decision: 'allow',
      reasons: [{ rule: 'membership' }],
    });
  });

  it('warns of a component that nobody knows', () => {
    expect(
      judgeGate(
        'component:default/typo',
        [],
        { exhausted: 'block' },
        at,
        false,
      ),
    ).toMatchObject({
      decision: 'warn',
      reasons: [
        {
          rule: 'membership',
          message: expect.stringContaining('no component:default/typo'),
        },
      ],
    });
  });
});

import {
  TestDatabases,
  createMockDirectory,
} from '@backstage/backend-test-utils';
import {
  evaluateObjective,
  type CriticalPathObjective,
} from '@rocket/plugin-critical-paths-common';
import { startSandbox } from '../server';
import { Random } from '../traffic/random';
import type { MisbehaviourRule } from '../misbehaviour/Misbehaviour';
import {
  ACCOUNT,
  CellSum,
  coveredMinutes,
  startPortal,
} from './__testUtils__/portal';

jest.setTimeout(300_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const directory = createMockDirectory();
const never = new AbortController().signal;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A full hour of the day before, so that a midnight is in it. */
const START = Date.parse('2026-03-10T20:00:00Z');
const END = START + 10 * HOUR;
const OUTAGE: [number, number] = [START + 2 * HOUR, START + 8 * HOUR];
/** Rarer than in life, so that the test is done sooner. */
const CYCLE = 10 * MINUTE;
const APPS = ['ledger', 'notify'];

/** What really happened, with the time at which it got known. */
interface Request {
  app: string;
  at: number;
  known: number;
  status: string;
  seconds: number;
}

/** @param lateMs - after the end of its minute, for one request in five */
function whatHappened(lateMs: number): Request[] {
  const random = new Random(7);
  const requests: Request[] = [];
  for (let minute = START; minute < END; minute += MINUTE) {
    for (const app of APPS) {
      const count = Math.floor(random.next() * 14);
      for (let i = 0; i < count; i++) {
        const at = minute + Math.floor(random.next() * MINUTE);
        const status = random.next() < 0.01 ? '503' : '200';
        const seconds = 0.02 + random.next() * 0.4;
        const late = random.next() < 0.2 ? random.next() : 0;
        requests.push({
          app,
          at,
          known: late > 0 ? minute + MINUTE + Math.floor(late * lateMs) : at,
          status,
          seconds,
        });
      }
    }
  }
  return requests;
}

const OBJECTIVES: CriticalPathObjective[] = [
  { sli: 'availability', target: 99.5, windowDays: 1 },
  { sli: 'latency', target: 90, thresholdMs: 250, windowDays: 1 },
];
const entities = [
  {
    apiVersion: 'rocket.internal/v1alpha1',
    kind: 'CriticalPath',
    metadata: { name: 'posting', namespace: 'default' },
    spec: {
      owner: 'group:default/ledger',
      businessModel: 'domain:default/payments',
      type: 'transaction',
      lifecycle: 'production',
      steps: APPS.map(component => ({ component })),
      objectives: OBJECTIVES,
    },
  },
  ...APPS.map(name => ({
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: { name, namespace: 'default' },
    spec: { type: 'service', lifecycle: 'production', owner: 'ledger' },
  })),
];

describe.each(databases.eachSupportedId())('collection on %p', databaseId => {
  /** Ten hours of life with a cycle every ten minutes, and what is stored at the end. */
  async function live(options: {
    name: string;
    lateMs?: number;
    outage?: Pick<MisbehaviourRule, 'kind'> & Partial<MisbehaviourRule>;
  }) {
    let clock = START;
    const sandbox = await startSandbox({
      port: 0,
      collectorPort: 0,
      dataDir: directory.resolve(`${databaseId}-${options.name}`),
      accounts: [ACCOUNT],
      now: () => clock,
    });
    try {
      await sandbox.ready;
      const portal = await startPortal({
        sandbox,
        knex: await databases.init(databaseId),
        entities,
        now: () => clock,
        config: { collector: { backfill: { hours: 12 } } },
      });
      const pending = whatHappened(options.lateMs ?? 0).sort(
        (a, b) => b.known - a.known,
      );
      const during: {
        watermarks: Set<number | undefined>;
        errors: Set<string>;
        complete: Set<boolean>;
      } = { watermarks: new Set(), errors: new Set(), complete: new Set() };
      let cyclesToCatchUp = 0;
      let caughtUp = true;
      for (clock = START + 20_000; clock <= END + 2 * CYCLE; clock += CYCLE) {
        const events = [];
        while (
          pending.length > 0 &&
          pending[pending.length - 1].known <= clock
        ) {
          const { app, at, status, seconds } = pending.pop()!;
          events.push({
            eventType: 'Transaction',
            timestamp: at,
            attributes: {
              appName: app,
              criticalPath: 'posting',
              'http.statusCode': status,
              duration: seconds,
              error: status !== '200',
              transactionType: 'Web',
            },
          });
        }
        sandbox.store.append(ACCOUNT.id, events, { journal: false });
        const isOut = options.outage && clock >= OUTAGE[0] && clock < OUTAGE[1];
        sandbox.misbehaviour.clear();
        if (isOut) {
          sandbox.misbehaviour.add({
            count: 1_000_000,
            ...options.outage!,
          } as MisbehaviourRule);
        }
        const report = await portal.collector.runCycle(never);
        if (isOut) {
          caughtUp = false;
          during.complete.add(report.complete);
          for (const one of await portal.store.listSeries()) {
            during.watermarks.add(one.watermarkAt);
            during.errors.add(one.lastError!);
          }
        } else if (!caughtUp) {
          cyclesToCatchUp += 1;
          caughtUp = report.complete;
        }
      }
      const series = await portal.store.listSeries();
      const ids = series.map(({ id }) => id);
      const from = START / MINUTE;
      const to = END / MINUTE;
      const rows = async (level: 'minute' | 'hour' | 'day') =>
        portal.store.readRows(level, ids, from - 1440, to + 1440);
      return {
        names: series.map(({ componentRef }) => componentRef),
        observed: series.map(({ covered }) =>
          coveredMinutes(covered, from, to),
        ),
        gaps: series.map(({ covered }) => covered.length - 1),
        minutes: (await rows('minute')).filter(({ at }) => at < to),
        hours: (await rows('hour')).filter(({ at }) => at < to),
        days: await rows('day'),
        during,
        cyclesToCatchUp,
      };
    } finally {
      await sandbox.close();
    }
  }
  type Life = Awaited<ReturnType<typeof live>>;
  const figures = ({ minutes, hours, days, observed, names, gaps }: Life) => ({
    minutes,
    hours,
    days,
    observed,
    names,
    gaps,
  });
  const budgets = ({ minutes }: Life) => {
    const sum = new CellSum();
    minutes.forEach(row => sum.add(row));
    return OBJECTIVES.map(objective =>
      evaluateObjective(objective, sum.toCounts(), 600),
    );
  };

  let undisturbed: Life;
  beforeAll(async () => {
    undisturbed = await live({ name: 'undisturbed' });
  });

  it('counts what happened', () => {
    const happened = whatHappened(0);
    const { minutes, days } = undisturbed;
    const sum = (rows: { valid: number }[]) =>
      rows.reduce((total, { valid }) => total + valid, 0);
    expect(sum(minutes)).toBe(happened.length);
    expect(sum(days)).toBe(happened.length);
    expect(new Set(days.map(({ at }) => at)).size).toBe(2);
    const [availability, latency] = budgets(undisturbed);
    const bad = happened.filter(({ status }) => status !== '200').length;
    expect(availability.good).toBe(happened.length - bad);
    expect(availability.budgetRemaining).toBeCloseTo(
      1 - bad / (happened.length * 0.005),
      9,
    );
    expect(latency.good).toBe(
      happened.filter(({ seconds }) => seconds <= 0.25).length,
    );
    expect(latency.estimated).toBeUndefined();
  });

  it.each([
    ['down', { kind: 'down' }],
    ['refusing its key', { kind: 'badKey' }],
    ['answering null', { kind: 'nullResult' }],
  ] as const)(
    'fills every minute of six hours with New Relic %s, and the budget is exact',
    async (name, outage) => {
      const life = await live({ name: outage.kind, outage });
      // Nothing was taken for answered meanwhile, and the reason was told.
      expect([...life.during.watermarks]).toEqual([
        (OUTAGE[0] - CYCLE) / MINUTE,
      ]);
      expect([...life.during.complete]).toEqual([false]);
      expect([name, life.during.errors.size]).toEqual([name, 1]);
      expect(life.cyclesToCatchUp).toBe(1);
      expect(life.observed).toEqual([600, 600]);
      expect(figures(life)).toEqual(figures(undisturbed));
      expect(budgets(life)).toEqual(budgets(undisturbed));
    },
  );

  it('corrects windows whole for what gets known within five minutes after them', async () => {
    const life = await live({ name: 'late', lateMs: 5 * MINUTE });
    expect(figures(life)).toEqual(figures(undisturbed));
  });

  it('shows that the test can tell: what comes later than that is missing', async () => {
    const life = await live({ name: 'too-late', lateMs: 60 * MINUTE });
    expect(life.minutes).not.toEqual(undisturbed.minutes);
  });
});

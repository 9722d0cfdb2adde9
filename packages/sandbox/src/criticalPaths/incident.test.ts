import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  TestDatabases,
  createMockDirectory,
} from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import { parseAllDocuments } from 'yaml';
import { startSandbox, type RunningSandbox } from '../server';
import {
  ACCOUNT,
  compareServiceLevel,
  secondsToRecover,
  startPortal,
  summarizeIncidents,
} from './__testUtils__/portal';

jest.setTimeout(300_000);

type Portal = Awaited<ReturnType<typeof startPortal>>;

const databases = TestDatabases.create({ ids: ['SQLITE_3'] });
const EXAMPLES = join(__dirname, '../../../../examples');
const never = new AbortController().signal;
/** A Wednesday; Berlin is an hour ahead. */
const NOW = Date.parse('2026-03-11T12:00:30Z');
const INCIDENT = Date.parse('2026-03-09T14:42:00Z') / 1000;
const AUTHORIZATION = 'component:default/authorization-service';
const NOTIFICATION = 'component:default/notification-service';

describe('the demo organisation, as the portal reads it', () => {
  const directory = createMockDirectory();
  let sandbox: RunningSandbox;
  let portal: Portal;
  let figures: Awaited<ReturnType<Portal['collector']['runCycle']>>;
  let changes: Awaited<ReturnType<Portal['changeCollector']['runCycle']>>;

  beforeAll(async () => {
    sandbox = await startSandbox({
      port: 0,
      collectorPort: 0,
      dataDir: directory.path,
      accounts: [ACCOUNT],
      scenarioFile: join(EXAMPLES, 'traffic.yaml'),
      historyDays: 9,
      now: () => NOW,
    });
    await sandbox.ready;
    const paths = parseAllDocuments(
      readFileSync(join(EXAMPLES, 'critical-paths.yaml'), 'utf8'),
    )
      .map(document => document.toJS())
      .filter(({ metadata }) => metadata.name !== 'wallet-top-up');
    const components = new Set<string>(
      paths.flatMap(({ spec }) =>
        spec.steps.map((step: { component: string }) =>
          step.component.replace('component:default/', ''),
        ),
      ),
    );
    portal = await startPortal({
      sandbox,
      knex: await databases.init('SQLITE_3'),
      entities: [
        ...paths.map(path => ({
          ...path,
          metadata: { namespace: 'default', ...path.metadata },
        })),
        ...[...components].map(name => ({
          apiVersion: 'backstage.io/v1alpha1',
          kind: 'Component',
          metadata: { name, namespace: 'default' },
          spec: { type: 'service', lifecycle: 'production', owner: 'a' },
        })),
      ] as Entity[],
      now: () => NOW,
      config: {
        collector: { backfill: { days: 9 }, maxRequests: 10_000 },
        retention: { minutes: { days: 4 } },
      },
    });
    figures = await portal.collector.runCycle(never);
    changes = await portal.changeCollector.runCycle(never);
  });
  afterAll(() => sandbox?.close());

  const during = (from: number, to: number, ...entityRefs: string[]) =>
    portal.changes.listChanges({ entityRefs, from, to });
  const everyone = async () => [
    ...new Set((await portal.store.listSeries()).map(s => s.componentRef)),
  ];
  /** Requests and bad ones of a series between two times, from minutes. */
  const counted = async (
    path: string,
    component: string,
    from: number,
    to: number,
  ) => {
    const series = (await portal.store.listSeries()).filter(
      s =>
        s.pathRef === `criticalpath:default/${path}` &&
        s.componentRef === component,
    );
    const rows = await portal.store.readRows(
      'minute',
      series.map(s => s.id),
      from / 60,
      to / 60,
    );
    const sum = (of: 'valid' | 'good') => rows.reduce((n, r) => n + r[of], 0);
    return { valid: sum('valid'), bad: sum('valid') - sum('good') };
  };

  it('is read without a failure', () => {
    expect([...figures.failures, ...changes.failures]).toEqual([]);
    expect(figures.complete).toBe(true);
  });

  it('tells which deployment came right before the incident, and of which application', async () => {
    const before = await during(
      INCIDENT - 900,
      INCIDENT,
      ...(await everyone()),
    );
    expect(before.filter(c => c.kind === 'deployment')).toEqual([
      {
        kind: 'deployment',
        source: 'newrelic',
        externalId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        entityRef: AUTHORIZATION,
        startTime: INCIDENT - 240,
        title: 'authorization-service 2026.11.1-hotfix.1',
        version: '2026.11.1-hotfix.1',
        detail: expect.stringMatching(
          /^Read card limits from the new cache, commit [0-9a-f]{12}, by pipeline$/,
        ),
      },
    ]);
  });

  it('tells how long it took, from degradation to recovery', async () => {
    const [incident] = (
      await during(INCIDENT, INCIDENT + 7200, AUTHORIZATION)
    ).filter(c => c.kind === 'incident');
    expect(incident).toMatchObject({
      title: 'authorization-service: Server errors above 5 %',
      startTime: INCIDENT + 180,
      endTime: INCIDENT + 41 * 60,
      incident: { closeCause: 'EVALUATOR', priority: 'critical' },
    });
    expect(secondsToRecover(incident)).toBe(38 * 60);
  });

  it('leaves the incident out whose end was no recovery', async () => {
    const window = { from: NOW / 1000 - 9 * 86_400, to: NOW / 1000 };
    const of = async (entityRef: string) => {
      const list = await during(window.from, window.to, entityRef);
      return summarizeIncidents(list, window);
    };
    expect(await of(AUTHORIZATION)).toEqual({
      open: 0,
      closed: 1,
      timeToRecoverMinutes: 38,
    });
    expect(await of(NOTIFICATION)).toEqual({
      open: 0,
      closed: 0,
      timeToRecoverMinutes: null,
    });
    const [quiet] = (await during(window.from, window.to, NOTIFICATION)).filter(
      c => c.kind === 'incident',
    );
    expect(quiet.incident).toMatchObject({
      priority: 'warning',
      closeCause: 'CONDITION_MODIFIED',
      notCounted: 'its condition was changed',
    });
  });

  it('tells how much of the budget it cost', async () => {
    const minutes = (n: number) => n * 60;
    const path = 'card-authorization';
    const gateway = 'component:default/card-gateway';
    const [from, to] = [INCIDENT, INCIDENT + minutes(38)];
    const lost = await counted(path, gateway, from, to);
    const quiet = await counted(
      path,
      gateway,
      from - minutes(42),
      from - minutes(4),
    );
    expect(lost.bad / lost.valid).toBeGreaterThan(0.08);
    expect(quiet.bad / quiet.valid).toBeLessThan(0.005);
    // The application's own errors, not those of the ones that it calls.
    const own = await counted(path, AUTHORIZATION, from, to);
    const scoring = await counted(
      path,
      'component:default/fraud-scoring',
      from,
      to,
    );
    expect(own.bad / own.valid).toBeGreaterThan(0.08);
    expect(scoring.bad / scoring.valid).toBeLessThan(0.01);
    // Of 28 days of such traffic at 99.9 %.
    const nineDays = await portal.store.readRows(
      'hour',
      (await portal.store.listSeries())
        .filter(
          s =>
            s.componentRef === gateway &&
            s.pathRef === `criticalpath:default/${path}`,
        )
        .map(s => s.id),
      NOW / 60_000 - 9 * 1440,
      NOW / 60_000,
    );
    const valid = nineDays.reduce((n, row) => n + row.valid, 0);
    const budget = ((valid / 9) * 28 * 0.1) / 100;
    expect(lost.bad / budget).toBeGreaterThan(0.1);
    expect(lost.bad / budget).toBeLessThan(0.3);
  });

  it('agrees with the service levels of New Relic to the request', async () => {
    const report = await portal.serviceLevelCollector.runCycle(never);
    expect([...report.failures]).toEqual([]);
    const levels = (
      await portal.changes.listServiceLevels(await everyone())
    ).map(compareServiceLevel);
    expect(
      levels.map(l => [l.name, l.windowDays, l.deltaPoints, l.agrees]).sort(),
    ).toEqual([
      ['Authorization service availability', 7, 0, true],
      ['Card authorization availability', 28, 0, true],
      ['Merchant payment availability', 28, 0, true],
      ['Transaction posting latency', 7, 0, true],
    ]);
    for (const { ours, theirs } of levels) {
      expect(theirs!.valid).toBeGreaterThan(100_000);
      expect(ours).toEqual(theirs);
    }
    // Definition, counts and search: a few requests.
    expect(report.requests).toBeLessThanOrEqual(4);
  });
});

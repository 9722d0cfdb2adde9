import { TestDatabases } from '@backstage/backend-test-utils';
import fc from 'fast-check';
import type { Knex } from 'knex';
import { NOON, PostingWorld, START } from '../__testUtils__/postingWorld';

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });

describe.each(databases.eachSupportedId())('budgets on %p', databaseId => {
  let knex: Knex;
  let world: PostingWorld;

  beforeEach(async () => {
    knex = await databases.init(databaseId);
    world = new PostingWorld();
  });

  it('travels in time: healthy, burning, exhausted, forgotten', async () => {
    world.outage(minute => minute >= NOON + 10 && minute < NOON + 80, 30);
    const { cycle, row } = await world.start(knex);
    await cycle();
    expect(await row()).toMatchObject({
      state: 'healthy',
      budget: {
        label: 'availability 99 % over 1 day',
        alert: null,
        budget: { remaining: 1, allowedMinutes: 14.4, spentMinutes: 0 },
        burn: { '5m': 0, '1h': 0, '3d': 0 },
      },
    });
    // 18 minutes into the outage: 540 of 6,000 requests of the last hour failed,
    // 9 times what 99 % allows; of the day's budget of 1,441 that is a third.
    world.now = START + 28 * 60_000;
    await cycle();
    const burning = await row();
    expect(burning.state).toBe('at-risk');
    expect(burning.budget).toMatchObject({
      alert: 'page',
      burn: { '5m': 30, '1h': 9 },
      budget: { badEvents: 540 },
    });
    expect(burning.budget!.budget!.remaining).toBeCloseTo(1 - 540 / 1468, 1);
    expect(burning.stateReasons[0]).toMatch(
      /^fast burn: availability 99 % over 1 day burns 9x over 1h and 30x over 5m/,
    );
    world.now = START + 75 * 60_000;
    await cycle();
    expect((await row()).state).toBe('exhausted');
    // The outage is over: nothing burns now, but the budget is gone until tomorrow.
    world.now = START + 3 * 3600_000;
    await cycle();
    expect(await row()).toMatchObject({
      state: 'exhausted',
      budget: { alert: null, burn: { '5m': 0, '1h': 0 } },
    });
    world.now = START + 27 * 3600_000;
    await cycle();
    expect(await row()).toMatchObject({
      state: 'healthy',
      budget: { budget: { remaining: 1 } },
    });
    // Nothing is answered any more.
    world.source.failing = () => 'timeout';
    world.now += 10 * 60_000;
    await cycle();
    expect((await row()).state).toBe('stale');
  });

  it('never stays green when the feed drops, comes late or turns to nothing', async () => {
    const { cycle, row } = await world.start(knex);
    await cycle();
    expect((await row()).state).toBe('healthy');
    // Longer than staleAfter and quietAfter; the board must have noticed by then.
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('drop', 'error', 'delay', 'null'),
        fc.subarray(['gateway', 'payments', 'ledger'], { minLength: 1 }),
        fc.integer({ min: 17, max: 40 }),
        async (fault, names, minutes) => {
          const healed = Math.floor(world.now / 60_000);
          world.source.failing = ({ appName }) =>
            fault === 'error' && names.includes(appName)
              ? 'not now'
              : undefined;
          world.source.before = () => {
            if (fault === 'drop') {
              throw new Error('connection reset');
            }
          };
          world.source.traffic = ({ appName }, minute) =>
            minute >= healed &&
            names.includes(appName) &&
            (fault === 'null' || fault === 'delay')
              ? undefined
              : { valid: 100, good: 100, durationMs: 50 };
          world.now += minutes * 60_000;
          await cycle();
          const ill = await row();
          expect([fault, names, ill.state]).not.toEqual([
            fault,
            names,
            'healthy',
          ]);
          expect(ill.stateReasons.length).toBeGreaterThan(0);
          world.source.failing = () => undefined;
          world.source.before = () => {};
          world.source.traffic = () => ({
            valid: 100,
            good: 100,
            durationMs: 50,
          });
          world.now += 60_000;
          await cycle();
          expect((await row()).state).toBe('healthy');
        },
      ),
      { numRuns: databaseId === 'SQLITE_3' ? 12 : 5 },
    );
  });

  it('has the exact budget after six hours without the source', async () => {
    // 40 minutes of failures, all of them while nobody could ask.
    world.outage(minute => minute >= NOON + 60 && minute < NOON + 100, 30);
    const { cycle, row } = await world.start(knex);
    await cycle();
    world.source.failing = () => 'timeout';
    for (let hour = 1; hour <= 6; hour++) {
      world.now = START + hour * 3600_000;
      await cycle();
    }
    expect(await row('posting', '24h')).toMatchObject({ state: 'stale' });
    world.source.failing = () => undefined;
    world.now = START + 6 * 3600_000 + 60_000;
    await cycle();
    await cycle();
    // 30 of 100 requests in each of 40 minutes; the newest minutes of the
    // objective's day may be a few more than 1,440 for the hour it begins in.
    const { objectives, budget } = await row();
    expect(objectives[0]).toMatchObject({ coverage: 1 });
    expect(objectives[0].valid - objectives[0].good).toBe(40 * 30);
    expect(budget!.budget).toMatchObject({
      badEvents: 1200,
      allowedEvents: objectives[0].valid / 100,
      remaining: expect.closeTo(1 - 1200 / (objectives[0].valid / 100), 9),
    });
    const series = await row('posting', '24h');
    expect(series.sparkline.points.every(point => point.observed)).toBe(true);
  });

  it('is at best unknown while a step has never had data', async () => {
    world.source.traffic = ({ appName }) =>
      appName === 'ledger'
        ? undefined
        : { valid: 100, good: 100, durationMs: 50 };
    const { cycle, row } = await world.start(knex);
    await cycle();
    const found = await row();
    expect(found.state).toBe('unknown');
    expect(found.stateReasons).toContain('step ledger has no data');
  });

  it('says who burned the budget, in every window', async () => {
    // The ledger fails and takes its callers along; later the gateway alone.
    world.source.traffic = ({ appName }, minute) => {
      const ledger = minute >= NOON - 50 && minute < NOON - 45;
      const gateway = minute === NOON - 20 && appName === 'gateway';
      return {
        valid: 100,
        good: ledger ? 80 : 100 - (gateway ? 25 : 0),
        durationMs: 50,
      };
    };
    const { page, row, cycle } = await world.start(knex);
    await cycle();
    for (const window of ['1h', '6h', '24h', '7d', '28d'] as const) {
      const { attribution } = await page(window);
      expect(attribution).toMatchObject({ badEvents: 125, unknownPercent: 0 });
      expect(
        attribution.rows.map(r => [
          r.entityRef,
          r.ownEvents,
          r.sharePercent,
          r.badEvents,
          r.upstreamEvents,
        ]),
      ).toEqual([
        ['component:default/ledger', 100, 80, 100, 0],
        ['component:default/gateway', 25, 20, 125, 100],
        ['component:default/payments', 0, 0, 100, 100],
      ]);
      const { attribution: summary } = await row('posting', window);
      expect(summary.top).toEqual([
        {
          entityRef: 'component:default/ledger',
          title: 'ledger',
          ownEvents: 100,
          sharePercent: 80,
        },
        {
          entityRef: 'component:default/gateway',
          title: 'gateway',
          ownEvents: 25,
          sharePercent: 20,
        },
      ]);
    }
    // 125 of the budget of 1 % of a day's requests.
    const { attribution } = await page('1h');
    const budget = attribution.rows[0].budgetPercent!;
    expect(budget).toBeGreaterThan(6.5);
    expect(budget).toBeLessThan(7.5);
  });

  it('attributes to nobody what an application that is not observed may have done', async () => {
    world.outage(minute => minute >= NOON + 5 && minute < NOON + 10);
    const { cycle, page, row } = await world.start(knex);
    await cycle();
    world.source.failing = ({ appName }) =>
      appName === 'ledger' ? 'timeout' : undefined;
    world.now = START + 20 * 60_000;
    await cycle();
    const blind = await page('1h');
    expect(blind.attribution).toMatchObject({ badEvents: 100 });
    // Payments failed as often as the gateway: its own fault, or the ledger's.
    expect(
      blind.attribution.rows.reduce((sum, r) => sum + r.sharePercent, 0) +
        blind.attribution.unknownPercent,
    ).toBeCloseTo(100, 1);
    world.source.traffic = ({ appName }, minute) => ({
      valid: 100,
      good:
        minute >= NOON + 30 && minute < NOON + 35 && appName === 'gateway'
          ? 50
          : 100,
      durationMs: 50,
    });
    world.now = START + 40 * 60_000;
    await cycle();
    const { attribution } = await page('1h');
    expect(attribution.unknownEvents).toBe(250);
    expect((await row()).attribution.unknownPercent).toBeGreaterThan(50);
    // The ledger answers again: the gap is filled, and it was not the ledger.
    world.source.failing = () => undefined;
    world.now += 60_000;
    await cycle();
    expect((await page('1h')).attribution).toMatchObject({
      unknownEvents: 0,
      rows: [
        { entityRef: 'component:default/gateway', ownEvents: 250 },
        {},
        {},
      ],
    });
  });

  it('tells the budget burned after each deployment; a quiet one burned none', async () => {
    world.source.traffic = ({ appName }, minute) => {
      const broken = minute >= NOON - 90 && minute < NOON - 80;
      // A little noise everywhere.
      const noise = minute % 7 === 0 && appName === 'gateway' ? 1 : 0;
      return {
        valid: 100,
        good: 100 - (broken ? 10 : 0) - noise,
        durationMs: 50,
      };
    };
    const { changes, cycle, page } = await world.start(knex);
    await changes.saveChanges(
      [
        ['bad', 'ledger', NOON - 91],
        ['quiet', 'gateway', NOON - 300],
        ['bystander', 'payments', NOON - 91],
        ['fresh', 'gateway', NOON - 10],
      ].map(([externalId, app, at]) => ({
        kind: 'deployment' as const,
        source: 'ci-registry',
        externalId: String(externalId),
        entityRef: `component:default/${app}`,
        startTime: Number(at) * 60,
        title: `${app} 2.0`,
        version: '2.0',
      })),
      START / 1000,
    );
    await cycle();
    const { changes: markers } = await page('24h');
    expect(
      Object.fromEntries(
        markers.map(m => [m.id.split(':')[1], [m.kind, m.burn]]),
      ),
    ).toMatchObject({
      bad: [
        'deployment',
        {
          minutes: 60,
          complete: true,
          valid: 6000,
          badEvents: 100,
          excessEvents: 100,
        },
      ],
      quiet: ['deployment', { complete: true, excessEvents: 0 }],
      bystander: ['deployment', { badEvents: 0, excessEvents: 0 }],
      fresh: ['deployment', { complete: false, excessEvents: 0 }],
    });
    const bad = markers.find(m => m.id.includes('bad'))!;
    // 100 of about 1,440 allowed requests.
    expect(bad.burn!.budgetPercent).toBeGreaterThan(6);
    expect(bad.burn!.budgetPercent).toBeLessThan(8);
  });
});

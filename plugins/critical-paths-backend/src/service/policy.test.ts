import { TestDatabases } from '@backstage/backend-test-utils';
import type { Knex } from 'knex';
import request from 'supertest';
import { NOON, PostingWorld, START } from '../__testUtils__/postingWorld';

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });

describe.each(databases.eachSupportedId())('policy on %p', databaseId => {
  let knex: Knex;
  let world: PostingWorld;

  beforeEach(async () => {
    knex = await databases.init(databaseId);
    world = new PostingWorld();
  });

  it('leaves planned downtime out of everything, shows it, and takes it back', async () => {
    world.outage(minute => minute >= NOON - 30 && minute < NOON, 50);
    const { app, auditor, cycle, page, row } = await world.start(knex);
    await cycle();
    const before = await row();
    expect(before).toMatchObject({
      state: 'exhausted',
      signals: { valid: 6000, good: 4500 },
    });
    const iso = (minute: number) => new Date(minute * 60_000).toISOString();
    const declared = await request(app)
      .post('/maintenance')
      .send({
        pathRef: 'criticalpath:default/posting',
        from: iso(NOON - 30),
        to: iso(NOON + 15),
        reason: 'ledger moves to a new database',
      });
    expect(declared.status).toBe(201);
    expect(declared.body).toMatchObject({
      from: iso(NOON - 30),
      to: iso(NOON + 15),
      createdBy: 'user:default/mock',
    });
    expect(auditor.createEvent).toHaveBeenCalledWith(
      expect.objectContaining({
        eventId: 'maintenance-declare',
        meta: {
          pathRef: 'criticalpath:default/posting',
          reason: 'ledger moves to a new database',
        },
      }),
    );
    expect(await row()).toMatchObject({
      state: 'maintenance',
      maintenance: { reason: 'ledger moves to a new database' },
      signals: { valid: 3000, good: 3000, throughputPerMinute: 100 },
      objectives: [{ budgetRemaining: 1, coverage: 1, maintenanceMinutes: 30 }],
    });
    // Longer windows are made of sums that leave it out too.
    for (const window of ['6h', '24h', '7d'] as const) {
      const { signals } = await row('posting', window);
      expect([window, signals.valid - signals.good]).toEqual([window, 0]);
    }
    const down = await page('1h');
    expect(down.attribution.badEvents).toBe(0);
    expect(down.changes).toMatchObject([{ kind: 'maintenance' }]);
    expect(down.maintenanceWindows).toHaveLength(1);
    expect(
      down.series.points.filter(p => p.maintenance).length,
    ).toBeGreaterThan(28);
    expect(down.series.points.some(p => p.maintenance && p.observed)).toBe(
      false,
    );
    // It is over: minutes count again, those within do not.
    world.now = START + 40 * 60_000;
    await cycle();
    const after = await row();
    expect(after.state).toBe('healthy');
    expect(after.maintenance).toBeNull();
    const withdrawn = await request(app).delete(
      `/maintenance/${declared.body.id}?reason=it+was+not+planned`,
    );
    expect(withdrawn.status).toBe(200);
    await cycle();
    const counted = await row('posting', '24h');
    expect(counted.state).toBe('exhausted');
    expect(counted.signals.valid - counted.signals.good).toBe(1500);
    const { body } = await request(app).get('/maintenance');
    expect(body).toEqual({ windows: [] });
  });

  it('ends downtime that goes on, and keeps what was left out', async () => {
    world.outage(minute => minute >= NOON - 30, 50);
    const { app, cycle, row } = await world.start(knex);
    const { body } = await request(app)
      .post('/maintenance')
      .send({
        pathRef: 'posting',
        from: new Date((NOON - 30) * 60_000).toISOString(),
        to: new Date((NOON + 600) * 60_000).toISOString(),
        reason: 'ledger moves to a new database',
      });
    await cycle();
    expect((await row()).signals.good).toBe((await row()).signals.valid);
    world.now = START + 10 * 60_000;
    const ended = await request(app).delete(
      `/maintenance/${body.id}?reason=done+already`,
    );
    expect(ended.body.to).toBe(new Date((NOON + 10) * 60_000).toISOString());
    world.now = START + 15 * 60_000;
    await cycle();
    const { signals } = await row();
    expect(signals.valid - signals.good).toBe(250);
  });

  it('starts budgets anew, with a reason, from that minute on', async () => {
    world.outage(minute => minute >= NOON - 90 && minute < NOON + 30, 50);
    const { app, auditor, cycle, page, row } = await world.start(knex);
    await cycle();
    expect((await row()).state).toBe('exhausted');
    const reset = await request(app)
      .post('/paths/default/posting/budget-reset')
      .send({ reason: 'agreed with the client after the incident review' });
    expect(reset.status).toBe(201);
    expect(auditor.createEvent).toHaveBeenCalledWith(
      expect.objectContaining({ eventId: 'budget-reset' }),
    );
    world.now = START + 20 * 60_000;
    await cycle();
    // Twenty minutes of 50 bad requests each since the reset, of 2,000.
    expect((await row()).objectives[0]).toMatchObject({
      valid: 2000,
      good: 1000,
    });
    world.now = START + 3 * 3600_000;
    await cycle();
    const { objectives, budgets, changes } = await page('24h');
    expect(objectives[0].valid - objectives[0].good).toBe(1500);
    expect(budgets[0]).toMatchObject({
      resetAt: '2026-03-10T12:00:00.000Z',
      resetReason: 'agreed with the client after the incident review',
    });
    expect(changes.map(c => c.kind)).toContain('budget-reset');
    // A day later the reset is out of the window.
    world.now = START + (1440 + 60) * 60_000;
    await cycle();
    expect((await page('24h')).budgets[0].resetAt).toBeUndefined();
  });

  it.each([
    [
      { to: '2026-03-10T11:00:00Z' },
      'body field to must be after from (2026-03-10T12:00:00.000Z), was 2026-03-10T11:00:00.000Z',
    ],
    [
      { to: '2026-03-20T11:00:00Z' },
      'body field to must be at most 7 days after from',
    ],
    [
      { from: '2026-03-01T12:00:00Z', to: '2026-03-01T13:00:00Z' },
      'body field from must be 2026-03-07T14:00:00.000Z or later, since older minutes are not kept, was 2026-03-01T12:00:00.000Z',
    ],
    [
      { from: '2027-03-01T12:00:00Z', to: '2027-03-01T13:00:00Z' },
      'body field from must be within the next 90 days',
    ],
    [{ reason: ' a ' }, 'body field reason must be a reason of 5 to 500'],
    [{ reason: undefined }, 'body field reason must be a reason of 5 to 500'],
    [{ from: 'noon' }, 'body field from must be a time with its zone'],
    [{ pathRef: 'component:default/ledger' }, 'body field pathRef must be'],
    [{ until: 'x' }, 'body field until is not known; known are pathRef'],
  ])('refuses downtime %j', async (over, message) => {
    const { app } = await world.start(knex);
    const answer = await request(app)
      .post('/maintenance')
      .send({
        pathRef: 'criticalpath:default/posting',
        from: '2026-03-10T12:00:00Z',
        to: '2026-03-10T13:00:00Z',
        reason: 'ledger upgrade',
        ...over,
      });
    expect(answer.status).toBe(400);
    expect(answer.body.error.message).toContain(message);
  });

  it('keeps policy to those who may, and hides what they may not see', async () => {
    const { app } = await world.start(knex);
    const unknown = await request(app)
      .post('/paths/default/nothing/budget-reset')
      .send({ reason: 'a good reason' });
    expect(unknown.status).toBe(404);
    const missing = await request(app).delete(
      '/maintenance/7b6c2f0e-8f43-4a7e-9d4b-8c6f0a3f2a11?reason=a+good+reason',
    );
    expect(missing.status).toBe(404);
    const bad = await request(app).delete('/maintenance/7?reason=a+good+one');
    expect(bad.status).toBe(400);
    world.allowed = false;
    for (const [method, url] of [
      ['post', '/maintenance'],
      ['delete', '/maintenance/7b6c2f0e-8f43-4a7e-9d4b-8c6f0a3f2a11'],
      ['post', '/paths/default/posting/budget-reset'],
    ] as const) {
      const answer = await request(app)[method](url).send({ reason: 'x' });
      expect([url, answer.status]).toEqual([url, 403]);
    }
    expect((await request(app).get('/maintenance')).status).toBe(200);
  });
});

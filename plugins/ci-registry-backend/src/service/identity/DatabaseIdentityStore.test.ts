import { randomUUID } from 'node:crypto';
import { resolvePackagePath } from '@backstage/backend-plugin-api';
import { TestDatabases } from '@backstage/backend-test-utils';
import type { IdentityDecision } from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';
import { DatabaseIdentityStore } from './DatabaseIdentityStore';
import type { Binding } from './IdentityStore';

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['POSTGRES_18', 'SQLITE_3'] });
const DAY = 86_400_000;
const NOW = Date.parse('2026-11-20T10:00:00Z');

function decision(
  time: number,
  extra: Partial<IdentityDecision> = {},
): IdentityDecision {
  return {
    id: randomUUID(),
    time: new Date(time).toISOString(),
    allowed: false,
    code: 'expired',
    reason: 'expired',
    identity: {},
    request: { method: 'POST', path: '/pushes' },
    ...extra,
  };
}

const repository = (id: string, name = 'https://x/a'): Binding => ({
  issuer: 'https://issuer',
  kind: 'repository',
  name,
  id,
});

describe.each(databases.eachSupportedId())('with %s', databaseId => {
  const directory = resolvePackagePath(
    '@rocket/plugin-ci-registry-backend',
    'migrations',
  );
  let db: Knex;
  let store: DatabaseIdentityStore;

  beforeEach(async () => {
    db = await databases.init(databaseId);
    await db.migrate.latest({ directory });
    store = new DatabaseIdentityStore(db);
  });

  it('gives decisions back, the newest first, and by what they hold', async () => {
    const same = [decision(NOW), decision(NOW), decision(NOW)];
    const known = decision(NOW - 1, {
      allowed: true,
      code: 'allowed',
      rule: 'r',
      identity: { type: 'github', subject: 's', repository: 'https://x/a' },
    });
    for (const item of [known, ...same]) {
      await store.addDecisions([item], item.allowed);
    }
    const all = await store.listDecisions({ filter: {}, limit: 10 });
    expect(all).toHaveLength(4);
    expect(all[3]).toEqual(known);
    const rest = await store.listDecisions({
      filter: {},
      after: { time: NOW, id: all[1].id },
      limit: 10,
    });
    expect(rest).toEqual(all.slice(2));
    for (const filter of [
      { allowed: true },
      { subject: 's' },
      { repository: 'https://x/a' },
      { code: 'allowed' },
      { until: NOW },
    ]) {
      expect(await store.listDecisions({ filter, limit: 10 })).toEqual([known]);
    }
    expect(
      await store.listDecisions({ filter: { since: NOW }, limit: 10 }),
    ).toHaveLength(3);
  });

  it('rolls back with the push', async () => {
    await expect(
      db.transaction(async tx => {
        await store.addDecisions([decision(NOW)], true, tx);
        await store.note(
          [
            {
              token: { id: 't', hash: 'h', expiresAt: NOW },
              bindings: [repository('1')],
              runs: [{ id: 'r', attempt: 1, endedAt: NOW, expiresAt: NOW }],
              now: NOW,
            },
          ],
          tx,
        );
        throw new Error('conflict');
      }),
    ).rejects.toThrow('conflict');
    expect(await store.listDecisions({ filter: {}, limit: 10 })).toEqual([]);
    expect(
      await store.lookUp({
        token: 't',
        runs: ['r'],
        bindings: [repository('1')],
        entityRefs: [],
      }),
    ).toEqual({
      tokenHash: undefined,
      runs: [],
      bound: [undefined],
      holders: new Map(),
    });
  });

  it('keeps the first id of a name, and the end of a run over a new attempt', async () => {
    const nothing = { bindings: [], runs: [], now: NOW };
    expect(
      await store.note([{ ...nothing, bindings: [repository('1')] }]),
    ).toEqual([]);
    expect(
      await store.note([{ ...nothing, bindings: [repository('2')] }]),
    ).toEqual([repository('2')]);
    await store.note([
      {
        ...nothing,
        token: { id: 't', hash: 'first', expiresAt: NOW + DAY },
        runs: [
          {
            id: 'r',
            attempt: 1,
            endedAt: NOW,
            endedBy: 'h',
            pushHash: 'p',
            expiresAt: NOW + DAY,
          },
        ],
      },
    ]);
    await store.note([
      {
        ...nothing,
        token: { id: 't', hash: 'second', expiresAt: NOW },
        runs: [{ id: 'r', attempt: 2, expiresAt: NOW + DAY }],
      },
    ]);
    const wanted = {
      token: 't',
      runs: ['r', 'other'],
      bindings: [repository('9', 'https://x/b'), repository('2')],
      entityRefs: ['component:default/none'],
    };
    expect(await store.lookUp(wanted)).toEqual({
      tokenHash: 'first',
      runs: [
        {
          id: 'r',
          attempt: 2,
          endedAt: NOW,
          endedBy: 'h',
          pushHash: 'p',
          expiresAt: NOW + DAY,
        },
      ],
      bound: [undefined, '1'],
      holders: new Map(),
    });
    expect(await store.forgetBinding('https://x/a')).toBe(1);
    expect((await store.lookUp(wanted)).bound).toEqual([undefined, undefined]);
  });

  it('knows who registered an entity, until it is removed', async () => {
    const rows = ['active', 'gone', 'removed'].map(state => ({
      entity_ref: `component:default/${state}`,
      entity: '{}',
      content_hash: '',
      repository: 'https://x/a',
      source: '{}',
      source_time: 0,
      changed_by: '{}',
      pushed_by: '',
      changed_at: 0,
      first_pushed_at: 0,
      last_pushed_at: 0,
      version: 1,
      applied_version: 0,
      state,
    }));
    await db('entities').insert(rows);
    const { holders } = await store.lookUp({
      runs: [],
      bindings: [],
      entityRefs: rows.map(row => row.entity_ref),
    });
    expect([...holders].sort()).toEqual([
      ['component:default/active', 'https://x/a'],
      ['component:default/gone', 'https://x/a'],
    ]);
  });

  it('lets two repositories that come at once not both have a name', async () => {
    const results = await Promise.all(
      ['1', '2', '3'].map(id =>
        store.note([{ bindings: [repository(id)], runs: [], now: NOW }]),
      ),
    );
    expect(results.filter(taken => taken.length === 0)).toHaveLength(1);
  });

  it('drops what is old, and of unknown callers all but the newest', async () => {
    await store.addDecisions([decision(NOW - 10 * DAY)], true);
    await store.addDecisions([decision(NOW - 2 * DAY)], true);
    for (let i = 1; i <= 6; i++) {
      await store.addDecisions([decision(NOW - i)], false);
    }
    await store.note([
      {
        token: { id: 'old', hash: 'h', expiresAt: NOW - 1 },
        bindings: [],
        runs: [{ id: 'old', attempt: 2, expiresAt: NOW - 1 }],
        now: NOW,
      },
    ]);
    await store.prune({ now: NOW, before: NOW - 5 * DAY, maxUnknown: 4 });
    const left = await store.listDecisions({ filter: {}, limit: 100 });
    expect(left.map(({ time }) => Date.parse(time) - NOW)).toEqual([
      -1,
      -2,
      -3,
      -4,
      -2 * DAY,
    ]);
    expect(
      await store.lookUp({
        token: 'old',
        runs: ['old'],
        bindings: [],
        entityRefs: [],
      }),
    ).toMatchObject({ tokenHash: undefined, runs: [] });
  });

  it('goes back to where it was', async () => {
    await db.migrate.rollback({ directory }, true);
    expect(await db.schema.hasTable('decisions')).toBe(false);
  });
});

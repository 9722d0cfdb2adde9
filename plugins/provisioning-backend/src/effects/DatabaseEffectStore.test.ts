import { randomUUID } from 'node:crypto';
import { TestDatabases } from '@backstage/backend-test-utils';
import { resolvePackagePath } from '@backstage/backend-plugin-api';
import { request } from '../__testUtils__/effects';
import { DatabaseEffectStore } from './DatabaseEffectStore';
import type { NewEffect } from './EffectStore';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const at = '2026-11-21T12:00:00.000Z';

const effect = (changes: Partial<NewEffect> = {}): NewEffect => ({
  ...request(),
  id: randomUUID(),
  details: {},
  state: 'planned',
  undo: 'Deletes it',
  actor: 'user:default/mock',
  createdAt: at,
  updatedAt: at,
  ...changes,
});
const planned = { at, actor: 'user:default/mock', to: 'planned' as const };
const later = (seconds: number) =>
  new Date(Date.parse(at) + seconds * 1000).toISOString();

describe.each(databases.eachSupportedId())('the effect store on %s', id => {
  async function open() {
    const knex = await databases.init(id);
    const directory = resolvePackagePath(
      '@rocket/plugin-provisioning-backend',
      'migrations',
    );
    await knex.migrate.latest({ directory });
    let now = at;
    const store = new DatabaseEffectStore(knex, () => new Date(now));
    const goTo = (time: string) => {
      now = time;
    };
    return { knex, directory, store, goTo };
  }

  it('keeps one of a type and reference until it is undone, also when several ask at once', async () => {
    const { store, goTo } = await open();
    const tried = [effect(), effect(), effect(), effect()];
    const inserted = await Promise.all(
      tried.map(one =>
        store.insert(one, { holder: one.id, until: later(30) }, planned),
      ),
    );
    const [winner, ...others] = inserted.filter(Boolean);
    expect(others).toEqual([]);
    expect(await store.findActive('test.thing', 'pay')).toEqual(winner);
    expect(
      await store.insert(effect({ reference: 'b' }), undefined, planned),
    ).toMatchObject({ sequence: expect.any(Number), details: {} });

    goTo(later(1));
    const undone = await store.change(
      winner!.id,
      winner!.id,
      { state: 'undone', details: { a: [1] }, message: 'gone' },
      {
        release: true,
        event: { at: later(1), actor: 'x', from: 'planned', to: 'undone' },
      },
    );
    expect(undone).toEqual({
      ...winner,
      state: 'undone',
      details: { a: [1] },
      message: 'gone',
      updatedAt: later(1),
    });
    const next = await store.insert(effect(), undefined, planned);
    expect(next!.sequence).toBeGreaterThan(winner!.sequence);
    expect(await store.events(winner!.id)).toEqual([
      { effectId: winner!.id, from: undefined, message: undefined, ...planned },
      {
        effectId: winner!.id,
        at: later(1),
        actor: 'x',
        from: 'planned',
        to: 'undone',
        message: undefined,
      },
    ]);
    expect(await store.count('group:default/ledger', 'test.thing')).toBe(2);
    expect(
      (await store.list({ run: 'task:1', states: ['planned'] })).map(
        ({ reference }) => reference,
      ),
    ).toEqual(['b', 'pay']);
    expect(await store.list({ after: next!.sequence })).toEqual([]);
    expect(await store.list({ reference: 'b', limit: 1 })).toHaveLength(1);
  });

  it('lets only the holder of the lease write, until it runs out', async () => {
    const { store, goTo } = await open();
    const one = effect();
    await store.insert(one, { holder: 'a', until: later(30) }, planned);
    expect(await store.claim(one.id, { holder: 'b', until: later(60) })).toBe(
      undefined,
    );
    await expect(
      store.change(one.id, 'b', { state: 'live' }, {}),
    ).rejects.toMatchObject({ name: 'ConflictError' });
    expect(await store.listUnattended(10)).toEqual([]);
    expect(await store.renew(one.id, { holder: 'a', until: later(40) })).toBe(
      true,
    );

    goTo(later(35));
    expect(await store.listUnattended(10)).toEqual([]);
    goTo(later(41));
    expect(await store.listUnattended(10)).toMatchObject([{ id: one.id }]);
    const claims = await Promise.all(
      ['b', 'c', 'd'].map(holder =>
        store.claim(one.id, { holder, until: later(80) }),
      ),
    );
    expect(claims.filter(Boolean)).toHaveLength(1);
    expect(await store.renew(one.id, { holder: 'a', until: later(90) })).toBe(
      false,
    );
    await expect(
      store.change(
        one.id,
        'a',
        { state: 'live' },
        { event: { ...planned, to: 'live' } },
      ),
    ).rejects.toMatchObject({ name: 'ConflictError' });
    expect((await store.get(one.id))!.state).toBe('planned');
    expect(await store.hasBeen(one.id, 'live')).toBe(false);
  });

  it('keeps what was found only while nobody works on it', async () => {
    const { store } = await open();
    const one = effect({ state: 'live' });
    await store.insert(one, { holder: 'a', until: later(30) }, planned);
    const found = { state: 'absent' as const, observedAt: later(2) };
    await store.keepObservation(one.id, found);
    expect((await store.get(one.id))!.observation).toBeUndefined();
    await store.change(one.id, 'a', {}, { release: true });
    expect(await store.listUnobserved(later(3), 10)).toHaveLength(1);
    await store.keepObservation(one.id, found, { ...planned, to: 'live' });
    expect((await store.get(one.id))!.observation).toEqual(found);
    expect(await store.listUnobserved(later(2), 10)).toEqual([]);
    expect(await store.hasBeen(one.id, 'live')).toBe(true);

    await store.claim(one.id, { holder: 'b', until: later(60) });
    await store.change(
      one.id,
      'b',
      { state: 'retained', retainedUntil: later(100), observation: undefined },
      { release: true },
    );
    expect(await store.get(one.id)).toMatchObject({
      retainedUntil: later(100),
      observation: undefined,
    });
  });

  it('refuses to change or delete an event, and migrates down and up', async () => {
    const { store, knex, directory } = await open();
    const one = effect();
    await store.insert(one, undefined, planned);
    await expect(
      knex('effect_events').update({ actor: 'nobody' }),
    ).rejects.toThrow(/append-only/);
    await expect(knex('effect_events').delete()).rejects.toThrow(/append-only/);
    expect(await store.events(one.id)).toHaveLength(1);
    await knex.migrate.rollback({ directory }, true);
    expect(await knex.schema.hasTable('effects')).toBe(false);
    await knex.migrate.latest({ directory });
    expect(await store.list({})).toEqual([]);
  });
});

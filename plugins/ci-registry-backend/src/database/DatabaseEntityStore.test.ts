import { TestDatabases } from '@backstage/backend-test-utils';
import fc from 'fast-check';
import { clock, createStore, item, push, source } from '../__testUtils__/store';
import type { DatabaseEntityStore } from './DatabaseEntityStore';

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });

async function drain(store: DatabaseEntityStore) {
  const claim = await store.claim({ limit: 100, now: clock.now, leaseMs: 50 });
  await store.acknowledge(
    claim.claimId,
    claim.changes.map(({ stored }) => ({
      entityRef: stored.entityRef,
      version: stored.version,
    })),
    clock.now,
  );
  return claim.changes.map(({ stored }) => stored.entityRef);
}

describe.each(databases.eachSupportedId())('%p', id => {
  it('creates, leaves alone, updates and supersedes', async () => {
    const { store } = await createStore(databases, id);
    const [a, b] = [item('a'), item('b')];
    expect(await push(store, source({ minute: 1 }), b, a)).toEqual([
      'created',
      'created',
    ]);
    expect(await push(store, source({ minute: 1 }), a, b)).toEqual([
      'unchanged',
      'unchanged',
    ]);
    expect(
      await push(
        store,
        source({ minute: 5, commit: 'b'.repeat(40) }),
        a,
        item('b', 'two'),
        item('c'),
      ),
    ).toEqual(['unchanged', 'updated', 'created']);
    expect(
      await push(store, source({ minute: 4 }), item('a', 'old'), item('d')),
    ).toEqual(['superseded', 'created']);

    expect(await store.get('component:default/a')).toMatchObject({
      version: 1,
      entity: { metadata: { description: 'one' } },
      source: { commit: 'b'.repeat(40) },
      changedBy: { commit: 'a'.repeat(40) },
    });
    expect(await store.get('component:default/b')).toMatchObject({
      version: 2,
      changedBy: { commit: 'b'.repeat(40) },
    });
    expect(await store.get('component:default/x')).toBeUndefined();
    expect([
      ...(
        await store.getMany(['component:default/a', 'component:default/x'])
      ).keys(),
    ]).toEqual(['component:default/a']);

    const first = await store.list({ limit: 3 });
    expect(first.map(row => row.entityRef.slice(-1))).toEqual(['a', 'b', 'c']);
    const rest = await store.list({ limit: 3, after: first[2].entityRef });
    expect(rest.map(row => row.entityRef.slice(-1))).toEqual(['d']);
    expect(await store.list({ limit: 3, repository: 'other' })).toEqual([]);
  });

  it('lets one repository have an entity and stores nothing of a refused push', async () => {
    const { store } = await createStore(databases, id);
    await push(store, source(), item('a'));
    await expect(
      push(
        store,
        source({ repository: 'acme/other', minute: 9 }),
        item('new'),
        item('a', 'stolen'),
      ),
    ).rejects.toMatchObject({
      name: 'ConflictError',
      message: expect.stringContaining(
        'component:default/a belongs to acme/ledger',
      ),
    });
    expect(await store.get('component:default/new')).toBeUndefined();

    const rivals = await Promise.allSettled(
      ['x', 'y', 'z'].map(repository =>
        push(store, source({ repository }), item('b'), item('c')),
      ),
    );
    expect(rivals.filter(r => r.status === 'fulfilled')).toHaveLength(1);
    expect(
      rivals.flatMap(r => (r.status === 'rejected' ? [r.reason.name] : [])),
    ).toEqual(['ConflictError', 'ConflictError']);
    const [b, c] = [
      await store.get('component:default/b'),
      await store.get('component:default/c'),
    ];
    expect(b?.repository).toBe(c?.repository);
  });

  it('hands a change to one at a time and forgets it once acknowledged', async () => {
    const { store } = await createStore(databases, id);
    await push(store, source(), item('a'), item('b'));
    const claim = await store.claim({ limit: 1, now: clock.now, leaseMs: 50 });
    expect(claim.changes).toMatchObject([
      { repeated: false, stored: { entityRef: 'component:default/a' } },
    ]);
    const other = await store.claim({ limit: 9, now: clock.now, leaseMs: 50 });
    expect(other.changes).toMatchObject([
      { stored: { entityRef: 'component:default/b' } },
    ]);

    // Changed while in somebody's hands: not handed out twice, not forgotten either.
    await push(store, source({ minute: 1 }), item('a', 'two'));
    expect(await drain(store)).toEqual([]);
    await store.acknowledge(
      claim.claimId,
      [{ entityRef: 'component:default/a', version: 1 }],
      clock.now,
    );
    expect(await store.get('component:default/a')).toMatchObject({
      version: 2,
      appliedVersion: 0,
    });
    expect(await drain(store)).toEqual(['component:default/a']);
    expect(await store.get('component:default/a')).toMatchObject({
      version: 2,
      appliedVersion: 2,
    });

    // The other one died: its claim ends and the change is handed out again.
    clock.now += 51;
    expect(await drain(store)).toEqual(['component:default/b']);
    expect(await drain(store)).toEqual([]);

    // And when it was only slow, the catalog gets the newest once more.
    await store.acknowledge(
      other.claimId,
      [{ entityRef: 'component:default/b', version: 1 }],
      clock.now,
    );
    expect(await drain(store)).toEqual(['component:default/b']);
  });

  it('repeats everything, behind new changes', async () => {
    const { store } = await createStore(databases, id);
    await push(store, source(), item('a'), item('b'));
    await drain(store);
    expect(await store.repeatAll(clock.now)).toBe(2);
    expect(await store.repeatAll(clock.now)).toBe(0);
    await push(store, source(), item('z'));
    const claim = await store.claim({ limit: 9, now: clock.now, leaseMs: 50 });
    expect(
      claim.changes.map(c => [c.stored.entityRef.slice(-1), c.repeated]),
    ).toEqual([
      ['z', false],
      ['a', true],
      ['b', true],
    ]);
  });

  it('ends with the newest push, whatever the order and however often', async () => {
    const { knex, store } = await createStore(databases, id);
    await fc.assert(
      fc.asyncProperty(
        fc
          .array(
            fc.record({ name: fc.constantFrom('p', 'q'), content: fc.nat(3) }),
            { minLength: 1, maxLength: 8 },
          )
          .chain(history =>
            fc.tuple(
              fc.constant(history),
              fc.shuffledSubarray([...history.keys(), ...history.keys()], {
                minLength: history.length * 2,
              }),
            ),
          ),
        async ([history, order]) => {
          await knex('outbox').delete();
          await knex('entities').delete();
          await knex('entity_changes').delete();
          for (const at of order) {
            const { name, content } = history[at];
            await push(
              store,
              source({ minute: at, commit: String(at).padStart(40, '0') }),
              item(name, `c${content}`),
            );
          }
          for (const name of ['p', 'q'] as const) {
            const last = history.map(h => h.name).lastIndexOf(name);
            const stored = await store.get(`component:default/${name}`);
            expect([
              stored?.entity.metadata.description ?? 'none',
              stored?.source.commit ?? 'none',
            ]).toEqual(
              last < 0
                ? ['none', 'none']
                : [`c${history[last].content}`, String(last).padStart(40, '0')],
            );
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('loses nothing when many push and two catalogs take over at once', async () => {
    const { store } = await createStore(databases, id);
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    let pushing = true;
    const applied = new Map<string, number>();
    const catalog = async () => {
      for (;;) {
        const last = !pushing;
        const claim = await store.claim({
          limit: 2,
          now: clock.now,
          leaseMs: 1e6,
        });
        for (const { stored } of claim.changes) {
          // One entity is never in two hands, so versions only grow.
          expect(stored.version).toBeGreaterThan(
            applied.get(stored.entityRef) ?? 0,
          );
          applied.set(stored.entityRef, stored.version);
        }
        await store.acknowledge(
          claim.claimId,
          claim.changes.map(({ stored }) => ({
            entityRef: stored.entityRef,
            version: stored.version,
          })),
          clock.now,
        );
        if (last && !claim.changes.length) {
          return;
        }
        await new Promise(resolve => setImmediate(resolve));
      }
    };
    const catalogs = [catalog(), catalog()];
    await Promise.all(
      Array.from({ length: 24 }, (_, minute) =>
        push(
          store,
          source({ minute }),
          ...[...names.slice(minute % 6), ...names.slice(0, minute % 6)]
            .slice(0, 4)
            .map(name => item(name, `content ${minute}`)),
        ),
      ),
    );
    pushing = false;
    await Promise.all(catalogs);
    const rows = await store.list({ limit: 10 });
    expect(rows).toHaveLength(6);
    for (const row of rows) {
      expect(row.appliedVersion).toBe(row.version);
      expect(applied.get(row.entityRef)).toBe(row.version);
    }
  });

  it('migrates down and up again', async () => {
    const { knex } = await createStore(databases, id);
    const directory = `${__dirname}/../../migrations`;
    await knex.migrate.rollback({ directory }, true);
    expect(await knex.schema.hasTable('entities')).toBe(false);
    await knex.migrate.latest({ directory });
    expect(await knex.schema.hasTable('outbox')).toBe(true);
  });
});

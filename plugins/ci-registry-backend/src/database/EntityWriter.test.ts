import { TestDatabases } from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import type { JsonValue } from '@backstage/types';
import {
  applyFieldChanges,
  type EntityChange,
} from '@rocket/plugin-ci-registry-common';
import fc from 'fast-check';
import {
  clock,
  createStore,
  item,
  push,
  source,
  write,
} from '../__testUtils__/store';
import { canonicalJson, sha256 } from '../service/canonical';
import type { DatabaseEntityStore } from './DatabaseEntityStore';
import { EntityHistory } from './history';

jest.setTimeout(240_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });

const sha = (n: number) => String(n).padStart(40, '0');
const ref = (name: string) => `component:default/${name}`;

async function stateOf(store: DatabaseEntityStore, ...names: string[]) {
  const rows = await store.getMany(names.map(ref));
  return names.map(name => rows.get(ref(name))?.state ?? 'none');
}

describe.each(databases.eachSupportedId())('%p', id => {
  describe('order of pushes', () => {
    it('goes by ancestry where either push speaks of it, whatever the clocks say', async () => {
      const { store } = await createStore(databases, id);
      const first = source({ commit: sha(1), minute: 30 });
      const second = source({
        commit: sha(2),
        minute: 10,
        ancestors: [sha(1)],
      });
      await push(store, first, item('a', 'first'));
      expect(await push(store, second, item('a', 'second'))).toEqual([
        'updated',
      ]);
      // The older one again, run anew and later: its commit is an ancestor of what is stored.
      expect(
        await push(
          store,
          { ...first, time: source({ minute: 50 }).time },
          item('a', 'first'),
        ),
      ).toEqual(['superseded']);
      // The same commit, run again.
      expect(
        await push(
          store,
          source({ commit: sha(2), minute: 20 }),
          item('a', 'again'),
        ),
      ).toEqual(['updated']);
      expect(
        await push(
          store,
          source({ commit: sha(2), minute: 15 }),
          item('a', 'late'),
        ),
      ).toEqual(['superseded']);
      // Nobody said how these are related: the time decides.
      expect(
        await push(store, source({ commit: sha(9), minute: 19 }), item('a')),
      ).toEqual(['superseded']);
      expect(
        await push(
          store,
          source({ commit: sha(9), minute: 21 }),
          item('a', 'nine'),
        ),
      ).toEqual(['updated']);
    });

    it.each([
      ['by ancestry alone, with every clock wrong', true],
      ['by time alone', false],
    ])(
      'ends right after 1,000 pushes out of order and twice: %s',
      async (_, byAncestry) => {
        const { store } = await createStore(databases, id);
        const commits = 500;
        const entities = ['a', 'b', 'c', 'd', 'e'];
        const all = Array.from({ length: commits }, (_unused, n) => ({
          source: source({
            commit: sha(n + 1),
            time: new Date(
              Date.UTC(2026, 0, 1) +
                (byAncestry ? ((n * 7919) % commits) * 60_000 : n * 60_000),
            ).toISOString(),
            ...(byAncestry
              ? {
                  ancestors: Array.from({ length: n }, (_x, i) => sha(n - i)),
                }
              : {}),
          }),
          // Each commit changes two of the five.
          names: [entities[n % 5], entities[(n * 3 + 1) % 5]],
          content: `commit ${n + 1}`,
        }));
        const [order] = fc.sample(
          fc.shuffledSubarray([...all, ...all], {
            minLength: commits * 2,
          }),
          { numRuns: 1, seed: 42 },
        );
        expect(order).toHaveLength(1_000);
        for (let i = 0; i < order.length; i += 4) {
          await Promise.all(
            order
              .slice(i, i + 4)
              .map(({ source: from, names, content }) =>
                push(
                  store,
                  from,
                  ...[...new Set(names)].map(name => item(name, content)),
                ),
              ),
          );
        }
        for (const name of entities) {
          const last = all.findLast(({ names }) => names.includes(name));
          expect((await store.get(ref(name)))?.entity).toMatchObject({
            metadata: { description: last?.content },
          });
        }
      },
    );
  });

  describe('giving up', () => {
    it('marks as gone what a complete push leaves out, and what removed names', async () => {
      const { store } = await createStore(databases, id);
      await push(store, source({ minute: 1 }), item('a'), item('b'), item('c'));
      await write(store, source({ minute: 1 }), [
        item('api', 'made', { derived: true }),
      ]);
      await push(store, source({ repository: 'acme/other' }), item('x'));

      const complete = await write(store, source({ minute: 2 }), [item('a')], {
        complete: true,
      });
      expect(complete).toMatchObject({
        outcomes: ['unchanged'],
        gone: [ref('b'), ref('c')],
        changed: true,
      });
      expect(await stateOf(store, 'a', 'b', 'c', 'x', 'api')).toEqual([
        'active',
        'gone',
        'gone',
        'active',
        'active',
      ]);
      const again = await write(store, source({ minute: 2 }), [item('a')], {
        complete: true,
      });
      expect(again.changed).toBe(false);
      expect(await store.get(ref('b'))).toMatchObject({ version: 2 });

      const named = await write(store, source({ minute: 3 }), [], {
        removed: [ref('a'), ref('never')],
      });
      expect(named).toEqual({
        outcomes: [],
        gone: [ref('a')],
        kept: [{ entityRef: ref('never'), reason: 'was never pushed' }],
        changed: true,
      });
      await expect(
        write(store, source({ minute: 3 }), [], { removed: [ref('x')] }),
      ).rejects.toThrow('component:default/x belongs to acme/other');
    });

    it('goes by the same order', async () => {
      const { store } = await createStore(databases, id);
      const [old, middle, late] = [1, 2, 3].map(minute =>
        source({ minute, commit: sha(minute) }),
      );
      await push(store, late, item('a'), item('b'));
      const refused = await write(store, middle, [], {
        removed: [ref('a')],
        complete: true,
      });
      expect(refused.changed).toBe(false);
      expect(refused.kept).toEqual([
        {
          entityRef: ref('a'),
          reason: `was pushed since, by commit ${sha(3)}`,
        },
      ]);

      // What comes late from before a complete push, or before a removal, stays out.
      await write(store, late, [item('a')], { complete: true });
      expect(await push(store, old, item('b'), item('new'))).toEqual([
        'superseded',
        'superseded',
      ]);
      const other = { repository: 'acme/second' };
      await write(store, source({ minute: 5, ...other }), [], {
        removed: [ref('never')],
      });
      expect(
        await push(store, source({ minute: 4, ...other }), item('never')),
      ).toEqual(['superseded']);
      expect(
        await push(store, source({ minute: 6, ...other }), item('never')),
      ).toEqual(['created']);
      expect(await stateOf(store, 'a', 'b', 'new', 'never')).toEqual([
        'active',
        'gone',
        'none',
        'active',
      ]);
    });

    it('lets go after the grace time, restores before and after it, and frees the name', async () => {
      const { knex, store } = await createStore(databases, id);
      const history = new EntityHistory(knex);
      await push(store, source({ minute: 1 }), item('a'), item('b'));
      await write(store, source({ minute: 2 }), [], {
        removed: [ref('a'), ref('b')],
      });
      const goneAt = clock.now;
      expect(await push(store, source({ minute: 3 }), item('b'))).toEqual([
        'updated',
      ]);
      const remove = (goneBefore: number) =>
        store.removeGone({ goneBefore, limit: 10, actor: 'r', now: clock.now });
      expect(await remove(goneAt - 1)).toEqual([]);
      expect(await remove(goneAt)).toEqual([ref('a')]);
      expect(await remove(goneAt)).toEqual([]);
      expect(await stateOf(store, 'a', 'b')).toEqual(['removed', 'active']);
      expect((await store.list({ limit: 9 })).map(r => r.entityRef)).toEqual([
        ref('b'),
      ]);

      const claim = await store.claim({
        limit: 9,
        now: clock.now,
        leaseMs: 50,
      });
      expect(
        claim.changes.map(c => [c.stored.entityRef, c.stored.state]),
      ).toContainEqual([ref('a'), 'removed']);

      const taken = source({ repository: 'acme/next', minute: 0 });
      expect(await push(store, taken, item('a', 'next'))).toEqual(['created']);
      expect(await store.get(ref('a'))).toMatchObject({
        repository: 'acme/next',
        state: 'active',
        version: 4,
      });
      expect(
        (await history.list(ref('a'), { limit: 9 })).map(c => c.kind),
      ).toEqual(['created', 'removed', 'gone', 'created']);
      expect(
        (await history.list(ref('b'), { limit: 9 })).map(c => c.kind),
      ).toEqual(['restored', 'gone', 'created']);
    });

    it('forgets what was removed long ago, once the catalog has dropped it', async () => {
      const { knex, store } = await createStore(databases, id);
      await push(store, source(), item('a'), item('b'));
      await write(store, source({ minute: 1 }), [], { removed: [ref('a')] });
      clock.now += 1;
      await store.removeGone({
        goneBefore: clock.now,
        limit: 9,
        actor: 'r',
        now: clock.now,
      });
      await store.forget(clock.now + 1);
      expect(await stateOf(store, 'a')).toEqual(['removed']);
      const claim = await store.claim({ limit: 9, now: clock.now, leaseMs: 9 });
      await store.acknowledge(
        claim.claimId,
        claim.changes.map(({ stored }) => ({
          entityRef: stored.entityRef,
          version: stored.version,
        })),
        clock.now,
      );
      await store.forget(clock.now);
      expect(await stateOf(store, 'a')).toEqual(['removed']);
      await store.forget(clock.now + 1);
      expect(await stateOf(store, 'a', 'b')).toEqual(['none', 'active']);
      expect(
        await new EntityHistory(knex).list(ref('a'), { limit: 9 }),
      ).toEqual([]);
    });
  });

  it('confirms what has not changed in the short way, and only that', async () => {
    const { knex, store } = await createStore(databases, id);
    await push(store, source({ minute: 1 }), item('a'), item('b'));
    const confirm = async (
      from: ReturnType<typeof source>,
      ...entities: ReturnType<typeof item>[]
    ) =>
      store.confirm(
        { source: from, pushedBy: 'p', now: 5, entities },
        await store.getMany(entities.map(e => e.entityRef)),
      );
    expect(await confirm(source({ minute: 1 }), item('a'))).toBe(true);
    // Just the same push: not even its time is noted.
    expect((await store.get(ref('a')))?.lastPushedAt).toBe(clock.now);
    const next = source({ minute: 2, commit: sha(2) });
    expect(await confirm(next, item('a'), item('b'))).toBe(true);
    expect(await store.get(ref('b'))).toMatchObject({
      source: { commit: sha(2) },
      lastPushedAt: 5,
      version: 1,
    });
    const late = source({ minute: 3, commit: sha(3) });
    expect(await confirm(late, item('a', 'other'))).toBe(false);
    expect(await confirm(late, item('a'), item('new'))).toBe(false);
    expect(await confirm({ ...late, repository: 'x' }, item('a'))).toBe(false);
    expect(await confirm(source({ minute: 0 }), item('a'))).toBe(false);
    // Somebody was faster between the reading and the writing.
    const stored = await store.getMany([ref('a')]);
    await push(store, source({ minute: 9, commit: sha(9) }), item('a'));
    expect(
      await store.confirm(
        { source: late, pushedBy: 'p', now: 6, entities: [item('a')] },
        stored,
      ),
    ).toBe(false);
    expect((await store.get(ref('a')))?.source.commit).toBe(sha(9));
    expect(await knex('entity_changes').where('version', '>', 1)).toEqual([]);
  });

  it('gives every version of an entity by replay, byte for byte, also after the retention', async () => {
    const { knex, store } = await createStore(databases, id);
    const history = new EntityHistory(knex);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            { weight: 6, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
            { weight: 1, arbitrary: fc.constant('gone') },
          ),
          { minLength: 1, maxLength: 12 },
        ),
        fc.nat(14),
        async (contents, keep) => {
          run += 1;
          const name = `p${run}`;
          const texts: string[] = [];
          const times: number[] = [];
          for (const [minute, content] of contents.entries()) {
            const before = (await store.get(ref(name)))?.version ?? 0;
            if (content === 'gone') {
              await write(store, source({ minute }), [], {
                removed: [ref(name)],
              });
            } else {
              await push(
                store,
                source({ minute }),
                item(name, JSON.parse(JSON.stringify(content))),
              );
            }
            const stored = await store.get(ref(name));
            if (stored && stored.version > before) {
              texts.push(canonicalJson(stored.entity as unknown as JsonValue));
              times.push(clock.now);
            }
          }
          const logged: EntityChange[] = [];
          for await (const change of history.all(ref(name))) {
            logged.push(change);
          }
          expect(logged.map(change => change.version)).toEqual(
            texts.map((_, i) => i + 1),
          );
          // The log by itself, without the server's help.
          let replayed: unknown;
          for (const [i, change] of logged.entries()) {
            replayed = applyFieldChanges(replayed, change.changes);
            expect(canonicalJson(replayed as JsonValue)).toBe(texts[i]);
          }
          const check = async (from: number) => {
            const replays = await Promise.all(
              texts.map((_, i) => history.replay(ref(name), i + 1)),
            );
            expect(
              replays.map(version => [
                version &&
                  canonicalJson(version.entity as unknown as JsonValue),
                version?.hash,
              ]),
            ).toEqual(
              texts.map((text, i) =>
                i + 1 < from ? [undefined, undefined] : [text, sha256(text)],
              ),
            );
          };
          await check(1);
          if (texts.length) {
            const at = Math.min(keep, texts.length);
            // Everything before this change is too old; the last one always stays.
            await history.forget(times[at] ?? clock.now + 1);
            await check(Math.min(at + 1, texts.length));
          }
          expect(await history.replay(ref(name), texts.length + 1)).toBe(
            undefined,
          );
        },
      ),
      { numRuns: 30 },
    );
  });

  it('says so when the log does not give what was stored', async () => {
    const { knex, store } = await createStore(databases, id);
    await push(store, source(), item('a'));
    await push(store, source({ minute: 1 }), item('a', 'two'));
    await knex('entity_changes').where('version', 2).update({ changes: '[]' });
    await expect(new EntityHistory(knex).replay(ref('a'), 2)).rejects.toThrow(
      /history of component:default\/a does not give/,
    );
  });

  it('notes who changed what, and by which push', async () => {
    const { knex, store } = await createStore(databases, id);
    await push(store, source({ ancestors: [sha(1)] }), item('a'));
    await write(store, source({ minute: 1, commit: sha(2) }), [
      item('a', 'two'),
    ]);
    const [change] = await new EntityHistory(knex).list(ref('a'), { limit: 1 });
    expect(change).toEqual({
      entityRef: ref('a'),
      version: 2,
      kind: 'updated',
      time: new Date(clock.now).toISOString(),
      actor: 'plugin:test',
      source: source({ minute: 1, commit: sha(2) }),
      changes: [
        {
          op: 'replace',
          path: '/metadata/description',
          before: 'one',
          after: 'two',
        },
      ],
    });
    const [first] = await knex('entity_changes').where('version', 1);
    expect(JSON.parse(first.source).ancestors).toBeUndefined();
    const entity: Entity = JSON.parse(first.changes)[0].after;
    expect(entity.metadata.name).toBe('a');
  });
});

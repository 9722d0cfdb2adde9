import { TestDatabases, mockServices } from '@backstage/backend-test-utils';
import type { Knex } from 'knex';
import { createStore, item, source } from '../__testUtils__/store';
import type { DatabaseEntityStore } from '../database/DatabaseEntityStore';
import type { EntityToStore, PushToStore } from '../database/EntityStore';
import { GroupCommit, type ReadyPush } from './GroupCommit';
import { DatabaseIdentityStore } from './identity/DatabaseIdentityStore';
import type { Binding } from './identity/IdentityStore';
import { PushPermit } from './identity/Permit';

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const NOW = 1_000_000;

describe.each(databases.eachSupportedId())('groups of pushes on %p', id => {
  async function setUp() {
    const { knex, store } = await createStore(databases, id);
    const identities = new DatabaseIdentityStore(knex);
    const alone: string[] = [];
    let transactions = 0;
    const counted = new Proxy(store, {
      get: (target, name: keyof DatabaseEntityStore) => {
        if (name === 'impatient' || name === 'transaction') transactions += 1;
        const member = target[name] as Function;
        return member.bind(target);
      },
    });
    const groups = new GroupCommit({
      store: counted,
      logger: mockServices.logger.mock(),
      alone: ({ push, permit }) => {
        alone.push(push.source.repository);
        return counted.transaction(async tx => {
          await permit.record(tx);
          const [written] = await store.write(tx, [push]);
          return written;
        });
      },
    });
    let minute = 0;
    const ready = (
      repository: string,
      entities: EntityToStore[],
      more: Partial<PushToStore> & { binding?: Binding } = {},
    ): ReadyPush => {
      minute += 1;
      const { binding, ...push } = more;
      return {
        stored: new Map(),
        push: {
          source: source({
            repository,
            minute,
            commit: `${minute}`.padStart(40, '0'),
          }),
          pushedBy: `pipeline of ${repository}`,
          now: NOW + minute,
          entities,
          ...push,
        },
        permit: new PushPermit({
          store: identities,
          now: () => NOW,
          decision: {
            id: `decision ${minute}`,
            time: new Date(NOW).toISOString(),
            allowed: true,
            code: 'allowed',
            reason: 'a test',
            identity: { type: 'static', subject: repository },
            request: { method: 'POST', path: '/pushes', repository },
          },
          ...(binding ? { seen: seenOf(binding) } : {}),
        }),
      };
    };
    return {
      knex,
      store,
      groups,
      ready,
      alone,
      transactions: () => transactions,
    };
  }

  /** What is known of a token whose repository nobody has seen before. */
  function seenOf(binding: Binding) {
    return {
      facts: { identity: { type: 'github', subject: 's' }, claims: {} },
      token: {
        id: `token ${binding.id}`,
        hash: binding.id,
        expiresAt: NOW + 1,
        issuedAt: NOW,
        settings: { maxTokenAgeMs: 1 },
        claims: {},
      },
      bindings: [binding],
      clockSkewMs: 0,
      holders: new Map(),
      runs: [],
      bound: [undefined],
    } as unknown as NonNullable<
      ConstructorParameters<typeof PushPermit>[0]['seen']
    >;
  }

  const countOf = async (db: Knex, table: string) =>
    Number((await db(table).count({ n: '*' }))[0].n);

  it('are stored in one transaction, each with its history, its place in the queue and its decision', async () => {
    const { knex, store, groups, ready, alone, transactions } = await setUp();
    const pushes = Array.from({ length: 20 }, (_, n) =>
      ready(`acme/r${n}`, [item(`a${n}`), item(`b${n}`)]),
    );
    const written = await Promise.all(pushes.map(push => groups.write(push)));
    expect(written.map(({ outcomes }) => outcomes)).toEqual(
      pushes.map(() => ['created', 'created']),
    );
    expect(transactions()).toBe(1);
    expect(alone).toEqual([]);
    expect(await countOf(knex, 'entity_changes')).toBe(40);
    expect(await countOf(knex, 'outbox')).toBe(40);
    expect(await countOf(knex, 'decisions')).toBe(20);
    const stored = await store.getMany(
      pushes.flatMap(({ push }) => push.entities.map(e => e.entityRef)),
    );
    for (const { push } of pushes) {
      for (const { entityRef, hash } of push.entities) {
        expect(stored.get(entityRef)).toMatchObject({
          hash,
          repository: push.source.repository,
          source: push.source,
          lastPushedAt: push.now,
        });
      }
    }

    // Some change, some do not, one gives up an entity, one names all it has.
    const again = [
      ready('acme/r0', [item('a0'), item('b0')]),
      ready('acme/r1', [item('a1', 'two'), item('b1')]),
      ready('acme/r2', [], { removed: ['component:default/a2'] }),
      ready('acme/r3', [item('a3')], { complete: true }),
    ];
    const second = await Promise.all(again.map(push => groups.write(push)));
    expect(second.map(({ outcomes, gone }) => [outcomes, gone])).toEqual([
      [['unchanged', 'unchanged'], []],
      [['updated', 'unchanged'], []],
      [[], ['component:default/a2']],
      [['unchanged'], ['component:default/b3']],
    ]);
    expect(alone).toEqual([]);
    const after = await store.getMany([
      'component:default/a0',
      'component:default/a1',
      'component:default/b1',
      'component:default/b2',
    ]);
    expect(
      [...after.values()].map(row => [
        row.entityRef,
        row.version,
        row.source.commit,
      ]),
    ).toEqual(
      expect.arrayContaining([
        ['component:default/a0', 1, again[0].push.source.commit],
        ['component:default/a1', 2, again[1].push.source.commit],
        ['component:default/b1', 1, again[1].push.source.commit],
        ['component:default/b2', 1, pushes[2].push.source.commit],
      ]),
    );
    expect(await countOf(knex, 'entity_changes')).toBe(43);
  });

  it('keep the order of pushes for one repository or one entity', async () => {
    const { groups, ready, store, alone } = await setUp();
    const results = await Promise.allSettled(
      [
        ready('acme/one', [item('x', 'first')]),
        ready('acme/one', [item('x', 'second')]),
        ready('acme/two', [item('x', 'stolen')]),
        ready('acme/one', [item('x', 'third')]),
        ready('acme/three', [item('z')]),
      ].map(push => groups.write(push)),
    );
    expect(
      results.map(result =>
        result.status === 'fulfilled' ? result.value.outcomes : 'refused',
      ),
    ).toEqual([['created'], ['updated'], 'refused', ['updated'], ['created']]);
    // Each waited for the one before it; the last went with the first.
    expect(alone).toEqual(['acme/one', 'acme/two', 'acme/one']);
    expect(String((results[2] as PromiseRejectedResult).reason)).toContain(
      'component:default/x belongs to acme/one',
    );
    expect((await store.get('component:default/x'))?.entity.metadata).toEqual(
      expect.objectContaining({ description: 'third' }),
    );
  });

  it('come apart when one of them is refused: it alone leaves nothing', async () => {
    const { knex, store, groups, ready, alone } = await setUp();
    await groups.write(ready('acme/first', [item('held')]));
    alone.length = 0;
    const binding = (of: string): Binding => ({
      issuer: 'https://issuer',
      kind: 'repository',
      name: 'https://git/acme/same',
      id: of,
    });
    const results = await Promise.allSettled(
      [
        ready('acme/a', [item('a')]),
        ready('acme/thief', [item('held', 'mine now'), item('more')]),
        ready('acme/b', [item('b')], { binding: binding('1') }),
        ready('acme/c', [item('c')], { binding: binding('2') }),
      ].map(push => groups.write(push)),
    );
    const reasons = results.map(result =>
      result.status === 'rejected' ? (result.reason as Error).name : 'stored',
    );
    expect(reasons[0]).toBe('stored');
    expect(reasons[1]).toBe('ConflictError');
    // Of two repositories that say they are one, one is right.
    expect(reasons.slice(2).sort()).toEqual(['NotAllowedError', 'stored']);
    expect(alone.sort()).toEqual(['acme/a', 'acme/b', 'acme/c', 'acme/thief']);
    const stored = await store.getMany(
      ['a', 'held', 'more'].map(name => `component:default/${name}`),
    );
    expect([...stored.values()].map(row => row.repository).sort()).toEqual([
      'acme/a',
      'acme/first',
    ]);
    expect(await countOf(knex, 'decisions')).toBe(3);
    expect(
      (await knex('repositories').pluck('repository')).sort(),
    ).not.toContain('acme/thief');
  });

  if (id !== 'SQLITE_3') {
    it('are not held up by what one of them has to wait for', async () => {
      const { knex, groups, ready, alone } = await setUp();
      await groups.write(ready('acme/slow', [item('slow')]));
      alone.length = 0;
      let slow: Promise<unknown> | undefined;
      await knex.transaction(async elsewhere => {
        await elsewhere('repositories')
          .where('repository', 'acme/slow')
          .forUpdate();
        slow = groups.write(ready('acme/slow', [item('slow', 'two')]));
        const quick = groups.write(ready('acme/quick', [item('quick')]));
        // While the row is still held.
        expect((await quick).outcomes).toEqual(['created']);
        const next = groups.write(ready('acme/next', [item('next')]));
        expect((await next).outcomes).toEqual(['created']);
      });
      expect(await slow).toMatchObject({ outcomes: ['updated'] });
      expect(alone).toContain('acme/slow');
    });
  }
});

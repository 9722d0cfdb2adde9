import { TestDatabases, mockServices } from '@backstage/backend-test-utils';
import createKnex, { type Knex } from 'knex';
import {
  clock,
  createStore,
  item,
  source,
  write,
} from '../__testUtils__/store';
import { DatabaseEntityStore } from './DatabaseEntityStore';

jest.setTimeout(240_000);

const databases = TestDatabases.create({ ids: ['POSTGRES_18'] });
const PUSHES = 600;
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];

describe.each(databases.eachSupportedId())('two replicas on one %p', id => {
  let second: Knex | undefined;

  afterAll(async () => {
    await second?.destroy();
  });

  it('lose nothing, refuse nothing, and agree on the end', async () => {
    const { knex, store } = await createStore(databases, id);
    second = createKnex({ ...knex.client.config, pool: { min: 0, max: 8 } });
    const replicas = [
      store,
      await DatabaseEntityStore.create({
        database: mockServices.database({
          knex: second,
          migrations: { skip: true },
        }),
      }),
    ];

    // Each pipeline pushes most of the entities of its repository, in an order of its own; half of the pushes change nothing.
    const last = new Map<string, { commit: number; content: string }>();
    const pushes = Array.from({ length: PUSHES }, (_, n) => {
      const repository = `acme/r${n % 3}`;
      const turn = [...NAMES.slice(n % 6), ...NAMES.slice(0, n % 6)];
      const names = turn.slice(0, 4).map(name => `${name}${n % 3}`);
      const content = `content ${Math.floor(n / 60)}`;
      names.forEach(name => last.set(name, { commit: n, content }));
      return async (replica: DatabaseEntityStore) => {
        const from = source({
          repository,
          commit: String(n).padStart(40, '0'),
          time: new Date(Date.UTC(2026, 0, 1) + n * 1_000).toISOString(),
        });
        const entities = names.map(name => item(name, content));
        const push = {
          source: from,
          pushedBy: 'p',
          now: clock.now,
          entities,
        };
        const known = await replica.getMany(entities.map(e => e.entityRef));
        if (!(await replica.confirm(push, known))) {
          await write(replica, from, entities);
        }
      };
    });
    let pushing = true;
    const applied = new Map<string, number>();
    const catalog = async (replica: DatabaseEntityStore) => {
      for (;;) {
        const isLast = !pushing;
        const claim = await replica.claim({
          limit: 5,
          now: clock.now,
          leaseMs: 1e9,
        });
        for (const { stored } of claim.changes) {
          expect(stored.version).toBeGreaterThan(
            applied.get(stored.entityRef) ?? 0,
          );
          applied.set(stored.entityRef, stored.version);
        }
        await replica.acknowledge(
          claim.claimId,
          claim.changes.map(({ stored }) => ({
            entityRef: stored.entityRef,
            version: stored.version,
          })),
          clock.now,
        );
        if (isLast && !claim.changes.length) return;
        await new Promise(resolve => setImmediate(resolve));
      }
    };
    const catalogs = replicas.map(catalog);
    let next = 0;
    const work = replicas.flatMap(replica =>
      Array.from({ length: 3 }, async () => {
        while (next < pushes.length) {
          next += 1;
          await pushes[next - 1](replica);
        }
      }),
    );
    await Promise.all(work);
    pushing = false;
    await Promise.all(catalogs);

    const rows = await store.list({ limit: 100 });
    expect(rows).toHaveLength(last.size);
    for (const row of rows) {
      const expected = last.get(row.entity.metadata.name);
      expect([
        row.entity.metadata.description,
        Number(row.source.commit),
      ]).toEqual([expected?.content, expected?.commit]);
      expect(row.appliedVersion).toBe(row.version);
      expect(applied.get(row.entityRef)).toBe(row.version);
    }
    expect(await knex('outbox')).toEqual([]);
    const [{ n }] = await knex('entity_changes').count({ n: '*' });
    expect(Number(n)).toBe(rows.reduce((sum, row) => sum + row.version, 0));
  });
});

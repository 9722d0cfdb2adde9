import { TestDatabases } from '@backstage/backend-test-utils';
import type { ApiDocumentVersion } from '@rocket/plugin-ci-registry-common';
import { createStore, item, source } from '../../__testUtils__/store';
import { sha256 } from '../../service/canonical';
import { ApiDocuments } from '../../service/documents/ApiDocuments';
import { DatabaseDocumentStore } from './DatabaseDocumentStore';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });
const API = 'api:default/ledger';
const LONG = `type Query { a: Int } # ${'x'.repeat(300_000)}`;

function version(
  number: number,
  more: Partial<ApiDocumentVersion> = {},
): ApiDocumentVersion {
  return {
    api: API,
    version: number,
    format: 'graphql',
    hash: sha256(String(number)),
    commit: 'a'.repeat(40),
    pushedAt: '2026-11-20T08:00:00.000Z',
    changes: null,
    ...more,
  };
}

describe.each(databases.eachSupportedId())('API documents on %s', id => {
  async function setUp() {
    const { knex, store: entities } = await createStore(databases, id);
    return { knex, entities, store: new DatabaseDocumentStore(knex) };
  }

  it('gives back what was added, the newest of each API, and forgets the oldest', async () => {
    const { knex, store } = await setUp();
    const seen = { commit: 'b'.repeat(40), time: 1_763_625_600_000 };
    const add = (v: ApiDocumentVersion, definition = LONG) =>
      knex.transaction(tx =>
        store.add(tx, { version: v, definition, seen }, 2),
      );
    const first = version(1, { pipeline: 'https://ci/1' });
    const second = version(2, {
      changes: [{ severity: 'breaking', location: 'ä › b', message: 'gone' }],
    });
    await add(first);
    await add(second, 'two');
    await add(version(1, { api: 'api:other/ledger', notCompared: 'why' }));
    expect(await store.list(API)).toEqual([second, first]);
    expect(await store.definition(API, 1)).toMatchObject({ definition: LONG });
    const latest = await store.latest([API, 'api:other/ledger', 'api:a/none']);
    expect([...latest.keys()].sort()).toEqual([API, 'api:other/ledger']);
    expect(latest.get(API)).toEqual({
      version: second,
      definition: 'two',
      seen,
    });
    expect(latest.get('api:other/ledger')!.version.notCompared).toBe('why');
    await add(version(3), 'three');
    expect((await store.list(API)).map(v => v.version)).toEqual([3, 2]);
    expect(await store.definition(API, 1)).toBeUndefined();
    await expect(add(version(3), 'again')).rejects.toThrow();
  });

  it('ends in the newest commit, in whatever order and however often the pushes of many pipelines come', async () => {
    const { knex, entities, store } = await setUp();
    const documents = new ApiDocuments({
      store,
      findComponent: async () => undefined,
      settings: { maxBytes: 1e6, versions: 100, timeoutMs: 30_000 },
    });
    const texts = ['syntax = "proto3";', 'message A {}', 'message B {}'];
    const pushes = [0, 1, 2, 0, 2, 1, 2].map(minute => {
      const from = source({ minute, commit: String(minute).repeat(40) });
      // As the service does it: the entity first, whose repository is locked by that, then the document.
      return () =>
        entities.transaction(async tx => {
          await entities.write(tx, [
            {
              source: from,
              pushedBy: 'plugin:test',
              now: Date.parse(from.time),
              entities: [item('ledger', String(minute))],
            },
          ]);
          return documents.write(
            {
              tx,
              source: from,
              identity: { type: 'static', subject: 'token:ci' },
              now: Date.parse(from.time),
            },
            [
              {
                api: API,
                component: 'component:default/ledger',
                format: 'grpc',
                definition: texts[minute],
              },
            ],
          );
        });
    });
    await Promise.all(pushes.map(push => push()));
    const versions = await store.list(API);
    expect(versions[0]).toMatchObject({
      hash: sha256(texts[2]),
      commit: '2'.repeat(40),
    });
    expect(versions.map(v => v.version)).toEqual(
      versions.map((_, index) => versions.length - index),
    );
    expect(new Set(versions.map(v => v.hash)).size).toBe(versions.length);
    await knex.destroy();
  });
});

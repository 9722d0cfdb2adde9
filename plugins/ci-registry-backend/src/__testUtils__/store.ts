import {
  mockServices,
  type TestDatabaseId,
  type TestDatabases,
} from '@backstage/backend-test-utils';
import type { PushSource } from '@rocket/plugin-ci-registry-common';
import { DatabaseEntityStore } from '../database/DatabaseEntityStore';
import type { EntityToStore, PushToStore } from '../database/EntityStore';
import { canonicalJson, sha256 } from '../service/canonical';

export async function createStore(
  databases: TestDatabases,
  id: TestDatabaseId,
) {
  const knex = await databases.init(id);
  const store = await DatabaseEntityStore.create({
    database: mockServices.database({ knex, migrations: { skip: false } }),
  });
  return { knex, store };
}

/** A push of `acme/ledger`, at a minute of one hour unless said otherwise. */
export function source(
  overrides: Partial<PushSource> & { minute?: number } = {},
): PushSource {
  const { minute = 0, ...rest } = overrides;
  return {
    repository: 'acme/ledger',
    commit: 'a'.repeat(40),
    time: new Date(Date.UTC(2026, 10, 20, 8, minute)).toISOString(),
    ...rest,
  };
}

export function item(
  name: string,
  content: unknown = 'one',
  extra: Partial<EntityToStore> = {},
): EntityToStore {
  const json = canonicalJson({
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: { name, description: content as string },
  });
  return {
    entityRef: `component:default/${name}`,
    json,
    hash: sha256(json),
    ...extra,
  };
}

/** ms since 1970; every push is a moment later. */
export const clock = { now: 1_000 };

export async function write(
  store: DatabaseEntityStore,
  from: PushSource,
  entities: EntityToStore[],
  more: Partial<PushToStore> = {},
) {
  clock.now += 1;
  const [written] = await store.transaction(tx =>
    store.write(tx, [
      {
        source: from,
        pushedBy: 'plugin:test',
        now: clock.now,
        entities,
        ...more,
      },
    ]),
  );
  return written;
}

export async function push(
  store: DatabaseEntityStore,
  from: PushSource,
  ...entities: EntityToStore[]
) {
  return (await write(store, from, entities)).outcomes;
}

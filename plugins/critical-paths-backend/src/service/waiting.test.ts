/** Readers who come often are answered from memory while the catalog or the database is asked. */
import { mockCredentials, mockServices } from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { componentEntity, pathEntity } from '../testing/entities';
import { readSettings } from '../settings';
import { PathDirectory } from './PathDirectory';
import { StoredSignals } from './StoredSignals';

let now: number;
beforeEach(() => {
  now = Date.UTC(2026, 0, 1);
});

/** Lets promises that can go on do so. */
const settle = () => new Promise(resolve => setImmediate(resolve));

/** A gate that work waits at until it is opened. */
function gate() {
  let open: () => void = () => {};
  let closed: Promise<void> | undefined;
  return {
    close() {
      closed = new Promise(resolve => {
        open = resolve;
      });
    },
    open: () => open(),
    pass: async () => closed,
  };
}

describe('PathDirectory', () => {
  const user = mockCredentials.user();

  function start(initial: Entity[]) {
    let entities = initial;
    let broken = false;
    const door = gate();
    let asked = 0;
    const catalog = catalogServiceMock.mock({
      async *streamEntities(query) {
        asked += 1;
        await door.pass();
        if (broken) {
          throw new Error('the catalog is away');
        }
        yield* catalogServiceMock({ entities }).streamEntities(query, {
          credentials: user,
        });
      },
      getEntitiesByRefs: (query, options) =>
        catalogServiceMock({ entities }).getEntitiesByRefs(query, options),
    });
    const directory = new PathDirectory({
      catalog,
      auth: mockServices.auth(),
      logger: mockServices.logger.mock(),
      now: () => now,
    });
    return {
      directory,
      door,
      asked: () => asked,
      set: (next: Entity[]) => {
        entities = next;
      },
      setBroken: (value: boolean) => {
        broken = value;
      },
    };
  }
  const path = (name: string) => pathEntity(name, ['app']);
  const app = componentEntity('app');

  it('answers with the last model while the next one is read', async () => {
    const { directory, door, set } = start([path('a'), app]);
    expect([...(await directory.model()).paths.keys()]).toHaveLength(1);
    set([path('a'), path('b'), app]);
    door.close();
    now += 16_000;
    expect((await directory.model()).paths.size).toBe(1);
    const fresh = directory.model({ fresh: true });
    expect((await directory.model()).paths.size).toBe(1);
    door.open();
    expect((await fresh).paths.size).toBe(2);
    await settle();
    expect((await directory.model()).paths.size).toBe(2);
  });

  it('makes who comes after a long while wait for the present model', async () => {
    const { directory, set } = start([path('a'), app]);
    await directory.model();
    set([path('a'), path('b'), app]);
    now += 61_000;
    expect((await directory.model()).paths.size).toBe(2);
  });

  it('tells the second reader that the catalog is away', async () => {
    const { directory, setBroken } = start([path('a'), app]);
    await directory.model();
    setBroken(true);
    now += 16_000;
    expect((await directory.model()).paths.size).toBe(1);
    await settle();
    await expect(directory.model()).rejects.toThrow('catalog');
    setBroken(false);
    expect((await directory.model()).paths.size).toBe(1);
  });

  it('asks ahead what a caller may see, and never answers with more than ten seconds old', async () => {
    const { directory, door, set, asked } = start([path('a'), path('b'), app]);
    expect((await directory.visibleTo(user)).size).toBe(2);
    set([path('a'), app]);
    now += 6000;
    door.close();
    // Asked once for the next time, not once per reader.
    expect((await directory.visibleTo(user)).size).toBe(2);
    expect((await directory.visibleTo(user)).size).toBe(2);
    expect(asked()).toBe(2);
    door.open();
    await settle();
    expect((await directory.visibleTo(user)).size).toBe(1);
    set([app]);
    now += 10_001;
    expect((await directory.visibleTo(user)).size).toBe(0);
  });
});

describe('StoredSignals', () => {
  function start() {
    const door = gate();
    const state = { broken: false, asked: 0 };
    const signals = new StoredSignals({
      store: {
        listSeries: async () => [],
        changesSince: async () => {
          state.asked += 1;
          await door.pass();
          if (state.broken) {
            throw new Error('the database is away');
          }
          return { changes: [{ seq: state.asked, from: 0, to: 0 }] };
        },
      } as any,
      policy: { listMaintenance: async () => [], listResets: async () => [] },
      settings: readSettings(mockServices.rootConfig()),
      now: () => now,
    });
    return { signals, door, state };
  }

  it('answers at once while the database is busy, but not for long', async () => {
    const { signals, door } = start();
    const first = await signals.recent();
    door.close();
    now += 2000;
    expect(await signals.recent()).toBe(first);
    now += 4000;
    let later;
    const waiting = signals.recent().then(status => {
      later = status;
    });
    await settle();
    expect(later).toBeUndefined();
    door.open();
    await waiting;
    expect(later).toMatchObject({ version: first.version + 1 });
  });

  it('tells the second reader that the database is away', async () => {
    const { signals, state } = start();
    const first = await signals.recent();
    state.broken = true;
    now += 2000;
    expect(await signals.recent()).toBe(first);
    await settle();
    await expect(signals.recent()).rejects.toThrow('the database is away');
    state.broken = false;
    expect((await signals.recent()).version).toBe(first.version + 1);
  });
});

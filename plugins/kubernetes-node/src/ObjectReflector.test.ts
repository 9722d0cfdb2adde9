import { connect, FakeApiServer, faults } from './testUtils';
import type {
  KubernetesClient,
  ObjectChange,
  ObjectWatch,
  WatchOptions,
} from './types';

const namespace = 'default';
const query = { apiVersion: 'v1', kind: 'ConfigMap', namespace };
const map = (name: string, a = '1', labels = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace, labels },
  data: { a },
});

describe('a watch', () => {
  let fake: FakeApiServer;
  let client: KubernetesClient;
  let close: () => void;
  let watch: ObjectWatch | undefined;
  let told: string[];
  let errors: string[];
  let syncs: number;
  let look: () => void;

  beforeEach(async () => {
    fake = await FakeApiServer.start();
    ({ client, close } = connect(fake.cluster));
    [told, errors, syncs] = [[], [], 0];
    look = () => {};
  });

  afterEach(async () => {
    await watch?.stop();
    watch = undefined;
    close();
    await fake.away();
  });

  const start = (options: WatchOptions = {}) => {
    watch = client.watch(query, {
      onChange: ({ type, object }: ObjectChange) => {
        told.push(`${type} ${object.metadata.name}`);
        look();
      },
      onSync: () => {
        syncs += 1;
        look();
      },
      onError: error => {
        errors.push(error.message);
        look();
      },
      ...options,
    });
    return watch;
  };
  /** Resolves when it holds; looks whenever the watch tells something. */
  const when = (holds: () => boolean) =>
    new Promise<void>(done => {
      look = () => holds() && done();
      look();
    });
  /** Resolves when the server has a watch of ours open. */
  const open = async () => {
    while (fake.openWatches === 0)
      await new Promise(next => setImmediate(next));
  };
  const lists = () =>
    fake.seen.filter(
      s =>
        s.path.endsWith('/configmaps') && !s.query.watch && s.method === 'GET',
    ).length;
  const watches = () => fake.seen.filter(s => s.query.watch);

  it('that ends in order goes on where it was, without a list', async () => {
    await client.apply(map('a'));
    start();
    await open();
    await client.apply(map('b'));
    await when(() => told.length === 2);
    fake.endWatches();
    await client.apply(map('c'));
    await when(() => told.length === 3);
    expect(told).toEqual(['added a', 'added b', 'added c']);
    expect(lists()).toBe(1);
    expect(errors).toEqual([]);
  });

  it('goes on from a bookmark, so that what was forgotten since does not matter', async () => {
    start();
    await open();
    await client.apply({ ...map('x'), kind: 'Secret', data: {} as any });
    fake.compact();
    fake.bookmark();
    fake.endWatches();
    await client.apply(map('a'));
    await when(() => told.length === 1);
    expect(lists()).toBe(1);
    expect(watches()[0].query).toMatchObject({ allowWatchBookmarks: 'true' });
    const [first, second] = watches().map(s => Number(s.query.resourceVersion));
    expect(second).toBe(first + 1);
  });

  it.each([
    ['breaks', undefined],
    [
      'tells of an error',
      { type: 'ERROR', object: { kind: 'Status', code: 500 } },
    ],
    ['is too old', { type: 'ERROR', object: { kind: 'Status', code: 410 } }],
  ])('that %s lists anew and tells the differences', async (_, event) => {
    await client.apply(map('gone'));
    await client.apply(map('same'));
    await client.apply(map('changed'));
    start();
    await open();
    const uid = (await client.get({ ...query, name: 'same' }))!.metadata.uid;
    fake.cutWatches(event);
    await client.delete({ ...query, name: 'gone' });
    await client.apply(map('changed', '2'));
    await client.apply(map('new'));
    await when(() => told.length === 6);
    expect(told.slice(3).sort()).toEqual([
      'added new',
      'deleted gone',
      'modified changed',
    ]);
    expect(
      watch!
        .items()
        .map(i => i.metadata.name)
        .sort(),
    ).toEqual(['changed', 'new', 'same']);
    expect(watch!.get('same', namespace)!.metadata.uid).toBe(uid);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(
      "Cluster 'fake' gave no answer to watch v1 ConfigMap default",
    );
  });

  it('tells of an object that was replaced unseen as deleted and added', async () => {
    await client.apply(map('a'));
    start();
    await open();
    fake.cutWatches();
    await client.delete({ ...query, name: 'a' });
    await client.apply(map('a'));
    await when(() => told.length === 3);
    expect(told).toEqual(['added a', 'deleted a', 'added a']);
  });

  it('that says nothing for too long is taken for dead', async () => {
    await client.apply(map('a'));
    start({ quietMs: 30 });
    await when(() => syncs > 1);
    expect(lists()).toBeGreaterThan(1);
    expect(errors).toEqual([]);
    expect(told).toEqual(['added a']);
  });

  it('lists anew as often as it is told, without an error', async () => {
    start({ resyncMs: 20 });
    await when(() => syncs === 3);
    expect(errors).toEqual([]);
    expect(lists()).toBeGreaterThanOrEqual(3);
  });

  it('outlives a cluster that is away, and says so', async () => {
    start();
    await watch!.synced;
    await fake.away();
    await when(() => errors.length > 0);
    await fake.back();
    await client.apply(map('a'));
    await when(() => told.includes('added a'));
    expect(errors.join()).not.toContain(fake.token);
  });

  it('begins when it may: what is forbidden now may be allowed later', async () => {
    fake.denies = ({ verb }) => verb === 'list';
    start();
    await when(() => errors.length > 0);
    expect(errors[0]).toContain('configmaps is forbidden');
    expect(syncs).toBe(0);
    fake.denies = () => false;
    await watch!.synced;
  });

  it('is silent once it is stopped, whatever state it is in', async () => {
    // While it lists, while it connects, while it watches, while it waits after an error.
    fake.inject({ path: /configmaps/, fault: 'hang' });
    const listing = start();
    await listing.stop();
    await expect(listing.synced).rejects.toThrow(
      'stopped before its first list',
    );

    fake.forgetFaults();
    const watching = start();
    await open();
    await client.apply(map('seen'));
    await when(() => told.includes('added seen'));
    await watching.stop();
    await new Promise<void>(done => {
      const ended = () => (fake.openWatches ? setImmediate(ended) : done());
      ended();
    });

    fake.inject({
      path: /configmaps/,
      fault: faults.forbidden('list'),
      times: 99,
    });
    errors.length = 0;
    const failing = start();
    await when(() => errors.length === 1);
    await failing.stop();
    const before = [told.length, errors.length, fake.seen.length];
    fake.forgetFaults();
    await client.apply(map('a'));
    expect([told.length, errors.length, fake.seen.length]).toEqual([
      before[0],
      before[1],
      before[2] + 1,
    ]);
  });

  it('tells nothing more to a listener that stops it', async () => {
    await client.apply(map('a'));
    await client.apply(map('b'));
    const stopped = new Promise<void>(done => {
      start({
        onChange: ({ object }) => {
          told.push(object.metadata.name!);
          watch!.stop().then(done);
        },
      });
    });
    await stopped;
    expect(told).toEqual(['a']);
    expect(syncs).toBe(0);
  });

  it('goes on when a listener throws, and says so', async () => {
    start({
      onChange: () => {
        throw new Error('a mistake');
      },
    });
    await open();
    await client.apply(map('a'));
    await client.apply(map('b'));
    await when(() => errors.length === 2);
    expect(errors).toEqual(['a mistake', 'a mistake']);
    expect(watch!.items()).toHaveLength(2);
    expect(lists()).toBe(1);
  });

  it('keeps objects of other labels out, also when they change theirs', async () => {
    await client.apply(map('a', '1', { team: 'x' }));
    watch = client.watch(
      { ...query, labelSelector: { team: 'x' } },
      {
        onChange: c => {
          told.push(`${c.type} ${c.object.metadata.name}`);
          look();
        },
      },
    );
    await open();
    await client.apply(map('a', '1', { team: 'y' }));
    await when(() => told.length === 2);
    expect(told).toEqual(['added a', 'deleted a']);
  });
});

describe('waitUntil', () => {
  it('keeps trying while the cluster is away, then says why it gave up', async () => {
    const fake = await FakeApiServer.start();
    const { client, close } = connect(fake.cluster, { delay: async () => {} });
    await client.apply(map('a'));
    await fake.away();
    const call = client.waitUntil(query, () => undefined, { deadlineMs: 600 });
    await expect(call).rejects.toMatchObject({
      kind: 'timeout',
      message: expect.stringMatching(
        /within 0.6 s: Cluster 'fake' gave no answer/,
      ),
    });
    await fake.back();
    expect(
      await client.waitUntil(query, items => items.length || undefined, {
        deadlineMs: 30_000,
      }),
    ).toBe(1);
    const end = new AbortController();
    const waiting = client.waitUntil(query, () => undefined, {
      deadlineMs: 30_000,
      signal: end.signal,
    });
    end.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(
      client.waitUntil(
        query,
        () => {
          throw new Error('failed for good');
        },
        { deadlineMs: 30_000 },
      ),
    ).rejects.toThrow('failed for good');
    close();
    await fake.away();
  });
});

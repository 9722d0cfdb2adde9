import fs from 'node:fs/promises';
import { createMockDirectory } from '@backstage/backend-test-utils';
import fc from 'fast-check';
import { EventStore, StoredEvent } from './EventStore';
import { Journal } from './Journal';

const NOW = Date.parse('2026-03-02T12:00:00Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ACCOUNT = {
  id: 1,
  name: 'demo',
  apiKey: 'user-key',
  licenseKey: 'license-key',
};

function createStore(journal?: Journal, now: () => number = () => NOW) {
  return new EventStore({
    accounts: [ACCOUNT],
    journal,
    now,
    retentionMs: 2 * DAY,
  });
}

function event(timestamp: number, attributes = {}): StoredEvent {
  return { eventType: 'Transaction', timestamp, attributes };
}

/** All events of a window as [timestamp, attributes], in the order of a reader. */
function read(
  store: EventStore,
  from: number,
  to: number,
  type = 'Transaction',
) {
  return store.segments(ACCOUNT.id, type, from, to).flatMap(segment => {
    const [begin, end] = segment.range(from, to);
    return Array.from({ length: end - begin }, (_, i) => [
      segment.timestamps[begin + i],
      segment.attributes(begin + i),
    ]);
  });
}

describe('EventStore', () => {
  it('gives events back in order of time, whatever the order they came in', () => {
    const store = createStore();
    const offsets = [5, -3 * HOUR, 0, 2 * HOUR, -1, 5, 3];
    store.append(
      ACCOUNT.id,
      offsets.map((offset, n) => event(NOW + offset, { n, s: `s${n}` })),
    );
    expect(read(store, NOW - DAY, NOW + DAY)).toEqual([
      [NOW - 3 * HOUR, { n: 1, s: 's1' }],
      [NOW - 1, { n: 4, s: 's4' }],
      [NOW, { n: 2, s: 's2' }],
      [NOW + 3, { n: 6, s: 's6' }],
      [NOW + 5, { n: 0, s: 's0' }],
      [NOW + 5, { n: 5, s: 's5' }],
      [NOW + 2 * HOUR, { n: 3, s: 's3' }],
    ]);
    // The begin is inclusive, the end is not.
    expect(read(store, NOW, NOW + 5).map(([time]) => time)).toEqual([
      NOW,
      NOW + 3,
    ]);
    // Sorted already, and appended to again.
    store.append(ACCOUNT.id, [event(NOW + 1, { n: 7 })]);
    expect(read(store, NOW, NOW + 3).map(([, values]) => values)).toEqual([
      { n: 2, s: 's2' },
      { n: 7 },
    ]);
  });

  it('stays in order when it is read between late arrivals', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 8 }), {
          maxLength: 8,
        }),
        batches => {
          const store = createStore();
          const expected: [number, number][] = [];
          let n = 0;
          for (const batch of batches) {
            for (const offset of batch) {
              store.append(ACCOUNT.id, [
                { ...event(NOW + offset, { n, s: `s${n}` }), weight: n + 1 },
              ]);
              expected.push([NOW + offset, n]);
              n += 1;
            }
            // Stable: events of the same time stay in order of arrival.
            expected.sort((a, b) => a[0] - b[0]);
            expect(read(store, NOW, NOW + HOUR)).toEqual(
              expected.map(([time, i]) => [time, { n: i, s: `s${i}` }]),
            );
            const [segment] = store.segments(1, 'Transaction', NOW, NOW + HOUR);
            expect([...(segment?.weights?.subarray(0, n) ?? [])]).toEqual(
              n === 1 ? [] : expected.map(([, i]) => i + 1),
            );
          }
        },
      ),
    );
  });

  it('touches no segment outside the window', () => {
    const store = createStore();
    for (let hour = 0; hour < 48; hour += 1) {
      store.append(ACCOUNT.id, [event(NOW - hour * HOUR)]);
    }
    const begins = store
      .segments(ACCOUNT.id, 'Transaction', NOW - 2 * HOUR, NOW)
      .map(segment => segment.begin);
    expect(begins).toEqual([NOW - 2 * HOUR, NOW - HOUR]);
  });

  it('keeps the type of each value, also when an attribute has several', () => {
    const store = createStore();
    const values = [1, 'one', true, 1.5, '1', false, 0, ''];
    store.append(
      ACCOUNT.id,
      values.map((mixed, i) => event(NOW + i, { mixed })),
    );
    store.append(ACCOUNT.id, [event(NOW + 100)]);
    expect(read(store, NOW, NOW + HOUR).map(([, row]) => row)).toEqual([
      ...values.map(mixed => ({ mixed })),
      {},
    ]);
  });

  it('keeps more different values than small codes can number', () => {
    const store = createStore();
    const count = 70_000;
    const writer = store.writer(ACCOUNT.id, 'Transaction', ['id', 'other']);
    for (let i = 0; i < count; i += 1) {
      writer.row(NOW + i, [`id-${i}`, i % 2 ? 'odd' : undefined]);
    }
    const rows = read(store, NOW, NOW + HOUR);
    expect(rows).toHaveLength(count);
    for (const i of [0, 255, 256, 257, 65_535, 65_536, count - 1]) {
      expect(rows[i]).toEqual([
        NOW + i,
        i % 2 ? { id: `id-${i}`, other: 'odd' } : { id: `id-${i}` },
      ]);
    }
  });

  it('takes columns and rows alike', () => {
    const [a, b] = [createStore(), createStore()];
    a.appendTransactions(ACCOUNT.id, {
      timestamp: [NOW + 2, NOW + 1],
      attributes: { appName: ['x', 'y'], duration: [0.5, undefined] },
      weight: [20, 1],
    });
    const writer = b.writer(ACCOUNT.id, 'Transaction', ['appName', 'duration']);
    writer.row(NOW + 2, ['x', 0.5], 20);
    writer.row(NOW + 1, ['y', undefined]);
    expect(read(a, NOW, NOW + HOUR)).toEqual(read(b, NOW, NOW + HOUR));
    for (const store of [a, b]) {
      const [segment] = store.segments(1, 'Transaction', NOW, NOW + HOUR);
      expect([...segment.weights!.subarray(0, 2)]).toEqual([1, 20]);
    }
  });

  it('needs less than 60 bytes for an event with the common attributes', () => {
    const store = createStore();
    const writer = store.writer(ACCOUNT.id, 'Transaction', [
      'appName',
      'criticalPath',
      'name',
      'transactionType',
      'http.statusCode',
      'host',
      'entityGuid',
      'error',
      'duration',
    ]);
    for (let i = 0; i < 40_000; i += 1) {
      writer.row(
        NOW - i * 500,
        [
          `app${i % 5}`,
          'p',
          `n${i % 9}`,
          'Web',
          '200',
          'h',
          `g${i % 5}`,
          false,
          i / 7,
        ],
        20,
      );
    }
    store.compact();
    const { bytes, total } = store.stats();
    expect(total).toBe(40_000);
    expect(bytes / total).toBeLessThan(60);
    expect(read(store, NOW - 500, NOW + 1)).toHaveLength(2);
  });

  it('refuses accounts that it does not have', () => {
    expect(() => createStore().append(2, [event(NOW)])).toThrow(
      'The sandbox has no account 2',
    );
  });

  it('finds accounts by their keys', () => {
    const store = createStore();
    expect(store.accountForApiKey('user-key')).toBe(ACCOUNT);
    expect(store.accountForLicenseKey('license-key')).toBe(ACCOUNT);
    expect(store.accountForApiKey('license-key')).toBeUndefined();
    expect(store.accountForLicenseKey('user-key')).toBeUndefined();
    expect(store.accountForApiKey(undefined)).toBeUndefined();
    expect(store.accountForApiKey('')).toBeUndefined();
  });

  it('makes the same GUID for an application in every run', () => {
    const [a, b] = [createStore(), createStore()];
    const first = a.registerApplication({
      accountId: 1,
      appName: 'ledger',
      language: 'java',
    });
    b.append(1, [event(NOW, { appName: 'ledger' })]);
    const [second] = b.applications.list();
    expect(second.guid).toBe(first.guid);
    expect(Buffer.from(first.guid, 'base64').toString()).toBe(
      `1|APM|APPLICATION|${first.applicationId}`,
    );
    expect(first.guid).not.toContain('=');
    const again = a.registerApplication({
      accountId: 1,
      appName: 'ledger',
      labels: { Team: 'x' },
    });
    expect(again).toMatchObject({ language: 'java', labels: { Team: 'x' } });
    expect(a.applications.list()).toHaveLength(1);
  });

  it('forgets what is older than the retention', async () => {
    const store = createStore();
    store.append(1, [event(NOW - 3 * DAY), event(NOW - DAY)]);
    await store.prune();
    expect(read(store, 0, NOW + DAY)).toEqual([[NOW - DAY, {}]]);
  });
});

describe('Journal', () => {
  const directory = createMockDirectory();
  const journal = (now = NOW) => new Journal(directory.path, () => now);
  const file = () => directory.resolve('events-2026-03-02.jsonl');
  beforeEach(() => directory.clear());

  it('brings events and applications back after a restart', async () => {
    const store = createStore(journal());
    const events = [
      event(NOW - HOUR, { appName: 'a', n: 1, ok: true }),
      { ...event(NOW + HOUR, { text: 'line\nbreak' }), weight: 4 },
    ];
    store.append(1, events);
    store.append(1, [event(NOW)]);
    store.registerApplication({
      accountId: 1,
      appName: 'a',
      language: 'go',
      labels: { Team: 'cards' },
    });
    await store.close();

    const next = createStore(journal());
    expect(await next.restore()).toEqual({ events: 3, skippedLines: 0 });
    expect(read(next, 0, NOW + DAY)).toEqual(read(store, 0, NOW + DAY));
    const last = next.segments(1, 'Transaction', NOW + HOUR, NOW + 2 * HOUR);
    expect(last[0].weights![0]).toBe(4);
    expect(next.applications.get(1, 'a')).toMatchObject({
      language: 'go',
      labels: { Team: 'cards' },
    });
  });

  it('does not keep generated events', async () => {
    const store = createStore(journal());
    store.writer(1, 'Transaction', []).row(NOW, []);
    store.append(1, [event(NOW)], { journal: false });
    await store.close();
    expect(await createStore(journal()).restore()).toEqual({
      events: 0,
      skippedLines: 0,
    });
  });

  it('survives a line that a crash cut short, also when it writes on', async () => {
    const store = createStore(journal());
    store.append(1, [event(NOW, { n: 1 }), event(NOW, { n: 2 })]);
    await store.close();
    const text = await fs.readFile(file(), 'utf8');
    await fs.writeFile(file(), text.slice(0, -10));

    const next = createStore(journal());
    expect(await next.restore()).toEqual({ events: 1, skippedLines: 1 });
    next.append(1, [event(NOW, { n: 3 })]);
    await next.close();
    const third = createStore(journal());
    expect(await third.restore()).toEqual({ events: 2, skippedLines: 1 });
    expect(read(third, 0, NOW + 1).map(([, row]) => row)).toEqual([
      { n: 1 },
      { n: 3 },
    ]);
  });

  it('reads nothing that is too old, and deletes old days', async () => {
    const old = new Journal(directory.path, () => NOW - 5 * DAY);
    old.append(1, [event(NOW - 5 * DAY)]);
    await old.close();
    const store = createStore(journal());
    store.append(1, [event(NOW), event(NOW - 3 * DAY)]);
    await store.close();
    const next = createStore(journal());
    expect(await next.restore()).toEqual({ events: 1, skippedLines: 0 });
    await next.prune();
    expect(await fs.readdir(directory.path)).toEqual([
      'events-2026-03-02.jsonl',
    ]);
  });

  it('says at once and at the end that it could not write', async () => {
    await fs.rm(directory.path, { recursive: true });
    await fs.writeFile(directory.path, 'a file where the folder should be');
    const failures: Error[] = [];
    const store = createStore(
      new Journal(
        directory.path,
        () => NOW,
        error => failures.push(error),
      ),
    );
    store.append(1, [event(NOW)]);
    await expect(store.close()).rejects.toThrow();
    expect(failures).toHaveLength(1);
    expect(read(store, NOW, NOW + 1)).toHaveLength(1);
    await fs.rm(directory.path);
    await fs.mkdir(directory.path);
  });
});

/* eslint-disable jest/no-export, jest/no-standalone-expect -- a suite for several test files */
import type { ObjectChange } from '../../types';
import { errorOf, refOf, PATIENCE, type ContractContext } from './context';

export function listCases({
  client,
  namespace,
  subjectOf,
  nextName,
  map,
  maps,
}: ContractContext): void {
  describe('lists and watches', () => {
    it('lists by labels, in pages or all', async () => {
      const labels = { page: 'yes' };
      const made = [1, 2, 3, 4, 5].map(() => map({}, { labels }));
      for (const object of made) await client.apply(object);
      const query = maps(labels);
      const first = await client.list({ ...query, limit: 2 });
      expect(first.items).toHaveLength(2);
      expect(first.items[0]).toMatchObject({
        apiVersion: 'v1',
        kind: 'ConfigMap',
      });
      const second = await client.list({
        ...query,
        limit: 4,
        continue: first.continue,
      });
      expect(second.items).toHaveLength(3);
      expect(second.continue).toBeUndefined();
      const names = made.map(object => object.metadata.name).sort();
      expect(
        [...first.items, ...second.items].map(i => i.metadata.name).sort(),
      ).toEqual(names);
      const all = await client.listAll(query, { pageSize: 2 });
      expect(all.map(i => i.metadata.name).sort()).toEqual(names);
      expect(await client.listAll(maps({ page: 'no' }))).toEqual([]);
    });

    it('reports changes of what matches, also those while the connection was broken', async () => {
      const labels = { watched: 'yes' };
      const before = map({ a: '1' }, { labels });
      await client.apply(before);
      const changes: string[] = [];
      const waiting: (() => void)[] = [];
      const watch = client.watch(maps(labels), {
        onChange: ({ type, object }: ObjectChange) => {
          changes.push(`${type} ${object.metadata.name}`);
          waiting.forEach(look => look());
        },
      });
      const seen = (...expected: string[]) =>
        new Promise<void>(done => {
          const look = () => expected.every(e => changes.includes(e)) && done();
          waiting.push(look);
          look();
        });
      try {
        await watch.synced;
        expect(changes).toEqual([`added ${before.metadata.name}`]);
        await client.apply({ ...before, data: { a: '2' } });
        const later = map({}, { labels });
        await client.apply(map({}, { labels: { watched: 'no' } }));
        await client.apply(later);
        await seen(
          `modified ${before.metadata.name}`,
          `added ${later.metadata.name}`,
        );
        subjectOf().cutConnections();
        await client.delete(refOf(before));
        const last = map({}, { labels });
        await client.apply(last);
        await seen(
          `deleted ${before.metadata.name}`,
          `added ${last.metadata.name}`,
        );
        expect(
          watch
            .items()
            .map(i => i.metadata.name)
            .sort(),
        ).toEqual([later.metadata.name, last.metadata.name].sort());
        expect(new Set(changes).size).toBe(changes.length);
      } finally {
        await watch.stop();
      }
      const known = changes.length;
      await client.apply(map({}, { labels }));
      expect(changes).toHaveLength(known);
    });

    it('waits until something is so, or says that it is not', async () => {
      const object = map({ ready: 'no' }, { labels: { awaited: 'yes' } });
      await client.apply(object);
      const wait = (deadlineMs: number) =>
        client.waitUntil(
          maps({ awaited: 'yes' }),
          ([found]) => (found?.data as any)?.ready === 'yes' || undefined,
          { deadlineMs },
        );
      expect((await errorOf(wait(300))).kind).toBe('timeout');
      const waiting = wait(PATIENCE.deadlineMs);
      await client.apply({ ...object, data: { ready: 'yes' } });
      expect(await waiting).toBe(true);
    });

    it('gives the events of an object, newest first', async () => {
      const about = (name: string, reason: string, lastTimestamp: string) =>
        client.create({
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { name: nextName('event'), namespace },
          involvedObject: { apiVersion: 'v1', kind: 'Pod', name, namespace },
          type: 'Warning',
          reason,
          message: `${reason} happened`,
          count: 3,
          lastTimestamp,
        });
      await about('one', 'Early', '2026-01-01T00:00:00Z');
      await about('one', 'Late', '2026-01-02T00:00:00Z');
      await about('two', 'Other', '2026-01-03T00:00:00Z');
      const events = await client.events({
        namespace,
        name: 'one',
        kind: 'Pod',
      });
      expect(events.map(e => e.reason)).toEqual(['Late', 'Early']);
      expect(events[0]).toMatchObject({
        type: 'Warning',
        message: 'Late happened',
        count: 3,
        object: { kind: 'Pod', name: 'one' },
      });
    });
  });
}

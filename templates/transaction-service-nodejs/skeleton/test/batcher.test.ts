import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Batcher, type BatcherOptions } from '../src/ledger/batcher.ts';
import type { PostRequest, PostResult, Waiting } from '../src/ledger/post.ts';
import { ProblemError } from '../src/platform/problems.ts';

const request = (name: string, size = 1): PostRequest => ({
  caller: { clientId: 'test', idempotencyKey: name },
  print: Buffer.alloc(0),
  isBatch: size > 1,
  postings: Array.from({ length: size }, () => ({
    kind: 'posting',
    currency: 'USD',
    externalRef: null,
    effectiveAt: null,
    expiresAt: null,
    metadata: '{}',
    legs: [],
  })),
});

const name = ({ caller }: PostRequest) => caller.idempotencyKey;
const decided = (of: PostRequest): PostResult => ({
  state: 'decided',
  replayed: false,
  items: [{ id: name(of), document: name(of) }],
});

const locked = () => new ProblemError('overloaded', 'locked', { cause: { code: '55P03' } });
const away = () => new ProblemError('database-unavailable', 'away');

type Call = { names: string[]; waiting: Waiting; answer(): void };

/** A database that answers when told to. `broken` throws in place of an answer. */
function setUp(
  options: Partial<BatcherOptions> = {},
  broken: (names: string[], waiting: Waiting) => PostResult[] | void = () => {},
) {
  const calls: Call[] = [];
  const batcher = new Batcher({
    flushers: 2,
    batchSize: 4,
    queueLimit: 10,
    lockTimeout: 50,
    post: (requests, waiting) =>
      new Promise((resolve, reject) => {
        const names = requests.map(name);
        calls.push({
          names,
          waiting,
          answer() {
            try {
              resolve(broken(names, waiting) ?? requests.map(decided));
            } catch (error) {
              reject(error as Error);
            }
          },
        });
      }),
    ...options,
  });
  const turn = () => new Promise(resolve => setImmediate(resolve));
  /** Answers all calls until there are no more. */
  const answerAll = async () => {
    for (let i = 0; i < calls.length; i++) {
      calls[i]!.answer();
      await turn();
      await turn();
    }
  };
  const add = (...names: string[]) =>
    names.map(each => {
      const result = batcher.add(request(each));
      // Looked at later; until then a rejection is nobody's fault.
      result.catch(() => {});
      return result;
    });
  return { batcher, calls, turn, add, answerAll };
}

const outcomes = async (promises: Promise<PostResult>[]) =>
  (await Promise.allSettled(promises)).map(result =>
    result.status === 'fulfilled'
      ? result.value.state
      : ((result.reason as ProblemError).code ?? (result.reason as Error).message),
  );

describe('Batcher', () => {
  it('sends at once when nothing runs, all of one turn together, and makes the next batch of what arrives meanwhile', async () => {
    const { calls, turn, add, answerAll } = setUp({ flushers: 1 });
    const first = add('a', 'b');
    await turn();
    expect(calls.map(call => call.names)).toEqual([['a', 'b']]);
    const later = [...add('c'), ...add('d'), ...add('e'), ...add('f'), ...add('g')];
    await turn();
    expect(calls).toHaveLength(1);
    calls[0]!.answer();
    expect(await outcomes(first)).toEqual(['decided', 'decided']);
    await turn();
    expect(calls[1]!.names).toEqual(['c', 'd', 'e', 'f']);
    await answerAll();
    expect(calls[2]!.names).toEqual(['g']);
    expect(await outcomes(later)).toEqual(Array.from({ length: 5 }, () => 'decided'));
  });

  it('runs no more statements at a time than it may', async () => {
    const { calls, turn, add, answerAll } = setUp({ flushers: 2, batchSize: 1 });
    const all = add('a', 'b', 'c');
    await turn();
    expect(calls.map(call => call.names)).toEqual([['a'], ['b']]);
    await answerAll();
    expect(calls).toHaveLength(3);
    expect(await outcomes(all)).toEqual(['decided', 'decided', 'decided']);
  });

  it('keeps a batch request whole, and sends one that is larger than a statement alone', async () => {
    const { batcher, calls, turn, add, answerAll } = setUp({ flushers: 1, queueLimit: 100 });
    const all = [
      ...add('a'),
      batcher.add(request('big', 9)),
      ...add('b'),
      batcher.add(request('pair', 2)),
      ...add('c', 'd'),
    ];
    await turn();
    await answerAll();
    expect(calls.map(call => call.names)).toEqual([['a'], ['big'], ['b', 'pair', 'c'], ['d']]);
    await Promise.all(all);
  });

  it('refuses what is beyond its bound with a time to come back, and takes more when there is room', async () => {
    const { batcher, turn, add, answerAll } = setUp({ flushers: 1, queueLimit: 3 });
    const taken = add('a', 'b', 'c');
    await expect(batcher.add(request('d'))).rejects.toMatchObject({
      code: 'overloaded',
      status: 503,
      retryAfterSeconds: 1,
    });
    expect(batcher.waiting).toBe(3);
    await turn();
    const more = batcher.add(request('e'));
    await answerAll();
    expect(await outcomes([...taken, more])).toEqual(['decided', 'decided', 'decided', 'decided']);
  });

  it('gives each its own answer when one of them breaks the statement', async () => {
    const { calls, turn, add, answerAll } = setUp({ flushers: 1 }, names => {
      if (names.includes('bad')) throw new Error('broken by bad');
    });
    const all = add('a', 'bad', 'b');
    await turn();
    await answerAll();
    expect(await outcomes(all)).toEqual(['decided', 'broken by bad', 'decided']);
    expect(calls.map(call => call.names)).toEqual([['a', 'bad', 'b'], ['a'], ['bad'], ['b']]);
  });

  it('answers all alike while the database is away, and asks it once', async () => {
    const { calls, turn, add, answerAll } = setUp({ flushers: 1 }, () => {
      throw away();
    });
    const all = add('a', 'b');
    await turn();
    await answerAll();
    expect(await outcomes(all)).toEqual(['database-unavailable', 'database-unavailable']);
    expect(calls).toHaveLength(1);
  });

  it('goes around a locked balance: the others are answered, who needs it waits and holds up nobody', async () => {
    let held = true;
    const { batcher, calls, turn, add, answerAll } = setUp({ flushers: 1 }, (names, { skipLocked }) => {
      if (!held || !names.includes('needs')) return undefined;
      if (!skipLocked) throw locked();
      return names.map((each): PostResult => (each === 'needs' ? { state: 'busy' } : decided(request(each))));
    });
    const [a, needs, b] = add('a', 'needs', 'b');
    await turn();
    expect(calls[0]!.waiting).toEqual({ skipLocked: false, lockTimeout: 50 });
    calls[0]!.answer();
    await turn();
    calls[1]!.answer();
    expect(await outcomes([a!, b!])).toEqual(['decided', 'decided']);
    await turn();
    // It waits as long as the connection does; new requests go on meanwhile.
    expect(calls[2]).toMatchObject({ names: ['needs'], waiting: { skipLocked: false, lockTimeout: null } });
    const c = batcher.add(request('c'));
    await turn();
    calls[3]!.answer();
    expect(await outcomes([c])).toEqual(['decided']);
    let idle = false;
    const ended = batcher.idle().then(() => (idle = true));
    await turn();
    expect(idle).toBe(false);
    held = false;
    calls[2]!.answer();
    expect(await outcomes([needs!])).toEqual(['decided']);
    await ended;
    await answerAll();
  });

  it('tells who waited in vain for a locked balance', async () => {
    const { turn, add, answerAll } = setUp({ flushers: 1 }, (names, { skipLocked }) => {
      if (!skipLocked) throw locked();
      return names.map((each): PostResult => (each === 'needs' ? { state: 'busy' } : decided(request(each))));
    });
    const all = add('a', 'needs');
    await turn();
    await answerAll();
    expect(await outcomes(all)).toEqual(['decided', 'overloaded']);
  });

  it('is idle when nothing waits or runs', async () => {
    const { batcher, turn, add, answerAll } = setUp();
    await batcher.idle();
    const [one] = add(randomUUID());
    let idle = false;
    const ended = batcher.idle().then(() => (idle = true));
    await turn();
    expect(idle).toBe(false);
    await answerAll();
    await ended;
    expect(await outcomes([one!])).toEqual(['decided']);
  });
});

import type { BoardResponse } from '@rocket/plugin-critical-paths-common';
import type { CriticalPathsApi } from '../api/CriticalPathsApi';
import { askEarly, takeEarly, takeEarlyAnswer } from './earlyBoard';

const board = { rows: [] } as unknown as BoardResponse;
const getBoard = jest.fn();
const api = { getBoard } as unknown as CriticalPathsApi;
const identity = {
  getBackstageIdentity: async () => ({
    type: 'user' as const,
    userEntityRef: 'user:default/ann',
    ownershipEntityRefs: [],
  }),
};

describe('the board that is asked for early', () => {
  beforeEach(() => getBoard.mockReset());
  afterEach(() => {
    jest.useRealTimers();
    globalThis.rocketEarlyBoard = undefined;
  });

  it('is given once, for the window that it was asked for', async () => {
    getBoard.mockResolvedValue(board);
    askEarly(api, identity, '24h');
    await expect(takeEarly('24h')).resolves.toBe(board);
    expect(takeEarly('24h')).toBeUndefined();
    askEarly(api, identity, '24h');
    expect(takeEarly('7d')).toBeUndefined();
  });

  it('is there from the start once it has come, and is given once', async () => {
    getBoard.mockResolvedValue(board);
    askEarly(api, identity, '24h');
    expect(takeEarlyAnswer('24h')).toBeUndefined();
    await getBoard.mock.results[0].value;
    expect(takeEarlyAnswer('7d')).toBeUndefined();
    expect(takeEarlyAnswer('24h')).toBe(board);
    expect(takeEarlyAnswer('24h')).toBeUndefined();
    expect(takeEarly('24h')).toBeUndefined();
  });

  it('is not given when it is old', async () => {
    jest.useFakeTimers();
    getBoard.mockResolvedValue(board);
    askEarly(api, identity, '24h');
    await getBoard.mock.results[0].value;
    jest.advanceTimersByTime(15_001);
    expect(takeEarlyAnswer('24h')).toBeUndefined();
    expect(takeEarly('24h')).toBeUndefined();
  });

  it('fails for whoever takes it, and for nobody else', async () => {
    getBoard.mockRejectedValue(new Error('away'));
    askEarly(api, identity, '24h');
    await expect(takeEarly('24h')).rejects.toThrow('away');
    askEarly(api, identity, '24h');
  });

  describe('by the index page', () => {
    const other = { rows: ['of the page'] } as unknown as BoardResponse;
    const asked = (
      change: {
        window?: string;
        ageMs?: number;
        userEntityRef?: string;
        fails?: boolean;
      } = {},
    ) => {
      globalThis.rocketEarlyBoard = {
        window: change.window ?? '24h',
        at: Date.now() - (change.ageMs ?? 0),
        board: change.fails
          ? Promise.reject(new Error('401'))
          : Promise.resolve({
              userEntityRef: change.userEntityRef ?? 'user:default/ann',
              answer: other,
            }),
      };
      globalThis.rocketEarlyBoard.board.catch(() => {});
    };

    it('is not asked for again', async () => {
      asked();
      askEarly(api, identity, '24h');
      await expect(takeEarly('24h')).resolves.toBe(other);
      expect(getBoard).not.toHaveBeenCalled();
      expect(globalThis.rocketEarlyBoard).toBeUndefined();
    });

    it.each([
      ['for another window', { window: '7d' }],
      ['too long ago', { ageMs: 15_001 }],
      ['for somebody else', { userEntityRef: 'user:default/bob' }],
      ['in vain', { fails: true }],
    ])('is asked for again when that was %s', async (_, change) => {
      getBoard.mockResolvedValue(board);
      asked(change);
      askEarly(api, identity, '24h');
      await expect(takeEarly('24h')).resolves.toBe(board);
      expect(getBoard).toHaveBeenCalledTimes(1);
    });

    it('waits until somebody is signed in', async () => {
      getBoard.mockResolvedValue(board);
      let signIn: (userEntityRef: string) => void = () => {};
      const later = new Promise<string>(resolve => {
        signIn = resolve;
      });
      asked();
      askEarly(
        api,
        {
          getBackstageIdentity: async () => ({
            ...(await identity.getBackstageIdentity()),
            userEntityRef: await later,
          }),
        },
        '24h',
      );
      const taken = takeEarly('24h');
      signIn('user:default/bob');
      await expect(taken).resolves.toBe(board);
    });
  });
});

import type { BoardResponse } from '@rocket/plugin-critical-paths-common';
import type { CriticalPathsApi } from '../api/CriticalPathsApi';
import { askEarly, takeEarly } from './earlyBoard';

const board = { rows: [] } as unknown as BoardResponse;
const getBoard = jest.fn();
const api = { getBoard } as unknown as CriticalPathsApi;

describe('the board that is asked for early', () => {
  afterEach(() => jest.useRealTimers());

  it('is given once, for the window that it was asked for', async () => {
    getBoard.mockResolvedValue(board);
    askEarly(api, '24h');
    await expect(takeEarly('24h')).resolves.toBe(board);
    expect(takeEarly('24h')).toBeUndefined();
    askEarly(api, '24h');
    expect(takeEarly('7d')).toBeUndefined();
  });

  it('is not given when it is old', () => {
    jest.useFakeTimers();
    getBoard.mockResolvedValue(board);
    askEarly(api, '24h');
    jest.advanceTimersByTime(5_001);
    expect(takeEarly('24h')).toBeUndefined();
  });

  it('fails for whoever takes it, and for nobody else', async () => {
    getBoard.mockRejectedValue(new Error('away'));
    askEarly(api, '24h');
    await expect(takeEarly('24h')).rejects.toThrow('away');
    askEarly(api, '24h');
  });
});

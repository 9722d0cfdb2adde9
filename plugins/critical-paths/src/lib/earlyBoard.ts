import type {
  BoardResponse,
  BoardWindow,
} from '@rocket/plugin-critical-paths-common';
import type { CriticalPathsApi } from '../api/CriticalPathsApi';

/** Older answers are asked for again, as any other. */
const FRESH_MS = 5_000;

let early:
  | { window: BoardWindow; board: Promise<BoardResponse>; at: number }
  | undefined;

/**
 * Asks for the board as soon as somebody is signed in, while the page that
 * shows it is still being put together.
 */
export function askEarly(api: CriticalPathsApi, window: BoardWindow): void {
  const board = api.getBoard({ window });
  // Whoever takes it sees the failure; if nobody does, it is of no interest.
  board.catch(() => {});
  early = { window, board, at: Date.now() };
}

/** The board that was asked for early, once and while it is fresh. */
export function takeEarly(
  window: BoardWindow,
): Promise<BoardResponse> | undefined {
  const taken = early;
  early = undefined;
  return taken?.window === window && Date.now() - taken.at < FRESH_MS
    ? taken.board
    : undefined;
}

import type { IdentityApi } from '@backstage/frontend-plugin-api';
import type {
  BoardResponse,
  BoardWindow,
} from '@rocket/plugin-critical-paths-common';
import type { CriticalPathsApi } from '../api/CriticalPathsApi';

/** Older answers are asked for again, as any other: the time between two reads of a board. */
const FRESH_MS = 15_000;

/** What the index page has asked for already (`public/early.js` of the portal), where it does. */
interface PageBoard {
  window: string;
  /** When it was asked for, milliseconds since 1970. */
  at: number;
  /** Fails where that user may not sign in or see the board. */
  board: Promise<{
    /** Who was signed in for it. */
    userEntityRef: string;
    answer: BoardResponse;
  }>;
}

declare global {
  // eslint-disable-next-line no-var
  var rocketEarlyBoard: PageBoard | undefined;
}

let early:
  | { window: BoardWindow; board: Promise<BoardResponse>; at: number }
  | undefined;

/** The board that the index page has asked for, if it did so for this reader. */
async function fromPage(
  page: PageBoard,
  identity: Pick<IdentityApi, 'getBackstageIdentity'>,
): Promise<BoardResponse | undefined> {
  try {
    const [{ userEntityRef, answer }, reader] = await Promise.all([
      page.board,
      identity.getBackstageIdentity(),
    ]);
    return userEntityRef === reader.userEntityRef ? answer : undefined;
  } catch {
    // The portal's own request says what is wrong.
    return undefined;
  }
}

/**
 * Asks for the board as soon as somebody is signed in, while the page that
 * shows it is still being put together; takes the index page's answer where it
 * is the same one.
 */
export function askEarly(
  api: CriticalPathsApi,
  identity: Pick<IdentityApi, 'getBackstageIdentity'>,
  window: BoardWindow,
): void {
  const page = globalThis.rocketEarlyBoard;
  globalThis.rocketEarlyBoard = undefined;
  const ask = () => api.getBoard({ window });
  const isSame = page?.window === window && Date.now() - page.at < FRESH_MS;
  const board = isSame
    ? fromPage(page, identity).then(answer => answer ?? ask())
    : ask();
  // Whoever takes it sees the failure; if nobody does, it is of no interest.
  board.catch(() => {});
  early = { window, board, at: isSame ? page.at : Date.now() };
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

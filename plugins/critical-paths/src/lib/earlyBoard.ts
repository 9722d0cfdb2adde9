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

interface EarlyBoard {
  window: BoardWindow;
  at: number;
  board: Promise<BoardResponse>;
  /** Once it is there. */
  answer?: BoardResponse;
}

let early: EarlyBoard | undefined;

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
  const asked: EarlyBoard = {
    window,
    at: isSame ? page.at : Date.now(),
    board,
  };
  board.then(
    answer => {
      asked.answer = answer;
    },
    () => {
      // Whoever takes it sees the failure; if nobody does, it is of no interest.
    },
  );
  early = asked;
}

const isFresh = (found: EarlyBoard | undefined, window: BoardWindow) =>
  found?.window === window && Date.now() - found.at < FRESH_MS;

/** The board that was asked for early, once and while it is fresh. */
export function takeEarly(
  window: BoardWindow,
): Promise<BoardResponse> | undefined {
  const taken = early;
  early = undefined;
  return isFresh(taken, window) ? taken?.board : undefined;
}

/** The same where it has come already: the page shows it from the start, and nobody takes it again. */
export function takeEarlyAnswer(
  window: BoardWindow,
): BoardResponse | undefined {
  const answer = isFresh(early, window) ? early?.answer : undefined;
  if (answer) {
    early = undefined;
  }
  return answer;
}

import type { AuthService } from '@backstage/backend-plugin-api';
import type { BoardWindow } from '@rocket/plugin-critical-paths-common';
import type { Bodies } from './Bodies';
import { pageRequest } from './pages';
import type { PathService } from './PathService';

/** Pages are kept ready for this long after somebody looked at the board they are reached from. */
const KEEP_MS = 600_000;
/** A page that is older than this is made again. */
const REMAKE_AFTER_MS = 40_000;
/** Pause between two pages, so that whoever asks now comes first. */
const PAUSE_MS = 5;
/** Pause between two rounds. */
const ROUND_MS = 15_000;

/**
 * Makes the pages of all paths ahead, over the windows that people look at
 * boards of: the next click is a page. A page of ten applications takes some ten
 * milliseconds, so that many at once would wait for each other.
 */
export class PageWarmer {
  readonly #service: PathService;
  readonly #pages: Bodies;
  readonly #auth: AuthService;
  readonly #lastAsked = new Map<BoardWindow, number>();
  #running = false;

  constructor(options: {
    service: PathService;
    pages: Bodies;
    auth: AuthService;
  }) {
    this.#service = options.service;
    this.#pages = options.pages;
    this.#auth = options.auth;
  }

  /** Notes that somebody looks at the board over this window. */
  touch(window: BoardWindow): void {
    this.#lastAsked.set(window, Date.now());
    if (!this.#running) {
      this.#running = true;
      this.#run().finally(() => {
        this.#running = false;
      });
    }
  }

  async #run(): Promise<void> {
    while (this.#lastAsked.size > 0) {
      for (const [window, at] of this.#lastAsked) {
        if (Date.now() - at > KEEP_MS) {
          this.#lastAsked.delete(window);
        } else {
          try {
            await this.#round(window);
          } catch {
            // The database or the catalog is away: whoever asks for a page is told.
          }
        }
      }
      await pause(ROUND_MS);
    }
  }

  async #round(window: BoardWindow): Promise<void> {
    // The plugin itself sees everything, as most callers do; who does not has pages of their own.
    const credentials = await this.#auth.getOwnServiceCredentials();
    const { rows } = await this.#service.board(window, {}, credentials);
    for (const { entityRef } of rows) {
      const made = await this.#pages.warm(
        await pageRequest(this.#service, entityRef, window, credentials),
        REMAKE_AFTER_MS,
      );
      if (made) {
        await pause(PAUSE_MS);
      }
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms).unref();
  });
}

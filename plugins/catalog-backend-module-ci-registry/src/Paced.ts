/**
 * Runs a piece of work when it is asked for: at once when it rested. During a burst of asking it waits for a pause in it, though never
 * longer than `maxWaitMs`, or `maxCrowdWaitMs` while a crowd asks, so that a thousand pushes cost a few large rounds instead of hundreds of small ones, and accepting them comes
 * first. Whoever asks is served by a run that starts after the asking.
 */
export class Paced {
  readonly #work: () => Promise<void>;
  readonly #gapMs: number;
  readonly #maxWaitMs: number;
  readonly #maxCrowdWaitMs: number;
  #asked = false;
  #crowd = false;
  #lastAsked = 0;
  #running = false;
  #stopped = false;
  #endGap?: () => void;

  constructor(options: {
    /** Handles its own errors. */
    work: () => Promise<void>;
    /** A pause in the asking, and the least time between two runs. */
    gapMs: number;
    maxWaitMs: number;
    maxCrowdWaitMs: number;
  }) {
    this.#work = options.work;
    this.#gapMs = options.gapMs;
    this.#maxWaitMs = options.maxWaitMs;
    this.#maxCrowdWaitMs = options.maxCrowdWaitMs;
  }

  /** Returns at once. `crowd`: many more are about to ask. */
  ask({ crowd = false } = {}): void {
    this.#asked = true;
    this.#crowd = crowd;
    this.#lastAsked = Date.now();
    if (!this.#running && !this.#stopped) {
      this.#run();
    }
  }

  /** Nothing starts any more; what runs is not waited for. */
  stop(): void {
    this.#stopped = true;
    this.#endGap?.();
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#asked && !this.#stopped) {
      this.#asked = false;
      await this.#work();
      const since = Date.now();
      do {
        await this.#gap();
      } while (
        !this.#stopped &&
        Date.now() - this.#lastAsked < this.#gapMs &&
        Date.now() - since <
          (this.#crowd ? this.#maxCrowdWaitMs : this.#maxWaitMs)
      );
    }
    this.#running = false;
  }

  #gap(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, this.#gapMs);
      timer.unref();
      this.#endGap = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

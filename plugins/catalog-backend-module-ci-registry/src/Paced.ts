/**
 * Runs a piece of work when it is asked for: at once when it rested. During a burst of asking it waits for a pause in it, though never
 * longer than `maxWaitMs`, or `maxDenseWaitMs` while the asking is dense, so that a thousand pushes cost a few large rounds instead of hundreds of small ones, and accepting them comes
 * first. Whoever asks is served by a run that starts after the asking.
 */
export class Paced {
  readonly #work: () => Promise<void>;
  readonly #gapMs: number;
  readonly #maxWaitMs: number;
  readonly #maxDenseWaitMs: number;
  readonly #densePerGap: number;
  #asked = false;
  #askedInGap = 0;
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
    maxDenseWaitMs: number;
    /** Askings in `gapMs` from which on they are dense. */
    densePerGap: number;
  }) {
    this.#work = options.work;
    this.#gapMs = options.gapMs;
    this.#maxWaitMs = options.maxWaitMs;
    this.#maxDenseWaitMs = options.maxDenseWaitMs;
    this.#densePerGap = options.densePerGap;
  }

  /** Returns at once. `times` is for those who ask together. */
  ask(times = 1): void {
    this.#asked = true;
    this.#askedInGap += times;
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
      let maxWaitMs: number;
      do {
        this.#askedInGap = 0;
        await this.#gap();
        maxWaitMs =
          this.#askedInGap < this.#densePerGap
            ? this.#maxWaitMs
            : this.#maxDenseWaitMs;
      } while (
        !this.#stopped &&
        Date.now() - this.#lastAsked < this.#gapMs &&
        Date.now() - since < maxWaitMs
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

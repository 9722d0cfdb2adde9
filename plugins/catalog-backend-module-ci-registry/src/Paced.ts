/**
 * Runs a piece of work when it is asked for: at once when it rested, and during a burst of asking once in `gapMs`, so that a thousand
 * pushes cost a few large rounds instead of hundreds of small ones. Whoever asks is served by a run that starts after the asking.
 */
export class Paced {
  readonly #work: () => Promise<void>;
  readonly #gapMs: number;
  #asked = false;
  #running = false;
  #stopped = false;
  #endGap?: () => void;

  /** `work` handles its own errors. */
  constructor(options: { work: () => Promise<void>; gapMs: number }) {
    this.#work = options.work;
    this.#gapMs = options.gapMs;
  }

  /** Returns at once. */
  ask(): void {
    this.#asked = true;
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
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, this.#gapMs);
        timer.unref();
        this.#endGap = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#running = false;
  }
}

/**
 * Asks many questions at once. What is asked while a round is under way waits for the next one, so that a crowd of callers costs few
 * rounds, and a single caller waits for nobody.
 */
export class Together<Question, Answer> {
  readonly #ask: (questions: Question[]) => Promise<Answer[]>;
  #waiting: {
    question: Question;
    resolve: (answer: Answer) => void;
    reject: (error: unknown) => void;
  }[] = [];
  #busy = false;

  /** `ask` answers in the order of the questions; when it throws, all of them fail. */
  constructor(ask: (questions: Question[]) => Promise<Answer[]>) {
    this.#ask = ask;
  }

  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      if (!this.#busy) this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#busy = true;
    // Those of the same moment come along.
    await new Promise(resolve => setImmediate(resolve));
    while (this.#waiting.length) {
      const asking = this.#waiting;
      this.#waiting = [];
      try {
        const answers = await this.#ask(asking.map(({ question }) => question));
        asking.forEach(({ resolve }, index) => resolve(answers[index]));
      } catch (error) {
        asking.forEach(({ reject }) => reject(error));
      }
    }
    this.#busy = false;
  }
}

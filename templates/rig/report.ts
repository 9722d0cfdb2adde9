/** Counting checks, and the few assertions that they are written with. */
import { isDeepStrictEqual } from 'node:util';

export class Report {
  passed = 0;
  /** Name and reason of each failed check. */
  readonly failures: { name: string; reason: string }[] = [];
  /** Name of what this machine could not try, and why. */
  readonly omitted: { name: string; reason: string }[] = [];
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void = () => {}) {
    this.#write = write;
  }

  /** Runs one check; what it throws is its failure. True if it passed. */
  async check(name: string, test: () => unknown): Promise<boolean> {
    try {
      await test();
      this.passed += 1;
      this.#write(`ok   ${name}\n`);
      return true;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.failures.push({ name, reason });
      this.#write(`FAIL ${name}\n     ${reason.split('\n').join('\n     ')}\n`);
      return false;
    }
  }

  /** Says, now and at the end, that something was not tried. */
  notRun(name: string, reason: string): void {
    this.omitted.push({ name, reason });
    this.#write(`NOT RUN ${name}\n     ${reason}\n`);
  }

  note(text: string): void {
    this.#write(`     ${text}\n`);
  }
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

export function equal(actual: unknown, expected: unknown, what: string): void {
  assert(
    isDeepStrictEqual(actual, expected),
    `${what} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`,
  );
}

import { inspect } from 'node:util';

const MASK = '[redacted]';

/** Holds an API key so that printing, logging or serialising it shows nothing. */
export class SecretKey {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The key itself, for the request header and nothing else. */
  reveal(): string {
    return this.#value;
  }

  /** The text with each occurrence of the key masked. */
  redact(text: string): string {
    return text.replaceAll(this.#value, MASK);
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}

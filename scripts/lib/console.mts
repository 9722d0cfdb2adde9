import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

const bold = (text: string) =>
  process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text;
const red = (text: string) =>
  process.stderr.isTTY ? `\x1b[31m${text}\x1b[0m` : text;

/** One line of what is being done. */
export function say(text: string): void {
  console.log(`${bold('rocket')}  ${text}`);
}

/** An end with a reason and the way out; `hints` are printed below it. */
export class Failure extends Error {
  readonly hints: string[];
  constructor(message: string, ...hints: string[]) {
    super(message);
    this.hints = hints;
  }
}

export function printFailure(error: unknown): void {
  const text =
    error instanceof Failure
      ? error.message
      : String((error as Error)?.stack ?? error);
  console.error(`${bold('rocket')}  ${red(text)}`);
  for (const hint of error instanceof Failure ? error.hints : [])
    console.error(`        ${hint}`);
}

/** A log file that is started anew, its folder made when needed. */
export function openLog(file: string) {
  mkdirSync(dirname(file), { recursive: true });
  return createWriteStream(file, { flags: 'w' });
}

export function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}

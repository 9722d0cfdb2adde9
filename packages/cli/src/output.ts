import type { Problem } from './catalog/problems';

/** Longest line for people; a server's answer may be of any length. */
const MAX_LINE = 2_000;

/** Values in the environment that never belong in a log. */
const SECRET_VARIABLES = [
  'ROCKET_TOKEN',
  'ROCKET_ID_TOKEN',
  'ACTIONS_ID_TOKEN_REQUEST_TOKEN',
  'CI_JOB_TOKEN',
  'GITHUB_TOKEN',
];

/**
 * Where a command says what it does. For people: lines on stdout, warnings and errors on stderr. With `--json`: one JSON object on
 * stdout at the end, everything else on stderr. Known secrets are replaced by `***` wherever they turn up.
 */
export class Output {
  readonly json: boolean;
  readonly #write: { out(text: string): void; err(text: string): void };
  readonly #secrets = new Set<string>();
  readonly #warnings: string[] = [];
  readonly #annotate: boolean;

  constructor(options: {
    json: boolean;
    env: Record<string, string | undefined>;
    out(text: string): void;
    err(text: string): void;
  }) {
    this.json = options.json;
    this.#write = options;
    this.#annotate = options.env.GITHUB_ACTIONS === 'true';
    for (const name of SECRET_VARIABLES) this.hide(options.env[name]);
  }

  /** From now on the value is never shown. Short values are no secrets, and replacing them would garble the text. */
  hide(secret: string | undefined): void {
    if (secret && secret.length >= 6) this.#secrets.add(secret);
  }

  clean(text: string): string {
    let shown = text;
    for (const secret of this.#secrets) shown = shown.replaceAll(secret, '***');
    // Credentials in an address are secrets nobody announced.
    return shown.replace(/([a-z][a-z0-9+.-]*:\/\/)[^/\s@]+@/gi, '$1***@');
  }

  info(line: string): void {
    const text = `${this.#line(line)}\n`;
    if (this.json) this.#write.err(text);
    else this.#write.out(text);
  }

  warn(line: string): void {
    this.#warnings.push(this.#line(line));
    this.#write.err(`warning: ${this.#line(line)}\n`);
  }

  error(line: string): void {
    this.#write.err(`error: ${this.#line(line)}\n`);
  }

  /** One problem of a file as compilers write it; GitHub also gets it as an annotation. */
  problem(problem: Problem): void {
    const place = `${problem.file}:${problem.line}:${problem.column}`;
    const text = this.#line(
      `${place}: ${problem.severity}: ${problem.message} [${problem.rule}]`,
    );
    if (this.json) this.#write.err(`${text}\n`);
    else this.#write.out(`${text}\n`);
    if (this.#annotate && !this.json) {
      const data = (value: string) =>
        value
          .replaceAll('%', '%25')
          .replaceAll('\r', '%0D')
          .replaceAll('\n', '%0A');
      const property = (value: string) =>
        data(value).replaceAll(':', '%3A').replaceAll(',', '%2C');
      this.#write.out(
        `::${problem.severity} file=${property(problem.file)},line=${
          problem.line
        },col=${problem.column}::${data(this.clean(problem.message))}\n`,
      );
    }
  }

  /** Text on stdout as it is, but for secrets. */
  raw(text: string): void {
    this.#write.out(this.clean(text));
  }

  /** The machine-readable result; last. */
  result(result: object): void {
    if (!this.json) return;
    const whole = { ...result, warnings: this.#warnings };
    this.#write.out(
      `${JSON.stringify(whole, (_, value) =>
        typeof value === 'string' ? this.clean(value) : value,
      )}\n`,
    );
  }

  /** Text of another machine cannot move the cursor, colour the log or start a workflow command. */
  #line(line: string): string {
    const text = this.clean(line)
      // eslint-disable-next-line no-control-regex
      .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
      .replace(/^\s*::/, ' : :');
    return text.length > MAX_LINE ? `${text.slice(0, MAX_LINE)}…` : text;
  }
}

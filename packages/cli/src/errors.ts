/** What the process ends with; part of the interface, see README.md. */
export const EXIT = {
  ok: 0,
  /** `validate` found errors, or `gate` says no. */
  problems: 1,
  /** The call is wrong: an unknown option, a missing variable. */
  usage: 2,
  /** A file cannot be used: missing, too large, broken. */
  input: 3,
  /** The portal refused; trying again changes nothing. */
  refused: 4,
  /** The portal is away, and nothing was queued. */
  away: 5,
  /** A mistake of rocket-ci itself. */
  internal: 70,
} as const;

/** Ends the command with a message for people. */
export class CiError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.name = 'CiError';
    this.exitCode = exitCode;
  }
}

/** The call cannot be carried out as it was written. */
export class UsageError extends CiError {
  constructor(message: string) {
    super(message, EXIT.usage);
  }
}

/** A file cannot be used; the message begins with its name. */
export class InputFileError extends CiError {
  readonly file: string;

  constructor(file: string, problem: string) {
    super(`${file}: ${problem}`, EXIT.input);
    this.file = file;
  }
}

/** The portal said no. */
export class RefusedError extends CiError {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message, EXIT.refused);
    this.status = status;
  }
}

/** Nobody answered, or only to say that it is a bad moment. */
export class AwayError extends CiError {
  constructor(message: string) {
    super(message, EXIT.away);
  }
}

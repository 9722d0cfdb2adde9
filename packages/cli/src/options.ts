import { parseArgs } from 'node:util';
import { UsageError } from './errors';

type Option = {
  type: 'string' | 'boolean';
  multiple?: boolean;
  /** What stands after the name in the help. */
  value?: string;
  help: string;
};
export type Options = Record<string, Option>;
export type Values = Record<string, string | boolean | string[] | undefined>;

export const GENERAL: Options = {
  json: { type: 'boolean', help: 'one JSON object on stdout, words on stderr' },
  help: { type: 'boolean', help: 'this text' },
};

export const PORTAL: Options = {
  url: { type: 'string', value: 'URL', help: "Rocket's backend; ROCKET_URL" },
  attempts: { type: 'string', value: 'N', help: 'calls at most; 5' },
  patience: {
    type: 'string',
    value: 'SECONDS',
    help: 'for all calls of one request together; 60',
  },
};

export const PUSH: Options = {
  ...PORTAL,
  repository: {
    type: 'string',
    value: 'URL',
    help: 'instead of what the CI system or Git says; ROCKET_REPOSITORY',
  },
  commit: { type: 'string', value: 'SHA', help: 'the same; ROCKET_COMMIT' },
  branch: { type: 'string', value: 'NAME', help: 'the same; ROCKET_BRANCH' },
  pipeline: { type: 'string', value: 'URL', help: 'the same; ROCKET_PIPELINE' },
  time: {
    type: 'string',
    value: 'TIME',
    help: "ISO 8601; the commit's; ROCKET_TIME",
  },
  final: {
    type: 'string',
    value: 'job|run',
    help: 'the job, or the whole run, has nothing more to say: its tokens end',
  },
  queue: {
    type: 'string',
    value: 'FILE',
    help: 'where pushes wait; ROCKET_QUEUE, or .rocket-ci/queue.ndjson',
  },
  'when-away': {
    type: 'string',
    value: 'queue|fail',
    help: 'while the portal is away; queue',
  },
  'best-effort': {
    type: 'boolean',
    help: 'what only the portal could want never fails the step: it warns',
  },
  'dry-run': { type: 'boolean', help: 'show what would be sent; send nothing' },
};

/** Parses the arguments of one command; UsageError says what is wrong with them. */
export function parseOptions(
  args: string[],
  options: Options,
): { values: Values; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: Object.fromEntries(
        Object.entries(options).map(([name, { type, multiple }]) => [
          name,
          { type, ...(multiple ? { multiple } : {}) },
        ]),
      ),
      allowPositionals: true,
      strict: true,
    });
    return { values: { ...values } as Values, positionals };
  } catch (error) {
    throw new UsageError((error as Error).message.split('\n')[0]);
  }
}

/** A whole number of an option. */
export function numberOf(
  values: Values,
  name: string,
  fallback: number,
): number {
  const text = values[name];
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 3600)
    throw new UsageError(
      `--${name} must be a whole number from 1 to 3600, was ${JSON.stringify(
        text,
      )}`,
    );
  return value;
}

/** One of several words. */
export function choiceOf<T extends string>(
  values: Values,
  name: string,
  allowed: readonly T[],
): T | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  if (!allowed.includes(text as T))
    throw new UsageError(
      `--${name} must be one of ${allowed.join(', ')}, was ${JSON.stringify(
        text,
      )}`,
    );
  return text as T;
}

export function textOf(values: Values, name: string): string | undefined {
  return values[name] as string | undefined;
}

export function listOf(values: Values, name: string): string[] {
  return (values[name] as string[] | undefined) ?? [];
}

/** Lines of the help, one for each option. */
export function describeOptions(options: Options): string[] {
  return Object.entries(options).map(([name, { value, help }]) =>
    `  --${name}${value ? ` ${value}` : ''}`.padEnd(30).concat(` ${help}`),
  );
}

import * as deployCommand from './commands/deploy';
import * as flushCommand from './commands/flush';
import * as gateCommand from './commands/gate';
import * as registerCommand from './commands/register';
import * as reportCommand from './commands/report';
import * as validateCommand from './commands/validate';
import type { Call } from './context';
import { CiError, EXIT } from './errors';
import {
  describeOptions,
  GENERAL,
  type Options,
  parseOptions,
} from './options';
import { Output } from './output';
import type { Env } from './surroundings';

interface Command {
  usage: string;
  about: string;
  options: Options;
  run(call: Call): Promise<number>;
}

const COMMANDS: Record<string, Command> = {
  validate: {
    usage: 'validate [FILE|FOLDER ...]',
    about:
      'check catalog files: schema, relations, owner, critical paths, annotations',
    options: validateCommand.OPTIONS,
    run: validateCommand.validate,
  },
  register: {
    usage: 'register [FILE|FOLDER ...]',
    about: 'push the entities and API documents of the repository',
    options: registerCommand.OPTIONS,
    run: registerCommand.register,
  },
  report: {
    usage: 'report',
    about: 'report a build: coverage, tests, scans, artefacts, SBOM',
    options: reportCommand.OPTIONS,
    run: reportCommand.report,
  },
  deploy: {
    usage: 'deploy start|finish',
    about: 'record a deployment',
    options: deployCommand.OPTIONS,
    run: deployCommand.deploy,
  },
  gate: {
    usage: 'gate',
    about: 'ask whether a deployment should go on',
    options: gateCommand.OPTIONS,
    run: gateCommand.gate,
  },
  flush: {
    usage: 'flush',
    about: 'send what waits in the queue file',
    options: flushCommand.OPTIONS,
    run: flushCommand.flush,
  },
};

/** What a command sees of the machine. */
export interface Machine {
  cwd: string;
  env: Env;
  out(text: string): void;
  err(text: string): void;
  now(): Date;
  version: string;
}

function help(name?: string): string {
  const command = name === undefined ? undefined : COMMANDS[name];
  if (!command)
    return [
      'rocket-ci tells Rocket what a pipeline did, and asks it.',
      '',
      ...Object.values(COMMANDS).map(
        ({ usage, about }) => `  rocket-ci ${usage.padEnd(28)} ${about}`,
      ),
      '',
      'rocket-ci COMMAND --help lists the options.',
      'Exit codes: 0 done, 1 errors found or deployment blocked, 2 wrong call, 3 a file cannot be used,',
      '4 refused by the portal, 5 portal away, 70 a mistake of rocket-ci.',
      '',
    ].join('\n');
  return [
    `rocket-ci ${command.usage}`,
    `  ${command.about}`,
    '',
    ...describeOptions({ ...command.options, ...GENERAL }),
    '',
  ].join('\n');
}

/** Runs one call and gives its exit code. Never throws. */
export async function run(argv: string[], machine: Machine): Promise<number> {
  const [name, ...args] = argv;
  const output = new Output({ json: args.includes('--json'), ...machine });
  try {
    if (name === '--version') {
      machine.out(`${machine.version}\n`);
      return EXIT.ok;
    }
    if (name === undefined || name === 'help' || name === '--help') {
      machine.out(help(args[0]));
      return name === undefined ? EXIT.usage : EXIT.ok;
    }
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!command) {
      machine.err(
        `error: There is no command ${output.clean(name)}.\n\n${help()}`,
      );
      return EXIT.usage;
    }
    const { values, positionals } = parseOptions(args, {
      ...command.options,
      ...GENERAL,
    });
    if (values.help) {
      machine.out(help(name));
      return EXIT.ok;
    }
    const { cwd, env } = machine;
    return await command.run({
      cwd,
      env,
      values,
      positionals,
      output,
      now: () => machine.now(),
    });
  } catch (error) {
    const known = error instanceof CiError;
    const message = known
      ? error.message
      : `rocket-ci made a mistake: ${(error as Error)?.stack ?? error}`;
    output.error(message);
    const exitCode = known ? error.exitCode : EXIT.internal;
    output.result({ ok: false, exitCode, error: message });
    return exitCode;
  }
}

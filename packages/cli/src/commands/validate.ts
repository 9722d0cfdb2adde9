import { checkCatalog } from '../catalog/check';
import { collect } from '../catalog/collect';
import { portalProblems } from '../catalog/portalProblems';
import type { Problem } from '../catalog/problems';
import { formatRef, parseRef } from '../catalog/refs';
import {
  type Call,
  openPortal,
  portalUrl,
  rootOf,
  surroundingsOf,
} from '../context';
import {
  AwayError,
  EXIT,
  InputFileError,
  RefusedError,
  UsageError,
} from '../errors';
import { readBounded } from '../files';
import { Git } from '../git';
import { hasIdentity } from '../identity';
import { choiceOf, listOf, type Options, PUSH, textOf } from '../options';

const {
  final: _final,
  queue: _queue,
  'best-effort': _best,
  'dry-run': _dry,
  ...SOURCE
} = PUSH;

export const OPTIONS: Options = {
  ...SOURCE,
  offline: { type: 'boolean', help: 'do not ask the portal' },
  portal: {
    type: 'boolean',
    help: 'the portal has to be asked; without it, it is asked when ROCKET_URL and an identity are there',
  },
  known: {
    type: 'string',
    value: 'FILE',
    help: 'refs that exist elsewhere, one a line; all others must be in the repository',
  },
  require: {
    type: 'string',
    multiple: true,
    value: 'KIND:ANNOTATION',
    help: 'an annotation that every entity of the kind must have; repeatable',
  },
  membership: {
    type: 'string',
    value: 'off|warning|error',
    help: 'a service on no critical path; warning',
  },
  strict: { type: 'boolean', help: 'warnings count as errors' },
  'when-away': {
    type: 'string',
    value: 'warn|fail',
    help: 'while the portal is away; warn',
  },
};

function knownRefs(file: string, cwd: string): Set<string> {
  const refs = new Set<string>();
  readBounded(
    `${file.startsWith('/') ? '' : `${cwd}/`}${file}`,
    64 * 1024 * 1024,
    file,
  )
    .text()
    .split(/\r?\n/)
    .forEach((line, index) => {
      const text = line.trim();
      if (text === '' || text.startsWith('#')) return;
      const ref = parseRef(text, {});
      if (!ref)
        throw new InputFileError(
          `${file}:${index + 1}`,
          `is no entity ref such as group:default/payments: ${JSON.stringify(
            text.slice(0, 100),
          )}`,
        );
      refs.add(formatRef(ref));
    });
  return refs;
}

function requirement(text: string) {
  const match = /^([a-z][a-z0-9]*):(\S+)$/i.exec(text);
  if (!match)
    throw new UsageError(
      `--require must be KIND:ANNOTATION such as Component:backstage.io/techdocs-ref, was ${JSON.stringify(
        text,
      )}`,
    );
  return { kind: match[1].toLowerCase(), annotation: match[2] };
}

/** Checks catalog files, here and, when it can be asked, at the portal. */
export async function validate(call: Call): Promise<number> {
  const { values, output, cwd } = call;
  const whenAway =
    choiceOf(values, 'when-away', ['warn', 'fail'] as const) ?? 'warn';
  if (values.offline && values.portal)
    throw new UsageError('--offline and --portal exclude each other');
  const git = new Git(cwd);
  const root = rootOf(call, git);
  const known = textOf(values, 'known');
  const collected = collect(call.positionals, cwd, root);
  const checked = checkCatalog(collected, {
    root,
    known: known === undefined ? undefined : knownRefs(known, cwd),
    required: listOf(values, 'require').map(requirement),
    membership:
      choiceOf(values, 'membership', ['off', 'warning', 'error'] as const) ??
      'warning',
  });
  const problems = [...checked.problems];
  const broken = problems.some(problem => problem.severity === 'error');
  const wanted =
    values.portal ||
    (!values.offline && portalUrl(call) !== undefined && hasIdentity(call.env));
  let asked = false;
  if (wanted && broken) {
    output.info('The portal is not asked before these errors are gone.');
  } else if (wanted && checked.entities.length > 0) {
    try {
      const response = await openPortal(call).validate({
        source: surroundingsOf(call, git).source,
        entities: checked.entities,
      });
      asked = true;
      problems.push(
        ...portalProblems(
          response,
          checked.documents,
          checked.entities,
          collected.files[0],
        ).filter(problem => !isSaid(problem, problems)),
      );
    } catch (error) {
      const away = error instanceof AwayError && whenAway === 'warn';
      // The run of a pull request is nobody whom the portal lets ask.
      const stranger =
        error instanceof RefusedError &&
        [401, 403].includes(error.status) &&
        !values.portal;
      if (!away && !stranger) throw error;
      output.warn(
        `${(error as Error).message}; checked only what can be checked here`,
      );
    }
  }
  for (const problem of problems) output.problem(problem);
  const errors = problems.filter(p => p.severity === 'error').length;
  const warnings = problems.length - errors;
  const ok = errors === 0 && (!values.strict || warnings === 0);
  const { length } = checked.entities;
  output.info(
    `${length} ${length === 1 ? 'entity' : 'entities'} in ${
      collected.files.length
    } ${
      collected.files.length === 1 ? 'file' : 'files'
    }: ${errors} errors, ${warnings} warnings${
      asked ? '' : ' (not checked by the portal)'
    }`,
  );
  if (!asked && checked.unchecked.length > 0)
    output.info(
      `Not in this repository, and not looked up elsewhere: ${checked.unchecked
        .slice(0, 10)
        .join(', ')}${
        checked.unchecked.length > 10
          ? ` and ${checked.unchecked.length - 10} more`
          : ''
      }`,
    );
  output.result({
    ok,
    entities: length,
    files: collected.files,
    askedPortal: asked,
    errors,
    problems,
    unchecked: asked ? [] : checked.unchecked,
  });
  return ok ? EXIT.ok : EXIT.problems;
}

/** The portal often repeats what was found here. */
function isSaid(problem: Problem, said: Problem[]): boolean {
  return said.some(
    other =>
      other.file === problem.file &&
      other.line === problem.line &&
      other.field === problem.field &&
      (other.message === problem.message || other.rule === 'critical-path'),
  );
}

import { type Call, componentOf, openPortal } from '../context';
import { AwayError, EXIT, UsageError } from '../errors';
import { Git } from '../git';
import { choiceOf, type Options, PORTAL } from '../options';
import type { GateResponse } from '../types';

export const OPTIONS: Options = {
  ...PORTAL,
  component: {
    type: 'string',
    value: 'REF',
    help: "ROCKET_COMPONENT, or the repository's only component",
  },
  'when-away': {
    type: 'string',
    value: 'allow|warn|block',
    help: 'the decision while the portal is away; warn',
  },
  'warn-is': {
    type: 'string',
    value: 'allow|block',
    help: 'what a warning means for the exit code; allow',
  },
};

/** Asks whether a deployment should go on: 0 yes, 1 no. */
export async function gate(call: Call): Promise<number> {
  const { values, output } = call;
  if (call.positionals.length > 0)
    throw new UsageError(`gate takes no ${call.positionals[0]}`);
  const whenAway =
    choiceOf(values, 'when-away', ['allow', 'warn', 'block'] as const) ??
    'warn';
  const warnIs =
    choiceOf(values, 'warn-is', ['allow', 'block'] as const) ?? 'allow';
  const component = componentOf(call, new Git(call.cwd));
  let answer: GateResponse;
  try {
    answer = await openPortal(call).gate(component);
  } catch (error) {
    if (!(error instanceof AwayError)) throw error;
    answer = {
      entityRef: component,
      decision: whenAway,
      reasons: [
        {
          effect: whenAway,
          rule: 'portal-away',
          message: `${error.message}; --when-away says ${whenAway}.`,
        },
      ],
    };
  }
  const blocked =
    answer.decision === 'block' ||
    (answer.decision === 'warn' && warnIs === 'block');
  for (const reason of answer.reasons) {
    const line = `${reason.effect}: ${reason.message}`;
    if (reason.effect === 'block') output.error(line);
    else if (reason.effect === 'warn') output.warn(line);
    else output.info(line);
  }
  output.info(
    `${component}: ${answer.decision}${
      blocked && answer.decision === 'warn' ? ' (--warn-is block)' : ''
    }`,
  );
  output.result({ ok: !blocked, ...answer });
  return blocked ? EXIT.problems : EXIT.ok;
}

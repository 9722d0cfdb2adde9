import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import {
  type Call,
  componentOf,
  openPortal,
  portalUrl,
  send,
  surroundingsOf,
} from '../context';
import { CiError, InputFileError, UsageError } from '../errors';
import { readBounded } from '../files';
import { Git, isCommit } from '../git';
import { hasIdentity } from '../identity';
import { choiceOf, listOf, type Options, PUSH, textOf } from '../options';
import { writeDurably } from '../queue';
import { oneLine } from '../text';
import type { Surroundings } from '../surroundings';
import {
  type CommitReport,
  DEPLOYMENT_OUTCOMES,
  type DeploymentReport,
} from '../types';
import { artifactsOf, timeOf } from './report';

export const OPTIONS: Options = {
  ...PUSH,
  component: {
    type: 'string',
    value: 'REF',
    help: "ROCKET_COMPONENT, or the repository's only component",
  },
  environment: {
    type: 'string',
    value: 'NAME',
    help: 'ROCKET_ENVIRONMENT, or production',
  },
  id: {
    type: 'string',
    value: 'TEXT',
    help: 'of the deployment; made from pipeline, environment and component',
  },
  version: { type: 'string', value: 'TEXT', help: 'what people call it' },
  image: {
    type: 'string',
    multiple: true,
    value: 'NAME@DIGEST',
    help: 'what runs',
  },
  'image-file': {
    type: 'string',
    multiple: true,
    value: 'FILE',
    help: 'a file that names what runs',
  },
  'deployed-commit': {
    type: 'string',
    value: 'SHA',
    help: "the commit that runs, when it is not the pipeline's (a roll-back)",
  },
  since: {
    type: 'string',
    value: 'SHA',
    help: 'what ran before; asked of the portal, else what the CI system says',
  },
  started: { type: 'string', value: 'TIME', help: 'ISO 8601, or now' },
  finished: {
    type: 'string',
    value: 'TIME',
    help: 'ISO 8601, or now (finish)',
  },
  outcome: {
    type: 'string',
    value: DEPLOYMENT_OUTCOMES.join('|'),
    help: 'how it ended (finish)',
  },
  reason: { type: 'string', value: 'TEXT', help: 'why it did not succeed' },
  remediates: {
    type: 'string',
    multiple: true,
    value: 'ID',
    help: 'a deployment whose failure this one makes good; repeatable',
  },
  state: {
    type: 'string',
    value: 'FILE',
    help: 'what start leaves for finish; .rocket-ci/deployment.json',
  },
  result: {
    type: 'string',
    value: 'FILE',
    help: 'JSON with outcome, reason, startedAt, finishedAt, environment, image (finish)',
  },
};

/** What a deployment script may leave for `finish --result`. */
interface Result {
  environment?: string;
  image?: string;
  startedAt?: string;
  finishedAt?: string;
  outcome?: DeploymentReport['outcome'];
  reason?: string;
}

function readJson(file: string, shown: string): any {
  const text = readBounded(file, 5 * 1024 * 1024, shown).text();
  try {
    const value = JSON.parse(text);
    if (value && typeof value === 'object' && !Array.isArray(value))
      return value;
  } catch {
    // Said below.
  }
  throw new InputFileError(shown, 'is no JSON object');
}

function readResult(call: Call): Result {
  const file = textOf(call.values, 'result');
  if (file === undefined) return {};
  const result = readJson(path.resolve(call.cwd, file), file);
  for (const field of [
    'environment',
    'image',
    'startedAt',
    'finishedAt',
    'outcome',
    'reason',
  ])
    if (result[field] !== undefined && typeof result[field] !== 'string')
      throw new InputFileError(file, `${field} must be a text`);
  for (const field of ['startedAt', 'finishedAt'])
    if (result[field] !== undefined && Number.isNaN(Date.parse(result[field])))
      throw new InputFileError(
        file,
        `${field} must be an ISO 8601 date and time`,
      );
  if (
    result.outcome !== undefined &&
    !DEPLOYMENT_OUTCOMES.includes(result.outcome)
  )
    throw new InputFileError(
      file,
      `outcome must be one of ${DEPLOYMENT_OUTCOMES.join(', ')}`,
    );
  return result;
}

function madeId(
  { source, attempt }: Surroundings,
  component: string,
  environment: string,
): string {
  const parts = [
    source.repository,
    source.pipeline ?? '',
    attempt ?? '',
    source.commit,
    component,
    environment,
  ];
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  return `${environment}-${source.commit.slice(0, 12)}-${hash.slice(0, 12)}`;
}

/** Commits that come with the deployment, as far as they can be known. */
async function commitsOf(
  call: Call,
  git: Git,
  { base, source }: Surroundings,
  component: string,
  environment: string,
): Promise<CommitReport[]> {
  const commit = textOf(call.values, 'deployed-commit') ?? source.commit;
  let since = textOf(call.values, 'since');
  if (
    since === undefined &&
    !call.values['dry-run'] &&
    portalUrl(call) &&
    hasIdentity(call.env)
  ) {
    try {
      since = await openPortal(call).lastDeployed(component, environment);
      if (since && !git.has(since))
        call.output.warn(
          `${since} ran before, and this clone does not have it; fetch the whole history, so that every commit's lead time is known`,
        );
      if (since === commit) return [];
    } catch (error) {
      if (!(error instanceof CiError)) throw error;
      call.output.warn(
        `What ran before is not known, so only the commits of this change are named: ${error.message}`,
      );
    }
  }
  return git.commits(git.has(since) ? since : base, commit);
}

function stateFile(call: Call, git: Git): { file: string; shown: string } {
  const shown = textOf(call.values, 'state');
  const root = git.root() ?? call.cwd;
  const file = shown
    ? path.resolve(call.cwd, shown)
    : path.join(root, '.rocket-ci', 'deployment.json');
  return { file, shown: shown ?? path.relative(call.cwd, file) };
}

/** Records that a deployment begins, or how it ended. */
export async function deploy(call: Call): Promise<number> {
  const [action, ...more] = call.positionals;
  if (!['start', 'finish'].includes(action) || more.length > 0)
    throw new UsageError('Say deploy start or deploy finish');
  return action === 'start' ? start(call) : finish(call);
}

async function start(call: Call): Promise<number> {
  for (const name of ['outcome', 'finished', 'reason', 'result'])
    if (call.values[name] !== undefined)
      throw new UsageError(`--${name} belongs to deploy finish`);
  const git = new Git(call.cwd);
  const around = surroundingsOf(call, git);
  const environment = environmentOf(call, {});
  const component = componentOf(call, git);
  const deployment: DeploymentReport = {
    id: textOf(call.values, 'id') ?? madeId(around, component, environment),
    component,
    environment,
    ...what(call, {}),
    startedAt: timeOf(call, 'started') ?? call.now().toISOString(),
    outcome: 'in-progress',
    ...linked(around),
  };
  const commits = await commitsOf(call, git, around, component, environment);
  if (commits.length > 0) deployment.commits = commits;
  if (!call.values['dry-run']) {
    const { file } = stateFile(call, git);
    writeDurably(file, `${JSON.stringify(deployment, null, 2)}\n`);
  }
  call.output.info(
    `deployment ${deployment.id} of ${component} to ${environment}, ${commits.length} commits`,
  );
  return send(
    call,
    git,
    { source: around.source, deployments: [deployment] },
    { id: deployment.id },
  );
}

async function finish(call: Call): Promise<number> {
  const git = new Git(call.cwd);
  const around = surroundingsOf(call, git);
  const result = readResult(call);
  const { file, shown } = stateFile(call, git);
  const begun: Partial<DeploymentReport> = existsSync(file)
    ? readJson(file, shown)
    : {};
  const outcome =
    choiceOf(call.values, 'outcome', DEPLOYMENT_OUTCOMES) ?? result.outcome;
  if (!outcome)
    throw new UsageError(
      `Say how it ended: --outcome ${DEPLOYMENT_OUTCOMES.join(
        '|',
      )}, or --result FILE`,
    );
  const environment = environmentOf(call, {
    environment: begun.environment ?? result.environment,
  });
  const component =
    textOf(call.values, 'component') === undefined && begun.component
      ? begun.component
      : componentOf(call, git);
  if (
    (begun.environment !== undefined && begun.environment !== environment) ||
    (begun.component !== undefined && begun.component !== component)
  )
    throw new UsageError(
      `${shown} is of ${begun.component} in ${begun.environment}, not of ${component} in ${environment}; name another file with --state`,
    );
  const startedAt =
    timeOf(call, 'started') ?? begun.startedAt ?? iso(result.startedAt);
  if (!startedAt)
    throw new UsageError(
      `When did it begin? There is no ${shown} of deploy start; say --started TIME or --result FILE`,
    );
  const finishedAt =
    timeOf(call, 'finished') ??
    iso(result.finishedAt) ??
    // Jobs run on machines whose clocks differ.
    new Date(
      Math.max(call.now().getTime(), Date.parse(startedAt)),
    ).toISOString();
  if (Date.parse(finishedAt) < Date.parse(startedAt))
    throw new UsageError(
      `The deployment cannot finish (${finishedAt}) before it started (${startedAt})`,
    );
  const reason = oneLine(
    textOf(call.values, 'reason') ?? result.reason ?? '',
    1000,
  );
  const commits =
    begun.commits ??
    (await commitsOf(call, git, around, component, environment));
  const deployment: DeploymentReport = {
    id:
      textOf(call.values, 'id') ??
      begun.id ??
      madeId(around, component, environment),
    component,
    environment,
    ...pick(begun, ['version', 'commit', 'digest', 'remediates']),
    ...what(call, result),
    startedAt,
    finishedAt,
    outcome,
    ...(reason ? { reason } : {}),
    ...(commits.length > 0 ? { commits } : {}),
    ...linked(around),
  };
  call.output.info(
    `deployment ${deployment.id} of ${component} to ${environment}: ${outcome}`,
  );
  return send(
    call,
    git,
    { source: around.source, deployments: [deployment] },
    { id: deployment.id },
  );
}

function iso(text: string | undefined): string | undefined {
  return text === undefined ? undefined : new Date(text).toISOString();
}

function pick<T extends object, K extends keyof T>(
  object: T,
  keys: K[],
): Partial<T> {
  return Object.fromEntries(
    keys.flatMap(key =>
      object[key] === undefined ? [] : [[key, object[key]]],
    ),
  ) as Partial<T>;
}

function environmentOf(call: Call, other: { environment?: string }): string {
  const name =
    textOf(call.values, 'environment') ||
    other.environment ||
    call.env.ROCKET_ENVIRONMENT ||
    'production';
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(name))
    throw new UsageError(
      `The environment must be letters, digits and - _ . between them, at most 63 characters, was ${JSON.stringify(
        name,
      )}`,
    );
  return name;
}

/** What is deployed. */
function what(call: Call, result: Result): Partial<DeploymentReport> {
  const images = artifactsOf(call);
  if (images.length > 1)
    throw new UsageError('A deployment is of one image; name one');
  const version = textOf(call.values, 'version');
  const commit = textOf(call.values, 'deployed-commit');
  if (commit !== undefined && !isCommit(commit))
    throw new UsageError('--deployed-commit must be a full commit id');
  const digest =
    images[0]?.digest ??
    /@(sha256:[0-9a-f]{64})$/.exec(result.image ?? '')?.[1];
  const remediates = listOf(call.values, 'remediates');
  return {
    ...(version ? { version } : {}),
    ...(commit ? { commit } : {}),
    ...(digest ? { digest } : {}),
    ...(remediates.length > 0 ? { remediates } : {}),
  };
}

function linked({ url }: Surroundings): { url?: string } {
  return url ? { url } : {};
}

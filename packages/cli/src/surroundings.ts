import { readFileSync } from 'node:fs';
import { UsageError } from './errors';
import { type Git, isCommit, withoutCredentials } from './git';
import type { PushSource } from './types';

export type Env = Record<string, string | undefined>;

/** What the pipeline says of itself. */
export interface Surroundings {
  system: 'github' | 'gitlab' | 'generic';
  source: PushSource;
  /** The commit before this change, when the system says it. */
  base?: string;
  /** A link for people. */
  url?: string;
  /** Number or id of the pull or merge request. */
  pullRequest?: string;
  /** Tells one try from the next one of the same run; a part of made-up ids. */
  attempt?: string;
}

/** What the caller says itself; it goes before what the system says. */
export interface SourceOptions {
  repository?: string;
  commit?: string;
  branch?: string;
  pipeline?: string;
  time?: string;
}

type Found = {
  system: Surroundings['system'];
  repository?: string;
  commit?: string;
  /** Empty when it is known that there is none. */
  branch?: string;
  pipeline?: string;
  base?: string;
  time?: string;
  pullRequest?: string;
  attempt?: string;
};

/** What a workflow run was started by; missing or broken, nothing is known of it. */
function githubEvent(env: Env): any {
  if (!env.GITHUB_EVENT_PATH) return {};
  try {
    return JSON.parse(readFileSync(env.GITHUB_EVENT_PATH, 'utf8')) ?? {};
  } catch {
    return {};
  }
}

function github(env: Env): Found {
  const repository = `${env.GITHUB_SERVER_URL || 'https://github.com'}/${
    env.GITHUB_REPOSITORY ?? ''
  }`;
  const event = githubEvent(env);
  const change = event.pull_request;
  const ref = env.GITHUB_REF ?? '';
  return {
    system: 'github',
    repository: env.GITHUB_REPOSITORY ? repository : undefined,
    // For a pull request this is the merge that GitHub tests, and the one that its token names.
    commit: env.GITHUB_SHA,
    // A tag is no branch.
    branch:
      env.GITHUB_REF_TYPE === 'tag'
        ? ''
        : env.GITHUB_HEAD_REF || env.GITHUB_REF_NAME,
    pipeline: env.GITHUB_RUN_ID
      ? `${repository}/actions/runs/${env.GITHUB_RUN_ID}`
      : undefined,
    base: change?.base?.sha ?? event.before,
    pullRequest: /^refs\/pull\/(\d+)\//.exec(ref)?.[1],
    attempt: env.GITHUB_RUN_ATTEMPT,
  };
}

function gitlab(env: Env): Found {
  return {
    system: 'gitlab',
    repository: env.CI_PROJECT_URL,
    commit: env.CI_COMMIT_SHA,
    branch: env.CI_COMMIT_TAG
      ? ''
      : env.CI_MERGE_REQUEST_SOURCE_BRANCH_NAME ||
        env.CI_COMMIT_BRANCH ||
        env.CI_COMMIT_REF_NAME,
    pipeline: env.CI_PIPELINE_URL,
    base: env.CI_MERGE_REQUEST_DIFF_BASE_SHA || env.CI_COMMIT_BEFORE_SHA,
    time: env.CI_COMMIT_TIMESTAMP || env.CI_PIPELINE_CREATED_AT,
    pullRequest: env.CI_MERGE_REQUEST_IID,
    attempt: env.CI_JOB_ID,
  };
}

/** Our own names, the plain ones that pipelines often set, and Jenkins' names. */
function generic(env: Env): Found {
  return {
    system: 'generic',
    repository: env.REPOSITORY_URL || env.GIT_URL,
    commit: env.COMMIT || env.GIT_COMMIT,
    branch: env.BRANCH || env.CHANGE_BRANCH || env.GIT_LOCAL_BRANCH,
    pipeline: env.PIPELINE_URL || env.BUILD_URL,
    base: env.BASE_COMMIT || env.GIT_PREVIOUS_SUCCESSFUL_COMMIT,
    pullRequest: env.CHANGE_ID,
  };
}

function detect(env: Env): Found {
  if (env.GITHUB_ACTIONS === 'true') return github(env);
  if (env.GITLAB_CI === 'true') return gitlab(env);
  return generic(env);
}

function isoTime(text: string, from: string): string {
  const time = Date.parse(text);
  if (Number.isNaN(time) || !/^\d{4}-\d\d-\d\dT/.test(text))
    throw new UsageError(
      `${from} must be an ISO 8601 date and time such as 2026-11-20T08:15:00Z, was ${JSON.stringify(
        text,
      )}`,
    );
  return new Date(time).toISOString();
}

/**
 * Finds out where the command runs: options, then `ROCKET_*` variables, then the CI system's own, then Git.
 *
 * The time of the source is that of the commit, so that running a pipeline again says the same again.
 *
 * @throws UsageError that names what is missing and how to give it.
 */
export function findSurroundings(
  env: Env,
  options: SourceOptions,
  git: Git,
  now: Date,
): Surroundings {
  const found = detect(env);
  const repository =
    options.repository ||
    env.ROCKET_REPOSITORY ||
    found.repository ||
    git.remote();
  const commit = (
    options.commit ||
    env.ROCKET_COMMIT ||
    found.commit ||
    git.head() ||
    ''
  ).toLowerCase();
  const missing: string[] = [];
  if (!repository) missing.push('--repository (or ROCKET_REPOSITORY)');
  if (!commit) missing.push('--commit (or ROCKET_COMMIT)');
  if (missing.length > 0)
    throw new UsageError(
      `Neither the CI system nor Git says where this runs; give ${missing.join(
        ' and ',
      )}`,
    );
  if (!isCommit(commit))
    throw new UsageError(
      `The commit must be a full id of 40 or 64 hexadecimal digits, was ${JSON.stringify(
        commit,
      )}`,
    );
  const branch =
    options.branch || env.ROCKET_BRANCH || (found.branch ?? git.branch());
  const pipeline =
    options.pipeline || env.ROCKET_PIPELINE || found.pipeline || undefined;
  const given = options.time || env.ROCKET_TIME;
  const time =
    (given && isoTime(given, '--time (ROCKET_TIME)')) ||
    git.time(commit) ||
    (found.time && isoTime(found.time, 'The time of the pipeline')) ||
    now.toISOString();
  const ancestors = git.ancestors(commit).slice(0, 500);
  const url = pipeline && /^https?:\/\//.test(pipeline) ? pipeline : undefined;
  return {
    system: found.system,
    source: {
      repository: withoutCredentials(repository!),
      commit,
      ...(branch ? { branch } : {}),
      ...(pipeline ? { pipeline: withoutCredentials(pipeline) } : {}),
      ...(ancestors.length > 0 ? { ancestors } : {}),
      time,
    },
    ...(isCommit(found.base) ? { base: found.base } : {}),
    ...(url ? { url: withoutCredentials(url) } : {}),
    ...(found.pullRequest ? { pullRequest: found.pullRequest } : {}),
    ...(found.attempt ? { attempt: found.attempt } : {}),
  };
}

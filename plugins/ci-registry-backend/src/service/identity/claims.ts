import {
  normalizeRepository,
  type PusherIdentity,
} from '@rocket/plugin-ci-registry-common';
import { claimText, type ClaimValues } from './patterns';
import { NotAuthenticated, quote } from './refusal';
import type { ClaimNames, IssuerSettings } from './settings';

/** What a verified token says, in our words. */
export interface TokenFacts {
  identity: PusherIdentity;
  claims: ClaimValues;
  /** Id that the Git host never gives to another repository. */
  repositoryId?: string;
  /** User or organization, and its id. */
  owner?: string;
  ownerId?: string;
  tag?: string;
  run?: string;
  /** Counts from 1: a run that is repeated has a new one. */
  attempt?: number;
  job?: string;
  event?: string;
  /** Why this run may be of code that is not the repository's own. */
  foreign?: string;
}

/** Runs of foreign code; whatever a rule says, they may not write. */
export const PULL_REQUEST_EVENTS = [
  'pull_request',
  'pull_request_target',
  'pull_request_review',
  'pull_request_review_comment',
  'merge_request_event',
  'external_pull_request_event',
];

/** Events of a Git host whose runs are of the repository's own code. */
export const DEFAULT_EVENTS: Record<string, string[] | undefined> = {
  github: [
    'push',
    'workflow_dispatch',
    'repository_dispatch',
    'schedule',
    'release',
    'merge_group',
    'deployment',
  ],
  gitlab: [
    'push',
    'web',
    'api',
    'schedule',
    'trigger',
    'pipeline',
    'parent_pipeline',
  ],
  oidc: undefined,
};

const BRANCH = /^refs\/heads\/(.+)$/;
const TAG = /^refs\/tags\/(.+)$/;

function reader(claims: ClaimValues) {
  const optional = (name: string | undefined): string | undefined => {
    if (name === undefined || !Object.hasOwn(claims, name)) return undefined;
    const value = claims[name];
    if (value === null || value === '') return undefined;
    const text = claimText(value);
    if (text === undefined || text.length > 1000) {
      throw new NotAuthenticated(
        'malformed-claim',
        `The claim ${name} of the token must be a short text`,
      );
    }
    return text;
  };
  const required = (name: string): string => {
    const text = optional(name);
    if (text === undefined) {
      throw new NotAuthenticated(
        'missing-claim',
        `The token lacks the claim ${name}`,
      );
    }
    return text;
  };
  const flag = (name: string | undefined): boolean | undefined => {
    const text = optional(name);
    if (text === undefined) return undefined;
    if (text !== 'true' && text !== 'false') {
      throw new NotAuthenticated(
        'malformed-claim',
        `The claim ${name} of the token must be true or false`,
      );
    }
    return text === 'true';
  };
  return { optional, required, flag };
}

function toRepository(url: string): string {
  try {
    return normalizeRepository(url);
  } catch (error) {
    throw new NotAuthenticated(
      'malformed-claim',
      `The repository ${quote(url)} of the token ${(error as Error).message}`,
    );
  }
}

/** Names of repositories go into URLs and are compared there; nothing else may hide in them. */
function path(value: string, claim: string): string {
  if (!/^[\w.-]+(\/[\w.-]+)+$/.test(value) || /(^|\/)\.\.?(\/|$)/.test(value)) {
    throw new NotAuthenticated(
      'malformed-claim',
      `The claim ${claim} of the token is not the path of a repository`,
    );
  }
  return value;
}

function fromGitHub(claims: ClaimValues, settings: IssuerSettings): TokenFacts {
  const { optional, required, flag } = reader(claims);
  const name = path(required('repository'), 'repository');
  const run = required('run_id');
  const ref = required('ref');
  const event = required('event_name');
  let foreign: string | undefined;
  if (PULL_REQUEST_EVENTS.includes(event) || optional('head_ref')) {
    foreign = `event_name is ${event}${
      optional('head_ref')
        ? ' and head_ref names the branch of a pull request'
        : ''
    }`;
  } else if (!BRANCH.test(ref) && !TAG.test(ref)) {
    foreign = `ref ${quote(ref)} is neither a branch nor a tag`;
  }
  required('jti');
  const attempt = Number(optional('run_attempt') ?? 1);
  return {
    identity: {
      type: 'github',
      subject: required('sub'),
      issuer: settings.issuer,
      repository: toRepository(`${settings.host}/${name}`),
      branch: ref.match(BRANCH)?.[1],
      commit: required('sha').toLowerCase(),
      pipeline: `${settings.host}/${name}/actions/runs/${run}`,
      environment: optional('environment'),
      protectedRef: flag('ref_protected'),
    },
    claims,
    repositoryId: required('repository_id'),
    owner: required('repository_owner'),
    ownerId: required('repository_owner_id'),
    tag: ref.match(TAG)?.[1],
    run,
    attempt: Number.isSafeInteger(attempt) ? attempt : 1,
    job: optional('check_run_id'),
    event,
    foreign,
  };
}

function fromGitLab(claims: ClaimValues, settings: IssuerSettings): TokenFacts {
  const { optional, required, flag } = reader(claims);
  const name = path(required('project_path'), 'project_path');
  const projectId = required('project_id');
  const run = required('pipeline_id');
  const ref = required('ref');
  const refType = required('ref_type');
  const refPath = optional('ref_path');
  const event = required('pipeline_source');
  let foreign: string | undefined;
  // Since GitLab 18.2.2 the project_… claims of a fork's merge request name the fork, the job_project_… claims of 18.3
  // the project that runs it; newer ones add source_project_….
  const elsewhere = [
    ['job_project_path', name],
    ['source_project_path', name],
    ['job_project_id', projectId],
    ['source_project_id', projectId],
  ].find(([claim, own]) => (optional(claim) ?? own) !== own);
  if (elsewhere) {
    foreign = `${elsewhere[0]} is not that of the project ${name}, as in a merge request from a fork`;
  } else if (PULL_REQUEST_EVENTS.includes(event)) {
    foreign = `pipeline_source is ${event}`;
  } else if (
    !['branch', 'tag'].includes(refType) ||
    (refPath !== undefined && !BRANCH.test(refPath) && !TAG.test(refPath))
  ) {
    foreign = `ref_path ${quote(
      refPath ?? refType,
    )} is neither a branch nor a tag`;
  }
  required('jti');
  return {
    identity: {
      type: 'gitlab',
      subject: required('sub'),
      issuer: settings.issuer,
      repository: toRepository(`${settings.host}/${name}`),
      branch: refType === 'branch' ? ref : undefined,
      commit: required('sha').toLowerCase(),
      pipeline: `${settings.host}/${name}/-/pipelines/${run}`,
      environment: optional('environment'),
      protectedRef: flag('ref_protected'),
    },
    claims,
    repositoryId: projectId,
    owner: required('namespace_path'),
    ownerId: required('namespace_id'),
    tag: refType === 'tag' ? ref : undefined,
    run,
    job: required('job_id'),
    event,
    foreign,
  };
}

function fromOther(
  claims: ClaimValues,
  settings: IssuerSettings,
  names: ClaimNames,
): TokenFacts {
  const { optional, required, flag } = reader(claims);
  const url = names.repository.replace(/\{([^{}]+)\}/g, (_, name: string) => {
    const text = required(name);
    if (!/^[\w.:/@~-]+$/.test(text) || /(^|\/)\.\.?(\/|$)/.test(text)) {
      throw new NotAuthenticated(
        'malformed-claim',
        `The claim ${name} of the token is not part of a repository's address`,
      );
    }
    return text;
  });
  const ref = optional(names.ref);
  const tag = optional(names.tag) ?? ref?.match(TAG)?.[1];
  const branch = tag
    ? undefined
    : optional(names.branch) ?? ref?.match(BRANCH)?.[1];
  const run = optional(names.run);
  return {
    identity: {
      type: 'oidc',
      subject: required('sub'),
      issuer: settings.issuer,
      repository: toRepository(url),
      branch,
      commit: optional(names.commit)?.toLowerCase(),
      pipeline: run,
      environment: optional(names.environment),
      protectedRef: flag(names.protectedRef),
    },
    claims,
    repositoryId: optional(names.repositoryId),
    tag,
    run,
    job: optional(names.job),
    event: optional(names.event),
    foreign:
      ref && !tag && !branch
        ? `${names.ref} ${quote(ref)} is neither a branch nor a tag`
        : undefined,
  };
}

/** What a verified token says; 401 when it lacks what its issuer's tokens have. */
export function readFacts(
  claims: ClaimValues,
  settings: IssuerSettings,
): TokenFacts {
  let facts: TokenFacts;
  if (settings.type === 'github') facts = fromGitHub(claims, settings);
  else if (settings.type === 'gitlab') facts = fromGitLab(claims, settings);
  else facts = fromOther(claims, settings, settings.claims!);
  if (!facts.foreign) {
    const hit = settings.refuse.find(({ claim, patterns }) => {
      const text = claimText(claims[claim]);
      return text !== undefined && patterns.some(p => p.matches(text, claims));
    });
    if (hit) {
      facts.foreign = `${hit.claim} is ${quote(claims[hit.claim])}`;
    }
  }
  return facts;
}

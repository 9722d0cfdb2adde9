/**
 * What a pipeline tells others, the same in GitHub Actions and GitLab CI.
 *
 * node scripts/ci/record.ts catalog      push the entities of catalog-info.yaml to Rocket's CI registry
 * node scripts/ci/record.ts deployment   a change event in New Relic, and the DORA event, from ci-out/deployment.json
 *
 * A place whose variables are not set is left out, and that is said. Ends with 1 when somebody could not be told.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { commitsSince, isCommit, type Commit } from './git.ts';
import { postJson } from './http.ts';

export type Env = Record<string, string | undefined>;

/** What deploy.ts leaves behind. Times are ISO 8601. */
export type Deployment = {
  environment: string;
  /** Repository and digest of the image. */
  image: string;
  startedAt: string;
  finishedAt: string;
  outcome: 'succeeded' | 'rolled-back' | 'failed';
  /** Why it did not succeed. */
  reason?: string;
};

/** One deployment for the four DORA metrics: how often, how long since the commit, how often wrong, how long until well. */
export type DoraEvent = {
  service: string;
  commit: string;
  /** Everything that this deployment brought for the first time. */
  commits: Commit[];
  environment: string;
  startedAt: string;
  finishedAt: string;
  outcome: Deployment['outcome'];
  repository: string;
  pipeline: string;
  image: string;
};

export type Surroundings = {
  folder: string;
  env: Env;
  log: (line: string) => void;
  /** For tests. */
  http?: { timeoutMs?: number; attempts?: number; retryMs?: number };
};

const NERDGRAPH = 'https://api.newrelic.com/graphql';

const CREATE_EVENT = `mutation RecordDeployment($event: ChangeTrackingCreateEventInput!) {
  changeTrackingCreateEvent(changeTrackingEvent: $event) {
    changeTrackingEvent { changeTrackingId }
    messages
  }
}`;

/** Throws an Error that names every variable that is missing or wrong. */
function about(env: Env) {
  const missing = ['COMMIT', 'REPOSITORY_URL', 'PIPELINE_URL'].filter(name => !env[name]);
  if (missing.length > 0) throw new Error(`Set ${missing.join(', ')}; the pipeline does it`);
  if (!isCommit(env.COMMIT)) throw new Error('COMMIT must be a full commit id');
  const repository = new URL(env.REPOSITORY_URL!);
  repository.username = '';
  repository.password = '';
  return { commit: env.COMMIT, repository: repository.href, pipeline: env.PIPELINE_URL! };
}

function token(env: Env, name: string, forWhat: string): string {
  const value = env[name];
  if (!value) throw new Error(`${forWhat} is set, but the secret ${name} is not`);
  return value;
}

const PLACEHOLDERS: Record<string, (text: string, yaml: (text: string) => unknown) => unknown> = {
  $text: text => text,
  $json: text => JSON.parse(text),
  $yaml: (text, yaml) => yaml(text),
};

/** The registry fetches nothing, so files named by `$text` and the like become part of the entity. */
function inline(value: unknown, folder: string, yaml: (text: string) => unknown): unknown {
  if (Array.isArray(value)) return value.map(item => inline(item, folder, yaml));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value);
  const [how = '', file] = entries[0] ?? [];
  const read = Object.hasOwn(PLACEHOLDERS, how) ? PLACEHOLDERS[how] : undefined;
  if (entries.length === 1 && read) {
    const target = resolve(folder, String(file));
    if (relative(folder, target).startsWith('..') || /^[a-z][a-z0-9+.-]*:/i.test(String(file))) {
      throw new Error(`catalog-info.yaml: ${how} must name a file of this repository, not ${file}`);
    }
    return read(readFileSync(target, 'utf8'), yaml);
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, inline(item, folder, yaml)]));
}

/** Pushes the repository's entities. The commit's time decides which of two pushes is the newer one. */
export async function recordCatalog({ folder, env, log, http }: Surroundings): Promise<void> {
  if (!env.ROCKET_URL) {
    log('ROCKET_URL is not set: the catalog is not told.');
    return;
  }
  const secret = token(env, 'ROCKET_TOKEN', 'ROCKET_URL');
  const { commit, repository, pipeline } = about(env);
  // Not needed for a deployment, which runs without an installation.
  const { parse, parseAllDocuments } = await import('yaml');
  const entities = parseAllDocuments(readFileSync(join(folder, 'catalog-info.yaml'), 'utf8'))
    .map(document => {
      for (const error of document.errors) throw new Error(`catalog-info.yaml: ${error.message}`);
      return document.toJS({ maxAliasCount: 100 }) as unknown;
    })
    .filter(Boolean)
    .map(entity => inline(entity, folder, text => parse(text)));
  const time = commitsSince(folder, undefined, commit)[0]?.time;
  const answer = (await postJson(
    `${env.ROCKET_URL.replace(/\/$/, '')}/api/ci-registry/entities`,
    {
      source: { repository, commit, pipeline, time, ...(env.BRANCH ? { branch: env.BRANCH } : {}) },
      entities,
    },
    { what: 'Rocket', headers: { authorization: `Bearer ${secret}` }, secrets: [secret], log, ...http },
  )) as { results?: { entityRef: string; outcome: string }[] } | undefined;
  for (const { entityRef, outcome } of answer?.results ?? []) log(`${entityRef}: ${outcome}`);
}

async function markNewRelic(event: DoraEvent, deployment: Deployment, around: Surroundings): Promise<void> {
  const { env, log, http } = around;
  const secret = env.NEW_RELIC_USER_KEY;
  if (!secret) {
    log('NEW_RELIC_USER_KEY is not set: New Relic is not told.');
    return;
  }
  const guid = env.NEW_RELIC_ENTITY_GUID;
  if (guid && !/^[A-Za-z0-9+/=_-]+$/.test(guid)) throw new Error('NEW_RELIC_ENTITY_GUID is not an entity GUID');
  const answer = (await postJson(
    env.NEW_RELIC_API_URL || NERDGRAPH,
    {
      query: CREATE_EVENT,
      variables: {
        event: {
          categoryAndTypeData: {
            kind: { category: 'deployment', type: 'blue green' },
            categoryFields: {
              deployment: { version: event.commit.slice(0, 12), commit: event.commit, deepLink: event.pipeline },
            },
          },
          // Exactly one entity has to match.
          entitySearch: {
            query: guid ? `id = '${guid}'` : `name = '${event.service}' AND domain = 'APM' AND type = 'APPLICATION'`,
          },
          user: env.ACTOR || 'pipeline',
          shortDescription: `${event.service} to ${event.environment}: ${event.outcome}`,
          ...(deployment.reason ? { description: deployment.reason.slice(0, 1000) } : {}),
          groupId: event.pipeline,
          timestamp: Date.parse(event.finishedAt),
          customAttributes: {
            environment: event.environment,
            outcome: event.outcome,
            startedAt: event.startedAt,
            finishedAt: event.finishedAt,
            commits: event.commits.length,
            image: event.image,
          },
        },
      },
    },
    { what: 'New Relic', headers: { 'api-key': secret }, secrets: [secret], log, ...http },
  )) as { errors?: { message: string }[]; data?: { changeTrackingCreateEvent?: { messages?: string[] } } } | undefined;
  // GraphQL refuses with 200.
  const created = answer?.data?.changeTrackingCreateEvent;
  if (answer?.errors?.length || !created) {
    const told = answer?.errors?.map(error => error.message).join('; ') ?? 'an empty answer';
    throw new Error(`New Relic refused: ${told.replaceAll(secret, '***').slice(0, 500)}`);
  }
  log('New Relic: the deployment is marked.');
}

async function sendDora(event: DoraEvent, { env, log, http }: Surroundings): Promise<void> {
  if (!env.ROCKET_DEPLOYMENTS_URL) {
    log('ROCKET_DEPLOYMENTS_URL is not set: the DORA event is only in ci-out/dora.json.');
    return;
  }
  const secret = token(env, 'ROCKET_TOKEN', 'ROCKET_DEPLOYMENTS_URL');
  await postJson(env.ROCKET_DEPLOYMENTS_URL, event, {
    what: 'the place for DORA events',
    headers: { authorization: `Bearer ${secret}` },
    secrets: [secret],
    log,
    ...http,
  });
  log('The DORA event is sent.');
}

/** Tells everybody of the deployment; one that is away does not keep it from the others. */
export async function recordDeployment(around: Surroundings): Promise<DoraEvent | undefined> {
  const { folder, env, log } = around;
  let deployment: Deployment;
  try {
    deployment = JSON.parse(readFileSync(join(folder, 'ci-out/deployment.json'), 'utf8')) as Deployment;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    log('There is no ci-out/deployment.json: nothing was deployed.');
    return undefined;
  }
  const { commit, repository, pipeline } = about(env);
  const { environment, image, startedAt, finishedAt, outcome } = deployment;
  const event: DoraEvent = {
    service: (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string }).name,
    commit,
    commits: commitsSince(folder, env.BASE_COMMIT, commit),
    environment,
    startedAt,
    finishedAt,
    outcome,
    repository,
    pipeline,
    image,
  };
  const file = join(folder, 'ci-out/dora.json');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(event, null, 2)}\n`);

  const results = await Promise.allSettled([markNewRelic(event, deployment, around), sendDora(event, around)]);
  const failed = results.filter(result => result.status === 'rejected');
  if (failed.length > 0) throw new Error(failed.map(result => (result.reason as Error).message).join('\n'));
  return event;
}

if (import.meta.main) {
  const around: Surroundings = { folder: process.cwd(), env: process.env, log: line => console.log(line) };
  try {
    if (process.argv[2] === 'catalog') await recordCatalog(around);
    else if (process.argv[2] === 'deployment') await recordDeployment(around);
    else throw new Error('Say what to record: catalog or deployment');
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}

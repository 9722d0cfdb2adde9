/**
 * Marks the deployment of ci-out/deployment.json in New Relic: node scripts/ci/record.ts
 *
 * Without NEW_RELIC_USER_KEY nothing is marked, and that is said. Ends with 1 when New Relic could not be told. Rocket is told by rocket.sh.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commitsSince, isCommit } from './git.ts';
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
  const missing = ['COMMIT', 'PIPELINE_URL'].filter(name => !env[name]);
  if (missing.length > 0) throw new Error(`Set ${missing.join(', ')}; the pipeline does it`);
  if (!isCommit(env.COMMIT)) throw new Error('COMMIT must be a full commit id');
  return { commit: env.COMMIT, pipeline: env.PIPELINE_URL! };
}

/** Throws what New Relic, or the lack of a variable, gives as the reason why nothing was marked. */
export async function recordDeployment({ folder, env, log, http }: Surroundings): Promise<void> {
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  let deployment: Deployment;
  try {
    deployment = JSON.parse(read('ci-out/deployment.json')) as Deployment;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    log('There is no ci-out/deployment.json: nothing was deployed.');
    return;
  }
  const secret = env.NEW_RELIC_USER_KEY;
  if (!secret) {
    log('NEW_RELIC_USER_KEY is not set: New Relic is not told.');
    return;
  }
  const guid = env.NEW_RELIC_ENTITY_GUID;
  if (guid && !/^[A-Za-z0-9+/=_-]+$/.test(guid)) throw new Error('NEW_RELIC_ENTITY_GUID is not an entity GUID');
  const { commit, pipeline } = about(env);
  const service = (JSON.parse(read('package.json')) as { name: string }).name;
  const { environment, image, startedAt, finishedAt, outcome, reason } = deployment;
  const answer = (await postJson(
    env.NEW_RELIC_API_URL || NERDGRAPH,
    {
      query: CREATE_EVENT,
      variables: {
        event: {
          categoryAndTypeData: {
            kind: { category: 'deployment', type: 'blue green' },
            categoryFields: {
              deployment: { version: commit.slice(0, 12), commit, deepLink: pipeline },
            },
          },
          // Exactly one entity has to match.
          entitySearch: {
            query: guid ? `id = '${guid}'` : `name = '${service}' AND domain = 'APM' AND type = 'APPLICATION'`,
          },
          user: env.ACTOR || 'pipeline',
          shortDescription: `${service} to ${environment}: ${outcome}`,
          ...(reason ? { description: reason.slice(0, 1000) } : {}),
          groupId: pipeline,
          timestamp: Date.parse(finishedAt),
          customAttributes: {
            environment,
            outcome,
            startedAt,
            finishedAt,
            commits: commitsSince(folder, env.BASE_COMMIT, commit).length,
            image,
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

if (import.meta.main) {
  try {
    await recordDeployment({ folder: process.cwd(), env: process.env, log: line => console.log(line) });
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}

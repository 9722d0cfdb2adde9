import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { recordDeployment, type Env } from '../../scripts/ci/record.ts';
import { fakeServer, repository, type Answer } from './support.ts';

const NEW_RELIC_USER_KEY = 'NRAK-CANARY-4711';
const MARKED = {
  data: { changeTrackingCreateEvent: { changeTrackingEvent: { changeTrackingId: 'x' }, messages: [] } },
};

const DEPLOYMENT = {
  environment: 'production',
  image: `ghcr.io/acme/wallet@sha256:${'a'.repeat(64)}`,
  startedAt: '2026-11-21T10:00:00.000Z',
  finishedAt: '2026-11-21T10:09:00.000Z',
  outcome: 'rolled-back',
  reason: 'watch 5: ended with 1',
};

let repo: ReturnType<typeof repository>;
let base: string;
let commit: string;
let lines: string[];
const servers: { stop(): Promise<void> }[] = [];

beforeEach(() => {
  repo = repository();
  base = repo.commit({ 'package.json': '{"name":"wallet"}' });
  repo.commit({ 'other.md': 'other' });
  commit = repo.commit({ 'README.md': 'more' });
  lines = [];
});
afterEach(async () => {
  repo.remove();
  await Promise.all(servers.splice(0).map(server => server.stop()));
});

async function server(...answers: Answer[]) {
  const started = await fakeServer(...answers);
  servers.push(started);
  return started;
}

function around(env: Env) {
  return {
    folder: repo.folder,
    env: {
      COMMIT: commit,
      BASE_COMMIT: base,
      BRANCH: 'main',
      PIPELINE_URL: 'https://git.example.com/acme/wallet/runs/7',
      ACTOR: 'ana',
      ...env,
    },
    log: (line: string) => lines.push(line),
    http: { timeoutMs: 200, attempts: 3, retryMs: 1 },
  };
}

const deployment = (env: Env) => recordDeployment(around(env));

describe('a deployment', () => {
  beforeEach(() => repo.write({ 'ci-out/deployment.json': JSON.stringify(DEPLOYMENT) }));

  it('is marked in New Relic with what it brought', async () => {
    const newRelic = await server({ status: 503, headers: { 'retry-after': '0' } }, { body: MARKED });
    await deployment({ NEW_RELIC_API_URL: newRelic.url, NEW_RELIC_USER_KEY });
    expect(newRelic.asked).toHaveLength(2);
    const { headers, body } = newRelic.asked[1]!;
    expect(headers['api-key']).toBe(NEW_RELIC_USER_KEY);
    expect(body.query).toContain('changeTrackingCreateEvent');
    expect(body.variables.event).toMatchObject({
      categoryAndTypeData: {
        kind: { category: 'deployment', type: 'blue green' },
        categoryFields: { deployment: { version: commit.slice(0, 12), commit } },
      },
      entitySearch: { query: "name = 'wallet' AND domain = 'APM' AND type = 'APPLICATION'" },
      user: 'ana',
      description: 'watch 5: ended with 1',
      timestamp: Date.parse(DEPLOYMENT.finishedAt),
      customAttributes: { environment: 'production', outcome: 'rolled-back', commits: 2, image: DEPLOYMENT.image },
    });
    expect(lines.at(-1)).toBe('New Relic: the deployment is marked.');
    expect(lines.join('\n')).not.toContain(NEW_RELIC_USER_KEY);
  });

  it('counts only its own commit when the one before is not known', async () => {
    const newRelic = await server({ body: MARKED });
    await deployment({ NEW_RELIC_API_URL: newRelic.url, NEW_RELIC_USER_KEY, BASE_COMMIT: '0'.repeat(40) });
    expect(newRelic.asked[0]!.body.variables.event.customAttributes.commits).toBe(1);
  });

  it('is not marked without a key, and that is said', async () => {
    await deployment({});
    expect(lines).toEqual(['NEW_RELIC_USER_KEY is not set: New Relic is not told.']);
  });

  it.each<[string, Answer, RegExp, number]>([
    ['never answers', 'silence', /^New Relic .* could not be reached in 3 attempts: no answer in time$/, 3],
    ['hangs up', 'hang up', /could not be reached in 3 attempts/, 3],
    ['does not know the key', { status: 401, body: `not ${NEW_RELIC_USER_KEY}` }, /refused: 401 not \*\*\*/, 1],
    ['answers nonsense', { body: '<html>' }, /not JSON/, 1],
    ['sends elsewhere', { status: 302, headers: { location: 'https://example.com/' } }, /could not be reached/, 3],
  ])('fails the step, within bounds, when New Relic %s', async (_, answer, message, times) => {
    const newRelic = await server(answer);
    await expect(deployment({ NEW_RELIC_API_URL: newRelic.url, NEW_RELIC_USER_KEY })).rejects.toThrow(message);
    expect(newRelic.asked).toHaveLength(times);
    expect(lines.join('\n')).not.toContain(NEW_RELIC_USER_KEY);
  });

  it('gives no key over plain HTTP to another machine', async () => {
    await expect(deployment({ NEW_RELIC_API_URL: 'http://new-relic.example.com', NEW_RELIC_USER_KEY })).rejects.toThrow(
      'https://',
    );
  });

  it.each([
    { errors: [{ message: `it matches 0 entities (${NEW_RELIC_USER_KEY})` }], data: null },
    { data: { changeTrackingCreateEvent: null } },
  ])('is not marked when GraphQL refuses with 200: %j', async body => {
    const newRelic = await server({ body });
    const done = deployment({ NEW_RELIC_API_URL: newRelic.url, NEW_RELIC_USER_KEY });
    await expect(done).rejects.toThrow('New Relic refused');
    await expect(done).rejects.not.toThrow(NEW_RELIC_USER_KEY);
  });

  it('searches by GUID when there is one, and takes no other text for one', async () => {
    const newRelic = await server({ body: MARKED });
    const env = { NEW_RELIC_API_URL: newRelic.url, NEW_RELIC_USER_KEY };
    await deployment({ ...env, NEW_RELIC_ENTITY_GUID: 'MXxBUE18QVBQ' });
    expect(newRelic.asked[0]!.body.variables.event.entitySearch).toEqual({ query: "id = 'MXxBUE18QVBQ'" });
    await expect(deployment({ ...env, NEW_RELIC_ENTITY_GUID: "x' OR id != '" })).rejects.toThrow('entity GUID');
  });

  it('that did not happen is not recorded', async () => {
    repo.git('clean', '-fdxq');
    await deployment({ NEW_RELIC_USER_KEY });
    expect(lines).toEqual(['There is no ci-out/deployment.json: nothing was deployed.']);
  });

  it('needs the variables of the pipeline', async () => {
    const wrong = (env: Env) => deployment({ NEW_RELIC_USER_KEY, ...env });
    await expect(wrong({ COMMIT: '', PIPELINE_URL: '' })).rejects.toThrow('Set COMMIT, PIPELINE_URL');
    await expect(wrong({ COMMIT: 'main' })).rejects.toThrow('full commit id');
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { recordCatalog, recordDeployment, type Env } from '../../scripts/ci/record.ts';
import { fakeServer, repository, type Answer } from './support.ts';

const ROCKET_TOKEN = 'rocket-canary-4711';
const NEW_RELIC_USER_KEY = 'NRAK-CANARY-4711';
const MARKED = {
  data: { changeTrackingCreateEvent: { changeTrackingEvent: { changeTrackingId: 'x' }, messages: [] } },
};

const CATALOG = `apiVersion: backstage.io/v1alpha1
kind: Component
metadata: { name: wallet }
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: { name: wallet }
spec:
  definition: { $text: ./contracts/openapi.yaml }
---
`;

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
  repo.commit({ 'catalog-info.yaml': CATALOG, 'contracts/openapi.yaml': 'openapi: 3.1.0\n' });
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
      REPOSITORY_URL: 'https://ci:password-canary@git.example.com/acme/wallet',
      PIPELINE_URL: 'https://git.example.com/acme/wallet/runs/7',
      ACTOR: 'ana',
      ...env,
    },
    log: (line: string) => lines.push(line),
    http: { timeoutMs: 200, attempts: 3, retryMs: 1 },
  };
}

const catalog = (env: Env) => recordCatalog(around(env));
const deployment = (env: Env) => recordDeployment(around(env));

describe('the catalog', () => {
  it('is given the entities with their files put in, from this commit', async () => {
    const rocket = await server({
      body: { results: [{ entityRef: 'component:default/wallet', outcome: 'updated' }] },
    });
    await catalog({ ROCKET_URL: `${rocket.url}/`, ROCKET_TOKEN });
    const { path, headers, body } = rocket.asked[0]!;
    expect(path).toBe('/api/ci-registry/entities');
    expect(headers.authorization).toBe(`Bearer ${ROCKET_TOKEN}`);
    expect(body.source).toEqual({
      repository: 'https://git.example.com/acme/wallet',
      commit,
      branch: 'main',
      pipeline: 'https://git.example.com/acme/wallet/runs/7',
      time: new Date(repo.git('log', '-1', '--format=%cI')).toISOString(),
    });
    expect(body.entities.map((entity: any) => entity.kind)).toEqual(['Component', 'API']);
    expect(body.entities[1].spec.definition).toBe('openapi: 3.1.0\n');
    expect(lines).toEqual(['component:default/wallet: updated']);
  });

  it('is left out when there is none, and refused when its token is missing', async () => {
    await catalog({});
    expect(lines).toEqual(['ROCKET_URL is not set: the catalog is not told.']);
    await expect(catalog({ ROCKET_URL: 'https://rocket.example.com' })).rejects.toThrow(
      'the secret ROCKET_TOKEN is not',
    );
  });

  it.each([
    ['$text: ../outside.txt', 'must name a file of this repository'],
    ['$text: https://example.com/x', 'must name a file of this repository'],
    ['$json: ./catalog-info.yaml', 'JSON'],
  ])('is not told when a definition is %s', async (definition, message) => {
    repo.write({ 'catalog-info.yaml': CATALOG.replace('$text: ./contracts/openapi.yaml', definition) });
    const rocket = await server({});
    await expect(catalog({ ROCKET_URL: rocket.url, ROCKET_TOKEN })).rejects.toThrow(message);
    expect(rocket.asked).toEqual([]);
  });

  it('is asked again after an outage, no sooner than it says', async () => {
    const rocket = await server({ status: 503, headers: { 'retry-after': '0' } }, 'hang up', { body: { results: [] } });
    await catalog({ ROCKET_URL: rocket.url, ROCKET_TOKEN });
    expect(rocket.asked).toHaveLength(3);
    expect(lines[0]).toMatch(/^Rocket: 503.*again in 0 ms$/);
  });

  it.each<[string, Answer, RegExp, number]>([
    ['never answers', 'silence', /could not be reached in 3 attempts: no answer in time/, 3],
    ['is down', { status: 503 }, /could not be reached in 3 attempts: 503/, 3],
    ['hangs up', 'hang up', /could not be reached in 3 attempts/, 3],
    ['refuses', { status: 409, body: { error: { message: 'belongs to other/repo' } } }, /refused: 409.*belongs to/, 1],
    ['does not know the token', { status: 401, body: `not ${ROCKET_TOKEN}` }, /refused: 401 not \*\*\*/, 1],
    ['answers nonsense', { body: '<html>' }, /not JSON/, 1],
    ['sends elsewhere', { status: 302, headers: { location: 'https://example.com/' } }, /could not be reached/, 3],
  ])('that %s fails the step, within bounds', async (_, answer, message, times) => {
    const rocket = await server(answer);
    await expect(catalog({ ROCKET_URL: rocket.url, ROCKET_TOKEN })).rejects.toThrow(message);
    expect(rocket.asked).toHaveLength(times);
    expect(lines.join('\n')).not.toContain(ROCKET_TOKEN);
  });

  it('gets no token over plain HTTP to another machine', async () => {
    await expect(catalog({ ROCKET_URL: 'http://rocket.example.com', ROCKET_TOKEN })).rejects.toThrow('https://');
  });
});

describe('a deployment', () => {
  beforeEach(() => repo.write({ 'ci-out/deployment.json': JSON.stringify(DEPLOYMENT) }));

  it('marks New Relic and sends the DORA event with every commit it brought', async () => {
    const newRelic = await server({ body: MARKED });
    const dora = await server({ status: 202 });
    await deployment({
      NEW_RELIC_API_URL: newRelic.url,
      NEW_RELIC_USER_KEY,
      ROCKET_DEPLOYMENTS_URL: `${dora.url}/deployments`,
      ROCKET_TOKEN,
    });
    const { headers, body } = newRelic.asked[0]!;
    expect(headers['api-key']).toBe(NEW_RELIC_USER_KEY);
    expect(body.query).toContain('changeTrackingCreateEvent');
    expect(body.variables.event).toMatchObject({
      categoryAndTypeData: {
        kind: { category: 'deployment', type: 'blue green' },
        categoryFields: { deployment: { version: commit.slice(0, 12), commit } },
      },
      entitySearch: { query: "name = 'wallet' AND domain = 'APM' AND type = 'APPLICATION'" },
      user: 'ana',
      timestamp: Date.parse(DEPLOYMENT.finishedAt),
      customAttributes: { environment: 'production', outcome: 'rolled-back', commits: 2 },
    });
    expect(dora.asked[0]).toMatchObject({
      path: '/deployments',
      body: {
        service: 'wallet',
        commit,
        environment: 'production',
        startedAt: DEPLOYMENT.startedAt,
        finishedAt: DEPLOYMENT.finishedAt,
        outcome: 'rolled-back',
        repository: 'https://git.example.com/acme/wallet',
      },
    });
    const file = readFileSync(join(repo.folder, 'ci-out/dora.json'), 'utf8');
    expect(JSON.parse(file)).toEqual(dora.asked[0]!.body);
    expect(dora.asked[0]!.body.commits.map((entry: any) => entry.id)).toEqual([
      commit,
      repo.git('rev-parse', 'HEAD~1'),
    ]);
    const shown = lines.join('\n') + file;
    for (const secret of [ROCKET_TOKEN, NEW_RELIC_USER_KEY, 'password-canary']) expect(shown).not.toContain(secret);
  });

  it('counts only its own commit when the one before is not known', async () => {
    const event = await deployment({ BASE_COMMIT: '0'.repeat(40) });
    expect(event!.commits.map(entry => entry.id)).toEqual([commit]);
    expect(lines).toEqual([
      'NEW_RELIC_USER_KEY is not set: New Relic is not told.',
      'ROCKET_DEPLOYMENTS_URL is not set: the DORA event is only in ci-out/dora.json.',
    ]);
  });

  it('reaches the others when New Relic is away, and fails the step', async () => {
    const newRelic = await server('silence');
    const dora = await server({});
    await expect(
      deployment({
        NEW_RELIC_API_URL: newRelic.url,
        NEW_RELIC_USER_KEY,
        ROCKET_DEPLOYMENTS_URL: dora.url,
        ROCKET_TOKEN,
      }),
    ).rejects.toThrow(/^New Relic .* could not be reached in 3 attempts: no answer in time$/);
    expect(dora.asked).toHaveLength(1);
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
    expect(await deployment({ NEW_RELIC_USER_KEY })).toBeUndefined();
    expect(existsSync(join(repo.folder, 'ci-out/dora.json'))).toBe(false);
  });

  it('needs the variables of the pipeline', async () => {
    await expect(deployment({ COMMIT: '', PIPELINE_URL: '' })).rejects.toThrow('Set COMMIT, PIPELINE_URL');
    await expect(deployment({ COMMIT: 'main' })).rejects.toThrow('full commit id');
  });
});

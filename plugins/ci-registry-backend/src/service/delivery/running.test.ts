import type { Build, Deployment } from '@rocket/plugin-ci-registry-common';
import { runningVersions, type KnownCommits } from './running';

const LEDGER = 'component:default/ledger';
const at = (minute: number) =>
  new Date(Date.UTC(2026, 10, 20, 8, minute)).toISOString();

function deployment(
  id: string,
  commit: string,
  minute: number,
  extra: Partial<Deployment> = {},
): Deployment {
  return {
    id,
    component: LEDGER,
    environment: 'production',
    version: `v-${commit}`,
    commit,
    startedAt: at(minute - 2),
    finishedAt: at(minute),
    outcome: 'succeeded',
    repository: 'acme/ledger',
    reportedBy: 'plugin:test',
    firstReportedAt: at(minute),
    lastReportedAt: at(minute),
    ...extra,
  };
}

function commits(contents: Record<string, string[]>): KnownCommits {
  const all = new Set([
    ...Object.keys(contents),
    ...Object.values(contents).flat(),
  ]);
  return {
    contents: new Map(Object.entries(contents)),
    commits: new Map(
      [...all].map(sha => [sha, { sha, time: at(Number(sha.slice(1))) }]),
    ),
  };
}

const known = commits({ c2: ['c1'], c3: ['c2'], c4: ['c3'] });
const builds = new Map<string, Build>(
  ['c1', 'c2'].map((commit, index) => [
    commit,
    {
      id: commit,
      component: LEDGER,
      repository: 'acme/ledger',
      commit,
      outcome: 'succeeded',
      firstReportedAt: at(0),
      lastReportedAt: at(0),
      coverage: { lines: { covered: 80 + index, total: 100 } },
      artifacts: [
        { type: 'container-image', name: 'ledger', digest: `sha256:${commit}` },
        { type: 'file', name: 'same', digest: 'sha256:0' },
      ],
    },
  ]),
);
const run = (deployments: Deployment[], of = known) =>
  runningVersions(LEDGER, deployments, of, commit => builds.get(commit));

it('says what runs since when, and how it differs from what ran before', () => {
  const [now, ...others] = run([
    deployment('d2', 'c2', 20),
    deployment('d1', 'c1', 10),
    deployment('d0', 'c1', 5, { outcome: 'failed' }),
    deployment('d3', 'c3', 30, {
      outcome: 'in-progress',
      finishedAt: undefined,
    }),
  ]);
  expect(others).toEqual([]);
  expect(now).toMatchObject({
    environment: 'production',
    deployment: { id: 'd2', version: 'v-c2' },
    since: at(20),
    build: { id: 'c2' },
    previous: { version: 'v-c1', commit: 'c1', deploymentId: 'd1' },
    inProgress: { id: 'd3' },
    behind: 0,
  });
  expect(now.difference).toEqual({
    added: [{ sha: 'c2', time: at(2) }],
    removed: [],
    digests: [{ name: 'ledger', before: 'sha256:c1', after: 'sha256:c2' }],
    lineCoverage: { before: 0.8, after: 0.81 },
  });
  expect(now.commits).toEqual([{ sha: 'c2', time: at(2) }]);
});

it('goes back to the version before one that was rolled back', () => {
  const [now] = run([
    deployment('d1', 'c1', 10),
    deployment('d2', 'c2', 25, { outcome: 'rolled-back', startedAt: at(20) }),
  ]);
  expect(now).toMatchObject({
    deployment: { id: 'd1' },
    since: at(25),
    previous: { commit: 'c2', deploymentId: 'd2' },
    difference: { added: [], removed: [{ sha: 'c2', time: at(2) }] },
  });
});

it('shows a deployment of an older commit as a way back', () => {
  const [now] = run([
    deployment('d1', 'c1', 10),
    deployment('d3', 'c3', 20),
    deployment('back', 'c1', 30),
  ]);
  expect(now).toMatchObject({
    deployment: { id: 'back' },
    since: at(30),
    previous: { commit: 'c3' },
  });
  expect(now.difference!.removed!.map(({ sha }) => sha)).toEqual(['c3', 'c2']);
});

it('counts how far an environment is behind the most advanced one', () => {
  const versions = run([
    deployment('p', 'c1', 10),
    deployment('s', 'c4', 20, { environment: 'staging' }),
    deployment('x', 'c9', 20, { environment: 'elsewhere' }),
  ]);
  expect(
    versions.map(({ environment, behind }) => [environment, behind]),
  ).toEqual([
    ['elsewhere', null],
    ['production', 3],
    ['staging', 0],
  ]);
});

it('does not claim to know what was not reported', () => {
  const none = commits({});
  const [now] = run(
    [deployment('d1', 'c1', 10), deployment('d2', 'c9', 20)],
    none,
  );
  expect(now.difference).toMatchObject({
    added: null,
    removed: null,
    lineCoverage: { before: 0.8, after: null },
  });
  expect(now.commits).toEqual([]);
  const [told] = run([
    deployment('d2', 'c9', 20, { replaced: { commit: 'c8', version: '0.8' } }),
  ]);
  expect(told.previous).toEqual({ version: '0.8', commit: 'c8' });
});

it('has nothing where nothing ever ran', () => {
  expect(run([deployment('d', 'c1', 10, { outcome: 'failed' })])).toEqual([]);
});

/* eslint jest/expect-expect: ["warn", { "assertFunctionNames": ["expect", "expectRefused", "harness.expectRefused", "push.expect", "**.push.**.expect", "push.**.expect"] }] */
import {
  component,
  deployment,
  pushOf,
  startHarness,
  type RefusedCase,
} from './__testUtils__/harness';
import { identityConfig } from './__testUtils__/identityConfig';
import {
  githubClaims,
  gitlabClaims,
  otherClaims,
  TestIssuer,
} from './__testUtils__/TestIssuer';

jest.setTimeout(60_000);

let github: TestIssuer;
let gitlab: TestIssuer;
let other: TestIssuer;
let harness: Awaited<ReturnType<typeof startHarness>>;

beforeAll(async () => {
  [github, gitlab, other] = await Promise.all([
    TestIssuer.start(),
    TestIssuer.start(),
    TestIssuer.start('ES256'),
  ]);
  harness = await startHarness({
    identity: identityConfig({ github, gitlab, other }),
  });
});

afterAll(async () => {
  await Promise.all([github, gitlab, other].map(i => i.stop()));
});

const hub = (claims: object = {}) => github.sign(githubClaims({ ...claims }));

const forbiddenPushes: RefusedCase[] = [
  [
    'another repository’s token',
    403,
    'wrong-repository',
    () => hub({ repository: 'acme/other', repository_id: '1002' }),
    undefined,
    /source\.repository.*acme\/other/,
  ],
  [
    'its own repository, spelled otherwise',
    403,
    'wrong-repository',
    () => hub(),
    pushOf({}, { repository: 'https://github.com/ACME/ledger' }),
    /written just like that/,
  ],
  [
    'another commit',
    403,
    'wrong-commit',
    () => hub({ sha: 'b'.repeat(40) }),
    undefined,
    /source\.commit/,
  ],
  [
    'another branch',
    403,
    'wrong-branch',
    () => hub({ ref: 'refs/heads/feature' }),
    undefined,
    /source\.branch.*feature/,
  ],
  [
    'a branch for a tag',
    403,
    'wrong-branch',
    () => hub({ ref: 'refs/tags/main' }),
    undefined,
    /leave the branch out/,
  ],
  [
    'a pull request',
    403,
    'pull-request',
    () =>
      hub({
        event_name: 'pull_request',
        ref: 'refs/pull/7/merge',
        head_ref: 'patch',
        sub: 'repo:acme/ledger:pull_request',
      }),
  ],
  [
    'a pull request that runs in the target',
    403,
    'pull-request',
    () => hub({ event_name: 'pull_request_target', head_ref: 'main' }),
    undefined,
    /pull_request_target/,
  ],
  [
    'a push event that has the branch of a pull request',
    403,
    'pull-request',
    () => hub({ head_ref: 'patch' }),
  ],
  [
    'a run of a pull request’s ref',
    403,
    'pull-request',
    () => hub({ event_name: 'workflow_dispatch', ref: 'refs/pull/7/merge' }),
  ],
  [
    'an event that others can set off',
    403,
    'event-not-allowed',
    () => hub({ event_name: 'issue_comment' }),
    undefined,
    /issue_comment/,
  ],
  [
    'an organization that took over the name',
    403,
    'no-rule',
    () => hub({ repository_owner_id: '666' }),
  ],
  [
    'an owner whom no rule covers',
    403,
    'no-rule',
    () => hub({ repository: 'evil/ledger', repository_owner: 'evil' }),
    pushOf({}, { repository: 'https://github.com/evil/ledger' }),
  ],
  [
    'an owner whose name begins as ours',
    403,
    'no-rule',
    () =>
      hub({ repository: 'acme-evil/ledger', repository_owner: 'acme-evil' }),
    pushOf({}, { repository: 'https://github.com/acme-evil/ledger' }),
  ],
  [
    'a namespace of others',
    403,
    'namespace-not-allowed',
    () => hub(),
    pushOf({ entities: [component('x', {}, 'treasury')] }),
    /entities\.0.*"treasury"/,
  ],
  [
    'a document in a namespace of others',
    403,
    'namespace-not-allowed',
    () => hub(),
    pushOf({
      documents: [
        {
          api: 'api:treasury/x',
          component: 'ledger-service',
          format: 'openapi',
          definition: '',
        },
      ],
    }),
    /documents\.0\.api/,
  ],
  [
    'the removal of an entity of others',
    403,
    'namespace-not-allowed',
    () => hub(),
    pushOf({ removed: ['component:treasury/x'] }),
    /removed\.0/,
  ],
  [
    'an owner of another kind',
    403,
    'owner-not-allowed',
    () => hub(),
    pushOf({ entities: [component('x', { owner: 'user:default/root' })] }),
    /entities\.0\.spec\.owner/,
  ],
  [
    'no owner',
    403,
    'owner-not-allowed',
    () => hub(),
    pushOf({ entities: [component('x', { owner: undefined })] }),
  ],
  [
    'a kind that is not allowed',
    403,
    'kind-not-allowed',
    () => hub(),
    pushOf({ entities: [{ ...component('x'), kind: 'System' }] }),
    /"system".*component, api/,
  ],
  [
    'a deployment to production from another branch',
    403,
    'environment-not-allowed',
    () => hub({ ref: 'refs/heads/feature' }),
    pushOf({ deployments: [deployment('production')] }, { branch: 'feature' }),
    /deployments\.0\.environment.*branch main/,
  ],
  [
    'a deployment to production from a branch that begins as main',
    403,
    'environment-not-allowed',
    () => hub({ ref: 'refs/heads/mainly' }),
    pushOf({ deployments: [deployment('production')] }, { branch: 'mainly' }),
  ],
  [
    'a deployment to production from a branch that nobody protects',
    403,
    'environment-not-allowed',
    () => hub({ ref_protected: 'false' }),
    pushOf({ deployments: [deployment('production')] }),
    /protected/,
  ],
  [
    'a deployment to production from a branch of which the token does not say so',
    403,
    'environment-not-allowed',
    () => hub({ ref_protected: undefined }),
    pushOf({ deployments: [deployment('production')] }),
    /protected/,
  ],
  [
    'a deployment to production by a job of another environment',
    403,
    'environment-not-allowed',
    () => hub({ environment: 'preview-1' }),
    pushOf({ deployments: [deployment('production')] }),
    /"preview-1"/,
  ],
  [
    'a deployment to an environment that no rule has',
    403,
    'environment-not-allowed',
    () => hub(),
    pushOf({ deployments: [deployment('PRODUCTION')] }),
  ],
  [
    'a deployment to an environment that the token must name',
    403,
    'environment-not-allowed',
    () => hub(),
    pushOf({ deployments: [deployment('sealed')] }),
    /names no environment/,
  ],
  [
    'a build of a component that it has not registered',
    403,
    'not-registered',
    () => hub(),
    pushOf({
      entities: [],
      builds: [{ component: 'component:default/unheard-of' }],
    }),
    /builds\.0\.component.*unheard-of/,
  ],
  [
    'a GitLab merge request',
    403,
    'pull-request',
    () =>
      gitlab.sign(
        gitlabClaims({
          pipeline_source: 'merge_request_event',
          ref_path: 'refs/merge-requests/3/head',
        }),
      ),
  ],
  [
    'a fork’s merge request in GitLab’s target project',
    403,
    'pull-request',
    () =>
      gitlab.sign(
        gitlabClaims({ project_path: 'evil/cards', project_id: '666' }),
      ),
    undefined,
    /job_project_path/,
  ],
  [
    'a fork’s merge request by the claims of its source',
    403,
    'pull-request',
    () => gitlab.sign(gitlabClaims({ source_project_id: '666' })),
    undefined,
    /source_project_id/,
  ],
  [
    'a child pipeline of a merge request',
    403,
    'pull-request',
    () =>
      gitlab.sign(
        gitlabClaims({
          pipeline_source: 'parent_pipeline',
          ref_path: 'refs/merge-requests/3/head',
        }),
      ),
  ],
  [
    'a pull request by a claim that the configuration names',
    403,
    'pull-request',
    () => other.sign(otherClaims({ 'pull-request': '12' })),
  ],
];

it.each(forbiddenPushes.map(([name, ...rest]) => ({ name, rest })))(
  'refuses a push of $name',
  async ({ rest: [status, code, make, body, names] }) => {
    const token = await make();
    await harness.expectRefused(token, body, { status, code, names });
  },
);

it('has a row for each of them, and none that allows', async () => {
  const refused = await harness.decisions('allowed=false&limit=500');
  expect(refused).toHaveLength(forbiddenPushes.length);
  expect(await harness.decisions('allowed=true')).toEqual([]);
});

/* eslint jest/expect-expect: ["warn", { "assertFunctionNames": ["expect", "expectRefused", "harness.expectRefused", "push.expect", "**.push.**.expect", "push.**.expect"] }] */
import request from 'supertest';
import {
  component,
  deployment,
  pushOf,
  startHarness,
} from './__testUtils__/harness';
import { identityConfig } from './__testUtils__/identityConfig';
import {
  githubClaims,
  gitlabClaims,
  TestIssuer,
} from './__testUtils__/TestIssuer';

jest.setTimeout(60_000);

const now = () => Math.floor(Date.now() / 1000);

let github: TestIssuer;
let gitlab: TestIssuer;
let other: TestIssuer;
let config: ReturnType<typeof identityConfig>;

beforeAll(async () => {
  [github, gitlab, other] = await Promise.all([
    TestIssuer.start(),
    TestIssuer.start(),
    TestIssuer.start('ES256'),
  ]);
  config = identityConfig({ github, gitlab, other });
});

afterAll(async () => {
  await Promise.all([github, gitlab, other].map(issuer => issuer.stop()));
});

describe('tokens of runs that are over', () => {
  it('are refused, but for the same push once more', async () => {
    const { push, expectRefused } = await startHarness({ identity: config });
    const before = { iat: now() - 300 };
    const build = await github.sign(
      githubClaims({ ...before, check_run_id: '1' }),
    );
    const deploy = await github.sign(
      githubClaims({ ...before, check_run_id: '2' }),
    );
    await push(build).expect(200);
    await push(build, pushOf({ final: 'job' })).expect(200);
    await push(build, pushOf({ final: 'job' })).expect(200);
    const ended = { status: 401, code: 'run-ended', names: /final/ };
    await expectRefused(build, pushOf(), ended);
    await expectRefused(build, pushOf({ final: 'run' }), ended);
    const stolen = await github.sign(
      githubClaims({ ...before, check_run_id: '1' }),
    );
    await expectRefused(stolen, pushOf({ final: 'job' }), ended);

    await push(deploy, pushOf({ final: 'run' })).expect(200);
    await push(deploy, pushOf({ final: 'run' })).expect(200);
    await expectRefused(deploy, pushOf(), ended);
    const third = await github.sign(
      githubClaims({ ...before, check_run_id: '3' }),
    );
    await expectRefused(third, pushOf(), ended);
    // Another run, and a job of this one that began later than the clocks may differ.
    await push(
      await github.sign(
        githubClaims({ ...before, run_id: '43', check_run_id: '9' }),
      ),
    ).expect(200);
  });

  it('may push again for a job that began after the end', async () => {
    const { push } = await startHarness({
      identity: { ...config, clockSkew: { seconds: 0 } },
    });
    const body = {
      ...pushOf(
        {},
        { repository: 'https://gitlab.example.com/acme/payments/cards' },
      ),
      entities: [component('cards')],
    };
    const first = await gitlab.sign(gitlabClaims({ iat: now() - 100 }));
    await push(first, { ...body, final: 'run' }).expect(200);
    await push(first, body).expect(401);
    // The whole seconds of a token can lie before the end, by less than one.
    await new Promise<void>(resolve => {
      const begun = now();
      const timer = setInterval(() => {
        if (now() > begun) {
          clearInterval(timer);
          resolve();
        }
      }, 20);
    });
    await push(await gitlab.sign(gitlabClaims({ job_id: '303' })), body).expect(
      200,
    );
  });

  it('are refused when the run was repeated since', async () => {
    const { push, expectRefused } = await startHarness({ identity: config });
    const first = await github.sign(githubClaims());
    await push(first).expect(200);
    await push(await github.sign(githubClaims({ run_attempt: '2' }))).expect(
      200,
    );
    await expectRefused(first, pushOf(), {
      status: 401,
      code: 'run-ended',
      names: /repeated/,
    });
  });

  it('end the token alone where the issuer names no job, and nothing when the push fails', async () => {
    const { push, decisions } = await startHarness({ identity: config });
    const claims = githubClaims({ check_run_id: undefined, iat: now() - 300 });
    const [one, two] = [await github.sign(claims), await github.sign(claims)];
    await push(one, pushOf({ final: 'job' }, { pipeline: 'fail' })).expect(409);
    expect((await decisions('limit=1'))[0]).toMatchObject({
      allowed: true,
      code: 'not-stored',
      reason: expect.stringMatching(/conflict/),
      rule: 'acme-on-github',
    });
    await push(one).expect(200);
    await push(one, pushOf({ final: 'job' })).expect(200);
    await push(one).expect(401);
    await push(two).expect(200);
  });

  it('and two tokens with one id are not both taken', async () => {
    const { push, expectRefused } = await startHarness({ identity: config });
    const jti = 'the-same';
    await push(await github.sign(githubClaims({ jti }))).expect(200);
    await expectRefused(
      await github.sign(githubClaims({ jti, run_id: '44' })),
      pushOf(),
      { status: 401, code: 'token-reused' },
    );
  });
});

describe('names that somebody took over', () => {
  const names = 'https://github.com/acme/ledger';
  const rules = () => [
    {
      name: 'open',
      from: 'github',
      repositories: '**',
      namespaces: ['**'],
      environments: [{ name: '**' }],
    },
  ];
  const open = () => ({
    ...config,
    issuers: config.issuers.slice(0, 1),
    staticTokens: [],
    rules: rules(),
  });

  it('are not the ones that pushed before, until an administrator says so', async () => {
    const { server, push, expectRefused, auditor } = await startHarness({
      identity: open(),
    });
    await push(await github.sign(githubClaims())).expect(200);
    await expectRefused(
      await github.sign(githubClaims({ repository_id: '1002' })),
      pushOf(),
      { status: 403, code: 'repository-recycled', names: /DELETE \/bindings/ },
    );
    await expectRefused(
      await github.sign(
        githubClaims({
          repository: 'Acme/new',
          repository_id: '5',
          repository_owner: 'Acme',
          repository_owner_id: '666',
        }),
      ),
      pushOf({}, { repository: 'https://github.com/Acme/new' }),
      { status: 403, code: 'owner-recycled', names: /acme/ },
    );
    await request(server)
      .delete(`/api/ci-registry/bindings?name=${names}x`)
      .expect(404, /no repository or owner/);
    await request(server)
      .delete('/api/ci-registry/bindings')
      .expect(400, /name/);
    await request(server)
      .delete(`/api/ci-registry/bindings?name=${names}`)
      .expect(204);
    expect(auditor.createEvent).toHaveBeenCalledWith(
      expect.objectContaining({ eventId: 'binding-forget' }),
    );
    await push(
      await github.sign(githubClaims({ repository_id: '1002' })),
    ).expect(200);
    await push(await github.sign(githubClaims())).expect(403);
  });

  it('cannot be had by reporting on what another repository registered', async () => {
    const { push, expectRefused } = await startHarness({ identity: open() });
    await push(await github.sign(githubClaims())).expect(200);
    const thief = await github.sign(
      githubClaims({ repository: 'acme/thief', repository_id: '7' }),
    );
    const source = { repository: 'https://github.com/acme/thief' };
    const foreign = {
      status: 403,
      code: 'foreign-entity',
      names: /acme\/ledger/,
    };
    const ref = 'component:default/ledger-service';
    for (const extra of [
      { builds: [{ component: ref }] },
      { deployments: [deployment('x')] },
      { removed: ['Component:Default/Ledger-Service'] },
      { documents: [{ api: 'api:default/x', component: ref, definition: '' }] },
    ]) {
      await expectRefused(
        thief,
        pushOf({ ...extra, entities: [] }, source),
        foreign,
      );
    }
    await push(
      thief,
      pushOf({ entities: [], builds: [{ component: '' }] }, source),
    ).expect(400, /builds\.0\.component/);
  });
});

import {
  createMockDirectory,
  mockCredentials,
  mockServices,
} from '@backstage/backend-test-utils';
import { ConflictError } from '@backstage/errors';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { createContext } from '../__testUtils__/context';
import { startGitServer } from '../__testUtils__/gitServer';
import { mockProvisioning, withLedger } from '../__testUtils__/provisioning';
import { createPublishLocalAction } from './publishLocal';

const CANARY = 'canary-7f3a91-never-show';
const COMMIT = /^[0-9a-f]{40}$/;

function component(name: string, annotations: Record<string, string>) {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: { name, namespace: 'default', annotations },
  };
}

const catalogEntities = [
  component('from-file', {
    'backstage.io/managed-by-origin-location': 'file:/examples/all.yaml',
  }),
  component('elsewhere', {
    'rocket.internal/source-repository': 'https://git.example.com/elsewhere',
  }),
  component('again', { 'rocket.internal/source-repository': 'again' }),
];

describe('rocket:publish:local', () => {
  const root = createMockDirectory();
  const workspace = createMockDirectory();
  let server: Awaited<ReturnType<typeof startGitServer>>;
  let provisioning: ReturnType<typeof mockProvisioning>;
  const make = jest.fn();

  beforeEach(async () => {
    root.clear();
    workspace.setContent({
      'package.json': '{"name":"pay"}',
      src: { 'index.js': 'run()' },
      '.gitignore': 'secret.txt',
      'secret.txt': 'stays here',
    });
    server = await startGitServer(root.path, CANARY);
    provisioning = mockProvisioning();
    make.mockReset().mockImplementation(({ reference }) => ({
      defaultBranch: 'main',
      cloneUrl: server.create(reference),
    }));
    withLedger(provisioning, make);
    provisioning.createGitToken.mockResolvedValue({
      token: CANARY,
      access: 'write',
      repository: 'pay',
      expiresAt: '2026-11-20T09:00:00Z',
    });
  });
  afterEach(() => server.stop());

  function run(
    input: Record<string, unknown> = {},
    options: { checkpoints?: Map<string, unknown>; dryRun?: boolean } = {},
  ) {
    const action = createPublishLocalAction({
      provisioning,
      catalog: catalogServiceMock({ entities: catalogEntities }),
      discovery: mockServices.discovery.mock({
        getExternalBaseUrl: async id => `http://portal/api/${id}`,
      }),
    });
    const made = createContext({
      input: { name: 'pay', owner: 'group:default/ledger', ...input },
      workspacePath: workspace.path,
      checkpoints: options.checkpoints,
    });
    Object.assign(made.context, { isDryRun: options.dryRun });
    return { ...made, done: action.handler(made.context) };
  }

  it('creates the repository as the user and pushes the files', async () => {
    const { done, outputs, lines, checkpoints } = run({
      description: 'Pays',
      gitAuthorName: 'Ada Example',
      gitAuthorEmail: 'ada@example.com',
    });
    await done;
    expect(provisioning.requestEffect).toHaveBeenCalledWith(
      {
        type: 'git.repository',
        reference: 'pay',
        subject: 'component:default/pay',
        owner: 'group:default/ledger',
        run: 'task:mock-task-id',
        step: 'mock-step-id',
        intent: {
          description: 'Pays',
          commit: outputs.commit,
          tree: server.run('pay', 'rev-parse', 'main^{tree}'),
        },
      },
      { credentials: mockCredentials.user() },
    );
    expect(outputs).toEqual({
      repository: 'pay',
      cloneUrl: expect.stringMatching(/^http:.*pay\.git$/),
      defaultBranch: 'main',
      commit: expect.stringMatching(COMMIT),
    });
    expect(server.run('pay', 'rev-parse', 'main')).toBe(outputs.commit);
    expect(
      server.run('pay', 'ls-tree', '-r', '--name-only', 'main').split('\n'),
    ).toEqual(['.gitignore', 'package.json', 'src/index.js']);
    expect(
      server.run('pay', 'log', '-1', '--format=%an <%ae> %s', 'main'),
    ).toBe('Ada Example <ada@example.com> Create pay from a golden template');

    expect(server.requests.some(request => request.authorized)).toBe(true);
    expect(
      JSON.stringify([outputs, lines(), [...checkpoints], server.requests]),
    ).not.toMatch(CANARY.slice(0, 12));
  });

  it('comes to the same commit when it runs again, with or without its memory', async () => {
    const first = run();
    await first.done;
    const resumed = run({}, { checkpoints: first.checkpoints });
    await resumed.done;
    expect(resumed.outputs).toEqual(first.outputs);
    expect(make).toHaveBeenCalledTimes(1);

    const forgotten = run({ gitAuthorName: 'Somebody Else' });
    await forgotten.done;
    expect(forgotten.outputs).toEqual(first.outputs);
    expect(server.run('pay', 'rev-list', '--count', 'main')).toBe('1');

    workspace.addContent({ 'new.txt': 'other files' });
    await expect(run().done).rejects.toThrow(
      /already holds other content.*What exists now: the repository pay.*What to do:/,
    );
    expect(server.run('pay', 'rev-parse', 'main')).toBe(first.outputs.commit);
  });

  it('says what exists when the host fails, without the token, and can go on', async () => {
    server.failNext(1);
    const failed = run();
    const error = await failed.done.catch(e => e);
    expect(error.message).toMatch(
      /^Could not push to the repository pay: git ls-remote: .*503.*What exists now: the repository pay .*without this commit.*retry this task/s,
    );
    expect(`${error.stack} ${failed.lines()}`).not.toContain(CANARY);
    expect(failed.outputs).toEqual({});

    const again = run({}, { checkpoints: failed.checkpoints });
    await again.done;
    expect(again.outputs.commit).toMatch(COMMIT);

    provisioning.createGitToken.mockResolvedValue({
      token: `${CANARY}-wrong`,
      access: 'write',
      repository: 'pay',
      expiresAt: '',
    });
    const refused = await run(
      {},
      { checkpoints: failed.checkpoints },
    ).done.catch(e => e);
    expect(refused.message).toMatch(
      /Authentication failed|could not read|403|401/i,
    );
    expect(refused.message).not.toContain(CANARY);
  });

  it('does not obey a .git, hooks or attributes that lie among the files', async () => {
    workspace.addContent({
      '.git': {
        config:
          '[core]\n\thooksPath = hooks\n\tfsmonitor = "touch owned"\n[filter "evil"]\n\tclean = touch owned\n',
      },
      '.gitattributes': '* filter=evil',
      hooks: { 'pre-push': '#!/bin/sh\ntouch owned\n' },
    });
    await run().done;
    expect(Object.keys(workspace.content() ?? {})).not.toContain('owned');
    expect(
      server.run('pay', 'ls-tree', '-r', '--name-only', 'main'),
    ).not.toContain('.git/');
  });

  it('refuses bad names and folders before anything exists', async () => {
    for (const name of [
      'Pay',
      '../pay',
      'p',
      'pay pay',
      `p${'a'.repeat(63)}`,
      '${{ x }}',
      '-pay',
      'pay;ls',
    ]) {
      await expect(run({ name }).done).rejects.toThrow(/^name: /);
    }
    await expect(run({ sourcePath: '../..' }).done).rejects.toThrow(
      /outside its parent/,
    );
    await expect(run({ sourcePath: 'nowhere' }).done).rejects.toThrow(
      /^sourcePath: there are no files in nowhere/,
    );
    expect(provisioning.requestEffect).not.toHaveBeenCalled();

    await expect(run({ name: 'from-file' }).done).rejects.toThrow(
      /^Could not create the repository from-file: the catalog already has component:default\/from-file from file:\/examples\/all.yaml\. What exists now: nothing new\. What to do: [^;]*$/,
    );
    await expect(run({ name: 'elsewhere' }).done).rejects.toThrow(
      'from https://git.example.com/elsewhere',
    );
    expect(provisioning.requestEffect).not.toHaveBeenCalled();
    await run({ name: 'again' }).done;

    provisioning.requestEffect.mockRejectedValue(
      new ConflictError('pay is taken by component:default/pay'),
    );
    await expect(run().done).rejects.toThrow(
      'Could not create the repository pay: pay is taken by component:default/pay. What exists now: nothing new. What to do: choose another name',
    );
  });

  it('stops when the task is cancelled', async () => {
    const stop = new AbortController();
    stop.abort();
    const made = run();
    Object.assign(made.context, { signal: stop.signal });
    await made.done.catch(() => {});
    const { context } = createContext({
      input: { name: 'pay', owner: 'group:default/ledger' },
      workspacePath: workspace.path,
      checkpoints: made.checkpoints,
    });
    Object.assign(context, { signal: stop.signal });
    await expect(
      createPublishLocalAction({
        provisioning,
        catalog: catalogServiceMock(),
        discovery: mockServices.discovery(),
      }).handler(context),
    ).rejects.toThrow('cancelled');
  });

  it('in a dry run asks for the name and creates nothing', async () => {
    provisioning.checkName.mockResolvedValue({ name: 'pay', available: true });
    const dry = run({}, { dryRun: true });
    await dry.done;
    expect(dry.outputs).toEqual({
      repository: 'pay',
      cloneUrl: 'http://portal/api/provisioning/git/pay.git',
      defaultBranch: 'main',
      commit: expect.stringMatching(COMMIT),
    });
    expect(provisioning.requestEffect).not.toHaveBeenCalled();
    expect(server.requests).toEqual([]);

    provisioning.checkName.mockResolvedValue({
      name: 'pay',
      available: false,
      reason: 'a repository has it',
    });
    await expect(run({}, { dryRun: true }).done).rejects.toThrow(
      'name: pay is taken: a repository has it',
    );
  });
});

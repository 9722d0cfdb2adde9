import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mockServices } from '@backstage/backend-test-utils';
import type { Effect } from '@rocket/plugin-provisioning-common';
import type { Knex } from 'knex';
import {
  makeDatabase,
  makeDirectory,
  OWNER,
} from '../../__testUtils__/backend';
import { git } from '../../git/gitCommand';
import { GitHost } from '../../git/GitHost';
import { Access } from '../../service/Access';
import { DatabaseRepositoryStore } from '../../service/DatabaseRepositoryStore';
import { RepositoryService } from '../../service/RepositoryService';
import { GitRepositoryHandler } from './GitRepositoryHandler';

describe('git.repository', () => {
  let directory: string;
  let knex: Knex;
  let host: GitHost;
  let store: DatabaseRepositoryStore;
  const context = {
    signal: new AbortController().signal,
    progress: async () => {},
  };

  beforeEach(async () => {
    directory = await makeDirectory();
    knex = makeDatabase();
    await knex.migrate.latest({
      directory: join(__dirname, '../../../migrations'),
    });
    host = new GitHost(join(directory, 'git'));
    await host.prepare();
    store = new DatabaseRepositoryStore(knex);
  });

  afterEach(async () => {
    await knex.destroy();
    await rm(directory, { recursive: true, force: true });
  });

  function makeHandler(minFreeBytes?: number) {
    const auth = mockServices.auth({ pluginId: 'provisioning' });
    const access = new Access({
      auth,
      permissions: mockServices.permissions(),
      userInfo: mockServices.userInfo(),
    });
    const repositories = new RepositoryService({
      store,
      host,
      access,
      services: { get: async () => undefined } as never,
      catalog: {} as never,
      discovery: mockServices.discovery(),
    });
    return new GitRepositoryHandler({
      repositories,
      host,
      access,
      auth,
      minFreeBytes,
    });
  }

  const effect = (changes: object = {}) =>
    ({
      id: '1',
      type: 'git.repository',
      reference: 'pay-api',
      subject: 'component:default/pay-api',
      owner: OWNER,
      run: 'task:1',
      intent: {},
      ...changes,
    } as Effect);

  /** A commit made in the bare repository, as a push leaves it. */
  async function commit(branch: string, text: string, parent?: string) {
    const at = `--git-dir=${join(host.root, 'pay-api.git')}`;
    const work = join(directory, `work-${text}`);
    await mkdir(work);
    const env = {
      GIT_INDEX_FILE: join(work, 'index'),
      GIT_AUTHOR_NAME: 'A',
      GIT_AUTHOR_EMAIL: 'a@example.com',
      GIT_COMMITTER_NAME: 'A',
      GIT_COMMITTER_EMAIL: 'a@example.com',
    };
    const tree = (await git([at, 'write-tree'], { env })).trim();
    const sha = (
      await git(
        [
          at,
          'commit-tree',
          '-m',
          text,
          ...(parent ? ['-p', parent] : []),
          tree,
        ],
        { env },
      )
    ).trim();
    await git([at, 'update-ref', `refs/heads/${branch}`, sha]);
    return { sha, tree };
  }

  it('says when the disk is full, and when there is room', async () => {
    const request = effect();
    expect(
      await makeHandler(Number.MAX_SAFE_INTEGER).preflight(request, context),
    ).toMatchObject([
      {
        reason: 'storage-full',
        message: expect.stringMatching(/^The Git host has \d+ MiB left/),
      },
    ]);
    expect(await makeHandler(1).preflight(request, context)).toEqual([]);
  });

  it('can be made again and again, is found, and goes with what the run pushed', async () => {
    const handler = makeHandler();
    const first = await handler.apply(effect(), context);
    expect(await handler.apply(effect(), context)).toEqual(first);
    expect(await handler.observe(effect())).toMatchObject({ state: 'present' });
    const { sha } = await commit('main', 'first');
    expect(
      await handler.remove(effect({ intent: { commit: sha } }), 'undo'),
    ).toEqual({ outcome: 'done' });
    expect(await handler.observe(effect())).toMatchObject({ state: 'absent' });
    expect(await handler.remove(effect(), 'undo')).toEqual({ outcome: 'done' });
    expect(await handler.remove(effect(), 'retire')).toMatchObject({
      outcome: 'done',
    });
  });

  it('knows its own files under another commit id, and nobody else’s', async () => {
    const handler = makeHandler();
    await handler.apply(effect(), context);
    const { sha, tree } = await commit('main', 'first');
    await commit('feature', 'second', sha);
    const undo = () => handler.remove(effect({ intent: { tree } }), 'undo');
    expect(await undo()).toMatchObject({
      outcome: 'manual',
      instruction: expect.stringMatching(
        /refs\/heads\/feature at [0-9a-f]{12}/,
      ),
    });
    expect((await store.getRepository('pay-api'))!.archivedAt).toBeUndefined();
    await git([
      `--git-dir=${join(host.root, 'pay-api.git')}`,
      'update-ref',
      '-d',
      'refs/heads/feature',
    ]);
    expect(await undo()).toEqual({ outcome: 'done' });
    expect(await host.find('pay-api')).toBeUndefined();
  });

  it('never touches a repository that is not its own', async () => {
    const handler = makeHandler();
    await handler.apply(effect({ run: 'task:0' }), context);
    await expect(handler.apply(effect(), context)).rejects.toMatchObject({
      name: 'ConflictError',
    });
    expect(await handler.remove(effect(), 'undo')).toMatchObject({
      outcome: 'done',
      message: expect.stringMatching(/not of this run and was left alone/),
    });
    await handler.remove(effect(), 'retire');
    expect((await store.getRepository('pay-api'))!.archivedAt).toBeUndefined();
    expect(await host.find('pay-api')).toBeDefined();
  });

  it('shows what has drifted', async () => {
    const handler = makeHandler();
    await handler.apply(effect(), context);
    await handler.remove(effect(), 'retire');
    const found = await handler.observe(
      effect({ owner: 'group:default/cards' }),
    );
    expect(found.differences!.map(({ field }) => field)).toEqual([
      'owner',
      'archived',
    ]);
  });
});

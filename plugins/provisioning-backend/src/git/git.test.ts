import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { mockCredentials } from '@backstage/backend-test-utils';
import type { Knex } from 'knex';
import {
  makeDatabase,
  makeDirectory,
  OWNER,
  pushFiles,
  runGit,
  startBackend,
  type TestBackend,
} from '../__testUtils__/backend';
import { GitHost } from './GitHost';

jest.setTimeout(60_000);

describe('the Git host', () => {
  let dataDir: string;
  let work: string;
  let knex: Knex;
  let backend: TestBackend;

  beforeAll(async () => {
    dataDir = await makeDirectory();
    work = await makeDirectory();
    knex = makeDatabase();
    backend = await startBackend({
      dataDir,
      knex,
      config: {
        git: { maxRequestBytes: 8 * 1024 * 1024, maxConcurrent: 4 },
        // Nothing runs in these tests; the server is not asked.
        local: { postgres: { url: 'postgresql://nobody@127.0.0.1:1/none' } },
      },
    });
    for (const name of ['payments-api', 'other-api']) {
      const { status } = await backend.call('POST', '/repositories', {
        name,
        owner: OWNER,
      });
      if (status !== 201) throw new Error(`No repository: ${status}`);
    }
    await pushFiles(backend, 'payments-api', { 'README.md': 'hello\n' });
  });

  afterAll(async () => {
    await backend?.stop();
    await knex?.destroy();
    await rm(dataDir, { recursive: true, force: true });
    await rm(work, { recursive: true, force: true });
  });

  /** A request that no client library tidies up. */
  function raw(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: Buffer,
  ): Promise<{ status: number; text: string; headers: any }> {
    const { hostname, port } = new URL(backend.url);
    return new Promise((resolve, reject) => {
      const req = request(
        { hostname, port, method, path, headers },
        response => {
          const chunks: Buffer[] = [];
          response.on('data', chunk => chunks.push(chunk));
          response.on('end', () =>
            resolve({
              status: response.statusCode!,
              text: Buffer.concat(chunks).toString('latin1'),
              headers: response.headers,
            }),
          );
        },
      );
      req.on('error', reject);
      req.end(body);
    });
  }

  const basic = (secret: string) => ({
    authorization: `Basic ${Buffer.from(`git:${secret}`).toString('base64')}`,
  });

  async function token(access: 'read' | 'write', repository = 'payments-api') {
    const { body } = await backend.call('POST', '/git-tokens', {
      repository,
      access,
    });
    return body.token as string;
  }

  const refs = (service: string, name = 'payments-api') =>
    `/api/provisioning/git/${name}.git/info/refs?service=${service}`;

  it('clones and pushes with the real client', async () => {
    await runGit(
      ['clone', '-q', await backend.cloneUrl('payments-api', 'read'), 'clone'],
      work,
    );
    expect(await readdir(join(work, 'clone'))).toContain('README.md');
    const sha = await pushFiles(backend, 'payments-api', { 'b.txt': 'b' });
    await runGit(['pull', '-q'], join(work, 'clone'));
    const { stdout } = await runGit(['rev-parse', 'HEAD'], join(work, 'clone'));
    expect(stdout.trim()).toBe(sha);
  });

  it('lists what a commit brought', async () => {
    const first = await pushFiles(backend, 'other-api', { 'a.txt': 'a' });
    const second = await pushFiles(backend, 'other-api', { 'a.txt': 'b' });
    const host = new GitHost(join(dataDir, 'git'));
    const all = await host.log('other-api', second, { limit: 10 });
    expect(all.map(({ sha }) => sha)).toEqual([second, first]);
    expect(all[0]).toMatchObject({ author: 'Test', subject: 'change' });
    expect(Date.parse(all[0].time)).toBeGreaterThan(0);
    const shas = async (after: string) =>
      (await host.log('other-api', second, { after, limit: 10 })).map(
        ({ sha }) => sha,
      );
    expect(await shas(first)).toEqual([second]);
    expect(await shas(second)).toEqual([]);
    // Of a commit that is not there any more nothing is known: then it is all of them.
    expect(await shas('c'.repeat(40))).toEqual([second, first]);
  });

  it('streams a push that is larger than any parser takes', async () => {
    await pushFiles(backend, 'other-api', {
      'large.bin': randomBytes(3 * 1024 * 1024).toString('latin1'),
    });
    await runGit(
      ['clone', '-q', await backend.cloneUrl('other-api', 'read'), 'large'],
      work,
    );
    expect(await readdir(join(work, 'large'))).toContain('large.bin');
  });

  it('refuses a push beyond the limit and stays usable', async () => {
    await expect(
      pushFiles(backend, 'other-api', {
        'huge.bin': randomBytes(9 * 1024 * 1024).toString('hex'),
      }),
    ).rejects.toThrow();
    const { status } = await raw(
      'GET',
      refs('git-upload-pack', 'other-api'),
      basic(await token('read', 'other-api')),
    );
    expect(status).toBe(200);
  });

  it('takes a Backstage token as Bearer and as password', async () => {
    const bearer = { authorization: mockCredentials.user.header() };
    expect((await raw('GET', refs('git-upload-pack'), bearer)).status).toBe(
      200,
    );
    expect((await raw('GET', refs('git-receive-pack'), bearer)).status).toBe(
      200,
    );
    expect(
      (
        await raw(
          'GET',
          refs('git-upload-pack'),
          basic(mockCredentials.user.token()),
        )
      ).status,
    ).toBe(200);
  });

  it.each([
    ['no credentials', {}],
    ['a wrong token', basic('rgt_wrong')],
    ['an empty password', basic('')],
    ['a wrong Backstage token', basic('eyJhbGciOi.J9.x')],
    ['another scheme', { authorization: 'Digest x' }],
  ])('asks for credentials on %s', async (_what, headers) => {
    const answer = await raw('GET', refs('git-upload-pack'), headers);
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Basic realm=/);
  });

  it('does not tell a stranger which repositories exist', async () => {
    const there = await raw('GET', refs('git-upload-pack'));
    const not = await raw('GET', refs('git-upload-pack', 'no-such-one'));
    expect(not.status).toBe(there.status);
    expect(not.text).toBe(there.text);
  });

  it('refuses an expired token', async () => {
    const secret = await token('read');
    expect(
      (await raw('GET', refs('git-upload-pack'), basic(secret))).status,
    ).toBe(200);
    await knex('git_tokens').update({ expires_at: new Date(0).toISOString() });
    expect(
      (await raw('GET', refs('git-upload-pack'), basic(secret))).status,
    ).toBe(401);
  });

  it('keeps no token in the database', async () => {
    const secret = await token('write');
    const rows = await knex('git_tokens');
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain(secret.slice(4));
  });

  it('forbids a token the other repository and the other scope', async () => {
    const read = basic(await token('read'));
    expect(
      (await raw('GET', refs('git-upload-pack', 'other-api'), read)).status,
    ).toBe(403);
    expect((await raw('GET', refs('git-receive-pack'), read)).status).toBe(403);
    expect(
      (
        await raw(
          'POST',
          '/api/provisioning/git/payments-api.git/git-receive-pack',
          {
            ...read,
            'content-type': 'application/x-git-receive-pack-request',
          },
          Buffer.from('0000'),
        )
      ).status,
    ).toBe(403);
    await expect(
      runGit(
        ['push', await backend.cloneUrl('payments-api', 'read'), 'main:evil'],
        join(work, 'clone'),
      ),
    ).rejects.toThrow(/403/);
  });

  it.each([
    '/api/provisioning/git/payments-api.git/HEAD',
    '/api/provisioning/git/payments-api.git/config',
    '/api/provisioning/git/payments-api.git/info/refs',
    '/api/provisioning/git/payments-api.git/info/refs?service=git-upload-archive',
    '/api/provisioning/git/payments-api.git/objects/info/packs',
    '/api/provisioning/git/payments-api.git/git-upload-archive',
    '/api/provisioning/git/../git/payments-api.git/HEAD',
    '/api/provisioning/git/%2e%2e/git/payments-api.git/info/refs?service=git-upload-pack',
    '/api/provisioning/git/..%2fgit%2fpayments-api.git/info/refs?service=git-upload-pack',
    '/api/provisioning/git/payments-api.git/../other-api.git/info/refs?service=git-upload-pack',
    '/api/provisioning/git/Payments-api.git/info/refs?service=git-upload-pack',
    '/api/provisioning/git/payments-api.git%00/info/refs?service=git-upload-pack',
  ])('does not serve %s', async path => {
    const answer = await raw('GET', path, basic(await token('write')));
    expect(answer.status).toBe(404);
  });

  it('does not follow a symbolic link', async () => {
    await backend.call('POST', '/repositories', {
      name: 'linked-api',
      owner: OWNER,
    });
    const secret = await token('read', 'linked-api');
    await rm(join(dataDir, 'git', 'linked-api.git'), { recursive: true });
    await symlink('payments-api.git', join(dataDir, 'git', 'linked-api.git'));
    const answer = await raw(
      'GET',
      refs('git-upload-pack', 'linked-api'),
      basic(secret),
    );
    expect(answer.status).toBe(404);
  });

  it('runs no hooks', async () => {
    const hooks = join(dataDir, 'git', 'payments-api.git', 'hooks');
    const witness = join(work, 'hook-ran');
    await rm(hooks, { recursive: true, force: true });
    await mkdir(hooks);
    for (const hook of ['pre-receive', 'update', 'post-receive']) {
      await writeFile(join(hooks, hook), `#!/bin/sh\ntouch ${witness}\n`, {
        mode: 0o755,
      });
    }
    await pushFiles(backend, 'payments-api', { 'c.txt': 'c' });
    expect(await readdir(work)).not.toContain('hook-ran');
  });

  it('reads gzip bodies', async () => {
    const auth = basic(await token('read'));
    const head = await raw('GET', refs('git-upload-pack'), auth);
    const sha = /([0-9a-f]{40}) refs\/heads\/main/.exec(head.text)![1];
    const line = (text: string) =>
      `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;
    const body = gzipSync(
      Buffer.from(`${line(`want ${sha}\n`)}0000${line('done\n')}`),
    );
    expect(gunzipSync(body).toString()).toContain(sha);
    const answer = await raw(
      'POST',
      '/api/provisioning/git/payments-api.git/git-upload-pack',
      {
        ...auth,
        'content-type': 'application/x-git-upload-pack-request',
        'content-encoding': 'gzip',
      },
      body,
    );
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('PACK');
  });

  it('ends Git when the client goes away, and frees its place', async () => {
    const auth = basic(await token('write', 'other-api'));
    const { hostname, port } = new URL(backend.url);
    // More than maxConcurrent of them: each must give its place back.
    for (let i = 0; i < 6; i += 1) {
      await new Promise<void>(resolve => {
        const req = request({
          hostname,
          port,
          method: 'POST',
          path: '/api/provisioning/git/other-api.git/git-receive-pack',
          headers: {
            ...auth,
            'content-type': 'application/x-git-receive-pack-request',
            'transfer-encoding': 'chunked',
          },
        });
        req.on('error', () => resolve());
        req.write('0000', () => setTimeout(() => req.destroy(), 50));
        req.on('close', () => resolve());
      });
    }
    const statuses = new Set<number>();
    const deadline = Date.now() + 15_000;
    while (!statuses.has(200) && Date.now() < deadline) {
      statuses.add(
        (await raw('GET', refs('git-receive-pack', 'other-api'), auth)).status,
      );
    }
    expect(statuses).toContain(200);
  });
});

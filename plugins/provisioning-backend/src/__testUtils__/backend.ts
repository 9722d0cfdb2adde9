import { execFile } from 'node:child_process';
import { mkdtemp, mkdir, rm, writeFile, chmod } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import type { BackendFeature } from '@backstage/backend-plugin-api';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type { JsonObject } from '@backstage/types';
import type { ServiceStatus } from '@rocket/plugin-provisioning-common';
import createKnex, { type Knex } from 'knex';
import { provisioningPlugin } from '../plugin';

const execFileAsync = promisify(execFile);

export const OWNER = 'group:default/ledger';

/** A directory that PostgreSQL's account can reach, too. */
export async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rocket-provisioning-'));
  await chmod(directory, 0o755);
  return directory;
}

/** `count` consecutive ports that nobody uses now. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 12_000);
    const free = await Promise.all(
      Array.from(
        { length: count },
        (_, i) =>
          new Promise<boolean>(resolve => {
            const server = createServer();
            server.once('error', () => resolve(false));
            server.listen(first + i, '127.0.0.1', () =>
              server.close(() => resolve(true)),
            );
          }),
      ),
    );
    if (free.every(Boolean)) return first;
  }
}

/** A database that outlives a backend. */
export function makeDatabase(): Knex {
  return createKnex({
    client: 'better-sqlite3',
    connection: ':memory:',
    useNullAsDefault: true,
    pool: { min: 1, max: 1 },
  });
}

/** A started backend with the provisioning plugin, and Git to talk to it. */
export async function startBackend(options: {
  dataDir: string;
  knex: Knex;
  config?: JsonObject;
  entities?: Parameters<typeof catalogServiceMock>[0];
  /** What the permission policy answers to everything. Default: allow. */
  decision?: AuthorizeResult.ALLOW | AuthorizeResult.DENY;
  /** Names of permissions that are denied whatever `decision` says. */
  denied?: string[];
  /** Further modules and services. */
  features?: BackendFeature[];
}) {
  const backend = await startTestBackend({
    features: [
      provisioningPlugin,
      mockServices.rootConfig.factory({
        data: {
          provisioning: { dataDir: options.dataDir, ...options.config },
        },
      }),
      mockServices.database.mock({ getClient: async () => options.knex })
        .factory,
      mockServices.userInfo.mock({
        getUserInfo: async () => ({
          userEntityRef: 'user:default/mock',
          ownershipEntityRefs: ['user:default/mock', OWNER],
        }),
      }).factory,
      catalogServiceMock.factory(options.entities),
      mockServices.permissions.mock({
        authorize: async requests =>
          requests.map(({ permission }) => ({
            result: options.denied?.includes(permission.name)
              ? AuthorizeResult.DENY
              : options.decision ?? AuthorizeResult.ALLOW,
          })),
      }).factory,
      ...(options.features ?? []),
    ],
  });
  const { port } = backend.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/api/provisioning`;
  return {
    backend,
    url,
    stop: () => backend.stop(),
    async call<T = any>(method: string, path: string, body?: unknown) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          'content-type': 'application/json',
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      return { status: response.status, body: (await response.json()) as T };
    },
    /** Clone URL with a token in it. */
    async cloneUrl(repository: string, access: 'read' | 'write') {
      const { body } = await this.call('POST', '/git-tokens', {
        repository,
        access,
      });
      return `http://git:${body.token}@127.0.0.1:${port}/api/provisioning/git/${repository}.git`;
    },
    /** Polls until the service is in one of the states, or the time is over. */
    async until(
      name: string,
      condition: (status: ServiceStatus) => boolean,
      seconds = 40,
    ): Promise<ServiceStatus> {
      const deadline = Date.now() + seconds * 1000;
      for (;;) {
        const { body } = await this.call<ServiceStatus>(
          'GET',
          `/services/${name}`,
        );
        if (condition(body)) return body;
        if (Date.now() > deadline) {
          const log = await this.call('GET', `/services/${name}/log`);
          throw new Error(
            `Waited in vain; last status ${JSON.stringify(
              body,
            )}; log ${JSON.stringify(log.body)}`,
          );
        }
        await delay(50);
      }
    },
  };
}

export type TestBackend = Awaited<ReturnType<typeof startBackend>>;

/** The real Git client, without the configuration of whoever runs the tests. */
export async function runGit(args: string[], cwd: string) {
  return execFileAsync('git', args, {
    cwd,
    timeout: 60_000,
    maxBuffer: 16 * 1024 * 1024,
    env: {
      PATH: process.env.PATH,
      HOME: cwd,
      LC_ALL: 'C',
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'Test',
      GIT_AUTHOR_EMAIL: 'test@example.com',
      GIT_COMMITTER_NAME: 'Test',
      GIT_COMMITTER_EMAIL: 'test@example.com',
    },
  });
}

/** Commits the files on top of what the repository has and pushes them. Answers the SHA. */
export async function pushFiles(
  backend: TestBackend,
  repository: string,
  files: Record<string, string>,
): Promise<string> {
  const directory = await makeDirectory();
  try {
    await runGit(
      ['clone', '-q', await backend.cloneUrl(repository, 'write'), 'work'],
      directory,
    );
    const work = join(directory, 'work');
    await runGit(['checkout', '-q', '-B', 'main'], work);
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(work, path)), { recursive: true });
      await writeFile(join(work, path), content);
    }
    await runGit(['add', '-A'], work);
    await runGit(['commit', '-q', '--allow-empty', '-m', 'change'], work);
    await runGit(['push', '-q', 'origin', 'main'], work);
    return (await runGit(['rev-parse', 'HEAD'], work)).stdout.trim();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

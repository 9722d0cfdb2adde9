import type { AuthService } from '@backstage/backend-plugin-api';
import type { Entity } from '@backstage/catalog-model';
import { NotFoundError, NotModifiedError } from '@backstage/errors';
import type {
  PreparerBase,
  PreparerOptions,
  PreparerResponse,
} from '@backstage/plugin-techdocs-node';
import { LOCAL_GIT_SCHEME } from '@rocket/plugin-ci-registry-common';
import { SERVICE_NAME_PATTERN } from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const GIT_TIMEOUT_MS = 60_000;
const TECHDOCS_REF = 'backstage.io/techdocs-ref';

const LOCATION = new RegExp(
  `^url:${LOCAL_GIT_SCHEME}//([^/]+)/tree/HEAD/(.*)$`,
);

/** Where the docs of an entity are on Rocket's own Git host; undefined for all others. */
export function localDocsOf(
  entity: Entity,
): { repository: string; folder: string } | undefined {
  const match = entity.metadata.annotations?.[TECHDOCS_REF]?.match(LOCATION);
  return match && SERVICE_NAME_PATTERN.test(match[1])
    ? { repository: match[1], folder: match[2] }
    : undefined;
}

/**
 * Prepares docs that lie on the local Git host: the repository is cloned, by
 * the same HTTP door as everybody's, with a read token of our own.
 */
export class LocalGitPreparer implements PreparerBase {
  readonly #stock: PreparerBase;
  readonly #provisioning: ProvisioningService;
  readonly #auth: AuthService;
  readonly #workDir: string;

  constructor(options: {
    /** Takes every other entity. */
    stock: PreparerBase;
    provisioning: ProvisioningService;
    auth: AuthService;
    /** One clone per repository is kept here, replaced at each build. */
    workDir: string;
  }) {
    this.#stock = options.stock;
    this.#provisioning = options.provisioning;
    this.#auth = options.auth;
    this.#workDir = options.workDir;
  }

  shouldCleanPreparedDirectory(): boolean {
    // The clone is replaced by the next one; the stock preparer's folders are its own affair.
    return this.#stock.shouldCleanPreparedDirectory();
  }

  async prepare(
    entity: Entity,
    options?: PreparerOptions,
  ): Promise<PreparerResponse> {
    const docs = localDocsOf(entity);
    if (!docs) return this.#stock.prepare(entity, options);
    const { repository, folder } = docs;

    const credentials = await this.#auth.getOwnServiceCredentials();
    const { cloneUrl } = await this.#provisioning.getRepository(repository, {
      credentials,
    });
    const { token } = await this.#provisioning.createGitToken(
      { repository, access: 'read' },
      { credentials },
    );
    // By environment: arguments can be read by every process of the machine.
    const env = {
      PATH: process.env.PATH,
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'http.extraHeader',
      GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(
        `rocket:${token}`,
      ).toString('base64')}`,
    };
    const git = async (...args: string[]) =>
      (await run('git', args, { env, timeout: GIT_TIMEOUT_MS })).stdout;

    const etag = (await git('ls-remote', cloneUrl, 'HEAD')).split(/\s/)[0];
    if (!etag) {
      throw new NotFoundError(
        `The repository '${repository}' has no commit yet, so there are no docs to build.`,
      );
    }
    if (options?.etag === etag) throw new NotModifiedError();

    const clone = join(this.#workDir, repository);
    await rm(clone, { recursive: true, force: true });
    await mkdir(this.#workDir, { recursive: true });
    await git('clone', '--quiet', '--depth', '1', cloneUrl, clone);

    const preparedDir = resolve(clone, folder);
    if (preparedDir !== clone && !preparedDir.startsWith(`${clone}/`)) {
      throw new NotFoundError(
        `${TECHDOCS_REF} of the entity leads out of its repository.`,
      );
    }
    return { preparedDir, etag };
  }
}

import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type {
  AuthService,
  BackstageCredentials,
} from '@backstage/backend-plugin-api';
import { NotAllowedError, NotFoundError } from '@backstage/errors';
import {
  provisioningOperatePermission,
  provisioningReadPermission,
  type GitToken,
} from '@rocket/plugin-provisioning-common';
import type { Access } from '../service/Access';
import type {
  RepositoryRecord,
  RepositoryStore,
} from '../service/RepositoryStore';

const TOKEN_PREFIX = 'rgt_';

/** Issues Git tokens and checks who stands behind a Git request. */
export class GitAccess {
  readonly #store: RepositoryStore;
  readonly #access: Access;
  readonly #auth: AuthService;
  readonly #ttlMs: number;
  readonly #now: () => Date;

  constructor(deps: {
    store: RepositoryStore;
    access: Access;
    auth: AuthService;
    ttlMs: number;
    now?: () => Date;
  }) {
    this.#store = deps.store;
    this.#access = deps.access;
    this.#auth = deps.auth;
    this.#ttlMs = deps.ttlMs;
    this.#now = deps.now ?? (() => new Date());
  }

  /** Only the hash is kept; the token is in this answer and nowhere else. */
  async issue(
    repository: string,
    access: 'read' | 'write',
    credentials: BackstageCredentials,
  ): Promise<GitToken> {
    await this.#authorize(credentials, repository, access === 'write');
    const token = `${TOKEN_PREFIX}${randomBytes(32).toString('base64url')}`;
    const now = this.#now();
    const expiresAt = new Date(now.getTime() + this.#ttlMs).toISOString();
    await this.#store.insertToken(
      {
        hash: hashOf(token),
        repository,
        access,
        createdBy: this.#access.describe(credentials),
        expiresAt,
      },
      now,
    );
    return { token, expiresAt, access, repository };
  }

  /**
   * Who makes the request, or undefined when nobody valid does.
   * @throws NotAllowedError when they may not do this to this repository.
   */
  async authenticate(
    req: IncomingMessage,
    repository: string,
    write: boolean,
  ): Promise<string | undefined> {
    const secret = secretOf(req.headers.authorization);
    if (!secret) return undefined;
    if (secret.startsWith(TOKEN_PREFIX)) {
      const record = await this.#store.getToken(hashOf(secret));
      if (!record || record.expiresAt <= this.#now().toISOString()) {
        return undefined;
      }
      if (record.repository !== repository) {
        throw new NotAllowedError(
          `This Git token is for another repository than '${repository}'`,
        );
      }
      if (write && record.access !== 'write') {
        throw new NotAllowedError('This Git token is for reading only');
      }
      if (write) {
        refuseArchived(await this.#store.getRepository(repository));
      }
      return record.createdBy;
    }
    const credentials = await this.#auth
      .authenticate(secret)
      .catch(() => undefined);
    if (!credentials || this.#auth.isPrincipal(credentials, 'none')) {
      return undefined;
    }
    await this.#authorize(credentials, repository, write).catch(error => {
      // Git shows 404 only to those who may know what exists.
      if (!(error instanceof NotFoundError)) throw error;
    });
    return this.#access.describe(credentials);
  }

  async #authorize(
    credentials: BackstageCredentials,
    repository: string,
    write: boolean,
  ) {
    await this.#access.authorize(
      credentials,
      write ? provisioningOperatePermission : provisioningReadPermission,
    );
    const record = await this.#store.getRepository(repository);
    if (!record) throw new NotFoundError(`No repository '${repository}'`);
    if (!write) return;
    await this.#access.requireOwner(credentials, record.owner);
    refuseArchived(record);
  }
}

function refuseArchived(record: RepositoryRecord | undefined) {
  if (record?.archivedAt) {
    throw new NotAllowedError(
      `The repository '${record.name}' is archived since ${record.archivedAt}; it can be read only`,
    );
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** The password of Basic, or the token of Bearer. */
function secretOf(header: string | undefined): string | undefined {
  const [, scheme, value] = /^(\w+) +(\S+)$/.exec(header ?? '') ?? [];
  if (scheme?.toLowerCase() === 'bearer') return value;
  if (scheme?.toLowerCase() !== 'basic') return undefined;
  const decoded = Buffer.from(value, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  return colon < 0 ? undefined : decoded.slice(colon + 1);
}

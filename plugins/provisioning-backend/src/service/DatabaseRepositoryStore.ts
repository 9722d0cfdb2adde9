import type { Knex } from 'knex';
import type {
  GitTokenRecord,
  RepositoryRecord,
  RepositoryStore,
} from './RepositoryStore';

interface RepositoryRow {
  name: string;
  owner: string;
  description: string | null;
  default_branch: string;
  created_by: string;
  created_at: string;
  request_id: string | null;
  archived_at: string | null;
}

interface TokenRow {
  hash: string;
  repository: string;
  access: 'read' | 'write';
  created_by: string;
  expires_at: string;
}

export class DatabaseRepositoryStore implements RepositoryStore {
  readonly #db: Knex;

  constructor(db: Knex) {
    this.#db = db;
  }

  async insertRepository(record: RepositoryRecord) {
    const inserted = await this.#db<RepositoryRow>('repositories')
      .insert({
        name: record.name,
        owner: record.owner,
        description: record.description ?? null,
        default_branch: record.defaultBranch,
        created_by: record.createdBy,
        created_at: record.createdAt,
        request_id: record.requestId ?? null,
      })
      .onConflict('name')
      .ignore()
      .returning('name');
    return inserted.length > 0;
  }

  async getRepository(name: string) {
    const row = await this.#db<RepositoryRow>('repositories')
      .where({ name })
      .first();
    return row && toRepository(row);
  }

  async setArchived(name: string, at: string | undefined) {
    await this.#db<RepositoryRow>('repositories')
      .where({ name })
      .update({ archived_at: at ?? null });
  }

  async deleteRepository(name: string) {
    await this.#db.transaction(async tx => {
      await tx<TokenRow>('git_tokens').where({ repository: name }).delete();
      await tx<RepositoryRow>('repositories').where({ name }).delete();
    });
  }

  async listRepositories() {
    const rows = await this.#db<RepositoryRow>('repositories').orderBy('name');
    return rows.map(toRepository);
  }

  async insertToken(record: GitTokenRecord, now: Date) {
    await this.#db<TokenRow>('git_tokens')
      .where('expires_at', '<', now.toISOString())
      .delete();
    await this.#db<TokenRow>('git_tokens').insert({
      hash: record.hash,
      repository: record.repository,
      access: record.access,
      created_by: record.createdBy,
      expires_at: record.expiresAt,
    });
  }

  async getToken(hash: string) {
    const row = await this.#db<TokenRow>('git_tokens').where({ hash }).first();
    return (
      row && {
        hash: row.hash,
        repository: row.repository,
        access: row.access,
        createdBy: row.created_by,
        expiresAt: row.expires_at,
      }
    );
  }
}

function toRepository(row: RepositoryRow): RepositoryRecord {
  return {
    name: row.name,
    owner: row.owner,
    description: row.description ?? undefined,
    defaultBranch: row.default_branch,
    createdBy: row.created_by,
    createdAt: row.created_at,
    requestId: row.request_id ?? undefined,
    archivedAt: row.archived_at ?? undefined,
  };
}

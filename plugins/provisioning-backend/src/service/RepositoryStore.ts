/** A repository as it is stored; its clone URL follows from where the backend is reached. */
export interface RepositoryRecord {
  name: string;
  owner: string;
  description?: string;
  defaultBranch: string;
  createdBy: string;
  createdAt: string;
  requestId?: string;
  /** Read-only since; ISO 8601. */
  archivedAt?: string;
}

/** A Git token without the token. */
export interface GitTokenRecord {
  /** SHA-256 of the token, hex. */
  hash: string;
  repository: string;
  access: 'read' | 'write';
  createdBy: string;
  expiresAt: string;
}

export interface RepositoryStore {
  /** False when the name is taken; nothing is written then. */
  insertRepository(record: RepositoryRecord): Promise<boolean>;
  getRepository(name: string): Promise<RepositoryRecord | undefined>;
  /** Undefined: writable again. */
  setArchived(name: string, at: string | undefined): Promise<void>;
  /** With its tokens. */
  deleteRepository(name: string): Promise<void>;
  /** By name. */
  listRepositories(): Promise<RepositoryRecord[]>;
  /** Also forgets the tokens that expired before `now`. */
  insertToken(record: GitTokenRecord, now: Date): Promise<void>;
  getToken(hash: string): Promise<GitTokenRecord | undefined>;
}
